"""Contacts, conversations, the outbox."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import pytest

from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import (
    Consent,
    Contact,
    DeliveryState,
    Direction,
    Fallback,
    HandshakeState,
    OutboxRow,
    Route,
    Trust,
)
from usernym.storage.errors import RowConflict

KEY = b"k" * 32
BOB = Contact(
    "bob", KEY, b"record", None, Trust.CONFIRMED, Consent.ACCEPTED, 1, 0, 0, False, 0,
    HandshakeState.NONE, None, Fallback.NODE, None, None, None, False,
)  # fmt: skip


def id_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


@pytest.fixture(autouse=True)
def _bob(client: ClientStore) -> None:
    assert client.contacts.add("bob", KEY, b"record", Trust.CONFIRMED, Consent.ACCEPTED)


def bob(client: ClientStore) -> Contact:
    found = client.contacts.get("bob")
    assert found is not None
    return found


def send(client: ClientStore, number: int, contact: str = "bob", now: int = 10) -> None:
    client.messages.add_outgoing(contact, id_of(number), 1, b"text %d" % number, b"t" * 16, now)


def receive(client: ClientStore, number: int, contact: str = "bob", **changes: Any) -> bool:
    fields: dict[str, Any] = {
        "contact": contact,
        "message_id": id_of(number),
        "key_number": 1,
        "counter": number,
        "kind": 1,
        "body": b"text",
        "token": b"T" * 16,
        "sent_at": 8,
        "now": 9,
        "route": Route.NODE,
    }
    return client.messages.add_incoming(**{**fields, **changes})


# -- contacts --


def test_a_contact_is_added_once(client: ClientStore) -> None:
    assert bob(client) == BOB
    assert not client.contacts.add("bob", b"x" * 32, b"other", Trust.VERIFIED, Consent.BLOCKED)
    assert bob(client) == BOB
    client.contacts.add("ann", KEY, b"r", Trust.VERIFIED, Consent.PENDING)
    assert [each.name for each in client.contacts.all()] == ["ann", "bob"]
    assert [each.name for each in client.contacts.all(Consent.PENDING)] == ["ann"]
    assert client.contacts.get("cat") is None


def test_each_change_of_a_contact_changes_nothing_else(client: ClientStore) -> None:
    client.contacts.add("cat", KEY, b"record", Trust.CONFIRMED, Consent.ACCEPTED)
    expected = BOB
    assert client.contacts.pin("bob", KEY, b"newer")
    expected = replace(expected, record=b"newer")
    assert bob(client) == expected
    assert client.contacts.set_trust("bob", Trust.CHANGED)
    assert client.contacts.set_consent("bob", Consent.BLOCKED)
    assert client.contacts.set_fallback("bob", Fallback.DIRECT_ONLY)
    assert client.contacts.set_told_record("bob", 4)
    assert client.contacts.set_met("bob")
    expected = replace(expected, trust=Trust.CHANGED, consent=Consent.BLOCKED)
    expected = replace(expected, fallback=Fallback.DIRECT_ONLY, told_record_number=4, has_met=True)
    assert bob(client) == expected
    assert client.contacts.get("cat") == replace(BOB, name="cat")


def test_changes_of_an_unknown_contact_say_so(client: ClientStore) -> None:
    assert not client.contacts.set_trust("cat", Trust.VERIFIED)
    assert not client.contacts.set_handshake("cat", HandshakeState.OFFERED, None)
    assert client.contacts.take_out_counter("cat") is None


def test_the_direct_route(client: ClientStore) -> None:
    assert client.contacts.set_handshake("bob", HandshakeState.OFFERED, None)
    assert client.contacts.set_direct_silent("bob", 60)
    expected = replace(BOB, handshake=HandshakeState.OFFERED, direct_silent_since=60)
    assert bob(client) == expected
    client.contacts.set_handshake("bob", HandshakeState.ACTIVE, b"a" * 96)
    assert bob(client) == replace(
        expected, handshake=HandshakeState.ACTIVE, peer_address=b"a" * 96, direct_silent_since=None
    ), "the silence ends"
    client.contacts.set_handshake("bob", HandshakeState.ENDED_BY_ME, None)
    assert bob(client) == replace(BOB, handshake=HandshakeState.ENDED_BY_ME)


def test_counters_are_taken_once_by_however_many_threads(client: ClientStore) -> None:
    def take(_: int) -> list[int | None]:
        return [client.contacts.take_out_counter("bob") for _ in range(50)]

    with ThreadPoolExecutor(4) as pool:
        taken = [number for numbers in pool.map(take, range(4)) for number in numbers]
    assert sorted(number or 0 for number in taken) == list(range(1, 201))
    assert bob(client).next_out_counter == 201


# -- messages --


def test_an_outgoing_message_and_its_outbox_row(client: ClientStore) -> None:
    message = client.messages.add_outgoing("bob", id_of(1), 7, b"hello", b"t" * 16, 10)
    assert client.messages.get("bob", id_of(1)) == client.messages.outgoing(id_of(1), None) == message
    assert (message.counter, message.kind, message.body, message.token) == (1, 7, b"hello", b"t" * 16)
    assert (message.direction, message.state, message.route, message.shown) == (
        Direction.OUT, DeliveryState.WAITING, Route.NODE, True,
    )  # fmt: skip
    assert client.messages.outbox_row(id_of(1)) == OutboxRow(id_of(1), "bob", None, None, 0, 10, 10)
    assert client.messages.due(9, 9) == []
    assert client.messages.outgoing(id_of(1), "cat") is None
    assert client.messages.get("bob", id_of(1), Direction.IN) is None


@pytest.mark.parametrize("mistake", ["unknown contact", "repeated id"])
def test_a_message_that_cannot_be_kept_leaves_no_trace(client: ClientStore, mistake: str) -> None:
    send(client, 1)
    with pytest.raises(RowConflict):
        send(client, 2, "cat") if mistake == "unknown contact" else send(client, 1)
    assert len(client.messages.due(99, 9)) == len(client.messages.conversation("bob", 9)) == 1
    assert bob(client).next_out_counter == 2, "no counter was used up"


def test_an_incoming_message_is_kept_once(client: ClientStore) -> None:
    assert receive(client, 4)
    assert not receive(client, 4, body=b"again", now=20)
    (message,) = client.messages.conversation("bob", 9)
    assert (message.body, message.counter, message.state, message.token) == (
        b"text", 4, DeliveryState.DELIVERED, b"T" * 16,
    )  # fmt: skip
    assert client.messages.incoming_token("bob", id_of(4)) == b"T" * 16
    assert client.messages.incoming_token("bob", id_of(5)) is None
    assert (bob(client).has_met, bob(client).highest_in_counter) == (True, 4)
    receive(client, 2)
    assert bob(client).highest_in_counter == 4


def test_an_id_belongs_to_its_sender(client: ClientStore) -> None:
    client.contacts.add("mal", KEY, b"r", Trust.CONFIRMED, Consent.ACCEPTED)
    assert receive(client, 1, "mal")
    assert receive(client, 1), "nobody uses up an id of another's message"


def test_an_incoming_message_of_a_stranger_leaves_no_trace(client: ClientStore) -> None:
    with pytest.raises(RowConflict):
        receive(client, 1, "cat")
    assert not client.messages.was_seen("cat", id_of(1))


def test_a_conversation_is_paged_backwards(client: ClientStore) -> None:
    for number in range(1, 6):
        send(client, number) if number % 2 else receive(client, number)
    last = client.messages.conversation("bob", 2)
    assert [each.message_id for each in last] == [id_of(4), id_of(5)]
    assert [each.message_id for each in client.messages.conversation("bob", 9, before=last[0].id)] == [
        id_of(1), id_of(2), id_of(3),
    ]  # fmt: skip


def test_gaps_are_counted_by_distinct_counters(client: ClientStore) -> None:
    for number, counter in ((1, 1), (2, 2), (3, 2), (4, 5)):
        receive(client, number, counter=counter)
    send(client, 9)
    assert [client.messages.received_below("bob", counter) for counter in (1, 2, 5, 6)] == [0, 1, 2, 3]
    assert client.messages.received_below("cat", 9) == 0


FINAL = (DeliveryState.EXPIRED, DeliveryState.REFUSED, DeliveryState.CANCELLED)
RISING = {
    DeliveryState.WAITING: {DeliveryState.ACCEPTED, DeliveryState.DELIVERED, *FINAL},
    DeliveryState.ACCEPTED: {DeliveryState.DELIVERED, *FINAL},
    **{state: {DeliveryState.DELIVERED} for state in FINAL},
    DeliveryState.DELIVERED: set(),
}


@pytest.mark.parametrize(("before", "after"), list(product(RISING, RISING)))
def test_states_follow_only_in_rising_rank(client: ClientStore, before: DeliveryState, after: DeliveryState) -> None:
    send(client, 1)
    client.messages.advance("bob", id_of(1), before, 42)
    changes = after in RISING[before]
    assert client.messages.advance("bob", id_of(1), after, None) is changes
    message = client.messages.get("bob", id_of(1))
    assert message is not None
    assert message.state is (after if changes else before)
    assert message.reason == (None if changes or before is DeliveryState.WAITING else 42)
    finished = {before, after} & {DeliveryState.DELIVERED, *FINAL}
    assert (client.messages.outbox_row(id_of(1)) is None) is bool(finished)
    assert bob(client).has_met is (message.state is DeliveryState.DELIVERED)


def test_only_messages_of_ones_own_advance(client: ClientStore) -> None:
    receive(client, 1)
    assert not client.messages.advance("bob", id_of(1), DeliveryState.DELIVERED)
    assert not client.messages.set_route("bob", id_of(1), Route.DIRECT)
    assert client.messages.conversation("bob", 1)[0].state is DeliveryState.DELIVERED


def test_what_was_not_shown(client: ClientStore) -> None:
    for name, state in (("pat", Consent.PENDING), ("dec", Consent.DECLINED), ("blo", Consent.BLOCKED)):
        client.contacts.add(name, KEY, b"r", Trust.CONFIRMED, state)
    send(client, 1)
    for number, name in enumerate(("bob", "blo", "pat", "dec", "bob"), start=2):
        receive(client, number, name)
    assert [each.message_id for each in client.messages.unshown(9)] == [id_of(2), id_of(4), id_of(6)]
    assert [each.message_id for each in client.messages.unshown(1)] == [id_of(2)]
    client.messages.mark_shown([each.id for each in client.messages.unshown(2)])
    assert [each.message_id for each in client.messages.unshown(9)] == [id_of(6)]
    client.contacts.set_consent("dec", Consent.ACCEPTED)
    assert [each.message_id for each in client.messages.unshown(9)] == [id_of(5), id_of(6)]


# -- the outbox --


def test_the_outbox_is_served_by_date_and_then_in_order(client: ClientStore) -> None:
    for number in (3, 1, 2):
        send(client, number)
    assert [message_id for message_id, _ in client.messages.due(10, 9)] == [id_of(3), id_of(1), id_of(2)]
    assert client.messages.postpone(id_of(3), 2, 50)
    assert [message_id for message_id, _ in client.messages.due(10, 9)] == [id_of(1), id_of(2)]
    assert [message_id for message_id, _ in client.messages.due(50, 9)] == [id_of(1), id_of(2), id_of(3)]
    assert [message_id for message_id, _ in client.messages.due(50, 1)] == [id_of(1)]
    row = client.messages.outbox_row(id_of(3))
    assert row is not None
    assert (row.attempts, row.next_attempt_at) == (2, 50)
    assert client.messages.retry_all_now(20) == 1
    assert len(client.messages.due(20, 9)) == 3
    assert [row.message_id for row in client.messages.outbox_of("bob")] == [id_of(3), id_of(1), id_of(2)]
    assert client.messages.outbox_of("cat") == []
    assert not client.messages.postpone(id_of(9), 1, 1)


def test_a_seal_is_kept_until_the_message_is_queued_anew(client: ClientStore) -> None:
    send(client, 1)
    assert client.messages.save_seal(id_of(1), b"sealed", 3)
    message = client.messages.get("bob", id_of(1))
    assert message is not None
    assert message.key_number == 3
    assert client.messages.outbox_row(id_of(1)) == OutboxRow(id_of(1), "bob", 3, b"sealed", 0, 10, 10)
    client.messages.advance("bob", id_of(1), DeliveryState.ACCEPTED)
    assert client.messages.outbox_row(id_of(1)) == OutboxRow(id_of(1), "bob", 3, b"sealed", 0, None, 10)
    assert client.messages.due(99, 9) == []
    assert client.messages.retry_all_now(99) == 0, "the node has it: only word is awaited"
    assert client.messages.requeue("bob", id_of(1), 1, 60)
    assert client.messages.outbox_row(id_of(1)) == OutboxRow(id_of(1), "bob", None, None, 1, 60, 10)
    assert not client.messages.advance("bob", id_of(1), DeliveryState.ACCEPTED), "no news"
    assert client.messages.due(99, 9) == [], "and yet it rests again"


def test_word_is_awaited_from_the_first_look_that_finds_a_message_at_the_node(client: ClientStore) -> None:
    def unanswered(now: int, limit: int = 9) -> list[bytes]:
        return [message.message_id for message in client.messages.unanswered(now, 100, limit)]

    for number in (1, 2, 3):
        send(client, number)
    assert unanswered(1_000) == [], "they wait here"
    for number in (1, 2):
        client.messages.advance("bob", id_of(number), DeliveryState.ACCEPTED)
    assert unanswered(1_000) == unanswered(1_099) == []
    assert unanswered(1_100, 1) == [id_of(1)]
    assert unanswered(1_100) == [id_of(1), id_of(2)]
    client.messages.advance("bob", id_of(1), DeliveryState.EXPIRED)
    assert unanswered(1_100) == [id_of(2)]
    assert client.messages.requeue("bob", id_of(2), 1, 1_100)
    assert unanswered(9_000) == [], "it is to be sent again, however long that takes"
    client.messages.advance("bob", id_of(2), DeliveryState.ACCEPTED)
    assert unanswered(9_000) == unanswered(9_099) == [], "a new term"
    assert unanswered(5_000) == unanswered(5_099) == [], "the clock was ahead: from now on"
    assert unanswered(5_100) == [id_of(2)]
    client.messages.advance("bob", id_of(2), DeliveryState.DELIVERED)
    assert unanswered(5_100) == []


def test_only_what_the_user_wrote_is_awaited(client: ClientStore) -> None:
    """Another's message may have the same id."""
    client.messages.add_incoming(
        contact="bob", message_id=id_of(1), key_number=1, counter=1, kind=1, body=b"x", token=None, sent_at=1, now=1,
        route=Route.NODE,
    )  # fmt: skip
    send(client, 1)
    client.messages.advance("bob", id_of(1), DeliveryState.ACCEPTED)
    client.messages.unanswered(1, 9, 9)
    assert [message.direction for message in client.messages.unanswered(10, 9, 9)] == [Direction.OUT]


