"""The log's Merkle tree: RFC 6962, section 2.1, with SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from usernym.protocol.limits import HASH_BYTES

EMPTY_LOG_ROOT: Final = hashlib.sha256().digest()


def entry_hash(entry: bytes) -> bytes:
    """The hash of an entry as a leaf."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node of the tree."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def hashes_in(data: bytes | None) -> tuple[bytes, ...]:
    """The hashes that stand there without anything between them."""
    return tuple((data or b"")[at : at + HASH_BYTES] for at in range(0, len(data or b""), HASH_BYTES))


@dataclass(frozen=True, slots=True)
class Frontier:
    """What is needed of a tree to continue it: its size, and the roots of its complete subtrees, the largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def with_leaf(self, leaf: bytes) -> Frontier:
        """The tree with one leaf more, given by its hash."""
        peaks, size = (*self.peaks, leaf), self.size
        while size & 1:
            peaks = (*peaks[:-2], node_hash(peaks[-2], peaks[-1]))
            size >>= 1
        return Frontier(self.size + 1, peaks)

    def root(self) -> bytes:
        """The tree's root."""
        return (
            reduce(lambda right, left: node_hash(left, right), reversed(self.peaks)) if self.peaks else EMPTY_LOG_ROOT
        )


def root_with(size: int, peaks: Sequence[bytes], leaf: bytes) -> bytes | None:
    """The root of a tree of `size` leaves, the last of which has this hash, given the roots of the complete subtrees of
    those before it, the largest first; None if that is another number of subtrees."""
    if len(peaks) != (size - 1).bit_count():
        return None
    return reduce(lambda right, left: node_hash(left, right), reversed(peaks), leaf)
