"""History: what a conversation holds, as someone reads it. A part of the client's store."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Final

from usernym.storage.client.messages import IN_ORDER, MESSAGES, ROW_MAX, position
from usernym.storage.client.types import ERASED, Consent, DeliveryState, Direction, Message
from usernym.storage.database import StoreDatabase, marks, parts

_SHOWN: Final = f"({Consent.ACCEPTED.number}, {Consent.PENDING.number})"
_FIRST: Final = MESSAGES.select(f"WHERE contact = ? AND direction = ? AND kind = ? {IN_ORDER}")
_OF_KIND: Final = MESSAGES.select(
    "WHERE contact = ? AND kind = ? AND (place, counter, id) < (?, ?, ?)"
    " ORDER BY place DESC, counter DESC, id DESC LIMIT ?"
)
_AFTER: Final = MESSAGES.select(f"WHERE contact = ? AND kind = ? AND (place, counter, id) > (?, ?, ?) {IN_ORDER}")
_BETWEEN: Final = MESSAGES.select("WHERE contact = ? AND kind = ? AND message_id BETWEEN ? AND ? ORDER BY id LIMIT ?")
_ROWS: Final = MESSAGES.select("WHERE kind = ? AND id IN ({marks}) ORDER BY id")
_CONTAINS: Final = f"""
    (place, counter, id) < (?, ?, ?) AND (place, counter, id) >= (?, ?, ?)
    AND instr(lower(CAST(body AS TEXT)), lower(?)) > 0
    AND +contact IN (SELECT name FROM contact WHERE consent IN {_SHOWN})
    ORDER BY place DESC, counter DESC, id DESC LIMIT ?
"""  # noqa: S608 - constants
_SEARCH_ALL: Final = MESSAGES.select(f"WHERE shown = ? AND +kind = ? AND {_CONTAINS}")
_SEARCH_ONE: Final = MESSAGES.select(f"WHERE contact = ? AND kind = ? AND {_CONTAINS}")
_BACK: Final = """
    SELECT place, counter, id FROM message WHERE shown = ? AND (place, counter, id) < (?, ?, ?)
    ORDER BY place DESC, counter DESC, id DESC LIMIT 1 OFFSET ?
"""
_FIRST_OF_ALL: Final = (-1, 0, 0)
"""Before every message."""
_FINAL: Final = ", ".join(str(state.number) for state in DeliveryState if state.is_final)
_OLD: Final = f"""
    SELECT id FROM message WHERE contact = ?1 AND kind = ?2 AND stored_at <= ?3 AND CASE direction
        WHEN {Direction.IN.number} THEN shown = 1 AND coalesce(shown_at, stored_at) <= ?3
        ELSE state IN ({_FINAL}) END
    ORDER BY stored_at LIMIT ?4
