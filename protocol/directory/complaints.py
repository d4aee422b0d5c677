"""What heads and leaves that a node has signed prove to others. docs/protocol.md, "Evidence"."""

from __future__ import annotations

from typing import Annotated

import msgspec

from usernym.protocol.directory.checkpoints import SignedHead
from usernym.protocol.directory.events import proved_label
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.log_tree import beginning, hashes_in
from usernym.protocol.directory.name_map import MapLeaf
from usernym.protocol.directory.proofs import ALIVE, ChainEnd, MapProof, head_above
from usernym.protocol.directory.shown import OwnPlace
from usernym.protocol.limits import HASH_BYTES
from usernym.protocol.records import RecordStub, record_hash
from usernym.protocol.signing import Context, SigningKey, is_signed, prefixed
from usernym.protocol.wire import Hash, Name, Number, Signature, Wire, pack


class Fork(Wire, frozen=True):
    """Two heads of which neither's log continues the other's.

    `hashes` show what the log of the higher head was when it was as long as the lower one: the roots of its complete
    subtrees, and those of `spans(lower, higher)`. Two heads of one size need none.
    """

    lower: SignedHead
    higher: SignedHead
    hashes: Annotated[bytes, msgspec.Meta(max_length=128 * HASH_BYTES)]

    def proves(self, node: bytes) -> bool:
        """Whether this node has signed both, and they are of two histories."""
        lower, higher = self.lower, self.higher
        if not lower.is_signed(node) or not higher.is_signed(node) or len(self.hashes) % HASH_BYTES:
            return False
        if lower.size == higher.size:
            return lower.root != higher.root and not self.hashes
        try:
            shown = beginning(lower.size, higher.size, higher.root, hashes_in(self.hashes))
        except DirectoryInvalid:
            return False
        return shown.root() != lower.root


class LeafThen(Wire, frozen=True):
    """The state of a name's chain in an epoch."""

    events: Number
    head: Hash
    proof: MapProof


class NameChange(Wire, frozen=True):
    """A name's chain in two epochs. In the first it ends in the identity that `stub` has made; in the second it is
    another one. `statement` is that identity's signature: its holder did not order the change.

    What the node signed shows the change. That no one ordered it is the holder's word, which the node can only answer
    by showing the request that it got.
    """

    name: Name
    chain: ChainEnd
    stub: RecordStub
    before: MapProof
    after: LeafThen
    statement: Signature

    def proves(self, node: bytes) -> bool:
        """Whether the node has signed both epochs, and the holder of the first one's identity this statement."""
        identity = record_hash(node, self.name, self.stub)
        head = self.chain.head(identity)
        try:
            label = proved_label(self.before.vrf, node, self.name, self.before.vrf_proof)
            later = proved_label(self.after.proof.vrf, node, self.name, self.after.proof.vrf_proof)
            head_above(node, label, MapLeaf(label, self.chain.events, head), self.before)
            head_above(node, later, MapLeaf(later, self.after.events, self.after.head), self.after.proof)
        except DirectoryInvalid:
            return False
        return (
            label == later
            and self.chain.event in ALIVE
            and self.before.size <= self.after.proof.size
            and (self.chain.events, head) != (self.after.events, self.after.head)
            and is_signed(self.stub.identity_key, self.statement, Context.NOT_ORDERED, _stated(node, self))
        )


def complain(key: SigningKey, node: bytes, name: str, stub: RecordStub, was: OwnPlace, now: OwnPlace) -> NameChange:
    """The change of the name's place, with the statement of the key's holder. `stub` is of the record that has made the
    identity in the place `was`."""
    after = LeafThen(now.events, now.head, now.proof)
    change = NameChange(name, was.chain, stub, was.proof, after, bytes(64))
    return msgspec.structs.replace(change, statement=key.sign(Context.NOT_ORDERED, _stated(node, change)))


def _stated(node: bytes, change: NameChange) -> bytes:
    """What is signed: node, name, and the change with zeros as its signature."""
    return node + prefixed(change.name) + pack(msgspec.structs.replace(change, statement=bytes(64)))
