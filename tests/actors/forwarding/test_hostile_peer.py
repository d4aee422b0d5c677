"""Registered people who mean harm, and strangers with an address: what they can't do to others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.hostile import RawClient, Wiretap, dump
from usernym.actors.events import HandshakeChanged, IdentityChanged, MessageArrived, NodeCaught
from usernym.actors.forwarding.shares import Share, ShareLimits
from usernym.actors.messages import HANDSHAKE_KINDS
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.errors import Code
from usernym.protocol.records import KeyRecord, decode_record
from usernym.protocol.sealing import Envelope, seal
from usernym.storage.client.types import Consent, DeliveryState, Direction, HandshakeState, HandshakeStep, Route
from usernym.testing.world import SimClient, World


def text(words: str, counter: int = 1, token: bytes = bytes(16)) -> bytes:
    return p.pad_payload(p.Text(counter, 1, token, None, None, words), first_contact=True)


def scene(**settings: Any) -> tuple[World, SimClient, SimClient, RawClient, KeyRecord]:
    """Alice and bob, who have met; mallory, who is registered and online; and alice's record as anyone can get it."""
    world = World()
    alice, bob = world.client("alice", **settings), world.client("bob")
    alice.send_and_wait("bob", "hello")
    bob.send_and_wait("alice", "hello yourself")
    mallory = RawClient(world)
    mallory.register()
    mallory.log_in()
    found = mallory.ask(m.Lookup(mallory.new_id(), 2, "alice"))
    return world, alice, bob, mallory, found.record


def nothing_shown(client: SimClient, before: int) -> None:
    assert len(client.of_kind(MessageArrived)) == before
    assert not client.of_kind(NodeCaught), "an honest node is not accused of what a peer did"
    assert not client.of_kind(IdentityChanged)


# -- through the node --


def test_nobody_sends_under_anothers_name() -> None:
    world, alice, _, mallory, record = scene()
    before = dump(world.node.store)
    for sender in ("bob", "alice", "nobody_here"):
        forged = mallory.forward("alice", record, text("it is me"), sender=sender)
        assert mallory.hand_in(forged) is None
    world.settle(30)
    assert dump(world.node.store) == before
    counts = world.node.counters()["forwarding"]
    assert counts["refused_signature_invalid"] == 2
    assert counts["refused_not_registered"] == 1
    nothing_shown(alice, 1)
    world.check()


def test_an_id_seen_of_somebody_elses_message_suppresses_nothing() -> None:
    world, alice, bob, mallory, record = scene()
    world.mixnet.offline(alice.client_number)
    message_id = bob.send_and_wait("alice", "the real one", DeliveryState.ACCEPTED)
    same = mallory.forward("alice", record, text("the same id"), message_id=message_id)
    assert isinstance(mallory.hand_in(same), m.Accepted)
    ahead = mallory.forward("alice", record, text("an id to come"), message_id=bytes(16))
    assert isinstance(mallory.hand_in(ahead), m.Accepted)
    world.mixnet.online(alice.client_number)
    bob.wait_for_state(message_id, DeliveryState.DELIVERED)
    world.settle(60)
    assert sorted(alice.texts("bob")) == ["hello yourself", "the real one"]
    assert sorted(alice.texts("mallory")) == ["an id to come", "the same id"]
    world.check()


def test_what_is_no_message_is_discarded_and_tells_its_sender_nothing_but_that_it_was_accepted() -> None:
    world, alice, _, mallory, record = scene()
    good = mallory.forward("alice", record, text("x"))
    bad = [
        mallory.forward("alice", record, text("x"), inner_signature=bytes(64)),
        mallory.forward("alice", record, text("x"), inner_signature=good.inner_signature),
        mallory.forward("alice", record, text("x"), sealed=good.sealed),
        mallory.forward("alice", record, text("x"), first_key=record.identity_key),
        mallory.forward("alice", record, text("x")[:-1] + b"\1"),
        mallory.forward("alice", record, b"\0" * 169),
        mallory.forward("alice", record, b"\x95\x01\x80" + bytes(166)),
        mallory.forward("alice", record, world.sim.random_bytes(169)),
    ]
    for forward in bad:
        assert isinstance(mallory.hand_in(forward), m.Accepted)
    world.settle(120)
    nothing_shown(alice, 1)
    assert not mallory.received(m.Delivered)
    assert not world.node.store.mailbox.waiting("alice", 1), "it doesn't come back for ever"
    counts = alice.counters()["forwarding"]
    assert counts["refused_signature_invalid"] == 4
    assert counts["refused_malformed"] == 4
    assert isinstance(mallory.hand_in(good), m.Accepted)
    world.settle(30)
    assert alice.texts("mallory") == ["x"]
    world.check()


