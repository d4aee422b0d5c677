"""History: what a conversation holds, as somebody reads it. A part of the client's store."""

from __future__ import annotations

from usernym.storage.client_messages import COLUMNS, Conversations, message_of
from usernym.storage.client_types import Direction, Message


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
