"""What all actors of a client share: runtime, store, where events go, and the user for whom they act."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from usernym.actors.base import OnFailed
from usernym.actors.events import EventSink, NodeCaught
from usernym.actors.runtime import Runtime
from usernym.protocol.directory.witnesses import NO_WITNESSES, WitnessPolicy
from usernym.protocol.evidence import Evidence
from usernym.protocol.limits import REQUEST_ID_BYTES, UINT32_MAX
from usernym.protocol.sealing import Envelope
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.storage.client.store import ClientStore

JITTER: Final = 0.25
"""The part of a pause between tries that is random."""


def as_date(unix_s: int) -> int:
    """The time, or the nearest one that a message can have: no clock makes a message that can't be sent or read."""
    return min(max(0, unix_s), UINT32_MAX)


@dataclass(frozen=True, slots=True)
class User:
    """The user: a name at a node, and its identity key."""

    name: str = field(repr=False)
    key: SigningKey = field(repr=False)
    node: bytes = field(repr=False)

    def envelope_to(self, contact: str, contact_key: bytes, key_number: int, message_id: bytes) -> Envelope:
        """What binds a message from the user to a contact."""
        return Envelope(self.node, self.name, contact, self.key.public, contact_key, key_number, message_id)

    def envelope_from(self, contact: str, contact_key: bytes, key_number: int, message_id: bytes) -> Envelope:
        """What binds a message from a contact to the user."""
        return Envelope(self.node, contact, self.name, contact_key, self.key.public, key_number, message_id)


@dataclass(frozen=True, slots=True)
class ClientContext:
    """What each actor of a client gets from the wiring."""

    runtime: Runtime
    on_failed: OnFailed
    on_event: EventSink
    store: ClientStore
    user: User
    accept_strangers: bool
    """Whether a stranger's first message makes a contact at once; else it waits for its owner's consent, and its sender
    learns no more than that the node accepted it."""
    witnesses: WitnessPolicy = NO_WITNESSES
    """Of whom the user wants signatures to the heads of the node's log; of no one if not said otherwise."""

    def dated(self, clock_offset_s: int) -> int:
        """Now by the node's clock, as far as it is known, as a date. After a jump of a clock it may be a wrong one,
        and the node's refusal brings the right one."""
        return as_date(self.runtime.unix_s() + clock_offset_s)

    def request_id(self) -> bytes:
        return self.runtime.random_bytes(REQUEST_ID_BYTES)

    def keep_evidence(self, evidence: Evidence) -> None:
        """Only what is proved accuses a node, and the proof is on disk before the user hears of it."""
        if self.store.evidence.add(pack(evidence), self.runtime.unix_s()):
            self.on_event(NodeCaught(evidence))

    def some(self, least: int, most: int) -> int:
        """A number from `least` to `most`, all as likely."""
        return least + int.from_bytes(self.runtime.random_bytes(4), "big") * (most - least + 1) // 2**32

    def with_jitter(self, pause_s: float) -> float:
        """A pause of which up to a quarter is taken off at random: who failed together shall not come back together."""
        return pause_s * (1 - JITTER * self.runtime.random_bytes(1)[0] / 255)
