"""A mailbox's shares: strangers take no room from friends, and no answer says whether the recipient was there."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.hostile import RawClient
from usernym.actors import messages as msg
from usernym.actors.forwarding import shares as module
from usernym.actors.forwarding.shares import KNOWN_MAX, LIMITS, Share, ShareLimits, Shares
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.protocol.limits import DAY_S, MAILBOX_S, SEEN_S
from usernym.protocol.payloads import SEALED_SIZES
from usernym.protocol.records import decode_record
from usernym.storage.client.types import Consent, DeliveryState
from usernym.storage.database import IN_MEMORY
from usernym.storage.errors import StoreFull
from usernym.storage.node.mailbox import Enqueued, Mailbox
from usernym.storage.node.store import NodeStore
from usernym.storage.node.workers import Report
from usernym.testing.world import World

SHORT = min(SEALED_SIZES)
SMALL = ShareLimits(newcomer=Share(3, 300), known=Share(6, 600), newcomers=Share(8, 800), all_known=Share(20, 2_000))


def shares(limits: ShareLimits = SMALL) -> Shares:
    """Shares of an empty store."""
    made = Shares(NodeStore.open(IN_MEMORY, synchronous="OFF").mailbox)
    made.limits = limits
    return made


def handed_in(of: Shares, sender: str, count: int, now: float = 0, size: int = 10) -> list[Code | None]:
    """The answers to so many messages of this sender to bob."""
    return [of.take(sender, "bob", size, now) for _ in range(count)]


# -- the rules, one by one --------------------------------------------------------------------------------------------


def test_a_newcomer_has_a_small_share_and_one_with_a_receipt_or_a_message_a_larger_one() -> None:
    of = shares()
    full = [Code.SENDER_SHARE_FULL]
    assert handed_in(of, "ann", 5) == [None, None, None, *full, *full]
    of.reported(Report("ann", "bob", 1, 10, receipt=True), 0)
    assert handed_in(of, "ann", 5) == [None] * 4 + full, "two of the three are not reported yet"
    assert of.take("bob", "cat", 10, 0) is None
    assert handed_in(of, "cat", 7) == [None] * 6 + full
    assert handed_in(of, "dan", 2, size=200) == [None, *full], "bytes count like messages"


def test_newcomers_together_take_no_room_from_the_known() -> None:
    of = shares()
    of.take("bob", "friend", 10, 0)
    for name in ("ann", "cat"):
        assert handed_in(of, name, 3) == [None] * 3
    assert handed_in(of, "dan", 3) == [None, None, Code.MAILBOX_FULL]
    assert handed_in(of, "eve", 1) == [Code.MAILBOX_FULL], "refused alike, one who is new and one who is not"
    assert handed_in(of, "friend", 6) == [None] * 6


@pytest.mark.parametrize("receipt", [True, False])
def test_another_newcomer_does_not_see_what_becomes_of_a_newcomers_messages(receipt: bool) -> None:
    of = shares()
    for name in ("ann", "cat", "dan"):
        handed_in(of, name, 3)
    assert handed_in(of, "eve", 1) == [Code.MAILBOX_FULL]
    for _ in range(3):
        of.reported(Report("ann", "bob", 1, 10, receipt=receipt), 0)
    assert handed_in(of, "eve", 1) == [Code.MAILBOX_FULL]


def test_no_notice_gives_a_newcomer_room_so_one_does_not_fill_the_part_of_all() -> None:
    of = shares()
    codes = []
    for _ in range(9):
        codes += handed_in(of, "ann", 1)
        of.reported(Report("ann", "bob", 1, 10, receipt=False), 0)
    assert codes == [None] * 3 + [Code.SENDER_SHARE_FULL] * 6
    assert handed_in(of, "eve", 1) == [None]


def test_a_full_share_is_empty_after_thirty_days() -> None:
    of = shares()
    handed_in(of, "ann", 3)
    assert handed_in(of, "ann", 1, now=MAILBOX_S / 3 - 60) == [Code.SENDER_SHARE_FULL]
    assert handed_in(of, "ann", 2, now=MAILBOX_S / 3 + 60) == [None, Code.SENDER_SHARE_FULL]
    assert handed_in(of, "ann", 4, now=3 * MAILBOX_S) == [None] * 3 + [Code.SENDER_SHARE_FULL]


def test_what_could_not_be_stored_does_not_count() -> None:
    of = shares()
    for _ in range(10):
        assert handed_in(of, "ann", 3) == [None] * 3
        of.undo(0)
    assert handed_in(of, "ann", 3) == [None] * 3
    of.keep()
    of.undo(0)
    assert handed_in(of, "ann", 1) == [Code.SENDER_SHARE_FULL]


def test_after_a_start_shares_begin_with_what_waits() -> None:
    store = NodeStore.open(IN_MEMORY, synchronous="OFF")

    def waits(sender: str, recipient: str, count: int) -> None:
        for number in range(count):
            message_id = sender.encode().ljust(8) + number.to_bytes(8, "big")
            store.mailbox.enqueue(
                sender=sender, recipient=recipient, message_id=message_id, blob=bytes(10), now=1, expires_at=9
            )

    waits("new", "bob", 2)
    waits("friend", "bob", 7)  # more than a newcomer can have had there
    waits("bob", "cat", 1)
    of = Shares(store.mailbox)
    of.limits = changed(SMALL, known=Share(10, 1_000))
    assert handed_in(of, "new", 2) == [None, Code.SENDER_SHARE_FULL]
    assert handed_in(of, "friend", 4) == [None] * 3 + [Code.SENDER_SHARE_FULL]
    assert handed_in(of, "cat", 11) == [None] * 10 + [Code.SENDER_SHARE_FULL]


def changed(limits: ShareLimits, **changes: Any) -> ShareLimits:
    """The limits with some changed."""
    return dataclasses.replace(limits, **changes)


@pytest.mark.seconds
def test_a_table_stays_small() -> None:
    of = shares(LIMITS)
    for number in range(20_000):
        of.take(f"n{number}", "bob", 1_400, number * 3_600.0)
        of.keep()
    table = of._tables["bob"]
    assert len(table.newcomers) <= 2 * LIMITS.newcomers.messages + 1
    for number in range(2 * KNOWN_MAX):
        table.know(f"k{number}", 0)
    assert len(table.known) == KNOWN_MAX


def test_of_people_who_were_there_once_little_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TABLES_MAX", 30)
    of = shares()
    for number in range(1_000):
        assert of.take(f"n{number}", f"r{number}", 10, number * 60.0) is None
        of.keep()
        assert len(of._tables) <= 30
        assert len(of._remembered) <= SEEN_S / 60 + 1
    now = 1_000 * 60.0
    codes = [of.take("n999", "r999", 10, now) for _ in range(3)]
    assert codes == [None, None, Code.SENDER_SHARE_FULL], "those in use are kept"


# -- whole worlds -----------------------------------------------------------------------------------------------------


def newcomer(world: World, name: str, seed: int) -> RawClient:
    client = RawClient(world, name, seed)
    assert isinstance(client.register(), m.Registered)
    client.log_in()
    return client


def give_surbs(client: RawClient) -> None:
    client.throw(client.encode(m.TopUp(60, client.name, client.login_id)), 60)
    client.world.settle(1)


def short(client: RawClient, to: str, **changes: Any) -> Any:
    """Hand in one packet of nothing; the answer's kind, and the code if it is a refusal."""
    number = decode_record(client.world.node.store.directory.account(to).record).hpke_number  # type: ignore[union-attr]
    world = client.world
    forward = m.Forward(
        client.new_id(), client.name, to, world.sim.random_bytes(16), world.sim.unix_s(), number, bytes(SHORT),
        bytes(64), None,
    )  # fmt: skip
    answer = client.hand_in(msgspec.structs.replace(forward, **changes))
    return Code(answer.code) if isinstance(answer, m.Refused) else type(answer)


