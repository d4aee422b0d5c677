"""A node that lies: nothing of it is believed. What proves the lie accuses it; else the lie is refused and counted."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.helpers.hostile import HostileWorld, RawClient, dump
from usernym.actors.events import IdentityChanged, MessageArrived, NodeCaught
from usernym.actors.failures import Failure, NodeRefused, NodeSilent
from usernym.actors.messages import FindContact
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.cards import make_card
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import SURBS_GIVEN_MAX, UINT32_MAX, WORK_BITS_MAX
from usernym.protocol.records import (
    Authority,
    KeyRecord,
    Succession,
    authorise,
    first_succession,
    record_hash,
    sign_record,
)
from usernym.protocol.safety import safety_number
from usernym.protocol.signing import Context, SigningKey, verify
from usernym.storage.client.types import DeliveryState, Direction, Trust
from usernym.testing.world import SimClient

CONTACTS = ("contact", "message", "seen", "outbox")


def pair() -> tuple[HostileWorld, SimClient, SimClient]:
    """Two users of one hostile node."""
    world = HostileWorld()
    return world, world.client("alice"), world.client("bob")


def caught(client: SimClient) -> list[str]:
    return [event.what for event in client.of_kind(NodeCaught)]


def doubted(client: SimClient) -> int:
    """What the client refused or counted, and can't prove."""
    assert not caught(client), "no accusation without a proof"
    counts = [item for actor in client.counters().values() for item in actor.items()]
    return sum(number for name, number in counts if name.startswith("refused_") or name == "receipts_unproved")


def newer(record: KeyRecord, owner: SimClient, **changes: Any) -> KeyRecord:
    """A record that the owner really signed, with these changes."""
    changed = msgspec.structs.replace(record, **changes)
    return sign_record(owner.user.key, owner.user.node, owner.name, changed)


def serve(world: HostileWorld, record: KeyRecord) -> None:
    """Answer every lookup with this record."""
    world.scripted.lies[m.Lookup] = lambda request: [m.Found(request.request_id, record)]


def tell_history(world: HostileWorld, *links: Succession) -> None:
    """Answer every question for a chain of identities with this one."""
    world.scripted.lies[m.History] = lambda request: [m.Links(request.request_id, links, len(links))]


# -- keys --


def test_swapped_keys_show_in_differing_safety_numbers_on_both_sides() -> None:
    world, alice, bob = pair()
    world.scripted.records["bob"] = RawClient(world, "bob", 1).record
    world.scripted.records["alice"] = RawClient(world, "alice", 2).record
    node = world.scripted.card.node
    seen_by_alice = safety_number(
        node, ("alice", alice.user.key.public), ("bob", alice.look_up("bob").identity_key)
    )  # fmt: skip
    seen_by_bob = safety_number(node, ("bob", bob.user.key.public), ("alice", bob.look_up("alice").identity_key))
    true = safety_number(node, ("alice", alice.user.key.public), ("bob", bob.user.key.public))
    assert len({seen_by_alice, seen_by_bob, true}) == 3
    assert alice.contact("bob").trust is Trust.CONFIRMED
    world.check()


def test_a_swapped_key_for_a_pinned_contact_is_refused() -> None:
    world, alice, _ = pair()
    pinned = alice.look_up("bob")
    swapped = RawClient(world, "bob", 1)
    serve(world, swapped.record)
    thief = SigningKey.from_seed(b"t" * 32)
    forged = authorise(thief, swapped.node, "bob", swapped.record.stub(), Authority.IDENTITY)
    for links in ((), (first_succession(swapped.record),), (forged,), (first_succession(pinned_record(world)), forged)):
        tell_history(world, *links)
        before = doubted(alice)
        with pytest.raises(NodeRefused) as refusal:
            alice.look_up("bob")
        assert refusal.value.code is Code.SUCCESSION_INVALID
        assert doubted(alice) == before + 1
        assert alice.contact("bob") == pinned
    assert not alice.of_kind(IdentityChanged)
    world.check()


