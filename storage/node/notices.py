"""What the node remembers for a while: word for senders of what became of their messages, requests carried out, and
the time by which it has forgotten others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from usernym.storage.database import Store, check_row_limit, marks, parts

NOTICES_PER_ACCOUNT_MAX: Final = 2_000
"""Unconfirmed notices kept for one account; past that the oldest goes. As many as a mailbox holds messages."""
REMEMBERED_ROWS_MAX: Final = 1_500_000
"""Requests remembered at once, about 150 bytes each: 500 a second over half an hour, and a quarter of an hour more in
which nothing is deleted after the clock has jumped."""


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


_INSERT: Final = "INSERT INTO notice (account, kind, blob, created_at, expires_at) VALUES (?, ?, ?, ?, ?) RETURNING id"
_TRIM: Final = """
    DELETE FROM notice WHERE account = ?1 AND id <= (
        SELECT id FROM notice WHERE account = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)
"""
_EXPIRE: Final = """
    DELETE FROM notice WHERE id IN (SELECT id FROM notice WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
"""
_FORGET: Final = """
    DELETE FROM remembered WHERE digest IN (
        SELECT digest FROM remembered WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
"""


class Memory(Store):
    """The part of `NodeStore` that keeps notices and remembered requests."""

    # -- the clock --

    def clock_floor(self) -> int:
        """The latest time (Unix seconds) by which anything was deleted; 0 before the first."""
        row = self._db.row("SELECT floor FROM clock")
        return 0 if row is None else int(row[0])

    def raise_clock_floor(self, at: int) -> None:
        """Note that things are deleted that were due at this time; an earlier one changes nothing."""
        self._db.run("UPDATE clock SET floor = ?1 WHERE floor < ?1", (at,))

    # -- notices --

    def add_notice(self, account: str, kind: int, blob: bytes, now: int, expires_at: int) -> int:
        """Keep one notice; returns its id. See `add_notices`."""
        return self.add_notices([NewNotice(account, kind, blob)], now, expires_at)[0]

    def add_notices(
        self, notices: Iterable[NewNotice], now: int, expires_at: int, account_max: int = NOTICES_PER_ACCOUNT_MAX
    ) -> list[int]:
        """Keep notices; returns their ids. An account keeps its newest `account_max`."""
        ids: list[int] = []
        accounts: dict[str, None] = {}
        with self._db.one_commit():
            for notice in notices:
                row = self._db.row(_INSERT, (notice.account, notice.kind, notice.blob, now, expires_at))
                assert row is not None, "RETURNING returns the row"
                ids.append(row[0])
                accounts[notice.account] = None
            for account in accounts:
                self._db.run(_TRIM, (account, account_max))
        return ids

    def notices(self, account: str, limit: int) -> Sequence[Notice]:
        """At most `limit` unconfirmed notices of this account, the oldest first."""
        found = self._db.rows(
            "SELECT id, account, kind, blob, created_at, expires_at FROM notice WHERE account = ? ORDER BY id LIMIT ?",
            (account, limit),
        )
        return [Notice(*row) for row in found]

    def confirm_notices(self, account: str, ids: Iterable[int]) -> int:
        """Remove notices of this account; those that are gone, or another's, are passed over. Returns how many went."""
        with self._db.one_commit():
            return sum(
                self._db.run(
                    f"DELETE FROM notice WHERE account = ? AND id IN ({marks(len(some))})",  # noqa: S608
                    (account, *some),
                )
                for some in parts(ids)
            )

    def expire_notices(self, now: int, limit: int) -> int:
        """Remove at most `limit` notices whose `expires_at` is not after `now`; returns how many."""
        return self._db.run(_EXPIRE, (now, limit))

    # -- requests carried out --

    def remember(
        self, digest: bytes, answer: bytes, expires_at: int, rows_max: int = REMEMBERED_ROWS_MAX
    ) -> bytes | None:
        """Remember a request (32-byte digest) with its answer, unless it is known: then return the answer of before.

        Raises `RowLimitReached` when `rows_max` requests are remembered: forgetting one early would let it be
        repeated, so new ones have to wait.
        """
        with self._db.one_commit():
            row = self._db.row(
                "SELECT (SELECT answer FROM remembered WHERE digest = ?), rows FROM remembered_count", (digest,)
            )
            assert row is not None, "the count is always there"
            known: bytes | None = row[0]
            if known is None:
                check_row_limit(row[1], rows_max, "remembered requests")
                self._db.run(
                    "INSERT INTO remembered (digest, answer, expires_at) VALUES (?, ?, ?)", (digest, answer, expires_at)
                )
            return known

    def was_seen(self, digest: bytes, now: int) -> bool:
        """Whether this request is remembered and not yet due to be forgotten."""
        return self._db.row("SELECT 1 FROM remembered WHERE digest = ? AND expires_at > ?", (digest, now)) is not None

    def forget_expired(self, now: int, limit: int) -> int:
        """Forget at most `limit` requests whose `expires_at` is not after `now`; returns how many."""
        return self._db.run(_FORGET, (now, limit))
