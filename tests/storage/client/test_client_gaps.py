"""Gaps and late arrivals as the store keeps them, beside the same by counting; and a store of the first schema."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from usernym.protocol.payloads import COUNTER_MAX, COUNTERS_A_HOME
from usernym.storage.client.archive import export_archive, import_archive
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, Identity, IdentityState, Route, Trust
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


COUNTERS = st.lists(st.integers(1, 30) | st.just(COUNTERS_A_HOME - 1), max_size=30)


@given(COUNTERS, st.lists(st.integers(1, 30), max_size=10), st.lists(st.integers(0, 20)))
def test_a_restored_home_counts_from_a_higher_number_and_no_gap_is_between(
    former: list[int], newer: list[int], late: list[int]
) -> None:
    store = store_of([*former, *(COUNTERS_A_HOME * 7 + each for each in newer)])
    gaps = store_of(former).gaps.of("bob").ranges
    highest = max(newer, default=0)
    missing = [each for each in range(1, highest) if each not in newer]
    end = COUNTERS_A_HOME * 8
    assert store.gaps.missing_below("bob", end) == sum(last + 1 - first for first, last in gaps) + len(missing)
    assert store.gaps.of("bob").below(end) == store.gaps.missing_below("bob", end)
    before = store.gaps.of("bob")
    store.gaps.find()
    assert store.gaps.of("bob") == before, "found again, they are the same"
    for number, counter in enumerate(each for each in late if any(first <= each <= last for first, last in gaps)):
        receive(store, 100 + number, counter)
    assert store.gaps.missing_below("bob", end) == before.below(end) - len(
        {each for each in late if any(first <= each <= last for first, last in gaps)}
    )


def test_the_first_counter_of_a_home() -> None:
    store = store_of([])
    identity = Identity("ann", b"s" * 32, b"r" * 32, b"link", b"record", 1, IdentityState.REGISTERED, 5)
    assert [store.contacts.take_out_counter("bob") for _ in range(2)] == [1, 2], "no identity yet"
    store.profile.save_identity(identity)
    assert store.contacts.take_out_counter("bob") == 3
    store.profile.save_identity(replace(identity, restored_at=9))
    first = 9 * COUNTERS_A_HOME + 1
    assert [store.contacts.take_out_counter("bob") for _ in range(2)] == [first, first + 1]
    store.profile.save_identity(replace(identity, restored_at=2**32 - 1))
    assert store.contacts.take_out_counter("bob") == COUNTER_MAX + 2 - COUNTERS_A_HOME


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
