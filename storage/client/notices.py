"""Notices of the node that this client has taken in and still has to confirm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from usernym.storage.database import StoreDatabase, marks, parts

KEPT_MAX: Final = 4_096
"""Numbers kept, as many as a client confirms in two minutes: the node names them, and could name billions. One that
finds no room comes again with a later heartbeat."""


class TakenNotices:
    """The numbers of notices to confirm."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    def add(self, ids: Iterable[int]) -> None:
        """Remember to confirm these notices, as far as there is room; a known one is passed over."""
        with self._db.one_commit():
            room = max(0, KEPT_MAX - (self._db.value(int, "SELECT count(*) FROM notice_to_confirm") or 0))
            for some in parts(list(ids)[:room]):
                rows = ", ".join(["(?)"] * len(some))
                self._db.run(f"INSERT OR IGNORE INTO notice_to_confirm (id) VALUES {rows}", some)  # noqa: S608 - marks

    def oldest(self, limit: int) -> list[int]:
        """At most `limit` notices to confirm, the oldest first."""
        return [row[0] for row in self._db.rows("SELECT id FROM notice_to_confirm ORDER BY id LIMIT ?", (limit,))]

    def remove(self, ids: Iterable[int]) -> None:
        """Forget these notices: the node has the confirmation."""
        with self._db.one_commit():
            for some in parts(ids):
                self._db.run(f"DELETE FROM notice_to_confirm WHERE id IN ({marks(len(some))})", some)  # noqa: S608 - marks
