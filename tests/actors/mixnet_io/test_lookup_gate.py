"""Lookups at a node that has too many of them: who pays with work is let in, once, and no client pays without end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.actors.lookup.test_proved_lookups import client_of
from usernym.actors.failures import NodeRefused
from usernym.actors.lookup.chain_fetch import PAID_MAX
from usernym.actors.messages import FindContact
from usernym.actors.mixnet_io import node as node_io
from usernym.actors.mixnet_io.lookup_gate import EASED_S, RAISED_AGAIN_S, SPENT_MAX, LookupGate
from usernym.actors.simulation import Simulation
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.protocol.limits import LOOKUP_BITS_MAX, LOOKUP_BITS_MIN, MINUTE_S
from usernym.protocol.lookup_work import TICKET_MINUTES, bits_of, make_ticket, search_payment
from usernym.testing.world import World

NODE, FREE, PAID = bytes(32), 10, 5


@pytest.fixture
def sim() -> Simulation:
    return Simulation(1)


@pytest.fixture
def gate(sim: Simulation) -> LookupGate:
    return LookupGate(sim, NODE, free=FREE, paid=PAID)


def lookup(number: int = 0) -> m.Lookup:
    return m.Lookup(number.to_bytes(8, "big"), 1, "bob")


def ticket_of(refused: m.Refused | None) -> int:
    assert refused is not None
    assert refused.code == Code.WORK_WANTED
    return refused.detail


def paid_for(request: m.Lookup, ticket: int) -> m.Lookup:
    paid = search_payment(NODE, request, ticket, 0, 2**40)
    return m.Lookup(request.request_id, request.surbs, request.name, request.prove, paid)


def test_while_there_is_room_no_one_pays(gate: LookupGate) -> None:
    assert gate.judge(lookup(), 0) is None
    assert gate.judge(m.History(bytes(8), 1, "bob", 0), FREE - 1) is None


def test_who_pays_gets_a_place_that_no_other_gets(gate: LookupGate) -> None:
    ticket = ticket_of(gate.judge(lookup(), FREE))
    assert bits_of(ticket) == LOOKUP_BITS_MIN
    assert gate.judge(paid_for(lookup(), ticket), FREE + PAID - 1) is None
    full = gate.judge(paid_for(lookup(1), ticket), FREE + PAID)
    assert full is not None
    assert full.code == Code.BUSY


def test_nothing_is_paid_with_twice_and_nothing_with_anothers_work(gate: LookupGate) -> None:
    ticket = ticket_of(gate.judge(lookup(), FREE))
    paid = paid_for(lookup(), ticket)
    assert gate.judge(paid, FREE) is None
    ticket_of(gate.judge(paid, FREE))
    ticket_of(gate.judge(m.Lookup(bytes(7) + b"\1", 1, "bob", 0, paid.paid), FREE))
    ticket_of(gate.judge(m.History(paid.request_id, 1, "bob", 0, paid.paid), FREE))


def test_a_ticket_holds_for_some_minutes(gate: LookupGate, sim: Simulation) -> None:
    sim.run_for(MINUTE_S - sim.unix_s() % MINUTE_S)
    ticket = ticket_of(gate.judge(lookup(), FREE))
    one, other = paid_for(lookup(1), ticket), paid_for(lookup(2), ticket)
    sim.run_for(TICKET_MINUTES * MINUTE_S - 1)
    assert gate.judge(one, FREE) is None
    sim.run_for(1)
    ticket_of(gate.judge(other, FREE))
    ticket_of(gate.judge(one, FREE))


def test_a_ticket_of_ones_own_making_is_worth_nothing(gate: LookupGate, sim: Simulation) -> None:
    for ticket in (make_ticket(sim.unix_s(), LOOKUP_BITS_MIN - 2), make_ticket(sim.unix_s() + MINUTE_S, 255), 0):
        ticket_of(gate.judge(m.Lookup(bytes(8), 1, "bob", 0, m.Paid(ticket, 0)), FREE))


def test_the_price_rises_while_also_those_who_pay_are_too_many_and_falls_again(
    gate: LookupGate, sim: Simulation
) -> None:
    for bits in range(LOOKUP_BITS_MIN, LOOKUP_BITS_MAX + 3):
        assert bits_of(ticket_of(gate.judge(lookup(), FREE))) == min(bits, LOOKUP_BITS_MAX)
        sim.run_for(RAISED_AGAIN_S)
        for number in range(3):
            busy = gate.judge(lookup(number), FREE + PAID)
            assert busy is not None
            assert busy.code == Code.BUSY
    sim.run_for(EASED_S)
    assert bits_of(ticket_of(gate.judge(lookup(), FREE))) == LOOKUP_BITS_MIN


def test_what_was_paid_with_is_remembered_for_so_many_only(
    gate: LookupGate, sim: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SPENT_MAX > 50_000
    monkeypatch.setattr("usernym.actors.mixnet_io.lookup_gate.SPENT_MAX", 3)
    ticket = ticket_of(gate.judge(lookup(), FREE))
    paid = [paid_for(lookup(number), ticket) for number in range(4)]
    assert [gate.judge(each, FREE) is None for each in paid] == [True, True, True, False]
    sim.run_for(TICKET_MINUTES * MINUTE_S)
    assert gate.judge(paid_for(lookup(), ticket_of(gate.judge(lookup(), FREE))), FREE) is None


# -- in a whole world --


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A node at which no lookup is free."""
    monkeypatch.setattr(node_io, "LOOKUPS_FREE_MAX", 0)
    with World() as world:
        for name in ("alice", "bob"):
            world.client(name)
        yield world


def test_a_client_pays_and_gets_its_answer(crowded: World) -> None:
    alice = client_of(crowded, "alice")
    alice.send_and_wait("bob", "hi")
    assert client_of(crowded, "bob").texts() == ["hi"]
    assert crowded.node.counters()["io"]["work_wanted"] >= 1


def test_a_node_that_always_wants_more_gets_work_twice(crowded: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LookupGate, "_takes_payment", lambda *_: False)
    alice = client_of(crowded, "alice")
    before = crowded.node.counters()["io"].get("work_wanted", 0)
    with pytest.raises(NodeRefused) as refused:
        alice.do(alice.graph.lookup, lambda answer: FindContact("bob", answer))
    assert refused.value.code is Code.BUSY
    assert crowded.node.counters()["io"]["work_wanted"] - before == 1 + PAID_MAX


def test_a_client_does_no_work_that_is_too_much(crowded: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usernym.actors.mixnet_io.lookup_gate.LOOKUP_BITS_MIN", LOOKUP_BITS_MAX + 1)
    alice = client_of(crowded, "alice")
    crowded.sim.run_for(EASED_S)
    with pytest.raises(NodeRefused) as refused:
        alice.do(alice.graph.lookup, lambda answer: FindContact("bob", answer))
    assert refused.value.code is Code.BUSY
