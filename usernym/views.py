"""What a client shows of its store, as values for people and programs."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Final

from usernym.actors.context import User
from usernym.actors.messages import PayloadKind
from usernym.actors.registration.keys import stalled_since
from usernym.actors.registration.witness_watch import UNWITNESSED_S
from usernym.mixnet.addresses import is_emulated
from usernym.protocol.cards import parse_card
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.evidence import Fault, decode_evidence, evidence_text
from usernym.protocol.records import decode_record
from usernym.protocol.safety import safety_number
from usernym.storage.client.gaps import MissingCounters
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import (
    Consent,
    Contact,
    DeliveryState,
    Direction,
    Fallback,
    HandshakeState,
    IdentityState,
    InDirectory,
    Message,
    Route,
    Trust,
)

ID_DIGITS: Final = 32
"""Of the id of a message or a file, as a program sees it: 16 bytes."""


@dataclass(frozen=True, slots=True)
class ContactView:
    """A contact, or a person who asked to be one."""

    name: str
    """In canonical form."""
    trust: Trust
    """What vouches for the identity key. While it is `changed`, nothing is sent to this contact."""
    directory: InDirectory
    """Whether the node has shown that the identity is in its public directory. It vouches for nothing by itself."""
    state: Consent
    """Whether the user wants to hear from this person."""
    handshake: HandshakeState
    """Where the two stand with a direct route."""
    direct_only: bool
    """Whether texts wait while the direct route does not respond, instead of going through the node."""
    direct_silent: bool
    """Whether the direct route does not respond at present."""
    identity_key: str
    """64 hexadecimal digits."""
    disappears_after: int | None
    """Seconds after which texts are erased in this home; None: never. The contact's copies are not touched."""
    _user: User = field(repr=False)

    @property
    def safety_number(self) -> str:
        """Sixty digits in twelve groups. They differ on the two sides if someone swapped a key.

        Computing it takes thousands of hashes, some milliseconds: only when one contact is looked at.
        """
        mine = (self._user.name, self._user.key.public)
        return safety_number(self._user.node, mine, (self.name, bytes.fromhex(self.identity_key)))


@dataclass(frozen=True, slots=True)
class MessageView:
    """A text of a conversation, ours or theirs."""

    row: int = field(repr=False)
    """Its number in the store: rises in the order in which texts were stored here. For `before` and `after`."""
    place: int = field(repr=False)
    """Where it stands: a conversation's texts are in the order of `place`, then `counter`, then `row`."""
    message_id: str
    """32 hexadecimal digits, chosen at random by its writer."""
    outgoing: bool
    """Whether it is ours."""
    text: str = field(repr=False)
    """1 to 65,536 bytes in UTF-8. Control characters in it are its writer's."""
    counter: int
    """Its number among all messages from its writer to its reader, from 1; steps of a handshake count too."""
    missing: int
    """How many messages of the same sender with a lower counter are not here (yet); 0 for our own."""
    late: bool
    """Whether it stands behind one that its sender wrote later: it came more than ten minutes after that was read."""
    sent_at: int
    """When it was written, by its writer's clock (Unix seconds)."""
    arrived_at: int
    """When it was stored here, by this machine's clock (Unix seconds)."""
    state: DeliveryState | None
    """How far a text of ours has got; None for one that came."""
    reason: Code | None
    """Why a text of ours was refused, or waits; None if there is nothing to say."""
    route: Route
    """The way it took, or took last."""
    read: bool
    """Whether a text that came was marked as read; True for our own."""


@dataclass(frozen=True, slots=True)
class RequestView:
    """A person who wrote, and whom the user has not accepted (yet)."""

    contact: ContactView
    """Who it is."""
    texts: int
    """How many of their texts are here."""
    first: MessageView | None
    """The first of these; None if they only offered a direct route."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A text that was sent, and how far it has got."""

    message_id: str
    """32 hexadecimal digits."""
    state: DeliveryState
    """`refused`, `expired` and `cancelled` mean that it was not delivered, as far as is known."""
    reason: Code | None
    """Why it was refused, or waits; None if there is nothing to say."""
    route: Route
    """The way it took, or took last."""


@dataclass(frozen=True, slots=True)
class WitnessesView:
    """The witnesses that a user has named, and what they have signed of what the node has shown since."""

    named: int
    """How many."""
    needed: int
    """How many of them must have signed a head of the directory's log."""
    signed: int | None
    """How many of them have signed the newest head that the node has shown; None: it has shown none."""
    met_at: int | None
    """When the node showed a head last that enough of them had signed (Unix seconds); None: never."""
    unmet_since: int | None
    """Since when it shows none, if for three hours with a login (Unix seconds)."""


