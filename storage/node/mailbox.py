"""The mailbox: messages from their acceptance until their recipient's acknowledgement, or their expiry.

When messages go, no trace of who wrote to whom stays; what the log still has of them, the next sweep erases. How much
there may be is decided by its user (`actors/forwarding/shares.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from usernym.storage.database import StoreDatabase, parts
from usernym.storage.node.schema import MailRow
from usernym.storage.tables import Table, insertion


class Enqueued(Enum):
    """What came of a message for a mailbox."""

    STORED = "stored"
    DUPLICATE = "this sender's message id is waiting already"


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """An undelivered message; `size` is its blob's, in bytes.

    `attempts` is how often it was sent without success, and `attempted_at` when last; 0 if it was not."""

    id: int
    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    message_id: bytes = field(repr=False)
    blob: bytes = field(repr=False)
    size: int
    accepted_at: int
    expires_at: int
    attempts: int
    attempted_at: int


@dataclass(frozen=True, slots=True)
class RemovedMessage:
    """What is left to say of a message that was acknowledged or has expired."""

    id: int
    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    message_id: bytes = field(repr=False)
    size: int
    attempted_at: int


@dataclass(frozen=True, slots=True)
class Turn:
    """By what the next messages for a recipient are chosen. Times are the node's clock.

    now: the present. login_at: when the recipient logged in; what failed before is due at once. again: whether what
    failed since then may be due, too. on_their_way: rows that were just sent. first_pause_s: how long after it failed
    a message is due again; twice as long each further time, `pause_max_s` at most.
    """

    now: int
    login_at: int
    again: bool
    on_their_way: Sequence[int]
    first_pause_s: int
    pause_max_s: int


_MAIL: Final = Table(MailRow, WaitingMessage)
_WAITING: Final = _MAIL.select("WHERE recipient = ? AND id > ? ORDER BY id LIMIT ?")
_FIND: Final = _MAIL.select("WHERE sender = ? AND message_id = ? AND +recipient = ?")
# Each sender's first message goes before any sender's second; and of the first ones, those of senders with no message
# that failed, the oldest first, before those of others, in the order in which they failed.
# A clock that was wrong for a moment may have left times that are still to come: they hold nothing up.
_NEXT: Final = f"""
    WITH turns AS (
        SELECT id, attempts, attempted_at, max(attempted_at) OVER (PARTITION BY sender) AS served,
            row_number() OVER (PARTITION BY sender ORDER BY attempted_at, id) AS place
        FROM mail WHERE recipient = :recipient
    ), due AS (
        SELECT id, place, served FROM turns
        WHERE (attempted_at <= :login_at OR attempted_at > :now OR (:again
            AND attempted_at + min(:first_pause_s << min(attempts - 1, 16), :pause_max_s) <= :now))
            AND id NOT IN (SELECT value FROM json_each(:on_their_way))
        ORDER BY place, served, id LIMIT :limit
    )
    SELECT {_MAIL.columns} FROM due CROSS JOIN mail USING (id) ORDER BY place, served, due.id
"""  # noqa: S608
_REMOVED: Final = "RETURNING id, sender, recipient, message_id, size, attempted_at"
_INSERT: Final = insertion(MailRow, ("sender", "recipient", "message_id", "blob", "size", "accepted_at", "expires_at",
                                       "attempts", "attempted_at"))  # fmt: skip
# A join, and a cross join: SQLite then looks the pairs up one by one; for an IN it would walk through all messages.
_ACKNOWLEDGE: Final = f"""
    WITH pair (sender, message_id) AS (VALUES {{pairs}})
    DELETE FROM mail WHERE id IN (
        SELECT mail.id FROM pair CROSS JOIN mail USING (sender, message_id) WHERE +mail.recipient = ?) {_REMOVED}
"""  # noqa: S608
_EXPIRE: Final = f"""
    DELETE FROM mail WHERE id IN (SELECT id FROM mail WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ?) {_REMOVED}
