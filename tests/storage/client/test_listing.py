"""The list of contacts: in a person's order, by the page, and with what only this device knows."""

from __future__ import annotations

from pathlib import Path

from usernym.storage.client.archive import export_archive, import_archive
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, DeliveryState, Route, Trust
from usernym.storage.keyfile import Argon2Cost

TEXT = 1
CHEAP = Argon2Cost(memory_kib=8, passes=1)


def store_of(*names: str, consent: Consent = Consent.ACCEPTED) -> ClientStore:
    store = ClientStore.open_plain()
    for name in names:
        store.contacts.add(name, bytes([7]) * 32, b"record", Trust.CONFIRMED, consent)
    return store


def receive(store: ClientStore, name: str, number: int, text: str = "hello") -> None:
    store.messages.add_incoming(
        contact=name, message_id=number.to_bytes(16, "big"), key_number=1, counter=number, kind=TEXT,
        body=text.encode(), token=None, sent_at=1, now=number, route=Route.NODE,
    )  # fmt: skip


def names(store: ClientStore, *, archived: bool | None = False, limit: int = 50) -> list[str]:
    """All pages, one after the other."""
    found, after = [], None
    while page := store.listing.page([Consent.ACCEPTED], limit, after, archived=archived):
        found += [line.contact.name for line in page]
        after = page[-1].place
    return found


def test_the_newest_conversation_is_on_top_and_pinned_ones_above_it() -> None:
    store = store_of("anna", "bert", "carl", "dora", "emil")
    receive(store, "bert", 1)
    store.messages.add_outgoing("dora", b"m" * 16, TEXT, b"mine", b"t", 2)
    store.listing.set("emil", is_pinned=True)
    expected = ["emil", "dora", "bert", "anna", "carl"]
    for limit in range(1, 7):
        assert names(store, limit=limit) == expected


def test_a_line_has_the_newest_text_and_what_is_unread() -> None:
    store = store_of("anna")
    receive(store, "anna", 1, "first")
    receive(store, "anna", 2, "é" * 1_000)
    line = store.listing.one("anna")
    assert line is not None
    assert line.last is not None
    assert (line.unread, line.last.beginning, line.last.outgoing) == (2, "é" * 200, False)
    assert store.listing.unread(100) == 2
    store.listing.set("anna", is_muted=True)
    assert store.listing.unread(100) == 0
    rows = store.listing.unread_rows("anna", line.last.row - 1, 10)
    store.messages.mark_shown(rows)
    line = store.listing.one("anna")
    assert line is not None
    assert line.unread == 1
    assert store.listing.one("nobody") is None


def test_what_happens_brings_a_conversation_back_from_the_archive_unless_it_is_muted() -> None:
    store = store_of("anna", "bert")
    for name in ("anna", "bert"):
        store.listing.set(name, is_archived=True, is_muted=name == "bert")
        receive(store, name, 1)
    assert names(store) == ["anna"]
    assert names(store, archived=True) == ["bert"]
    assert store.listing.counts(10)[Consent.ACCEPTED, True] == 1


def test_nicknames_and_drafts_are_kept_and_found() -> None:
    store = store_of("anna", "bert")
    assert store.listing.set("anna", nickname="Choir 100%")
    assert store.listing.set_draft("anna", "half a sen")
    assert not store.listing.set("nobody", nickname="x")
    assert not store.listing.set("nobody")
    assert not store.listing.set_draft("nobody", "x")
    assert store.listing.draft("anna") == "half a sen"
    assert [line.contact.name for line in store.listing.find("CHOIR", 5)] == ["anna"]
    assert [line.contact.name for line in store.listing.find("er", 5)] == ["bert"]
    assert store.listing.find("%", 5)[0].has_draft
    assert store.listing.find("_", 5) == []


def test_a_backup_keeps_the_order_and_what_was_chosen(tmp_path: Path) -> None:
    store = store_of("anna", "bert")
    receive(store, "anna", 1)
    receive(store, "bert", 2)
    store.listing.set("anna", nickname="A", is_pinned=True)
    export_archive(store, tmp_path / "backup", "passphrase", b"owner", cost=CHEAP)
    other = store_of("carl")
    receive(other, "carl", 1)
    import_archive(other, tmp_path / "backup", "passphrase", b"owner")
    assert names(other) == ["anna", "carl", "bert"]
    line = other.listing.one("anna")
    assert line is not None
    assert (line.nickname, line.last is not None) == ("A", True)
    for name in ("anna", "bert", "carl"):
        newest = other.history.of_kind(name, TEXT, 1)[0]
        found = other.listing.one(name)
        assert found is not None
        assert (found.last_row, found.last and found.last.state) == (newest.id, DeliveryState.DELIVERED)


def test_a_page_is_read_along_an_index_and_nothing_is_sorted() -> None:
    store = store_of("anna")
    plan = store.database.rows(
        "EXPLAIN QUERY PLAN SELECT name FROM contact WHERE consent IN (1) AND is_archived = 0"
        " ORDER BY is_pinned DESC, last_row DESC, name LIMIT 50"
    )
    assert len(plan) == 1
    assert "contact_list" in plan[0][3]
