"""What the directory says of a name: its label, and the chain of what happened to the name's identity.

A chain never has message keys: they change every week, and the identities sign them. docs/directory.md, "Names".
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from usernym.protocol.directory.vrf import VrfKey, proved_output
from usernym.protocol.limits import HASH_BYTES
from usernym.protocol.signing import Context, digest, labelled, prefixed

NO_EVENTS: Final = bytes(HASH_BYTES)
"""The head of a chain to which nothing has happened."""


class DirectoryEvent(IntEnum):
    """What happened to a name."""

    REGISTERED = 1
    SUCCEEDED = 2
    """Another identity follows. A deleted name is in use again by it."""
    DELETED = 3
    RETURNED = 4
    """Its owner took the deleted name back."""


def label_of(key: VrfKey, node: bytes, name: str) -> bytes:
    """The 32 bytes under which the directory has a name at this node: the first half of the function's output."""
    return key.output(_label_input(node, name))[:HASH_BYTES]


def prove_label(key: VrfKey, node: bytes, name: str) -> tuple[bytes, bytes]:
    """The label of a name, and the 80 bytes that prove it to others."""
    output, proof = key.prove(_label_input(node, name))
    return output[:HASH_BYTES], proof


def proved_label(public: bytes, node: bytes, name: str, proof: bytes) -> bytes:
    """The label of a name, as the proof shows by the public key of the node's labels. Raises `DirectoryInvalid`."""
    return proved_output(public, _label_input(node, name), proof)[:HASH_BYTES]


def _label_input(node: bytes, name: str) -> bytes:
    return labelled(Context.LABEL, node, prefixed(name))


def commitment(event: DirectoryEvent, identity: bytes) -> bytes:
    """The 32 bytes that stand for an event. `identity` is the hash of the record that made the identity it is about
    (`record_hash`): who knows that record can check the event, and others learn nothing from the bytes."""
    return digest(Context.EVENT, bytes((event,)), identity)


def next_head(head: bytes, number: int, event: bytes) -> bytes:
    """The head of a chain after its event `number` (1 is the first), given the head before it and its commitment."""
    return digest(Context.CHAIN, head, number.to_bytes(4, "big"), event)
