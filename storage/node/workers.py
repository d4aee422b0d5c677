"""The workers of a node: the processes that share its store, and which of them holds each user's route.

`Workers` is for a store that several processes have at once. `SoleWorker` is for a store that one process has: it is
the only worker, and nothing of this is written.

A route row stays until its name is removed; it says by which worker a user was served last, and not when. Who takes the
route raises its *fence*. What a worker writes because of a route holds only under the fence by which it took the route:
a worker that slept while another one took over changes nothing.

A *hint* is a row that asks a worker to look at a name again: something waits for it, or its route is gone. It is
written in the commit that it is about. The engine's notification only says that there are hints.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Final, Protocol, TypeVar

from usernym.storage.database import marks, parts
from usernym.storage.engine import Parameters
from usernym.storage.errors import RouteLost, StoreBusy

T = TypeVar("T")

NO_WORKER: Final = 0
"""Where no worker holds a route: its user's identity was replaced, or the account is gone."""


class SharedDatabase(Protocol):
    """What `Workers` needs of an engine."""

    @property
    def locked(self) -> str:
        """See `Engine.locked`."""

    @property
    def held(self) -> str:
        """See `Engine.held`."""

    def rows(self, sql: str, params: Parameters = ()) -> list[tuple[Any, ...]]: ...

    def run(self, sql: str, params: Parameters = ()) -> int: ...

    def commit(self, work: Callable[[], T]) -> T: ...

    def notify(self, channel: str) -> None:
        """Wake those who listen on the channel, when the transaction is committed. They may miss it."""

    def listen(self, channel: str, woken: Callable[[], None]) -> Callable[[], None]:
        """Call `woken`, in any thread, after each `notify`, until what is returned is called."""


@dataclass(frozen=True, slots=True)
class HeldRoute:
    """Who holds a user's route now: a worker's number, or `NO_WORKER`."""

    name: str = field(repr=False)
    worker: int
    fence: int


@dataclass(frozen=True, slots=True)
class WorkerState:
    """A worker's row: `beats` grows while the worker lives."""

    worker: int
    beats: int
    address: bytes = field(repr=False)
    draining: bool


@dataclass(frozen=True, slots=True)
class Report:
    """So many messages of a sender, with so many bytes, wait for this recipient no more; by `receipt`, or otherwise."""

    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    messages: int
    size: int
    receipt: bool


class Membership(ABC):
    """This process as one of a node's workers. One object serves all actors of the process."""

    shared: bool
    """Whether there may be others."""
    number: int
    """This worker's; `NO_WORKER` before it has joined."""

    @abstractmethod
    def join(self, address: bytes) -> None:
        """Become a worker at this address, under a new number: all routes of the former one are dead."""

    @abstractmethod
    def beat(self) -> Sequence[WorkerState]:
        """Show that this worker lives; returns the rows of all. Raises `RouteLost` if this one's is gone."""

    @abstractmethod
    def remove(self, dead: WorkerState) -> None:
        """Remove the row of a worker whose `beats` are still those."""

    @abstractmethod
    def drain(self) -> None:
        """Take part no longer: the card is to name others."""

    @abstractmethod
    def leave(self) -> None:
        """End: this worker's row goes."""

    @abstractmethod
    def others(self) -> int:
        """How many other workers take logins, as far as their rows say."""

    @abstractmethod
    def leads(self) -> bool:
        """Whether this worker does what only one of all is to do: of those that are there, the one that came first."""

    @abstractmethod
    def fence(self, name: str) -> int:
        """The fence of a user's route; 0 before the first login."""

    @abstractmethod
    def held(self, names: Sequence[str]) -> Sequence[HeldRoute]:
        """Who holds these users' routes, as far as any did."""

    @abstractmethod
    def take(self, name: str, fence: int) -> int | None:
        """Take a user's route by a login that was asked for when its fence was `fence`; returns the new fence.

        None, and nothing changed, if another worker took it since. The worker that held it gets a hint. Raises
        `StoreBusy` before this process has joined, `RouteLost` if its row is gone.
        """

    @abstractmethod
    def close_route(self, name: str) -> None:
        """A user's identity was replaced, or is gone: the route ends. Its worker gets a hint. Only inside a commit."""

    @abstractmethod
    def hold(self, name: str, fence: int) -> None:
        """Raise `RouteLost` unless this worker holds the route by this fence; it does until the commit. Only inside
        one."""

    @abstractmethod
    def hint(self, names: Iterable[str]) -> None:
        """Something new waits for these users: the other workers that hold their routes get a hint. Only inside a
        commit."""

    @abstractmethod
    def hinted(self, limit: int) -> Sequence[HeldRoute]:
        """Take at most `limit` of this worker's hints: the users to look at, and who holds their routes now."""

    @abstractmethod
    def report(self, reports: Iterable[Report]) -> None:
        """Let the other workers know, which count for themselves what each sender may store. Only inside a commit."""

    @abstractmethod
    def reported(self, limit: int) -> Sequence[Report]:
        """Take at most `limit` reports of the others."""

    @abstractmethod
    def listen(self, woken: Callable[[], None]) -> None:
        """Call `woken`, in any thread, when there may be hints, as soon as this process has joined."""


