"""What a node shows of its log at a login and at a heartbeat, and what a client takes from it.

docs/directory.md, "Self-audit". Pure. A client knows the log by one state, `KnownLog`; each thing that it is shown must
continue that one, and says of an earlier head of someone else's whether it was a beginning of the same log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from usernym.protocol.directory.checkpoints import SignedHead
from usernym.protocol.directory.events import proved_label
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.log_tree import Frontier, beginning, hashes_in, spans
from usernym.protocol.directory.name_map import MapLeaf
from usernym.protocol.directory.proofs import ALIVE, DEPTHS_MAX, ChainEnd, MapProof, head_above
from usernym.protocol.directory.vrf import VRF_PROOF_BYTES
from usernym.protocol.directory.witnesses import Cosignatures
from usernym.protocol.limits import HASH_BYTES
from usernym.protocol.wire import U32, Hash, Key, Number, Signature, Wire

SHOWN_HASHES_MAX: Final = 36
"""Hashes in one answer: what one packet has room for beside the rest of a login's answer with the proof of a label.
With a million names and a million epochs a client that was away for a day is shown 30 usually. What would have more
comes in two steps: first how the log continues, then, with the next heartbeat, the name's leaf."""
SHOWN_ROOM_BYTES: Final = SHOWN_HASHES_MAX * HASH_BYTES
"""The hashes, and signatures of other nodes to the head where hashes leave room for them."""
CONTINUING_HASHES_MAX: Final = 64
"""Hashes that show how a log continues: 63 at most in one of 2^32 entries."""


class LogAsked(Wire, frozen=True):
    """What a client wants to be shown: how the log continues that of `known` entries (0: it knows none); and, where
    `other` is not 0, that the log of `other` entries is a beginning of that one; else its own name's leaf, with the
    proof of the label if `label` is 1."""

    known: U32
    other: U32
    label: Annotated[int, msgspec.Meta(ge=0, le=1)]


class LabelShown(Wire, frozen=True):
    """That a label is the client's own name's, and the head of its chain before the newest event."""

    vrf: Key
    vrf_proof: Annotated[bytes, msgspec.Meta(min_length=VRF_PROOF_BYTES, max_length=VRF_PROOF_BYTES)]
    before: Hash


class OwnLeaf(Wire, frozen=True):
    """The client's own name in the newest epoch: what the entry says beside the map's root, and the name's leaf."""

    made_at: U32
    names: Number
    events: Number
    head: Hash
    depths: Annotated[bytes, msgspec.Meta(max_length=DEPTHS_MAX)]
    label: LabelShown | None


class LogShown(Wire, frozen=True):
    """The log's newest head, and how it continues what the client knows.

    `hashes` are, in this order: if the log has grown, the roots of `spans(known, size - 1)` and the hash of the newest
    entry; those beside the way to the leaf, the map's root's first; and of the earlier log that was asked about, the
    roots of its complete subtrees, the largest first, and those of `spans(other, known)`.
    """

    size: Number
    head_signature: Signature
    leaf: OwnLeaf | None
    hashes: Annotated[bytes, msgspec.Meta(max_length=SHOWN_HASHES_MAX * HASH_BYTES)]
    cosignatures: Cosignatures = b""

    def __post_init__(self) -> None:
        if len(self.hashes) + len(self.cosignatures) > SHOWN_ROOM_BYTES:
            raise ValueError("no answer has room for the hashes and the signatures of others")


class KnownLog(Wire, frozen=True):
    """The log as a client has seen it: of `size` entries, `peaks` before the newest, whose hash is `newest`."""

    size: Number
    peaks: bytes
    newest: Hash
    head_signature: Signature

    @property
    def frontier(self) -> Frontier:
        """The tree."""
        return Frontier(self.size - 1, hashes_in(self.peaks)).with_leaf(self.newest)

    @property
    def head(self) -> SignedHead:
        """The newest head."""
        return SignedHead(self.size, self.frontier.root(), self.head_signature)