def pinned_record(world: HostileWorld) -> KeyRecord:
    return world.scripted.records["bob"]


def test_a_changed_identity_that_the_node_alone_authorised_never_reaches_the_contact() -> None:
    world, alice, _ = pair()
    pinned = alice.look_up("bob")
    thief = RawClient(world, "bob", 1)
    first = pinned_record(world)
    previous = record_hash(thief.node, "bob", first.stub())
    stolen = msgspec.structs.replace(first, number=2, identity_key=thief.key.public, previous=previous, hpke_number=2)
    stolen = sign_record(thief.key, thief.node, "bob", stolen)
    for authority in Authority:
        link = authorise(world.scripted.key, thief.node, "bob", stolen.stub(), authority)
        serve(world, stolen)
        tell_history(world, first_succession(first), link)
        with pytest.raises(NodeRefused):
            alice.look_up("bob")
        assert alice.contact("bob") == pinned
    assert doubted(alice) == len(Authority)
    world.check()


@pytest.mark.parametrize("number", [1, 2])
def test_a_record_that_is_rolled_back_or_comes_twice_with_one_number_is_refused(number: int) -> None:
    world, alice, bob = pair()
    first = pinned_record(world)
    second = newer(
        first, bob, number=2, made_on=first.made_on + 7, previous=record_hash(bob.user.node, "bob", first.stub())
    )
    serve(world, second)
    pinned = alice.look_up("bob")
    serve(world, newer(first, bob, number=number, made_on=first.made_on + 1))
    with pytest.raises(NodeRefused) as refusal:
        alice.look_up("bob")
    assert refusal.value.code is Code.RECORD_STALE
    assert doubted(alice) == 1
    assert alice.contact("bob") == pinned
    world.check()


def test_a_record_that_nobody_signed_or_of_another_name_or_node_is_refused() -> None:
    world, alice, bob = pair()
    first = pinned_record(world)
    elsewhere = sign_record(bob.user.key, b"e" * 32, "bob", first)
    lies = [
        msgspec.structs.replace(first, made_on=first.made_on + 1),
        msgspec.structs.replace(first, hpke_key=RawClient(world).record.hpke_key),
        msgspec.structs.replace(first, recovery_key=RawClient(world).recovery.public),
        world.scripted.records["alice"],
        elsewhere,
    ]
    for count, lie in enumerate(lies, 1):
        serve(world, lie)
        with pytest.raises(NodeRefused) as refusal:
            alice.look_up("bob")
        assert refusal.value.code is Code.RECORD_INVALID
        assert doubted(alice) == count
        assert alice.store.contacts.get("bob") is None
    world.check()


def test_another_key_under_our_own_name_is_refused() -> None:
    world, alice, _ = pair()
    serve(world, RawClient(world, "alice", 1).record)
    with pytest.raises(NodeRefused):
        alice.do(alice.graph.lookup, lambda answer: FindContact("alice", answer))
    assert doubted(alice) == 1
    world.check()


# -- answers --


def test_answers_signed_with_another_key_count_for_nothing() -> None:
    world, alice, _ = pair()
    world.scripted.signer = SigningKey.from_seed(b"x" * 32)
    with pytest.raises(NodeSilent) as silence:
        alice.look_up("bob")
    assert silence.value.failure is Failure.NO_ANSWER
    assert alice.store.contacts.get("bob") is None
    assert alice.counters()["io"]["not_the_node"] == 3, "one for each try"
    world.check()


