"""A node's store is copied to another engine: all that a node is, in one commit, compared with its source."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import peewee

from usernym.storage.database import marks, parts
from usernym.storage.engine import Engine
from usernym.storage.errors import StoreCorrupt, StoreInaccessible
from usernym.storage.node.schema import OF_PROCESSES, NodeRow
from usernym.storage.node.store import NodeStore
from usernym.storage.tables import columns_of, counted_key_of, keys_of, table_name

ROWS_AT_ONCE: Final = 1_000


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """What a table has in both stores: how many rows, and the SHA-256 of them, in hexadecimal."""

    table: str
    rows: int
    digest: str


def copy_store(source: NodeStore, target: NodeStore) -> list[CopiedTable]:
    """Copy a node's store, as it is at one moment, into a new one, without what is about its processes.

    Raises `StoreInaccessible` if the target has a node already, and `StoreCorrupt` if what came there differs from the
    source. Then nothing is in the target.
    """

    def copy() -> list[CopiedTable]:
        with source.database.one_moment():
            return copy_all()

    def copy_all() -> list[CopiedTable]:
        if target.database.row("SELECT 1 FROM node_identity"):
            raise StoreInaccessible(f"{target.path} has a node already: nothing was copied")
        models = [model for model in NodeRow.__subclasses__() if model not in OF_PROCESSES]
        for model in models:
            target.database.run(f"DELETE FROM {table_name(model)}")  # noqa: S608 - constants
        for model in models:
            _fill(source.database, target.database, model)
            if (key := counted_key_of(model)) is not None:
                number = source.database.last_number(table_name(model), key)
                target.database.set_last_number(table_name(model), key, number)
        there = [_described(target.database, model) for model in models]
        if there != [_described(source.database, model) for model in models]:
            raise StoreCorrupt(f"what came to {target.path} differs from {source.path}: nothing was copied")
        return there

    return target.commit(copy)


def _fill(source: Engine, target: Engine, model: type[peewee.Model]) -> None:
    columns = columns_of(model)
    insert = f"INSERT INTO {table_name(model)} ({', '.join(columns)}) VALUES "  # noqa: S608 - constants
    for page in _pages(source, model):
        for some in parts(page, len(columns)):
            rows = ", ".join([f"({marks(len(columns))})"] * len(some))
            target.run(insert + rows, [value for row in some for value in row])


def _described(engine: Engine, model: type[peewee.Model]) -> CopiedTable:
    count, digest = 0, hashlib.sha256()
    for page in _pages(engine, model):
        count += len(page)
        for row in page:
            digest.update(repr(row).encode())
    return CopiedTable(table_name(model), count, digest.hexdigest())


def _pages(engine: Engine, model: type[peewee.Model]) -> Iterator[Sequence[tuple[Any, ...]]]:
    """All rows, in the order of their keys."""
    columns = columns_of(model)
    keys = keys_of(model)
    names, order = ", ".join(columns), ", ".join(keys)
    start: list[Any] = []
    while True:
        after = f"WHERE ({order}) > ({marks(len(keys))})" if start else ""
        sql = f"SELECT {names} FROM {table_name(model)} {after} ORDER BY {order} LIMIT {ROWS_AT_ONCE}"  # noqa: S608
        page = engine.rows(sql, start)
        if page:
            yield page
        if len(page) < ROWS_AT_ONCE:
            return
        start = [page[-1][columns.index(key)] for key in keys]
