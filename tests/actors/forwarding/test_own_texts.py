"""Texts after their user's own commands: tried again, erased after a time. Simulated, by a virtual clock."""

from __future__ import annotations

from typing import Any

import pytest

from usernym.actors import messages as msg
from usernym.actors.events import TextsErased
from usernym.actors.failures import RetryNotPossible
from usernym.actors.forwarding.user_texts import ERASED_AT_ONCE_MAX
from usernym.actors.sound_clock import CLOCK_SETTLES_S
from usernym.protocol.errors import Code
from usernym.protocol.limits import DAY_S
from usernym.storage.client.contacts import Contacts
from usernym.storage.client.history import ConversationHistory
from usernym.storage.client.types import DeliveryState, Direction, Route, Trust
from usernym.storage.errors import StoreFull
from usernym.testing.loop import Bounds, replay_text, search
from usernym.testing.world import SimClient, World

HOUR_S = 3600
SOON_S = 30
"""By then what is due was looked for."""


def stored(client: SimClient, name: str) -> list[str]:
    """The texts that this home still has, by either side."""
    rows = client.store.history.of_kind(name, msg.PayloadKind.TEXT, 10_000)
    return [row.body.decode() for row in rows]


def retry(client: SimClient, name: str, message_id: bytes) -> bytes:
    new: bytes = client.do(client.graph.forwarding, lambda answer: msg.RetryText(name, message_id, answer))
    return new


def erased(client: SimClient) -> int:
    return sum(event.count for event in client.of_kind(TextsErased))


# -- disappearing -----------------------------------------------------------------------------------------------------


def test_texts_go_after_their_time_on_one_side_only_and_leave_no_gap() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "one")
    bob.send_and_wait("alice", "two")
    bob.store.contacts.set_disappearing("alice", HOUR_S)
    bob.mark_read(bob.unread())
    alice.mark_read(alice.unread())
    world.settle(HOUR_S - SOON_S - 30)
    assert stored(bob, "alice") == ["one", "two"]
    world.settle(2 * SOON_S + 60)
    assert stored(bob, "alice") == []
    assert erased(bob) == 2
    assert stored(alice, "bob") == ["one", "two"], "the contact's copy is the contact's"
    alice.send_and_wait("bob", "three")
    assert bob.store.gaps.of("alice").ranges == []
    assert bob.texts() == ["one", "three"], "nothing is shown again"
    world.check()


@pytest.mark.seconds
def test_what_was_not_shown_and_what_is_not_decided_stays() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    bob.send_and_wait("alice", "unread")
    alice.store.contacts.set_disappearing("bob", HOUR_S)
    bob.kill()
    accepted = alice.send_and_wait("bob", "accepted", DeliveryState.ACCEPTED)
    world.mixnet.offline(alice.client_number)
    world.settle(150)
    waiting = alice.send("bob", "waiting")
    world.settle(2 * HOUR_S)
    assert stored(alice, "bob") == ["unread", "accepted", "waiting"], "the delivered one is gone"
    assert alice.store.messages.outbox_row(waiting) is not None
    alice.restart()
    alice.go_online()
    bob.start()
    bob.go_online()
    for message_id in (accepted, waiting):
        alice.wait_for_state(message_id, DeliveryState.DELIVERED, 1200)
    world.settle(SOON_S)
    assert stored(alice, "bob") == ["unread"]
    shown_at = world.sim.unix_s()
    alice.store.messages.mark_shown([row.id for row in alice.unread()], shown_at)
    world.settle(HOUR_S - SOON_S)
    assert stored(alice, "bob") == ["unread"], "its time began when it was shown"
    world.settle(2 * SOON_S)
    assert stored(alice, "bob") == []
    assert sorted(bob.texts("alice")) == ["accepted", "hello", "waiting"]
    world.check()


def test_what_is_due_goes_when_the_client_starts() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    alice.store.contacts.set_disappearing("bob", HOUR_S)
    alice.kill()
    world.settle(2 * HOUR_S)
    assert stored(alice, "bob") == ["hello"]
    alice.start()
    world.settle(1)
    assert stored(alice, "bob") == []
    assert bob.texts() == ["hello"]


@pytest.mark.seconds
def test_a_clock_put_back_keeps_texts_and_one_put_on_for_a_moment_costs_none() -> None:
    world = World()
    alice, _ = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    alice.store.contacts.set_disappearing("bob", HOUR_S)
    alice.runtime.clock_error_s = -10 * DAY_S
    world.settle(2 * HOUR_S)
    assert stored(alice, "bob") == ["hello"], "by the clock its time is not over"
    alice.runtime.clock_error_s = 400 * DAY_S
    world.settle(CLOCK_SETTLES_S - SOON_S)
    assert stored(alice, "bob") == ["hello"]
    alice.runtime.clock_error_s = -10 * DAY_S
    world.settle(2 * HOUR_S)
    assert stored(alice, "bob") == ["hello"]
    alice.runtime.clock_error_s = 0
    world.settle(CLOCK_SETTLES_S + SOON_S)
    assert stored(alice, "bob") == []