@pytest.mark.parametrize("wrong", [m.Accepted, m.Registered, m.Links])
def test_an_answer_of_the_wrong_type_is_refused_and_the_right_one_still_taken(wrong: type[Any]) -> None:
    world, alice, _ = pair()

    def lie(request: m.Lookup) -> list[m.Message]:
        bad = m.Links(request.request_id, (), 0) if wrong is m.Links else wrong(request.request_id)
        return [bad]

    world.scripted.lies[m.Lookup] = lie
    answer: Future[None] = alice.begin(alice.graph.lookup, lambda to: FindContact("bob", to))
    world.sim.run_until(lambda: bool(doubted(alice)), 4)
    assert not answer.done()
    del world.scripted.lies[m.Lookup]
    world.sim.run_until(answer.done, 60)
    assert alice.contact("bob").identity_key == world.clients["bob"].user.key.public
    world.check()


def test_old_answers_that_are_replayed_answer_nothing() -> None:
    world, alice, _ = pair()
    old: list[m.Message] = []

    def keep(request: m.Lookup) -> list[m.Message]:
        old.extend(world.scripted.honest(request))
        return old[-1:]

    world.scripted.lies[m.Lookup] = keep
    alice.look_up("bob")
    alice.look_up("bob")
    before = dump(alice.store, CONTACTS)
    world.scripted.lies[m.Lookup] = lambda _: old[:2]
    with pytest.raises(NodeSilent):
        alice.look_up("bob")
    assert dump(alice.store, CONTACTS) == before
    assert alice.counters()["io"]["refused_unexpected"] >= 2
    world.check()


def test_more_work_than_any_registration_needs_is_not_done() -> None:
    world = HostileWorld()
    world.scripted.lies[m.RegisterAsk] = lambda request: [
        m.Challenge(request.request_id, bytes(16), UINT32_MAX, WORK_BITS_MAX + 1, bytes(16))
    ]
    with pytest.raises(NodeRefused) as refusal:
        world.client("alice")
    assert refusal.value.code is Code.WORK_INSUFFICIENT
    assert len(caught(world.clients["alice"])) == 1
    assert not [request for request in world.scripted.requests if isinstance(request, m.RegisterProof)]
    world.check()


def test_a_node_cannot_have_a_message_signed_in_place_of_its_nonce() -> None:
    """What is signed for a challenge is a whole request with its label; the nonce, which the node chose, never bare."""
    world = HostileWorld()
    alice = world.client("alice")
    frame: Any = next(frame for frame in world.scripted.frames if isinstance(frame.message, m.LoginProof))
    nonce, public = frame.message.nonce, alice.user.key.public
    frame.verify(public, alice.user.node)
    for context in Context:
        for content in ((nonce,), (alice.user.node, nonce), (frame.body,)):
            with pytest.raises(RemoteProtocolError):
                verify(public, frame.signature, context, *content)
    for bare in (nonce, frame.body):
        with pytest.raises(InvalidSignature):
            Ed25519PublicKey.from_public_bytes(public).verify(frame.signature, bare)
    world.check()


# -- what it tells --


def test_an_invented_delivery_receipt_proves_nothing() -> None:
    world, alice, _ = pair()
    message_id = alice.send_and_wait("bob", "hello", DeliveryState.ACCEPTED)
    receipt = m.Receipt(1, message_id, bytes(16))
    world.scripted.tell("alice", m.Delivered(bytes(16), 1, (receipt,)))
    world.sim.run_until(lambda: bool(doubted(alice)), 5)
    message = alice.store.messages.get("bob", message_id)
    assert message is not None
    assert message.state is DeliveryState.ACCEPTED
    assert DeliveryState.DELIVERED not in alice.states(message_id)
    world.check()


def test_an_invented_statement_that_it_could_not_be_opened_is_refused() -> None:
    world, alice, _ = pair()
    message_id = alice.send_and_wait("bob", "hello", DeliveryState.ACCEPTED)
    world.settle(30)
    outbox = dump(alice.store, ("outbox",))
    world.scripted.tell("alice", m.NotOpened(bytes(16), 1, 7, "bob", message_id, bytes(64)))
    world.sim.run_until(lambda: bool(doubted(alice)), 5)
    assert dump(alice.store, ("outbox",)) == outbox, "nothing is sealed again"
    world.check()