def test_why_a_message_waits_is_noted_until_it_does_not(client: ClientStore) -> None:
    send(client, 1)
    assert client.messages.set_reason("bob", id_of(1), 62)
    assert not client.messages.set_reason("bob", id_of(1), 62), "no news"
    assert client.messages.set_reason("bob", id_of(1), 63)
    client.messages.advance("bob", id_of(1), DeliveryState.ACCEPTED)
    message = client.messages.get("bob", id_of(1))
    assert message is not None
    assert message.reason is None
    assert not client.messages.set_reason("bob", id_of(1), 62)


def test_a_message_whose_fate_is_final_is_not_queued_anew(client: ClientStore) -> None:
    send(client, 1)
    client.messages.advance("bob", id_of(1), DeliveryState.REFUSED, 62)
    assert not client.messages.requeue("bob", id_of(1), 1, 60)
    assert not client.messages.requeue("bob", id_of(2), 1, 60)
    assert client.messages.due(99, 9) == []
    assert not client.messages.save_seal(id_of(1), b"sealed", 3)


def test_a_message_out_of_the_outbox_can_come_back(client: ClientStore) -> None:
    send(client, 1)
    assert client.messages.remove_outgoing(id_of(1))
    assert not client.messages.remove_outgoing(id_of(1))
    assert client.messages.requeue("bob", id_of(1), 4, 60)
    assert client.messages.outbox_row(id_of(1)) == OutboxRow(id_of(1), "bob", None, None, 4, 60, 60)


def test_the_route_of_a_message(client: ClientStore) -> None:
    send(client, 1)
    assert client.messages.set_route("bob", id_of(1), Route.DIRECT)
    message = client.messages.get("bob", id_of(1))
    assert message is not None
    assert message.route is Route.DIRECT


def test_a_group_of_writes_commits_as_one(client: ClientStore) -> None:
    def write_and_fail() -> None:
        with client.transaction():
            send(client, 1)
            receive(client, 2)
            client.notices.add([1])
            raise KeyError

    with pytest.raises(KeyError):
        write_and_fail()
    assert (client.messages.conversation("bob", 9), client.messages.due(99, 9)) == ([], [])
    assert client.notices.oldest(9) == []
    assert bob(client) == BOB


def test_ranks_have_no_holes() -> None:
    ranks = sorted({state.rank for state in DeliveryState})
    assert all(after - before == 1 for before, after in pairwise(ranks))
