"""The mailbox: messages from their acceptance until their recipient's acknowledgement, or their expiry.

When messages go, no trace of who wrote to whom stays; what the log still has of them, the next sweep erases. How much
each sender may have there is decided by its user (`actors/forwarding/shares.py`); how much there may be, here.

Several connections may write at once. A transaction that changes a mailbox locks its row first: by the statement that
counts a new message, or by `lock`, which locks several in one order. So a message's number is higher than those of all
messages that were there before, for every reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from typing import Any, Final

from usernym.protocol.limits import FRAME_BYTES_MAX
from usernym.storage.database import marks, parts
from usernym.storage.engine import Engine
from usernym.storage.node.schema import MailRow
from usernym.storage.tables import Table, insertion

MESSAGES_MAX: Final = 5_000
"""In one mailbox: twice what the shares of all its senders sum up to. What leaks from the shares while messages wait
can reach it, and more only if several processes count shares."""
SIZE_MAX: Final = 80 * 1024 * 1024
"""The same, in bytes of stored messages."""
assert FRAME_BYTES_MAX < SIZE_MAX
_LIFE_BITS: Final = 20
"""A mailbox's numbers begin at its row's number times 2²⁰: they do not come back when the row is made again."""


class Enqueued(Enum):
    """What came of a message for a mailbox."""

    STORED = "stored"
    DUPLICATE = "this sender's message id is waiting already"
    FULL = "the mailbox has no room"


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """An undelivered message; `size` is its blob's, in bytes.

    `number` is its place among its recipient's, `attempts` how often it was sent without success, and `attempted_at`
    when last; 0 if it was not."""

    recipient: str = field(repr=False)
    number: int
    sender: str = field(repr=False)
    message_id: bytes = field(repr=False)
    blob: bytes = field(repr=False)
    size: int
    accepted_at: int
    expires_at: int
    attempts: int
    attempted_at: int


@dataclass(frozen=True, slots=True, order=True)
class RemovedMessage:
    """What is left of a message that was acknowledged, has expired, or whose recipient is gone."""

    recipient: str = field(repr=False)
    number: int
    sender: str = field(repr=False)
    message_id: bytes = field(repr=False)
    size: int
    attempted_at: int


@dataclass(frozen=True, slots=True)
class Turn:
    """By what the next messages for a recipient are chosen. Times are the node's clock.

    now: the present. login_at: when the recipient logged in; what failed before is due at once. again: whether what
    failed since then may be due, too. on_their_way: numbers of messages that were just sent. first_pause_s: how long
    after it failed a message is due again; twice as long each further time, `pause_max_s` at most.
    """

    now: int
    login_at: int
    again: bool
    on_their_way: Sequence[int]
    first_pause_s: int
    pause_max_s: int


_MAIL: Final = Table(MailRow, WaitingMessage)
_WAITING: Final = _MAIL.select("WHERE recipient = ? AND number > ? ORDER BY number LIMIT ?")
# The empty text keeps SQLite from looking for the message among all of the recipient's.
_FIND: Final = _MAIL.select("WHERE sender = ? AND message_id = ? AND recipient || '' = ?")
# Each sender's first message goes before any sender's second; and of the first ones, those of senders with no message
# that failed, the oldest first, before those of others, in the order in which they failed.
# A clock that was wrong for a moment may have left times that are still to come: they hold nothing up.
# A left join, since SQLite then takes the few that are due first, and each of them by its key.
_NEXT: Final = f"""
    WITH turns AS (
        SELECT number, attempts, attempted_at, max(attempted_at) OVER (PARTITION BY sender) AS served,
            row_number() OVER (PARTITION BY sender ORDER BY attempted_at, number) AS place
        FROM mail WHERE recipient = :recipient
    ), due AS (
        SELECT number, place, served FROM turns
        WHERE (attempted_at <= :login_at OR attempted_at > :now OR (:again AND attempted_at + CASE
            WHEN attempts > :doubled_max THEN :pause_max_s ELSE :first_pause_s << CAST(attempts - 1 AS INTEGER) END
            <= :now)) AND number NOT IN ({{on_their_way}})
        ORDER BY place, served, number LIMIT :limit
    )
    SELECT {_MAIL.columns} FROM due LEFT JOIN mail ON mail.recipient = :recipient AND mail.number = due.number
    ORDER BY place, served, due.number
