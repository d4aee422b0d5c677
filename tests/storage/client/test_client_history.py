"""History in the store: pages, search, erasing."""

from __future__ import annotations

from pathlib import Path

import pytest

from usernym.storage.client import history
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, DeliveryState, Direction, Message, Route, Trust

TEXT, OFFER = 1, 3


def store_with(count: int) -> ClientStore:
    """Texts of both sides by turns, and an offer after each ten."""
    store = ClientStore.open_plain()
    for name in ("alice", "carol"):
        store.contacts.add(name, b"k" * 32, b"record", Trust.CONFIRMED, Consent.ACCEPTED)
    for number in range(count):
        kind = OFFER if number % 10 == 9 else TEXT
        if number % 2:
            store.messages.add_outgoing("alice", b"%016d" % number, kind, b"Out %d." % number, b"t" * 16, number)
        else:
            store.messages.add_incoming(
                contact="alice", message_id=b"%016d" % number, key_number=1, counter=number // 2 + 1, kind=kind,
                body=b"In %d." % number, token=b"t" * 16, sent_at=number, now=number, route=Route.NODE,
            )  # fmt: skip
    return store


def bodies(messages: list[Message]) -> list[bytes]:
    return [message.body for message in messages]


def test_pages_join_to_the_whole_and_hold_texts_only() -> None:
    store = store_with(57)
    whole = list(store.history.of_kind("alice", TEXT, 1000))
    assert len(whole) == 52
    joined: list[Message] = []
    while page := list(store.history.of_kind("alice", TEXT, 7, joined[0].id if joined else None)):
        assert len(page) == 7 or page[0] == whole[0]
        joined = page + joined
    assert joined == whole
    assert list(store.history.of_kind("carol", TEXT, 9)) == []


def test_search_finds_in_texts_of_those_who_are_heard() -> None:
    store = store_with(30)
    assert bodies(list(store.history.search("oUt 2", TEXT, 9))) == [b"Out 27.", b"Out 25.", b"Out 23.", b"Out 21."]
    newest = store.history.search("out 2", TEXT, 2)
    assert bodies(list(store.history.search("out 2", TEXT, 9, "alice", newest[-1].id))) == [b"Out 23.", b"Out 21."]
    assert list(store.history.search("out 2", TEXT, 9, "carol")) == []
    assert list(store.history.search("%", TEXT, 9)) == [], "no pattern, but a text"
    assert list(store.history.search("out 9", TEXT, 9)) == [], "an offer is no text"
    store.contacts.set_consent("alice", Consent.DECLINED)
    assert list(store.history.search("out", TEXT, 9)) == []


@pytest.mark.parametrize("count", [1, 2, 3, 7, 1_000])
def test_parts_find_what_a_whole_search_finds(count: int) -> None:
    store = store_with(30)
    store.messages.mark_shown([each.id for each in store.messages.unshown(9)], 1)
    found: list[Message] = []
    before, parts = None, 0
    while True:
        since = store.history.row_back(before, count)
        part = store.history.search("t 2", TEXT, 99, None, before, since)
        assert len(part) <= 2 * count
        found += part
        parts += 1
        if since is None:
            break
        before = since
    assert list(found) == list(store.history.search("t 2", TEXT, 99))
    assert len(found) > 3
    assert parts == 1 or count < 1_000


def test_search_finds_in_the_order_of_conversations() -> None:
    """Also over the line between what was shown and what was not, at any page size; by indexes, not by sorting all."""
    store = store_with(0)
    for number, (name, counter) in enumerate([("alice", 3), ("alice", 1), ("carol", 2), ("alice", 2), ("carol", 1)], 1):
        store.messages.add_incoming(
            contact=name, message_id=b"%016d" % number, key_number=1, counter=counter, kind=TEXT,
            body=b"%s %d" % (name.encode(), counter), token=b"t" * 16, sent_at=number, now=number, route=Route.NODE,
        )  # fmt: skip
    expected = [b"carol 2", b"carol 1", b"alice 3", b"alice 2", b"alice 1"]
    unshown = [row.id for row in store.messages.unshown(9)]
    for shown in ([], unshown[:1], unshown[2:4], unshown):
        store.messages.mark_shown(shown)
        assert bodies(list(store.history.search(" ", TEXT, 9))) == expected
        of_alice = list(store.history.search(" ", TEXT, 9, "alice"))
        assert of_alice == list(store.history.of_kind("alice", TEXT, 9))[::-1]
        for size in (1, 2):
            found: list[Message] = []
            while page := store.history.search(" ", TEXT, size, before=found[-1].id if found else None):
                found += page
            assert bodies(found) == expected
    for statement in (history._SEARCH_ALL, history._SEARCH_ONE):
        plan = store.database.rows(f"EXPLAIN QUERY PLAN {statement}", [None] * statement.count("?"))
        assert not [step for step in plan if "TEMP B-TREE" in str(step) or "SCAN message" in str(step)], plan