ROOM = Share(100, 10**6)


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (ShareLimits(Share(3, 10**6), ROOM, ROOM, ROOM), Code.SENDER_SHARE_FULL),
        (ShareLimits(Share(100, 6_000), ROOM, ROOM, ROOM), Code.SENDER_SHARE_FULL),
        (ShareLimits(ROOM, ROOM, Share(3, 10**6), ROOM), Code.MAILBOX_FULL),
        (ShareLimits(ROOM, ROOM, Share(100, 6_000), ROOM), Code.MAILBOX_FULL),
    ],
)
def test_a_flood_ends_in_an_honest_refusal(limits: ShareLimits, code: Code) -> None:
    world, alice, bob, mallory, record = scene()
    alice.send_and_wait("bob", "hello, friend")
    world.mixnet.offline(alice.client_number)
    forwarding: Any = next(actor for actor in world.node.runtime.actors if actor.name == "forwarding")
    forwarding._shares.limits = limits
    answers = [mallory.hand_in(mallory.forward("alice", record, text(f"{n}"))) for n in range(8)]
    accepted = [answer for answer in answers if isinstance(answer, m.Accepted)]
    refused = [Code(answer.code) for answer in answers if isinstance(answer, m.Refused)]
    assert 0 < len(accepted) <= 4
    assert refused == [code] * (8 - len(accepted))
    assert len(world.node.store.mailbox.waiting("alice", 99)) == len(accepted)
    message_id = bob.send("alice", "from a friend")
    bob.wait_for_state(message_id, DeliveryState.ACCEPTED)
    world.mixnet.online(alice.client_number)
    bob.wait_for_state(message_id, DeliveryState.DELIVERED, 3000)
    assert alice.texts("bob")[-1] == "from a friend"
    world.check()


def test_nobody_acknowledges_what_is_anothers_or_learns_a_token_by_guessing() -> None:
    world, alice, bob, mallory, _ = scene()
    world.mixnet.offline(alice.client_number)
    message_id = bob.send_and_wait("alice", "for alice alone", DeliveryState.ACCEPTED)
    before = dump(world.node.store)
    item = m.Acknowledged("bob", message_id, bytes(16))
    for name in ("mallory", "alice"):
        mallory.throw(mallory.encode(m.Acknowledge(0, name, mallory.login_id, (item,), (1, 2, 3))), 0)
    mallory.throw(mallory.encode(m.Unopenable(0, "mallory", mallory.login_id, "bob", message_id, bytes(64))), 0)
    world.settle(30)
    assert dump(world.node.store) == before
    assert bob.states(message_id) == [DeliveryState.ACCEPTED]
    world.mixnet.online(alice.client_number)
    bob.wait_for_state(message_id, DeliveryState.DELIVERED)
    world.check()


def test_a_recipient_who_acknowledges_with_a_wrong_token_leaves_the_message_accepted() -> None:
    world, alice, _, mallory, _ = scene()
    message_id = alice.send_and_wait("mallory", "do you read this?", DeliveryState.ACCEPTED)
    item = m.Acknowledged("alice", message_id, world.sim.random_bytes(16))
    mallory.throw(mallory.encode(m.Acknowledge(0, "mallory", mallory.login_id, (item,), ())), 0)
    world.settle(30)
    assert DeliveryState.DELIVERED not in alice.states(message_id)
    world.check()


# -- strangers --


