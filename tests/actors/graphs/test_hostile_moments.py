"""Crashes, reordering and overload at the worst moment: between two steps that belong together."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.hostile import HostileWorld, RawClient, dump, message_of
from usernym.actors.events import HandshakeChanged
from usernym.actors.forwarding.outbox import RESEALS_MAX
from usernym.actors.surbs import STOCK_MAX, SurbStock
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.directory.proofs import ChainEnd, MapProof
from usernym.protocol.errors import Code
from usernym.storage.client.types import DeliveryState, Direction, HandshakeState
from usernym.testing.world import SimClient, World


def met(seed: int = 0) -> tuple[World, SimClient, SimClient]:
    """Two who have written to each other."""
    world = World(seed)
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    bob.send_and_wait("alice", "hello yourself")
    world.settle(10)
    return world, alice, bob


def handshakes_of(client: SimClient, peer: str) -> int:
    rows = client.store.messages.conversation(peer, 100)
    return sum(row.kind != 1 and row.direction is Direction.IN for row in rows)


@pytest.mark.parametrize("seed", range(10))
def test_a_crash_between_a_handshakes_arrival_and_its_step_loses_nothing(seed: int) -> None:
    world, alice, bob = met(seed)
    alice.offer("bob")
    world.settle(10)
    bob.accept("alice")
    world.sim.run_until(lambda: handshakes_of(alice, "bob") == 1)
    assert alice.contact("bob").handshake is HandshakeState.OFFERED, "on disk, and not acted upon"
    alice.restart()
    alice.go_online()
    world.settle(30)
    assert alice.contact("bob").handshake is HandshakeState.ACTIVE
    assert alice.of_kind(HandshakeChanged)[-1].state is HandshakeState.ACTIVE
    assert alice.store.messages.unshown(10, (3, 4, 5)) == []
    world.check()


@pytest.mark.parametrize("seed", range(5))
def test_a_crash_right_after_a_step_still_tells_the_peer(seed: int) -> None:
    world, alice, bob = met(seed)
    for step, theirs in ((alice.offer, HandshakeState.OFFER_RECEIVED), (alice.revoke, HandshakeState.ENDED_BY_PEER)):
        step("bob")
        alice.restart()
        alice.go_online()
        world.settle(60)
        assert bob.contact("alice").handshake is theirs
    world.check()


def test_an_offer_that_its_own_revocation_overtook_opens_nothing() -> None:
    world, alice, bob = met()
    mixnet: Any = world.mixnet
    reply = mixnet.reply
    held: list[tuple[int, bytes, bytes]] = []

    def hold_deliveries(client: int, tag: bytes, data: bytes) -> None:
        if isinstance(message_of(data), m.Deliver):
            held.append((client, tag, data))
        else:
            reply(client, tag, data)

    mixnet.reply = hold_deliveries
    alice.offer("bob")
    world.settle(2)
    alice.revoke("bob")
    world.sim.run_until(lambda: len(held) == 2)
    for late in reversed(held):
        reply(*late)
        world.settle(2)
    mixnet.reply = reply
    world.settle(10)
    assert alice.contact("bob").handshake is HandshakeState.ENDED_BY_ME
    assert bob.contact("alice").handshake is HandshakeState.NONE
    assert bob.contact("alice").peer_address is None
    assert not bob.of_kind(HandshakeChanged)
    assert bob.counters()["handshake"]["overtaken"] == 1
    alice.offer("bob")
    world.settle(10)
    assert bob.contact("alice").handshake is HandshakeState.OFFER_RECEIVED, "a later one counts"
    world.check()


@pytest.mark.parametrize("failure", [Code.BUSY, Code.RECORD_STALE, Code.PROOF_INVALID, None])
def test_a_strangers_message_outlives_a_lookup_that_brought_nothing(failure: Code | None) -> None:
    world = HostileWorld()
    alice, bob = world.client("alice"), world.client("bob")
    writer = RawClient(world, "bob")
    writer.key = bob.user.key
    text = p.pad_payload(p.Text(1, 1, bytes(16), None, None, "hello"), first_contact=True)
    forward = writer.forward("alice", world.scripted.records["alice"], text)
    deliver = m.Deliver(
        bytes(16), 1, "bob", forward.message_id, 1, forward.sealed, forward.inner_signature, forward.first_key
    )
    world.scripted.lies[m.Lookup] = lambda request: (
        [m.Refused(request.request_id, failure, 0)] if failure is not None else []
    )
    world.scripted.tell("alice", deliver)
    world.settle(60)
    assert not [request for request in world.scripted.requests if isinstance(request, m.Acknowledge)]
    del world.scripted.lies[m.Lookup]
    world.scripted.tell("alice", deliver)
    world.settle(10)
    assert alice.texts() == ["hello"]
    world.check()


@pytest.mark.parametrize("count", [1, 2])
def test_what_a_node_calls_the_clients_own_message_is_discarded_without_a_lookup(count: int) -> None:
    world = HostileWorld()
    alice = world.client("alice")
    writer = RawClient(world, "alice")
    writer.key = alice.user.key
    text = p.pad_payload(p.Text(1, 1, bytes(16), None, None, "hello"), first_contact=True)
    for number in range(1, count + 1):
        own = writer.forward("alice", world.scripted.records["alice"], text)
        sealed = own.sealed, own.inner_signature, own.first_key
        world.scripted.tell("alice", m.Deliver(bytes(16), number, "alice", own.message_id, 1, *sealed))
    world.settle(60)
    assert not [request for request in world.scripted.requests if isinstance(request, m.Lookup)]
    assert any(isinstance(request, m.Acknowledge) for request in world.scripted.requests)
    assert alice.texts() == []
    world.check()


def test_a_busy_node_refuses_no_message_for_good_and_ends_no_route() -> None:
    world = HostileWorld()
    alice, _ = world.client("alice"), world.client("bob")
    node = world.scripted
    message_id = alice.send_and_wait("bob", "hello", DeliveryState.ACCEPTED)
    for kind in (m.Lookup, m.Heartbeat):
        node.lies[kind] = lambda request: [m.Refused(request.request_id, Code.BUSY, 30)]
    node.lies[m.Forward] = lambda request: [m.Refused(request.request_id, Code.STALE_KEY, 0)]
    late = alice.send("bob", "sealed to a key that is stale")
    world.settle(300)
    assert alice.states(late) == [], "it waits"
    assert sum(isinstance(request, m.LoginProof) and request.name == "alice" for request in node.requests) == 1
    node.lies.clear()
    alice.wait_for_state(late, DeliveryState.ACCEPTED, 1200)
    assert alice.states(message_id) == [DeliveryState.ACCEPTED]
    world.check()


def test_a_proof_that_does_not_hold_refuses_no_message_for_good() -> None:
    world = HostileWorld()
    alice, _ = world.client("alice"), world.client("bob")
    node = world.scripted
    alice.send_and_wait("bob", "hello", DeliveryState.ACCEPTED)
    proof = MapProof(bytes(80), bytes(32), 1, 0, 1, bytes(64), b"", b"")
    node.lies[m.Lookup] = lambda request: [
        m.Proved(request.request_id, "bob", node.records["bob"], None, ChainEnd(1, bytes(32), 1), proof)
    ]
    node.lies[m.Forward] = lambda request: [m.Refused(request.request_id, Code.STALE_KEY, 0)]
    late = alice.send("bob", "sealed to a key that is stale")
    world.settle(1800)
    assert alice.counters()["lookup"]["refused_proof_invalid"] > RESEALS_MAX
    assert alice.states(late) == [], "it waits"
    node.lies.clear()
    alice.wait_for_state(late, DeliveryState.ACCEPTED, 1200)
    world.check()


def test_who_tops_up_for_ever_takes_no_memory_of_the_node() -> None:
    world = World()
    mallory = RawClient(world)
    mallory.register()
    mallory.log_in()
    forwarding: Any = next(actor for actor in world.node.runtime.actors if actor.name == "forwarding")
    stock: SurbStock = forwarding._routes.get("mallory").stock
    for count in (1, 0, 255, *[1] * 400, 255):
        mallory.throw(mallory.encode(m.TopUp(count, "mallory", mallory.login_id)), 0)
    world.settle(5)
    assert stock.left(world.sim.now()) == STOCK_MAX
    assert len(stock._lots) <= STOCK_MAX
    world.check()


def test_a_statement_of_an_earlier_process_of_the_same_user_counts_for_nothing() -> None:
    world, alice, bob = met()
    forwarding: Any = next(actor for actor in world.node.runtime.actors if actor.name == "forwarding")
    login_id = alice.store.profile.login_id() or b""
    alice.restart()
    alice.go_online()
    world.settle(5)
    message_id = bob.send_and_wait("alice", "for the new one")
    before = dump(world.node.store)
    second = RawClient(world, "alice")
    second.key = alice.user.key
    route = forwarding._routes.get("alice")
    stock = route.stock.left(world.sim.now())
    for login in (login_id, route.login_id):
        top_up = m.TopUp(50, "alice", login)
        second.throw(second.encode(top_up), 0)
        second.throw(second.encode(m.Acknowledge(9, "alice", login, (m.Acknowledged("bob", message_id, None),), ())), 0)
        refused = second.ask(m.Heartbeat(second.new_id(), 2, "alice", login, (1, 2, 3)))
        assert isinstance(refused, m.Refused)
        assert refused.code == Code.NOT_LOGGED_IN
    assert route.stock.left(world.sim.now()) == stock
    assert dump(world.node.store) == before
    world.check()


def test_a_message_whose_packets_were_often_lost_is_still_sealed_again() -> None:
    world = HostileWorld()
    alice, _ = world.client("alice"), world.client("bob")
    node = world.scripted
    alice.look_up("bob")
    node.lies[m.Forward] = lambda _: []
    message_id = alice.send("bob", "hello")
    world.settle(400)
    node.lies[m.Forward] = lambda request: [m.Refused(request.request_id, Code.UNKNOWN_KEY, 0)]
    world.sim.run_until(lambda: sum(isinstance(each, m.Lookup) for each in node.requests) > 1, 1800)
    del node.lies[m.Forward]
    alice.wait_for_state(message_id, DeliveryState.ACCEPTED, 1800)
    world.check()


def test_a_deleted_account_takes_with_it_what_waits_and_no_sender_is_told_what_that_was() -> None:
    world, alice, bob = met()
    world.mixnet.offline(bob.client_number)
    message_id = alice.send_and_wait("bob", "too late", DeliveryState.ACCEPTED)
    notices = world.node.store.counts().notices
    second = RawClient(world, "bob")
    second.key = bob.user.key
    assert isinstance(second.ask(m.Delete(second.new_id(), 2, "bob", world.sim.unix_s())), m.Deleted)
    assert not world.node.store.mailbox.waiting("bob", 1)
    late = alice.send("bob", "nobody there")
    alice.wait_for_state(late, DeliveryState.REFUSED)
    assert alice.states(message_id) == [DeliveryState.ACCEPTED]
    assert world.node.store.counts().notices <= notices
    world.check()
