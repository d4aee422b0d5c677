"""Who gets a name, and how everyone else is refused: each with the code that fits, and nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.hostile import DIRECTORY, RawClient, dump
from usernym.actors import messages as msg
from usernym.actors.failures import NodeRefused
from usernym.protocol import messages as m
from usernym.protocol.challenges import work_holds
from usernym.protocol.errors import Code
from usernym.protocol.limits import CHALLENGE_S, NAME_HELD_S
from usernym.protocol.records import sign_record
from usernym.protocol.signing import SigningKey
from usernym.testing.world import World


def code_of(answer: Any) -> Code:
    assert isinstance(answer, m.Refused), answer
    return Code(answer.code)


def test_a_taken_name_with_another_key_is_refused_and_with_the_same_key_granted_again() -> None:
    world = World()
    world.client("alice", online=False)
    before = dump(world.node.store)
    thief = RawClient(world, "alice")
    assert code_of(thief.register()) is Code.NAME_TAKEN
    assert dump(world.node.store) == before
    world.clients["alice"].register()
    assert dump(world.node.store, DIRECTORY) == {table: before[table] for table in DIRECTORY}
    assert world.node.counters()["registration"]["refused_name_taken"] == 1
    world.check()


def test_a_proof_of_a_name_that_was_taken_meanwhile_is_refused() -> None:
    world = World()
    early, late = RawClient(world, "alice", 1), RawClient(world, "alice", 2)
    late_challenge = late.challenge()
    assert isinstance(early.register(), m.Registered)
    before = dump(world.node.store, DIRECTORY)
    assert code_of(late.ask(late.proof(late_challenge))) is Code.NAME_TAKEN
    assert dump(world.node.store, DIRECTORY) == before
    world.check()


@examples(25)
@given(st.integers(0, 2**16), st.lists(st.integers(0, 7), max_size=100))
def test_of_two_who_register_a_name_at_once_exactly_one_wins(seed: int, tape: list[int]) -> None:
    world = World(seed, tape)
    first = world.client("alice", register=False, online=False)
    second = world.client("alice", register=False, online=False)
    answers = [client.begin(client.graph.registration, msg.Register) for client in (first, second)]
    world.sim.run_until(lambda: all(answer.done() for answer in answers))
    failures = [answer.exception() for answer in answers]
    assert sorted(failure is None for failure in failures) == [False, True]
    refused = next(failure for failure in failures if failure is not None)
    assert isinstance(refused, NodeRefused)
    assert refused.code is Code.NAME_TAKEN
    winner = (first, second)[failures.index(None)]
    account = world.node.store.directory.account("alice")
    assert account is not None
    assert account.identity_key == winner.user.key.public
    assert len(world.node.store.directory.links("alice", 0)) == 1
    world.check()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a1ice", Code.NAME_LOOKS_ALIKE),
        ("aiice", Code.NAME_LOOKS_ALIKE),
        ("alice", Code.NAME_TAKEN),
        ("admin", Code.NAME_RESERVED),
        ("r00t", Code.NAME_RESERVED),
        ("al", Code.NAME_TOO_SHORT),
        ("a" * 33, Code.NAME_TOO_LONG),
        ("Alice", Code.NAME_BAD_CHARACTER),
        ("al-ice", Code.NAME_BAD_CHARACTER),
        ("\u0430lice", Code.NAME_BAD_CHARACTER),
        ("_alice", Code.NAME_BAD_START),
        ("4lice", Code.NAME_BAD_START),
        ("", Code.NAME_TOO_SHORT),
    ],
)
def test_names_that_nobody_gets(name: str, code: Code) -> None:
    world = World()
    RawClient(world, "alice", 1).register()
    before = dump(world.node.store)
    attacker = RawClient(world, "alice", 2)
    attacker.name = name
    attacker.record = attacker.record_for(name)
    assert code_of(attacker.challenge()) is code
    assert dump(world.node.store) == before
    world.check()


def test_a_deleted_name_is_held_for_its_owner_and_then_free() -> None:
    world = World()
    owner, other, alike = RawClient(world, "alice", 1), RawClient(world, "alice", 2), RawClient(world, "a1ice", 3)
    owner.register()
    deleted = owner.ask(m.Delete(owner.new_id(), 2, "alice", world.sim.unix_s()))
    assert isinstance(deleted, m.Deleted)
    assert code_of(other.register()) is Code.NAME_HELD
    assert code_of(alike.register()) is Code.NAME_LOOKS_ALIKE
    world.sim.run_for(120)
    again = owner.ask(m.Delete(owner.new_id(), 2, "alice", world.sim.unix_s()))
    assert again.held_until == deleted.held_until, "the date that stands"
    assert isinstance(owner.register(), m.Registered)
    owner.ask(m.Delete(owner.new_id(), 2, "alice", world.sim.unix_s()))
    world.sim.clock_error_s += NAME_HELD_S + 60
    later = msgspec.structs.replace(other.record, number=7)
    assert code_of(other.ask(changed(other, later, other.challenge(None, later)))) is Code.RECORD_INVALID
    assert isinstance(other.register(), m.Registered)
    world.check()


def changed(client: RawClient, record: Any, challenge: m.Challenge) -> m.RegisterProof:
    """A proof with another record, signed; its challenge may be for the unsigned one."""
    signed = sign_record(client.key, client.node, client.name, record)
    return client.proof(client.challenge(None, signed), record=signed)


def test_who_holds_the_identity_key_alone_cannot_replace_the_recovery_key_by_deleting_and_reviving() -> None:
    world = World()
    owner = RawClient(world, "alice", 1)
    owner.register()
    owner.ask(m.Delete(owner.new_id(), 2, "alice", world.sim.unix_s()))
    before = dump(world.node.store, DIRECTORY)
    thiefs_recovery = SigningKey.from_seed(b"thief" + bytes(27)).public
    stolen = msgspec.structs.replace(owner.record, number=2, recovery_key=thiefs_recovery)
    assert code_of(owner.ask(changed(owner, stolen, owner.challenge(None, stolen)))) is Code.SUCCESSION_INVALID
    unchained = msgspec.structs.replace(owner.record, number=2, hpke_number=2)
    assert code_of(owner.ask(changed(owner, unchained, owner.challenge(None, unchained)))) is Code.RECORD_INVALID
    assert dump(world.node.store, DIRECTORY) == before
    world.check()


def _insufficient(proof: m.RegisterProof, client: RawClient) -> m.RegisterProof:
    work = next(n for n in range(1000) if not work_holds(client.node, proof.nonce, n, proof.difficulty))
    return msgspec.structs.replace(proof, work=work)


def _other_name(proof: m.RegisterProof, client: RawClient) -> m.RegisterProof:
    return msgspec.structs.replace(proof, name="another", record=client.record_for("another"))


def _other_record(proof: m.RegisterProof, client: RawClient) -> m.RegisterProof:
    record = msgspec.structs.replace(proof.record, made_on=proof.record.made_on - 1)
    return msgspec.structs.replace(proof, record=sign_record(client.key, client.node, client.name, record))


def _other_key(proof: m.RegisterProof, client: RawClient) -> m.RegisterProof:
    return msgspec.structs.replace(proof, record=RawClient(client.world, client.name, 7).record)


Alteration = Callable[[m.RegisterProof, RawClient], m.RegisterProof]


@pytest.mark.parametrize(
    ("alter", "code"),
    [
        (_insufficient, Code.WORK_INSUFFICIENT),
        (_other_name, Code.CHALLENGE_INVALID),
        (_other_record, Code.CHALLENGE_INVALID),
        (_other_key, Code.CHALLENGE_INVALID),
        (lambda proof, _: msgspec.structs.replace(proof, nonce=bytes(16)), Code.CHALLENGE_INVALID),
        (lambda proof, _: msgspec.structs.replace(proof, difficulty=0), Code.CHALLENGE_INVALID),
        (lambda proof, _: msgspec.structs.replace(proof, expires_at=proof.expires_at + 1), Code.CHALLENGE_INVALID),
        (lambda proof, _: msgspec.structs.replace(proof, mac=bytes(16)), Code.CHALLENGE_INVALID),
    ],
)
def test_a_proof_that_is_not_the_challenges_is_refused(alter: Alteration, code: Code) -> None:
    world = World()
    client = RawClient(world)
    proof = alter(client.proof(client.challenge()), client)
    before = dump(world.node.store)
    assert code_of(client.ask(proof)) is code
    assert dump(world.node.store) == before
    assert world.node.counters()["registration"][f"refused_{code.name.lower()}"] == 1
    world.check()


def test_a_proof_signed_by_another_key_or_for_another_node_is_refused() -> None:
    world = World()
    client = RawClient(world)
    proof = client.proof(client.challenge())
    before = dump(world.node.store)
    other = SigningKey.from_seed(b"o" * 32)
    for frame in (client.encode(proof, key=other), client.encode(proof, node=other.public)):
        assert code_of(client.exchange(frame, proof.request_id)) is Code.SIGNATURE_INVALID
    elsewhere = client.record_for(client.name, node=other.public)
    proof = client.proof(client.challenge(None, elsewhere), record=elsewhere)
    assert code_of(client.ask(proof)) is Code.RECORD_INVALID
    assert dump(world.node.store) == before
    world.check()


def test_a_challenge_is_answered_in_time_once_and_under_the_process_that_made_it() -> None:
    world = World()
    client = RawClient(world)
    late = client.challenge()
    world.sim.run_for(CHALLENGE_S + 10)
    before = dump(world.node.store, DIRECTORY)
    assert code_of(client.ask(client.proof(late))) is Code.CHALLENGE_EXPIRED
    old = client.challenge()
    world.node.restart()
    assert code_of(client.ask(client.proof(old))) is Code.CHALLENGE_INVALID
    assert dump(world.node.store, DIRECTORY) == before
    proof = client.proof(client.challenge())
    assert isinstance(client.ask(proof), m.Registered)
    assert isinstance(client.ask(proof), m.Registered), "the same proof again"
    again = msgspec.structs.replace(proof, request_id=client.new_id())
    assert code_of(client.ask(again)) is Code.CHALLENGE_USED
    world.check()


def test_a_node_that_restarts_between_challenge_and_proof_costs_nobody_the_name() -> None:
    world = World()
    alice = world.client("alice", register=False, online=False)
    answer = alice.begin(alice.graph.registration, msg.Register)
    world.sim.run_until(lambda: world.node.counters()["registration"].get("challenges", 0) > 0)
    world.node.restart()
    world.sim.run_until(answer.done)
    answer.result()
    assert world.node.store.directory.account("alice") is not None
    world.check()


def test_challenges_that_nobody_answers_take_no_memory() -> None:
    world = World()
    client = RawClient(world)
    registration: Any = next(actor for actor in world.node.runtime.actors if actor.name == "registration")
    client.challenge()
    before, size = dump(world.node.store), state_size(registration)
    for _ in range(300):
        client.throw(client.encode(m.RegisterAsk(client.new_id(), 2, client.name, client.key.public, bytes(32))))
    world.sim.run_for(30)
    assert registration.counts["challenges"] == 301
    assert dump(world.node.store) == before
    assert state_size(registration) == size
    world.check()


def state_size(actor: Any) -> dict[str, int]:
    """How many items each container of an actor holds, its counters aside."""
    return {
        name: len(value)
        for name, value in vars(actor).items()
        if isinstance(value, list | dict | set) and name != "counts"
    }


@pytest.mark.parametrize("part", ["ML-KEM", "X25519"])
def test_a_message_key_that_no_one_can_seal_to_is_not_taken(part: str) -> None:
    world = World()
    client = RawClient(world)
    key = client.record.hpke_key
    useless = b"\xff" * (len(key) - 32) + key[-32:] if part == "ML-KEM" else key[:-32] + bytes(32)
    first = msgspec.structs.replace(client.record, hpke_key=useless)
    before = dump(world.node.store)
    assert code_of(client.ask(changed(client, first, client.challenge()))) is Code.RECORD_INVALID
    assert dump(world.node.store) == before
    assert isinstance(client.register(), m.Registered)
    later = sign_record(
        client.key, client.node, client.name, msgspec.structs.replace(first, number=2, hpke_number=2, signature=b"")
    )
    before = dump(world.node.store, DIRECTORY)
    publish = m.Publish(client.new_id(), 2, client.name, later, None)
    assert code_of(client.ask(publish)) is Code.RECORD_INVALID
    assert dump(world.node.store, DIRECTORY) == before
    world.check()