def test_a_pending_contact_sees_accepted_and_nothing_more() -> None:
    world = World()
    alice = world.client("alice", accept_strangers=False)
    mallory = RawClient(world)
    mallory.register()
    mallory.log_in()
    record = mallory.ask(m.Lookup(mallory.new_id(), 2, "alice")).record
    seen_before = len(mallory.received())
    junk = world.sim.random_bytes(1_338)
    for forward in (
        mallory.forward("alice", record, text("hello, stranger")),
        mallory.forward("alice", record, text("x"), inner_signature=bytes(64)),
        sealed_otherwise(mallory, record, junk),
        mallory.forward("alice", record, b"no payload at all".ljust(169)),
    ):
        mallory.hand_in(forward)
    world.settle(300)
    answers = [type(message) for message in mallory.received()[seen_before:]]
    assert answers == [m.Accepted] * 4
    (shown,) = alice.of_kind(MessageArrived)
    assert shown.is_request
    assert alice.contact("mallory").consent is Consent.PENDING
    assert not world.node.store.mailbox.waiting("alice", 1)
    world.check()


def sealed_otherwise(mallory: RawClient, record: KeyRecord, sealed: bytes) -> m.Forward:
    """Rightly signed, but no key opens it."""
    good = mallory.forward("alice", record, text("x"))
    envelope = Envelope(
        mallory.node, mallory.name, "alice", mallory.key.public, record.identity_key, 1, good.message_id
    )  # fmt: skip
    signature = envelope.sign(mallory.key, sealed)
    return mallory.forward(
        "alice", record, text("x"), message_id=good.message_id, sealed=sealed, inner_signature=signature
    )


def test_a_strangers_offer_waits_for_consent_and_no_address_leaves_before() -> None:
    world = World()
    tap = Wiretap(world)
    alice, bob = world.client("alice", accept_strangers=False), world.client("bob")
    assert alice.address is not None
    assert bob.address is not None
    bob.look_up("alice")
    bob.offer("alice")
    bob.send("alice", "shall we?")
    world.sim.run_until(lambda: HandshakeChanged("bob", HandshakeState.OFFER_RECEIVED) in alice.events)
    world.settle(600)
    assert not any(
        row.direction is Direction.OUT and HandshakeStep.from_body(0, row.body).address
        for row in alice.store.messages.last_of_kinds("bob", HANDSHAKE_KINDS)
    ), "it revealed no address"
    assert bob.contact("alice").handshake is HandshakeState.OFFERED
    assert bob.contact("alice").peer_address is None
    assert alice.store.messages.conversation("bob", 10)[-1].direction is Direction.IN, "nothing was answered"
    alice.accept("bob")
    world.sim.run_until(lambda: HandshakeChanged("alice", HandshakeState.ACTIVE) in bob.events)
    assert bob.contact("alice").peer_address == alice.address
    assert alice.contact("bob").consent is Consent.ACCEPTED, "who reveals an address wants to hear from the other"
    bob.send_and_wait("alice", "directly")
    everything = [one.data for one in tap.sent] + [data for _, _, data in tap.replies]
    for address in (alice.address, bob.address):
        assert not any(address in data for data in everything), "never but inside a seal"
    world.check()


# -- straight to an address --


def direct(mallory: RawClient, record: KeyRecord, sender: str, words: str, key: bytes | None = None) -> bytes:
    """A direct message to alice, sealed by mallory, in anyone's name."""
    message_id = mallory.world.sim.random_bytes(16)
    sender_key = key or mallory.key.public
    envelope = Envelope(mallory.node, sender, "alice", sender_key, record.identity_key, record.hpke_number, message_id)
    sealed = seal(record.hpke_key, text(words), envelope)
    message = m.Direct(sender, message_id, record.hpke_number, sealed, envelope.sign(mallory.key, sealed))
    return mallory.encode(message)


