"""The layout of a log as static files: c2sp.org/tlog-tiles, and beside it what changed in each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.log_tree import entry_hash, node_hash

CHECKPOINT: Final = "checkpoint"
TILE_WIDTH: Final = 256
ENTRY_BYTES_MAX: Final = 65_535
"""A bundle says an entry's length in two bytes."""


def tile_path(kind: str, number: int, width: int = TILE_WIDTH) -> str:
    """The path of a tile, or of a bundle of entries: `kind` is the level, or `entries`."""
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return f"tile/{kind}/{_number_path(number)}{partial}"


def changes_path(epoch: int) -> str:
    """The path of an epoch's changes."""
    return f"changes/{_number_path(epoch)}"


def _number_path(number: int) -> str:
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    *before, last = (digits[at : at + 3] for at in range(0, len(digits), 3))
    return "/".join([*(f"x{part}" for part in before), last])


def tile_files(entries: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """All files of a log with these entries, but for its checkpoint and its changes: path and content."""
    for number, start in enumerate(range(0, len(entries), TILE_WIDTH)):
        part = entries[start : start + TILE_WIDTH]
        bundle = b"".join(len(entry).to_bytes(2, "big") + entry for entry in part)
        yield tile_path("entries", number, len(part)), bundle
    level, hashes = 0, [entry_hash(entry) for entry in entries]
    while hashes:
        above = []
        for number, start in enumerate(range(0, len(hashes), TILE_WIDTH)):
            tile = hashes[start : start + TILE_WIDTH]
            yield tile_path(str(level), number, len(tile)), b"".join(tile)
            if len(tile) == TILE_WIDTH:
                above.append(_complete_root(tile))
        level, hashes = level + 1, above


def _complete_root(hashes: Sequence[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


def bundled_entries(bundle: bytes, width: int) -> list[bytes]:
    """The entries of a bundle. Raises `DirectoryInvalid` unless there are `width` of them."""
    found, at = [], 0
    while at < len(bundle):
        size = int.from_bytes(bundle[at : at + 2], "big")
        found.append(bundle[at + 2 : at + 2 + size])
        at += 2 + size
    if at != len(bundle) or len(found) != width:
        raise DirectoryInvalid("a bundle of entries is malformed")
    return found
