"""Two connections write at once, on each engine: what holds for one writer holds for both."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import pytest

from tests.helpers.postgres import PostgresServer, needs_postgres
from tests.storage.node.test_node_directory import ANN, newer, register
from usernym.storage.errors import RowLimitReached
from usernym.storage.node import mailbox
from usernym.storage.node.directory import Registration
from usernym.storage.node.mailbox import Enqueued
from usernym.storage.node.notices import NewNotice
from usernym.storage.node.store import NodeStore

T = TypeVar("T")
ROUNDS = 20
PATIENCE_S = 20.0


def both(*work: Callable[[], T]) -> list[T]:
    """Run these at the same time, each on a thread, and so a connection, of its own."""
    gate = threading.Barrier(len(work), timeout=PATIENCE_S)

    def run(each: Callable[[], T]) -> T:
        gate.wait()
        return each()

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(run, work))


def put(node: NodeStore, number: int, sender: str = "ann", recipient: str = "bob", expires_at: int = 100) -> Enqueued:
    return node.mailbox.enqueue(
        sender=sender, recipient=recipient, message_id=number.to_bytes(16, "big"), blob=b"blob", now=5,
        expires_at=expires_at,
    )  # fmt: skip


def counted(node: NodeStore) -> dict[str, tuple[int, int]]:
    """What the mailboxes' rows say: messages and bytes."""
    return {name: (count, size) for name, count, size in node.database.rows("SELECT name, messages, size FROM mailbox")}


def waits(node: NodeStore) -> dict[str, tuple[int, int]]:
    """What does wait."""
    sql = "SELECT recipient, count(*), CAST(sum(size) AS BIGINT) FROM mail GROUP BY recipient"
    return {name: (count, size) for name, count, size in node.database.rows(sql)}


def test_a_mailbox_is_never_fuller_than_its_bounds(node: NodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "MESSAGES_MAX", 15)
    results = both(*(lambda first=first: [put(node, first + each) for each in range(15)] for first in (100, 200)))
    assert Counter(results[0] + results[1]) == {Enqueued.STORED: 15, Enqueued.FULL: 15}
    assert counted(node) == waits(node) == {"bob": (15, 60)}
    monkeypatch.setattr(mailbox, "MESSAGES_MAX", 99)
    monkeypatch.setattr(mailbox, "SIZE_MAX", 4 * 20)
    results = both(*(lambda first=first: [put(node, first + each) for each in range(15)] for first in (300, 400)))
    assert Counter(results[0] + results[1]) == {Enqueued.STORED: 5, Enqueued.FULL: 25}
    assert put(node, 1, recipient="cat") is Enqueued.STORED, "another mailbox has room"


def test_what_went_makes_room_again(node: NodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "MESSAGES_MAX", 2)
    assert [put(node, 1), put(node, 2), put(node, 3), put(node, 1)] == [
        Enqueued.STORED, Enqueued.STORED, Enqueued.FULL, Enqueued.FULL,
    ]  # fmt: skip
    node.mailbox.acknowledge("bob", [("ann", (1).to_bytes(16, "big"))])
    assert counted(node) == {"bob": (1, 4)}
    assert put(node, 2) is Enqueued.DUPLICATE
    assert counted(node) == {"bob": (1, 4)}, "a repeated one counts once"
    assert put(node, 3, expires_at=7) is Enqueued.STORED
    assert len(node.mailbox.expire(7, 9)) == 1
    assert counted(node) == {"bob": (1, 4)}
    assert len(node.mailbox.remove_all("bob")) == 1
    assert counted(node) == {}, "nothing says who once got messages"


@pytest.mark.seconds
def test_messages_are_numbered_in_the_order_of_their_commits(node: NodeStore) -> None:
    """A reader that has seen a number has seen all below it: so none can be passed over."""
    put(node, 0)
    inside = threading.Event()
    seen_before: list[int] = []

    def slow() -> None:
        def work() -> None:
            put(node, 1)
            inside.set()
            time.sleep(0.3)
            put(node, 2)

        node.commit(work)

    def fast() -> None:
        assert inside.wait(PATIENCE_S)
        seen_before.extend(each.message_id[-1] for each in node.mailbox.waiting("bob", 9))
        put(node, 3)

    both(slow, fast)
    assert seen_before == [0]
    assert [each.message_id[-1] for each in node.mailbox.waiting("bob", 9)] == [0, 1, 2, 3]