def continued(
    node: bytes, known: KnownLog | None, size: int, head_signature: bytes, hashes: Sequence[bytes]
) -> KnownLog:
    """The log of `size` entries, which these hashes show to continue the one that is known, and whose head the node has
    signed. Raises `DirectoryInvalid` if that does not hold."""
    before = Frontier() if known is None else known.frontier
    if size < before.size:
        raise DirectoryInvalid("the node shows an older log than before")
    if known is not None and size == known.size:
        if head_signature != known.head_signature or hashes:
            raise DirectoryInvalid("the node shows another log of the same size")
        return known
    former = before.through(size - 1, hashes[:-1])
    log = KnownLog(size, b"".join(former.peaks), b"".join(hashes[-1:]), head_signature)
    if not hashes or not log.head.is_signed(node):
        raise DirectoryInvalid("the node does not show how its log continues")
    return log


@dataclass(frozen=True, slots=True)
class LogSeen:
    """What a client has taken from what it was shown."""

    log: KnownLog
    siblings: bytes
    """The hashes beside the way to the own leaf."""
    earlier: Frontier | None
    """The log of so many entries as was asked about, as a beginning of the one known before."""
    earlier_hashes: bytes
    """What shows that."""


def continuing_hashes(known: int, size: int) -> int:
    """How many hashes show that a log of `size` entries continues one of `known`."""
    return sum(1 for _ in spans(known, size - 1)) + 1 if size > known else 0


def earlier_hashes(other: int, known: int) -> int:
    """How many hashes show that the log of `other` entries is a beginning of one of `known`."""
    return other.bit_count() + sum(1 for _ in spans(other, known))


def take_shown(node: bytes, known: KnownLog | None, asked: LogAsked, shown: LogShown) -> LogSeen:
    """What the node has shown to a client that knows this of the log. Raises `DirectoryInvalid` if it does not hold."""
    hashes = hashes_in(shown.hashes)
    before = Frontier() if known is None else known.frontier
    if len(shown.hashes) % HASH_BYTES:
        raise DirectoryInvalid("what shows that the log continues is malformed")
    new = continuing_hashes(before.size, shown.size)
    log = continued(node, known, shown.size, shown.head_signature, hashes[:new])
    way = new + (0 if shown.leaf is None else len(shown.leaf.depths))
    if len(hashes) < way:
        raise DirectoryInvalid("the way to the own leaf is malformed")
    rest = hashes[way:]
    earlier = None
    if rest:
        if not 0 < asked.other <= before.size:
            raise DirectoryInvalid("the node shows what was not asked for")
        earlier = beginning(asked.other, before.size, before.root(), rest)
    return LogSeen(log, b"".join(hashes[new:way]), earlier, b"".join(rest))


class OwnPlace(Wire, frozen=True):
    """The client's own name in the directory, as it was seen last, with its proof. `identity` is the hash of the record
    that had made the identity of then."""

    identity: Hash
    chain: ChainEnd
    events: Number
    head: Hash
    proof: MapProof

    @property
    def leaf(self) -> tuple[int, bytes]:
        """The state of the name's chain."""
        return self.events, self.head


def own_place(
    node: bytes, name: str, identity: bytes, seen: LogSeen, leaf: OwnLeaf, before: OwnPlace | None
) -> OwnPlace | None:
    """The name's place as the leaf shows it; None if the leaf is not that of this identity yet.

    A place that is known already may come out with another chain. Raises `DirectoryInvalid` if the leaf is not in the
    newest epoch, or not shown to be the name's.
    """
    if leaf.label is not None:
        vrf, vrf_proof = leaf.label.vrf, leaf.label.vrf_proof
    elif before is not None:
        vrf, vrf_proof = before.proof.vrf, before.proof.vrf_proof
    else:
        raise DirectoryInvalid("the leaf is not shown to be the name's")
    proof = MapProof(
        vrf_proof, vrf, seen.log.size, leaf.made_at, leaf.names, seen.log.head_signature, leaf.depths,
        seen.siblings + seen.log.peaks,
    )  # fmt: skip
    label = proved_label(vrf, node, name, vrf_proof)
    head_above(node, label, MapLeaf(label, leaf.events, leaf.head), proof)
    if before is not None:
        return OwnPlace(before.identity, before.chain, leaf.events, leaf.head, proof)
    assert leaf.label is not None, "else it was refused above"
    ends = (ChainEnd(leaf.events, leaf.label.before, event) for event in ALIVE)
    chain = next((end for end in ends if end.head(identity) == leaf.head), None)
    return None if chain is None else OwnPlace(identity, chain, leaf.events, leaf.head, proof)