"""  # noqa: S608


class Mailbox:
    """The undelivered messages of all recipients."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    def holds(self, sender: str, message_id: bytes) -> bool:
        """Whether this sender's message with this id waits."""
        return self._db.row("SELECT 1 FROM mail WHERE sender = ? AND message_id = ?", (sender, message_id)) is not None

    def enqueue(
        self, *, sender: str, recipient: str, message_id: bytes, blob: bytes, now: int, expires_at: int
    ) -> Enqueued:
        """Store a message if its id is new."""
        with self._db.one_commit():
            if self.holds(sender, message_id):
                return Enqueued.DUPLICATE
            added = {
                "sender": sender, "recipient": recipient, "message_id": message_id, "blob": blob, "size": len(blob),
                "accepted_at": now, "expires_at": expires_at, "attempts": 0, "attempted_at": 0,
            }  # fmt: skip
            self._db.run(_INSERT, added)
            return Enqueued.STORED

    def waiting_by_sender(self, recipient: str) -> Sequence[tuple[str, int, int]]:
        """Who has messages waiting for this recipient: sender, how many, and their bytes."""
        rows = self._db.rows(
            "SELECT sender, count(*), sum(size) FROM mail WHERE recipient = ? GROUP BY sender", (recipient,)
        )
        return [(sender, messages, size) for sender, messages, size in rows]

    def recipients_of(self, sender: str) -> Sequence[str]:
        """For whom messages of this sender wait."""
        return [row[0] for row in self._db.rows("SELECT DISTINCT recipient FROM mail WHERE sender = ?", (sender,))]

    def waiting(self, recipient: str, limit: int, after_id: int = 0) -> Sequence[WaitingMessage]:
        """At most `limit` messages for this recipient, the oldest first, beginning after row `after_id`."""
        return _MAIL.all(self._db, _WAITING, (recipient, after_id, limit))

    def find(self, recipient: str, sender: str, message_id: bytes) -> WaitingMessage | None:
        """The message with this id that waits for `recipient`."""
        return _MAIL.first(self._db, _FIND, (sender, message_id, recipient))

    def next_for(self, recipient: str, limit: int, turn: Turn) -> Sequence[WaitingMessage]:
        """At most `limit` messages for this recipient that are due to be sent, in the order of their turns."""
        values = {
            "recipient": recipient, "limit": limit, "now": turn.now, "login_at": turn.login_at, "again": turn.again,
            "on_their_way": json.dumps(list(turn.on_their_way)), "first_pause_s": turn.first_pause_s,
            "pause_max_s": turn.pause_max_s,
        }  # fmt: skip
        return _MAIL.all(self._db, _NEXT, values)

    def note_unacknowledged(self, sent: Iterable[tuple[int, int]]) -> None:
        """These messages (row, when it was sent) were not acknowledged: their senders' turns are over."""
        with self._db.one_commit():
            for row, at in sent:
                self._db.run("UPDATE mail SET attempts = attempts + 1, attempted_at = ? WHERE id = ?", (at, row))

    def acknowledge(self, recipient: str, messages: Iterable[tuple[str, bytes]]) -> Sequence[RemovedMessage]:
        """Remove the messages (sender, message id) that wait for `recipient`; returns those removed, the oldest first.

        What is not there, or waits for someone else, is passed over.
        """
        removed: list[tuple[Any, ...]] = []
        with self._db.one_commit():
            for some in parts(messages, 2):
                pairs = ", ".join(["(?, ?)"] * len(some))
                removed += self._db.rows(
                    _ACKNOWLEDGE.format(pairs=pairs), [*(value for pair in some for value in pair), recipient]
                )
        return [RemovedMessage(*row) for row in sorted(removed)]

    def expire(self, now: int, limit: int) -> Sequence[RemovedMessage]:
        """Remove at most `limit` messages whose `expires_at` is not after `now`; returns them, the oldest first."""
        return [RemovedMessage(*row) for row in sorted(self._db.rows(_EXPIRE, (now, limit)))]
