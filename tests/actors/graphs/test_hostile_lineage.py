"""What earlier systems of this kind got wrong, one test for each defect that can be shown with whole graphs.

Others are shown where they belong: nonces signed bare in `test_hostile_node`, replays that move a route in
`test_hostile_frames`, unchecked senders in `test_hostile_peer`, names and unanswered challenges in
`test_hostile_registration`, packets in `test_packets`, keys at rest with the stores.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.helpers.hostile import HostileWorld, RawClient, Wiretap, message_of, total
from usernym.actors.events import DirectSilent, MessageArrived, NodeCaught
from usernym.actors.forwarding.outbox import DIRECT_AGAIN_S
from usernym.actors.registration.newcomers import RECENT_S, REGISTRATIONS_PER_BIT
from usernym.mixnet.emulator.state import Faults
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.errors import Code
from usernym.protocol.limits import DAY_S, MAILBOX_S
from usernym.protocol.safety import safety_number
from usernym.storage.client.types import DeliveryState, Route
from usernym.testing.world import World


def test_first_contact_does_not_trust_the_key_that_comes_with_the_message() -> None:
    world = HostileWorld()
    alice, _ = world.client("alice"), world.client("bob")
    forger = RawClient(world, "bob", 1)
    text = p.pad_payload(p.Text(1, 1, bytes(16), None, None, "trust me"), first_contact=True)
    forward = forger.forward("alice", world.scripted.records["alice"], text)
    world.scripted.tell(
        "alice",
        m.Deliver(
            bytes(16), 1, "bob", forward.message_id, 1, forward.sealed, forward.inner_signature, forger.key.public
        ),
    )
    world.settle(10)
    assert not alice.of_kind(MessageArrived)
    assert alice.store.contacts.get("bob") is None, "nothing proves that bob has written"
    assert alice.look_up("bob").identity_key == world.clients["bob"].user.key.public, "from alice's own lookup"
    world.check()


def test_both_sides_compute_one_safety_number_with_an_honest_node() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    seen = [
        safety_number(me.user.node, (me.name, me.user.key.public), (other.name, me.look_up(other.name).identity_key))
        for me, other in ((alice, bob), (bob, alice))
    ]
    assert seen[0] == seen[1]


def test_limits_are_not_renewed_with_a_sender_tag() -> None:
    world = World()
    for number in range(REGISTRATIONS_PER_BIT):
        client = RawClient(world, f"name_{number}", number + 1)
        assert isinstance(client.register(), m.Registered)
    late = RawClient(world, "one_more", 200)
    challenge = late.challenge()
    assert challenge.difficulty == 2, "one bit more, for a mixnet client that was never seen before"
    assert isinstance(late.ask(late.proof(challenge)), m.Registered)
    world.sim.run_for(2 * RECENT_S)
    assert late.challenge().difficulty == 1
    world.check()


def test_what_was_handed_to_the_mixnet_is_not_called_delivered() -> None:
    world = World()
    tap = Wiretap(world)
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    world.mixnet.faults = Faults(silent_loss=1.0)
    message_id = alice.send("bob", "into the void")
    world.settle(30)
    assert tap.of(alice.client_number, m.Forward)
    assert alice.states(message_id) == []
    world.mixnet.faults = Faults()
    alice.wait_for_state(message_id, DeliveryState.ACCEPTED, 900)
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 900)
    assert bob.texts() == ["into the void"]
    world.check()


@pytest.mark.parametrize("lost", [m.Deliver, m.Delivered, m.Accepted])
def test_nothing_is_deleted_before_it_was_acknowledged(lost: type[Any]) -> None:
    world = World()
    tap = Wiretap(world)
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    world.settle(70)
    tap.replies.clear()
    message_id = alice.send("bob", "once")
    mixnet: Any = world.mixnet
    reply = mixnet.reply

    def lose_the_first(client: int, tag: bytes, data: bytes) -> None:
        if isinstance(message_of(data), lost):
            mixnet.reply = reply
        else:
            reply(client, tag, data)

    mixnet.reply = lose_the_first
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 900)
    world.settle(600)
    assert mixnet.reply is reply, "one was lost"
    assert bob.texts() == ["once"]
    assert not world.node.store.mailbox.waiting("bob", 1)
    assert world.node.store.counts().notices == 0
    world.check()


def test_an_acknowledgement_that_is_lost_costs_nobody_a_second_showing() -> None:
    world = World()
    tap = Wiretap(world)
    alice, bob = world.client("alice"), world.client("bob")
    message_id = alice.send("bob", "once")
    world.sim.run_until(lambda: bob.texts() == ["once"])
    tap.cut.add(bob.client_number)
    world.settle(10)
    assert tap.of(bob.client_number, m.Acknowledge)
    assert len(world.node.store.mailbox.waiting("bob", 9)) == 1
    tap.cut.clear()
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 900)
    assert bob.texts() == ["once"]
    assert total(world.node.counters(), "deliveries") >= 2
    world.check()


def test_what_nobody_fetches_is_swept_and_its_sender_reads_so_a_day_later() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob", online=False)
    message_id = alice.send_and_wait("bob", "for nobody", DeliveryState.ACCEPTED)
    world.settle(900)
    world.sim.clock_error_s += MAILBOX_S - DAY_S
    world.settle(900)
    assert len(world.node.store.mailbox.waiting("bob", 9)) == 1
    world.sim.clock_error_s += DAY_S
    world.sim.run_until(lambda: not world.node.store.mailbox.waiting("bob", 1), 1200)
    assert alice.states(message_id) == [DeliveryState.ACCEPTED]
    world.sim.clock_error_s += DAY_S
    world.sim.run_until(lambda: DeliveryState.EXPIRED in alice.states(message_id), 1200)
    bob.go_online()
    world.settle(60)
    assert bob.texts() == []
    assert not alice.of_kind(NodeCaught)
    world.check()


def test_surbs_that_die_at_a_key_rotation_stop_nothing_for_long() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "before")
    world.mixnet.rotate_keys()
    message_id = alice.send("bob", "after")
    bob.send("alice", "after, too")
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 300)
    world.settle(300)
    assert bob.texts() == ["before", "after"]
    assert alice.texts() == ["after, too"]
    world.check()


def test_a_sign_up_that_failed_half_way_does_not_burn_the_name() -> None:
    world = World()
    tap = Wiretap(world)
    alice = world.client("alice", register=False, online=False)
    mixnet: Any = world.mixnet
    reply = mixnet.reply

    def lose_registered(client: int, tag: bytes, data: bytes) -> None:
        if not isinstance(message_of(data), m.Registered):
            reply(client, tag, data)

    mixnet.reply = lose_registered
    with pytest.raises(Exception, match="no answer"):
        alice.register()
    assert tap.of(alice.client_number, m.RegisterProof)
    assert world.node.store.directory.account("alice") is not None
    mixnet.reply = reply
    alice.restart()
    alice.register()
    alice.go_online()
    world.check()


@pytest.mark.seconds
def test_a_message_that_waits_for_the_node_holds_up_no_direct_one() -> None:
    world = World()
    alice, bob, _ = world.client("alice"), world.client("bob"), world.client("carol")
    alice.look_up("carol")
    alice.send_and_wait("bob", "hello")
    alice.offer("bob")
    world.settle(10)
    bob.accept("alice")
    world.settle(60)
    world.mixnet.offline(world.node.client_number)
    for number in range(40):
        alice.send("carol", f"waiting {number}")
    world.settle(300)
    alice.send_and_wait("bob", "without the node")
    assert bob.texts()[-1] == "without the node"
    world.mixnet.online(world.node.client_number)
    carol = world.clients["carol"]
    world.sim.run_until(lambda: len(carol.texts()) == 40, 3600)
    world.check()


def test_a_direct_way_that_both_gave_up_comes_back() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    alice.offer("bob")
    world.settle(10)
    bob.accept("alice")
    world.settle(60)
    world.mixnet.faults = Faults(silent_loss=1.0)
    texts = [alice.send("bob", "one"), bob.send("alice", "two")]
    world.settle(300)
    world.mixnet.faults = Faults()
    for client, message_id in zip((alice, bob), texts, strict=True):
        assert [event.silent for event in client.of_kind(DirectSilent)] == [True]
        client.wait_for_state(message_id, DeliveryState.DELIVERED, 900)
    assert bob.of_kind(MessageArrived)[-1].route is Route.NODE
    world.sim.run_for(DIRECT_AGAIN_S)
    alice.send_and_wait("bob", "again")
    assert bob.of_kind(MessageArrived)[-1].route is Route.DIRECT
    bob.send_and_wait("alice", "again, too")
    assert alice.of_kind(MessageArrived)[-1].route is Route.DIRECT
    for client in (alice, bob):
        assert [event.silent for event in client.of_kind(DirectSilent)] == [True, False]
    world.check()


def test_a_login_that_is_replayed_at_once_moves_no_route() -> None:
    world = World()
    tap = Wiretap(world)
    alice, bob = world.client("alice"), world.client("bob")
    bob.look_up("alice")
    thief = RawClient(world, "alice")
    thief.key = alice.user.key
    forwarding: Any = next(actor for actor in world.node.runtime.actors if actor.name == "forwarding")
    before = vars_of(forwarding._routes.get("alice"))
    frame = tap.of(alice.client_number, m.LoginProof)[-1]
    another = msgspec.structs.replace(message_of(frame), request_id=thief.new_id())
    for data in (frame, thief.encode(another)):
        refused = thief.exchange(data, message_of(data).request_id)
        assert isinstance(refused, m.Refused)
        assert refused.code == Code.CHALLENGE_INVALID, "not even with the victim's own signature"
    replies = len(tap.replies)
    world.mixnet.send(alice.client_number, world.node.card.addresses[0], frame, 2)
    world.sim.run_until(lambda: len(tap.replies) > replies, 5)
    answer = message_of(tap.replies[-1][2])
    assert isinstance(answer, m.LoggedIn), "from the own mixnet client: the same answer as before"
    assert answer.login_id == alice.store.profile.login_id()
    assert vars_of(forwarding._routes.get("alice")) == before
    bob.send("alice", "to alice")
    world.sim.run_until(lambda: alice.texts() == ["to alice"], 3)
    assert not thief.received(m.Deliver)
    world.check()


def vars_of(route: Any) -> tuple[bytes, bytes, int]:
    return route.tag, route.login_id, route.counter


def test_a_proof_of_login_that_another_mixnet_client_brings_first_opens_no_route_there() -> None:
    world = World()
    tap = Wiretap(world)
    alice = world.client("alice", online=False)
    tap.lost = (m.LoginProof,)
    alice.connect()
    world.sim.run_until(lambda: bool(tap.of(alice.client_number, m.LoginProof)))
    tap.lost = ()
    thief = RawClient(world, "alice")
    for frame in tap.of(alice.client_number, m.LoginProof):
        answer = thief.exchange(frame, message_of(frame).request_id)
        assert isinstance(answer, m.Refused)
        assert answer.code == Code.CHALLENGE_INVALID
    world.settle(30)
    assert world.node.counters()["registration"]["logins"] == 1
    assert not thief.received(m.Deliver)
    assert not thief.received(m.SurbsWanted)
    assert alice.counters()["registration"].get("told_challenge_invalid", 0) == 0
    world.check()
