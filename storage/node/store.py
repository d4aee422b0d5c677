"""The node's store: its own key and card, the directory, the mailbox, notices to senders, remembered requests.

Not encrypted (the threat model says so), owner-only. One `NodeStore` serves all of the node's actor threads. Every
method that writes is one transaction, durable on return; inside `transaction()` it becomes part of that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from usernym.storage.database import BUSY_TIMEOUT_S, Store, StoreDatabase, Synchronous, open_database
from usernym.storage.node.directory import Directory
from usernym.storage.node.mailbox import Mailbox
from usernym.storage.node.notices import Notices
from usernym.storage.node.profile import NodeProfile
from usernym.storage.node.replay_ids import ReplayIds
from usernym.storage.node.schema import NODE_SCHEMA


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

    def __init__(self, database: StoreDatabase) -> None:
        super().__init__(database)
        self.profile = NodeProfile(database)
        self.directory = Directory(database)
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

    def erase_traces(self) -> bool:
        """Empty the write-ahead log: it still has what was deleted from the tables. False if readers are in the way."""
        return self.database.checkpoint()

    def counts(self) -> NodeCounts:
        """How much there is; counts row by row, for a status display and not for a hot path."""
        row = self.database.row(
            "SELECT (SELECT count(*) FROM account WHERE deleted_until IS NULL), count(*), coalesce(sum(size), 0),"
            " (SELECT count(*) FROM notice), (SELECT rows FROM remembered_count) FROM mail"
        )
        assert row is not None, "an aggregate has one row"
        return NodeCounts(*row)
