"""How a client receives: verify, open, commit, then acknowledge and show. The incoming half of the forwarding actor.

docs/protocol.md, "Receiving". A message is shown once, whatever way it came and however often; it is acknowledged only
when it is on disk. An unknown sender's key is confirmed by our own lookup before anything is opened.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import Final

from usernym.actors.base import Tellable
from usernym.actors.context import ClientContext
from usernym.actors.events import ContactChanged, MessageArrived
from usernym.actors.forwarding.outbox import Outbox
from usernym.actors.handshake.rules import body_of
from usernym.actors.messages import (
    AcknowledgeNow,
    HandshakeArrived,
    PayloadKind,
    Resolve,
    Resolved,
    ResolveFailed,
    SendDirect,
    SendStatement,
)
from usernym.actors.registration.keys import former_identities
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import ACKNOWLEDGED_MAX, ID_BYTES, RECEIPTS_MAX, TOKEN_BYTES
from usernym.protocol.names import check
from usernym.protocol.records import KeyRecord, decode_record, is_update, verify_record
from usernym.protocol.sealing import Envelope, MessageKey, seal
from usernym.protocol.wire import pack
from usernym.storage.client.types import Consent, Contact, HandshakeState, Route

HELD_MAX: Final = 64
"""Messages held while their senders are looked up, 67 kB each at most. What does not fit is delivered again."""
ACKNOWLEDGE_AFTER_S: Final = 0.2
"""Acknowledgements are gathered this long: messages that come together are acknowledged together."""
KEYS_CACHED: Final = 8
"""Message keys kept expanded; a user has about six at a time."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A sealed message as it came, by either way."""

    sender: str = field(repr=False)
    message_id: bytes = field(repr=False)
    key_number: int
    sealed: bytes = field(repr=False)
    inner_signature: bytes = field(repr=False)
    first_key: bytes | None = field(repr=False)
    route: Route
    looked_up: bool = False
    """Whether the sender's record was looked up because of this message."""