def test_a_card_that_is_not_the_nodes_moves_nobody() -> None:
    world, alice, _ = pair()
    other = SigningKey.from_seed(b"o" * 32)
    moved = make_card(world.scripted.key, [bytes(96)], 2, 20_001)
    cards = [
        make_card(other, [bytes(96)], 9, 20_001),
        msgspec.structs.replace(moved, addresses=(b"a" * 96,)),
        msgspec.structs.replace(moved, sequence=3),
    ]
    for count, card in enumerate(cards, 1):
        world.scripted.tell("alice", m.NewCard(bytes(16), 1, card))
        world.sim.run_until(lambda count=count: len(caught(alice)) == count, 5)  # type: ignore[misc]
    before = alice.store.profile.setting("node_card")
    stale = make_card(world.scripted.key, [bytes(96)], 1, 20_001)
    world.scripted.tell("alice", m.NewCard(bytes(16), 1, stale))
    world.settle(2)
    assert alice.counters()["registration"]["refused_card_stale"] == 1
    assert alice.store.profile.setting("node_card") == before
    alice.look_up("bob")
    world.check()


def test_tells_that_are_replayed_or_for_another_login_are_counted_and_forgotten() -> None:
    world, alice, bob = pair()
    bob_looks = bob.look_up("alice")
    attacker = RawClient(world, "bob")
    attacker.key, attacker.node = bob.user.key, bob.user.node
    text = p.pad_payload(p.Text(1, 1, bytes(16), None, None, "once"), first_contact=True)
    forward = attacker.forward("alice", world.scripted.records["alice"], text)
    assert bob_looks.identity_key == alice.user.key.public
    deliver = m.Deliver(
        bytes(16), 1, "bob", forward.message_id, forward.key_number, forward.sealed, forward.inner_signature,
        forward.first_key,
    )  # fmt: skip
    data = world.scripted.tell("alice", deliver)
    world.sim.run_until(lambda: alice.texts() == ["once"], 10)
    for _ in range(3):
        attacker.throw(data, 0, alice.address)
        world.scripted.tell("alice", deliver)
    assert alice.address is not None
    world.scripted.logins["alice"] = b"another login..."
    world.scripted.tell("alice", m.Displaced(bytes(16), 1))
    world.settle(10)
    assert alice.texts() == ["once"], "shown once, under new counters too"
    counts = alice.counters()["io"]
    assert counts["refused_replayed"] == 3
    assert counts["refused_not_logged_in"] == 1
    world.check()


def test_an_invented_message_of_a_contact_is_not_shown() -> None:
    world, alice, bob = pair()
    alice.look_up("bob")
    text = p.pad_payload(p.Text(1, 1, bytes(16), None, None, "send money"), first_contact=False)
    forger = RawClient(world, "bob", 1)
    forger.node = alice.user.node
    forward = forger.forward("alice", world.scripted.records["alice"], text)
    for first_key in (None, forger.key.public, bob.user.key.public):
        deliver = m.Deliver(
            bytes(16), 1, "bob", forward.message_id, 1, forward.sealed, forward.inner_signature, first_key
        )  # fmt: skip
        world.scripted.tell("alice", deliver)
        world.settle(5)
    assert not alice.of_kind(MessageArrived)
    assert alice.store.messages.get("bob", forward.message_id, Direction.IN) is None
    assert alice.counters()["forwarding"]["refused_signature_invalid"] == 3
    world.check()


def test_a_node_gets_no_hoard_of_surbs_at_once() -> None:
    world, _, _ = pair()
    world.settle(30)
    asked = len(world.scripted.requests)
    for _ in range(6):
        world.scripted.tell("alice", m.SurbsWanted(bytes(16), 1, 255))
    world.settle(5)
    given = [request.surbs for request in world.scripted.requests[asked:] if isinstance(request, m.TopUp)]
    spent = 6  # on asking
    assert 0 < sum(given) <= SURBS_GIVEN_MAX + spent
    world.check()
