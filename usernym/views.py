"""What the client shows of its store: values for people and programs, with the words of the interface."""

from __future__ import annotations

from dataclasses import dataclass, field

from usernym.protocol.errors import Code
from usernym.protocol.safety import safety_number
from usernym.storage.client.gaps import MissingCounters
from usernym.storage.client.types import (
    Consent,
    Contact,
    DeliveryState,
    Direction,
    Fallback,
    HandshakeState,
    Message,
    Route,
    Trust,
)


@dataclass(frozen=True, slots=True)
class ContactView:
    """A contact."""

    name: str
    trust: Trust
    state: Consent
    handshake: HandshakeState
    direct_only: bool
    direct_silent: bool
    identity_key: str
    """64 hexadecimal digits."""
    safety_number: str
    """Sixty digits in twelve groups: the same on both sides, unless somebody swapped keys."""
    disappears_after: int | None
    """Seconds after which texts are erased in this home; None: they stay. The contact's copies are the contact's."""


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message of a conversation, ours or theirs."""

    row: int = field(repr=False)
    """Its place in the store: for `Client.mark_read`."""
    message_id: str
    outgoing: bool
    text: str = field(repr=False)
    counter: int
    missing: int
    """How many of the sender's messages before this one have not come (yet); 0 for our own."""
    late: bool
    """Whether it came after one that its sender wrote later; False for our own."""
    sent_at: int
    """When it was written, by its writer's clock (Unix seconds)."""
    arrived_at: int
    """When it was stored here, by this machine's clock (Unix seconds)."""
    state: DeliveryState | None
    """None for a message that came."""
    reason: Code | None
    route: Route


@dataclass(frozen=True, slots=True)
class RequestView:
    """Somebody who wrote, and whom the user has not accepted (yet)."""

    contact: ContactView
    texts: int
    """How many texts of theirs are here."""
    first: MessageView | None
    """The first of them; None if they sent an offer of a handshake only."""


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
    deleted: bool = False
    """Whether the account was deleted: the texts are here, and nobody is reached."""


def contact_view(contact: Contact, node: bytes, me: tuple[str, bytes]) -> ContactView:
    """A stored contact as it is shown to `me`, a name with its identity key."""
    return ContactView(
        contact.name,
        contact.trust,
        contact.consent,
        contact.handshake,
        contact.fallback is Fallback.DIRECT_ONLY,
        contact.direct_silent_since is not None,
        contact.identity_key.hex(),
        safety_number(node, me, (contact.name, contact.identity_key)),
        contact.disappears_after,
    )


def message_view(message: Message, gaps: MissingCounters) -> MessageView:
    """A stored message; `gaps` is what has not come from its contact."""
    outgoing = message.direction is Direction.OUT
    return MessageView(
        message.id,
        message.message_id.hex(),
        outgoing,
        message.body.decode(),
        message.counter,
        0 if outgoing else gaps.below(message.counter),
        message.late,
        message.sent_at,
        message.stored_at,
        message.state if outgoing else None,
        None if message.reason is None else Code(message.reason),
        message.route,
    )
