"""Evidence against the node: what it signed and an honest node never signs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from usernym.storage.client.schema import EvidenceRow
from usernym.storage.database import StoreDatabase
from usernym.storage.tables import Table

EVIDENCE_MAX: Final = 16
"""Kept at most, up to 135 kB each: one convinces; a node can make as many as it likes."""


@dataclass(frozen=True, slots=True)
class StoredEvidence:
    """One piece of evidence. `packed` is its canonical encoding, `found_at` in Unix seconds."""

    id: int
    packed: bytes = field(repr=False)
    found_at: int


_EVIDENCE: Final = Table(EvidenceRow, StoredEvidence)
_ALL: Final = _EVIDENCE.select("ORDER BY id")


class EvidenceKept:
    """The evidence that this home has."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    def add(self, packed: bytes, now: int) -> bool:
        """Keep it; False, and nothing changed, if it is there already, or there is enough."""
        with self._db.one_commit():
            kept = self.all()
            if len(kept) >= EVIDENCE_MAX or any(each.packed == packed for each in kept):
                return False
            return self._db.change(EvidenceRow.insert(packed=packed, found_at=now)) > 0

    def all(self) -> Sequence[StoredEvidence]:
        """All of it, the oldest first."""
        return _EVIDENCE.all(self._db, _ALL)
