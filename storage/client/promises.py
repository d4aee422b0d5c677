"""What the node has stated about contacts' places in its public directory, to be compared with what it says later."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from usernym.storage.client.schema import PromiseRow
from usernym.storage.client.types import Consent
from usernym.storage.database import StoreDatabase
from usernym.storage.tables import Table

CHECKS_MAX: Final = 8
"""Checks that bring no word, after which a client makes none by itself: with pauses that double, eleven days at most.
What was stated stays, for any later lookup."""


@dataclass(frozen=True, slots=True)
class KeptPromise:
    """A promise, or a proof. `frame` is what the node signed, `check_at` when to look the name up again (Unix seconds),
    `checks` how many such lookups brought no word, or too few signatures of witnesses."""

    contact: str = field(repr=False)
    frame: bytes = field(repr=False)
    check_at: int
    checks: int


_PROMISES: Final = Table(PromiseRow, KeptPromise)
_OF: Final = _PROMISES.select("WHERE contact = ?")
_ACCEPTED: Final = f"(SELECT name FROM contact WHERE consent = {Consent.ACCEPTED.number})"  # noqa: S608 - a constant
_DUE: Final = _PROMISES.select(
    f"WHERE checks < ? AND (check_at <= ? OR check_at > ?) AND (is_promise OR contact IN {_ACCEPTED})"
    " ORDER BY check_at LIMIT 1"
)
_OPEN: Final = "SELECT contact FROM promise WHERE is_promise = 1 AND checks < ?"
_KEEP: Final = """
    INSERT INTO promise (contact, frame, is_promise, check_at, checks) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (contact) DO UPDATE
    SET frame = excluded.frame, is_promise = 1, check_at = excluded.check_at, checks = 0
    WHERE promise.is_promise = 0 AND excluded.is_promise = 1
"""


class KeptPromises:
    """One for a contact at most, the oldest that was not compared yet: it goes with the contact."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    def keep(self, contact: str, frame: bytes, check_at: int, *, is_promise: bool, checks: int = 0) -> None:
        """Keep this promise, or proof, unless there is an older one; a promise says more than a proof before it."""
        self._db.run(_KEEP, (contact, frame, is_promise, check_at, checks))

    def renew(self, contact: str, frame: bytes, check_at: int, checks: int) -> None:
        """Keep this proof instead of what it agrees with."""
        change = "UPDATE promise SET frame = ?, is_promise = 0, check_at = ?, checks = ? WHERE contact = ?"
        self._db.run(change, (frame, check_at, checks, contact))

    def of(self, contact: str) -> KeptPromise | None:
        return _PROMISES.first(self._db, _OF, (contact,))

    def due(self, now: int, last: int) -> KeptPromise | None:
        """The one that is to be checked first: by `now`, or later than any check is planned for at this time, which is
        `last`, as by a clock that was ahead. A proof of who is not accepted waits until they are: else everyone who
        writes would be looked up again and again."""
        return _PROMISES.first(self._db, _DUE, (CHECKS_MAX, now, last))

    def open_ones(self) -> frozenset[str]:
        """The contacts whose promises are still to be checked."""
        return frozenset(name for (name,) in self._db.rows(_OPEN, (CHECKS_MAX,)))

    def postpone(self, contact: str, check_at: int, checks: int) -> None:
        """Note a check that brought no word, and when the next one is due."""
        self._db.run("UPDATE promise SET check_at = ?, checks = ? WHERE contact = ?", (check_at, checks, contact))

    def settle(self, contact: str) -> None:
        """Forget it: the name is deleted, or there is evidence that the node did not keep its word."""
        self._db.run("DELETE FROM promise WHERE contact = ?", (contact,))
