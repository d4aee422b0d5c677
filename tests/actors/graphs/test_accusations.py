"""A client accuses its node of what the node signed and no one else can have caused, and of nothing else."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.hostile import HostileWorld, RawClient
from usernym.actors.events import NodeCaught
from usernym.actors.mixnet_io.contradictions import REMEMBERED_BYTES_MAX, Contradictions
from usernym.mixnet.emulator.state import Faults
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.cards import make_card
from usernym.protocol.codec import decode, encode_signed
from usernym.protocol.evidence import Fault, decode_evidence, evidence_text, parse_evidence
from usernym.protocol.limits import UINT32_MAX
from usernym.protocol.records import decode_record, sign_record
from usernym.protocol.signing import SigningKey
from usernym.storage.client.evidence import EVIDENCE_MAX
from usernym.testing.world import SimClient, World

# -- an honest node --


def scene() -> tuple[World, SimClient, RawClient]:
    """Alice, and mallory whom she wrote to twice."""
    world = World(seed=7)
    alice = world.client("alice")
    mallory = RawClient(world)
    mallory.register()
    mallory.log_in()
    for text in ("hello", "hello again"):
        alice.send("mallory", text)
    world.settle(10)
    return world, alice, mallory


STEPS = ["wrong token", "right token", "false statement", "poison", "unsigned", "garbage", "twice"]


@examples(40)
@given(steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=8))
def test_whatever_a_contact_does_an_honest_node_is_not_accused(steps: list[str]) -> None:
    world, alice, mallory = scene()
    record = decode_record(alice.store.profile.identity().record)
    ids = list({told.message_id: None for told in mallory.received(m.Deliver)})
    highest = msgspec.structs.replace(mallory.record, number=UINT32_MAX, hpke_number=UINT32_MAX)
    poison = sign_record(mallory.key, mallory.node, "mallory", highest)
    for at, step in enumerate(steps):
        message_id = ids[at % len(ids)]
        match step:
            case "wrong token" | "right token":
                row = alice.store.messages.outgoing(message_id, "mallory")
                token = row.token if step == "right token" and row is not None else bytes(16)
                items = (m.Acknowledged("alice", message_id, token),)
                mallory.throw(mallory.encode(m.Acknowledge(2, "mallory", mallory.login_id, items, ())), 2)
            case "false statement":
                said = m.Unopenable(2, "mallory", mallory.login_id, "alice", message_id, bytes(64))
                mallory.throw(mallory.encode(said), 2)
            case "garbage":
                mallory.hand_in(mallory.forward("alice", record, bytes(202)))
            case _:
                text = p.Text(1, 1, bytes(16), poison if step == "poison" else None, None, step)
                padded = p.pad_payload(text, first_contact=True)
                changes = {"inner_signature": bytes(64)} if step == "unsigned" else {}
                forward = mallory.forward("alice", record, padded, **changes)
                for _ in range(2 if step == "twice" else 1):
                    mallory.hand_in(forward)
        world.settle(5)
    world.settle(60)
    for client in world.clients.values():
        assert not client.of_kind(NodeCaught)
        assert not client.store.evidence.all()
    world.check()


def test_a_wrong_token_and_a_false_statement_are_counted_and_accuse_nobody() -> None:
    world, alice, mallory = scene()
    first, second = list({told.message_id: None for told in mallory.received(m.Deliver)})[:2]
    items = (m.Acknowledged("alice", first, bytes(16)),)
    mallory.throw(mallory.encode(m.Acknowledge(2, "mallory", mallory.login_id, items, ())), 2)
    world.settle(10)
    mallory.throw(mallory.encode(m.Unopenable(2, "mallory", mallory.login_id, "alice", second, bytes(64))), 2)
    world.settle(20)
    assert alice.counters()["forwarding"]["receipts_unproved"] == 1
    assert not alice.of_kind(NodeCaught)
    world.check()


def test_a_node_that_restarts_on_a_mixnet_that_repeats_is_not_accused() -> None:
    world = World(seed=8, faults=Faults(duplication=0.5))
    alice, bob = world.client("alice"), world.client("bob")
    for _ in range(3):
        alice.send_and_wait("bob", "hi")
        world.node.restart()
        world.settle(90)
    assert not alice.of_kind(NodeCaught)
    assert not bob.of_kind(NodeCaught)
    world.check()


# -- a node that is not --


def hostile() -> tuple[HostileWorld, SimClient]:
    world = HostileWorld()
    return world, world.client("alice")


def proved(alice: SimClient) -> list[Fault]:
    """What the user heard, each with a proof on disk that convinces others."""
    events = alice.of_kind(NodeCaught)
    stored = [decode_evidence(each.packed) for each in alice.store.evidence.all()]
    assert [event.evidence for event in events] == stored
    for evidence in stored:
        assert parse_evidence(evidence_text(evidence)).node == alice.user.node
    return [Fault(evidence.fault) for evidence in stored]


def test_two_things_told_under_one_number_are_proved() -> None:
    world, alice = hostile()
    for count in (1, 2):
        world.scripted.counter = 500
        world.scripted.tell("alice", m.SurbsWanted(b"", 1, count))
        world.settle(1)
    assert proved(alice) == [Fault.TWO_TELLS]
    world.check()


def test_two_cards_under_one_number_are_proved_whichever_way_they_came() -> None:
    world, alice = hostile()
    node = world.scripted
    other = make_card(node.key, [b"a" * 96], node.card.sequence, 20_000)
    node.tell("alice", m.NewCard(b"", 1, other))
    world.settle(5)
    node.tell("alice", m.NewCard(b"", 1, other))
    world.settle(5)
    assert proved(alice) == [Fault.TWO_CARDS], "once"
    world.check()


def test_a_card_of_another_node_is_proved() -> None:
    world, alice = hostile()
    world.scripted.tell("alice", m.NewCard(b"", 1, make_card(SigningKey.from_seed(b"o" * 32), [bytes(96)], 9, 20_000)))
    world.settle(5)
    assert proved(alice) == [Fault.FOREIGN_CARD]
    alice.restart()
    assert len(alice.store.evidence.all()) == 1, "the proof outlives the process"
    world.check()


def test_proofs_without_end_fill_neither_disk_nor_page() -> None:
    world, alice = hostile()
    for n in range(2 * EVIDENCE_MAX):
        world.scripted.tell(
            "alice", m.NewCard(b"", 1, make_card(SigningKey.from_seed(b"o" * 32), [bytes(96)], n + 1, 1))
        )
        world.settle(0.5)
    world.settle(5)
    assert len(proved(alice)) == EVIDENCE_MAX
    world.check()


# -- what is remembered --


@pytest.mark.parametrize("size", [1_338, 65_498])
def test_what_is_remembered_of_a_node_is_bounded(size: int) -> None:
    key = SigningKey.from_seed(b"n" * 32)
    seen = Contradictions(key.public)

    def frame(counter: int, fill: int) -> bytes:
        told = m.Deliver(bytes(16), counter, "bob", bytes(16), 1, bytes([fill]) * size, bytes(64), None)
        return encode_signed(told, key, key.public)

    many = 3 * REMEMBERED_BYTES_MAX // len(frame(1, 0))
    for counter in range(1, many):
        assert seen.look(decode(data := frame(counter, 0)), data) is None
    assert seen._bytes <= REMEMBERED_BYTES_MAX
    assert sum(map(len, seen._tells.values())) == seen._bytes
    assert seen.look(decode(data := frame(many - 1, 1)), data) is not None
    assert seen.look(decode(data := frame(1, 1)), data) is None, "forgotten"
