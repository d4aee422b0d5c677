"""The database server that the workers of a simulated node share, and what goes wrong between it and each of them.

The server is one SQLite database in memory, which all workers use in turn: in a simulation no two transactions are open
at once. (What several open ones do to each other is tried on PostgreSQL, in tests/storage.) It loses nothing that was
committed. A worker that dies, or loses its connection, leaves no transaction behind.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from usernym.actors.simulation import ProcessDied, Simulation
from usernym.storage.database import IN_MEMORY, StoreDatabase, open_database
from usernym.storage.engine import Connection, Parameters
from usernym.storage.errors import StoreConflict, StoreUnreachable
from usernym.storage.node.mail import NoticeKind
from usernym.storage.node.schema import NODE_SCHEMA
from usernym.storage.node.workers import Workers
from usernym.testing.disk import Disk, Image, Moment

T = TypeVar("T")

TRIES: Final = 4
"""How often a worker tries a commit: as the product does within some seconds, but at once."""
HINT_DELAY_S: Final = 0.01
"""How long a notification takes at most."""

assert int(NoticeKind.DELIVERED) == 1, "as the statement below has it"
_WATCHED: Final = (
    "CREATE TEMP TABLE gone (recipient TEXT)",
    "CREATE TEMP TABLE receipt (id INTEGER)",
    "CREATE TEMP TABLE turn_over (recipient TEXT)",
    "CREATE TEMP TRIGGER turn AFTER UPDATE OF attempts ON mail BEGIN INSERT INTO turn_over VALUES (old.recipient); END",
    "CREATE TEMP TRIGGER mail_gone AFTER DELETE ON mail BEGIN INSERT INTO gone VALUES (old.recipient); END",
    "CREATE TEMP TRIGGER notified AFTER INSERT ON notice WHEN new.kind = 1 BEGIN INSERT INTO receipt VALUES (1); END",
)
_BY_OTHERS: Final = """
    SELECT 'took an acknowledgement of', recipient FROM gone JOIN route ON route.name = recipient
    WHERE route.worker <> ?1 AND EXISTS (SELECT * FROM receipt)
    UNION SELECT 'ended the turn of a text to', recipient FROM turn_over JOIN route ON route.name = recipient
    WHERE route.worker <> ?1
"""


def worker_names(workers: int) -> tuple[str, ...]:
    """The processes of a node."""
    return ("node", *(f"node-{number}" for number in range(2, workers + 1)))


class DatabaseServer:
    """One node's database."""

    def __init__(self, sim: Simulation) -> None:
        self._sim = sim
        self.database = open_database(IN_MEMORY, NODE_SCHEMA, synchronous="OFF")
        self.listeners: dict[str, Callable[[], None]] = {}
        self.on_broken: Callable[[str], None] = lambda _what: None
        """Called with what a worker wrote that it may not."""
        for statement in _WATCHED:
            self.database.execute(statement)
        self.loses_hints = False
        """Whether no notification arrives."""

    def notify(self, channel: str) -> None:
        """Wake who listens there, a moment later: what was written is committed then, or undone."""
        self._sim.call_later(self._sim.random.uniform(0.0, HINT_DELAY_S), partial(self._wake, channel))

    def _wake(self, channel: str) -> None:
        if not self.loses_hints:
            self.listeners.get(channel, lambda: None)()

    def find_hints(self) -> None:
        """Notifications arrive again."""
        self.loses_hints = False

    def check_routes(self, worker: int) -> None:
        """A worker is about to commit. Only the one that holds a recipient's route takes an acknowledgement, and notes
        that what it sent was not acknowledged, so that others' messages come before it."""
        for what, recipient in self.database.rows(_BY_OTHERS, (worker,)):
            self.on_broken(f"a worker {what} {recipient}, whose route another one had")
        for table in ("gone", "receipt", "turn_over"):
            self.database.execute(f"DELETE FROM {table}")  # noqa: S608 - one of these

    def worker_of(self, name: str) -> int | None:
        """The number of the worker that has a user's route; None: no one has had it yet."""
        return self.database.value(int, "SELECT worker FROM route WHERE name = ?", (name,))

    def undo(self) -> None:
        """A worker is gone: what it had not committed is undone."""
        if self.database.writing:
            self.database.execute("ROLLBACK")

    def close(self) -> None:
        self.database.close()


