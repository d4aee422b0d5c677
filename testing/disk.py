"""A process's disk under simulation: real SQLite files, and what happens to them.

A store is opened through `open_database(..., make=disk.database)`. From then on the disk can be made to fail: to be
full, to give errors, to be slow, or to let its process die at a commit. What is left after a death is worked out from
the files themselves, and the store is opened again as after a real crash: SQLite finds a database and a write-ahead
log, and recovers.

What a death leaves, by its moment:

- **before** a commit: the transaction is not there;
- **torn**: the commit was being written. Some beginning of the bytes that it changed in the log is there;
- **after** a commit, before the actor's next statement: the transaction is there, and nothing that follows from it.

With `synchronous=FULL` (as the product opens its stores) a commit that returned was synced, so a power loss leaves the
same as a kill. A store that was opened with less is put back to what it was at its opening: nothing says that any of it
was synced since. Crashes in the middle of a checkpoint are left to SQLite, and not simulated.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from usernym.actors.simulation import ProcessDied
from usernym.storage.database import StoreDatabase
from usernym.storage.errors import StoreFull, StoreInaccessible

_READING: Final = frozenset({"SELECT", "PRAGMA"})
_INSIDE: Final = frozenset({"BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK"})
_SYNCHRONOUS_FULL: Final = 2


class Moment(StrEnum):
    """When, around a commit, a process dies."""

    BEFORE = "before"
    TORN = "torn"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Image:
    """The bytes of a database and its log."""

    database: bytes
    log: bytes


class Disk:
    """One process's disk, and its files in `folder`."""

    def __init__(self, folder: Path, rng: random.Random, *, bury: Callable[[], None], stall: Callable[[float], None]):
        """`bury` ends the process, called by the scheduler; `stall` makes it wait for so many virtual seconds."""
        self.path = folder / "store.db"
        self._rng = rng
        self._bury = bury
        self._stall = stall
        self.armed = False
        """Whether anything may go wrong with the next statement."""
        self._paused = False
        self._crash: tuple[Moment, int] | None = None
        self._errors = 0
        self._full = False
        self._delay_s = 0.0
        self._opened: Image | None = None
        self._left: Image | None = None

    def database(self, *arguments: Any, **keywords: Any) -> SimDatabase:
        """Make the database of a store: `open_database`'s `make`."""
        return SimDatabase(*arguments, disk=self, **keywords)

    # -- what is to go wrong --

    def crash_at(self, commits: int, moment: Moment) -> None:
        """Let the process die at the `commits`-th commit from now on (1: the next)."""
        self._crash = (moment, commits)
        self._arm()

    def set_full(self, full: bool) -> None:
        """Let every commit fail for lack of space, or stop that."""
        self._full = full
        self._arm()

    def fail(self, statements: int) -> None:
        """Let the next statements fail, as a bad disk does."""
        self._errors = statements
        self._arm()

    def slow_down(self, delay_s: float) -> None:
        """Let each commit take that long; 0: none."""
        self._delay_s = delay_s
        self._arm()

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self._crash, self._errors, self._full, self._delay_s = None, 0, False, 0.0
        self._arm()

    def _arm(self) -> None:
        faulty = bool(self._crash or self._errors or self._full or self._delay_s or self.dead)
        self.armed = faulty and not self._paused

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let nothing go wrong within the block: it is the simulation that looks, or writes, and not the process."""
        before, self._paused = self._paused, True
        self._arm()
        try:
            yield
        finally:
            self._paused = before
            self._arm()

    # -- death and what it leaves --

    @property
    def dead(self) -> bool:
        """Whether the process died at a commit, and the files have not been put back yet."""
        return self._left is not None

    def remember_opening(self, synchronous: int) -> None:
        """The store is open: what is there counts as synced, and is all that the disk keeps, if the store does not
        sync."""
        self._opened = None if synchronous == _SYNCHRONOUS_FULL else self.image()

    def image(self) -> Image:
        log = self.path.with_name(f"{self.path.name}-wal")
        return Image(self.path.read_bytes() if self.path.exists() else b"", log.read_bytes() if log.exists() else b"")

    def die(self, left: Image | None = None) -> None:
        """Keep what the process leaves: `left`, or the files as they are. Its statements fail from now on."""
        if self._left is None:
            self._left = self._opened or left or self.image()
            self._arm()

    def put_back(self) -> None:
        """Make the files what the death left. All connections must be closed."""
        left, self._left, self._crash = self._left, None, None
        self._arm()
        if left is None:
            return
        for suffix, content in (("", left.database), ("-wal", left.log), ("-shm", b"")):
            file = self.path.with_name(self.path.name + suffix)
            file.unlink(missing_ok=True)
            if content:
                file.touch(mode=0o600)
                file.write_bytes(content)

    def erase(self) -> None:
        """An empty disk instead of this one. All connections must be closed."""
        self._left = self._opened = None
        self.heal()
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    # -- statements --

    def run(self, database: StoreDatabase, sql: str, go_on: Callable[[], Any]) -> Any:
        """Run a statement on an armed disk, unless something is to go wrong with it."""
        if self.dead:
            raise ProcessDied(self._bury)
        verb = sql.split(None, 1)[0].upper()
        if self._errors:
            self._errors -= 1
            self._arm()
            raise StoreInaccessible(f"reading or writing {database.path} failed: check the disk")
        if verb in _READING or verb in _INSIDE or (verb != "COMMIT" and database.writing):
            return go_on()
        return self._commit(database, go_on)

    def _commit(self, database: StoreDatabase, go_on: Callable[[], Any]) -> Any:
        if self._full:
            raise StoreFull(f"no room to write {database.path}: free some space, then try again")
        moment = self._count_down()
        if moment is Moment.BEFORE:
            self.die()
            raise ProcessDied(self._bury)
        before = self.image() if moment is Moment.TORN else None
        result = go_on()
        if moment is not None:
            self.die(None if before is None else self._torn(before, self.image()))
            raise ProcessDied(self._bury)
        if self._delay_s:
            self._stall(self._delay_s)
        return result

    def _count_down(self) -> Moment | None:
        if self._crash is None:
            return None
        moment, commits = self._crash
        self._crash = (moment, commits - 1) if commits > 1 else None
        self._arm()
        return moment if commits <= 1 else None

    def _torn(self, before: Image, after: Image) -> Image:
        """Some beginning of what the commit changed in the log; a checkpoint, which comes after that, has not begun."""
        first, last = _changed(before.log, after.log)
        if first == last:
            return before
        reached = self._rng.randint(first, last - 1)
        rest = before.log[reached:] if self._rng.random() < 0.5 else b""
        return Image(before.database, after.log[:reached] + rest)


def _changed(before: bytes, after: bytes) -> tuple[int, int]:
    """Where the bytes of a file that does not shrink begin and cease to differ (the end is one past the last)."""
    padded = before.ljust(len(after), b"\0")
    if padded == after:
        return 0, 0
    size = 4096
    blocks = [at for at in range(0, len(after), size) if padded[at : at + size] != after[at : at + size]]
    first = next(at for at in range(blocks[0], len(after)) if padded[at] != after[at] or at >= len(before))
    last = next(at for at in range(min(blocks[-1] + size, len(after)) - 1, -1, -1) if padded[at] != after[at])
    return first, last + 1


class SimDatabase(StoreDatabase):
    """A store's database on a `Disk`."""

    def __init__(self, *arguments: Any, disk: Disk, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._disk = disk

    def _connect_raw(self) -> Any:
        connection = super()._connect_raw()
        self._disk.remember_opening(connection.execute("PRAGMA synchronous").fetchone()[0])
        return connection

    def _connect_driver(self, name: str, **options: Any) -> Any:
        # No other process of the machine opens the file, so the locks and the log's index may stay in memory.
        return super()._connect_driver(f"{Path(name).as_uri()}?vfs=unix-excl", uri=True, **options)

    def execute(self, sql: str, params: Any = ()) -> Any:
        """As the product's, unless the disk has a fault."""
        if not self._disk.armed:
            return super().execute(sql, params)
        return self._disk.run(self, sql, lambda: super(SimDatabase, self).execute(sql, params))