def test_a_stranger_who_knows_an_address_is_not_heard() -> None:
    world, alice, bob, mallory, record = scene()
    assert alice.address is not None
    alice.offer("bob")
    world.settle(10)
    bob.accept("alice")
    world.settle(30)
    assert alice.contact("bob").handshake is HandshakeState.ACTIVE
    state = dump(alice.store, ("contact", "message", "seen"))
    bobs_key = alice.contact("bob").identity_key
    seen_id = alice.store.messages.conversation("bob", 10)[-1].message_id
    frames = [
        direct(mallory, record, "mallory", "hi"),
        direct(mallory, record, "bob", "it is bob"),
        direct(mallory, record, "bob", "it is bob", bobs_key),
        direct(mallory, record, "nobody_here", "who?"),
        mallory.encode(m.Direct("bob", seen_id, 1, b"x" * 1_338, bytes(64))),
    ]
    for frame in frames:
        mallory.throw(frame, 0, alice.address)
    world.settle(30)
    assert dump(alice.store, ("contact", "message", "seen")) == state
    nothing_shown(alice, 1)
    counts = alice.counters()["forwarding"]
    assert counts["refused_unexpected"] == 2, "two who have no direct route"
    assert counts["refused_signature_invalid"] == 2, "two in bob's name"
    world.check()


def test_after_a_revoke_the_contact_is_not_heard_directly_any_more() -> None:
    world, alice, bob, _, _ = scene()
    tap = Wiretap(world)
    alice.offer("bob")
    world.settle(10)
    bob.accept("alice")
    world.settle(30)
    world.mixnet.offline(alice.client_number)
    message_id = bob.send("alice", "on its way")
    world.settle(1)
    late = tap.of(bob.client_number, m.Direct)[-1]
    world.mixnet.online(alice.client_number)
    alice.revoke("bob")
    refused = alice.counters()["forwarding"].get("refused_unexpected", 0)
    stranger = RawClient(world, "carol", 3)
    stranger.throw(late, 0, alice.address)
    world.settle(2)
    assert alice.counters()["forwarding"]["refused_unexpected"] > refused
    bob.wait_for_state(message_id, DeliveryState.DELIVERED, 900)
    assert alice.texts("bob")[-1] == "on its way", "through the node, then"
    assert alice.of_kind(MessageArrived)[-1].route is Route.NODE
    assert bob.contact("alice").handshake is HandshakeState.ENDED_BY_PEER
    world.check()


def test_a_record_that_a_peer_slips_in_is_taken_only_as_a_lookup_would() -> None:
    world, alice, _, mallory, record = scene()
    mallory.hand_in(mallory.forward("alice", record, text("first")))
    world.settle(10)
    pinned = alice.contact("mallory")
    other = RawClient(world, "mallory", 55)
    forged = p.Text(2, 1, bytes(16), other.record, None, "with another's record")
    mallory.hand_in(mallory.forward("alice", record, p.pad_payload(forged, first_contact=True)))
    foreign = p.Text(3, 1, bytes(16), decode_record(alice.store.profile.identity().record), None, "with yours")
    mallory.hand_in(mallory.forward("alice", record, p.pad_payload(foreign, first_contact=True)))
    world.settle(10)
    after = alice.contact("mallory")
    assert (after.identity_key, after.record) == (pinned.identity_key, pinned.record)
    assert len(alice.texts("mallory")) == 3
    world.check()


@pytest.mark.parametrize("kind", [p.HandshakeOffer, p.HandshakeAccept])
def test_who_claims_to_have_seen_all_that_is_to_come_can_be_revoked_all_the_same(kind: Any) -> None:
    world, alice, _, mallory, record = scene()
    received = HandshakeChanged("mallory", HandshakeState.OFFER_RECEIVED)
    offer = p.HandshakeOffer(1, 1, bytes(16), None, mallory.transport.address, p.COUNTER_MAX)
    for counter, step in ((1, offer), (2, kind(2, 1, bytes(16), None, mallory.transport.address, p.COUNTER_MAX))):
        said = p.pad_payload(step, first_contact=counter == 1)
        assert isinstance(mallory.hand_in(mallory.forward("alice", record, said)), m.Accepted)
        world.settle(30)
        assert alice.events.count(received) == counter
        alice.accept("mallory")
        assert alice.contact("mallory").handshake is HandshakeState.ACTIVE
        alice.revoke("mallory")
        contact = alice.contact("mallory")
        assert (contact.handshake, contact.peer_address) == (HandshakeState.ENDED_BY_ME, None)
    world.check()