class Inbox:
    """Owned by the forwarding actor, and used in its thread only."""

    def __init__(
        self,
        context: ClientContext,
        outbox: Outbox,
        *,
        io: Tellable[SendStatement | SendDirect],
        lookup: Tellable[Resolve],
        handshake: Tellable[HandshakeArrived],
        forwarding: Tellable[Resolved | ResolveFailed | AcknowledgeNow],
    ) -> None:
        self._context = context
        self._store = context.store
        self._user = context.user
        self._outbox = outbox
        self._io = io
        self._lookup = lookup
        self._handshake = handshake
        self._forwarding = forwarding
        self._held: dict[str, list[Arrival]] = {}
        self._keys: dict[int, MessageKey] = {}
        self._acknowledged: dict[tuple[str, bytes], bytes | None] = {}
        self._received_directly: dict[str, dict[bytes, bytes]] = {}
        self._left: dict[str, dict[bytes, Arrival]] = {}
        self._due = False
        self.login_id: bytes | None = None

    # -- arrivals --

    def on_arrival(self, arrival: Arrival) -> None:
        """Take a sealed message through all checks. Raises `RemoteProtocolError` for what is not acceptable."""
        check(arrival.sender)
        contact = self._store.contacts.get(arrival.sender)
        if arrival.route is Route.DIRECT and (contact is None or not _may_come_directly(contact)):
            raise RemoteProtocolError(Code.UNEXPECTED, "a direct message of somebody who has no direct route")
        if contact is None:
            self._look_up_first(arrival)
            return
        if self._store.messages.was_seen(contact.name, arrival.message_id):
            self._acknowledge(contact, arrival, self._store.messages.incoming_token(contact.name, arrival.message_id))
            return
        try:
            if arrival.first_key not in (None, contact.identity_key):
                raise RemoteProtocolError(Code.SIGNATURE_INVALID, "another key than the one known")
            envelope = self._verified(contact, arrival)
        except RemoteProtocolError:
            if not arrival.looked_up and arrival.route is Route.NODE:
                self._look_up_first(arrival)
                return
            self._discard(arrival)
            raise
        self._open(contact, arrival, envelope)

    def _verified(self, contact: Contact, arrival: Arrival) -> Envelope:
        """The envelope that the sender signed: to our identity, or to a former one, if the sender did not know."""
        envelope = self._user.envelope_from(contact.name, contact.identity_key, arrival.key_number, arrival.message_id)
        try:
            envelope.verify(arrival.sealed, arrival.inner_signature)
        except RemoteProtocolError:
            for key in former_identities(self._store):
                former = replace(envelope, recipient_key=key)
                with contextlib.suppress(RemoteProtocolError):
                    former.verify(arrival.sealed, arrival.inner_signature)
                    return former
            raise
        return envelope

    def _open(self, contact: Contact, arrival: Arrival, envelope: Envelope) -> None:
        key = self._message_key(arrival.key_number)
        try:
            if key is None:
                raise RemoteProtocolError(Code.UNOPENABLE, "no key of that number")
            plaintext = key.open(arrival.sealed, envelope)
        except RemoteProtocolError:
            if contact.consent is Consent.ACCEPTED:
                # As whom we are now: the sender looks us up if it does not know that identity.
                self._say_unopenable(arrival, replace(envelope, recipient_key=self._user.key.public))
            elif contact.consent is not Consent.BLOCKED and self._is_of_before(arrival):
                self._leave_at_node(contact, arrival)
            else:
                self._discard(arrival)
            raise
        try:
            payload = p.unpad_payload(plaintext)
        except RemoteProtocolError:
            self._discard(arrival)
            raise
        self._take(contact, arrival, payload)

    def _is_of_before(self, arrival: Arrival) -> bool:
        """Whether it is sealed to a key of before this home was made from the recovery words.

        In any other home a key is destroyed only when all mail to it has expired; and nodes refuse new mail to this one
        a week after the new one is there, so that strangers can leave no more than that.
        """
        keys = self._store.keys.all()
        return arrival.route is Route.NODE and bool(keys) and arrival.key_number < keys[0].number

    def _leave_at_node(self, contact: Contact, arrival: Arrival) -> None:
        """Neither take nor refuse it, until the user has decided: a stranger must not learn that somebody is here, and
        what waits for somebody who was no stranger before must not be lost. The node tells it again in any case."""
        if contact.name not in self._left:
            self._left[contact.name] = {}
            if contact.consent is Consent.PENDING:
                self._context.on_event(ContactChanged(contact.name, Consent.PENDING))
        if sum(map(len, self._left.values())) < HELD_MAX:
            self._left[contact.name][arrival.message_id] = arrival

    def take_decided(self) -> list[Arrival]:
        """What was left at the node for somebody who is accepted now, or blocked: it can be judged. To decline is no
        last word."""
        decided: list[Arrival] = []
        for name in list(self._left):
            contact = self._store.contacts.get(name)
            if contact is None or contact.consent in (Consent.ACCEPTED, Consent.BLOCKED):
                decided += self._left.pop(name).values()
        return decided

    def _take(self, contact: Contact, arrival: Arrival, payload: p.Payload) -> None:
        """Commit the payload, then tell everybody whom it concerns."""
        if arrival.route is Route.DIRECT:
            self._outbox.heard_directly(contact)
        if payload.record is not None:
            self._take_record(contact, payload.record)
        if isinstance(payload, p.DirectReceipt):
            receipts = tuple((received.message_id, received.token) for received in payload.received)
            self._outbox.on_receipts(receipts, contact.name)
            return
        kind, body = _kind_and_body(payload)
        now = self._context.runtime.unix_s()
        if contact.consent is Consent.BLOCKED:
            # Nothing of it is kept: whoever is blocked must not fill the disk.
            self._store.messages.mark_seen(contact.name, arrival.message_id, arrival.key_number, now)
            self._acknowledge(contact, arrival, None)
            return
        with self._store.transaction():
            is_new = self._store.messages.add_incoming(
                contact=contact.name,
                message_id=arrival.message_id,
                key_number=arrival.key_number,
                counter=payload.counter,
                kind=int(kind),
                body=body,
                token=payload.token,
                sent_at=payload.sent_at,
                now=now,
                route=arrival.route,
            )
            missing = self._store.gaps.missing_below(contact.name, payload.counter)
        self._acknowledge(contact, arrival, payload.token)
        if not is_new or contact.consent is Consent.DECLINED:
            return
        if isinstance(payload, p.Text):
            self._context.on_event(
                MessageArrived(
                    arrival.message_id,
                    contact.name,
                    payload.text,
                    payload.sent_at,
                    payload.counter,
                    missing,
                    arrival.route,
                    contact.consent is Consent.PENDING,
                )
            )
        else:
            self._handshake.tell(HandshakeArrived(contact.name, arrival.message_id))

    def _take_record(self, contact: Contact, record: KeyRecord) -> None:
        """A newer record that came with a direct message: as good as from the node, since its owner signed it."""
        try:
            verify_record(self._user.node, contact.name, record)
            newer = is_update(decode_record(contact.record), record)
        except RemoteProtocolError:
            return
        if newer:
            self._store.contacts.update_record(
                contact.name, record.identity_key, pack(record), self._context.runtime.unix_s()
            )

    # -- unknown senders, and known ones whose signature does not hold --

    def _look_up_first(self, arrival: Arrival) -> None:
        held = sum(len(arrivals) for arrivals in self._held.values())
        if held >= HELD_MAX:
            return
        self._held.setdefault(arrival.sender, []).append(arrival)
        self._lookup.tell(Resolve(arrival.sender, self._forwarding, stranger=True))

    def on_resolved(self, name: str) -> list[Arrival]:
        """The sender's record is the newest: these can be judged now."""
        return [replace(held, looked_up=True) for held in self._held.pop(name, ())]

    def on_resolve_failed(self, name: str, code: Code | None) -> None:
        """No such user: what nobody can have signed is discarded. Else it will be delivered again, and judged then."""
        for arrival in self._held.pop(name, ()):
            if code is Code.NO_SUCH_USER:
                self._discard(arrival)

    # -- acknowledging --

    def _discard(self, arrival: Arrival) -> None:
        """Make the node forget a message that can never be taken; its sender learns nothing from that."""
        if arrival.route is Route.NODE:
            self._acknowledged[arrival.sender, arrival.message_id] = None
            self._plan()

    def _acknowledge(self, contact: Contact, arrival: Arrival, token: bytes | None) -> None:
        """Plan the acknowledgement, by the way the message came; only accepted contacts get their token back."""
        if arrival.route is Route.NODE:
            shown = token if contact.consent is Consent.ACCEPTED else None
            self._acknowledged[contact.name, arrival.message_id] = shown
        elif token is not None and contact.consent is Consent.ACCEPTED:
            self._received_directly.setdefault(contact.name, {})[arrival.message_id] = token
        self._plan()

    def _plan(self) -> None:
        if not self._due:
            self._due = True
            self._context.runtime.call_later(ACKNOWLEDGE_AFTER_S, lambda: self._forwarding.tell(AcknowledgeNow()))

    def acknowledge_now(self) -> None:
        """Send what was planned. What finds no route is delivered again, and acknowledged then."""
        self._due = False
        items = [m.Acknowledged(sender, id_, token) for (sender, id_), token in self._acknowledged.items()]
        self._acknowledged = {}
        if self.login_id is not None:
            for at in range(0, len(items), ACKNOWLEDGED_MAX):
                part = tuple(items[at : at + ACKNOWLEDGED_MAX])
                self._io.tell(SendStatement(m.Acknowledge(0, self._user.name, self.login_id, part, ())))
        received, self._received_directly = self._received_directly, {}
        for name, tokens in received.items():
            self._send_receipt(name, tokens)

    def _send_receipt(self, name: str, tokens: dict[bytes, bytes]) -> None:
        contact = self._store.contacts.get(name)
        if contact is None or contact.peer_address is None:
            return
        pairs = [p.Received(message_id, token) for message_id, token in tokens.items()]
        theirs = decode_record(contact.record)
        runtime = self._context.runtime
        for at in range(0, len(pairs), RECEIPTS_MAX):
            message_id, token = runtime.random_bytes(ID_BYTES), runtime.random_bytes(TOKEN_BYTES)
            receipt = p.DirectReceipt(0, runtime.unix_s(), token, None, tuple(pairs[at : at + RECEIPTS_MAX]))
            envelope = self._user.envelope_to(name, contact.identity_key, theirs.hpke_number, message_id)
            sealed = seal(theirs.hpke_key, p.pad_payload(receipt, first_contact=False), envelope)
            signature = envelope.sign(self._user.key, sealed)
            direct = m.Direct(self._user.name, message_id, theirs.hpke_number, sealed, signature)
            self._io.tell(SendDirect(contact.peer_address, direct))

    def _say_unopenable(self, arrival: Arrival, envelope: Envelope) -> None:
        if arrival.route is Route.NODE and self.login_id is not None:
            statement = envelope.sign_unopenable(self._user.key)
            self._io.tell(
                SendStatement(
                    m.Unopenable(0, self._user.name, self.login_id, arrival.sender, arrival.message_id, statement)
                )
            )

    def _message_key(self, number: int) -> MessageKey | None:
        if number not in self._keys:
            stored = self._store.keys.get(number)
            if stored is None:
                return None
            if len(self._keys) >= KEYS_CACHED:
                self._keys.clear()
            self._keys[number] = MessageKey.from_seed(stored.seed)
        return self._keys[number]

    def forget_keys(self) -> None:
        """Drop expanded keys: some may have been destroyed in the store."""
        self._keys.clear()


def _may_come_directly(contact: Contact) -> bool:
    """Direct messages count from those whom we gave our address, until either side ended it."""
    return contact.handshake in (HandshakeState.ACTIVE, HandshakeState.OFFERED) and contact.consent is Consent.ACCEPTED


def _kind_and_body(payload: p.Text | p.Handshake) -> tuple[PayloadKind, bytes]:
    match payload:
        case p.Text(text=text):
            return PayloadKind.TEXT, text.encode()
        case p.HandshakeOffer(address=address, seen=seen):
            return PayloadKind.HANDSHAKE_OFFER, body_of(address, seen)
        case p.HandshakeAccept(address=address, seen=seen):
            return PayloadKind.HANDSHAKE_ACCEPT, body_of(address, seen)
        case p.HandshakeRevoke(seen=seen):
            return PayloadKind.HANDSHAKE_REVOKE, body_of(b"", seen)
