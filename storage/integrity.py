"""Whether a store's file is sound: read only, so that what is damaged stays as it is, also beside a running process."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from usernym.storage.drivers import connect
from usernym.storage.errors import DRIVER_ERRORS, StoreInaccessible, translate
from usernym.storage.migrations import Schema

BUSY_TIMEOUT_S: Final = 10.0
PROBLEMS_MAX: Final = 100
"""Problems of one kind that are reported; a damaged file may have one for each row."""
_ROWS_AT_ONCE: Final = 1_000


class ReadOnlyStore:
    """A store's file as it is at one moment, from `__enter__` to `__exit__`. Raises `StorageError`s.

    Nothing is written, not even a migration, or a write-ahead log that a dead process has left.
    """

    def __init__(self, path: Path, key: bytes | None = None) -> None:
        self.path = path
        self._key = key
        self._connection: Any = None

    def __enter__(self) -> Self:
        if not self.path.is_file():
            raise StoreInaccessible(f"{self.path}: there is no store")
        with self._errors():
            uri = f"{self.path.absolute().as_uri()}?mode=ro"
            self._connection = connect(uri, self._key, uri=True, timeout=BUSY_TIMEOUT_S)
            try:
                self._connection.execute("BEGIN")
                self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except BaseException:
                self._connection.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except DRIVER_ERRORS as error:
            raise translate(error, str(self.path)) from error

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of one statement, few at a time in memory."""
        with self._errors():
            cursor = self._connection.execute(sql, parameters)
            while some := cursor.fetchmany(_ROWS_AT_ONCE):
                yield from some

    def number(self, sql: str) -> int:
        """The one number that a statement gives."""
        (row,) = self.rows(sql)
        return int(row[0])


def file_problems(store: ReadOnlyStore, schema: Schema) -> list[str]:
    """What is wrong with the file itself: SQLite's full check, keys that refer to nothing, tables that are not ours.

    Empty if it is sound. A file whose pages are damaged may raise `StoreCorrupt` instead.
    """
    problems = [f"SQLite: {row[0]}" for row in store.rows(f"PRAGMA integrity_check({PROBLEMS_MAX})") if row[0] != "ok"]
    if store.number("PRAGMA application_id") != schema.application_id:
        return [*problems, "the file does not carry this store's mark"]
    broken = [f"{table}, row {row}: refers to a row of {other} that is not there"
              for table, row, other, _ in store.rows("PRAGMA foreign_key_check")]  # fmt: skip
    problems += broken[:PROBLEMS_MAX]
    version = store.number("PRAGMA user_version")
    if version > schema.version:
        problems.append(f"it has schema {version}, this version of the program knows up to {schema.version}")
    elif version == schema.version:
        problems += _differences(store, schema)
    return problems


def _differences(store: ReadOnlyStore, schema: Schema) -> list[str]:
    """Where the tables, indices and triggers differ from those of a new file."""
    with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        for statement in (*schema.creation, *schema.filling):
            fresh.execute(statement)
        wanted = dict(fresh.execute(_OBJECTS).fetchall())
    found = dict(store.rows(_OBJECTS))
    problems = [f"the {each} is missing" for each in wanted if each not in found]
    problems += [f"there is a {each} that does not belong here" for each in found if each not in wanted]
    return problems + [
        f"the {each} is not as it should be" for each in wanted if found.get(each, wanted[each]) != wanted[each]
    ]


_OBJECTS: Final = "SELECT type || ' ' || name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1"
