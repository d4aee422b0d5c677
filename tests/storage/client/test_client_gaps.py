"""Gaps and late arrivals as the store keeps them, beside the same by counting; and a store of the first schema."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from usernym.storage.client.archive import export_archive, import_archive
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, Route, Trust
from usernym.storage.keyfile import Argon2Cost

CHEAP = Argon2Cost(memory_kib=8, passes=1)


def receive(store: ClientStore, number: int, counter: int, contact: str = "bob") -> None:
    assert store.messages.add_incoming(
        contact=contact, message_id=b"%016d" % number, key_number=1, counter=counter, kind=1, body=b"text",
        token=None, sent_at=number, now=number, route=Route.NODE,
    )  # fmt: skip


def store_of(counters: list[int]) -> ClientStore:
    store = ClientStore.open_plain()
    for name in ("bob", "cat"):
        store.contacts.add(name, b"k" * 32, b"record", Trust.CONFIRMED, Consent.ACCEPTED)
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
    shown = [(message.counter, message.late) for message in store.messages.conversation("bob", 99)]
    assert shown == [(counter, False) for counter in sorted(counters)], "they came close together: none stands late"
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
    assert [(message.counter, message.late) for message in target.messages.conversation("bob", 9)] == [
        (counter, False) for counter in (1, 2, 3, 4, 9)
    ]
    receive(target, 9, 5)
    assert [message.counter for message in target.messages.conversation("bob", 9)] == [1, 2, 3, 4, 5, 9]
    assert target.contacts.disappearing() == [("bob", 3600)]
    target.contacts.set_disappearing("bob", 60)
    import_archive(target, tmp_path / "backup", "pass", b"me")
    assert target.contacts.disappearing() == [("bob", 60)], "what was chosen here since stays"
