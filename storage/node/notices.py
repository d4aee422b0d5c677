"""Notices: what the node has to tell senders of the fate of their messages, until they confirm it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from usernym.storage.database import marks, parts
from usernym.storage.engine import Engine
from usernym.storage.node.schema import NoticeRow
from usernym.storage.tables import Table

NOTICES_PER_ACCOUNT_MAX: Final = 2_000
"""Unconfirmed notices kept for one account; past that the oldest goes. As many as a mailbox holds messages."""


@dataclass(frozen=True, slots=True)
class NewNotice:
    """A notice to be kept for `account`."""

    account: str = field(repr=False)
    kind: int
    blob: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice that waits for its account's confirmation. Ids grow and are never used twice."""

    id: int
    account: str = field(repr=False)
    kind: int
    blob: bytes = field(repr=False)
    created_at: int
    expires_at: int


_NOTICES: Final = Table(NoticeRow, Notice)
_OF: Final = _NOTICES.select("WHERE account = ? ORDER BY id LIMIT ?")
_INSERT: Final = "INSERT INTO notice (account, kind, blob, created_at, expires_at) VALUES (?, ?, ?, ?, ?) RETURNING id"
_TRIM: Final = """
    DELETE FROM notice WHERE account = ?1 AND id <= (
        SELECT id FROM notice WHERE account = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
"""
_EXPIRE: Final = """
    DELETE FROM notice WHERE id IN (SELECT id FROM notice WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
"""


class Notices:
    """The unconfirmed notices of all accounts."""

    def __init__(self, database: Engine) -> None:
        self._db = database

    def add(self, account: str, kind: int, blob: bytes, now: int, expires_at: int) -> int:
        """Keep one notice; returns its id. See `add_all`."""
        return self.add_all([NewNotice(account, kind, blob)], now, expires_at)[0]

    def add_all(
        self, notices: Iterable[NewNotice], now: int, expires_at: int, account_max: int = NOTICES_PER_ACCOUNT_MAX
    ) -> list[int]:
        """Keep notices; returns their ids. An account keeps its newest `account_max`."""

        kept = list(notices)

        def add() -> list[int]:
            ids: list[int] = []
            for notice in kept:
                row = self._db.row(_INSERT, (notice.account, notice.kind, notice.blob, now, expires_at))
                assert row is not None, "RETURNING returns the row"
                ids.append(row[0])
            # In one order, so that no two transactions wait for each other.
            for account in sorted({notice.account for notice in kept}):
                self._db.run(_TRIM, (account, account_max))
            return ids

        return self._db.commit(add)

    def of(self, account: str, limit: int) -> Sequence[Notice]:
        """At most `limit` unconfirmed notices of this account, the oldest first."""
        return _NOTICES.all(self._db, _OF, (account, limit))

    def confirm(self, account: str, ids: Iterable[int]) -> int:
        """Remove notices of this account; those that are gone, or another's, are passed over. Returns how many went."""

        confirmed = list(ids)

        def remove() -> int:
            return sum(
                self._db.run(
                    f"DELETE FROM notice WHERE account = ? AND id IN ({marks(len(some))})",  # noqa: S608
                    (account, *some),
                )
                for some in parts(confirmed)
            )

        return self._db.commit(remove)

    def expire(self, now: int, limit: int) -> int:
        """Remove at most `limit` notices whose `expires_at` is not after `now`; returns how many."""
        return self._db.run(_EXPIRE, (now, limit))
