"""What the client's store returns: frozen rows, and the words for states, which the user sees too."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Final

from usernym.protocol.payloads import counters_of_home
from usernym.protocol.records import KeyRecord, Succession, decode_record
from usernym.protocol.wire import pack
from usernym.storage.words import StoredWord

SEEN_BYTES: Final = 8
ERASED: Final = 0
"""The kind of an incoming message whose content was erased. Its place stays, so that no gap shows, and so does the
token, in case its sender needs another acknowledgement."""


class Trust(StoredWord):
    """What vouches for a contact's identity key."""

    CONFIRMED = "confirmed by the node", 1
    """Our own lookup returned the key."""
    VERIFIED = "verified", 2
    """The user compared safety numbers, or took a friend's link."""
    CHANGED = "changed", 3
    """The key has changed since, and the user has not looked at the new one."""


class InDirectory(StrEnum):
    """Whether the node has shown that a contact's identity is in its public directory, where its owner and everyone can
    see it."""

    SHOWN = "in the public directory"
    NOT_WITNESSED = "in the public directory, but not signed by your witnesses"
    """Too few of the witnesses that the user has named have signed the head of the log that shows it."""
    PROMISED = "not in the public directory yet"
    """The node has promised that it will be, and the client is going to check that."""
    NOT_SHOWN = "not in the public directory"


class Consent(StoredWord):
    """Whether the user wants to hear from a contact."""

    ACCEPTED = "accepted", 1
    PENDING = "pending", 2
    DECLINED = "declined", 3
    BLOCKED = "blocked", 4


class HandshakeState(StoredWord):
    """How far the handshake with a contact has come."""

    NONE = "none", 0
    OFFERED = "offered", 1
    OFFER_RECEIVED = "offer received", 2
    ACTIVE = "active", 3
    ENDED_BY_ME = "ended by me", 4
    ENDED_BY_PEER = "ended by peer", 5


class Route(StoredWord):
    """The way a message took: through the node, or directly."""

    NODE = "node", 1
    DIRECT = "direct", 2


class DeliveryState(StoredWord):
    """How far a message has come. An incoming message is `DELIVERED`."""

    WAITING = "waiting", 1
    ACCEPTED = "accepted", 2
    DELIVERED = "delivered", 3
    EXPIRED = "expired", 4
    REFUSED = "refused", 5
    CANCELLED = "cancelled", 6

    @property
    def rank(self) -> int:
        """A state is only ever followed by one of a higher rank; a proof of delivery has the highest."""
        match self:
            case DeliveryState.WAITING:
                return 0
            case DeliveryState.ACCEPTED:
                return 1
            case DeliveryState.DELIVERED:
                return 3
            case _:
                return 2

    @property
    def is_final(self) -> bool:
        """Whether nothing is left to be sent."""
        return self not in (DeliveryState.WAITING, DeliveryState.ACCEPTED)


class FileState(StoredWord):
    """How far a file has come. After the first two nothing changes any more."""

    OFFERED = "offered", 1
    """It waits for its recipient to want it."""
    UNDER_WAY = "under way", 2
    COMPLETE = "complete", 3
    """All of it is at its recipient, and is what the offer said."""
    CANCELLED = "cancelled", 4
    """By the user here."""
    ENDED = "ended by the other side", 5
    DAMAGED = "damaged", 6
    """All of it came, and it is not what the offer said: nothing of it is kept."""
    FAILED = "failed", 7
    """The node refused a part of it, or took one and there was no word for a month that it arrived."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more is sent or received."""
        return self not in (FileState.OFFERED, FileState.UNDER_WAY)


class IdentityState(StoredWord):
    """How far the user's registration has come."""

    CREATING = "creating", 1
    REGISTERED = "registered", 2
    DELETED = "deleted", 3


class Fallback(StoredWord):
    """What happens to messages while a contact does not answer on the direct route."""

    NODE = "node", 1
    DIRECT_ONLY = "direct only", 2


