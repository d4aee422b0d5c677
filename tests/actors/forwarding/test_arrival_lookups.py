"""Neither a sender nor the node sets how often a client looks names up."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.helpers.hostile import HostileWorld, RawClient
from usernym.actors.failures import NodeRefused
from usernym.actors.forwarding.arrival_lookups import LOOKUPS_MAX, LOOKUPS_OF_ONE_MAX, WINDOW_S
from usernym.actors.lookup import chain_fetch
from usernym.actors.lookup.unasked_work import HASHES_MAX
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.errors import Code
from usernym.protocol.limits import LOOKUP_BITS_MAX, SIGNATURE_BYTES
from usernym.protocol.lookup_work import make_ticket
from usernym.testing.world import SimClient


def met() -> tuple[HostileWorld, SimClient, RawClient]:
    """Alice, who has a message of bob's; and bob, who can write another."""
    world = HostileWorld()
    alice, bob = world.client("alice"), world.client("bob")
    writer = RawClient(world, "bob")
    writer.key = bob.user.key
    world.scripted.tell("alice", delivered(world, writer, 1, "one"))
    world.settle(10)
    assert alice.texts() == ["one"]
    return world, alice, writer


def delivered(world: HostileWorld, writer: RawClient, counter: int, words: str) -> m.Deliver:
    text = p.pad_payload(p.Text(counter, 1, bytes(16), None, None, words), first_contact=True)
    made = writer.forward("alice", world.scripted.records["alice"], text)
    seal = made.sealed, made.inner_signature, made.first_key
    return m.Deliver(bytes(16), counter, "bob", made.message_id, 1, *seal)


def lookups(world: HostileWorld) -> list[tuple[str, bytes]]:
    asked: list[Any] = [request for request in world.scripted.requests if isinstance(request, m.Lookup)]
    return sorted({(each.name, each.request_id) for each in asked})


def test_messages_that_do_not_verify_are_looked_up_with_pauses() -> None:
    world, alice, writer = met()
    before = len(lookups(world))
    good = delivered(world, writer, 2, "two")
    for number in range(3, 63):
        false = m.Deliver(bytes(16), number, "bob", bytes([number]) * 16, 1, good.sealed, bytes(SIGNATURE_BYTES), None)
        world.scripted.tell("alice", false)
        world.settle(2)
    begun = len(lookups(world)) - before
    assert 2 <= begun <= LOOKUPS_OF_ONE_MAX * (60 * 2 / WINDOW_S + 1), "60 messages within two minutes"
    world.scripted.tell("alice", good)
    world.settle(10)
    assert alice.texts() == ["one", "two"], "what verifies needs no lookup"
    world.check()


def test_messages_of_ever_new_names_cause_a_bounded_number_of_lookups() -> None:
    world, alice, writer = met()
    good = delivered(world, writer, 2, "two")
    world.settle(WINDOW_S)
    for number in range(90):
        name = f"invented{chr(97 + number // 26)}{chr(97 + number % 26)}"
        seal = good.sealed, bytes(SIGNATURE_BYTES), None
        world.scripted.tell("alice", m.Deliver(bytes(16), 3 + number, name, bytes([number]) * 16, 1, *seal))
        world.settle(0.2)
    asked = {name for name, _ in lookups(world) if name.startswith("invented")}
    assert len(asked) == LOOKUPS_MAX, "90 names within 18 seconds"
    world.settle(WINDOW_S)
    world.scripted.tell("alice", good)
    world.settle(10)
    assert alice.texts() == ["one", "two"]
    world.check()


def test_a_contact_who_names_ever_new_homes_causes_a_bounded_number_of_lookups() -> None:
    world, alice, writer = met()
    world.settle(WINDOW_S)
    before = len(lookups(world))
    for number in range(1, 41):
        told = delivered(world, writer, number, f"home {number}")
        text = p.Text(number * p.COUNTERS_A_HOME + 1, 1, bytes(16), None, None, f"home {number}")
        made = writer.forward("alice", world.scripted.records["alice"], p.pad_payload(text, first_contact=True))
        seal = {"sealed": made.sealed, "inner_signature": made.inner_signature, "message_id": made.message_id}
        world.scripted.tell("alice", msgspec.structs.replace(told, **seal))
        world.settle(3)
    assert len(alice.texts()) == 41
    begun = len(lookups(world)) - before
    assert 2 <= begun <= LOOKUPS_OF_ONE_MAX * (120 / WINDOW_S + 1)
    world.check()


def test_a_node_does_not_set_how_much_work_a_client_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """It delivers what makes the client look names up, and asks for the hardest work with each."""
    worked = []

    def search(_node: bytes, request: Any, ticket: int, _start: int, _tries: int) -> m.Paid:
        worked.append(request.name)
        return m.Paid(ticket, 1)

    monkeypatch.setattr(chain_fetch, "search_payment", search)
    world, alice, writer = met()
    good = delivered(world, writer, 2, "two")
    wants = make_ticket(world.sim.unix_s(), LOOKUP_BITS_MAX)
    world.scripted.lies[m.Lookup] = lambda request: [m.Refused(request.request_id, int(Code.WORK_WANTED), wants)]
    for number in range(60):
        name = f"invented{chr(97 + number // 26)}{chr(97 + number % 26)}"
        seal = good.sealed, bytes(SIGNATURE_BYTES), None
        world.scripted.tell("alice", m.Deliver(bytes(16), 3 + number, name, bytes([number]) * 16, 1, *seal))
        world.settle(5)
    assert len(worked) == HASHES_MAX >> LOOKUP_BITS_MAX, "within five minutes"
    with pytest.raises(NodeRefused):
        alice.look_up("carol")
    assert worked.count("carol") == chain_fetch.PAID_MAX, "what the user asks for is worked for all the same"
    assert alice.texts() == ["one"]
    world.check()
