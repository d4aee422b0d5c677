"""Whether a node's log, as a folder of files, holds: all of it is read, and everything in it is computed again.

docs/directory.md, "The audit", says what is checked, and what a log that holds does not show.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from usernym.protocol.directory.checkpoints import CHECKPOINT_BYTES_MAX, LogHead, read_checkpoint
from usernym.protocol.directory.days import DAY_KEY, DAY_KEY_BYTES_MAX, DAYS, check_days
from usernym.protocol.directory.epochs import CHANGES_BYTES_MAX, EpochEntry, decode_changes, decode_entry
from usernym.protocol.directory.faults import DirectoryInvalid, LogForked
from usernym.protocol.directory.log_tree import entry_hash, root_of
from usernym.protocol.directory.name_map import ROOT_PLACE, MapLeaf, bucket_of, raised
from usernym.protocol.directory.tiles import (
    CHECKPOINT,
    ENTRY_BYTES_MAX,
    TILE_WIDTH,
    bundled_entries,
    changes_path,
    tile_files,
    tile_path,
)
from usernym.protocol.limits import HASH_BYTES

BUNDLE_BYTES_MAX: Final = TILE_WIDTH * (ENTRY_BYTES_MAX + 2)


@dataclass(frozen=True, slots=True)
class AuditedEpoch:
    """What an epoch changed."""

    number: int
    made_at: int
    new_names: int
    changed_names: int


@dataclass(frozen=True, slots=True)
class AuditedLog:
    """A log that holds. `epochs` are those since the head that was known before."""

    head: LogHead
    checkpoint: bytes
    known_before: int
    names: int
    epochs: list[AuditedEpoch]
    signed_days: int
    day_key: bytes | None
    """The file with the key that they are signed with; None if there is none."""


class FolderLog:
    """A log in a folder, with all its files checked against its head. Raises `DirectoryInvalid`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Before the checkpoint, since an export writes it before the day's head.
        self.days = {day: self._read(f"{DAYS}/{day}", CHECKPOINT_BYTES_MAX) for day in self._days()}
        self.day_key = self._read(DAY_KEY, DAY_KEY_BYTES_MAX) if (folder / DAY_KEY).exists() else None
        self.checkpoint = self._read(CHECKPOINT, CHECKPOINT_BYTES_MAX)
        self.head = read_checkpoint(self.checkpoint)
        self.entries = self._entries()

    def changes(self, epoch: int) -> bytes:
        """An epoch's changes, as they are in the folder: only the map's root shows whether they are the right ones."""
        return self._read(changes_path(epoch), CHANGES_BYTES_MAX)

    def _read(self, path: str, size_max: int) -> bytes:
        try:
            with (self._folder / path).open("rb") as file:
                content = file.read(size_max + 1)
        except OSError:
            raise DirectoryInvalid(f"{self._folder / path} is missing or unreadable") from None
        if len(content) > size_max:
            raise DirectoryInvalid(f"{self._folder / path} is too long")
        return content

    def _days(self) -> list[str]:
        """The days that have files. A name that begins with a dot is that of a file which was not whole."""
        return sorted(path.name for path in (self._folder / DAYS).glob("[!.]*"))

    def _tile(self, kind: str, number: int, width: int, size_max: int) -> tuple[bytes, int]:
        """A tile, or a bundle, and its width: the whole one where the part that was wanted is not there any more."""
        if width < TILE_WIDTH and not (self._folder / tile_path(kind, number, width)).exists():
            width = TILE_WIDTH
        return self._read(tile_path(kind, number, width), size_max), width

    def _entries(self) -> list[bytes]:
        entries: list[bytes] = []
        while len(entries) < self.head.size:
            wanted = min(TILE_WIDTH, self.head.size - len(entries))
            bundle, width = self._tile("entries", len(entries) // TILE_WIDTH, wanted, BUNDLE_BYTES_MAX)
            entries += bundled_entries(bundle, width)[:wanted]
        if root_of([entry_hash(entry) for entry in entries]) != self.head.root:
            raise DirectoryInvalid("the log's entries are not those of its signed head")
        for path, content in tile_files(entries):
            _, kind, rest = path.split("/", 2)
            if kind != "entries":
                number, width = _place(rest)
                there, found = self._tile(kind, number, width, TILE_WIDTH * HASH_BYTES)
                if (there if found == width else there[: len(content)]) != content:
                    raise DirectoryInvalid(f"{self._folder / path} is not the tile of the log's entries")
        return entries


def _place(rest: str) -> tuple[int, int]:
    """A tile's number and width, of its path behind the level."""
    number, _, width = rest.partition(".p/")
    return int(number.replace("x", "").replace("/", "")), int(width or TILE_WIDTH)


class _Map:
    """The map, computed again from what changed."""

    def __init__(self) -> None:
        self.names = 0
        self._buckets: dict[int, dict[bytes, MapLeaf]] = {}
        self._hashes: dict[int, bytes] = {}

    def change(self, changes: bytes) -> tuple[int, int]:
        """Carry out an epoch's changes: how many labels are new, and how many had been there."""
        touched, new, old = set(), 0, 0
        for change in decode_changes(changes):
            number = bucket_of(change.label)
            bucket = self._buckets.setdefault(number, {})
            before = bucket.get(change.label)
            bucket[change.label] = change.applied(before)
            new, old = new + (before is None), old + (before is not None)
            touched.add(number)
        self.names += new
        self._hashes |= raised({number: sorted(self._buckets[number].values()) for number in touched}, self._known)
        return new, old

    def root(self) -> bytes | None:
        return self._hashes.get(ROOT_PLACE)

    def _known(self, places: Collection[int]) -> dict[int, bytes]:
        return {place: self._hashes[place] for place in places if place in self._hashes}


def audit_log(folder: Path, known: bytes | None) -> AuditedLog:
    """Check the log in `folder`. `known` is the checkpoint of an earlier audit, which the log has to continue.

    Raises `DirectoryInvalid`; `LogForked` if the node signed both heads, and the log does not continue the earlier one.
    """
    log = FolderLog(folder)
    before = None if known is None else read_checkpoint(known)
    if before is not None and known is not None:
        _check_continues(log, before, known)
    size_before = 0 if before is None else before.size
    found, last, tree = [], None, _Map()
    for number, data in enumerate(log.entries):
        entry = decode_entry(data)
        _check_follows(log.head.node, number, entry, last)
        new, old = tree.change(log.changes(number))
        if not new + old or tree.root() != entry.root or tree.names != entry.names:
            raise DirectoryInvalid(f"epoch {number}: its changes do not give the map that the log has")
        if number >= size_before:
            found.append(AuditedEpoch(number, entry.made_at, new, old))
        last = entry
    check_days(log.days, log.day_key, log.checkpoint, log.entries)
    return AuditedLog(log.head, log.checkpoint, size_before, tree.names, found, len(log.days), log.day_key)


def _check_continues(log: FolderLog, before: LogHead, known: bytes) -> None:
    if before.node != log.head.node:
        raise DirectoryInvalid("this is another node's log than the one that was checked before")
    if before.size > log.head.size:
        raise DirectoryInvalid(
            f"the log has {log.head.size} epochs, and had {before.size} when it was checked before: an old copy, or"
            " the node has taken back what it signed"
        )
    if root_of([entry_hash(entry) for entry in log.entries[: before.size]]) != before.root:
        raise LogForked(
            f"the node has signed two histories: its head of {before.size} epochs that was checked before is not a part"
            f" of the log that has {log.head.size} now",
            known,
            log.checkpoint,
        )


def _check_follows(node: bytes, number: int, entry: EpochEntry, last: EpochEntry | None) -> None:
    if entry.node != node or entry.number != number:
        raise DirectoryInvalid(f"epoch {number}: its entry is another one's")
    if last is not None and entry.vrf != last.vrf:
        raise DirectoryInvalid(f"epoch {number}: the key that makes labels is another one than before")
    if last is not None and entry.made_at < last.made_at:
        raise DirectoryInvalid(f"epoch {number}: it was made before the epoch before it")