def test_what_was_erased_is_gone_leaves_no_gap_and_is_not_sent() -> None:
    store = store_with(20)
    first, second = store.history.of_kind("alice", TEXT, 1000)[:2]
    assert (first.direction, second.direction) == (Direction.IN, Direction.OUT)
    assert store.messages.outbox_row(second.message_id) is not None
    assert store.history.erase([first.id, second.id, 10**6], TEXT) == 2
    assert store.history.erase([first.id, second.id], TEXT) == 0
    assert store.messages.outbox_row(second.message_id) is None
    assert store.messages.received_below("alice", 3) == 2, "what came has come"
    assert store.messages.was_seen("alice", first.message_id)
    assert store.messages.incoming_token("alice", first.message_id) == b"t" * 16
    assert list(store.history.search("In 0.", TEXT, 9)) == []
    assert store.history.erase_all("alice", TEXT) == 16
    assert list(store.history.of_kind("alice", TEXT, 99)) == []
    assert len(store.messages.conversation("alice", 99)) > 2, "offers are part of a handshake, and stay"
    assert store.messages.unshown(99, {TEXT}) == []
    assert store.contacts.get("alice") is not None


def test_what_disappeared_is_in_no_file_any_more(tmp_path: Path) -> None:
    store = ClientStore.open_plain(tmp_path / "client.db", synchronous="FULL")
    store.contacts.add("alice", b"k" * 32, b"record", Trust.CONFIRMED, Consent.ACCEPTED)
    secrets = [b"the first secret", b"the second secret" * 1000]
    for number, secret in enumerate(secrets, 1):
        store.messages.add_incoming(
            contact="alice", message_id=b"%016d" % number, key_number=1, counter=number, kind=TEXT, body=secret,
            token=b"t" * 16, sent_at=1, now=1, route=Route.NODE,
        )  # fmt: skip
        store.messages.add_outgoing("alice", b"%016d" % (10 + number), TEXT, b"mine: " + secret, b"t" * 16, 1)
        store.messages.save_seal(b"%016d" % (10 + number), b"sealed " + secret, 1)
        store.messages.advance("alice", b"%016d" % (10 + number), DeliveryState.DELIVERED)
    store.messages.mark_shown([row.id for row in store.messages.unshown(9)])

    def found() -> bool:
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        return any(secret[:16] in content for secret in secrets)

    assert found()
    assert store.history.erase_old("alice", TEXT, 1, 99) == 4
    assert store.empty_journal()
    assert not found()
    store.close()


def test_only_what_is_old_shown_and_settled_is_erased() -> None:
    store = store_with(0)

    def receive(number: int, now: int, shown_at: int | None) -> None:
        store.messages.add_incoming(
            contact="alice", message_id=b"%016d" % number, key_number=1, counter=number, kind=TEXT,
            body=b"In %d" % number, token=b"t" * 16, sent_at=1, now=now, route=Route.NODE,
        )  # fmt: skip
        if shown_at is not None:
            store.messages.mark_shown([row.id for row in store.messages.unshown(9) if row.counter == number], shown_at)

    receive(1, 10, 10)
    receive(2, 10, 51)
    receive(3, 10, None)
    receive(4, 51, 40)  # shown by a clock that was put back in between
    receive(5, 50, 50)
    for number, state in enumerate(DeliveryState, 100):
        store.messages.add_outgoing("alice", b"%016d" % number, TEXT, b"Out %s" % state.name.encode(), b"t" * 16, 50)
        store.messages.advance("alice", b"%016d" % number, state)
    store.messages.add_outgoing("alice", b"%016d" % 200, OFFER, b"an offer", b"t" * 16, 1)
    store.messages.advance("alice", b"%016d" % 200, DeliveryState.DELIVERED)
    assert store.history.erase_old("carol", TEXT, 99, 99) == 0
    assert store.history.erase_old("alice", TEXT, 49, 1) == 1
    assert store.history.erase_old("alice", TEXT, 49, 99) == 0
    assert store.history.erase_old("alice", TEXT, 50, 99) == 5
    assert bodies(list(store.history.of_kind("alice", TEXT, 99))) == [
        b"In 2",
        b"In 3",
        b"In 4",
        b"Out WAITING",
        b"Out ACCEPTED",
    ]
    store.messages.mark_shown([row.id for row in store.history.of_kind("alice", TEXT, 99)], 60)
    assert store.history.erase_old("alice", TEXT, 59, 99) == 2, "the first showing counts"
    assert store.history.erase_old("alice", TEXT, 60, 99) == 1
    assert len(store.messages.conversation("alice", 99)) == 5 + 2 + 1, "incoming ones keep their places"
