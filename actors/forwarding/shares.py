"""How much of each mailbox each sender may use: a part of forwarding at the node.

docs/protocol.md, "Shares of a mailbox". A share counts what its sender handed in, less what a known sender was notified
of; not what still waits, since that would show every sender when the recipient was there. In memory only: nothing on
disk says who wrote to whom, but for the messages themselves. Each mailbox has a table of its own, so no one can use up
another's. A node that has several workers has a table at each: it counts what that worker took in, less what any of
them reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from usernym.protocol.errors import Code
from usernym.protocol.limits import FRAME_BYTES_MAX, MAILBOX_S, SEEN_S
from usernym.storage.node.mailbox import Mailbox
from usernym.storage.node.workers import Report


@dataclass(frozen=True, slots=True)
class Share:
    """A bound: messages, and bytes of stored messages."""

    messages: int
    size: int


@dataclass(frozen=True, slots=True)
class ShareLimits:
    """The shares of one mailbox.

    A *newcomer* is a sender to whom the recipient neither wrote nor ever gave a receipt; the others are *known*.
    """

    newcomer: Share
    known: Share
    newcomers: Share
    """All newcomers together: a part that they can fill without taking room from the known."""
    all_known: Share


KIB: Final = 1024
LIMITS: Final = ShareLimits(
    newcomer=Share(20, 512 * KIB),
    known=Share(200, 8 * KIB * KIB),
    newcomers=Share(500, 8 * KIB * KIB),
    all_known=Share(2_000, 32 * KIB * KIB),
)
"""A newcomer may write 20 texts, or seven of the longest, before there is any word from the recipient; a known sender
a tenth of what all known ones may. What leaks from the buckets while messages wait can double that: a mailbox has 80
MiB on disk at most. A table has some 500 newcomers, who are gone from it when their buckets have leaked, and
`KNOWN_MAX` known senders, at about 200 bytes each."""
REMEMBERED: Final = Share(5_000, 5_000 * FRAME_BYTES_MAX)
"""Messages of one sender that the node remembers for `SEEN_S`: three a second, all day. Three hundred senders together
could fill the node's memory of all messages, if their recipients' mailboxes had room; logins, registrations and
deletions have memories of their own."""
KNOWN_MAX: Final = 1_000
"""Known senders of one mailbox; past that the one unused for longest counts as a newcomer."""
TABLES_MAX: Final = 100_000
"""Mailboxes that have a table, as many as routes, at about 1 kB each with a contact or two; past that the one unused
for longest is forgotten. The next one begins with what waits there, as after a start of the node."""
SWEPT_AT: Final = 2 * LIMITS.newcomers.messages
"""Newcomers in a table before those with empty buckets are removed."""


class _Bucket:
    """What was handed in and has not been reported: it leaks evenly, so that a full one is empty after `term_s`."""

    __slots__ = ("_at", "_term_s", "messages", "size")

    def __init__(self, at: float, messages: float = 0, size: float = 0, term_s: int = MAILBOX_S) -> None:
        self._at = at
        self._term_s = term_s
        self.messages = messages
        self.size = size

    def leak(self, now: float, share: Share) -> None:
        """Let out what time allows."""
        part, self._at = (now - self._at) / self._term_s, now
        self.add(-share.messages * part, -share.size * part)

    def has_room(self, size: int, share: Share) -> bool:
        """Whether one message more fits."""
        return self.messages + 1 <= share.messages and self.size + size <= share.size

    def add(self, messages: float, size: float) -> None:
        """Put in, or take out; there is never less than nothing."""
        self.messages, self.size = max(0.0, self.messages + messages), max(0.0, self.size + size)

    @property
    def idle_since(self) -> float:
        """When anything was put in last, or looked at."""
        return self._at

    @property
    def empty(self) -> bool:
        """Whether forgetting it changes nothing."""
        return not self.messages and not self.size


class _Table:
    """One mailbox's buckets."""

    def __init__(self, now: float) -> None:
        self.known: dict[str, _Bucket] = {}
        self.newcomers: dict[str, _Bucket] = {}
        self.all_newcomers = _Bucket(now)
        self.all_known = _Bucket(now)

    def buckets(self, sender: str, now: float, limits: ShareLimits) -> list[tuple[_Bucket, Share, Code]]:
        """Where a message of this sender counts, up to which bound, and how it is refused beyond."""
        if sender in self.known:
            own = self.known[sender] = self.known.pop(sender)  # to the end: it is in use
            return [(own, limits.known, Code.SENDER_SHARE_FULL), (self.all_known, limits.all_known, Code.MAILBOX_FULL)]
        own = self.newcomers.get(sender) or _Bucket(now)
        return [
            (own, limits.newcomer, Code.SENDER_SHARE_FULL),
            (self.all_newcomers, limits.newcomers, Code.MAILBOX_FULL),
        ]

    def know(self, sender: str, now: float) -> None:
        """This sender is a newcomer no more. What all newcomers handed in is not less for it: the others learn
        nothing."""
        if sender not in self.known:
            bucket = self.newcomers.pop(sender) if sender in self.newcomers else _Bucket(now)
            self.known[sender] = bucket
            self.all_known.add(bucket.messages, bucket.size)
            if len(self.known) > KNOWN_MAX:
                del self.known[next(iter(self.known))]

    def sweep(self, now: float, limits: ShareLimits) -> None:
        """Forget newcomers whose buckets have leaked."""
        for sender, bucket in list(self.newcomers.items()):
            bucket.leak(now, limits.newcomer)
            if bucket.empty:
                del self.newcomers[sender]


