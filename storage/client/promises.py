"""What the node has promised of contacts' places in its public directory, until it is settled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from usernym.storage.client.schema import PromiseRow
from usernym.storage.database import StoreDatabase
from usernym.storage.tables import Table

CHECKS_MAX: Final = 8
"""Checks that bring no word, after which a client makes none by itself: with pauses that double, eleven days at most.
The promise stays, for any later lookup of the name."""


@dataclass(frozen=True, slots=True)
class KeptPromise:
    """A promise. `frame` is what the node signed, `check_at` when to look the name up again (Unix seconds), `checks`
    how many such lookups brought no word."""

    contact: str = field(repr=False)
    frame: bytes = field(repr=False)
    check_at: int
    checks: int


_PROMISES: Final = Table(PromiseRow, KeptPromise)
_OF: Final = _PROMISES.select("WHERE contact = ?")
_DUE: Final = _PROMISES.select("WHERE checks < ? AND check_at <= ? ORDER BY check_at LIMIT 1")
_KEEP: Final = "INSERT INTO promise (contact, frame, check_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"


class KeptPromises:
    """One promise for a contact at most, the oldest: it goes with the contact."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    def keep(self, contact: str, frame: bytes, check_at: int) -> None:
        """Keep the promise, unless there is an older one."""
        self._db.run(_KEEP, (contact, frame, check_at))

    def of(self, contact: str) -> KeptPromise | None:
        return _PROMISES.first(self._db, _OF, (contact,))

    def due(self, now: int) -> KeptPromise | None:
        """The one that is to be checked first."""
        return _PROMISES.first(self._db, _DUE, (CHECKS_MAX, now))

    def any_open(self) -> bool:
        """Whether any is still to be checked."""
        return self._db.row("SELECT 1 FROM promise WHERE checks < ? LIMIT 1", (CHECKS_MAX,)) is not None

    def open_ones(self) -> frozenset[str]:
        """The contacts whose promises are still to be checked."""
        return frozenset(
            name for (name,) in self._db.rows("SELECT contact FROM promise WHERE checks < ?", (CHECKS_MAX,))
        )

    def postpone(self, contact: str, check_at: int, checks: int) -> None:
        """Note a check that brought no word, and when the next one is due."""
        self._db.run("UPDATE promise SET check_at = ?, checks = ? WHERE contact = ?", (check_at, checks, contact))

    def settle(self, contact: str) -> None:
        """Forget the promise: it was kept, or there is evidence that it was not."""
        self._db.run("DELETE FROM promise WHERE contact = ?", (contact,))
