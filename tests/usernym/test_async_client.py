"""The client for asyncio: every method of the other, awaited; waiting and opening can be cancelled."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from pathlib import Path
from typing import Any, Final, cast

import pytest

import usernym
from tests.helpers.handles import PATIENCE_S, Handles

NOT_AWAITED = {"subscribe", "take_recovery_words"}


def methods(handle: type) -> dict[str, Any]:
    return {name: method for name, method in inspect.getmembers(handle, inspect.isfunction) if name[0] != "_"}


HANDLES: Final[tuple[tuple[type, type, str], ...]] = (
    (usernym.Client, usernym.AsyncClient, ""),
    (usernym.Transfers, usernym.AsyncTransfers, "files"),
    (usernym.Entries, usernym.AsyncEntries, "entries"),
    (usernym.ContactList, usernym.AsyncContactList, "contact_list"),
)
"""A handle, its twin, and where a client has it."""
METHODS: Final[dict[tuple[type, str], Any]] = {
    (twin, name): method for handle, twin, _ in HANDLES for name, method in methods(handle).items()
}
PASSED_ON = [(twin, name) for twin, name in METHODS if name not in {"close", "subscribe"}]


def test_the_list_of_methods_is_not_empty() -> None:
    assert {"register", "send", "subscribe", "contact", "add_link", "close"} <= methods(usernym.Client).keys()
    assert {"send", "page", "save"} <= methods(usernym.Transfers).keys()
    assert len(METHODS) > 45


@pytest.mark.parametrize(("twin", "name"), METHODS)
def test_every_method_has_its_awaited_twin(twin: type, name: str) -> None:
    awaited: Any = getattr(twin, name, None)
    assert awaited is not None, f"{twin.__name__} has no {name}"
    method = METHODS[twin, name]
    mine, theirs = inspect.signature(method), inspect.signature(awaited)
    assert list(theirs.parameters.values()) == list(mine.parameters.values())
    assert inspect.iscoroutinefunction(awaited) == (name not in NOT_AWAITED)
    if (twin, name) in PASSED_ON:
        assert awaited.__doc__ == method.__doc__
        assert theirs.return_annotation == mine.return_annotation


def test_it_has_every_handle_and_property() -> None:
    client, twin = usernym.Client(cast(Any, None)), usernym.AsyncClient("nowhere")
    handles = {attribute: type(value) for attribute, value in vars(client).items() if attribute[0] != "_"}
    assert handles == {attribute: handle for handle, _, attribute in HANDLES if attribute}
    assert {type(getattr(twin, attribute)) for attribute in handles} == {each for _, each, at in HANDLES if at}
    properties = {name for name, _ in inspect.getmembers(usernym.Client, lambda each: isinstance(each, property))}
    assert {name for name in properties if name[0] != "_"} == {"name"}
    assert isinstance(usernym.AsyncClient.name, property)


@pytest.mark.parametrize(("twin", "name"), PASSED_ON)
def test_a_twin_calls_its_own_and_hands_all_arguments_on(
    twin: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By running it on a client that only writes down how it was called."""
    called: list[Any] = []
    method = METHODS[twin, name]

    async def record(_self: object, function: Any, *arguments: Any, **keywords: Any) -> str:
        called.append((function, inspect.signature(function).bind(*arguments, **keywords).arguments))
        return "the result"

    def take(_: usernym.Client) -> str:
        called.append((method, {"self": recorder}))
        return "the result"

    monkeypatch.setattr(usernym.AsyncClient, "call", record)
    monkeypatch.setattr(usernym.Client, "take_recovery_words", take)
    client = usernym.AsyncClient("nowhere")
    client._client = usernym.Client(cast(Any, None))
    (attribute,) = (attribute for _, each, attribute in HANDLES if each is twin)
    recorder, mine = (getattr(each, attribute) if attribute else each for each in (client._client, client))
    given = {each: object() for each in inspect.signature(method).parameters if each != "self"}

    async def call() -> Any:
        result = getattr(mine, name)(**given)
        return await result if inspect.isawaitable(result) else result

    assert asyncio.run(call()) == "the result"
    assert called == [(method, {"self": recorder, **given})]


@pytest.mark.seconds
def test_a_story(handles: Handles) -> None:
    async def story() -> None:
        async with handles.coroutine("alice") as alice:
            assert alice.name == alice.client.name == "alice"
            assert len((alice.take_recovery_words() or "").split()) == 12
            assert alice.take_recovery_words() is None
            await alice.register(PATIENCE_S)
            assert (await alice.link()).startswith("usernym:alice/")
            bob = handles.client("bob")
            assert (await alice.add_link(bob.link(), PATIENCE_S)).trust == "verified"
            await alice.set_verified("bob", verified=False, identity_key=(await alice.contact("bob")).identity_key)
            assert (await alice.contact("bob")).trust == "confirmed by the node"
            assert await alice.call(lambda client: client.contact("bob").name, alice.client) == "bob"
            with pytest.raises(usernym.NoSuchContact, match="not among your contacts"):
                await alice.contact("nobody_here")
        await alice.close()  # once more is harmless
        for call in (alice.whoami(), alice.contact("bob")):
            with pytest.raises(usernym.Closed):
                await call

    asyncio.run(story())


