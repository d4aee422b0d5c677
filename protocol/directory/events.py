"""What the directory says of a name: its label, and the chain of what happened to the name's identity.

A chain never has message keys: they change every week, and the identities sign them. docs/directory.md, "Names".
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from usernym.protocol.directory.vrf import VrfKey
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
    return key.output(labelled(Context.LABEL, node, prefixed(name)))[:HASH_BYTES]


def commitment(event: DirectoryEvent, identity: bytes) -> bytes:
    """The 32 bytes that stand for an event. `identity` is the hash of the record that made the identity it is about
    (`record_hash`): who knows that record can check the event, and others learn nothing from the bytes."""
    return digest(Context.EVENT, bytes((event,)), identity)


def next_head(head: bytes, number: int, event: bytes) -> bytes:
    """The head of a chain after its event `number` (1 is the first), given the head before it and its commitment."""
    return digest(Context.CHAIN, head, number.to_bytes(4, "big"), event)
