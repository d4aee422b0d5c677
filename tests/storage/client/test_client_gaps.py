"""Gaps and late arrivals as the store keeps them, beside the same by counting; and a store of the first schema."""

from __future__ import annotations

import contextlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from usernym.storage.client.archive import export_archive, import_archive
from usernym.storage.client.schema import CLIENT_SCHEMA
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, Route, Trust
from usernym.storage.database import StoreDatabase
from usernym.storage.keyfile import Argon2Cost, create_key

CHEAP = Argon2Cost(memory_kib=8, passes=1)


def receive(store: ClientStore, number: int, counter: int, contact: str = "bob") -> None:
    assert store.messages.add_incoming(
        contact=contact, message_id=b"%016d" % number, key_number=1, counter=counter, kind=1, body=b"text",
        token=None, sent_at=number, now=number, route=Route.NODE,
    )  # fmt: skip


def store_of(counters: list[int]) -> ClientStore:
    store = ClientStore.open_plain()
    for name in ("bob", "cat"):
        store.contacts.add(name, b"k" * 32, b"record", Trust.CONFIRMED, Consent.ACCEPTED, 1)
    for number, counter in enumerate(counters):
        receive(store, number, counter)
    return store


COUNTERS = st.lists(st.integers(1, 30) | st.just(2**32 - 1), max_size=30)


@given(COUNTERS)
def test_gaps_are_what_counting_finds(counters: list[int]) -> None:
    store = store_of(counters)
    gaps = store.gaps.of("bob")
    for counter in range(1, 33):
        assert gaps.below(counter) == min(counter - 1, max(counters, default=0)) - store.messages.received_below(
            "bob", counter
        )
    for counter in set(counters):
        missing = counter - 1 - store.messages.received_below("bob", counter)
        assert store.gaps.missing_below("bob", counter) == gaps.below(counter) == missing
    assert store.gaps.of("cat").below(99) == 0
    late = [message.late for message in store.messages.conversation("bob", 99)]
    assert late == [counter < max(counters[:at], default=0) for at, counter in enumerate(counters)]
    store.gaps.find()
    assert store.gaps.of("bob") == gaps, "found anew, they are the same"
    store.close()


def test_a_backup_brings_its_messages_and_the_gaps_are_right(tmp_path: Path) -> None:
    source = store_of([1, 2, 4, 3])
    source.contacts.set_disappearing("bob", 3600)
    export_archive(source, tmp_path / "backup", "pass", b"me", cost=CHEAP)
    target = store_of([])
    receive(target, 8, 9)
    assert target.gaps.of("bob").ranges == [(1, 8)]
    import_archive(target, tmp_path / "backup", "pass", b"me")
    assert target.gaps.of("bob").ranges == [(5, 8)]
    assert [message.late for message in target.messages.conversation("bob", 9)] == [False, False, False, True, False]
    assert target.contacts.disappearing() == [("bob", 3600)]
    target.contacts.set_disappearing("bob", 60)
    import_archive(target, tmp_path / "backup", "pass", b"me")
    assert target.contacts.disappearing() == [("bob", 60)], "what was chosen here since stays"


def first_schema(path: Path, key: bytes) -> None:
    """A store as version 1 of the schema had it, with what its version of the program wrote."""
    database = StoreDatabase(path, key=key)
    database.execute_sql(f"PRAGMA application_id = {CLIENT_SCHEMA.application_id}")
    database.row("PRAGMA journal_mode = WAL")
    for statement in CLIENT_SCHEMA.migrations[0]:
        database.execute_sql(statement)
    database.execute_sql("PRAGMA user_version = 1")
    for name, highest in (("bob", 9), ("cat", 0)):
        database.run(
            "INSERT INTO contact (name, identity_key, record, links, trust, consent, fetched_at, next_out_counter,"
            " highest_in_counter, has_met, told_record_number, handshake, fallback)"
            " VALUES (?, ?, x'01', x'', 2, 1, 5, 3, ?, 1, 0, 0, 1)",
            (name, b"k" * 32, highest),
        )
    for number, (direction, counter, shown) in enumerate(
        [(2, 1, 1), (1, 1, 1), (2, 5, 1), (2, 3, 1), (1, 2, 1), (2, 9, 0), (2, 5, 0)]
    ):
        database.run(
            "INSERT INTO message (contact, direction, message_id, counter, kind, body, sent_at, stored_at, state,"
            " route, token, shown) VALUES ('bob', ?, ?, ?, 1, ?, 7, ?, ?, 1, ?, ?)",
            (direction, b"%016d" % number, counter, b"text %d" % number, 100 + number, 1 if direction == 1 else 3,
             b"t" * 16, shown),
        )  # fmt: skip
    database.run(
        "INSERT INTO outbox (message_id, contact, attempts, created_at) VALUES (?, 'bob', 0, 1)", (b"%016d" % 1,)
    )
    database.shut()


def test_a_store_of_the_first_schema_is_taken_with_all_it_holds(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    key = create_key(home / "store.key", "pass", unprotected=False, cost=CHEAP, random_bytes=lambda n: b"\x05" * n).key
    (home / "client.db").touch(0o600)
    first_schema(home / "client.db", key)
    with contextlib.closing(ClientStore.open(home, "pass")) as store:
        assert store.database.row("PRAGMA user_version") == (CLIENT_SCHEMA.version,)
        messages = store.messages.conversation("bob", 99)
        assert [message.body for message in messages] == [b"text %d" % number for number in range(7)]
        assert [message.late for message in messages] == [False, False, False, True, False, False, True]
        assert store.gaps.of("bob").ranges == [(2, 2), (4, 4), (6, 8)]
        assert store.gaps.of("cat").ranges == []
        bob = store.contacts.get("bob")
        assert bob is not None
        assert (bob.trust, bob.highest_in_counter, bob.disappears_after) == (Trust.VERIFIED, 9, None)
        assert store.messages.outbox_row(b"%016d" % 1) is not None
        receive(store, 20, 7)
        assert store.gaps.of("bob").ranges == [(2, 2), (4, 4), (6, 6), (8, 8)]
        store.contacts.set_disappearing("bob", 60)
        assert store.history.erase_old("bob", 1, 1000, 99) == 3, "shown before anybody noted when"
        assert store.problems() == []
    with contextlib.closing(ClientStore.open(home, "pass")) as store:
        assert store.contacts.disappearing() == [("bob", 60)]