def test_a_reader_that_goes_on_after_the_last_number_misses_nothing(node: NodeStore) -> None:
    writing = threading.Event()
    read: list[bytes] = []

    def write(first: int) -> None:
        for each in range(ROUNDS):
            put(node, first + each)
        writing.set()

    def follow() -> None:
        last = 0
        while not (writing.is_set() and len(read) == 2 * ROUNDS):
            for message in node.mailbox.waiting("bob", 5, after=last):
                read.append(message.message_id)
                last = message.number
            assert time.monotonic() < end, f"{len(read)} of {2 * ROUNDS}"

    end = time.monotonic() + PATIENCE_S
    both(lambda: write(1000), lambda: write(2000), follow)
    assert len(set(read)) == 2 * ROUNDS


def test_a_message_is_stored_once(node: NodeStore) -> None:
    for number in range(ROUNDS):
        assert set(both(lambda: put(node, number), lambda: put(node, number))) == set(Enqueued) - {Enqueued.FULL}  # noqa: B023
    assert counted(node) == waits(node) == {"bob": (ROUNDS, 4 * ROUNDS)}


def test_batches_for_the_same_people_in_another_order_do_not_stop_each_other(node: NodeStore) -> None:
    people = [f"user{number}" for number in range(10)]
    for number, name in enumerate(people):
        put(node, number, recipient=name)

    def send(first: int, names: list[str]) -> Any:
        def work() -> list[Enqueued]:
            runs.append(first)
            node.mailbox.lock(names)
            return [put(node, first + number, recipient=name) for number, name in enumerate(names)]

        return node.commit(work)

    runs: list[int] = []
    for number in range(1, ROUNDS):
        first = 1000 * number
        outcomes = both(lambda: send(first, people), lambda: send(first + 500, people[::-1]))  # noqa: B023
        assert outcomes == [[Enqueued.STORED] * 10] * 2
    assert len(runs) == 2 * (ROUNDS - 1), "each ran once"
    assert counted(node) == waits(node)


def test_a_message_is_removed_once_by_acknowledgement_or_expiry(node: NodeStore) -> None:
    for number in range(ROUNDS):
        put(node, number, recipient=f"user{number % 3}")
        put(node, ROUNDS + number)

    def acknowledge() -> list[Any]:
        pairs = [("ann", number.to_bytes(16, "big")) for number in range(2 * ROUNDS)]
        return [gone for each in pairs for name in ("bob", "user0") for gone in node.mailbox.acknowledge(name, [each])]

    def expire() -> list[Any]:
        return [gone for _ in range(ROUNDS) for gone in node.mailbox.expire(100, 3)]

    gone = [each.message_id for some in both(acknowledge, expire, expire) for each in some]
    assert len(gone) == len(set(gone)) == 2 * ROUNDS
    assert counted(node) == waits(node) == {}


def test_what_was_accepted_for_a_name_that_is_deleted_is_given_up_or_waits(node: NodeStore) -> None:
    """Never gone without a notice to its sender."""

    def delete() -> list[Any]:
        return [gone for _ in range(ROUNDS) for gone in node.mailbox.remove_all("bob")]

    stored, gone = both(lambda: [put(node, number) for number in range(2 * ROUNDS)], delete)
    assert set(stored) == {Enqueued.STORED}
    assert len(gone) + len(node.mailbox.waiting("bob", 999)) == 2 * ROUNDS
    assert counted(node) == waits(node)


def test_a_request_is_remembered_once(node: NodeStore) -> None:
    for number in range(ROUNDS):
        digest = number.to_bytes(32, "big")
        answers = both(*(lambda say=say: node.replay_ids.remember(digest, say, 10) for say in (b"a", b"b")))  # noqa: B023
        assert set(answers) in ({None, b"a"}, {None, b"b"})
    assert node.counts().remembered == ROUNDS


