"""A store's tables in PostgreSQL: made, and brought to the newest schema while other processes may have the store.

The table `store` has one row: the store's mark, its schema, and the oldest schema whose processes can continue with it.
A process that knows less than that is refused, at each connection.
"""

from __future__ import annotations

from typing import Final

from usernym.logger import logger
from usernym.storage.errors import NotAStore, StoreInUse
from usernym.storage.migrations import Schema
from usernym.storage.postgres import DIALECT, IDLE_S, Ownership, PostgresDatabase, had_in_time
from usernym.storage.tables import Row, creation_of

_TUNING: Final = (
    # Rows that come and go all day: the server is to reuse their room soon, and within their page.
    *(f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000)"
      for table in ("mail", "remembered", "notice")),
    *(f"ALTER TABLE {table} SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02)"
      for table in ("mailbox", "remembered_count", "clock")),
)  # fmt: skip


def open_postgres(
    url: str, schema: Schema, base: type[Row], *, alone: bool = False, to_copy: bool = False
) -> PostgresDatabase:
    """The database, with the tables of `base`, which are made or migrated if need be; `alone`: only this process has
    it as its store then. `to_copy`: it is to be there, and to have nothing that this version does not know.

    Raises `StoreUnreachable`, `StoreInaccessible`, `UnsafeServer`, `StoreInUse`, `NotAStore` or `SchemaTooNew`, before
    anything is written.
    """
    ownership = Ownership(schema.application_id, schema.version, alone=alone, whole=alone or to_copy)
    database = PostgresDatabase(url, idle_s=0 if ownership.whole else IDLE_S)
    try:
        database.commit(lambda: _migrate(database, schema, base, ownership, to_copy=to_copy))
        database.own(ownership)
        for warning in database.warnings():
            logger.warning("%s", warning)
    except BaseException:
        database.close()
        raise
    return database


def _migrate(
    database: PostgresDatabase, schema: Schema, base: type[Row], ownership: Ownership, *, to_copy: bool
) -> None:
    # One after the other: workers may start together, and two can't make one table.
    database.rows("SELECT pg_advisory_xact_lock(?)", (schema.application_id + 1,))
    if not _lock(database, ownership.mark, alone=ownership.alone):
        raise StoreInUse(f"{database.path} is in use by a node's process: stop it first")
    tables = {row[0] for row in database.rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")}
    if "store" not in tables:
        if tables:
            raise NotAStore(f"{database.path} has tables of another program: it is left as it is")
        if to_copy:
            raise NotAStore(f"{database.path} is empty: no node has its store there")
        database.run("CREATE TABLE store (id BIGINT PRIMARY KEY, version BIGINT NOT NULL, oldest BIGINT NOT NULL)")
        for statement in creation_of(base, DIALECT):
            database.run(statement.replace(" AUTOINCREMENT", ""))
        for statement in (*schema.filling, *_TUNING):
            database.run(statement)
        values = (ownership.mark, schema.version, schema.oldest_beside)
        database.run("INSERT INTO store (id, version, oldest) VALUES (?, ?, ?)", values)
    found = ownership.check(database.path, database.row(ownership.STATE, (ownership.mark,)))
    if found >= schema.version:
        return
    if schema.oldest_beside > found and not _lock(database, ownership.mark, alone=True):
        raise StoreInUse(
            f"{database.path} has schema {found}, and this version changes it to {schema.version}, which processes of "
            "the node's former version can't continue with: end all of them first. Nothing was changed"
        )
    for migration in schema.migrations[found - 1 :]:
        for statement in migration.postgres:
            database.run(statement)
    values = (schema.version, schema.oldest_beside, ownership.mark)
    database.run("UPDATE store SET version = ?, oldest = ? WHERE id = ?", values)


def _lock(database: PostgresDatabase, mark: int, *, alone: bool) -> bool:
    """Keep the processes out that would have the store alone, or all other ones, until the commit; False if one has it
    already."""
    how = "pg_try_advisory_xact_lock" if alone else "pg_try_advisory_xact_lock_shared"
    sql = f"SELECT {how}(?)"
    return had_in_time(lambda: database.value(bool, sql, (mark,)) is True)