class SoleWorker(Membership):
    """The only process that has the store: it holds all routes, in memory.

    `other_addresses`: what the card names beside its own.
    """

    shared = False
    number = 1

    def __init__(self, other_addresses: Iterable[bytes] = ()) -> None:
        self._address = b""
        self._others = tuple(other_addresses)

    def join(self, address: bytes) -> None:
        self._address = address

    def beat(self) -> Sequence[WorkerState]:
        return [WorkerState(self.number, 0, address, draining=False) for address in (self._address, *self._others)]

    def remove(self, dead: WorkerState) -> None: ...

    def drain(self) -> None: ...

    def leave(self) -> None: ...

    def others(self) -> int:
        return 0

    def leads(self) -> bool:
        return True

    def fence(self, name: str) -> int:  # noqa: ARG002 - as all parameters below
        return 0

    def held(self, names: Sequence[str]) -> Sequence[HeldRoute]:  # noqa: ARG002
        return []

    def take(self, name: str, fence: int) -> int | None:  # noqa: ARG002
        return 0

    def close_route(self, name: str) -> None: ...

    def hold(self, name: str, fence: int) -> None: ...

    def hint(self, names: Iterable[str]) -> None: ...

    def hinted(self, limit: int) -> Sequence[HeldRoute]:  # noqa: ARG002
        return []

    def report(self, reports: Iterable[Report]) -> None: ...

    def reported(self, limit: int) -> Sequence[Report]:  # noqa: ARG002
        return []

    def listen(self, woken: Callable[[], None]) -> None: ...


_TAKE: Final = """
    INSERT INTO route (name, worker, fence) VALUES (:name, :me, 1)
    ON CONFLICT (name) DO UPDATE SET worker = :me, fence = route.fence + 1
        WHERE route.fence = :fence OR route.worker = :me
    RETURNING fence
"""
# In one order, so that no two transactions wait for each other. The routes stay as they are until the commit: a login
# that takes one afterwards sees what this transaction wrote.
_HINT: Final = """
    INSERT INTO hint (worker, name)
    SELECT route.worker, route.name FROM route JOIN worker ON worker.number = route.worker
    WHERE route.name IN ({names}) AND route.worker <> ? ORDER BY route.name {locked}
    ON CONFLICT DO NOTHING
"""


# This and `_REPORTED` are run without a transaction around them: each message for a user of another worker brings the
# one about, and each second the other.
_HINTED: Final = """
    DELETE FROM hint
    WHERE worker = ?1 AND name IN (SELECT name FROM hint WHERE worker = ?1 ORDER BY name LIMIT ?2)
    RETURNING name, (SELECT worker FROM route WHERE route.name = hint.name),
        (SELECT fence FROM route WHERE route.name = hint.name)
"""
_REPORT: Final = """
    INSERT INTO report (worker, sender, recipient, messages, size, receipt)
    SELECT number, ?, ?, ?, ?, ? FROM worker WHERE number <> ? ORDER BY number
"""
_REPORTED: Final = """
    DELETE FROM report WHERE id IN (SELECT id FROM report WHERE worker = ? ORDER BY id LIMIT ?)
    RETURNING sender, recipient, messages, size, receipt
"""


