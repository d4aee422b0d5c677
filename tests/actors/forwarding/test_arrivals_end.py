"""What strangers hand in leaves the node as soon as its recipient has judged it, and holds up no friend's text."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.hostile import HostileWorld, RawClient
from usernym.actors.events import MessageArrived, NodeCaught
from usernym.actors.messages import RequestsDecided
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.errors import Code
from usernym.protocol.limits import HPKE_KEY_BYTES, MINUTE_S, UINT32_MAX
from usernym.protocol.records import KeyRecord, decode_record, sign_record
from usernym.protocol.sealing import MessageKey
from usernym.storage.client.types import Consent, DeliveryState, HandshakeState, Route
from usernym.testing.world import SimClient, World

LOCK = 16
"""As many messages as a node once delivered at a time, and none behind them."""
CONSENTS = [Consent.ACCEPTED, Consent.PENDING, Consent.DECLINED, Consent.BLOCKED]


def padded(payload: p.Payload) -> bytes:
    return p.pad_payload(payload, first_contact=True)


def text(words: str, record: KeyRecord | None = None) -> bytes:
    return padded(p.Text(1, 1, bytes(16), record, None, words))


def poisoned(mallory: RawClient) -> KeyRecord:
    """A record that no node ever had, with the highest numbers that there are."""
    highest = msgspec.structs.replace(
        mallory.record, number=UINT32_MAX, hpke_number=UINT32_MAX, hpke_key=MessageKey.from_seed(bytes(32)).public
    )
    return sign_record(mallory.key, mallory.node, mallory.name, highest)


def scene(consent: Consent) -> tuple[World, SimClient, SimClient, RawClient, KeyRecord]:
    """Alice and bob, who are friends; mallory, about whom bob has decided so; and bob's record."""
    world = World(seed=3)
    alice, bob = world.client("alice"), world.client("bob")
    mallory = RawClient(world)
    mallory.register()
    mallory.log_in()
    alice.send_and_wait("bob", "before")
    record = decode_record(bob.store.profile.identity().record)
    mallory.hand_in(mallory.forward("bob", record, text("hi")))
    world.settle(10)
    bob.store.contacts.set_consent("mallory", consent)
    bob.graph.forwarding.tell(RequestsDecided())
    world.settle(1)
    return world, alice, bob, mallory, record


def all_leave(world: World, alice: SimClient, bob: SimClient) -> None:
    """Nothing stays at the node, a friend's text comes, and the node is not accused of anything."""
    world.settle(2 * MINUTE_S)
    assert not world.node.store.mailbox.waiting("bob", 1), "what was judged is gone"
    alice.send_and_wait("bob", "after")
    assert bob.texts("alice")[-1] == "after"
    assert not bob.of_kind(NodeCaught)
    world.check()


@pytest.mark.parametrize("consent", CONSENTS)
def test_receipts_for_direct_messages_through_the_node_lock_nothing(consent: Consent) -> None:
    world, alice, bob, mallory, record = scene(consent)
    receipt = padded(p.DirectReceipt(0, 1, bytes(16), None, (p.Received(b"x" * 16, b"y" * 16),)))
    for _ in range(LOCK):
        assert isinstance(mallory.hand_in(mallory.forward("bob", record, receipt)), m.Accepted)
    all_leave(world, alice, bob)


def test_a_receipt_through_the_node_proves_nothing() -> None:
    """Its token is right: but the node passes tokens on by itself, and strangers learn which way was taken."""
    world, _, bob, mallory, record = scene(Consent.ACCEPTED)
    sent = bob.send_and_wait("mallory", "do you read this?", DeliveryState.ACCEPTED)
    row = bob.store.messages.outgoing(sent, "mallory")
    assert row is not None
    assert row.token is not None
    receipt = padded(p.DirectReceipt(0, 1, bytes(16), None, (p.Received(sent, row.token),)))
    mallory.hand_in(mallory.forward("bob", record, receipt))
    world.settle(30)
    assert bob.states(sent)[-1] is DeliveryState.ACCEPTED
    world.check()


@pytest.mark.parametrize("consent", CONSENTS)
def test_a_record_of_ones_own_making_replaces_nothing_and_locks_nothing(consent: Consent) -> None:
    world, alice, bob, mallory, record = scene(consent)
    pinned = bob.contact("mallory")
    mallory.hand_in(mallory.forward("bob", record, text("poison", poisoned(mallory))))
    world.settle(10)
    after = bob.contact("mallory")
    assert (after.record, after.direct_record) == (pinned.record, None), "it came through the node"
    for _ in range(LOCK):
        unsigned = mallory.forward("bob", record, text("x"), inner_signature=bytes([1]) * 64)
        assert isinstance(mallory.hand_in(unsigned), m.Accepted)
    all_leave(world, alice, bob)


