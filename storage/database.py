"""A SQLite database as the stores use it: WAL, durable commits, erased on deletion, owner-only, with typed errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import local
from typing import Any, Final, Literal

from usernym.storage.drivers import connect
from usernym.storage.engine import Connection, Done, Engine, Parameters
from usernym.storage.errors import DRIVER_ERRORS, NotAStore, RowLimitReached, StoreInaccessible, translate
from usernym.storage.files import check_private, create_private_file, file_errors, make_private_folder, sync_folder
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

_HEADER_BYTES: Final = 100
_MAGIC: Final = b"SQLite format 3\0"
_APPLICATION_ID_AT: Final = 68


class _SqliteConnection(Connection):
    __slots__ = ()

    def _in_transaction(self) -> bool:
        return bool(self._raw.in_transaction)

    def _execute(self, sql: str, params: Parameters) -> Done:
        if "?1" in sql and not isinstance(params, dict):
            # Python takes a numbered placeholder for a name, and from 3.14 on refuses to bind it by its place.
            params = {str(number): value for number, value in enumerate(params, 1)}
        cursor = self._raw.execute(sql, params)
        return cursor.fetchall(), cursor.rowcount

    def copy_to(self, other: Connection) -> None:
        """Fill another connection's database with what is in this one's."""
        self._raw.backup(other._raw)  # noqa: SLF001 - a connection like this one


class StoreDatabase(Engine):
    """A SQLite database; with `key` (32 bytes) every page is encrypted. For its errors see `errors.translate`."""

    locked = ""
    held = ""
    # IMMEDIATE: a transaction that first reads and then writes must not find another writer in between.
    _begin = "BEGIN IMMEDIATE"

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
        super().__init__(str(path))
        self.in_memory = path == IN_MEMORY
        self._busy_s = timeout_s
        self._key = key
        self._settings = (
            f"PRAGMA synchronous = {synchronous}",
            "PRAGMA secure_delete = ON",
            "PRAGMA foreign_keys = ON",
            "PRAGMA temp_store = MEMORY",
        )

    def _connect(self) -> Connection:
        return _SqliteConnection(self._connect_raw())

    def _connect_raw(self) -> Any:
        """A new connection of the driver. A wrong key shows here, and not at a later query."""
        raw = self._connect_driver(self.path)
        try:
            if self._key is not None:
                raw.execute("SELECT count(*) FROM sqlite_master").fetchone()
            for setting in self._settings:
                raw.execute(setting)
        except BaseException:
            raw.close()
            raise
        return raw

    def _connect_driver(self, name: str, **options: Any) -> Any:
        # One thread uses it at a time, behind its lock: it is only ever closed from another one.
        return connect(name, self._key, timeout=self._busy_s, check_same_thread=False, **options)

    def begin_as(self, other: StoreDatabase) -> None:
        """Become a copy of a database in memory of the same thread."""
        source, target = other._connection(), self._connection()
        assert isinstance(source, _SqliteConnection)
        source.copy_to(target)

    def execute(self, sql: str, params: Parameters = ()) -> Done:
        try:
            return self._execute(sql, params)
        except DRIVER_ERRORS as error:
            raise translate(error, self.path) from error

    def erase_traces(self) -> bool:
        """Move all of the WAL into the database and truncate it. False if readers are in the way."""
        return self.value(int, "PRAGMA wal_checkpoint(TRUNCATE)") == 0

    def last_number(self, table: str, key: str) -> int:  # noqa: ARG002 - a table has one
        return self.value(int, "SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)) or 0

    def set_last_number(self, table: str, key: str, number: int) -> None:  # noqa: ARG002 - as above
        self.run("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        self.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, number))

    def retire(self) -> None:
        self.erase_traces()
        self.close()
        path = Path(self.path)
        with file_errors(path):
            path.rename(f"{path}.moved")
            sync_folder(path.parent)

    def size(self) -> int:
        total = 0
        for part in (self.path, f"{self.path}-wal"):
            with suppress(OSError):  # the log is not always there
                total += Path(part).stat().st_size
        return total

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
        if database.in_memory:
            database.begin_as(_MADE.of(schema))
        migrate(database, schema)
        _check_readable(database, schema)
    except DRIVER_ERRORS as error:
        database.close()
        raise translate(error, database.path) from error
    except BaseException:
        database.close()
        raise
    return database


class _Made(local):
    """Empty databases in memory, of which a thread's others are copies: simulations open thousands."""

    def __init__(self) -> None:
        self._made: dict[Schema, StoreDatabase] = {}

    def of(self, schema: Schema) -> StoreDatabase:
        if schema not in self._made:
            database = StoreDatabase(IN_MEMORY)
            migrate(database, schema)
            self._made[schema] = database
        return self._made[schema]


_MADE: Final = _Made()


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

    def __init__(self, database: Engine) -> None:
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
        """What a quick check of the whole database finds wrong. Empty if it is sound."""
        return self.database.problems()
