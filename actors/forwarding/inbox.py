"""How a client receives: verify, open, commit, then acknowledge and show. The incoming half of the forwarding actor.

docs/protocol.md, "Receiving". A message is shown once, whatever way it came and however often; it is acknowledged only
when it is on disk. An unknown sender's key is confirmed by our own lookup before anything is opened. What is done with
an arrival is decided by `arrival.decide`, and carried out in one place, `Inbox._carry_out`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, assert_never

from usernym.actors.events import ContactChanged, HandshakeChanged, MessageArrived
from usernym.actors.forwarding.acknowledgements import Acknowledgements
from usernym.actors.forwarding.arrival import (
    ArrivalFate,
    ArrivalOutcome,
    Check,
    Facts,
    OpenedSeal,
    SenderLookup,
    decide,
)
from usernym.actors.forwarding.arrival_lookups import ArrivalLookups
from usernym.actors.forwarding.files import FileTransfers
from usernym.actors.forwarding.host import Host
from usernym.actors.forwarding.outbox import Outbox
from usernym.actors.messages import (
    HANDSHAKE_KINDS,
    FoundRecord,
    HandshakeArrived,
    PayloadKind,
)
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.directory.checkpoints import HeadTold
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.names import check
from usernym.protocol.records import KeyRecord, verify_record
from usernym.protocol.sealing import Envelope, MessageKey
from usernym.protocol.wire import pack
from usernym.storage.client.types import Consent, Contact, HandshakeState, HandshakeStep, Route, Trust

HELD_MAX: Final = 64
"""Messages held while their senders are looked up, 67 kB each at most. What does not fit is delivered again."""
STEPS_MAX: Final = 1_000
"""Steps of a handshake that wait for the user to look at an identity: they are handled as they come otherwise."""
STRANGERS_MESSAGES_MAX: Final = 20
STRANGERS_BYTES_MAX: Final = 256_000
"""What is kept of one sender whom the user has not accepted. Enough to decide by; no more, so that no one fills the
disk of a user who did not ask for it. One message may exceed the second."""
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
    lookup: SenderLookup = SenderLookup.NONE
    """Whether the sender was looked up because of this message, and what came of it."""


@dataclass(slots=True)
class _Findings:
    """What the checks of one arrival have found, besides the facts."""

    arrival: Arrival
    contact: Contact | None
    error: RemoteProtocolError | None = None
    """What was wrong with it, by the last check."""
    envelope: Envelope | None = None
    payload: p.Payload | None = None

    @property
    def sender(self) -> Contact:
        """The contact who sent it, where it is known to be one."""
        assert self.contact is not None, "decide lets only a contact's message get so far"
        return self.contact


class Inbox:
    """Owned by the forwarding actor, and used in its thread only."""

    def __init__(self, host: Host, outbox: Outbox, files: FileTransfers, lookups: ArrivalLookups) -> None:
        self._host = host
        self._context = host.context
        self._store = host.context.store
        self._user = host.context.user
        self._outbox = outbox
        self._files = files
        self._lookups = lookups
        self._held: dict[str, list[Arrival]] = {}
        self._keys: dict[int, MessageKey] = {}
        self._left: dict[str, dict[bytes, Arrival]] = {}
        self.said = Acknowledgements(host)

    # -- arrivals --

    def on_deliver(self, told: m.Deliver) -> None:
        """Judge what the node delivers."""
        seal = told.key_number, told.sealed, told.inner_signature, told.first_key
        self._judge(Arrival(told.sender, told.message_id, *seal, Route.NODE))

    def on_direct(self, direct: m.Direct) -> None:
        """Judge what came straight to our address."""
        seal = direct.key_number, direct.sealed, direct.inner_signature, None
        self._judge(Arrival(direct.sender, direct.message_id, *seal, Route.DIRECT))

    def on_resolved(self, name: str, found: FoundRecord | None) -> None:
        """Judge what was held for the lookup: the sender's record is the newest. `found` is a stranger's."""
        for arrival in self._held.pop(name, ()):
            self._judge(replace(arrival, lookup=SenderLookup.RESOLVED), found)

    def on_resolve_failed(self, name: str, code: Code | None) -> None:
        """Judge what was held for the lookup, if this is its end; else drop it: the node delivers it again."""
        held, end = self._held.pop(name, ()), SenderLookup.failed(code)
        if end is not None:
            for arrival in held:
                self._judge(replace(arrival, lookup=end))

    def on_requests_decided(self) -> None:
        """Judge what was left at the node, where the user has decided about its sender."""
        for name in list(self._left):
            contact = self._store.contacts.get(name)
            if contact is None or contact.consent is not Consent.PENDING:
                for arrival in self._left.pop(name).values():
                    self._judge(arrival)

    def on_identity_looked_at(self, name: str) -> None:
        """Let the handshake take what the contact's new identity has said meanwhile."""
        for step in self._store.messages.steps_to_take(HANDSHAKE_KINDS, STEPS_MAX, name):
            self._host.handshake.tell(HandshakeArrived(name, step.message_id))

    def _judge(self, arrival: Arrival, stranger: FoundRecord | None = None) -> None:
        """Find out what `decide` needs to know about an arrival, and carry its outcome out.

        `stranger`: what was found of a sender who is no contact, and becomes one only if this arrival proves itself
        theirs.
        """
        contact = self._store.contacts.get(arrival.sender)
        if contact is None and stranger is not None:
            consent = Consent.ACCEPTED if self._context.accept_strangers else Consent.PENDING
            contact = Contact.found(
                arrival.sender, stranger.record, consent, stranger.log_size, lacks_witnesses=stranger.lacks_witnesses
            )
        found = _Findings(arrival, contact)
        facts = self._known(found)
        while isinstance(decision := decide(facts), Check):
            match decision:
                case Check.SIGNATURE:
                    facts = replace(facts, signed=self._is_signed(found))
                case Check.SEAL:
                    facts = replace(facts, seal=self._opened(found))
        self._carry_out(decision, found)

    def _known(self, found: _Findings) -> Facts:
        arrival, contact = found.arrival, found.contact
        try:
            check(arrival.sender)
        except RemoteProtocolError as error:
            found.error = error
        return Facts(
            arrival.route,
            valid_name=found.error is None,
            own_name=arrival.sender == self._user.name,
            consent=None if contact is None else contact.consent,
            direct_route=contact is not None and _may_come_directly(contact),
            seen=contact is not None and self._store.messages.was_seen(contact.name, arrival.message_id),
            lookup=arrival.lookup,
            room_to_hold=sum(map(len, self._held.values())) < HELD_MAX and self._lookups.may_ask(arrival.sender),
            share_full=contact is not None and self._has_full_share(contact),
        )

    def _has_full_share(self, contact: Contact) -> bool:
        """Whether a sender whom the user has not accepted has written as much as is kept of such a sender."""
        if contact.consent not in (Consent.PENDING, Consent.DECLINED):
            return False
        count, size = self._store.messages.kept_of(contact.name, unshown=contact.consent is Consent.DECLINED)
        return count >= STRANGERS_MESSAGES_MAX or size >= STRANGERS_BYTES_MAX

    def _is_signed(self, found: _Findings) -> bool:
        """Whether the contact signed it: to our identity, or to a former one, if the sender did not know the change."""
        arrival, contact = found.arrival, found.sender
        if arrival.first_key not in (None, contact.identity_key):
            found.error = RemoteProtocolError(Code.SIGNATURE_INVALID, "another key than the one known")
            return False
        envelope = self._user.envelope_from(contact.name, contact.identity_key, arrival.key_number, arrival.message_id)
        for key in (self._user.key.public, *self._store.profile.former_identities()):
            addressed = replace(envelope, recipient_key=key)
            try:
                addressed.verify(arrival.sealed, arrival.inner_signature)
            except RemoteProtocolError as error:
                found.error = found.error or error
            else:
                found.error, found.envelope = None, addressed
                return True
        return False

    def _opened(self, found: _Findings) -> OpenedSeal:
        """Open the seal with the key that it names. A failure is noted in `found`."""
        arrival, envelope = found.arrival, found.envelope
        assert envelope is not None, "decide asks for the seal of a signed message only"
        key = self._message_key(arrival.key_number)
        try:
            if key is None:
                raise RemoteProtocolError(Code.UNOPENABLE, "no key of that number")
            plaintext = key.open(arrival.sealed, envelope)
        except RemoteProtocolError as error:
            found.error = error
            return OpenedSeal.LOST_KEY if self._is_for_lost_key(arrival) else OpenedSeal.CLOSED
        try:
            found.payload = p.unpad_payload(plaintext)
        except RemoteProtocolError as error:
            found.error = error
            return OpenedSeal.NO_PAYLOAD
        match found.payload:
            case p.DirectReceipt():
                return OpenedSeal.RECEIPTS
            case p.FileWanted() | p.FileChunk() | p.FileEnded() as said:
                return OpenedSeal.FILE_WORD if self._files.expects(found.sender.name, said) else OpenedSeal.NO_FILE
            case _:
                return OpenedSeal.PAYLOAD

    def _is_for_lost_key(self, arrival: Arrival) -> bool:
        """Whether it is sealed to a key that was lost with an earlier home, before this one was made from the words.

        In any other home a key is destroyed when all mail to it has expired, or after 44 days; and nodes refuse new
        mail to this one a week after the new one is there, so that strangers can leave no more than that.
        """
        keys = self._store.keys.all()
        return arrival.route is Route.NODE and bool(keys) and arrival.key_number < keys[0].number

    # -- outcomes --

    def _carry_out(self, outcome: ArrivalOutcome, found: _Findings) -> None:
        """The one place by which arrivals leave: what the outcome says is done, and counted."""
        arrival = found.arrival
        self._host.counts[f"arrival_{outcome.name.lower()}"] += 1
        match outcome:
            case ArrivalOutcome.KEPT:
                self._keep(found)
            case ArrivalOutcome.REPEATED:
                token = self._store.messages.incoming_token(arrival.sender, arrival.message_id)
                self._acknowledge(found.sender, arrival, token)
            case ArrivalOutcome.RECEIPTS_READ:
                self._read_receipts(found)
            case ArrivalOutcome.FILE_WORD_READ:
                self._read_file_word(found)
            case ArrivalOutcome.FILE_UNWANTED:
                self._refuse_file_word(found)
            case ArrivalOutcome.SENDER_BLOCKED | ArrivalOutcome.STRANGERS_SHARE_FULL:
                self._remember(found)
            case (
                ArrivalOutcome.SENDER_NAME_OURS
                | ArrivalOutcome.SENDER_UNKNOWN
                | ArrivalOutcome.SENDER_UNCONFIRMED
                | ArrivalOutcome.RECEIPTS_MISPLACED
                | ArrivalOutcome.NOT_SIGNED
                | ArrivalOutcome.MALFORMED
                | ArrivalOutcome.UNOPENABLE
            ):
                self._discard(arrival)
            case ArrivalOutcome.CALLED_UNOPENABLE:
                assert found.envelope is not None, "only a signed message is opened"
                if arrival.route is Route.NODE:
                    self.said.say_unopenable(arrival.sender, found.envelope)
            case ArrivalOutcome.NO_DIRECT_ROUTE:
                found.error = RemoteProtocolError(Code.UNEXPECTED, "a direct message without a direct route")
            case ArrivalOutcome.HELD_FOR_LOOKUP:
                self._held.setdefault(arrival.sender, []).append(arrival)
                self._lookups.ask(arrival.sender)
            case ArrivalOutcome.AWAITS_DECISION:
                self._leave_at_node(found)
            case ArrivalOutcome.SENDER_NAME_INVALID | ArrivalOutcome.NOT_HELD:
                pass
            case _:
                assert_never(outcome)
        if found.error is not None and outcome.fate is ArrivalFate.DISCARDED:
            # No proof against the node: it checks who hands a message in, not the signature inside.
            self._host.refuse(found.error)

    def _keep(self, found: _Findings) -> None:
        """Commit the payload, then report it to the user or the handshake."""
        arrival, contact, payload = found.arrival, found.sender, found.payload
        assert isinstance(payload, p.Text | p.Handshake | p.FileOffer), "nothing else is kept"
        self._note_sender(contact, arrival, payload)
        kind, body = self._kind_and_body(payload, contact.name)
        with self._store.transaction():
            self._make_contact(contact)
            is_new = self._store.messages.add_incoming(
                contact=contact.name,
                message_id=arrival.message_id,
                key_number=arrival.key_number,
                counter=payload.counter,
                kind=int(kind),
                body=body,
                token=payload.token,
                sent_at=payload.sent_at,
                now=self._context.runtime.unix_s(),
                route=arrival.route,
            )
            if is_new and isinstance(payload, p.FileOffer):
                self._files.take_offer(contact.name, arrival.message_id, payload)
            if isinstance(payload, p.Text) and payload.head is not None and contact.consent is Consent.ACCEPTED:
                self._note_head(contact.name, payload.head)
            missing = self._store.gaps.missing_below(contact.name, payload.counter)
        if contact.begins_again_with(payload.counter):
            # The keys that we know, and the direct route, are the lost home's.
            if self._lookups.may_ask(contact.name):  # a contact can name any number of homes
                self._lookups.ask(contact.name)
                self._outbox.wait_for_lookup(contact.name)
            if contact.handshake is not HandshakeState.NONE:
                self._context.on_event(HandshakeChanged(contact.name, HandshakeState.NONE))
        self._acknowledge(contact, arrival, payload.token)
        if not is_new or contact.consent is Consent.DECLINED:
            return
        if isinstance(payload, p.Text):
            self._context.on_event(MessageArrived(
                arrival.message_id, contact.name, payload.text, payload.sent_at, payload.counter, missing,
                arrival.route, contact.consent is Consent.PENDING,
            ))  # fmt: skip
        elif isinstance(payload, p.FileOffer):
            self._files.offered(contact.name, arrival.message_id)
        else:
            self._host.handshake.tell(HandshakeArrived(contact.name, arrival.message_id))

    def _note_head(self, name: str, head: HeadTold) -> None:
        """Let a head that a contact was shown be compared with what this client knows, unless that is the same one."""
        signed, known = head.signed(), self._store.seen_log.known()
        if signed is not None and not signed.is_signed(self._user.node):
            self._host.counts["heads_not_signed"] += 1
        elif known is None or known.size != head.size or known.head.root != head.root:
            self._store.seen_log.note(name, head)

    def _read_file_word(self, found: _Findings) -> None:
        """Commit what someone says about a file, then acknowledge and report it."""
        arrival, contact, said = found.arrival, found.sender, found.payload
        assert isinstance(said, p.FileWanted | p.FileChunk | p.FileEnded), "the seal held a word about a file"
        self._note_sender(contact, arrival, said)
        with self._store.transaction():
            is_new = self._store.messages.mark_seen(contact.name, arrival.message_id, arrival.key_number, said.token)
            files = self._files.take(contact, said) if is_new else []
        self._acknowledge(contact, arrival, said.token)
        self._files.taken(files)

    def _refuse_file_word(self, found: _Findings) -> None:
        said = found.payload
        assert isinstance(said, p.FileWanted | p.FileChunk | p.FileEnded), "the seal held a word about a file"
        self._remember(found)
        self._files.refuse(found.sender, said)

    def _make_contact(self, sender: Contact) -> None:
        """Store a stranger who has proved that they have written; a contact is there already."""
        self._store.contacts.add(
            sender.name, sender.identity_key, sender.record, Trust.CONFIRMED, sender.consent,
            asked_at=self._context.runtime.unix_s(), log_size=sender.log_size, lacks_witnesses=sender.lacks_witnesses,
        )  # fmt: skip

    def _read_receipts(self, found: _Findings) -> None:
        payload = found.payload
        assert isinstance(payload, p.DirectReceipt), "the seal held receipts"
        self._note_sender(found.sender, found.arrival, payload)
        receipts = tuple((received.message_id, received.token) for received in payload.received)
        self._outbox.on_receipts(receipts, found.sender.name)

    def _remember(self, found: _Findings) -> None:
        """Remember the id, and keep nothing of the message: its sender must not fill the disk."""
        arrival, contact, payload = found.arrival, found.sender, found.payload
        with self._store.transaction():
            self._store.messages.mark_seen(contact.name, arrival.message_id, arrival.key_number)
            if isinstance(payload, p.FileChunk):
                self._files.lose(contact, payload)
        self._acknowledge(contact, arrival, None)

    def _note_sender(self, contact: Contact, arrival: Arrival, payload: p.Payload) -> None:
        """The direct way works, if it came by that; only there may a sender pass on a newer record."""
        if arrival.route is Route.DIRECT:
            self._host.counts["direct_received"] += 1
            self._outbox.heard_directly(contact)
            if payload.record is not None and contact.consent is Consent.ACCEPTED:
                self._note_sent_record(contact, payload.record)

    def _kind_and_body(self, payload: p.Text | p.Handshake | p.FileOffer, sender: str) -> tuple[PayloadKind, bytes]:
        """How a payload is stored."""
        match payload:
            case p.Text(text=text):
                return PayloadKind.TEXT, text.encode()
            case p.FileOffer(name=name):
                return PayloadKind.FILE_OFFER, name.encode()
            case p.HandshakeOffer(address=address):
                return PayloadKind.HANDSHAKE_OFFER, HandshakeStep.body(address, self._seen(payload, sender))
            case p.HandshakeAccept(address=address):
                return PayloadKind.HANDSHAKE_ACCEPT, HandshakeStep.body(address, self._seen(payload, sender))
            case p.HandshakeRevoke():
                return PayloadKind.HANDSHAKE_REVOKE, HandshakeStep.body(b"", self._seen(payload, sender))

    def _seen(self, step: p.Handshake, sender: str) -> int:
        """What its writer has seen of ours. Who claims to have seen all that is to come could not be revoked."""
        return min(step.seen, self._store.contacts.last_out_counter(sender))

    def _note_sent_record(self, contact: Contact, record: KeyRecord) -> None:
        """Keep a record that its owner sent, for seals on the direct way. It never stands in for a looked-up one: its
        owner may sign any number, and what the node says is not compared with it."""
        try:
            verify_record(self._user.node, contact.name, record)
        except RemoteProtocolError as error:
            self._host.refuse(error)
            return
        newest = contact.record_for(Route.DIRECT)
        if record.identity_key == contact.identity_key and record.hpke_number > newest.hpke_number:
            self._store.contacts.set_direct_record(contact.name, pack(record))

    def _leave_at_node(self, found: _Findings) -> None:
        """Neither take nor refuse it until the user has decided: a stranger must not learn that the user is here, and
        what waits for an earlier contact must not be lost. The node delivers it again in any case."""
        arrival, contact = found.arrival, found.sender
        self._make_contact(contact)
        if contact.name not in self._left:
            self._left[contact.name] = {}
            if contact.consent is Consent.PENDING:
                self._context.on_event(ContactChanged(contact.name, Consent.PENDING))
        if sum(map(len, self._left.values())) < HELD_MAX:
            self._left[contact.name][arrival.message_id] = arrival

    # -- acknowledging --

    def _discard(self, arrival: Arrival) -> None:
        """Make the node forget a message that can never be taken; its sender learns nothing from that."""
        if arrival.route is Route.NODE:
            self.said.plan(arrival.route, arrival.sender, arrival.message_id, None)

    def _acknowledge(self, contact: Contact, arrival: Arrival, token: bytes | None) -> None:
        """Plan the acknowledgement, by the way the message came; only accepted contacts get their token back."""
        shown = token if contact.consent is Consent.ACCEPTED else None
        self.said.plan(arrival.route, contact.name, arrival.message_id, shown)

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
        """Drop expanded keys, so that none outlives its destruction in the store for long."""
        self._keys.clear()


def _may_come_directly(contact: Contact) -> bool:
    """Direct messages count from those whom we gave our address, until either side ended it."""
    return contact.handshake in (HandshakeState.ACTIVE, HandshakeState.OFFERED) and contact.consent is Consent.ACCEPTED