def test_it_must_be_entered() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(usernym.AsyncClient("nowhere").whoami())
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(usernym.AsyncClient("nowhere").files.page())


@pytest.mark.seconds
@pytest.mark.timeout(120)
def test_waiting_for_events_may_be_cancelled_again_and_again(handles: Handles) -> None:
    """Each waiting once kept a thread of the pool: after sixteen of them every call hung, `close` included."""

    async def story() -> None:
        async with handles.coroutine("alice") as alice:
            abandoned = [alice.subscribe() for _ in range(20)]
            waiting = [asyncio.create_task(anext(events)) for events in abandoned]
            for _ in range(20):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(alice.subscribe()), 0.01)
            assert (await asyncio.wait_for(alice.whoami(), 10)).name == "alice"
            assert not [task for task in waiting if task.done()]
            threads = [thread for thread in threading.enumerate() if thread.name.startswith("usernym_")]
            assert len(threads) < 5, "waiting takes no thread"
        for task in waiting:
            with pytest.raises(StopAsyncIteration):
                await asyncio.wait_for(task, 10)

    asyncio.run(asyncio.wait_for(story(), 60))


@pytest.mark.seconds
def test_a_cancelled_wait_loses_no_event(handles: Handles) -> None:
    async def story() -> list[str]:
        found: list[str] = []
        async with handles.coroutine("bob") as bob, bob.subscribe() as events:
            await bob.register(PATIENCE_S)
            await bob.go_online(PATIENCE_S)
            alice = handles.client("alice")
            sending = bob.call(lambda: [alice.send("bob", str(number), wait="delivered") for number in range(9)])
            task = asyncio.create_task(sending)
            while len(found) < 9:
                try:
                    event = await asyncio.wait_for(events.next(), 0.001)
                except TimeoutError:
                    continue
                if isinstance(event, usernym.MessageArrived):
                    found.append(event.text)
            await task
        assert events.ended
        assert await events.next() is None
        return found

    assert asyncio.run(story()) == [str(number) for number in range(9)]


@pytest.mark.seconds
@pytest.mark.usefixtures("real_passphrases")
@pytest.mark.parametrize(
    "after_s", [0.0, 0.05, *(pytest.param(after_s, marks=pytest.mark.seconds) for after_s in (0.001, 0.02, 0.2))]
)
def test_an_opening_that_is_cancelled_gives_the_home_back(handles: Handles, after_s: float) -> None:
    """The thread opened it anyway, and the home stayed in use until the process was killed."""
    handles.client("alice", online=False, passphrase="correct horse").close()

    async def story() -> None:
        def alice() -> usernym.AsyncClient:
            return handles.coroutine("alice", passphrase="correct horse")

        opening = asyncio.create_task(alice().__aenter__())
        await asyncio.sleep(after_s)
        opening.cancel()
        try:
            opened = await opening
        except asyncio.CancelledError:
            pass
        else:
            await opened.close()
        async with alice() as again:
            assert again.name == "alice"

    asyncio.run(story())


@pytest.mark.seconds
def test_an_opening_that_asks_the_node_is_cancelled_at_once(handles: Handles, some_card: str) -> None:
    """No node answers: it would wait for it as long as `Restore.timeout` says."""
    words = handles.client("alice", online=False).take_recovery_words()
    assert words is not None

    def again(**more: Any) -> usernym.AsyncClient:
        mixnet = handles.mixnet.transport()
        return usernym.AsyncClient(handles.home("again"), name="alice", mixnet=mixnet, unprotected=True, **more)

    async def story() -> float:
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0), again(node=some_card, restore=usernym.Restore(words, timeout=600.0)):
                raise AssertionError("no node answers")
        took = time.monotonic() - begun
        async with again(node=handles.card):  # the home is free
            return took

    assert asyncio.run(story()) < 30


def test_closing_is_done_even_if_it_is_cancelled(handles: Handles) -> None:
    async def story() -> None:
        alice = handles.coroutine("alice")
        await alice.__aenter__()
        closing = asyncio.create_task(alice.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        async with handles.coroutine("alice") as again:
            assert again.name == "alice"

    asyncio.run(story())


def test_what_is_mistyped_is_refused(tmp_path: Path) -> None:
    options: Any = {"nmae": "alice"}

    async def story() -> None:
        async with usernym.AsyncClient(tmp_path / "new", **options):
            pass

    with pytest.raises(TypeError, match="nmae"):
        asyncio.run(story())
    with pytest.raises(TypeError, match="nmae"):
        usernym.Client.open(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()
