"""The user's private message keys, and their destruction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from usernym.storage.client.schema import HpkeKeyRow, SeenRow
from usernym.storage.client.types import HpkeKey
from usernym.storage.database import StoreDatabase, parts
from usernym.storage.errors import StoreBusy
from usernym.storage.tables import Table

_KEYS: Final = Table(HpkeKeyRow, HpkeKey)
_ONE: Final = _KEYS.select("WHERE number = ?")
_ALL: Final = _KEYS.select("ORDER BY number")
_DUE: Final = "SELECT number FROM hpke_key WHERE superseded_at < ? OR created_at < ? ORDER BY number"


class MessageKeys:
    """Private HPKE keys by number, and the message ids remembered for each."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    def add(self, number: int, seed: bytes, now: int) -> None:
        """Keep a new private key. Raises `RowConflict` if the number is taken: a key is never replaced."""
        self._db.run("INSERT INTO hpke_key (number, seed, created_at) VALUES (?, ?, ?)", (number, seed, now))

    def forget_all(self) -> None:
        """Forget the keys of an identity that no one has seen."""
        self._db.run("DELETE FROM hpke_key")

    def confirm(self, number: int, now: int) -> bool:
        """The node hands out this key now: those before it are superseded. False if there is no such key.

        The first confirmation counts; a repeated one moves no date but one that is still to come, of a clock that was
        ahead.
        """
        with self._db.one_commit():
            if self.get(number) is None:
                return False
            self._db.change(
                HpkeKeyRow.update(confirmed_at=now).where(
                    (HpkeKeyRow.number == number) & HpkeKeyRow.confirmed_at.is_null()
                )
            )
            self._db.change(
                HpkeKeyRow.update(superseded_at=now).where(
                    (HpkeKeyRow.number < number)
                    & (HpkeKeyRow.superseded_at.is_null() | (HpkeKeyRow.superseded_at > now))
                )
            )
            return True

    def waiting_since(self) -> int | None:
        """When the oldest key was made that has waited since then for the node to hand it out; None if none does."""
        return self._db.value(
            int,
            "SELECT min(created_at) FROM hpke_key WHERE confirmed_at IS NULL"
            " AND number > (SELECT coalesce(max(number), 0) FROM hpke_key WHERE confirmed_at IS NOT NULL)",
        )

    def all(self) -> Sequence[HpkeKey]:
        return _KEYS.all(self._db, _ALL)

    def get(self, number: int) -> HpkeKey | None:
        """One private key, while it exists."""
        return _KEYS.first(self._db, _ONE, (number,))

    def destroy(self, superseded_before: int, made_before: int = 0) -> list[int]:
        """Destroy the keys superseded before this time, or made before the other, with the ids remembered for them.

        Returns their numbers.

        When this returns, the database and its WAL no longer contain them; what the file system or the disk keeps of
        overwritten blocks is out of reach. Raises `StoreBusy` if readers keep the WAL from being emptied: the keys are
        gone from the database then, and the next call empties the WAL. Not to be called inside `transaction()`.
        """
        if self._db.writing:
            raise ValueError("keys cannot be destroyed inside a transaction")
        with self._db.one_commit():
            numbers = [row[0] for row in self._db.rows(_DUE, (superseded_before, made_before))]
            self.forget_for_keys(numbers)
            for some in parts(numbers):
                self._db.change(HpkeKeyRow.delete().where(HpkeKeyRow.number.in_(some)))
        if not self._db.erase_traces():
            raise StoreBusy(f"{self._db.path}: old keys are deleted, but readers keep their last copy alive: try again")
        return numbers

    def forget_for_keys(self, numbers: Iterable[int]) -> None:
        """Forget the ids of messages sealed to these keys, which nothing opens any more."""
        with self._db.one_commit():
            for some in parts(numbers):
                self._db.change(SeenRow.delete().where(SeenRow.key_number.in_(some)))
