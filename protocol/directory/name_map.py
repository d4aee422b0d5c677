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

from usernym.protocol.directory.faults import DirectoryInvalid
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


@dataclass(frozen=True, slots=True)
class MapPath:
    """The way from the root down to the one leaf at which a label can be."""

    leaf: MapLeaf
    """The label's, or another one: then the label is not in the map."""
    depths: bytes
    """The bits at which the nodes on the way part, the first of them the root's."""
    siblings: tuple[bytes, ...]
    """The hash of each node's other side."""

    def with_node(self, depth: int, sibling: bytes) -> MapPath:
        """The path below a further node."""
        return MapPath(self.leaf, bytes((depth,)) + self.depths, (sibling, *self.siblings))


def path_to(
    label: bytes,
    read: Callable[[Collection[int]], Mapping[int, bytes]],
    leaves_of: Callable[[int], Sequence[MapLeaf]],
) -> MapPath:
    """The path to a label in a map that is stored and not empty. `read` is as in `raised`; `leaves_of` gives the leaves
    of a bucket, in the order of their labels. Raises `DirectoryInvalid` for what is no map."""
    way, aside = BUCKETS + bucket_of(label), BUCKET_BITS
    while True:
        stored = read({place for up in range(BUCKET_BITS) for place in (way >> up, way >> up ^ 1)})
        empty = next((up for up in reversed(range(BUCKET_BITS)) if way >> up not in stored), None)
        if empty is None:
            break
        # Where one side is empty there is no node, and the way is down the other one.
        if empty >= aside or way >> empty ^ 1 not in stored:
            raise DirectoryInvalid("the map has a node with nothing below it")
        way, aside = way ^ 1 << empty, empty
    path = _path_within(label, leaves_of(way - BUCKETS))
    for up in range(BUCKET_BITS):
        sibling = stored.get(way >> up ^ 1)
        if sibling is not None:
            path = path.with_node(BUCKET_BITS - 1 - up, sibling)
    return path


def _path_within(label: bytes, leaves: Sequence[MapLeaf]) -> MapPath:
    if not leaves:
        raise DirectoryInvalid("the map has a bucket with nothing in it")
    if len(leaves) == 1:
        return MapPath(leaves[0], b"", ())
    depth, middle = _parting(leaves)
    sides = leaves[:middle], leaves[middle:]
    side = bit(label, depth)
    other = subtree(sides[1 - side])
    assert other is not None, "both sides have leaves"
    return _path_within(label, sides[side]).with_node(depth, other)


def root_above(label: bytes, leaf: bytes, depths: Sequence[int], siblings: Sequence[bytes]) -> bytes:
    """The root of the map in which the way down to `label` ends at a leaf with this hash. Each depth has a sibling."""
    for depth, sibling in zip(reversed(depths), reversed(siblings), strict=True):
        leaf = _node(depth, sibling, leaf) if bit(label, depth) else _node(depth, leaf, sibling)
    return leaf


def _join(depth: int, left: bytes | None, right: bytes | None) -> bytes | None:
    """The hash of what has these two sides at bit `depth`: of a node if both are there, else of the one that is."""
    if left is None or right is None:
        return right if left is None else left
    return _node(depth, left, right)


def _node(depth: int, left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + bytes((depth,)) + left + right).digest()


def _parting(leaves: Sequence[MapLeaf]) -> tuple[int, int]:
    """The first bit in which the labels differ, and the place of the first leaf that has it set."""
    first, last = leaves[0].label, leaves[-1].label
    depth = _BITS - (int.from_bytes(first, "big") ^ int.from_bytes(last, "big")).bit_length()
    return depth, bisect_left(leaves, 1, key=lambda leaf: bit(leaf.label, depth))
