"""What the client's store gives back: frozen rows, and the numbers that stand in its columns.

The numbers are stored: one that was ever released keeps its meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum


class IdentityState(IntEnum):
    """How far the user's registration has come."""

    CREATING = 1
    REGISTERED = 2
    DELETED = 3


class Trust(IntEnum):
    """What speaks for a contact's identity key."""

    CONFIRMED = 1
    """The node's word, by the client's own lookup."""
    VERIFIED = 2
    """A safety number that was compared, or a friend's link."""
    CHANGED = 3
    """It has changed since, and nobody has looked at it yet."""


class ContactState(IntEnum):
    """Whether the user wants to hear from a contact."""

    ACCEPTED = 1
    PENDING = 2
    DECLINED = 3
    BLOCKED = 4


class Direct(IntEnum):
    """How far the handshake with a contact has come."""

    NONE = 0
    OFFERED = 1
    OFFER_RECEIVED = 2
    ACTIVE = 3
    ENDED_BY_ME = 4
    ENDED_BY_PEER = 5


class Fallback(IntEnum):
    """What happens when the direct way is silent."""

    NODE = 1
    DIRECT_ONLY = 2


class Direction(IntEnum):
    """Who wrote a message."""

    OUT = 1
    IN = 2


class StoredRoute(IntEnum):
    """The way a message took."""

    NODE = 1
    DIRECT = 2


class MessageState(IntEnum):
    """What became of a message."""

    WAITING = 1
    ACCEPTED = 2
    DELIVERED = 3
    EXPIRED = 4
    REFUSED = 5
    CANCELLED = 6
    RECEIVED = 7
    """The only state of an incoming message."""

    @property
    def rank(self) -> int:
        """States follow only in rising rank: a proof of delivery beats all, and nothing beats it."""
        return _RANKS[self]

    @property
    def is_final(self) -> bool:
        """Whether nothing is left to be sent."""
        return self.rank > _RANKS[MessageState.ACCEPTED]


_RANKS = {
    MessageState.WAITING: 0,
    MessageState.ACCEPTED: 1,
    MessageState.EXPIRED: 2,
    MessageState.REFUSED: 2,
    MessageState.CANCELLED: 2,
    MessageState.DELIVERED: 3,
    MessageState.RECEIVED: 4,
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the user is: `seed` is identity number `number`'s secret (32 bytes), `link` its link of the chain."""

    name: str = field(repr=False)
    seed: bytes = field(repr=False)
    number: int
    recovery_key: bytes = field(repr=False)
    link: bytes = field(repr=False)
    record: bytes = field(repr=False)
    record_number: int
    state: IdentityState
    created_at: int


@dataclass(frozen=True, slots=True)
class HpkeKey:
    """A private message key, by its secret seed. Confirmed: the node has its record. Superseded: a later one is."""

    number: int
    seed: bytes = field(repr=False)
    created_at: int
    confirmed_at: int | None
    superseded_at: int | None


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact.

    `has_met`: the contact's client has shown that it knows the user's key (a message came, or one was delivered).
    `told_record_number`: the newest of the user's own records that was sent to the contact directly; 0 for none.
    `peer_address`: where the contact can be reached directly, 96 bytes. `address_revealed_at`: when the user's own
    address was first sent to the contact. `disappears_after`: the seconds after which texts are erased here, or None.
    """

    name: str = field(repr=False)
    identity_key: bytes = field(repr=False)
    record: bytes = field(repr=False)
    links: bytes = field(repr=False)
    trust: Trust
    state: ContactState
    fetched_at: int
    next_out_counter: int
    highest_in_counter: int
    has_met: bool
    told_record_number: int
    direct: Direct
    peer_address: bytes | None = field(repr=False)
    address_revealed_at: int | None
    fallback: Fallback
    direct_silent_since: int | None
    disappears_after: int | None


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a conversation.

    `counter` is its writer's in this conversation, `sent_at` the writer's clock, `stored_at` ours. `key_number` is the
    key that an incoming message was sealed to, or an outgoing one the last time. `token` proves delivery. `late`: it
    came after one of the same writer with a higher counter.
    """

    id: int
    contact: str = field(repr=False)
    direction: Direction
    message_id: bytes = field(repr=False)
    counter: int
    kind: int
    body: bytes = field(repr=False)
    sent_at: int
    stored_at: int
    state: MessageState
    reason: int | None
    route: StoredRoute
    token: bytes | None = field(repr=False)
    key_number: int | None
    shown: bool
    late: bool


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message of ours whose fate is not known.

    `next_attempt_at` is None while the node has it and only word is awaited. `sealed` and `key_number` are None until
    it has been sealed. The plaintext is the message's body.
    """

    message_id: bytes = field(repr=False)
    contact: str = field(repr=False)
    key_number: int | None
    sealed: bytes | None = field(repr=False)
    attempts: int
    next_attempt_at: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class PendingAck:
    """An acknowledgement that the node has not got yet; `kind` is the caller's."""

    sender: str = field(repr=False)
    message_id: bytes = field(repr=False)
    token: bytes | None = field(repr=False)
    kind: int
    created_at: int


@dataclass(frozen=True, slots=True)
class RouteState:
    """The client's login at the node; `counters` says what the node told under it, encoded by the caller."""

    login_id: bytes = field(repr=False)
    previous_login_id: bytes | None = field(repr=False)
    boot_id: bytes = field(repr=False)
    counters: bytes = field(repr=False)
    updated_at: int