class ServerLink(Disk):
    """A worker's connection to the server, with the faults of a disk. A commit is never torn: it has happened or not.

    An error loses the connection, so the worker does not know whether its commit has happened.
    """

    def __init__(
        self,
        server: DatabaseServer,
        rng: random.Random,
        *,
        bury: Callable[[], None],
        stall: Callable[[float], None],
        hear: Callable[[Callable[[], None]], None] = lambda act: act(),
    ) -> None:
        """`hear` lets the worker's process do something when it is awake: a notification came."""
        super().__init__(Path(), rng, bury=bury, stall=stall)
        self.server = server
        self.hear = hear
        self._is_dead = False

    @property
    def dead(self) -> bool:
        return self._is_dead

    def remember_opening(self, synchronous: int) -> None:
        """The server keeps what it has committed."""

    def die(self, left: Image | None = None) -> None:  # noqa: ARG002 - nothing of a worker is on a disk
        self._is_dead = True
        self.server.undo()
        self._arm()

    def put_back(self) -> None:
        self._is_dead, self._crash = False, None
        self._arm()

    def erase(self) -> None:
        raise NotImplementedError("a node's store is not erased")

    def run(self, database: StoreDatabase, sql: str, go_on: Callable[[], Any]) -> Any:
        if self._errors and not self._paused and not self.dead:
            self._errors -= 1
            if sql == "COMMIT" and self._rng.random() < 0.5:
                go_on()
            self.server.undo()
            raise StoreUnreachable("the connection is lost")
        return super().run(database, sql, go_on)

    def _commit(self, database: StoreDatabase, go_on: Callable[[], Any]) -> Any:  # noqa: ARG002
        moment = self._count_down()
        happens = moment is None or moment is Moment.AFTER or (moment is Moment.TORN and self._rng.random() < 0.5)
        if self._full:
            self.server.undo()
            raise StoreUnreachable("the server is not there")
        result = go_on() if happens else None
        if moment is not None:
            self.die()
            raise ProcessDied(self._bury)
        if self._delay_s:
            self._stall(self._delay_s)
        return result


class WorkerDatabase(StoreDatabase):
    """The server's database as one worker has it. It is `SharedDatabase` too."""

    def __init__(self, link: ServerLink) -> None:
        super().__init__(IN_MEMORY)
        self._link = link
        self._server = link.server
        self.workers = Workers(self)
        """The worker, as one of the node's."""

    def _mine(self) -> Connection | None:
        return self._server.database._mine()  # noqa: SLF001 - the same connection, in another worker's hands

    def _connection(self) -> Connection:
        if self._closed.is_set():
            raise self._was_closed()
        return self._server.database._connection()  # noqa: SLF001

    def execute(self, sql: str, params: Parameters = ()) -> Any:
        if not self._link.armed:
            return super().execute(sql, params)
        return self._link.run(self, sql, lambda: super(WorkerDatabase, self).execute(sql, params))

    def commit(self, work: Callable[[], T]) -> T:
        """As PostgreSQL's: run again where the connection is lost, also after a commit that has happened."""
        if self.writing:
            return work()

        def checked() -> T:
            result = work()
            self._server.check_routes(self.workers.number)
            return result

        for _ in range(TRIES - 1):
            try:
                return super().commit(checked)
            except (StoreUnreachable, StoreConflict):
                continue
        return super().commit(checked)

    def notify(self, channel: str) -> None:
        self._server.notify(channel)

    def listen(self, channel: str, woken: Callable[[], None]) -> Callable[[], None]:
        self._server.listeners[channel] = partial(self._link.hear, woken)
        return lambda: self._server.listeners.pop(channel, None) and None

    def close(self) -> None:
        """The server stays."""
        self._closed.set()
