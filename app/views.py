"""What the client shows of its store: values for people and programs, with the words of the interface."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from usernym.actors.events import DeliveryState, HandshakeState, Route
from usernym.protocol.errors import Code

Trust = Literal["confirmed by the node", "verified", "changed"]
"""*Confirmed by the node*: our own lookup returned the key. *Verified*: a person compared safety numbers."""


@dataclass(frozen=True, slots=True)
class ContactView:
    """A contact."""

    name: str
    trust: Trust
    state: Literal["accepted", "pending", "declined", "blocked"]
    handshake: HandshakeState
    direct_only: bool
    direct_silent: bool
    identity_key: str
    """64 hexadecimal digits."""
    safety_number: str
    """Sixty digits in twelve groups: the same on both sides, unless somebody swapped keys."""


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message of a conversation, ours or theirs."""

    row: int = field(repr=False)
    """Its place in the store: for `Client.mark_read`."""
    message_id: str
    outgoing: bool
    text: str = field(repr=False)
    counter: int
    sent_at: int
    state: DeliveryState | None
    """None for a message that came."""
    reason: Code | None
    route: Route


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that we sent, and how far it has got."""

    message_id: str
    """32 hexadecimal digits."""
    state: DeliveryState
    reason: Code | None
    route: Route


@dataclass(frozen=True, slots=True)
class Whoami:
    """Who this home belongs to."""

    name: str
    node: str
    """The node's identity, 64 hexadecimal digits."""
    identity_key: str
    mixnet: str
    registered: bool
    protected: bool
    """Whether a passphrase protects the home."""
