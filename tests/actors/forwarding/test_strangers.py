"""A request is accepted, declined, blocked or left alone; nothing that travels tells the stranger which."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.hostile import Wiretap
from usernym.actors import messages as msg
from usernym.actors.events import ContactChanged, HandshakeChanged
from usernym.protocol import messages as m
from usernym.protocol.codec import decode
from usernym.storage.client.types import Consent, DeliveryState, HandshakeState
from usernym.testing.world import World

Frames = list[tuple[float, int, str, int, int | None]]


class Stamped(list[Any]):
    """A list that notes when each of its items came."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.times: list[float] = []
        self._now = world.sim.now

    def append(self, item: Any) -> None:
        self.times.append(self._now())
        super().append(item)


def acknowledge_in(data: bytes) -> m.Acknowledge:
    message = decode(data).message
    assert isinstance(message, m.Acknowledge)
    return message


def what_travels(decision: Consent | None, seed: int, *, direct_offer: bool = False) -> tuple[Frames, list[Any]]:
    """All frames of bob and the node after bob's decision: when, whose, what, how long, with how many SURBs; and what
    alice saw."""
    world = World(seed)
    tap = Wiretap(world)
    tap.sent, tap.replies = Stamped(world), Stamped(world)
    alice, bob = world.client("alice"), world.client("bob", accept_strangers=False)
    alice.send_and_wait("bob", "may I?", DeliveryState.ACCEPTED)
    world.settle(30)
    sent, replies, told = len(tap.sent), len(tap.replies), len(alice.events)
    if decision is not None:
        bob.store.contacts.set_consent("alice", decision)
    # At once, while bob is away, and after a restart of his: each way in which a message comes.
    alice.send_and_wait("bob", "hello?", DeliveryState.ACCEPTED)
    if direct_offer:
        alice.offer("bob")
    world.settle(100)
    bob.kill()
    alice.send_and_wait("bob", "x" * 5000, DeliveryState.ACCEPTED)
    world.settle(30)
    bob.start()
    bob.go_online()
    world.settle(200)
    world.check()
    frames: Frames = []
    for at, one in zip(tap.sent.times[sent:], tap.sent[sent:], strict=True):
        frames.append((at, one.client, type(decode(one.data).message).__name__, len(one.data), one.surbs))
    for at, (client, _tag, data) in zip(tap.replies.times[replies:], tap.replies[replies:], strict=True):
        frames.append((at, client, type(decode(data).message).__name__, len(data), None))
    acknowledged = [
        (each.message_id, each.token)
        for data in tap.of(bob.client_number, m.Acknowledge)
        for each in acknowledge_in(data).messages
    ]
    assert len({message_id for message_id, _ in acknowledged}) == 3 + direct_offer, "all were acknowledged"
    assert all(token is None for _, token in acknowledged), "and none was proved"
    assert not world.node.store.mailbox.waiting("bob", 1)
    return frames, alice.events[told:]


@pytest.mark.parametrize("direct_offer", [False, True])
def test_nothing_that_travels_tells_a_stranger_what_was_decided(direct_offer: bool) -> None:
    """The same world, by the same seed: a decision changes no frame's sender, kind, size or SURBs, nor their order."""
    left_alone = what_travels(None, 3, direct_offer=direct_offer)
    assert len(left_alone[0]) > 20
    for decision in (Consent.DECLINED, Consent.BLOCKED):
        assert what_travels(decision, 3, direct_offer=direct_offer) == left_alone, decision.name


def test_that_comparison_sees_a_difference() -> None:
    with pytest.raises(AssertionError, match="none was proved"):
        what_travels(Consent.ACCEPTED, 3)


def test_accepting_sends_nothing_and_whoever_answers_accepts() -> None:
    world = World()
    tap = Wiretap(world)
    alice, bob = world.client("alice"), world.client("bob", accept_strangers=False)
    alice.send_and_wait("bob", "may I?", DeliveryState.ACCEPTED)
    world.settle(30)
    before = len(tap.of(bob.client_number))
    bob.store.contacts.set_consent("alice", Consent.ACCEPTED)
    world.settle(20)
    assert len(tap.of(bob.client_number)) == before
    bob.store.contacts.set_consent("alice", Consent.PENDING)
    bob.send_and_wait("alice", "you may")
    assert bob.contact("alice").consent is Consent.ACCEPTED
    assert bob.of_kind(ContactChanged) == [ContactChanged("alice", Consent.ACCEPTED)]
    world.check()


def test_an_offer_that_came_while_its_sender_was_declined_is_there_after_all() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob", accept_strangers=False)
    alice.send_and_wait("bob", "may I?", DeliveryState.ACCEPTED)
    world.settle(30)
    bob.store.contacts.set_consent("alice", Consent.DECLINED)
    alice.offer("bob")
    world.settle(30)
    assert not bob.of_kind(HandshakeChanged)
    bob.store.contacts.set_consent("alice", Consent.ACCEPTED)
    (offer,) = bob.store.messages.unshown(9, msg.HANDSHAKE_KINDS)
    bob.graph.handshake.tell(msg.HandshakeArrived("alice", offer.message_id))  # as `Client.accept` does
    world.settle(1)
    assert bob.of_kind(HandshakeChanged) == [HandshakeChanged("alice", HandshakeState.OFFER_RECEIVED)]
    world.check()
