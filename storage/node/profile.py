"""What the node keeps about itself: its secret seed, its current card, and how far its deletions have come."""

from __future__ import annotations

from dataclasses import dataclass, field

from usernym.storage.database import KEY_BYTES
from usernym.storage.engine import Engine


@dataclass(frozen=True, slots=True)
class StoredCard:
    """The node's current card."""

    sequence: int
    blob: bytes = field(repr=False)


class NodeProfile:
    """The node's seed, card and deletion clock."""

    def __init__(self, database: Engine) -> None:
        self._db = database

    def identity_seed(self, new_seed: bytes) -> bytes:
        """The node's 32-byte secret seed: the stored one, or `new_seed` if there was none, stored now."""
        if len(new_seed) != KEY_BYTES:
            raise ValueError("a seed has 32 bytes")

        def make() -> bytes:
            self._db.run("INSERT INTO node_identity (id, seed) VALUES (1, ?) ON CONFLICT DO NOTHING", (new_seed,))
            seed = self._db.value(bytes, "SELECT seed FROM node_identity")
            assert seed is not None, "stored just now"
            return seed

        return self._db.commit(make)

    def stored_seed(self) -> bytes | None:
        """The node's secret seed; None if there is no node yet."""
        return self._db.value(bytes, "SELECT seed FROM node_identity")

    def lock_card(self) -> None:
        """Let no other transaction that locks it make a card before the commit. Only inside one."""
        if self._db.locked:
            # There may be no card yet.
            self._db.rows(f"SELECT id FROM node_identity{self._db.locked}")  # noqa: S608 - the engine's own words

    def card(self) -> StoredCard | None:
        row = self._db.row("SELECT sequence, blob FROM node_card")
        return None if row is None else StoredCard(*row)

    def card_sequence(self) -> int:
        """The current card's sequence; 0 before the first."""
        return self._db.value(int, "SELECT sequence FROM node_card") or 0

    def save_card(self, sequence: int, blob: bytes) -> bool:
        """Make this card the current one; False, and nothing changed, unless its sequence is higher."""
        changed = self._db.run(
            "INSERT INTO node_card (id, sequence, blob) VALUES (1, ?1, ?2)"
            " ON CONFLICT (id) DO UPDATE SET sequence = ?1, blob = ?2 WHERE node_card.sequence < ?1",
            (sequence, blob),
        )
        return changed > 0

    def clock_floor(self) -> int:
        """The latest time (Unix seconds) by which anything was deleted; 0 before the first."""
        return self._db.value(int, "SELECT floor FROM clock") or 0

    def held_clock_floor(self) -> int:
        """The same; it stays as it is until the commit. Only inside one."""
        return self._db.value(int, f"SELECT floor FROM clock{self._db.held}") or 0  # noqa: S608

    def raise_clock_floor(self, at: int) -> None:
        """Note that things are deleted that were due at this time; an earlier one changes nothing."""
        self._db.run("UPDATE clock SET floor = ?1 WHERE floor < ?1", (at,))
