"""The log's Merkle tree: RFC 6962, section 2.1, with SHA-256."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import reduce
from typing import Final

EMPTY_LOG_ROOT: Final = hashlib.sha256().digest()


def entry_hash(entry: bytes) -> bytes:
    """The hash of an entry as a leaf."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node of the tree."""
    return hashlib.sha256(b"\x01" + left + right).digest()


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
