"""Numbered schemas. The number stands in the database (`user_version`), beside a mark that says whose file it is.

A new file gets the newest schema at once. An older one gets the migrations that it lacks: plain SQL, one transaction
each, so a process that dies in the middle leaves the previous schema. A released migration is never edited.

A migration must end with the very SQL in `sqlite_master` that a new file has, since `integrity` compares the two:
append a column with `ALTER TABLE ... ADD COLUMN` and the text that a new file's `creation` has for it. PostgreSQL's
numbers stand in a table of the store's own (`postgres_schema.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from usernym.storage.errors import NotAStore, SchemaTooNew

if TYPE_CHECKING:
    from usernym.storage.database import StoreDatabase


@dataclass(frozen=True, slots=True)
class Migration:
    """One step to the next schema: SQL for SQLite, and the same for PostgreSQL if it is the node's.

    `beside`: processes of the version before may continue with the store while those of the new one have it, too. So it
    only adds, and what it adds may be unknown to them: a column that has a default, a table that they need not fill.
    """

    statements: tuple[str, ...]
    postgres: tuple[str, ...] = ()
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """A store's schema: its mark (`application_id`, 32 bits), its tables, and the SQL that makes and fills new ones.

    `migrations[i]` leads from schema i + 1 to schema i + 2.
    """

    application_id: int
    tables: tuple[str, ...]
    creation: tuple[str, ...]
    migrations: tuple[Migration, ...] = ()
    filling: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        """The newest schema."""
        return 1 + len(self.migrations)

    @property
    def oldest_beside(self) -> int:
        """The oldest schema whose processes may continue with a store that has the newest."""
        oldest = self.version
        while oldest > 1 and self.migrations[oldest - 2].beside:
            oldest -= 1
        return oldest


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
    if found == 0:
        _apply(database, schema.version, (*schema.creation, *schema.filling))
    for number, migration in enumerate(schema.migrations, start=2):
        if 0 < found < number:
            _apply(database, number, migration.statements)


def _claim(database: StoreDatabase, schema: Schema) -> None:
    """Mark a new file as ours. Done before WAL is switched on, so that the mark is in the file and not in a WAL."""
    mark = _pragma(database, "application_id")
    if mark == schema.application_id:
        return
    if mark or schema_version(database) or database.row("SELECT 1 FROM sqlite_master LIMIT 1"):
        raise NotAStore(f"{database.path} is not a store of this program: it is left as it is")
    database.execute(f"PRAGMA application_id = {schema.application_id}")


def _apply(database: StoreDatabase, number: int, statements: tuple[str, ...]) -> None:
    with database.one_commit():
        # Another process may have been here since the version was read.
        if schema_version(database) >= number:
            return
        for statement in statements:
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {number}")


def _pragma(database: StoreDatabase, name: str) -> int:
    return database.value(int, f"PRAGMA {name}") or 0
