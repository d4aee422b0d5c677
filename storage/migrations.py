"""Numbered schemas. The number stands in the database (`user_version`), beside a mark that says whose file it is.

A migration is plain SQL, one transaction each: a process that dies in the middle leaves the previous schema. A
migration that was ever released is never edited; a change of the schema is a new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from usernym.storage.errors import NotAStore, SchemaTooNew

if TYPE_CHECKING:
    from usernym.storage.database import StoreDatabase


@dataclass(frozen=True, slots=True)
class Schema:
    """A store's schema: its mark (`application_id`, 32 bits), its tables now, and the steps that lead there.

    `migrations[i]` leads from schema i to schema i + 1: a list of SQL statements.
    """

    application_id: int
    tables: tuple[str, ...]
    migrations: tuple[tuple[str, ...], ...]

    @property
    def version(self) -> int:
        """The newest schema."""
        return len(self.migrations)


def schema_version(database: StoreDatabase) -> int:
    """The number of the schema in the file; 0 for a new one."""
    return _pragma(database, "user_version")


def migrate(database: StoreDatabase, schema: Schema) -> None:
    """Bring a database to the newest schema; a new one is marked first and set to WAL.

    Raises `NotAStore` and `SchemaTooNew` before anything is written.
    """
    _claim(database, schema)
    found = schema_version(database)
    if found > schema.version:
        raise SchemaTooNew(database.path, found, schema.version)
    database.row("PRAGMA journal_mode = WAL")
    for number, statements in enumerate(schema.migrations, start=1):
        if number > found:
            _apply(database, number, statements)


def _claim(database: StoreDatabase, schema: Schema) -> None:
    """Mark a new file as ours. Done before WAL is switched on, so that the mark is in the file and not in a WAL."""
    mark = _pragma(database, "application_id")
    if mark == schema.application_id:
        return
    if mark or schema_version(database) or database.row("SELECT 1 FROM sqlite_master LIMIT 1"):
        raise NotAStore(f"{database.path} is not a store of this program: it is left as it is")
    database.execute_sql(f"PRAGMA application_id = {schema.application_id}")


def _apply(database: StoreDatabase, number: int, statements: tuple[str, ...]) -> None:
    with database.one_commit():
        # Another process may have been here since the version was read.
        if schema_version(database) >= number:
            return
        for statement in statements:
            database.execute_sql(statement)
        database.execute_sql(f"PRAGMA user_version = {number}")


def _pragma(database: StoreDatabase, name: str) -> int:
    found = database.row(f"PRAGMA {name}")
    return 0 if found is None else int(found[0])
