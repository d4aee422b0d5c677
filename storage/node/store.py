"""The node's store: its own key and card, the directory and its log, mailboxes, notices to senders, old requests.

Not encrypted (the threat model says so), owner-only. One `NodeStore` serves all of the node's actor threads. Every
method that writes is one transaction, durable on return; inside `commit` it becomes part of that one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from usernym.storage.database import BUSY_TIMEOUT_S, Store, Synchronous, open_database
from usernym.storage.engine import Engine
from usernym.storage.errors import StoreInaccessible
from usernym.storage.node.directory import Directory
from usernym.storage.node.epochs import DirectoryLog
from usernym.storage.node.mailbox import Mailbox
from usernym.storage.node.notices import Notices
from usernym.storage.node.profile import NodeProfile
from usernym.storage.node.promises import DirectoryPromises
from usernym.storage.node.proofs import DirectoryProofs
from usernym.storage.node.replay_ids import ReplayIds
from usernym.storage.node.schema import NODE_SCHEMA, NodeRow
from usernym.storage.node.witnesses import Witnesses
from usernym.storage.node.workers import Membership, SoleWorker, Workers

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NodeCounts:
    """How much the node keeps: rows, and bytes of undelivered messages."""

    accounts: int
    messages: int
    message_bytes: int
    notices: int
    remembered: int


class NodeStore(Store):
    """The node's store. Each part that holds rows is a field."""

    def __init__(self, database: Engine, workers: Membership | None = None) -> None:
        super().__init__(database)
        self.workers: Membership = SoleWorker() if workers is None else workers
        self.profile = NodeProfile(database)
        self.directory = Directory(database)
        self.log = DirectoryLog(database)
        self.witnesses = Witnesses(database)
        self.proofs = DirectoryProofs(database, self.log, self.witnesses)
        self.promises = DirectoryPromises(database, self.log)
        self.mailbox = Mailbox(database)
        self.notices = Notices(database)
        self.replay_ids = ReplayIds(database)

    @classmethod
    def open(cls, path: Path, *, synchronous: Synchronous = "FULL", timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Open the store, created owner-only if need be. `IN_MEMORY` as the path is for simulations in one thread.

        Raises `NotAStore`, `StoreCorrupt`, `SchemaTooNew`, `StoreExposed`, `StoreInaccessible`, `StoreBusy` or
        `StoreFull`.
        """
        return cls(open_database(path, NODE_SCHEMA, synchronous=synchronous, timeout_s=timeout_s))

    @classmethod
    def connect(cls, url: str, *, alone: bool = False, to_copy: bool = False) -> Self:
        """Open the store in the PostgreSQL database at `url`, as one of several workers or `alone`; it is made if the
        database is empty. `to_copy`: then it is `NotAStore`, and this version has to know all that the store has.

        Raises `StoreUnreachable`, `StoreInaccessible`, `UnsafeServer`, `StoreInUse`, `NotAStore` or `SchemaTooNew`;
        `StoreInaccessible` also where psycopg is not installed.
        """
        try:
            from usernym.storage.postgres_schema import open_postgres  # noqa: PLC0415 - psycopg is optional, and slow to load
        except ImportError:
            raise StoreInaccessible("psycopg is not installed: pip install 'usernym[postgres]'") from None
        database = open_postgres(url, NODE_SCHEMA, NodeRow, alone=alone, to_copy=to_copy)
        return cls(database, Workers(database))

    def commit(self, work: Callable[[], T]) -> T:
        """One commit for all that `work` writes: all of it is durable on return, or nothing of it is there.

        `work` may run more than once: see `Engine.commit`. Raises what it raises; `StoreBusy` if others are in the way
        for too long, or the database is not there.
        """
        return self.database.commit(work)

    def retire(self) -> None:
        """Let no node have this store any more: it has been copied elsewhere. It is closed, and kept."""
        self.database.retire()

    def erase_traces(self) -> bool:
        """Erase what was deleted from the tables where the engine still has it, as far as it can: SQLite's write-ahead
        log. False if readers are in the way."""
        return self.database.erase_traces()

    def counts(self) -> NodeCounts:
        """How much there is; counts row by row, for a status display and not for a hot path."""
        row = self.database.row(
            "SELECT (SELECT count(*) FROM account WHERE deleted_until IS NULL), count(*),"
            " CAST(coalesce(sum(size), 0) AS BIGINT), (SELECT count(*) FROM notice),"
            " (SELECT rows FROM remembered_count) FROM mail"
        )
        assert row is not None, "an aggregate has one row"
        return NodeCounts(*row)
