"""One person behind all windows: opening, sending once, and starting over, on a real client."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

import usernym
from tests.helpers.handles import Handles
from usernym.account_home import discard
from usernym.actors.events import DirectoryUnwitnessed
from usernym.actors.registration.witness_watch import UNWITNESSED_S
from usernym.chat.person import HomeSettings, Outgoing, Person, Stage
from usernym.chat.problems import PageRefused
from usernym.chat.wire import Problem
from usernym.errors import AccountStays
from usernym.protocol.cards import card_text, make_card
from usernym.protocol.signing import SigningKey
from usernym.storage.client.witnessed import SignaturesSeen
from usernym.storage.errors import StorageError

PASSPHRASE = "correct horse"
WITNESS = card_text(make_card(SigningKey.from_seed(bytes(32)), [bytes(96)], 1, 1))


@pytest.fixture
def handles(tmp_path: Path) -> Iterator[Handles]:
    handles = Handles(tmp_path)
    yield handles
    handles.close()


@contextlib.asynccontextmanager
async def opened(home: Path, **more: object) -> AsyncIterator[Person]:
    """A person whose home this is, begun."""
    person = Person(HomeSettings(home, **more), lambda client: contextlib.nullcontext())  # type: ignore[arg-type]
    try:
        await person.begin()
        yield person
    finally:
        await person.close()


@contextlib.asynccontextmanager
async def holding(handles: Handles, client: usernym.Client) -> AsyncIterator[Person]:
    """A person with this client, as though it had been opened by the page."""
    async with opened(handles.home("nobody-yet")) as person:
        person._client = client
        yield person
        person._client = None


def test_a_home_that_is_not_there_is_new(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path / "none") as person:
            assert person.stage is Stage.NETWORK  # nor is it known which node
            with pytest.raises(RuntimeError):
                _ = person.client
        assert not (tmp_path / "none").exists()

    asyncio.run(play())


@pytest.mark.seconds
def test_a_protected_home_is_locked_until_the_passphrase_fits(handles: Handles) -> None:
    handles.client("alice", passphrase=PASSPHRASE).close()
    # The mixnet of these handles lives in this process only: the home is notified of one that no one serves.
    mixnet = "ws://127.0.0.1:9"

    async def play() -> None:
        async with opened(handles.home("alice"), mixnet=mixnet) as person:
            assert person.stage is Stage.LOCKED
            with pytest.raises(StorageError):
                await person.unlock("another")
            assert person.stage is Stage.LOCKED
            stages: list[Stage] = []
            stop = person.listen(lambda event: stages.append(person.stage))
            await person.unlock(PASSPHRASE)
            stop()
            stop()  # twice is harmless
            assert stages[-1] is Stage.READY
            assert person.client.name == "alice"
            await person.unlock("whatever")  # it is open: nothing happens
        async with opened(handles.home("alice"), mixnet=mixnet, passphrase=PASSPHRASE) as person:
            assert person.stage is Stage.READY

    asyncio.run(play())


@pytest.mark.seconds
def test_one_press_is_one_text_however_often_it_comes(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    alice.look_up("bob")

    async def play() -> None:
        async with holding(handles, alice) as person:
            begun: list[Outgoing] = []
            one, other = object(), object()

            def send(nonce: str, text: str, window: object) -> Coroutine[Any, Any, usernym.Sent]:
                return person.send(nonce, "bob", text, window=window, on_begin=begun.append)

            first = await asyncio.gather(*(send("nonce", "hello", one) for _ in range(5)))
            later = await send("nonce", "hello", other)
            assert {sent.message_id for sent in (*first, later)} == {later.message_id}
            # Another press in a window that was loaded meanwhile, with the same text, while the first is under way.
            both = await asyncio.gather(send("a", "again", one), send("b", "again", other))
            assert both[0].message_id == both[1].message_id
            third = await send("c", "again", other)  # and one that was meant
            assert third.message_id != both[0].message_id
            twice = await asyncio.gather(send("d", "ok", one), send("e", "ok", one))  # meant as well: typed twice
            assert twice[0].message_id != twice[1].message_id
            assert [out.nonce for out in begun] == ["nonce", "a", "c", "d", "e"]
            assert person.outgoing == {}

    asyncio.run(play())
    expected = ["again", "again", "hello", "ok", "ok"]
    handles.wait_for(lambda: sorted(text.text for text in bob.conversation("alice")) == expected)


@pytest.mark.seconds
def test_a_text_that_failed_may_be_sent_again(handles: Handles) -> None:
    alice = handles.client("alice")

    async def play() -> None:
        async with holding(handles, alice) as person:
            for nonce in ("a", "a", "b"):
                with pytest.raises(usernym.NodeRefused):
                    await person.send(nonce, "nobody_there", "hello", window=None, on_begin=lambda out: None)
            assert person.outgoing == {}

    asyncio.run(play())


NOWHERE = "ws://127.0.0.1:9"
"""A mixnet that no one serves: the tests' own lives in this process only."""