def answers_to_a_blocked_sender(seed: int, moments: list[bool]) -> list[Any]:
    """What a sender whom bob has blocked is answered, hour by hour; `moments`: whether bob is online then."""
    with World(seed) as world:
        bob = world.client("bob", accept_strangers=False)
        mallory = newcomer(world, "mallory", 99)
        answers = [short(mallory, "bob")]
        world.settle(60)
        if bob.store.contacts.get("mallory") is not None:
            bob.store.contacts.set_consent("mallory", Consent.BLOCKED)
            bob.graph.forwarding.tell(msg.RequestsDecided())
        bob.kill()
        online = False
        for number in range(LIMITS.newcomer.messages + 3):
            if number % 20 == 0:
                give_surbs(mallory)
            answers.append(short(mallory, "bob"))
        for now_online in moments:
            if now_online and not online:
                bob.start()
                bob.connect()
            elif online and not now_online:
                bob.kill()
            online = now_online
            world.settle(3_600)
            give_surbs(mallory)
            answers += [short(mallory, "bob") for _ in range(2)]
        return answers


@pytest.mark.seconds
@examples(6)
@given(st.lists(st.booleans(), min_size=3, max_size=6).filter(any), st.integers(0, 9))
def test_no_answer_says_whether_the_recipient_was_there(moments: list[bool], seed: int) -> None:
    there = answers_to_a_blocked_sender(seed, moments)
    away = answers_to_a_blocked_sender(seed, [False] * len(moments))
    assert there == away
    assert set(there) == {m.Accepted, Code.SENDER_SHARE_FULL}


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("seals", [1, 2])
def test_one_message_again_and_again_does_not_show_whether_it_was_fetched(
    known: bool, seals: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by the same seal, when the node does not remember it any more, nor by others in its place."""
    monkeypatch.setattr("usernym.actors.forwarding.shares.LIMITS", dataclasses.replace(LIMITS, known=LIMITS.newcomer))

    def answers(*, online: bool) -> list[Any]:
        with World(17) as world:
            bob = world.client("bob", accept_strangers=False)
            mallory = newcomer(world, "mallory", 99)
            if known:
                bob.send("mallory", "hello")
                world.settle(30)
            else:
                short(mallory, "bob")
                world.settle(60)
            bob.store.contacts.set_consent("mallory", Consent.BLOCKED)
            bob.graph.forwarding.tell(msg.RequestsDecided())
            world.settle(5)
            if not online:
                bob.kill()
            given = []
            for number in range(LIMITS.newcomer.messages + 4):
                world.settle(SEEN_S + 60)
                give_surbs(mallory)
                given.append(short(mallory, "bob", message_id=bytes(16), sealed=bytes([number % seals]) * SHORT))
            assert bool(world.node.store.mailbox.waiting("bob", 1)) is not online
            return given

    there = answers(online=True)
    assert there == answers(online=False)
    assert set(there) == {m.Accepted, Code.SENDER_SHARE_FULL}


def test_a_stranger_who_seals_a_message_again_and_again_leaves_room_for_others() -> None:
    with World(13) as world:
        world.client("bob", online=False)
        mallory, other = newcomer(world, "mallory", 99), newcomer(world, "other", 98)
        answers = []
        for number in range(LIMITS.newcomer.messages + 5):
            if number % 20 == 0:
                give_surbs(mallory)
            answers.append(short(mallory, "bob", message_id=bytes(16), sealed=bytes([number]) * SHORT))
        assert answers == [m.Accepted] * LIMITS.newcomer.messages + [Code.SENDER_SHARE_FULL] * 5
        assert [count for _, count, _ in world.node.store.mailbox.waiting_by_sender("bob")] == [1]
        assert short(other, "bob") is m.Accepted


def what_waits(self: Shares, sender: str, recipient: str, size: int, now: float) -> Code | None:
    """The rule that once was there: a share is what waits, and so it shows when the recipient fetched it."""
    del size, now
    waiting = {name: count for name, count, _ in self._mailbox.waiting_by_sender(recipient)}
    return Code.SENDER_SHARE_FULL if waiting.get(sender, 0) >= self.limits.newcomer.messages else None


@pytest.mark.seconds
def test_the_rule_that_counted_what_waits_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shares, "take", what_waits)
    moments = [False, True, True]
    assert answers_to_a_blocked_sender(1, moments) != answers_to_a_blocked_sender(1, [False] * 3)


@pytest.mark.seconds
def test_many_strangers_do_not_fill_the_mailbox_of_an_absent_user_for_friends() -> None:
    with World(11) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "hi")
        bob.kill()
        refused: list[Any] = []
        for number in range(30):
            sybil = newcomer(world, f"sybil{'abcdefghjk'[number % 10]}{'xyz'[number // 10]}", 100 + number)
            for count in range(25):
                if count % 20 == 0:
                    give_surbs(sybil)
                answer = short(sybil, "bob")
                if answer is not m.Accepted:
                    refused.append(answer)
        waiting = world.node.store.mailbox.waiting_by_sender("bob")
        assert sum(count for _, count, _ in waiting) <= LIMITS.newcomers.messages
        assert set(refused) == {Code.SENDER_SHARE_FULL, Code.MAILBOX_FULL}
        texts = [alice.send("bob", f"text {number}") for number in range(50)]
        world.settle(60)
        assert all(alice.states(each) == [DeliveryState.ACCEPTED] for each in texts)
        bob.start()
        bob.connect()
        for each in texts:
            alice.wait_for_state(each, DeliveryState.DELIVERED, DAY_S)
        world.check()


def test_a_full_disk_costs_no_share(monkeypatch: pytest.MonkeyPatch) -> None:
    enqueue = Mailbox.enqueue

    def full(self: Mailbox, **row: Any) -> Enqueued:
        del self, row
        raise StoreFull("no room")

    with World(12) as world:
        world.client("bob", online=False)
        mallory = newcomer(world, "mallory", 99)
        monkeypatch.setattr(Mailbox, "enqueue", full)
        for _ in range(2):
            give_surbs(mallory)
            assert {short(mallory, "bob") for _ in range(LIMITS.newcomer.messages)} == {Code.BUSY}
        monkeypatch.setattr(Mailbox, "enqueue", enqueue)
        give_surbs(mallory)
        assert {short(mallory, "bob") for _ in range(LIMITS.newcomer.messages)} == {m.Accepted}
        assert short(mallory, "bob") is Code.SENDER_SHARE_FULL