class Workers(Membership):
    """One of several workers. Its number is never another's."""

    shared = True

    def __init__(self, database: SharedDatabase) -> None:
        self._db = database
        self.number = self._former = NO_WORKER
        self._woken: Callable[[], None] = lambda: None
        self._deaf: Callable[[], None] = lambda: None

    # -- this worker and the others --

    def join(self, address: bytes) -> None:
        # No login takes a route under the former number, whose routes end.
        self._former, self.number = self.number or self._former, NO_WORKER

        def join() -> int:
            # Another row with this address is of a process that is no more: no two have one address.
            self._forget("number = ? OR address = ?", (self._former, address))
            row = self._db.rows(
                "INSERT INTO worker (address, beats, draining) VALUES (?, 0, 0) RETURNING number", (address,)
            )[0]
            return int(str(row[0]))

        self.number = self._db.commit(join)
        self._listen()

    def _forget(self, which: str, values: Parameters) -> None:
        gone = [row[0] for row in self._db.rows(f"DELETE FROM worker WHERE {which} RETURNING number", values)]  # noqa: S608
        for number in gone:
            self._db.run("DELETE FROM hint WHERE worker = ?", (number,))
            self._db.run("DELETE FROM report WHERE worker = ?", (number,))

    def beat(self) -> Sequence[WorkerState]:
        def beat() -> Sequence[WorkerState]:
            if not self._db.run("UPDATE worker SET beats = beats + 1 WHERE number = ?", (self.number,)):
                raise RouteLost("this worker was taken for dead")
            for table in ("hint", "report"):  # of commits that began before a worker's row was removed
                self._db.run(f"DELETE FROM {table} WHERE worker NOT IN (SELECT number FROM worker)")  # noqa: S608
            rows = self._db.rows("SELECT number, beats, address, draining FROM worker ORDER BY number")
            return [WorkerState(number, beats, address, bool(draining)) for number, beats, address, draining in rows]

        return self._db.commit(beat)

    def remove(self, dead: WorkerState) -> None:
        self._db.commit(lambda: self._forget("number = ? AND beats = ?", (dead.worker, dead.beats)))

    def drain(self) -> None:
        self._db.run("UPDATE worker SET draining = 1 WHERE number = ?", (self.number,))

    def leave(self) -> None:
        self._deaf()
        self._db.commit(lambda: self._forget("number = ?", (self.number,)))
        self.number = NO_WORKER

    def others(self) -> int:
        rows = self._db.rows("SELECT count(*) FROM worker WHERE number <> ? AND draining = 0", (self.number,))
        return int(str(rows[0][0]))

    def leads(self) -> bool:
        return self._db.rows("SELECT min(number) FROM worker") == [(self.number,)]

    # -- routes --

    def held(self, names: Sequence[str]) -> Sequence[HeldRoute]:
        return self._held(names)

    def _held(self, names: Sequence[str], locked: str = "") -> list[HeldRoute]:
        sql = f"SELECT name, worker, fence FROM route WHERE name IN ({marks(len(names))}){locked}"  # noqa: S608
        return [HeldRoute(*row) for row in self._db.rows(sql, names)]

    def fence(self, name: str) -> int:
        held = self._held([name])
        return held[0].fence if held else 0

    def take(self, name: str, fence: int) -> int | None:
        if self.number == NO_WORKER:
            raise StoreBusy("this worker has not joined the others yet")

        def take() -> int | None:
            if not self._db.rows("SELECT 1 FROM worker WHERE number = ?", (self.number,)):
                raise RouteLost("this worker was taken for dead")
            before = self._held([name], self._db.locked)
            taken = self._db.rows(_TAKE, {"name": name, "me": self.number, "fence": fence})
            if not taken:
                return None
            if before and before[0].worker not in {self.number, NO_WORKER}:
                self._hint_worker(before[0].worker, name)
            return int(str(taken[0][0]))

        return self._db.commit(take)

    def close_route(self, name: str) -> None:
        for before in self._held([name], self._db.locked):
            self._db.run("UPDATE route SET worker = 0, fence = fence + 1 WHERE name = ?", (name,))
            if before.worker not in {self.number, NO_WORKER}:
                self._hint_worker(before.worker, name)

    def hold(self, name: str, fence: int) -> None:
        held = self._held([name], self._db.held)
        if not held or (held[0].worker, held[0].fence) != (self.number, fence):
            raise RouteLost("another worker has the route")

    # -- hints --

    def _hint_worker(self, worker: int, name: str) -> None:
        sql = "INSERT INTO hint (worker, name) SELECT number, ? FROM worker WHERE number = ? ON CONFLICT DO NOTHING"
        if self._db.run(sql, (name, worker)):
            self._db.notify(_channel(worker))

    def hint(self, names: Iterable[str]) -> None:
        for some in parts(sorted(set(names))):
            sql = (
                _HINT.format(names=marks(len(some)), locked=self._db.held and f"{self._db.held} OF route")
                + " RETURNING worker"
            )
            for worker in sorted({int(str(row[0])) for row in self._db.rows(sql, (*some, self.number))}):
                self._db.notify(_channel(worker))

    def hinted(self, limit: int) -> Sequence[HeldRoute]:
        rows = self._db.rows(_HINTED, (self.number, limit))
        return [HeldRoute(name, worker, fence) for name, worker, fence in rows if worker is not None]

    def report(self, reports: Iterable[Report]) -> None:
        for one in reports:
            self._db.run(_REPORT, (*astuple(one)[:-1], int(one.receipt), self.number))

    def reported(self, limit: int) -> Sequence[Report]:
        rows = self._db.rows(_REPORTED, (self.number, limit))
        return [
            Report(sender, recipient, messages, size, bool(receipt))
            for sender, recipient, messages, size, receipt in rows
        ]

    def listen(self, woken: Callable[[], None]) -> None:
        self._woken = woken
        self._listen()

    def _listen(self) -> None:
        self._deaf()
        if self.number != NO_WORKER:
            self._deaf = self._db.listen(_channel(self.number), self._woken)


def _channel(worker: int) -> str:
    return f"usernym_{worker}"
