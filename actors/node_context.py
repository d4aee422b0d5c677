"""What all actors of a node share: runtime, store, clock, marks and key."""

from __future__ import annotations

from dataclasses import dataclass, field

from usernym.actors.base import OnFailed
from usernym.actors.node_clock import NodeClock
from usernym.actors.runtime import Runtime
from usernym.protocol.signing import SigningKey
from usernym.storage.node.head_mark import HeadMark
from usernym.storage.node.store import NodeStore


@dataclass(frozen=True, slots=True)
class NodeContext:
    """The wiring passes it to each actor of a node."""

    runtime: Runtime
    on_failed: OnFailed
    store: NodeStore
    clock: NodeClock
    mark: HeadMark
    """Has the newest head of its log that it has given out."""
    witness_mark: HeadMark
    """Has the newest heads of other nodes' logs that it has signed."""
    key: SigningKey = field(repr=False)
    """The node's key. It signs all that the node sends; its public half is the node's name."""
