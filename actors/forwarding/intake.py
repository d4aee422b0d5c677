"""How the node takes messages in: those that came together in one commit, each if its sender has room for it.

docs/protocol.md, "Forwarding". A part of forwarding at the node; used in its thread only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from usernym.actors.forwarding.shares import Shares
from usernym.actors.node_context import NodeContext
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.protocol.limits import ACCEPTANCE_WINDOW_S, MAILBOX_S, SEEN_S
from usernym.protocol.signing import Context, digest, prefixed
from usernym.storage.node.mail import mail_blob
from usernym.storage.node.mailbox import Enqueued, RemovedMessage
from usernym.storage.node.workers import Report


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A message that was checked, the tag that it came from, and its sender's identity key."""

    forward: m.Forward
    tag: bytes = field(repr=False)
    sender_key: bytes = field(repr=False)


Outcomes = list[tuple[HandedIn, Enqueued | Code]]


class Intake:
    """Stores messages."""

    def __init__(self, context: NodeContext, shares: Shares) -> None:
        self._now = context.runtime.now
        self._store = context.store
        self._clock = context.clock
        self._shares = shares

    def take(self, batch: list[HandedIn]) -> Outcomes:
        """Store all in one commit. If that raises, nothing is stored."""
        try:
            outcomes = self._store.commit(lambda: self._take_each(batch))
        except Exception:
            self._shares.undo(self._now())
            raise
        self._shares.keep()
        return outcomes

    def _take_each(self, batch: list[HandedIn]) -> Outcomes:
        self._shares.undo(self._now())  # of a run before, whose commit failed
        self._store.mailbox.lock(each.forward.recipient for each in batch)
        floor, now = self._clock.others_floor(), self._clock.now()
        # Mailboxes in the order of names, and all of them before what all mailboxes share: workers that take messages
        # for the same people do not wait for each other in a circle. An empty mailbox has no row to be locked above.
        taken: set[bytes] = set()
        in_order = sorted(range(len(batch)), key=lambda at: batch[at].forward.recipient)
        outcome_of = {at: self._take(batch[at], now, floor, taken) for at in in_order}
        outcomes = [(each, outcome_of[at]) for at, each in enumerate(batch)]
        for seen in sorted(taken):
            self._store.replay_ids.remember(seen, b"", now + SEEN_S)
        self._store.workers.hint(each.forward.recipient for each, outcome in outcomes if outcome is Enqueued.STORED)
        return outcomes

    def _take(self, handed_in: HandedIn, now: int, floor: int, taken: set[bytes]) -> Enqueued | Code:
        """Store the message, and add what is to be remembered of it to `taken`; or say why not.

        An id is remembered with its seal: the same message sealed again is not a repetition, and takes the place of a
        former seal that waits. Its recipient may be unable to open that one, and the sender would not recognise what
        the recipient says of it.

        Whether one waits shows whether the recipient was there. So neither what is answered nor what is counted depends
        on that.
        """
        forward = handed_in.forward
        if floor - forward.made_at > ACCEPTANCE_WINDOW_S:  # another worker may have forgotten it
            return Code.CLOCK_SKEW
        blob = mail_blob(forward, handed_in.sender_key)
        names = prefixed(forward.sender) + prefixed(forward.recipient)
        seen = digest(Context.REQUEST, names, forward.message_id, blob)
        mailbox, sender, recipient = self._store.mailbox, forward.sender, forward.recipient
        if seen in taken or self._store.replay_ids.knows(seen, now):
            return Enqueued.DUPLICATE
        refused = self._shares.take(sender, recipient, len(blob), self._now())
        if refused is not None:
            return refused
        waiting = mailbox.find(recipient, sender, forward.message_id)
        if waiting is not None and waiting.blob != blob:
            mailbox.acknowledge(recipient, [(sender, forward.message_id)])
        outcome = mailbox.enqueue(
            sender=sender,
            recipient=recipient,
            message_id=forward.message_id,
            blob=blob,
            now=now,
            expires_at=now + MAILBOX_S,
        )
        if outcome is Enqueued.FULL:
            self._shares.undo_last(self._now())
            return Code.MAILBOX_FULL
        taken.add(seen)
        return outcome


def reports_of(rows: Iterable[RemovedMessage], *, receipt: bool) -> list[Report]:
    """The messages by sender and recipient."""
    sizes: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        sizes.setdefault((row.sender, row.recipient), []).append(row.size)
    return [Report(*who, len(each), sum(each), receipt) for who, each in sorted(sizes.items())]