def test_remembered_requests_never_pass_their_bound(node: NodeStore) -> None:
    def remember(first: int) -> list[bool]:
        taken = []
        for number in range(first, first + 15):
            try:
                node.replay_ids.remember(number.to_bytes(32, "big"), b"", 10, rows_max=15)
                taken.append(True)
            except RowLimitReached:
                taken.append(False)
        return taken

    results = both(lambda: remember(100), lambda: remember(200))
    assert sum(results[0] + results[1]) == 15
    rows = node.database.value(int, "SELECT count(*) FROM remembered")
    assert node.counts().remembered == rows == 15


def test_sweeps_at_once_forget_each_request_once(node: NodeStore) -> None:
    def fill() -> None:
        for number in range(5 * ROUNDS):
            node.replay_ids.remember(number.to_bytes(32, "big"), b"", number)

    node.commit(fill)
    forgotten = both(*[lambda: sum(node.replay_ids.expire(5 * ROUNDS, 7) for _ in range(4 * ROUNDS))] * 2)
    assert sum(forgotten) == 5 * ROUNDS
    assert node.counts().remembered == 0


def test_notices_of_one_account_have_numbers_of_their_own(node: NodeStore) -> None:
    names = ["ann", "bob", "cat"]

    def add(order: list[str]) -> list[int]:
        return [
            number
            for _ in range(ROUNDS)
            for number in node.notices.add_all([NewNotice(name, 1, b"") for name in order], 1, 9, account_max=10)
        ]

    numbers = [number for some in both(lambda: add(names), lambda: add(names[::-1])) for number in some]
    assert len(numbers) == len(set(numbers))
    assert all(10 <= len(node.notices.of(name, 99)) <= 12 for name in names)
    removed = both(*[lambda: node.notices.confirm("ann", numbers)] * 2)
    assert node.notices.of("ann", 99) == []
    assert 10 <= sum(removed) <= 12


def test_of_two_records_one_follows(node: NodeStore) -> None:
    register(node)
    for number in range(1, ROUNDS):
        results = both(
            *(lambda key=key: newer(node, number, number + 1, number + 1, key=key) for key in (ANN, b"t" * 32))  # noqa: B023
        )
        assert any(results)
        found = node.directory.account("alice")
        assert found is not None
        assert found.record_number == number + 1
        current = "SELECT count(*) FROM hpke_number WHERE name = 'alice' AND superseded_at IS NULL"
        assert node.database.value(int, current) == 1


@needs_postgres
@pytest.mark.processes
def test_a_name_that_is_taken_back_meanwhile_is_not_released(postgres: PostgresServer) -> None:
    with contextlib.closing(NodeStore.connect(postgres.new_database())) as node:
        register(node)
        node.directory.delete_account("alice", 1000)
        waits = "SELECT 1 FROM pg_locks WHERE NOT granted"

        def take_back(sweep: Callable[[], Future[int]]) -> Future[int]:
            outcome = register(node, now=2000)
            assert outcome is Registration.REVIVED
            released = sweep()
            while not node.database.rows(waits):
                time.sleep(0.01)
            return released

        with ThreadPoolExecutor(1) as pool:
            sweep = partial(pool.submit, node.directory.release_names, 2000, 9)
            assert node.commit(lambda: take_back(sweep)).result() == 0
        found = node.directory.account("alice")
        assert found is not None
        assert found.deleted_until is None


def test_the_clocks_floor_is_the_latest_of_all(node: NodeStore) -> None:
    def raise_to(first: int) -> None:
        for at in range(first, 200, 2):
            node.profile.raise_clock_floor(at)

    both(*(lambda first=first: raise_to(first) for first in (0, 1)))
    assert node.profile.clock_floor() == 199


def test_one_seed_for_all(node: NodeStore) -> None:
    assert (
        len(set(both(lambda: node.profile.identity_seed(b"a" * 32), lambda: node.profile.identity_seed(b"b" * 32))))
        == 1
    )
