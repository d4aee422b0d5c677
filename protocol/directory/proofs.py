"""What a node shows of its directory with the answer to a lookup, and whether that holds.

docs/directory.md, "Lookups with proof". Pure: the node signs the answer as a whole, and the log's head by itself.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from usernym.protocol.directory.checkpoints import LogHead
from usernym.protocol.directory.epochs import EpochEntry
from usernym.protocol.directory.events import DirectoryEvent, commitment, next_head, proved_label
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.log_tree import entry_hash, hashes_in, root_with
from usernym.protocol.directory.name_map import MapLeaf, bit, root_above
from usernym.protocol.directory.vrf import VRF_PROOF_BYTES
from usernym.protocol.limits import HASH_BYTES
from usernym.protocol.records import KeyRecord, RecordStub, record_hash
from usernym.protocol.signing import text_is_signed
from usernym.protocol.wire import U32, Hash, Key, Number, Signature, Wire

DEPTHS_MAX: Final = 30
"""Nodes on the way to a label: the longest way of a million labels has about 25, that of ten million 29."""
HASHES_MAX: Final = 40
"""Hashes in a proof: with a million names and a million epochs 20 of the map and 10 of the log are usual, and few
proofs have more than 34. What would have more than 40 is not proved until the log has grown."""
PROOF_ROOM_BYTES: Final = HASHES_MAX * HASH_BYTES + 48
"""What an answer of two packets has for a proof's hashes and for signatures of others to its head. Three of them, of 76
bytes each, have room beside 34 hashes."""
ALIVE: Final = (DirectoryEvent.REGISTERED, DirectoryEvent.SUCCEEDED, DirectoryEvent.RETURNED)
"""The newest event of a name that someone has."""


class MapProof(Wire, frozen=True):
    """The newest epoch, the log's head that has it, and the way down the map to where a name's label is or would be.

    `hashes` are those beside the way, the root's first, and then the roots of the log's complete subtrees before the
    newest entry, the largest first.
    """

    vrf_proof: Annotated[bytes, msgspec.Meta(min_length=VRF_PROOF_BYTES, max_length=VRF_PROOF_BYTES)]
    vrf: Key
    size: Number
    made_at: U32
    names: Number
    head_signature: Signature
    depths: Annotated[bytes, msgspec.Meta(max_length=DEPTHS_MAX)]
    hashes: Annotated[bytes, msgspec.Meta(max_length=HASHES_MAX * HASH_BYTES)]


def check_room(proof: MapProof, cosignatures: bytes) -> None:
    """Raise ValueError for a proof, and signatures of others to its head, that no answer has room for."""
    if len(proof.hashes) + len(cosignatures) > PROOF_ROOM_BYTES:
        raise ValueError("no answer has room for the proof and the signatures of others")


class Origin(Wire, frozen=True):
    """What the record that made an identity has otherwise than the identity's newest one."""

    number: Number
    hpke_hash: Hash
    hpke_number: Number
    made_on: U32
    previous: Hash


class ChainEnd(Wire, frozen=True):
    """The end of a name's chain: how many events it has, its head before the newest one, and what that one is (1 to
    4)."""

    events: Number
    before: Hash
    event: Annotated[int, msgspec.Meta(ge=1, le=4)]

    def head(self, identity: bytes) -> bytes:
        """The chain's head, if the newest event is about this identity."""
        return next_head(self.before, self.events, commitment(DirectoryEvent(self.event), identity))


class OtherLeaf(Wire, frozen=True):
    """The leaf of another label, at which the way to a name's ends: so that one is not in the map."""

    label: Hash
    events: Number
    head: Hash


class DeletedEnd(Wire, frozen=True):
    """The end of the chain of a name that was deleted. `identity` is the hash of the record that had made it."""

    chain: ChainEnd
    identity: Hash


def identity_of(node: bytes, name: str, record: KeyRecord, origin: Origin | None) -> bytes:
    """The hash of the record that made the identity of `record`: of this one, or of the one that `origin` is about.

    The keys are those of `record` in any case: another record's hash comes out only for the same identity.
    """
    stub = record.stub()
    if origin is not None:
        stub = RecordStub(
            origin.number, stub.recoveries, stub.identity_key, stub.recovery_key, origin.hpke_hash, origin.hpke_number,
            origin.made_on, origin.previous, b"",
        )  # fmt: skip
    return record_hash(node, name, stub)


def origin_of(record: KeyRecord, made_by: RecordStub) -> Origin | None:
    """What an answer must say of the record that made the identity; None if `record` is that one."""
    if record.stub() == made_by:
        return None
    return Origin(made_by.number, made_by.hpke_hash, made_by.hpke_number, made_by.made_on, made_by.previous)


def verify_present(node: bytes, name: str, identity: bytes, chain: ChainEnd, proof: MapProof) -> LogHead:
    """The head of the log in whose newest map the name has this identity. Raises `DirectoryInvalid` if it does not."""
    if chain.event not in ALIVE:
        raise DirectoryInvalid("the name was deleted")
    return _verify_own(node, name, identity, chain, proof)


def verify_absent(node: bytes, name: str, end: OtherLeaf | DeletedEnd, proof: MapProof) -> LogHead:
    """The head of the log in whose newest map no one has the name. Raises `DirectoryInvalid` if that is not so."""
    if isinstance(end, DeletedEnd):
        if end.chain.event != DirectoryEvent.DELETED:
            raise DirectoryInvalid("the name was not deleted")
        return _verify_own(node, name, end.identity, end.chain, proof)
    label = proved_label(proof.vrf, node, name, proof.vrf_proof)
    if end.label == label or any(bit(end.label, depth) != bit(label, depth) for depth in proof.depths):
        raise DirectoryInvalid("the leaf that was shown is not where the label would be")
    return head_above(node, label, MapLeaf(end.label, end.events, end.head), proof)


def _verify_own(node: bytes, name: str, identity: bytes, chain: ChainEnd, proof: MapProof) -> LogHead:
    label = proved_label(proof.vrf, node, name, proof.vrf_proof)
    return head_above(node, label, MapLeaf(label, chain.events, chain.head(identity)), proof)


def head_above(node: bytes, label: bytes, leaf: MapLeaf, proof: MapProof) -> LogHead:
    """The signed head of the log whose newest entry has the map in which the way to `label` ends at this leaf."""
    depths = proof.depths
    hashes = hashes_in(proof.hashes)
    peaks = hashes[len(depths) :]
    if len(hashes) < len(depths) or len(proof.hashes) % HASH_BYTES or list(depths) != sorted(set(depths)):
        raise DirectoryInvalid("the proof is malformed")
    map_root = root_above(label, leaf.hash(), depths, hashes[: len(depths)])
    entry = EpochEntry(node, proof.vrf, proof.size - 1, proof.made_at, proof.names, map_root)
    root = root_with(proof.size, peaks, entry_hash(entry.encoded()))
    if root is None:
        raise DirectoryInvalid("the proof is malformed")
    head = LogHead(node, proof.size, root)
    if not text_is_signed(node, proof.head_signature, head.text()):
        raise DirectoryInvalid("what the node shows is not in the directory that the node has signed")
    return head
