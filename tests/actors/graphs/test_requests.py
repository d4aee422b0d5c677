"""What users of such systems ask for, where no other file shows it; `docs/requests.md` names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.hostile import RawClient, Wiretap
from usernym.actors import messages as msg
from usernym.actors.events import MessageArrived
from usernym.actors.mixnet_io import node as mixnet_io
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.storage.client.types import Consent, DeliveryState
from usernym.testing.world import SimClient, World

ROOT = Path(__file__).parents[3]


def test_every_test_that_the_page_names_is_there() -> None:
    page = (ROOT / "docs" / "requests.md").read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page)
    assert len(named) > 10
    for path, name in named:
        assert (ROOT / path).exists(), path
        assert not name or f"def {name}(" in (ROOT / path).read_text(), name


def cancel(client: SimClient, message_id: bytes) -> bool:
    done: bool = client.do(client.graph.forwarding, lambda answer: msg.CancelText(message_id, answer))
    return done


# -- pending cannot be cancelled --------------------------------------------------------------------------------------


def test_what_waits_can_be_cancelled_and_is_never_sent() -> None:
    world = World()
    tap = Wiretap(world)
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    world.mixnet.offline(alice.client_number)
    world.settle(150)
    message_id = alice.send("bob", "better not")
    kept = alice.send("bob", "this one")
    sent = len(tap.of(alice.client_number, m.Forward))
    assert cancel(alice, message_id)
    assert not cancel(alice, message_id), "once"
    alice.restart()
    alice.go_online()
    alice.wait_for_state(kept, DeliveryState.DELIVERED, 600)
    assert bob.texts() == ["hello", "this one"]
    assert len(tap.of(alice.client_number, m.Forward)) == sent + 1
    row = alice.store.messages.get("bob", message_id)
    assert row is not None
    assert row.state is DeliveryState.CANCELLED
    assert bob.of_kind(MessageArrived)[-1].missing == 1, "its place in the conversation shows"
    world.check()


def test_what_the_node_has_cannot_be_cancelled() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    bob.kill()
    message_id = alice.send_and_wait("bob", "too late", DeliveryState.ACCEPTED)
    assert not cancel(alice, message_id)
    assert not cancel(alice, bytes(16))
    alice.offer("bob")
    world.mixnet.offline(alice.client_number)
    offer = next(
        row for row in alice.store.messages.conversation("bob", 9) if row.kind == msg.PayloadKind.HANDSHAKE_OFFER
    )
    assert not cancel(alice, offer.message_id), "a handshake is ended by a revocation"
    bob.start()
    bob.go_online()
    world.settle(5)
    assert bob.texts() == ["too late"]
    world.check()


def test_a_receipt_for_what_was_cancelled_too_late_is_shown() -> None:
    """All answers were lost, so it waited; but a try had reached the node."""
    world = World()
    tap = Wiretap(world)
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    world.settle(20)
    tap.cut.add(world.node.client_number)
    message_id = alice.send("bob", "there after all")
    world.settle(8)
    assert cancel(alice, message_id)
    tap.cut.clear()
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 300)
    assert alice.states(message_id) == [DeliveryState.CANCELLED, DeliveryState.DELIVERED]
    assert bob.texts() == ["there after all"]
    world.check()


# -- declined by mistake, and blocked on purpose ----------------------------------------------------------------------


def test_a_contact_that_was_declined_by_mistake_comes_back_with_what_it_wrote() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob", accept_strangers=False)
    first = alice.send_and_wait("bob", "may I?", DeliveryState.ACCEPTED)
    world.settle(10)
    bob.store.contacts.set_consent("alice", Consent.DECLINED)
    alice.send_and_wait("bob", "hello?", DeliveryState.ACCEPTED)
    world.settle(10)
    assert [event.text for event in bob.of_kind(MessageArrived)] == ["may I?"]
    assert bob.store.messages.unshown(9) == []
    bob.store.contacts.set_consent("alice", Consent.ACCEPTED)
    assert [row.body for row in bob.store.messages.unshown(9)] == [b"may I?", b"hello?"]
    alice.send_and_wait("bob", "thanks")
    assert bob.of_kind(MessageArrived)[-1].text == "thanks"
    assert alice.states(first) == [DeliveryState.ACCEPTED], "she was never told"
    world.check()


def test_who_is_blocked_sends_into_the_void_and_fills_no_disk() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    bob.store.contacts.set_consent("alice", Consent.BLOCKED)
    rows = len(bob.store.messages.conversation("alice", 100))
    for number in range(3):
        message_id = alice.send_and_wait("bob", f"spam {number}", DeliveryState.ACCEPTED)
        world.settle(30)
        assert alice.states(message_id) == [DeliveryState.ACCEPTED], "nothing tells her"
    assert bob.texts() == ["hello"]
    assert len(bob.store.messages.conversation("alice", 100)) == rows
    assert not world.node.store.mailbox.waiting("bob", 1), "nor the node's"
    bob.store.contacts.set_consent("alice", Consent.ACCEPTED)
    alice.send_and_wait("bob", "sorry")
    assert bob.texts() == ["hello", "sorry"]
    assert bob.of_kind(MessageArrived)[-1].missing == 3
    world.check()


# -- overload without identities --------------------------------------------------------------------------------------


def test_more_lookups_than_a_node_can_queue_are_refused_and_others_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixnet_io, "LOOKUPS_FREE_MAX", 5)
    world = World()
    alice, _bob = world.client("alice"), world.client("bob")
    flood = RawClient(world, "nobody_here")
    lookup: Any = next(actor for actor in world.node.runtime.actors if actor.name == "lookup")
    world.sim.hold([lookup], 4)
    for _number in range(200):
        flood.throw(flood.encode(m.Lookup(flood.new_id(), 2, "bob")))
    world.settle(1)
    assert lookup.backlog() == 5
    alice.look_up("bob")
    refused = flood.received(m.Refused)
    assert world.node.counters()["io"]["work_wanted"] == len(refused) + 1, "she has paid, and was let in"
    assert {answer.code for answer in refused} == {Code.WORK_WANTED}
    assert len(flood.received(m.Found)) + len(refused) == 200
    assert lookup.backlog() == 0
    alice.send_and_wait("bob", "still served")
    world.check()
