"""Requests that the node has carried out, remembered with their answers so that none is carried out twice."""

from __future__ import annotations

from typing import Final

from usernym.storage.engine import Engine
from usernym.storage.errors import RowLimitReached

REMEMBERED_ROWS_MAX: Final = 1_500_000
"""Messages remembered at once, about 150 bytes each: 500 a second over half an hour, and a quarter of an hour more in
which nothing is deleted after the clock has jumped."""
DELETIONS_TOO_MAX: Final = REMEMBERED_ROWS_MAX + 100_000
"""With deletions of accounts: their part can't be taken by messages. Each deletion is of an account, and so has cost a
registration's proof of work."""

_REMEMBER: Final = "INSERT INTO remembered (digest, answer, expires_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_FORGET: Final = """
    DELETE FROM remembered WHERE digest IN (
        SELECT digest FROM remembered WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
"""


class ReplayIds:
    """Remembered requests, by the digest of each."""

    def __init__(self, database: Engine) -> None:
        self._db = database

    def remember(
        self, digest: bytes, answer: bytes, expires_at: int, rows_max: int = REMEMBERED_ROWS_MAX
    ) -> bytes | None:
        """Remember a request (32-byte digest) with its answer, unless it is known: then return the earlier answer.

        Raises `RowLimitReached` when `rows_max` requests are remembered: forgetting one early would let it be
        repeated, so new ones have to wait.
        """

        def remember() -> bytes | None:
            if not self._db.run(_REMEMBER, (digest, answer, expires_at)):
                return self._db.value(bytes, "SELECT answer FROM remembered WHERE digest = ?", (digest,))
            # The statement that checks the count changes it: so no other transaction counts in between.
            if not self._db.run("UPDATE remembered_count SET rows = rows + 1 WHERE rows < ?", (rows_max,)):
                raise RowLimitReached(f"remembered requests: all {rows_max} rows are taken until some expire")
            return None

        return self._db.commit(remember)

    def knows(self, digest: bytes, now: int) -> bool:
        """Whether this request is remembered and not yet due to be forgotten."""
        return self._db.row("SELECT 1 FROM remembered WHERE digest = ? AND expires_at > ?", (digest, now)) is not None

    def expire(self, now: int, limit: int) -> int:
        """Forget at most `limit` requests whose `expires_at` is not after `now`; returns how many."""

        def forget() -> int:
            forgotten = self._db.run(_FORGET, (now, limit))
            self._db.run("UPDATE remembered_count SET rows = rows - ?", (forgotten,))
            return forgotten

        return self._db.commit(forget)
