"""Conversations: what was written and received, what waits to be sent, what was seen and is to be acknowledged."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import peewee

from usernym.protocol.payloads import FileOffer, Text
from usernym.storage.client.contacts import Contacts
from usernym.storage.client.gaps import Gaps
from usernym.storage.client.schema import MessageRow, QueuedRow
from usernym.storage.client.types import Consent, DeliveryState, Direction, Message, OutboxRow, Route, Trust
from usernym.storage.database import StoreDatabase, marks, parts
from usernym.storage.errors import RowConflict
from usernym.storage.tables import Table, insertion, update_one

NO_PAUSE_MAX_S: Final = 2**32
REORDER_S: Final = 600
"""A message goes before one of the same sender with a higher counter that was stored at most so long ago, though it has
been shown: four tries of a message that was lost take 400 seconds. After that a reader would not see it there."""
ROW_MAX: Final = 2**63 - 1
"""The highest id of a row that SQLite has."""
IN_ORDER: Final = "ORDER BY place, counter, id LIMIT ?"
HIGHER_LOOKED_AT_MAX: Final = 1_000
"""Messages with higher counters among which a place is looked for: a sender chooses the counters, and so the work."""

MESSAGES: Final = Table(MessageRow, Message)
_OUTBOX: Final = Table(QueuedRow, OutboxRow)

_ONE: Final = "WHERE contact = ? AND direction = ? AND message_id = ?"
_MESSAGE: Final = MESSAGES.select(_ONE)
_OF_ID: Final = MESSAGES.select("WHERE message_id = ? AND direction = ?")
_CONVERSATION: Final = MESSAGES.select(
    "WHERE contact = ? AND (place, counter, id) < (?, ?, ?) ORDER BY place DESC, counter DESC, id DESC LIMIT ?"
)
_OUT, _IN = Direction.OUT.number, Direction.IN.number
_UNSHOWN: Final = f"""
    JOIN contact ON contact.name = message.contact
    WHERE shown = 0 AND (place, counter, id) > (?, ?, ?)
    AND consent IN ({Consent.ACCEPTED.number}, {Consent.PENDING.number})
"""
_TO_TAKE: Final = f"""
    {_UNSHOWN} AND kind IN ({{kinds}}) AND trust <> {Trust.CHANGED.number} AND (? IS NULL OR contact = ?) {IN_ORDER}
"""
_NEXT_ROW: Final = """
    SELECT 1 + max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'message'), 0),
                   coalesce((SELECT max(id) FROM message), 0))
"""
_READ: Final = (Text.__struct_config__.tag, FileOffer.__struct_config__.tag)
"""The kinds of messages that people see in a conversation, each in its place."""
_HIGHER: Final = f"""
    SELECT place, late, shown, stored_at FROM message
    WHERE contact = ? AND direction = {Direction.IN.number} AND counter > ? AND kind IN {_READ} ORDER BY counter LIMIT ?
"""  # noqa: S608 - constants
_LAST_OF_KINDS: Final = """
    WHERE id IN (
        SELECT id FROM (SELECT id, max(counter) FROM message WHERE contact = ? AND shown = 1 AND kind IN ({kinds})
                        GROUP BY direction, kind))
"""
_ADD: Final = insertion(
    MessageRow,
    ("id", "contact", "direction", "message_id", "counter", "kind", "body", "sent_at", "stored_at", "state", "route",
     "token", "key_number", "shown", "late", "place"),
)  # fmt: skip
_ON_TOP: Final = """
    UPDATE contact SET last_row = last_insert_rowid(), is_archived = is_archived AND is_muted WHERE name = ?
"""
"""A conversation in which something happens goes to the top of the list, out of the archive if it is not muted."""
_QUEUE: Final = insertion(QueuedRow, ("message_id", "contact", "attempts", "next_attempt_at", "created_at"))
_OUTBOX_ROW: Final = _OUTBOX.select("WHERE message_id = ?")
_OUTBOX_OF: Final = _OUTBOX.select("WHERE contact = ? ORDER BY rowid")
_UNANSWERED: Final = MESSAGES.select("""
    WHERE message_id IN (
        SELECT message_id FROM outbox WHERE next_attempt_at IS NULL AND awaited_since <= ? LIMIT ?) AND direction = ?
