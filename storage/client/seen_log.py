"""What the client has seen of the directory's log, and heads that are still to be compared with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from usernym.protocol.directory.checkpoints import HeadTold
from usernym.protocol.directory.shown import KnownLog, OwnPlace
from usernym.protocol.wire import Wire, decoder_of, pack, unpack
from usernym.storage.client.profile import Profile
from usernym.storage.client.schema import HeadRow
from usernym.storage.database import StoreDatabase
from usernym.storage.tables import Table

HEADS_MAX: Final = 256
"""Heads of contacts that wait, and as many that came with lookups: one is compared with each heartbeat. A contact whose
head finds no room sends a later one. Of those that the node showed with lookups the longest log's go: it can show ever
longer ones, which are compared last."""
_KNOWN: Final = "directory_known"
_OWN: Final = "directory_own"
_OWN_LOOK: Final = "directory_own_look"
_DOUBTED: Final = "directory_doubted"
_known_decoder: Final = decoder_of(KnownLog)
_own_decoder: Final = decoder_of(OwnPlace)


@dataclass(frozen=True, slots=True)
class HeadToCompare:
    """A head, and from whom it came."""

    name: str = field(repr=False)
    """The contact who sent it; empty: it came with a lookup."""
    size: int
    root: bytes
    signature: bytes | None
    """The node's, verified; None: it came without."""


_HEADS: Final = Table(HeadRow, HeadToCompare)
_NEXT: Final = _HEADS.select("WHERE differs = 0 AND size <= ? ORDER BY size LIMIT 1")
_OF_SIZE: Final = _HEADS.select("WHERE differs = 0 AND size = ?")
_LONGER: Final = "SELECT 1 FROM head WHERE differs = 0 AND size > ? AND signature IS NOT NULL LIMIT 1"
_TOO_MANY: Final = """
    DELETE FROM head WHERE rowid IN (SELECT rowid FROM head WHERE name = '' ORDER BY size, rowid LIMIT -1 OFFSET ?)
"""
_THIS: Final = "WHERE name = ? AND size = ? AND root = ?"


class SeenLog:
    """The log of the directory, as this client has seen it."""

    def __init__(self, database: StoreDatabase, profile: Profile) -> None:
        self._db = database
        self._profile = profile

    def known(self) -> KnownLog | None:
        """The newest state that the client was shown; None before the first."""
        packed = self._profile.setting(_KNOWN)
        return None if packed is None else unpack(_known_decoder, packed)

    def own(self) -> OwnPlace | None:
        """The user's name in it; None until it was seen there."""
        packed = self._profile.setting(_OWN)
        return None if packed is None else unpack(_own_decoder, packed)

    def own_look_at(self) -> int | None:
        """When the user's own name is to be looked up next, in Unix seconds; None: no time is set."""
        value = self._profile.setting(_OWN_LOOK)
        return None if value is None else int(value)

    def doubted_at(self) -> int | None:
        """Since when the node has not shown how its log continues, in Unix seconds; None: it does."""
        value = self._profile.setting(_DOUBTED)
        return None if value is None else int(value)

    def save(self, known: KnownLog, own: OwnPlace | None) -> None:
        """Know the log, and the own name in it, so from now on."""
        with self._db.one_commit():
            self._write(_KNOWN, known)
            self._write(_OWN, own)

    def set_own_look(self, at: int) -> None:
        """Note when to look the own name up."""
        self._profile.set_setting(_OWN_LOOK, str(at).encode())

    def set_doubted(self, at: int | None) -> None:
        """Note since when, or that there is no doubt."""
        self._profile.set_setting(_DOUBTED, None if at is None else str(at).encode())

    def forget_own(self) -> None:
        """The user changes what the name is: it is looked for again."""
        self._write(_OWN, None)

    # -- heads of others --

    def note(self, name: str, head: HeadTold) -> None:
        """Let a contact's head be compared, unless one of theirs waits; a signed one takes the place of one that
        differs."""
        with self._db.one_commit():
            if head.signature is not None:
                self._db.run("DELETE FROM head WHERE name = ? AND differs = 1", (name,))
            if not self._db.row(
                "SELECT 1 FROM head WHERE name = ? OR (SELECT count(*) FROM head WHERE name <> '') >= ?",
                (name, HEADS_MAX),
            ):
                self._add(name, head)

    def note_looked_up(self, head: HeadTold) -> None:
        """Let the head be compared that came with a lookup."""
        with self._db.one_commit():
            self._add("", head)
            self._db.run(_TOO_MANY, (HEADS_MAX,))

    def _add(self, name: str, head: HeadTold) -> None:
        row = name, head.size, head.root, head.signature
        self._db.run("INSERT OR IGNORE INTO head (name, size, root, signature, differs) VALUES (?, ?, ?, ?, 0)", row)

    def next_head(self, size: int) -> HeadToCompare | None:
        """One that waits, of a log of `size` entries at most."""
        return _HEADS.first(self._db, _NEXT, (size,))

    def heads_of(self, size: int) -> list[HeadToCompare]:
        """All that wait, of a log of so many entries."""
        return _HEADS.all(self._db, _OF_SIZE, (size,))

    def is_behind(self, size: int) -> bool:
        """Whether a head waits that the node has signed for a log of more entries."""
        return self._db.row(_LONGER, (size,)) is not None

    def compared(self, head: HeadToCompare, *, differs: bool) -> None:
        """This head is of the log that the client knows; or of another, and its contact is to get a signed one."""
        change = "UPDATE head SET differs = 1" if differs else "DELETE FROM head"
        self._db.run(f"{change} {_THIS}", (head.name, head.size, head.root))

    def differs_from(self, name: str) -> bool:
        """Whether this contact has sent a head that is of no log which the client knows."""
        return self._db.row("SELECT 1 FROM head WHERE name = ? AND differs = 1", (name,)) is not None

    def _write(self, key: str, value: Wire | None) -> None:
        self._profile.set_setting(key, None if value is None else pack(value))
