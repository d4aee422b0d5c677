"""The node's store: its own key and card, the directory, the mailbox, notices to senders, remembered requests.

Not encrypted (the threat model says so), owner-only. One `NodeStore` serves all of the node's actor threads. Every
method that writes is one transaction, durable on return; inside `transaction()` it becomes part of that one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from usernym.storage.database import BUSY_TIMEOUT_S, IN_MEMORY, KEY_BYTES, Synchronous, open_database
from usernym.storage.node.directory import Account, Directory, Link, Registration
from usernym.storage.node.mailbox import Enqueued, Load, Mailbox, MailboxLimits, RemovedMessage, WaitingMessage
from usernym.storage.node.notices import Memory, NewNotice, Notice
from usernym.storage.node.schema import NODE_SCHEMA

__all__ = [
    "IN_MEMORY",
    "Account",
    "Card",
    "Enqueued",
    "Link",
    "Load",
    "MailboxLimits",
    "NewNotice",
    "NodeCounts",
    "NodeStore",
    "Notice",
    "Registration",
    "RemovedMessage",
    "WaitingMessage",
]


@dataclass(frozen=True, slots=True)
class Card:
    """The node's current card."""

    sequence: int
    blob: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NodeCounts:
    """How much the node keeps: rows, and bytes of undelivered messages."""

    accounts: int
    messages: int
    message_bytes: int
    notices: int
    remembered: int


class NodeStore(Directory, Mailbox, Memory):
    """See the module's text. The parts are in `node_directory`, `node_mailbox` and `node_memory`."""

    @classmethod
    def open(cls, path: Path, *, synchronous: Synchronous = "FULL", timeout_s: float = BUSY_TIMEOUT_S) -> Self:
        """Open the store, created owner-only if need be. `IN_MEMORY` as the path is for simulations in one thread.

        Raises `NotAStore`, `StoreCorrupt`, `SchemaTooNew`, `StoreExposed`, `StoreInaccessible`, `StoreBusy` or
        `StoreFull`.
        """
        return cls(open_database(path, NODE_SCHEMA, synchronous=synchronous, timeout_s=timeout_s))

    def identity_seed(self, new_seed: bytes) -> bytes:
        """The node's 32-byte secret seed: the stored one, or `new_seed` if there was none, stored now."""
        if len(new_seed) != KEY_BYTES:
            raise ValueError("a seed has 32 bytes")
        with self._db.one_commit():
            self._db.run("INSERT INTO node_identity (id, seed) VALUES (1, ?) ON CONFLICT DO NOTHING", (new_seed,))
            row = self._db.row("SELECT seed FROM node_identity")
        assert row is not None, "stored just now"
        seed: bytes = row[0]
        return seed

    def card(self) -> Card | None:
        """The node's current card."""
        row = self._db.row("SELECT sequence, blob FROM node_card")
        return None if row is None else Card(*row)

    def card_sequence(self) -> int:
        """The current card's sequence; 0 before the first."""
        row = self._db.row("SELECT sequence FROM node_card")
        return 0 if row is None else int(row[0])

    def save_card(self, sequence: int, blob: bytes) -> bool:
        """Make this card the current one; False, and nothing changed, unless its sequence is higher."""
        changed = self._db.run(
            "INSERT INTO node_card (id, sequence, blob) VALUES (1, ?1, ?2)"
            " ON CONFLICT DO UPDATE SET sequence = ?1, blob = ?2 WHERE sequence < ?1",
            (sequence, blob),
        )
        return changed > 0

    def counts(self) -> NodeCounts:
        """How much there is; counts row by row, for a status display and not for a hot path."""
        row = self._db.row(
            "SELECT (SELECT count(*) FROM account WHERE deleted_until IS NULL), count(*), coalesce(sum(size), 0),"
            " (SELECT count(*) FROM notice), (SELECT rows FROM remembered_count) FROM mail"
        )
        assert row is not None, "an aggregate has one row"
        return NodeCounts(*row)
