"""Registrations that come together share one commit, and none of them another's fate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.helpers.hostile import DIRECTORY, RawClient, dump
from usernym.actors.registration.newcomers import BITS_BEHIND_MAX, REGISTRATIONS_PER_BIT, Newcomers
from usernym.protocol import messages as m
from usernym.protocol.challenges import search_work
from usernym.protocol.errors import Code
from usernym.storage.node.directory import Registration
from usernym.testing.disk import Moment
from usernym.testing.world import World

LETTERS = str.maketrans("0123456789", "bcdfghjkmn")
"""No two of them look alike."""


@pytest.fixture
def world() -> Iterator[World]:
    with World(5, disks=True) as world:
        yield world


def newcomers(world: World, count: int) -> list[RawClient]:
    return [RawClient(world, f"new_{at}".translate(LETTERS), 1 + at) for at in range(count)]


def proofs_of(clients: Sequence[RawClient]) -> list[m.RegisterProof]:
    return [client.proof(client.challenge()) for client in clients]


def together(
    world: World, clients: Sequence[RawClient], proofs: Sequence[m.RegisterProof], meanwhile: Callable[[], None]
) -> list[Any]:
    """The answers to these proofs, or None, if the node's actor finds them all in its inbox, in this order. `meanwhile`
    happens just before it looks."""
    for proof in proofs:
        assert isinstance(proof, m.RegisterProof)
    registration = next(actor for actor in world.node.runtime.actors if actor.name == "registration")
    world.sim.hold([registration], 1 + len(proofs))
    for client, proof in zip(clients, proofs, strict=True):
        client.throw(client.encode(proof))
        world.settle(1)
    meanwhile()
    world.settle(30)
    answers = [
        [one for one in client.received() if getattr(one, "request_id", None) == proof.request_id]
        for client, proof in zip(clients, proofs, strict=True)
    ]
    assert all(len(some) <= 1 for some in answers)
    return [some[0] if some else None for some in answers]


def codes(answers: Sequence[Any]) -> list[Any]:
    return [Code(each.code) if isinstance(each, m.Refused) else type(each) for each in answers]


def commits_of(world: World, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many accounts there are after each commit of the node, from now on."""
    database, counted = world.node.store.database, []
    execute = database.execute

    def watched(sql: str, params: Any = ()) -> Any:
        done = execute(sql, params)
        if sql == "COMMIT":
            counted.append(execute("SELECT count(*) FROM account")[0][0][0])
        return done

    monkeypatch.setattr(database, "execute", watched)
    return counted


def test_they_share_one_commit_and_all_are_answered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = newcomers(world, 12)
    proofs = proofs_of(clients)
    counted = commits_of(world, monkeypatch)
    assert codes(together(world, clients, proofs, lambda: None)) == [m.Registered] * 12
    assert [count for count in counted if count] == [12]
    assert world.node.counters()["registration"]["registrations"] == 12
    world.check()


def test_one_that_is_refused_costs_no_other_its_name(world: World) -> None:
    clients = newcomers(world, 6)
    clients += [RawClient(world, clients[1].name, 61), RawClient(world, "a1ice_b", 62), RawClient(world, "alice_b", 63)]
    proofs = proofs_of(clients)
    assert codes(together(world, clients, proofs, lambda: None)) == (
        [m.Registered] * 6 + [Code.NAME_TAKEN, m.Registered, Code.NAME_LOOKS_ALIKE]
    )
    for client in (*clients[:6], clients[7]):
        account = world.node.store.directory.account(client.name)
        assert account is not None
        assert account.identity_key == client.key.public
    world.check()


def test_a_store_of_cheap_challenges_is_worth_no_more_if_all_are_used_at_once(world: World) -> None:
    worth = (BITS_BEHIND_MAX + 1) * REGISTRATIONS_PER_BIT
    clients = newcomers(world, worth + 10)
    answers = codes(together(world, clients, proofs_of(clients), lambda: None))
    assert answers.count(m.Registered) == worth
    assert answers.count(Code.CHALLENGE_EXPIRED) == 10
    assert world.node.store.counts().accounts == worth


def test_a_challenge_proves_one_thing_though_both_proofs_come_together(world: World) -> None:
    client = RawClient(world)
    challenge = client.challenge()
    first = client.proof(challenge)
    second = client.proof(
        challenge, work=search_work(client.node, challenge.nonce, challenge.difficulty, first.work + 1, 100)
    )
    answers = together(world, [client, client], [first, second], lambda: None)
    assert codes(answers) == [m.Registered, Code.CHALLENGE_USED]


def test_one_key_that_proves_twice_is_one_registration(world: World) -> None:
    client = RawClient(world)
    proof = client.proof(client.challenge())
    other = client.proof(client.challenge())
    assert codes(together(world, [client, client], [proof, other], lambda: None)) == [m.Registered] * 2
    assert world.node.counters()["registration"]["registrations"] == 1


def test_all_are_told_to_come_back_while_the_disk_is_full(world: World) -> None:
    clients = newcomers(world, 4)
    before = dump(world.node.store, DIRECTORY)
    disk = world.node.disk
    assert disk is not None
    proofs = proofs_of(clients)
    assert codes(together(world, clients, proofs, lambda: disk.set_full(True))) == [Code.BUSY] * 4
    disk.set_full(False)
    assert dump(world.node.store, DIRECTORY) == before
    assert codes([client.ask(proof) for client, proof in zip(clients, proofs, strict=True)]) == [m.Registered] * 4
    world.check()


@pytest.mark.parametrize("moment", Moment)
def test_who_asks_again_after_the_node_died_at_the_commit_is_registered(world: World, moment: Moment) -> None:
    clients = newcomers(world, 4)
    disk = world.node.disk
    assert disk is not None
    assert together(world, clients, proofs_of(clients), lambda: disk.crash_at(1, moment)) == [None] * 4
    assert world.node.deaths == 1
    world.node.start_and_wait()
    assert world.node.store.counts().accounts == (4 if moment is Moment.AFTER else 0)
    assert codes([client.register() for client in clients]) == [m.Registered] * 4
    assert world.node.store.counts().accounts == 4
    assert [len(world.node.store.directory.links(client.name, 0)) for client in clients] == [1] * 4
    world.check()


def test_a_bug_with_one_of_them_costs_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    clients = newcomers(world, 4)
    proofs = proofs_of(clients)
    register = Newcomers._register

    def planted(self: Any, proof: m.RegisterProof, *arguments: Any) -> Registration | Code:
        if proof.name == clients[1].name:
            raise ZeroDivisionError("planted")
        return register(self, proof, *arguments)

    monkeypatch.setattr(Newcomers, "_register", planted)
    answers = together(world, clients, proofs, lambda: None)
    assert codes(answers) == [m.Registered, type(None), m.Registered, m.Registered]
    assert world.node.counters()["registration"]["registrations"] == 3