def test_a_lookup_that_ends_in_a_record_that_does_not_hold_ends_the_arrival() -> None:
    world = HostileWorld()
    node, bob = world.scripted, world.client("bob")
    mallory = RawClient(world)
    other = RawClient(world, "somebody", 5)
    forward = mallory.forward("bob", node.records["bob"], text("hi"))
    told = m.Deliver(b"", 1, "mallory", forward.message_id, 1, forward.sealed, forward.inner_signature, None)

    def acknowledged() -> int:
        frames = [one for one in node.requests if isinstance(one, m.Acknowledge)]
        return sum(each.message_id == forward.message_id for frame in frames for each in frame.messages)

    node.lies[m.Lookup] = lambda request: [m.Refused(request.request_id, Code.BUSY, 5)]
    node.tell("bob", told)
    world.settle(10)
    assert not acknowledged(), "it may hold another time"
    node.lies[m.Lookup] = lambda request: [m.Found(request.request_id, other.record)]
    node.tell("bob", told)
    world.settle(10)
    assert acknowledged() == 1
    assert not bob.texts()
    world.check()


def test_a_record_sent_directly_serves_the_direct_way_alone() -> None:
    """What its owner sent is sealed to on that way; what the node says is not compared with it."""
    world, _, bob, mallory, record = scene(Consent.ACCEPTED)
    assert bob.address is not None
    address = mallory.transport.address
    bob.store.contacts.set_handshake("mallory", HandshakeState.ACTIVE, address)
    told = sign_record(
        mallory.key,
        mallory.node,
        "mallory",
        msgspec.structs.replace(poisoned(mallory), hpke_key=bob_key(world)),
    )
    forward = mallory.forward("bob", record, text("directly", told))
    direct = m.Direct("mallory", forward.message_id, forward.key_number, forward.sealed, forward.inner_signature)
    mallory.throw(mallory.encode(direct), 0, bob.address)
    world.settle(10)
    assert bob.of_kind(MessageArrived)[-1].route is Route.DIRECT
    contact = bob.contact("mallory")
    assert contact.record_for(Route.DIRECT) == told
    assert contact.record_for(Route.NODE) == mallory.record
    bob.send("mallory", "an answer")
    world.settle(2)
    assert mallory.received(m.Direct)[-1].key_number == UINT32_MAX
    bob.look_up("mallory")
    assert bob.contact("mallory").record_for(Route.NODE) == mallory.record, "the node is right, and says so still"
    assert not bob.of_kind(NodeCaught)
    bob.store.contacts.set_consent("mallory", Consent.BLOCKED)
    world.check()


def test_a_record_with_a_key_that_no_one_can_seal_to_is_not_kept() -> None:
    """Answers to its sender would fail, and with them what goes out together with these."""
    world, _, bob, mallory, record = scene(Consent.ACCEPTED)
    assert bob.address is not None
    bob.store.contacts.set_handshake("mallory", HandshakeState.ACTIVE, mallory.transport.address)
    useless = msgspec.structs.replace(poisoned(mallory), hpke_key=b"\xff" * HPKE_KEY_BYTES)
    told = sign_record(mallory.key, mallory.node, "mallory", useless)
    forward = mallory.forward("bob", record, text("directly", told))
    direct = m.Direct("mallory", forward.message_id, forward.key_number, forward.sealed, forward.inner_signature)
    mallory.throw(mallory.encode(direct), 0, bob.address)
    world.settle(10)
    assert bob.texts("mallory")[-1] == "directly"
    assert bob.contact("mallory").record_for(Route.DIRECT) == mallory.record
    bob.send("mallory", "an answer")
    world.settle(2)
    assert mallory.received(m.Direct)[-1].key_number == mallory.record.hpke_number
    world.check()


def bob_key(world: World) -> bytes:
    """Some key that can be sealed to."""
    return decode_record(world.clients["alice"].store.profile.identity().record).hpke_key


HOSTILE = st.lists(
    st.tuples(
        st.sampled_from(["text", "receipt", "poison", "junk", "zeros", "offer"]),
        st.sampled_from(["right", "unsigned", "other key", "other seal"]),
        st.sampled_from(CONSENTS),
    ),
    min_size=1,
    max_size=12,
)


@examples(30)
@given(hostile=HOSTILE)
def test_after_any_hostile_messages_nothing_stays_and_a_friends_text_comes(
    hostile: list[tuple[str, str, Consent]],
) -> None:
    world, alice, bob, mallory, record = scene(Consent.ACCEPTED)
    try:
        for what, how, consent in hostile:
            bob.store.contacts.set_consent("mallory", consent)
            mallory.hand_in(crafted(mallory, record, what, how))
            world.settle(1)
        all_leave(world, alice, bob)
    finally:
        world.close()


def crafted(mallory: RawClient, record: KeyRecord, what: str, how: str) -> m.Forward:
    """A message of mallory's with this content, wrong in this way."""
    plaintext = {
        "text": text("x"),
        "receipt": padded(p.DirectReceipt(0, 1, bytes(16), None, (p.Received(bytes(16), bytes(16)),))),
        "poison": text("x", poisoned(mallory)),
        "junk": b"\x95\x01\x80" + bytes(199),
        "zeros": bytes(202),
        "offer": padded(p.HandshakeOffer(UINT32_MAX, 1, bytes(16), None, bytes(96), UINT32_MAX)),
    }[what]
    changes: dict[str, Any] = {}
    if how == "unsigned":
        changes["inner_signature"] = bytes([1]) * 64
    elif how == "other key":
        changes["first_key"] = record.identity_key
    elif how == "other seal":
        changes["sealed"] = mallory.forward("bob", record, plaintext).sealed  # it does not open under another id
    return mallory.forward("bob", record, plaintext, **changes)