""")
_SET_STATE: Final = f"UPDATE message SET state = ?, reason = ? {_ONE} AND state IN "  # noqa: S608 - constants
_SET_ROUTE: Final = f"UPDATE message SET route = ? {_ONE}"  # noqa: S608 - constants
_ADVANCE: Final = {
    state: f"{_SET_STATE} ({', '.join(str(each.number) for each in DeliveryState if each.rank < state.rank)})"
    for state in DeliveryState
}


def position(database: StoreDatabase, row: int) -> tuple[int, int, int]:
    """Where a row stands: what rows are compared by. One that is gone stood at a place of its own."""
    row = min(max(row, 0), ROW_MAX)
    found = database.row("SELECT place, counter, id FROM message WHERE id = ?", (row,))
    return (row, 0, row) if found is None else (found[0], found[1], found[2])


class Messages:
    """All conversations' messages, the outbox, and the ids of what was received."""

    def __init__(self, database: StoreDatabase, contacts: Contacts, gaps: Gaps) -> None:
        self._db = database
        self._contacts = contacts
        self._gaps = gaps

    # -- messages --

    def add_outgoing(
        self,
        contact: str,
        message_id: bytes,
        kind: int,
        body: bytes,
        token: bytes,
        now: int,
        *,
        route: Route = Route.NODE,
        counted: bool = True,
    ) -> Message:
        """Keep a message to a contact, with the conversation's next counter, and queue it for sending at `now`.

        One that is not `counted` has the counter 0, and is no part of the conversation.
        Raises `RowConflict` if the contact is unknown or the message id is not new.
        """
        with self._db.one_commit():
            counter = self._contacts.take_out_counter(contact) if counted else 0
            if counter is None:
                raise RowConflict("a message to someone who is not a contact")
            row = self._next_row()
            added = {
                "id": row, "place": row, "contact": contact, "direction": _OUT, "message_id": message_id,
                "counter": counter, "kind": kind,
                "body": body, "sent_at": now, "stored_at": now, "state": DeliveryState.WAITING.number,
                "route": route.number, "token": token, "key_number": None, "shown": True, "late": False,
            }  # fmt: skip
            queued = {
                "message_id": message_id, "contact": contact, "attempts": 0, "next_attempt_at": now, "created_at": now,
            }  # fmt: skip
            self._db.run(_ADD, added)
            self._db.run(_ON_TOP, (contact,))
            self._db.run(_QUEUE, queued)
            message = self.get(contact, message_id)
        assert message is not None, "stored just now"
        return message

    def add_incoming(
        self,
        *,
        contact: str,
        message_id: bytes,
        key_number: int,
        counter: int,
        kind: int,
        body: bytes,
        token: bytes | None,
        sent_at: int,
        now: int,
        route: Route,
    ) -> bool:
        """Keep a message of a contact; False if it was seen before, and then it is not kept again.

        Raises `RowConflict` if the contact is unknown.
        """
        with self._db.one_commit():
            if not self.mark_seen(contact, message_id, key_number):
                return False
            self._contacts.note_home(contact, counter)
            self._gaps.note_counter(contact, counter)
            row = self._next_row()
            place, late = self._place_of(contact, kind, counter, now, row)
            added = {
                "id": row, "place": place, "contact": contact, "direction": _IN, "message_id": message_id,
                "counter": counter, "kind": kind,
                "body": body, "sent_at": sent_at, "stored_at": now, "state": DeliveryState.DELIVERED.number,
                "route": route.number, "token": token, "key_number": key_number, "shown": False,
                "late": late,
            }  # fmt: skip
            self._db.run(_ADD, added)
            self._db.run(_ON_TOP, (contact,))
            return True

    def get(self, contact: str, message_id: bytes, direction: Direction = Direction.OUT) -> Message | None:
        """One message of a conversation; the user's own, if not said otherwise."""
        return MESSAGES.first(self._db, _MESSAGE, (contact, direction.number, message_id))

    def outgoing(self, message_id: bytes, contact: str | None) -> Message | None:
        """The user's own message of this id, to `contact` if that is given."""
        if contact is not None:
            return self.get(contact, message_id)
        return MESSAGES.first(self._db, _OF_ID, (message_id, _OUT))

    def kept_of(self, contact: str, *, unshown: bool) -> tuple[int, int]:
        """How many messages that came from a contact are kept, and their bytes; only those not shown, if so wanted."""
        row = self._db.row(
            "SELECT count(*), coalesce(sum(length(body)), 0) FROM message WHERE contact = ? AND direction = ?"
            " AND shown <= ?",
            (contact, _IN, not unshown),
        )
        return (0, 0) if row is None else (int(row[0]), int(row[1]))

    def incoming_token(self, contact: str, message_id: bytes) -> bytes | None:
        """The receipt token that came with a message of this contact, if the message is still kept, or the token is."""
        message = self.get(contact, message_id, Direction.IN)
        if message is not None:
            return message.token
        one = (contact, message_id)
        return self._db.value(bytes, "SELECT token FROM seen WHERE contact = ? AND message_id = ?", one)

    def conversation(self, contact: str, limit: int, before: int | None = None) -> Sequence[Message]:
        """The last `limit` messages of all kinds with a contact, of those before row `before`; in their order."""
        end = position(self._db, ROW_MAX if before is None else before)
        return MESSAGES.all(self._db, _CONVERSATION, (contact, *end, limit))[::-1]

    def received_below(self, contact: str, counter: int) -> int:
        """How many lower counters have come from the contact, counted from the messages. `gaps` has the opposite."""
        found = self._db.value(
            int,
            "SELECT count(DISTINCT counter) FROM message WHERE contact = ? AND direction = ? AND counter < ?",
            (contact, _IN, counter),
        )
        return found or 0

    def advance(self, contact: str, message_id: bytes, state: DeliveryState, reason: int | None = None) -> bool:
        """Store the state of an outgoing message; False if nothing changed (states only follow in rising rank).

        A final state takes the message out of the outbox. ACCEPTED lets it rest there until there is word of it.
        """
        with self._db.one_commit():
            one = (contact, _OUT, message_id)
            changed = self._db.run(_ADVANCE[state], (state.number, reason, *one)) > 0
            entry = (message_id, contact)
            if state.is_final:
                self._db.run("DELETE FROM outbox WHERE message_id = ? AND contact = ?", entry)
            elif state is DeliveryState.ACCEPTED:
                self._db.run("UPDATE outbox SET next_attempt_at = NULL WHERE message_id = ? AND contact = ?", entry)
            if changed and state is DeliveryState.DELIVERED:
                self._contacts.set_met(contact)
            return changed

    def set_reason(self, contact: str, message_id: bytes, reason: int) -> bool:
        """Note why an outgoing message still waits; False if it does not, or this is known."""
        waiting = _is(contact, message_id, Direction.OUT) & (MessageRow.state == DeliveryState.WAITING)
        news = MessageRow.reason.is_null() | (MessageRow.reason != reason)
        return self._db.change(MessageRow.update(reason=reason).where(waiting & news)) > 0

    def set_route(self, contact: str, message_id: bytes, route: Route) -> bool:
        """Note the way an outgoing message takes; False if there is none."""
        one = (contact, _OUT, message_id)
        return self._db.run(_SET_ROUTE, (route.number, *one)) > 0

    # -- what the user has not been shown --

    def unshown(self, limit: int, kinds: Collection[int] | None = None, after: int = 0) -> Sequence[Message]:
        """At most `limit` incoming messages not shown yet, in their order; none of declined or blocked contacts.

        Of these kinds only, if they are given; only those behind row `after`.
        """
        of = tuple(kinds or ())
        which = "" if kinds is None else f" AND kind IN ({marks(len(of))}) "
        return MESSAGES.all(
            self._db, MESSAGES.select(_UNSHOWN + which + IN_ORDER), (*position(self._db, after), *of, limit)
        )

    def steps_to_take(self, kinds: Collection[int], limit: int, contact: str | None = None) -> Sequence[Message]:
        """At most `limit` messages of these kinds that `unshown` has, of this contact or of all; but of none whose
        changed identity the user has not looked at: they wait, and hold up no others."""
        which = _TO_TAKE.format(kinds=marks(len(kinds)))
        start = position(self._db, 0)
        return MESSAGES.all(self._db, MESSAGES.select(which), (*start, *kinds, contact, contact, limit))

    def last_of_kinds(self, contact: str, kinds: Collection[int]) -> Sequence[Message]:
        """The message with the highest counter of each kind and direction; of incoming ones, those shown."""
        which = _LAST_OF_KINDS.format(kinds=marks(len(kinds)))
        return MESSAGES.all(self._db, MESSAGES.select(which), (contact, *kinds))

    def mark_shown(self, ids: Iterable[int], now: int | None = None) -> None:
        """These rows have been shown, at `now`; when they were stored, if it is not said. The first time counts."""
        with self._db.one_commit():
            for some in parts(ids):
                unshown = ~MessageRow.shown & MessageRow.id.in_(some)
                self._db.change(MessageRow.update(shown=True, shown_at=now).where(unshown))

    # -- the outbox --

    def due(self, now: int, limit: int, pause_max: int = NO_PAUSE_MAX_S) -> Sequence[tuple[bytes, str]]:
        """At most `limit` messages whose next attempt is due, the longest due first: message id and contact.

        One that is planned for more than `pause_max` seconds from now is due too: the clock has been put back since.
        No more than that: it is looked at often, and much of it may have no way to go.
        """
        found = self._db.rows(
            "SELECT message_id, contact FROM outbox WHERE next_attempt_at <= ?1 OR next_attempt_at > ?2"
            " ORDER BY next_attempt_at, rowid LIMIT ?3",
            (now, now + pause_max, limit),
        )
        return [(message_id, contact) for message_id, contact in found]

    def outbox_row(self, message_id: bytes) -> OutboxRow | None:
        return _OUTBOX.first(self._db, _OUTBOX_ROW, (message_id,))

    def outbox_of(self, contact: str) -> Sequence[OutboxRow]:
        """All of the outbox that is for this contact, in the order it was written."""
        return _OUTBOX.all(self._db, _OUTBOX_OF, (contact,))

    def save_seal(self, message_id: bytes, sealed: bytes, key_number: int) -> bool:
        """Keep a message's sealed form, so that it is sent again as it is; False if it is not in the outbox."""
        with self._db.one_commit():
            self._db.run(
                "UPDATE message SET key_number = ? WHERE message_id = ? AND direction = ?",
                (key_number, message_id, _OUT),
            )
            seal = (sealed, key_number, message_id)
            return self._db.run("UPDATE outbox SET sealed = ?, key_number = ? WHERE message_id = ?", seal) > 0

    def postpone(self, message_id: bytes, attempts: int, at: int) -> bool:
        """Count attempts, and plan the next for `at`; False if it is not in the outbox."""
        later = (attempts, at, message_id)
        return self._db.run("UPDATE outbox SET attempts = ?, next_attempt_at = ? WHERE message_id = ?", later) > 0

    def try_now(self, contact: str, message_id: bytes, now: int) -> bool:
        """Make a waiting message due at `now`, and forget why it waited; False if it does not wait."""
        with self._db.one_commit():
            waiting = _is(contact, message_id, Direction.OUT) & (MessageRow.state == DeliveryState.WAITING)
            if not self._db.change(MessageRow.update(reason=None).where(waiting)):
                return False
            return self._update_outbox(message_id, next_attempt_at=now)

    def retry_all_now(self, now: int) -> int:
        """Make due at `now` whatever was planned for later; returns how many."""
        return self._db.change(QueuedRow.update(next_attempt_at=now).where(QueuedRow.next_attempt_at > now))

    def requeue(self, contact: str, message_id: bytes, attempts: int, now: int) -> bool:
        """Have a message sealed and sent again, whether the node had it or not; False if its fate is final."""
        with self._db.one_commit():
            message = self.get(contact, message_id)
            if message is None or message.state.is_final:
                return False
            columns: dict[str, Any] = {
                "sealed": None, "key_number": None, "attempts": attempts, "next_attempt_at": now, "awaited_since": None,
            }  # fmt: skip
            if not self._update_outbox(message_id, **columns):
                self._db.change(QueuedRow.insert(message_id=message_id, contact=contact, created_at=now, **columns))
            return True

    def unanswered(self, now: int, term_s: int, limit: int) -> Sequence[Message]:
        """At most `limit` messages that the node has, and of which word has been awaited for `term_s` seconds.

        It is awaited from the first look that finds the message at the node. That goes by a clock that is trusted at
        the look, and not by what it said when the node answered; if that was ahead anyway, the term begins again.
        """
        unset = QueuedRow.awaited_since.is_null() | (QueuedRow.awaited_since > now)
        with self._db.one_commit():
            self._db.change(QueuedRow.update(awaited_since=now).where(QueuedRow.next_attempt_at.is_null() & unset))
            return MESSAGES.all(self._db, _UNANSWERED, (now - term_s, limit, _OUT))

    def remove_outgoing(self, message_id: bytes) -> bool:
        """Take a message out of the outbox, whatever its state; False if it is not there."""
        return self._db.run("DELETE FROM outbox WHERE message_id = ?", (message_id,)) > 0

    # -- seen, and to be acknowledged --

    def was_seen(self, contact: str, message_id: bytes) -> bool:
        """Whether this message of the contact was received before."""
        return (
            self._db.row("SELECT 1 FROM seen WHERE contact = ? AND message_id = ?", (contact, message_id)) is not None
        )

    def mark_seen(self, contact: str, message_id: bytes, key_number: int, token: bytes | None = None) -> bool:
        """Remember a message as received, as long as that key exists; False if it was before.

        Kept by contact and id: no one can use up an id of another sender's message. `token`: of one that is kept
        nowhere else.
        """
        seen = (contact, message_id, key_number, token)
        insert = "INSERT INTO seen (contact, message_id, key_number, token) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        return self._db.run(insert, seen) > 0

    # -- helpers --

    def _next_row(self) -> int:
        """The id of the next row, inside a commit: as SQLite would choose it, so that none is used again."""
        return self._db.value(int, _NEXT_ROW) or 1

    def _place_of(self, contact: str, kind: int, counter: int, now: int, row: int) -> tuple[int, bool]:
        """Where a message that came stands, and whether it is late there: behind one that its sender wrote later.

        It shares the place of the next higher counter of its sender that the user has not been shown, or that came just
        before; within a place the counters decide. Else its place is its own, at the end.
        """
        if kind not in _READ:
            return row, False
        higher = self._db.rows(_HIGHER, (contact, counter, HIGHER_LOOKED_AT_MAX))
        for at, (place, late, shown, stored_at) in enumerate(higher):
            if not shown or stored_at >= now - REORDER_S:
                return place, bool(late) or any(before[0] < place for before in higher[:at])
        return row, bool(higher)

    def _update_outbox(self, message_id: bytes, **columns: Any) -> bool:
        return update_one(self._db, QueuedRow, message_id, columns)


def _is(contact: str, message_id: bytes, direction: Direction) -> peewee.Expression:
    return (MessageRow.contact == contact) & (MessageRow.direction == direction) & (MessageRow.message_id == message_id)