class Shares:
    """Owned by the forwarding actor, and used in its thread only. Times are seconds on the runtime's clock."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._tables: dict[str, _Table] = {}
        self._remembered: dict[str, _Bucket] = {}
        self._taken: list[tuple[str, str, int]] = []
        self.limits = LIMITS

    def take(self, sender: str, recipient: str, size: int, now: float) -> Code | None:
        """Count a message of `size` bytes that is being stored, unless there is no room: then the refusal."""
        table = self._table(recipient, now)
        memory = self._memory(sender, now)
        places = [*table.buckets(sender, now, self.limits), (memory, REMEMBERED, Code.BUSY)]
        for bucket, share, code in places:
            bucket.leak(now, share)
            if not bucket.has_room(size, share):
                return code
        for bucket, _, _ in places:
            bucket.add(1, size)
        if sender not in table.known:
            table.newcomers[sender] = places[0][0]
            if len(table.newcomers) > SWEPT_AT:
                table.sweep(now, self.limits)
        self._taken.append((sender, recipient, size))
        self._table(sender, now).know(recipient, now)
        return None

    def _memory(self, sender: str, now: float) -> _Bucket:
        """What is remembered of this sender's messages; of others, what is forgotten by now goes."""
        bucket = self._remembered.pop(sender, None) or _Bucket(now, term_s=SEEN_S)
        bucket.leak(now, REMEMBERED)
        self._remembered[sender] = bucket  # at the end: it is in use
        while now - next(iter(self._remembered.values())).idle_since >= SEEN_S:
            del self._remembered[next(iter(self._remembered))]
        return bucket

    def keep(self) -> None:
        """What was taken is on disk."""
        self._taken.clear()

    def undo(self, now: float) -> None:
        """What was taken could not be stored."""
        while self._taken:
            self.undo_last(now)

    def undo_last(self, now: float) -> None:
        """What was taken last was not stored."""
        sender, recipient, size = self._taken.pop()
        for bucket, _, _ in self._table(recipient, now).buckets(sender, now, self.limits):
            bucket.add(-1, -size)
        if sender in self._remembered:  # it may have been idle in the middle: the process was paused
            self._remembered[sender].add(-1, 0)

    def reported(self, report: Report, now: float) -> None:
        """The sender is notified of the fate of messages: by the recipient's receipt, or otherwise.

        What all newcomers handed in is not less for it: another one would see that the recipient was there. So what one
        of them handed in is not less either: with room again and again, one could fill the part of all.
        """
        table = self._table(report.recipient, now)
        if report.receipt:
            table.know(report.sender, now)
        if report.sender in table.known:
            for bucket, _, _ in table.buckets(report.sender, now, self.limits):
                bucket.add(-report.messages, -report.size)

    def forget(self, name: str) -> None:
        """The account is gone, or another's: its mailbox has a new table. What its owner sent is still remembered."""
        self._tables.pop(name, None)

    def _table(self, recipient: str, now: float) -> _Table:
        """The mailbox's table. After a start of the node it begins with what waits there."""
        table = self._tables.pop(recipient, None)
        if table is not None:
            self._tables[recipient] = table  # at the end: it is in use
        else:
            table = self._tables[recipient] = _Table(now)
            if len(self._tables) > TABLES_MAX:
                del self._tables[next(iter(self._tables))]
            for name in self._mailbox.recipients_of(recipient):
                table.know(name, now)
            for sender, messages, size in self._mailbox.waiting_by_sender(recipient):
                if messages > 2 * self.limits.newcomer.messages:  # more than a newcomer can have there
                    table.know(sender, now)
                bucket = _Bucket(now, messages, size)
                known = sender in table.known
                (table.known if known else table.newcomers)[sender] = bucket
                (table.all_known if known else table.all_newcomers).add(messages, size)
        return table