@dataclass(frozen=True, slots=True)
class Whoami:
    """The account of a home."""

    name: str
    """In canonical form."""
    node: str
    """The node's identity key, 64 hexadecimal digits."""
    identity_key: str
    """64 hexadecimal digits."""
    mixnet: str
    """The mixnet client that the home remembers; empty if it was always given as a transport."""
    registered: bool
    """Whether the node has the account, as far as is known here."""
    protected: bool
    """Whether a passphrase protects the home."""
    recoveries: int
    """How often the recovery words have replaced the identity, as the identity's record says."""
    rotation_stalled_since: int | None
    """Since when a new message key waits to be published by the node (Unix seconds), if for two weeks or more."""
    deleted: bool = False
    """Whether the account was deleted: the texts are here, but nothing can be sent."""
    emulated: bool = False
    """Whether the node is on the emulator, which gives no anonymity."""
    in_directory: bool = False
    """Whether the node has shown that its public directory has this name, with this identity."""
    directory_doubted_since: int | None = None
    """Since when the node does not show that its directory continues the one that it showed before (Unix seconds)."""
    witnesses: WitnessesView | None = None
    """The witnesses that the user has named; None without any."""
    faults: tuple[str, ...] = ()
    """What the evidence in this home shows of the node, each once: names of `Fault`, in small letters."""


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """Something that the node signed, and an honest node never signs."""

    node: str
    """The node's identity key, 64 hexadecimal digits."""
    what: str
    """What it did, in words, without names."""
    found_at: int
    """When this home found it, by this machine's clock (Unix seconds)."""
    text: str = field(repr=False)
    """The proof, one line. It may hold the name of someone who wrote to the user, or whom they looked up; never a
    text."""


def account_view(store: ClientStore, user: User, now: int) -> Whoami:
    """The account of a home; `now` in Unix seconds."""
    identity, mixnet = store.profile.identity(), store.profile.setting("mixnet")
    return Whoami(
        identity.name,
        user.node.hex(),
        user.key.public.hex(),
        "" if mixnet is None else mixnet.decode(),
        identity.state is IdentityState.REGISTERED,
        store.protected,
        decode_record(identity.record).recoveries,
        stalled_since(store, now),
        identity.state is IdentityState.DELETED,
        is_emulated_card((store.profile.setting("node_card") or b"").decode()),
        store.seen_log.own() is not None,
        store.seen_log.doubted_at(),
        _witnesses_view(store),
        faults_in(each.packed for each in store.evidence.all()),
    )


def _witnesses_view(store: ClientStore) -> WitnessesView | None:
    (needed, named), seen = store.witnessed.wanted(), store.witnessed.seen()
    if not needed:
        return None
    if seen is None:
        return WitnessesView(named, needed, None, None, None)
    unmet_since = seen.since if seen.waited_s >= UNWITNESSED_S else None
    return WitnessesView(named, needed, seen.signers, seen.met_at, unmet_since)


def is_emulated_card(card: str) -> bool:
    """Whether a node's card names an address of the emulator. False if it is no card."""
    try:
        return any(is_emulated(address) for address in parse_card(card).addresses)
    except RemoteProtocolError:
        return False


def id_bytes(digits: str) -> bytes | None:
    """The bytes of a message's or a file's id; None for anything but 32 hexadecimal digits."""
    try:
        return bytes.fromhex(digits) if len(digits) == ID_DIGITS else None
    except ValueError:
        return None


def directions(outgoing: bool | None) -> tuple[Direction, ...]:
    """Where to look for a message by its id, in this order: ours (True), theirs (False), or both (None)."""
    if outgoing is None:
        return Direction.OUT, Direction.IN
    return (Direction.OUT,) if outgoing else (Direction.IN,)


def contact_view(contact: Contact, promised: Container[str], user: User) -> ContactView:
    """A stored contact as it is shown to the user. `promised`: the contacts of whom the node's promise is open."""
    is_promised = contact.directory is InDirectory.NOT_SHOWN and contact.name in promised
    return ContactView(
        contact.name,
        contact.trust,
        InDirectory.PROMISED if is_promised else contact.directory,
        contact.consent,
        contact.handshake,
        contact.fallback is Fallback.DIRECT_ONLY,
        contact.direct_silent_since is not None,
        contact.identity_key.hex(),
        contact.disappears_after,
        user,
    )


def message_view(message: Message, gaps: MissingCounters) -> MessageView:
    """A stored message; `gaps` is what has not come from its contact."""
    outgoing = message.direction is Direction.OUT
    return MessageView(
        message.id,
        message.place,
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
        outgoing or message.shown,
    )


def text_views(store: ClientStore, rows: Iterable[Message]) -> list[MessageView]:
    """The texts among stored messages."""
    return [view for _, view in named_views(store, rows)]


def named_views(store: ClientStore, rows: Iterable[Message]) -> list[tuple[str, MessageView]]:
    """The texts among stored messages, each with its contact's name."""
    texts = [row for row in rows if row.kind == PayloadKind.TEXT]
    gaps = {name: store.gaps.of(name) for name in {row.contact for row in texts}}
    return [(row.contact, message_view(row, gaps[row.contact])) for row in texts]


def evidence_view(packed: bytes, found_at: int) -> EvidenceView:
    """Stored evidence as it is shown to the user."""
    evidence = decode_evidence(packed)
    return EvidenceView(evidence.node.hex(), evidence.what, found_at, evidence_text(evidence))


def faults_in(kept: Iterable[bytes]) -> tuple[str, ...]:
    """What stored evidence shows, each once: the names of the faults in small letters."""
    return tuple(dict.fromkeys(Fault(decode_evidence(packed).fault).name.lower() for packed in kept))