"""  # noqa: S608 - constants


class ConversationHistory:
    """Reads and erases what the conversations hold."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    def received(self, contact: str, kind: int) -> tuple[int, Message | None]:
        """How many messages of this kind came from a contact, and the first of them."""
        of = (contact, Direction.IN.number, kind)
        count = "SELECT count(*) FROM message WHERE contact = ? AND direction = ? AND kind = ?"
        return self._db.value(int, count, of) or 0, MESSAGES.first(self._db, _FIRST, (*of, 1))

    def of_kind(self, contact: str, kind: int, limit: int, before: int | None = None) -> Sequence[Message]:
        """The last `limit` messages of one kind with a contact, of those before row `before`; in their order.

        That is the order in which they were stored here, and each sender's by counter where `late` does not say else.
        """
        end = position(self._db, ROW_MAX if before is None else before)
        return MESSAGES.all(self._db, _OF_KIND, (contact, kind, *end, limit))[::-1]

    def of_kind_after(self, contact: str, kind: int, limit: int, after: int) -> Sequence[Message]:
        """The first `limit` messages of one kind with a contact after row `after`; in their order."""
        return MESSAGES.all(self._db, _AFTER, (contact, kind, *position(self._db, after), limit))

    def of_ids(self, contact: str, kind: int, low: bytes, high: bytes, limit: int) -> Sequence[Message]:
        """At most `limit` messages of one kind with a contact whose ids lie between these two, both included."""
        return MESSAGES.all(self._db, _BETWEEN, (contact, kind, low, high, limit))

    def of_rows(self, ids: Iterable[int], kind: int) -> Sequence[Message]:
        """Those of these rows that are of one kind, in the order of their numbers."""
        return [
            row
            for some in parts(sorted(ids), 2)
            for row in MESSAGES.all(self._db, _ROWS.format(marks=marks(len(some))), (kind, *some))
        ]

    def row_back(self, before: int | None, count: int) -> int | None:
        """Where a part of the messages before row `before` begins: `count` of them at least, twice as many at most.

        None: fewer are left. It costs what the part's messages cost in an index.
        """
        start = position(self._db, ROW_MAX if before is None else before)
        ends = (self._db.row(_BACK, (shown, *start, count - 1)) for shown in (False, True))
        found: list[tuple[int, int, int]] = [(end[0], end[1], end[2]) for end in ends if end is not None]
        return max(found)[2] if found else None

    def search(
        self,
        text: str,
        kind: int,
        limit: int,
        contact: str | None = None,
        before: int | None = None,
        since: int | None = None,
    ) -> Sequence[Message]:
        """The last `limit` messages of one kind that contain `text`, of those before row `before`; the last one first.

        With `since` only from that row on.

        They are in the order of conversations. Capital and small letters count as the same in ASCII only. Nothing of
        declined and blocked contacts is found.
        """
        end = position(self._db, ROW_MAX if before is None else before)
        start = _FIRST_OF_ALL if since is None else position(self._db, since)
        rest = (kind, *end, *start, text, limit)
        if contact is not None:
            return MESSAGES.all(self._db, _SEARCH_ONE, (contact, *rest))
        # Whether they were shown comes first in the index: so each half is read in order, and only as far as needed.
        halves = (MESSAGES.all(self._db, _SEARCH_ALL, (shown, *rest)) for shown in (False, True))
        found = itertools.chain.from_iterable(halves)
        return sorted(found, key=lambda each: (each.place, each.counter, each.id), reverse=True)[:limit]

    def erase(self, ids: Iterable[int], kind: int) -> int:
        """Erase the content of these rows, if they are of this kind; returns how many were. What waits is not sent."""
        with self._db.one_commit():
            return sum(self._erase(f"id IN ({marks(len(some))})", (*some, kind)) for some in parts(ids, 2))

    def by_contact(self, ids: Iterable[int]) -> Sequence[tuple[str, Sequence[int]]]:
        """These rows, as far as they are there, by the contact with whom they are."""
        found: dict[str, list[int]] = {}
        for some in parts(ids):
            of = self._db.rows(f"SELECT contact, id FROM message WHERE id IN ({marks(len(some))})", some)  # noqa: S608
            for contact, row in of:
                found.setdefault(contact, []).append(row)
        return sorted(found.items())

    def erase_old(self, contact: str, kind: int, until: int, limit: int) -> int:
        """Erase messages of this kind with a contact that are as old as `until` (Unix seconds); returns how many.

        At most `limit`, the oldest first. One that came must have been stored, and shown, by then; one of ours written,
        and its fate final: what waits, or what the node still has, is left alone.
        """
        with self._db.one_commit():
            rows = self._db.rows(_OLD, (contact, kind, until, limit))
            return self.erase((row for (row,) in rows), kind)

    def erase_all(self, contact: str, kind: int) -> int:
        """Erase all messages of this kind with a contact; returns how many."""
        with self._db.one_commit():
            return self._erase("contact = ?", (contact, kind))

    def _erase(self, which: str, of: tuple[Any, ...]) -> int:
        out, received = Direction.OUT.number, Direction.IN.number
        own = f"SELECT message_id FROM message WHERE {which} AND kind = ? AND direction = {out}"  # noqa: S608
        self._db.run(f"DELETE FROM outbox WHERE message_id IN ({own})", of)  # noqa: S608
        sent = self._db.run(f"DELETE FROM message WHERE {which} AND kind = ? AND direction = {out}", of)  # noqa: S608
        came = self._db.run(
            f"UPDATE message SET kind = {ERASED}, body = x'', shown = 1"  # noqa: S608
            f" WHERE {which} AND kind = ? AND direction = {received}",
            of,
        )
        return sent + came
