"""The log's Merkle tree: RFC 6962, section 2.1, with SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from usernym.protocol.directory.faults import DirectoryInvalid
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
        return self.with_subtree(0, leaf)

    def with_subtree(self, level: int, root: bytes) -> Frontier:
        """The tree with a complete subtree of 2^`level` leaves more. The size is a multiple of that."""
        merged = (*completed(self.size >> level, self.peaks, root),)
        return Frontier(self.size + (1 << level), (*self.peaks[: len(self.peaks) + 1 - len(merged)], merged[-1]))

    def through(self, end: int, roots: Sequence[bytes]) -> Frontier:
        """The tree with the leaves up to `end`, given the roots of `spans(size, end)`. Raises `DirectoryInvalid` for
        another number of them."""
        between = list(spans(self.size, end))
        if len(between) != len(roots):
            raise DirectoryInvalid("what shows that a log continues is malformed")
        return reduce(lambda tree, each: tree.with_subtree(each[0][0], each[1]), zip(between, roots, strict=True), self)

    def root(self) -> bytes:
        """The tree's root."""
        return (
            reduce(lambda right, left: node_hash(left, right), reversed(self.peaks)) if self.peaks else EMPTY_LOG_ROOT
        )


def completed(place: int, peaks: Sequence[bytes], root: bytes) -> Iterator[bytes]:
    """The roots of the complete subtrees that end with one which is added at this place of its level, from this one up.

    `peaks` are those of the tree before.
    """
    yield root
    for peak in reversed(peaks):
        if not place & 1:
            return
        root = node_hash(peak, root)
        place >>= 1
        yield root


def spans(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The largest complete subtrees that the leaves from `start` to before `end` consist of, in their order: of each
    its level, which has 2^level leaves, and its place among those of that level."""
    while start < end:
        widest = (end - start).bit_length() - 1
        level = min(widest, (start & -start).bit_length() - 1) if start else widest
        yield level, start >> level
        start += 1 << level


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of a tree of these leaves, given by their hashes."""
    return reduce(Frontier.with_leaf, leaves, Frontier()).root()


def root_with(size: int, peaks: Sequence[bytes], leaf: bytes) -> bytes | None:
    """The root of a tree of `size` leaves, the last of which has this hash, given the roots of the complete subtrees of
    those before it, the largest first; None if that is another number of subtrees."""
    if len(peaks) != (size - 1).bit_count():
        return None
    return reduce(lambda right, left: node_hash(left, right), reversed(peaks), leaf)


def beginning(size: int, later_size: int, later_root: bytes, hashes: Sequence[bytes]) -> Frontier:
    """The tree of the first `size` leaves of a later one.

    `hashes` show it: the roots of its complete subtrees, the largest first, and those of `spans(size, later_size)`.
    Raises `DirectoryInvalid` if they do not lead to the root of the later one.
    """
    peaks = size.bit_count()
    first = Frontier(size, tuple(hashes[:peaks]))
    if len(first.peaks) != peaks or first.through(later_size, hashes[peaks:]).root() != later_root:
        raise DirectoryInvalid("it is not shown that one log continues the other")
    return first