"""  # noqa: S608
_REMOVED: Final = "RETURNING recipient, number, sender, message_id, size, attempted_at"
_COUNT: Final = """
    INSERT INTO mailbox (name, last, messages, size) VALUES (:recipient, 1, 1, :size)
    ON CONFLICT (name) DO UPDATE
        SET last = mailbox.last + 1, messages = mailbox.messages + 1, size = mailbox.size + :size
        WHERE mailbox.messages < :messages_max AND mailbox.size + :size <= :size_max
    RETURNING id, last
"""
_INSERT: Final = f"{insertion(MailRow)} ON CONFLICT (sender, message_id, recipient) DO NOTHING"
# The join looks the pairs up one by one; for an IN, SQLite would walk through all messages.
_ACKNOWLEDGE: Final = f"""
    WITH pair (sender, message_id) AS (VALUES {{pairs}})
    DELETE FROM mail WHERE recipient = ? AND number IN (
        SELECT mail.number FROM pair LEFT JOIN mail ON mail.sender = pair.sender
            AND mail.message_id = pair.message_id AND mail.recipient || '' = ?) {_REMOVED}
"""  # noqa: S608
_DUE: Final = "SELECT recipient, number FROM mail WHERE expires_at <= ? ORDER BY expires_at, recipient, number LIMIT ?"
_REMOVE: Final = "DELETE FROM mail WHERE recipient = ?"


class Mailbox:
    """The undelivered messages of all recipients."""

    def __init__(self, database: Engine) -> None:
        self._db = database

    def lock(self, names: Iterable[str]) -> None:
        """Let no other transaction change these mailboxes before the commit. Only inside one."""
        if self._db.locked:
            for some in parts(sorted(set(names))):
                sql = f"SELECT id FROM mailbox WHERE name IN ({marks(len(some))}) ORDER BY name"  # noqa: S608
                self._db.rows(sql + self._db.locked, some)

    def enqueue(
        self, *, sender: str, recipient: str, message_id: bytes, blob: bytes, now: int, expires_at: int
    ) -> Enqueued:
        """Store a message if its id is new, and there is room."""

        def store() -> Enqueued:
            bounds = {"messages_max": MESSAGES_MAX, "size_max": SIZE_MAX}
            counted = self._db.row(_COUNT, {"recipient": recipient, "size": len(blob), **bounds})
            if counted is None:
                return Enqueued.FULL
            life, last = counted
            added = {
                "sender": sender, "recipient": recipient, "number": (life << _LIFE_BITS) + last,
                "message_id": message_id, "blob": blob, "size": len(blob), "accepted_at": now,
                "expires_at": expires_at, "attempts": 0, "attempted_at": 0,
            }  # fmt: skip
            if not self._db.run(_INSERT, added):
                self._count_removed(recipient, 1, len(blob))
                return Enqueued.DUPLICATE
            return Enqueued.STORED

        return self._db.commit(store)

    def waiting_by_sender(self, recipient: str) -> Sequence[tuple[str, int, int]]:
        """Who has messages waiting for this recipient: sender, how many, and their bytes."""
        rows = self._db.rows(
            "SELECT sender, count(*), CAST(sum(size) AS BIGINT) FROM mail WHERE recipient = ? GROUP BY sender",
            (recipient,),
        )
        return [(sender, messages, size) for sender, messages, size in rows]

    def recipients_of(self, sender: str) -> Sequence[str]:
        """For whom messages of this sender wait."""
        return [row[0] for row in self._db.rows("SELECT DISTINCT recipient FROM mail WHERE sender = ?", (sender,))]

    def waiting(self, recipient: str, limit: int, after: int = 0) -> Sequence[WaitingMessage]:
        """At most `limit` messages for this recipient, the oldest first, beginning after number `after`."""
        return _MAIL.all(self._db, _WAITING, (recipient, after, limit))

    def find(self, recipient: str, sender: str, message_id: bytes) -> WaitingMessage | None:
        """The message with this id that waits for `recipient`."""
        return _MAIL.first(self._db, _FIND, (sender, message_id, recipient))

    def next_for(self, recipient: str, limit: int, turn: Turn) -> Sequence[WaitingMessage]:
        """At most `limit` messages for this recipient that are due to be sent, in the order of their turns."""
        on_their_way = {f"way_{place}": number for place, number in enumerate(turn.on_their_way)}
        values = {
            "recipient": recipient, "limit": limit, "now": turn.now, "login_at": turn.login_at, "again": turn.again,
            "first_pause_s": turn.first_pause_s, "pause_max_s": turn.pause_max_s,
            "doubled_max": (turn.pause_max_s // turn.first_pause_s).bit_length(), **on_their_way,
        }  # fmt: skip
        # No message has the number 0; PostgreSQL knows no empty list.
        names = ", ".join(["0", *(f":{name}" for name in on_their_way)])
        return _MAIL.all(self._db, _NEXT.format(on_their_way=names), values)

    def note_unacknowledged(self, recipient: str, sent: Iterable[tuple[int, int]]) -> None:
        """These messages (number, when it was sent) were not acknowledged: their senders' turns are over."""
        by_time = sorted(sent, key=lambda each: each[1])

        def note() -> None:
            self.lock([recipient])
            for at, same in groupby(by_time, key=lambda each: each[1]):
                numbers = [number for number, _ in same]
                self._db.run(
                    "UPDATE mail SET attempts = attempts + 1, attempted_at = ?"  # noqa: S608
                    f" WHERE recipient = ? AND number IN ({marks(len(numbers))})",
                    (at, recipient, *numbers),
                )

        self._db.commit(note)

    def acknowledge(self, recipient: str, messages: Iterable[tuple[str, bytes]]) -> Sequence[RemovedMessage]:
        """Remove the messages (sender, message id) that wait for `recipient`; returns those removed, the oldest first.

        What is not there, or waits for someone else, is passed over.
        """
        pairs_of = list(parts(messages, 2))

        def remove() -> list[RemovedMessage]:
            self.lock([recipient])
            rows: list[tuple[Any, ...]] = []
            for some in pairs_of:
                pairs = ", ".join(["(?, ?)"] * len(some))
                values = [*(value for pair in some for value in pair), recipient, recipient]
                rows += self._db.rows(_ACKNOWLEDGE.format(pairs=pairs), values)
            return self._removed(rows)

        return self._db.commit(remove)

    def expire(self, now: int, limit: int) -> Sequence[RemovedMessage]:
        """Remove at most `limit` messages whose `expires_at` is not after `now`; returns them by recipient and age."""

        def remove() -> list[RemovedMessage]:
            due = sorted(self._db.rows(_DUE, (now, limit)))
            self.lock(recipient for recipient, _ in due)
            rows: list[tuple[Any, ...]] = []
            for recipient, group in groupby(due, key=lambda each: each[0]):
                for some in parts(number for _, number in group):
                    sql = f"{_REMOVE} AND number IN ({marks(len(some))}) {_REMOVED}"
                    rows += self._db.rows(sql, (recipient, *some))
            return self._removed(rows)

        return self._db.commit(remove)

    def remove_all(self, recipient: str) -> Sequence[RemovedMessage]:
        """Remove all that waits for `recipient`; returns what that was, the oldest first."""

        def remove() -> list[RemovedMessage]:
            self.lock([recipient])
            return self._removed(self._db.rows(f"{_REMOVE} {_REMOVED}", (recipient,)))

        return self._db.commit(remove)

    def _removed(self, rows: Iterable[tuple[Any, ...]]) -> list[RemovedMessage]:
        """The rows' messages are gone: their mailboxes have room for others."""
        removed = sorted(RemovedMessage(*row) for row in rows)
        for recipient, group in groupby(removed, key=lambda each: each.recipient):
            sizes = [each.size for each in group]
            self._count_removed(recipient, len(sizes), sum(sizes))
        return removed

    def _count_removed(self, recipient: str, messages: int, size: int) -> None:
        if not self._db.run("DELETE FROM mailbox WHERE name = ? AND messages = ?", (recipient, messages)):
            self._db.run(
                "UPDATE mailbox SET messages = messages - ?, size = size - ? WHERE name = ?",
                (messages, size, recipient),
            )