@pytest.mark.seconds
def test_a_deleted_account_keeps_its_texts_and_can_not_be_started_over(handles: Handles) -> None:
    alice = handles.client("alice")
    handles.client("bob")
    alice.send("bob", "to keep", wait="queued")
    alice.delete_account(30.0)
    alice.close()

    async def play() -> None:
        async with opened(handles.home("alice"), mixnet=NOWHERE) as person:
            assert (person.stage, person.offline) == (Stage.READY, Problem("account_deleted"))
            await person.start_over()
            assert [text.text for text in person.client.conversation("bob")] == ["to keep"]
            with pytest.raises(AccountStays):
                discard(person.client, handles.home("alice"))
        assert (handles.home("alice") / "client.db").exists()

    asyncio.run(play())


def test_settings_that_do_not_fit_remove_nothing(handles: Handles, tmp_path: Path) -> None:
    """Also where the identity is not registered yet: its words may be on paper, and the node may have the name."""
    handles.client("alice", online=False).close()
    other = usernym.Node.open(tmp_path / "other", mixnet=handles.mixnet.transport())
    with other:
        card = other.card(30.0)

    async def play() -> None:
        with pytest.raises(usernym.SettingsError, match="another node"):
            async with opened(handles.home("alice"), mixnet=NOWHERE, node=card):
                pass
        async with opened(handles.home("alice"), mixnet=NOWHERE) as person:
            assert person.stage is Stage.UNREGISTERED
            assert person.client.name == "alice"

    asyncio.run(play())


def stage_of(person: Person) -> Stage:
    """As it is now."""
    return person.stage


def test_a_beginning_that_fails_leaves_nothing_and_can_be_made_again(handles: Handles, tmp_path: Path) -> None:
    fails = [True]

    @contextlib.contextmanager
    def held(_client: usernym.Client) -> Iterator[None]:
        if fails.pop() if fails else False:
            raise OSError("no room")
        yield

    async def play() -> None:
        person = Person(HomeSettings(tmp_path / "new", node=handles.card, mixnet=NOWHERE), held)
        await person.begin()
        with pytest.raises(OSError, match="no room"):
            await person.create("alice", PASSPHRASE)
        assert stage_of(person) is Stage.NEW
        words = await person.create("alice", PASSPHRASE)
        assert len(words) == 12
        assert stage_of(person) is Stage.UNREGISTERED
        with pytest.raises(PageRefused, match="elsewhere"):
            await person.create("alice", PASSPHRASE)
        await person.start_over()
        assert stage_of(person) is Stage.NEW
        assert not (tmp_path / "new" / "client.db").exists()
        await person.close()

    asyncio.run(play())


def test_what_was_registered_meanwhile_is_not_started_over(handles: Handles) -> None:
    alice = handles.client("alice", online=False)

    async def play() -> None:
        async with holding(handles, alice) as person:
            person.stage = Stage.UNREGISTERED
            await person.run(alice.register)  # as by a command
            await person.start_over()
            assert (person.stage, person.client) == (Stage.READY, alice)
            assert alice.whoami().registered

    asyncio.run(play())


@pytest.mark.seconds
@pytest.mark.usefixtures("real_passphrases")
def test_an_end_while_the_home_is_being_opened_closes_it(handles: Handles) -> None:
    handles.client("alice", passphrase=PASSPHRASE).close()

    async def play() -> None:
        person = Person(HomeSettings(handles.home("alice"), mixnet=NOWHERE), lambda _: contextlib.nullcontext())
        await person.begin()
        opening = asyncio.create_task(person.unlock(PASSPHRASE))
        await asyncio.sleep(0.05)
        await person.close()
        await opening
        usernym.Client.open(handles.home("alice"), passphrase=PASSPHRASE).close()  # no one holds it any more

    asyncio.run(play())


@pytest.mark.seconds
def test_a_home_is_opened_with_the_witnesses_that_were_named(handles: Handles) -> None:
    handles.client("alice").close()

    async def play() -> None:
        async with opened(
            handles.home("alice"), mixnet=NOWHERE, witnesses=(WITNESS, WITNESS), witnesses_needed=1
        ) as person:
            assert person.stage is Stage.READY
            assert person.client.whoami().witnesses == usernym.WitnessesView(1, 1, None, None, None)

    asyncio.run(play())


def test_missing_signatures_are_warned_of_as_long_as_they_are_missing(handles: Handles) -> None:
    alice = handles.client("alice", online=False, witnesses=[WITNESS])
    alice._running.store.witnessed.note(SignaturesSeen(0, 5, 7, UNWITNESSED_S))

    async def play() -> None:
        async with holding(handles, alice) as person:
            await person.account_changed()
            warned = [person.unwitnessed_since]
            for since in (None, 9):
                person._tell(DirectoryUnwitnessed(since))
                warned.append(person.unwitnessed_since)
            assert warned == [7, None, 9]

    asyncio.run(play())
