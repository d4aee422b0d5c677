"""Direct routes: consent, silence, falling back, and waiting where the user chose that."""

from __future__ import annotations

import pytest

from tests.helpers.hostile import Wiretap
from usernym.actors.events import DirectSilent, HandshakeChanged, MessageArrived
from usernym.actors.failures import HandshakeNotPossible
from usernym.actors.messages import HANDSHAKE_KINDS
from usernym.protocol import messages as m
from usernym.protocol.limits import DAY_S
from usernym.protocol.records import decode_record
from usernym.storage.client.types import (
    Consent,
    DeliveryState,
    Direction,
    Fallback,
    HandshakeState,
    HandshakeStep,
    Route,
)
from usernym.testing.world import SimClient, World


def direct_pair(seed: int = 0) -> tuple[World, SimClient, SimClient]:
    """Two who talk directly."""
    world = World(seed)
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "first")
    alice.offer("bob")
    world.sim.run_until(lambda: HandshakeChanged("alice", HandshakeState.OFFER_RECEIVED) in bob.events)
    bob.accept("alice")
    world.sim.run_until(lambda: HandshakeChanged("bob", HandshakeState.ACTIVE) in alice.events)
    world.settle(30)
    return world, alice, bob


def test_messages_fall_back_to_the_node_when_the_direct_way_is_silent_and_the_user_is_told() -> None:
    world, alice, bob = direct_pair()
    world.mixnet.offline(bob.client_number)
    message_id = alice.send("bob", "are you there?")
    world.sim.run_until(lambda: DirectSilent("bob", True, True) in alice.events, 300)
    alice.wait_for_state(message_id, DeliveryState.ACCEPTED)
    world.mixnet.online(bob.client_number)
    bob.go_online()
    alice.wait_for_state(message_id, DeliveryState.DELIVERED)
    world.settle(60)
    assert bob.texts() == ["first", "are you there?"], "shown once, though it came by both ways"
    bob.send_and_wait("alice", "back again")
    world.sim.run_until(lambda: DirectSilent("bob", False, True) in alice.events)
    alice.send_and_wait("bob", "directly")
    assert bob.of_kind(MessageArrived)[-1].route is Route.DIRECT
    world.check()


def test_direct_only_keeps_waiting() -> None:
    world, alice, bob = direct_pair()
    alice.store.contacts.set_fallback("bob", Fallback.DIRECT_ONLY)
    world.mixnet.offline(bob.client_number)
    forwards = world.node.counters()["forwarding"]["forwards"]
    message_id = alice.send("bob", "only directly")
    world.sim.run_until(lambda: DirectSilent("bob", True, False) in alice.events, 300)
    world.settle(1800)
    assert world.node.counters()["forwarding"]["forwards"] == forwards
    assert alice.states(message_id) == []
    world.mixnet.online(bob.client_number)
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 900)
    assert bob.texts()[-1] == "only directly"
    assert world.node.counters()["forwarding"]["forwards"] == forwards
    world.check()


@pytest.mark.parametrize("consent", [Consent.BLOCKED, Consent.DECLINED])
@pytest.mark.parametrize("fallback", list(Fallback))
def test_to_whom_the_user_does_not_want_to_hear_from_nothing_goes_directly(
    consent: Consent, fallback: Fallback
) -> None:
    """Receipts of theirs are not taken: each text would be sent again forever, and show that the user is there."""
    world, alice, bob = direct_pair()
    tap = Wiretap(world)
    alice.store.contacts.set_fallback("bob", fallback)
    alice.store.contacts.set_consent("bob", consent)
    message_id = alice.send("bob", "goodbye")
    world.settle(1800)
    assert not tap.of(alice.client_number, m.Direct)
    through_node = [DeliveryState.ACCEPTED, DeliveryState.DELIVERED] if fallback is Fallback.NODE else []
    assert alice.states(message_id) == through_node
    alice.store.contacts.set_consent("bob", Consent.ACCEPTED)
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 900)
    assert bob.texts()[-1] == "goodbye"
    world.check()


@pytest.mark.seconds
def test_a_key_that_changed_travels_with_a_direct_message() -> None:
    world, alice, bob = direct_pair()
    for client in (alice, bob):
        client.kill()
    world.sim.run_for(8 * DAY_S)
    for client in (alice, bob):
        client.start()
        client.go_online()
    world.settle(60)
    assert decode_record(bob.store.profile.identity().record).hpke_number == 2
    lookups = world.node.counters()["lookup"]
    bob.send_and_wait("alice", "with my new key")
    assert alice.contact("bob").record_for(Route.DIRECT).hpke_number == 2
    message_id = alice.send_and_wait("bob", "sealed to it")
    sent = alice.store.messages.get("bob", message_id)
    assert sent is not None
    assert world.node.counters()["lookup"] == lookups
    world.check()


def test_both_offering_at_once_is_agreement() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    alice.offer("bob")
    bob.offer("alice")
    world.settle(60)
    for one, other in ((alice, bob), (bob, alice)):
        one.send_and_wait(other.name, "directly")
        assert other.of_kind(MessageArrived)[-1].route is Route.DIRECT
    world.check()


def test_declining_reveals_nothing() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    alice.offer("bob")
    world.sim.run_until(lambda: HandshakeChanged("alice", HandshakeState.OFFER_RECEIVED) in bob.events)
    bob.revoke("alice")
    world.sim.run_until(lambda: HandshakeChanged("bob", HandshakeState.ENDED_BY_PEER) in alice.events)
    assert alice.contact("bob").peer_address is None
    assert not any(
        row.direction is Direction.OUT and HandshakeStep.from_body(0, row.body).address
        for row in bob.store.messages.last_of_kinds("alice", HANDSHAKE_KINDS)
    ), "it revealed no address"
    world.check()


def test_steps_that_make_no_sense_are_refused() -> None:
    world = World()
    alice, _ = world.client("alice"), world.client("bob")
    with pytest.raises(HandshakeNotPossible, match="look the person up"):
        alice.offer("bob")
    alice.look_up("bob")
    with pytest.raises(HandshakeNotPossible, match="no offer"):
        alice.accept("bob")
    with pytest.raises(HandshakeNotPossible, match="no handshake to end"):
        alice.revoke("bob")
    world.check()
