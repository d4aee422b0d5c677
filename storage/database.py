"""A SQLite database as the stores use it: WAL, durable commits, erased on deletion, owner-only, with typed errors.

Models are not bound to a database, since one process holds several stores: a query is run by `StoreDatabase.fetch`,
`change` or `insert`. The hot paths use `row`, `rows` and `run` with plain SQL, which is an order of magnitude faster
than peewee's model layer.

Connections are per thread: one opens at a thread's first use and closes when the thread ends, or at `close`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, local
from typing import Any, Final, Literal, TypeVar
from weakref import WeakSet

import peewee

from usernym.storage.drivers import connect
from usernym.storage.errors import DRIVER_ERRORS, NotAStore, RowLimitReached, StoreClosed, StoreInaccessible, translate
from usernym.storage.files import check_private, create_private_file, make_private_folder
from usernym.storage.migrations import Schema, migrate

Synchronous = Literal["FULL", "NORMAL", "OFF"]
"""SQLite's `PRAGMA synchronous`: with FULL a commit is on the disk when it returns. OFF is for simulations."""

IN_MEMORY: Final = Path(":memory:")
"""In place of a file: a database that lives as long as its store, for the one thread that opened it."""

BUSY_TIMEOUT_S: Final = 10.0
"""How long a writer waits for the others: many times the longest sweep."""

KEY_BYTES: Final = 32
_PARAMETERS_MAX: Final = 900
"""Bound values in one statement; old SQLite libraries allow 999."""

T = TypeVar("T")

Parameters = Sequence[Any] | Mapping[str, Any]
"""What a statement binds: to `?` by place, to `:name` by name."""

DIALECT: Final = peewee.SqliteDatabase(None)
"""Writes the SQL of peewee's queries. It is never connected."""

_HEADER_BYTES: Final = 100
_MAGIC: Final = b"SQLite format 3\0"
_APPLICATION_ID_AT: Final = 68


class _Connection:
    """One thread's connection to a file. It closes when the thread ends; the lock lets another one close it."""

    __slots__ = ("__weakref__", "_closed", "_lock", "_raw")

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._lock = Lock()
        self._closed = False

    @property
    def in_transaction(self) -> bool:
        with self._lock:
            return not self._closed and bool(self._raw.in_transaction)

    def execute(self, sql: str, params: Parameters) -> tuple[list[tuple[Any, ...]], int] | None:
        """All rows, and how many were changed; None if the connection was closed."""
        with self._lock:
            if self._closed:
                return None
            if "?1" in sql and not isinstance(params, Mapping):
                # Python takes a numbered placeholder for a name, and from 3.14 on refuses to bind it by its place.
                params = {str(number): value for number, value in enumerate(params, 1)}
            cursor = self._raw.execute(sql, params)
            return cursor.fetchall(), cursor.rowcount

    def close(self) -> None:
        # A thread that ends may close it at the very moment at which the store is closed: the driver bears one of them.
        with self._lock:
            if not self._closed:
                self._closed = True
                self._raw.close()

    def __del__(self) -> None:
        self.close()


