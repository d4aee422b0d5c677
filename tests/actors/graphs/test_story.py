"""The main story on the simulated runtime: register, find, write, shake hands, go direct."""

from __future__ import annotations

import pytest

from usernym.actors.events import DeliveryChanged, HandshakeChanged, MessageArrived
from usernym.actors.failures import NodeRefused
from usernym.actors.forwarding.shares import LIMITS, Share
from usernym.actors.mixnet_io.blur import ANONYMOUS_BLUR_S
from usernym.protocol.errors import Code
from usernym.storage.client.types import DeliveryState, HandshakeState, Route
from usernym.testing.world import World


@pytest.mark.parametrize("seed", range(5))
def test_two_people_find_each_other_write_shake_hands_and_go_direct(seed: int) -> None:
    world = World(seed)
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    alice.send_and_wait("bob", "hello")
    assert bob.texts() == ["hello"]
    bob.send_and_wait("alice", "hi yourself")
    assert alice.texts() == ["hi yourself"]

    alice.offer("bob")
    world.sim.run_until(lambda: HandshakeChanged("alice", HandshakeState.OFFER_RECEIVED) in bob.events)
    assert alice.contact("bob").peer_address is None
    bob.accept("alice")
    world.sim.run_until(lambda: HandshakeChanged("bob", HandshakeState.ACTIVE) in alice.events)
    world.settle(60)

    before = world.node.counters()
    alice.send_and_wait("bob", "directly")
    bob.send_and_wait("alice", "directly too")
    after = world.node.counters()
    assert before["forwarding"]["forwards"] == after["forwarding"]["forwards"]
    assert before["lookup"] == after["lookup"]
    assert [event.route for event in bob.of_kind(MessageArrived)] == [Route.NODE, Route.DIRECT]

    alice.revoke("bob")
    world.sim.run_until(lambda: HandshakeChanged("alice", HandshakeState.ENDED_BY_PEER) in bob.events)
    bob.send_and_wait("alice", "through the node again")
    assert alice.of_kind(MessageArrived)[-1].route is Route.NODE
    world.check()


def test_an_unknown_name_is_refused_by_the_node() -> None:
    world = World()
    alice = world.client("alice")
    with pytest.raises(NodeRefused) as refusal:
        alice.look_up("nobody_here")
    assert refusal.value.code is Code.NO_SUCH_USER
    world.check()


def test_a_message_waits_for_an_absent_recipient() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob", online=False)
    message_id = alice.send_and_wait("bob", "for later", DeliveryState.ACCEPTED)
    world.settle(3600)
    assert bob.texts() == []
    bob.go_online()
    alice.wait_for_state(message_id, DeliveryState.DELIVERED)
    assert bob.texts() == ["for later"]
    world.check()


@pytest.mark.parametrize("seed", range(20))
def test_what_waited_comes_with_the_login_whichever_overtakes_the_other(seed: int) -> None:
    """A delivery that overtakes the login's answer is held, not discarded until the next heartbeat."""
    world = World(seed)
    alice, bob = world.client("alice"), world.client("bob")
    bob.kill()
    alice.send_and_wait("bob", "for later", DeliveryState.ACCEPTED)
    bob.start()
    bob.go_online()
    world.settle(3 + 2 * ANONYMOUS_BLUR_S)  # its sender is looked up before it is shown
    assert bob.texts() == ["for later"]
    world.check()


def test_answering_a_stranger_accepts_them() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob", accept_strangers=False)
    first = alice.send_and_wait("bob", "may I?", DeliveryState.ACCEPTED)
    world.settle(60)
    assert bob.of_kind(MessageArrived)[0].is_request
    assert alice.states(first) == [DeliveryState.ACCEPTED], "a stranger learns no more"
    bob.send_and_wait("alice", "you may")
    alice.send_and_wait("bob", "thank you")
    assert not bob.of_kind(MessageArrived)[-1].is_request
    world.check()


@pytest.mark.seconds
@pytest.mark.parametrize("limit", [LIMITS.newcomer, LIMITS.known])
def test_a_full_share_of_a_mailbox_is_said_and_mends_itself(limit: Share) -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    if limit is LIMITS.known:
        bob.send_and_wait("alice", "write to me")
    bob.kill()
    share = limit.messages
    ids = [alice.send("bob", f"text {number}") for number in range(share + 1)]
    world.settle(60)
    left = [message_id for message_id in ids if alice.states(message_id) != [DeliveryState.ACCEPTED]]
    assert len(left) == 1, "packets overtake each other, so it need not be the last"
    waiting = [event for event in alice.of_kind(DeliveryChanged) if event.message_id == left[0]]
    assert [(event.state, event.reason) for event in waiting] == [(DeliveryState.WAITING, Code.SENDER_SHARE_FULL)]
    bob.start()
    bob.go_online()
    alice.wait_for_state(left[0], DeliveryState.DELIVERED, 2000)
    world.settle(60)
    assert sorted(bob.texts()) == sorted(f"text {number}" for number in range(share + 1))
    world.check()
