"""The map from labels to chains: a compressed Merkle prefix tree. docs/directory.md, "The map".

A node of the tree is where labels part: it says at which bit, and has both sides. So for each root and label there is
one way down, and one leaf at its end: either the label's, or another one, which proves that the label is absent.

Where it is stored, the upper 16 levels are kept as a heap of hashes (place 1 is the root, and `2p` and `2p + 1` are
below `p`), and what is below them as buckets of leaves: a change reads its bucket and one hash a level.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from usernym.protocol.limits import HASH_BYTES
from usernym.protocol.signing import Context, labelled

BUCKET_BITS: Final = 16
"""A million names are 15 in a bucket, and ten million 150: the work is the hashing of one bucket for each change."""
BUCKETS: Final = 1 << BUCKET_BITS
ROOT_PLACE: Final = 1
_LEAF: Final = labelled(Context.MAP_LEAF)
_NODE: Final = labelled(Context.MAP_NODE)
_BITS: Final = 8 * HASH_BYTES


@dataclass(frozen=True, slots=True, order=True)
class MapLeaf:
    """A label with the state of its chain."""

    label: bytes
    events: int
    """How many events the chain has, from 1 on."""
    head: bytes

    def hash(self) -> bytes:
        """The leaf's hash in the tree."""
        return hashlib.sha256(_LEAF + self.label + self.events.to_bytes(4, "big") + self.head).digest()


def bucket_of(label: bytes) -> int:
    """The bucket that a label is in."""
    return int.from_bytes(label[:2], "big")


def bucket_start(bucket: int) -> bytes:
    """The least label of a bucket; those of the next bucket begin at the next one's."""
    return bucket.to_bytes(2, "big") + bytes(HASH_BYTES - 2)


def bit(label: bytes, at: int) -> int:
    """A bit of a label; 0 is its first."""
    return label[at // 8] >> (7 - at % 8) & 1


def subtree(leaves: Sequence[MapLeaf]) -> bytes | None:
    """The hash of the tree with these leaves, in the order of their labels; None if there are none."""
    if len(leaves) < 2:
        return leaves[0].hash() if leaves else None
    depth, middle = _parting(leaves)
    return _join(depth, subtree(leaves[:middle]), subtree(leaves[middle:]))


def raised(
    buckets: Mapping[int, Sequence[MapLeaf]], read: Callable[[Collection[int]], Mapping[int, bytes]]
) -> dict[int, bytes]:
    """The hashes at all places that change when these buckets have these leaves. `read` gives the hashes that are
    stored at some places; places without a hash are left out."""
    level = {BUCKETS + bucket: subtree(leaves) for bucket, leaves in buckets.items()}
    stored = read({place >> up ^ 1 for place in level for up in range(BUCKET_BITS)})
    new: dict[int, bytes | None] = dict(level)
    while level and ROOT_PLACE not in level:
        level = {
            parent: _join(
                parent.bit_length() - 1,
                *(new[side] if side in new else stored.get(side) for side in (2 * parent, 2 * parent + 1)),
            )
            for parent in {place >> 1 for place in level}
        }
        new |= level
    return {place: value for place, value in new.items() if value is not None}


def _join(depth: int, left: bytes | None, right: bytes | None) -> bytes | None:
    """The hash of what has these two sides at bit `depth`: of a node if both are there, else of the one that is."""
    if left is None or right is None:
        return right if left is None else left
    return hashlib.sha256(_NODE + bytes((depth,)) + left + right).digest()


def _parting(leaves: Sequence[MapLeaf]) -> tuple[int, int]:
    """The first bit in which the labels differ, and the place of the first leaf that has it set."""
    first, last = leaves[0].label, leaves[-1].label
    depth = _BITS - (int.from_bytes(first, "big") ^ int.from_bytes(last, "big")).bit_length()
    return depth, bisect_left(leaves, 1, key=lambda leaf: bit(leaf.label, depth))