class StoreDatabase:
    """A database with this project's settings; with `key` (32 bytes) every page is encrypted.

    Each thread gets a connection of its own at its first use, which closes when the thread ends. `close` closes those
    of all threads. All calls raise `StorageError`s where there is something a person can do (see `errors.translate`).
    """

    def __init__(
        self,
        path: Path,
        *,
        key: bytes | None = None,
        synchronous: Synchronous = "FULL",
        timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        if key is not None and len(key) != KEY_BYTES:
            raise ValueError("a storage key has 32 bytes")
        self.path = str(path)
        self.in_memory = path == IN_MEMORY
        self._busy_s = timeout_s
        self._key = key
        self._settings = (
            f"PRAGMA synchronous = {synchronous}",
            "PRAGMA secure_delete = ON",
            "PRAGMA foreign_keys = ON",
            "PRAGMA temp_store = MEMORY",
        )
        self._of_thread = local()
        self._guard = Lock()
        self._connections: WeakSet[_Connection] = WeakSet()
        self._closed = Event()

    # -- connections --

    def _connect(self) -> Any:
        """A new connection of the driver. A wrong key shows here, and not at a later query."""
        # One thread uses it at a time, behind its lock: it is only ever closed from another one.
        raw = connect(self.path, self._key, timeout=self._busy_s, check_same_thread=False)
        try:
            if self._key is not None:
                raw.execute("SELECT count(*) FROM sqlite_master").fetchone()
            for setting in self._settings:
                raw.execute(setting)
        except BaseException:
            raw.close()
            raise
        return raw

    def _connection(self) -> _Connection:
        found: _Connection | None = getattr(self._of_thread, "connection", None)
        if found is None:
            if self._closed.is_set():
                raise self._was_closed()
            found = _Connection(self._connect())
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

    def execute(self, sql: str, params: Parameters = ()) -> tuple[list[tuple[Any, ...]], int]:
        """Run one statement: all its rows, and how many it changed. Logs nothing: parameters are secrets."""
        try:
            done = self._connection().execute(sql, params)
        except DRIVER_ERRORS as error:
            raise translate(error, self.path) from error
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
        found: _Connection | None = getattr(self._of_thread, "connection", None)
        return found is not None and found.in_transaction

    @contextmanager
    def one_commit(self) -> Iterator[None]:
        """One commit for all that the block writes, or nothing of it. A block inside a block is a part of it.

        An inner block that raises undoes its own part alone, if the exception is caught between the two.
        """
        if self.writing:
            begin, end, undo = "SAVEPOINT part", "RELEASE part", ["ROLLBACK TO part", "RELEASE part"]
        else:
            # IMMEDIATE: a transaction that first reads and then writes must not find another writer in between.
            begin, end, undo = "BEGIN IMMEDIATE", "COMMIT", ["ROLLBACK"]
        self.execute(begin)
        try:
            yield
            self.execute(end)
        except BaseException:
            # A full disk makes SQLite roll back by itself.
            if self.writing:
                for statement in undo:
                    self.execute(statement)
            raise

    def checkpoint(self) -> bool:
        """Move all of the WAL into the database and truncate it. False if readers are in the way."""
        return self.value(int, "PRAGMA wal_checkpoint(TRUNCATE)") == 0

    def problems(self) -> list[str]:
        """What SQLite's `quick_check` finds wrong; reads the whole file."""
        found = [str(row[0]) for row in self.rows("PRAGMA quick_check")]
        return [] if found == ["ok"] else found


def open_database(
    path: Path,
    schema: Schema,
    *,
    key: bytes | None = None,
    synchronous: Synchronous = "FULL",
    timeout_s: float = BUSY_TIMEOUT_S,
    make: Callable[..., StoreDatabase] = StoreDatabase,
) -> StoreDatabase:
    """The database at `path`, created owner-only if need be, with all migrations applied.

    `make` is the class, or stands for it: simulations pass one whose disk fails as they say.
    Raises `NotAStore`, `StoreCorrupt`, `SchemaTooNew`, `StoreExposed`, `StoreInaccessible`, `StoreBusy` or `StoreFull`.
    """
    database = make(path, key=key, synchronous=synchronous, timeout_s=timeout_s)
    if not database.in_memory:
        make_private_folder(path.parent)
        if not create_private_file(path):
            check_private(path)
            if key is None:
                _check_header(path, schema)
    try:
        migrate(database, schema)
        _check_readable(database, schema)
    except DRIVER_ERRORS as error:
        database.close()
        raise translate(error, database.path) from error
    except BaseException:
        database.close()
        raise
    return database


def _check_header(path: Path, schema: Schema) -> None:
    """Refuse another program's file before SQLite touches it. `migrate` writes the mark before anything else."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as error:
        raise StoreInaccessible(f"{path} cannot be read: {error.strerror}") from error
    mark = header[_APPLICATION_ID_AT : _APPLICATION_ID_AT + 4]
    if header and (not header.startswith(_MAGIC) or mark != schema.application_id.to_bytes(4, "big")):
        raise NotAStore(f"{path} is not a store of this program: it is left as it is")


def _check_readable(database: StoreDatabase, schema: Schema) -> None:
    """Touch the root page of every table, so that a cut-off file is found at the opening."""
    for table in schema.tables:
        database.rows(f'SELECT 1 FROM "{table}" NOT INDEXED LIMIT 1')  # noqa: S608 - a constant of the schema


def marks(count: int) -> str:
    """`count` parameter marks, for an IN list."""
    return ", ".join("?" * count)


def parts(items: Iterable[Any], parameters_each: int = 1) -> Iterator[list[Any]]:
    """The items in lists short enough for one statement that binds `parameters_each` values per item."""
    everything = list(items)
    size = _PARAMETERS_MAX // parameters_each
    for start in range(0, len(everything), size):
        yield everything[start : start + size]


def check_row_limit(count: int, rows_max: int, what: str) -> None:
    """Raise `RowLimitReached` if `count` rows leave no room for another."""
    if count >= rows_max:
        raise RowLimitReached(f"{what}: all {rows_max} rows are taken until some expire")


class Store:
    """What both stores have in common. One object serves all threads."""

    def __init__(self, database: StoreDatabase) -> None:
        self.database = database

    @property
    def path(self) -> str:
        return self.database.path

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Group this thread's writes into one commit: all of them are durable at the end of the block, or none.

        Raises what its writes raise; `StoreBusy` if another thread writes for longer than the busy timeout. A
        `StoreFull` may have ended the transaction already: let it leave the block.
        """
        with self.database.one_commit():
            yield

    def close(self) -> None:
        """Close the connections of all threads; later calls raise `StoreClosed`. Waits for running statements."""
        self.database.close()

    def problems(self) -> list[str]:
        """What is wrong with the file, as SQLite's `quick_check` says; reads all of it. Empty if it is sound."""
        return self.database.problems()