def test_a_long_conversation_goes_in_parts() -> None:
    world = World()
    alice, _ = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    count = ERASED_AT_ONCE_MAX + 10
    with alice.store.transaction():
        for number in range(count):
            alice.store.messages.add_incoming(
                contact="bob", message_id=b"%016d" % number, key_number=1, counter=number + 1,
                kind=msg.PayloadKind.TEXT, body=b"text", token=None, sent_at=1, now=world.sim.unix_s(),
                route=Route.NODE,
            )  # fmt: skip
    while unread := alice.unread():
        alice.mark_read(unread)
    alice.store.contacts.set_disappearing("bob", 60)
    world.settle(60 + 3 * SOON_S)
    assert stored(alice, "bob") == []
    assert [event.count for event in alice.of_kind(TextsErased)] == [ERASED_AT_ONCE_MAX, 10]


# -- trying again -----------------------------------------------------------------------------------------------------


def test_a_text_that_failed_is_written_anew_and_the_old_one_is_gone() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    message_ids = []
    for state in (DeliveryState.CANCELLED, DeliveryState.EXPIRED, DeliveryState.REFUSED):
        world.mixnet.offline(alice.client_number)
        message_ids.append(alice.send("bob", state.name))
        alice.store.messages.advance("bob", message_ids[-1], state)
    world.settle(150)
    new = [retry(alice, "bob", message_id) for message_id in message_ids]
    assert len({*new, *message_ids}) == 6
    assert stored(alice, "bob") == ["hello", "CANCELLED", "EXPIRED", "REFUSED"]
    assert [alice.store.messages.get("bob", message_id) for message_id in message_ids] == [None] * 3
    assert all(alice.states(message_id) == [DeliveryState.WAITING] for message_id in new)
    alice.restart()
    alice.go_online()
    for message_id in new:
        alice.wait_for_state(message_id, DeliveryState.DELIVERED, 1200)
    assert sorted(bob.texts()) == ["CANCELLED", "EXPIRED", "REFUSED", "hello"]
    with pytest.raises(RetryNotPossible, match="delivered"):
        retry(alice, "bob", new[0])
    with pytest.raises(RetryNotPossible, match="no such text"):
        retry(alice, "bob", message_ids[0])
    world.check()


def test_what_waits_is_tried_at_once() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    alice.store.contacts.set_trust("bob", Trust.CHANGED)
    message_id = alice.send("bob", "now")
    alice.store.messages.postpone(message_id, 4, world.sim.unix_s() + 800)
    alice.store.messages.set_reason("bob", message_id, Code.MAILBOX_FULL)
    alice.store.contacts.set_trust("bob", Trust.CONFIRMED)
    world.settle(300)
    assert bob.texts() == ["hello"], "its pause is not over"
    assert retry(alice, "bob", message_id) == message_id
    row = alice.store.messages.get("bob", message_id)
    assert row is not None
    assert row.reason is None, "why it waited before is no news any more"
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 30)
    assert bob.texts() == ["hello", "now"]
    world.check()


def test_others_are_refused() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    bob.send_and_wait("alice", "theirs")
    bob.kill()
    accepted = alice.send_and_wait("bob", "accepted", DeliveryState.ACCEPTED)
    theirs = next(row for row in alice.store.messages.conversation("bob", 9) if row.direction is Direction.IN)
    alice.offer("bob")
    offer = next(
        row for row in alice.store.messages.conversation("bob", 9) if row.kind == msg.PayloadKind.HANDSHAKE_OFFER
    )
    for message_id in (accepted, theirs.message_id, offer.message_id, bytes(16)):
        with pytest.raises(RetryNotPossible):
            retry(alice, "bob", message_id)
    with pytest.raises(RetryNotPossible):
        retry(alice, "carol", accepted)


def test_a_disk_that_fails_between_the_two_leaves_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    world.mixnet.offline(alice.client_number)
    message_id = alice.send("bob", "again")
    alice.store.messages.advance("bob", message_id, DeliveryState.CANCELLED)

    def full(*_: object) -> int:
        raise StoreFull("no room")

    with monkeypatch.context() as patched:
        patched.setattr(ConversationHistory, "erase", full)
        with pytest.raises(StoreFull):
            retry(alice, "bob", message_id)
    assert stored(alice, "bob") == ["hello", "again"]
    assert alice.store.messages.outbox_of("bob") == []
    alice.restart()
    alice.go_online()
    world.settle(300)
    assert bob.texts() == ["hello"]
    alice.wait_for_state(retry(alice, "bob", message_id), DeliveryState.DELIVERED)
    assert bob.texts() == ["hello", "again"]


# -- among disasters --------------------------------------------------------------------------------------------------


@pytest.mark.seconds
def test_nothing_is_lost_or_shown_twice_where_texts_disappear(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crashes at every commit, lossy mixnets, clocks that jump: the oracle's promises hold with erasing at work."""
    add, erase_old, erased = Contacts.add, ConversationHistory.erase_old, []

    def add_and_set(self: Contacts, name: str, *rest: Any, **more: Any) -> bool:
        added = add(self, name, *rest, **more)
        self.set_disappearing(name, 60)
        return added

    def erase_and_count(self: ConversationHistory, *arguments: Any) -> int:
        erased.append(erase_old(self, *arguments))
        return erased[-1]

    monkeypatch.setattr(Contacts, "add", add_and_set)
    monkeypatch.setattr(ConversationHistory, "erase_old", erase_and_count)
    summary = search(Bounds(scenarios=20))
    assert not summary.failures, (summary.failures[0].wrong, replay_text(summary.failures[0].plan))
    assert sum(erased) > 20
