"""What a client's graph tells its user: events, in the order in which they became true on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from usernym.protocol.errors import Code
from usernym.storage.client.types import Consent, DeliveryState, HandshakeState, Route


@dataclass(frozen=True, slots=True)
class MessageArrived:
    """A text came. `missing` counts the messages of this sender, before this one, that have not come (yet)."""

    message_id: bytes = field(repr=False)
    sender: str = field(repr=False)
    text: str = field(repr=False)
    sent_at: int
    counter: int
    missing: int
    route: Route
    is_request: bool
    """From a person whom the user has not accepted as a contact yet."""


@dataclass(frozen=True, slots=True)
class DeliveryChanged:
    """A message of ours got further, or failed."""

    message_id: bytes = field(repr=False)
    recipient: str = field(repr=False)
    state: DeliveryState
    reason: Code | None
    """Why it was refused, or still waits; None otherwise."""
    route: Route
    is_text: bool = True
    """False for a message that is no text of the user's: a step of a handshake."""


@dataclass(frozen=True, slots=True)
class TextsErased:
    """Texts with this contact are gone from here: their time was over, or the user erased them."""

    name: str = field(repr=False)
    count: int


@dataclass(frozen=True, slots=True)
class HandshakeChanged:
    """A direct route was offered, opened or ended."""

    name: str = field(repr=False)
    state: HandshakeState


@dataclass(frozen=True, slots=True)
class DirectSilent:
    """The direct way to this contact went silent (or, with `silent` False, works again)."""

    name: str = field(repr=False)
    silent: bool
    falls_back: bool
    """Whether messages go through the node meanwhile; else they wait."""


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """The user accepted, declined or blocked a person. No one else learns of it."""

    name: str = field(repr=False)
    state: Consent


@dataclass(frozen=True, slots=True)
class IdentityChanged:
    """A contact's identity key changed, by a succession that holds. Safety numbers must be compared again."""

    name: str = field(repr=False)
    was_verified: bool


@dataclass(frozen=True, slots=True)
class NodeCaught:
    """The node, or an impostor, sent what can't be true. `what` is a fixed text, without names."""

    what: str


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """The route to the node opened, or was lost; `reason` can be shown."""

    online: bool
    reason: str


Event = (
    MessageArrived | DeliveryChanged | TextsErased | HandshakeChanged | DirectSilent | ContactChanged | IdentityChanged
    | NodeCaught | ConnectionChanged
)  # fmt: skip

EventSink = Callable[[Event], None]
"""Called from an actor's thread; it must not wait."""
