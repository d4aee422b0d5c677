"""A simulated disk: what a death at a commit leaves, found by the real store when it is opened again."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from usernym.actors.simulation import ProcessDied
from usernym.storage.client.schema import CLIENT_SCHEMA
from usernym.storage.client.store import ClientStore
from usernym.storage.database import Synchronous, open_database
from usernym.storage.errors import StoreFull, StoreInaccessible
from usernym.testing.disk import Disk, Moment


class Bench:
    """A client's store on a simulated disk."""

    def __init__(
        self, folder: Path, seed: int = 0, key: bytes | None = None, synchronous: Synchronous = "FULL"
    ) -> None:
        self.stalled: list[float] = []
        self.buried = 0
        self._key, self._synchronous = key, synchronous
        self.disk = Disk(folder / "home", random.Random(seed), bury=self._bury, stall=self.stalled.append)
        self.store = self._open()

    def _bury(self) -> None:
        self.buried += 1

    def _open(self) -> ClientStore:
        database = open_database(
            self.disk.path, CLIENT_SCHEMA, key=self._key, synchronous=self._synchronous, make=self.disk.database
        )
        return ClientStore(database, protected=False)

    def put(self, number: int) -> None:
        """One commit that writes two rows."""
        with self.store.transaction():
            self.store.profile.set_setting(f"first {number}", bytes(3000))
            self.store.profile.set_setting(f"second {number}", bytes(3000))

    def reopen(self) -> set[int]:
        """What is there after the death: the numbers, each of which must be whole."""
        self.store.close()
        self.disk.put_back()
        self.store = self._open()
        assert self.store.problems() == []
        there = set()
        for number in range(40):
            halves = [self.store.profile.setting(f"{half} {number}") is not None for half in ("first", "second")]
            assert halves[0] == halves[1], "half a transaction"
            if halves[0]:
                there.add(number)
        return there


@pytest.mark.parametrize("key", [None, b"k" * 32], ids=["plain", "encrypted"])
@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("at", [1, 2, 7])
def test_a_death_at_a_commit_leaves_all_before_it_and_nothing_of_it_unless_it_was_over(
    tmp_path: Path, key: bytes | None, moment: Moment, at: int
) -> None:
    for seed in range(5):
        bench = Bench(tmp_path / str(seed), seed, key)
        bench.disk.crash_at(at, moment)
        for number in range(at - 1):
            bench.put(number)
        with pytest.raises(ProcessDied):
            bench.put(at - 1)
        with pytest.raises(ProcessDied):
            bench.store.profile.setting("anything")
        there = bench.reopen()
        before = set(range(at - 1))
        assert there == (before | {at - 1} if moment is Moment.AFTER else before)
        bench.put(30)
        assert bench.store.profile.setting("first 30") is not None
        bench.store.close()


def test_a_torn_log_leaves_nothing_of_its_transaction_also_when_the_log_has_begun_anew(tmp_path: Path) -> None:
    for seed in range(10):
        bench = Bench(tmp_path / str(seed), seed)
        for number in range(5):
            bench.put(number)
        bench.store.database.row("PRAGMA wal_checkpoint(RESTART)")
        bench.disk.crash_at(1, Moment.TORN)
        with pytest.raises(ProcessDied):
            bench.put(5)
        assert bench.reopen() == {0, 1, 2, 3, 4}
        bench.store.close()


def test_a_death_between_commits_loses_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.put(1)
    bench.disk.die()
    assert bench.reopen() == {1}


def test_what_was_never_synced_is_lost(tmp_path: Path) -> None:
    bench = Bench(tmp_path, synchronous="OFF")
    bench.put(1)
    bench.disk.die()
    assert bench.reopen() == set()


def test_a_full_a_bad_and_a_slow_disk(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.disk.set_full(True)
    with pytest.raises(StoreFull):
        bench.put(1)
    with pytest.raises(StoreFull):
        bench.store.profile.set_setting("alone", b"1")
    assert bench.store.profile.setting("first 1") is None, "reading goes on"
    bench.disk.set_full(False)
    bench.disk.fail(1)
    with pytest.raises(StoreInaccessible):
        bench.store.profile.setting("first 1")
    bench.disk.slow_down(2.0)
    bench.put(2)
    assert bench.stalled == [2.0]
    with bench.disk.paused():
        bench.put(3)
    assert bench.stalled == [2.0]
    bench.disk.heal()
    bench.put(4)
    assert bench.reopen() == {2, 3, 4}
    assert bench.buried == 0
