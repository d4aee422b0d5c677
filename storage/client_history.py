"""History: what a conversation holds, as somebody reads it. A part of the client's store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from usernym.storage.client_messages import COLUMNS, Conversations, message_of
from usernym.storage.client_types import ContactState, Direction, Message

ERASED: Final = 0
"""The kind of an incoming message whose content the user erased. Its place stays, so that no gap shows, and so does the
token, in case its sender has to be told once more that it came."""
_NO_ROW: Final = 2**63 - 1
_SHOWN: Final = f"({int(ContactState.ACCEPTED)}, {int(ContactState.PENDING)})"


class History(Conversations):
    """The part of `ClientStore` that reads conversations."""

    def received(self, contact: str, kind: int) -> tuple[int, Message | None]:
        """How many messages of this kind came from a contact, and the first of them."""
        of = (contact, int(Direction.IN), kind)
        count = self._db.row("SELECT count(*) FROM message WHERE contact = ? AND direction = ? AND kind = ?", of)
        first = self._db.row(
            f"SELECT {COLUMNS} FROM message WHERE contact = ? AND direction = ? AND kind = ? ORDER BY id LIMIT 1",  # noqa: S608
            of,
        )
        return 0 if count is None else int(count[0]), None if first is None else message_of(first)

    def of_kind(self, contact: str, kind: int, limit: int, before: int | None = None) -> Sequence[Message]:
        """The last `limit` messages of one kind with a contact, of those before row `before`; the oldest first."""
        rows = self._db.rows(
            f"SELECT {COLUMNS} FROM message WHERE contact = ? AND kind = ? AND id < ? ORDER BY id DESC LIMIT ?",  # noqa: S608
            (contact, kind, _NO_ROW if before is None else before, limit),
        )
        return [message_of(row) for row in reversed(rows)]

    def search(
        self, text: str, kind: int, limit: int, contact: str | None = None, before: int | None = None
    ) -> Sequence[Message]:
        """The last `limit` messages of one kind that contain `text`, of those before row `before`; the newest first.

        Capital and small letters count as the same in ASCII only. Nothing of declined and blocked contacts is found.
        """
        where, of = "", [kind, _NO_ROW if before is None else before, text]
        if contact is not None:
            where, of = " AND contact = ?", [*of, contact]
        rows = self._db.rows(
            f"SELECT {COLUMNS} FROM message WHERE kind = ? AND id < ?"  # noqa: S608 - constants
            f" AND instr(lower(CAST(body AS TEXT)), lower(?)) > 0{where}"
            f" AND contact IN (SELECT name FROM contact WHERE state IN {_SHOWN}) ORDER BY id DESC LIMIT ?",
            [*of, limit],
        )
        return [message_of(row) for row in rows]

    def erase(self, ids: Iterable[int], kind: int) -> int:
        """Erase the content of these rows, if they are of this kind; returns how many were. What waits is not sent."""
        with self._db.one_commit():
            return sum(self._erase("id = ?", (row, kind)) for row in ids)

    def erase_all(self, contact: str, kind: int) -> int:
        """Erase all messages of this kind with a contact; returns how many."""
        with self._db.one_commit():
            return self._erase("contact = ?", (contact, kind))

    def _erase(self, which: str, of: tuple[Any, ...]) -> int:
        out, received = int(Direction.OUT), int(Direction.IN)
        own = f"SELECT message_id FROM message WHERE {which} AND kind = ? AND direction = {out}"  # noqa: S608
        self._db.run(f"DELETE FROM outbox WHERE message_id IN ({own})", of)  # noqa: S608
        sent = self._db.run(f"DELETE FROM message WHERE {which} AND kind = ? AND direction = {out}", of)  # noqa: S608
        came = self._db.run(
            f"UPDATE message SET kind = {ERASED}, body = x'', shown = 1"  # noqa: S608
            f" WHERE {which} AND kind = ? AND direction = {received}",
            of,
        )
        return sent + came
