"""A SQL database as the stores use it, whichever it is: SQLite (`database.py`) or PostgreSQL (`postgres.py`).

Statements are written once, for both. They bind values to `?` or `?1` by place and to `:name` by name. `Engine.locked`
is the only word of SQL by which the two differ.

Models are not bound to a database, since one process holds several stores: a query is run by `Engine.change`. The hot
paths use `row`, `rows` and `run` with plain SQL, which is an order of magnitude faster than peewee's model layer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Lock, local
from typing import Any, ClassVar, Final, TypeVar
from urllib.parse import urlsplit
from weakref import WeakSet

import peewee

from usernym.storage.errors import StoreClosed

T = TypeVar("T")

Parameters = Sequence[Any] | dict[str, Any]
"""What a statement binds: to `?` by place, to `:name` by name."""
Done = tuple[list[tuple[Any, ...]], int]
"""All rows of a statement, and how many it changed."""

DIALECT: Final = peewee.SqliteDatabase(None)
"""Writes the SQL of peewee's queries. It is never connected."""


class Connection(ABC):
    """One thread's connection. It closes when the thread ends; the lock lets another one close it."""

    __slots__ = ("__weakref__", "_closed", "_lock", "_raw")

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._lock = Lock()
        self._closed = False

    @property
    def in_transaction(self) -> bool:
        with self._lock:
            return not self._closed and self._in_transaction()

    @abstractmethod
    def _in_transaction(self) -> bool: ...

    def execute(self, sql: str, params: Parameters) -> Done | None:
        """All rows, and how many were changed; None if the connection was closed."""
        with self._lock:
            return None if self._closed else self._execute(sql, params)

    @abstractmethod
    def _execute(self, sql: str, params: Parameters) -> Done: ...

    def close(self) -> None:
        # A thread that ends may close it at the very moment at which the store is closed: the driver bears one of them.
        with self._lock:
            if not self._closed:
                self._closed = True
                self._raw.close()

    def __del__(self) -> None:
        self.close()


class Engine(ABC):
    """A database with this project's settings.

    Each thread gets a connection of its own at its first use, which closes when the thread ends. `close` closes those
    of all threads. All calls raise `StorageError`s where there is something a person can do.
    """

    locked: ClassVar[str]
    """What ends a SELECT whose rows are to stay as they are until the commit; empty where one writer works alone."""
    held: ClassVar[str]
    """The same, but others may rely on the rows too."""
    _begin: ClassVar[str]
    _begin_reading: ClassVar[str] = "BEGIN"

    def __init__(self, path: str) -> None:
        self.path = path
        """What a person calls the database by."""
        self._of_thread = local()
        self._guard = Lock()
        self._connections: WeakSet[Connection] = WeakSet()
        self._closed = Event()

    # -- connections --

    @abstractmethod
    def _connect(self) -> Connection:
        """A new connection."""

    def _mine(self) -> Connection | None:
        found: Connection | None = getattr(self._of_thread, "connection", None)
        return found

    def _connection(self) -> Connection:
        found = self._mine()
        if found is None:
            if self._closed.is_set():
                raise self._was_closed()
            found = self._connect()
            with self._guard:
                late = self._closed.is_set()
                if not late:
                    self._connections.add(found)
            if late:
                found.close()
                raise self._was_closed()
            self._of_thread.connection = found
        return found

    def _was_closed(self) -> StoreClosed:
        return StoreClosed(f"{self.path} was closed")

    def close(self) -> None:
        """Close the connections of all threads, and refuse every later use. Waits for a statement that is running."""
        with self._guard:
            self._closed.set()
            connections = list(self._connections)
        for connection in connections:
            connection.close()

    # -- running statements --

    @abstractmethod
    def execute(self, sql: str, params: Parameters = ()) -> Done:
        """Run one statement. Logs nothing: parameters are secrets."""

    def _execute(self, sql: str, params: Parameters) -> Done:
        done = self._connection().execute(sql, params)
        if done is None:
            raise self._was_closed()
        return done

    def rows(self, sql: str, params: Parameters = ()) -> list[tuple[Any, ...]]:
        return self.execute(sql, params)[0]

    def row(self, sql: str, params: Parameters = ()) -> tuple[Any, ...] | None:
        """The first row of one statement, or None."""
        found = self.rows(sql, params)
        return found[0] if found else None

    def value(self, kind: type[T], sql: str, params: Parameters = ()) -> T | None:
        """The first column of the first row, a value of this type; None if it is null, or there is no row."""
        row = self.row(sql, params)
        found: T | None = None if row is None else row[0]
        assert found is None or isinstance(found, kind), "as the table's definition says"
        return found

    def run(self, sql: str, params: Parameters = ()) -> int:
        """Run one statement that writes; returns the number of rows it changed."""
        return self.execute(sql, params)[1]

    def change(self, query: peewee.BaseQuery) -> int:
        """Run a peewee INSERT, UPDATE or DELETE; returns the number of rows it changed."""
        return self.run(*DIALECT.get_sql_context().sql(query).query())  # type: ignore[no-untyped-call]

    # -- transactions --

    @property
    def writing(self) -> bool:
        """Whether this thread is inside a transaction."""
        found = self._mine()
        return found is not None and found.in_transaction

    @contextmanager
    def one_commit(self) -> Iterator[None]:
        """One commit for all that the block writes, or nothing of it. A block inside a block is a part of it.

        An inner block that raises undoes its own part alone, if the exception is caught between the two.
        """
        if self.writing:
            begin, end, undo = "SAVEPOINT part", "RELEASE part", ["ROLLBACK TO part", "RELEASE part"]
        else:
            begin, end, undo = self._begin, "COMMIT", ["ROLLBACK"]
        self.execute(begin)
        try:
            yield
            self.execute(end)
        except BaseException:
            # A full disk makes SQLite roll back by itself; a connection that is lost has rolled back, too.
            if self.writing:
                for statement in undo:
                    self.execute(statement)
            raise

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """All that the block reads is as it is at one moment, whatever is written meanwhile. It writes nothing."""
        self.execute(self._begin_reading)
        try:
            yield
        finally:
            if self.writing:
                self.execute("ROLLBACK")

    def commit(self, work: Callable[[], T]) -> T:
        """One commit for all that `work` writes, or nothing of it; inside another one, a part of that.

        `work` may run more than once, each time from the beginning, and after a run whose commit did happen: it must
        come to the same then, and remember nothing outside the store.
        """
        if self.writing:
            return work()
        with self.one_commit():
            return work()

    @abstractmethod
    def erase_traces(self) -> bool:
        """Erase what was deleted, as far as the engine can. False if readers are in the way."""

    @abstractmethod
    def last_number(self, table: str, key: str) -> int:
        """The last number that this column of the table got, a key that counts up; 0 before the first."""

    @abstractmethod
    def set_last_number(self, table: str, key: str, number: int) -> None:
        """Let the next one be higher than this."""

    @abstractmethod
    def retire(self) -> None:
        """Let no one open this as a store any more: it has been copied elsewhere. It is closed, and stays readable."""

    @abstractmethod
    def size(self) -> int:
        """Bytes on the disk, with what SQLite's log has."""

    @abstractmethod
    def problems(self) -> list[str]:
        """What a quick check of the whole database finds wrong."""


def name_of(url: str) -> str:
    """A database's URL without user, password and options, for people and logs; a path as it is."""
    parts = urlsplit(url)
    if not parts.scheme:
        return url
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