class Direction(StoredWord):
    """Who wrote a message: the user (out) or the contact (in)."""

    OUT = "out", 1
    IN = "in", 2


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the user is: `seed` is the identity's secret (32 bytes), `link` its link of the chain.

    `restored_at`: when a home without an identity got this one, or the one before it, by recovery words (Unix seconds);
    0 if the identity was made here.
    """

    name: str = field(repr=False)
    seed: bytes = field(repr=False)
    recovery_key: bytes = field(repr=False)
    link: bytes = field(repr=False)
    record: bytes = field(repr=False)
    record_number: int
    state: IdentityState
    created_at: int
    restored_at: int = 0


@dataclass(frozen=True, slots=True)
class PendingRecord:
    """A record of the user's that the node does not have yet; with a succession if it changes the identity.

    `before_login`: the node must have it before a login, so that no message comes for keys that are lost.
    """

    record: KeyRecord = field(repr=False)
    succession: Succession | None = field(repr=False, default=None)
    before_login: bool = False


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

    `record`: the one that our own lookup found. `direct_record`: one that the contact sent directly, or None.
    `heard_home`: from which counter the newest home counts that wrote with this identity; 0 as long as none did.
    `has_met`: the contact's client has shown that it knows the user's key (a message came, or one was delivered).
    `told_record_number`: the newest of the user's own records that was sent to the contact directly; 0 for none.
    `peer_address`: where the contact can be reached directly, 96 bytes. `direct_silent_since`: since when the direct
    route has not answered (Unix seconds). `disappears_after`: the seconds after which texts are erased here, or None.
    `log_size`: of how many epochs the node's public directory was that showed the identity; None if nothing did yet.
    `lacks_witnesses`: whether no head that showed it had the signatures that the user wants.
    """

    name: str = field(repr=False)
    identity_key: bytes = field(repr=False)
    record: bytes = field(repr=False)
    direct_record: bytes | None = field(repr=False)
    trust: Trust
    consent: Consent
    next_out_counter: int
    highest_in_counter: int
    heard_home: int
    has_met: bool
    told_record_number: int
    handshake: HandshakeState
    peer_address: bytes | None = field(repr=False)
    fallback: Fallback
    direct_silent_since: int | None
    disappears_after: int | None
    log_size: int | None
    lacks_witnesses: bool

    @property
    def directory(self) -> InDirectory:
        """What was shown; a promise is not in it."""
        if self.log_size is None:
            return InDirectory.NOT_SHOWN
        return InDirectory.NOT_WITNESSED if self.lacks_witnesses else InDirectory.SHOWN

    @classmethod
    def found(
        cls, name: str, record: KeyRecord, consent: Consent, log_size: int | None, *, lacks_witnesses: bool
    ) -> Contact:
        """Someone whose record was looked up just now, as a contact would begin."""
        return cls(
            name,
            record.identity_key,
            pack(record),
            direct_record=None,
            trust=Trust.CONFIRMED,
            consent=consent,
            next_out_counter=1,
            highest_in_counter=0,
            heard_home=0,
            has_met=False,
            told_record_number=0,
            handshake=HandshakeState.NONE,
            peer_address=None,
            fallback=Fallback.NODE,
            direct_silent_since=None,
            disappears_after=None,
            log_size=log_size,
            lacks_witnesses=lacks_witnesses,
        )

    def begins_again_with(self, counter: int) -> bool:
        """Whether this counter is the first of a newer home: the one that we know is lost, with what it knew."""
        return self.highest_in_counter > 0 and self.heard_home < counters_of_home(counter)

    def record_for(self, way: Route) -> KeyRecord:
        """The record to seal by. Directly, a newer key counts that the pinned identity sent there."""
        found = decode_record(self.record)
        if way is Route.NODE or self.direct_record is None:
            return found
        sent = decode_record(self.direct_record)
        is_newer = sent.identity_key == self.identity_key and sent.hpke_number > found.hpke_number
        return sent if is_newer else found


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a conversation.

    `counter` is its writer's in this conversation, `sent_at` the writer's clock, `stored_at` ours. `key_number` is the
    key that an incoming message was sealed to, or an outgoing one the last time. `token` proves delivery. `late`: it
    stands behind one of the same writer with a higher counter. Messages are in the order of `place`, then `counter`.
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
    state: DeliveryState
    reason: int | None
    route: Route
    token: bytes | None = field(repr=False)
    key_number: int | None
    shown: bool
    late: bool
    place: int


@dataclass(frozen=True, slots=True)
class HandshakeStep:
    """One handshake message of a conversation, with its counter there. `address` is empty in a revocation.

    `seen` is the highest counter of the other side's handshake messages that its writer had taken.
    """

    counter: int
    seen: int
    address: bytes = field(repr=False)

    @classmethod
    def from_body(cls, counter: int, body: bytes) -> HandshakeStep:
        """A stored message's step."""
        cut = len(body) - SEEN_BYTES
        return cls(counter, int.from_bytes(body[cut:], "big"), body[:cut])

    @staticmethod
    def body(address: bytes, seen: int) -> bytes:
        """How a step is stored, as its message's body."""
        return address + seen.to_bytes(SEEN_BYTES, "big")


class RecoveryWords(Enum):
    """What is known of the recovery words of the identity that was made in a store. They are never in it."""

    SHOWN = "shown"
    """The program that asked for them has them, or they were typed in here."""
    NOT_SHOWN = "not shown"
    """No one has seen them, and the identity was not used: another one can be made, with words that are shown."""
    LOST = "lost"
    """No one has seen them, and the name may be registered with the identity."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that the user sends (out) or is sent (in). `message_id` is its offer's, `row` that of the offer.

    `name` is as the sender wrote it. `next` is the number of the first chunk that was never handed to the outbox,
    `done` how many chunks are at the recipient; `moved_at` when that last changed (Unix seconds).
    """

    id: int
    contact: str = field(repr=False)
    direction: Direction
    message_id: bytes = field(repr=False)
    name: str = field(repr=False)
    size: int
    kind: int
    digest: bytes = field(repr=False)
    state: FileState
    next: int
    done: int
    created_at: int
    moved_at: int


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
