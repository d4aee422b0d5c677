"""How a client sends: seal, sign, keep, try again. The outgoing half of the forwarding actor.

docs/protocol.md, "Forwarding", "Direct messages" and "Message states". What is sent is on disk before it leaves, and
stays until its fate is known. Each message goes one way at a time: through the node, or directly where the handshake is
active and not silent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Final

from usernym.actors.context import as_date
from usernym.actors.events import ContactChanged, DeliveryChanged, DirectSilent
from usernym.actors.forwarding.host import Host
from usernym.actors.messages import (
    FILE_KINDS,
    PASSING_KINDS,
    DirectRouteChanged,
    PayloadKind,
    RouteDoubted,
    SendDirect,
    SendRequest,
)
from usernym.actors.seals import may_seal, seal_to
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import DAY_S, ID_BYTES, MAILBOX_S, PACKETS_MAX, TOKEN_BYTES
from usernym.protocol.records import KeyRecord, decode_record
from usernym.storage.client.files import named_in
from usernym.storage.client.types import (
    Consent,
    Contact,
    DeliveryState,
    Direction,
    Fallback,
    HandshakeState,
    HandshakeStep,
    Message,
    OutboxRow,
    Route,
)

LOOKED_AT_MAX: Final = 10_000
"""Messages due that are looked at together; far above what a person writes while there is no route."""
IN_FLIGHT_MAX: Final = 16
"""Messages on their way to the node at once: each needs a SURB for its answer."""
CHUNKS_IN_FLIGHT_MAX: Final = 4
"""Chunks of files among them, and none while there are so many others: a text that is written meanwhile waits for 80
packets in the mixnet client, less than two seconds."""
RETRY_S: Final = (10, 30, 60, 300, 900)
"""Pauses before a message is sent again through the node; the last one repeats. Up to a quarter is taken off each."""
DIRECT_AGAIN_S: Final = 3600
"""A silent direct way is tried again after this long: if both sides went silent, neither would begin again."""
DIRECT_RETRY_S: Final = (5, 10, 30, 60, 300)
"""Pauses before a message is sent again directly; the last one repeats."""
CHUNK_RETRY_S: Final = (15, 30, 60, 300)
"""The same for a chunk of a file, which has to wait for the chunks before it, and consists of many packets: at 20 %
loss some packet of them needs four seconds. Sent again too soon, chunks would hold each other up."""
PAUSE_MAX_S: Final = max(*RETRY_S, *DIRECT_RETRY_S)
"""No pause is longer. A later time was set by a clock that has been set back since."""
DIRECT_MISSES_MAX: Final = 2
"""Unacknowledged direct tries after which the way counts as silent: 15 seconds, time for Nym to resend lost packets
several times, and short enough for a person who waits at a prompt."""
NEWS_SENT_MAX: Final = 256
"""Direct messages with our newer record that wait for their receipts."""
RESEALS_MAX: Final = 3
"""How often one message is sealed again, because its recipient could not open it or the node calls its key stale: a
node that calls every key stale must not keep a client busy forever."""
AWAITED_S: Final = MAILBOX_S + DAY_S
"""How long word of a message is awaited that the node has: a day longer than the node keeps it. The node does not say
what happened to it, or a sender would see whether the recipient was there."""
GIVEN_UP_AT_ONCE_MAX: Final = 100
"""Messages that are given up at one look, in a tenth of a second; the others at the next, seconds later."""

_RETRY_LATER: Final = frozenset({Code.BUSY, Code.MAILBOX_FULL, Code.SENDER_SHARE_FULL, Code.NOT_REGISTERED})
_LOOK_UP_AGAIN: Final = frozenset({Code.STALE_KEY, Code.UNKNOWN_KEY})
_BEHIND: Final = (Code.RECORD_STALE, Code.PROOF_INVALID)
"""How a lookup ends where the node has an older record than we know, or a proof that does not hold: restored from an
older copy, it gets the newest from its owner's next login; and another answer may have no proof, or a true one. (One
that is hostile can refuse messages in any case.)"""


class Outbox:
    """Owned by the forwarding actor, and used in its thread only."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._context = host.context
        self._store = host.context.store
        self._user = host.context.user
        self._in_flight: dict[bytes, bytes] = {}
        self._resolving: set[str] = set()
        self._news_sent: dict[bytes, int] = {}
        self._reseals: Counter[bytes] = Counter()
        self.online = False
        self.clock_offset_s = 0

    # -- a new message --

    def enqueue(
        self,
        contact: Contact,
        kind: PayloadKind,
        body: bytes,
        instead_of: Message | None = None,
        also: Callable[[bytes], None] = lambda _message_id: None,
    ) -> bytes:
        """Put a message on disk; `flush` sends it as soon as there is a way. Returns its id (16 bytes).

        It takes the place of `instead_of`, if that is given; and `also` stores what belongs to it: one commit has all
        of that, or nothing.
        """
        runtime = self._context.runtime
        message_id, token = runtime.random_bytes(ID_BYTES), runtime.random_bytes(TOKEN_BYTES)
        with self._store.transaction():
            self._store.messages.add_outgoing(
                contact.name, message_id, int(kind), body, token, runtime.unix_s(), counted=kind not in PASSING_KINDS
            )
            if contact.consent is Consent.PENDING:
                # To answer a stranger is to accept them.
                self._store.contacts.set_consent(contact.name, Consent.ACCEPTED)
            if instead_of is not None:
                self._store.history.erase([instead_of.id], instead_of.kind)
            also(message_id)
        if contact.consent is Consent.PENDING:
            self._context.on_event(ContactChanged(contact.name, Consent.ACCEPTED))
        return message_id

    def is_under_way(self, message_id: bytes) -> bool:
        """Whether a try to send it to the node is still unanswered."""
        return message_id in self._in_flight.values()

    def flush(self) -> None:
        """Send what is due and has a route. A contact without a route does not delay the others, and no chunk of a
        file delays anything else."""
        now = self._context.runtime.unix_s()
        flying = set(self._in_flight.values())
        no_way = set(self._resolving)
        chunks = []
        for message_id, name in self._store.messages.due(now, LOOKED_AT_MAX, PAUSE_MAX_S):
            if message_id in flying or name in no_way:
                continue
            contact = self._store.contacts.get(name)
            row, message = self._store.messages.outbox_row(message_id), self._store.messages.get(name, message_id)
            if contact is None or row is None or message is None:
                self._store.messages.remove_outgoing(message_id)
            elif not may_seal(contact) or _waits_for_consent(contact):
                no_way.add(name)
            elif message.kind == PayloadKind.FILE_CHUNK:
                chunks.append((contact, message, row))
            elif goes_direct(contact, now):
                self._send_direct(contact, message, row, now)
            elif self.online and len(self._in_flight) < IN_FLIGHT_MAX:
                self._send_forward(contact, message, row)
            else:
                no_way.add(name)
        for contact, message, row in chunks:
            if goes_direct(contact, now):
                self._send_direct(contact, message, row, now)
            elif self.online and contact.name not in no_way and len(self._in_flight) < CHUNKS_IN_FLIGHT_MAX:
                self._send_forward(contact, message, row)

    # -- through the node --

    def _send_forward(self, contact: Contact, message: Message, row: OutboxRow) -> None:
        sealed, key_number, first_key = self._sealed(contact, message, row, Route.NODE, None)
        if sealed is None:
            return
        envelope = self._user.envelope_to(contact.name, contact.identity_key, key_number, message.message_id)
        request = m.Forward(
            self._context.request_id(),
            self._user.name,
            contact.name,
            message.message_id,
            self._context.dated(self.clock_offset_s),
            key_number,
            sealed,
            envelope.sign(self._user.key, sealed),
            first_key,
        )
        self._in_flight[request.request_id] = message.message_id
        self._host.io.tell(SendRequest(request, self._host.forwarding))

    def _sealed(
        self, contact: Contact, message: Message, row: OutboxRow, way: Route, record: KeyRecord | None
    ) -> tuple[bytes | None, int, bytes | None]:
        """The message's seal, made once and kept; with its key's number, and our key if this is a first contact."""
        first = not contact.has_met
        first_key = self._user.key.public if first else None
        if row.sealed is not None and row.key_number is not None and record is None:
            return row.sealed, row.key_number, first_key
        payload = self._payload_of(message, record)
        if isinstance(payload, p.Text):
            payload = self._with_head(contact, payload)
        if payload is None:
            with self._store.transaction():
                self._store.messages.remove_outgoing(message.message_id)
                self._store.files.forget_passed(message.contact, message.message_id)
            return None, 0, None
        padded = p.pad_payload(payload, first_contact=first)
        try:
            sealed, key_number = seal_to(contact, way, self._user, padded, message.message_id)
        except RemoteProtocolError as error:
            self.settle(message, DeliveryState.REFUSED, error.code)
            return None, 0, None
        if record is None:
            self._store.messages.save_seal(message.message_id, sealed, key_number)
        return sealed, key_number, first_key

    def _with_head(self, contact: Contact, text: p.Text) -> p.Text:
        """The text with the newest head that this client was shown. To a contact who was shown another history it goes
        in any case: they can prove it then."""
        log = self._store.seen_log
        known = log.known()
        if known is None:
            return text
        return p.with_head(text, known.head, first_contact=not contact.has_met, always=log.differs_from(contact.name))

    def on_accepted(self, request: m.Forward) -> None:
        """The node has it on disk."""
        self._in_flight.pop(request.request_id, None)
        message = self._store.messages.get(request.recipient, request.message_id)
        row = self._store.messages.outbox_row(request.message_id)
        # What the node once took under another seal, it remembers also when the recipient could not open it.
        if message is not None and (row is None or row.sealed == request.sealed):
            self._store.messages.set_route(message.contact, message.message_id, Route.NODE)
            self.settle(message, DeliveryState.ACCEPTED, None)
        self.flush()

    def on_refused(self, request: m.Forward, code: Code, detail: int) -> None:
        """The node did not take it."""
        self._in_flight.pop(request.request_id, None)
        message = self._store.messages.get(request.recipient, request.message_id)
        if message is None:
            return
        if code is Code.CLOCK_SKEW:
            self.clock_offset_s = detail - self._context.runtime.unix_s()
            self._postpone(message.message_id)
        elif code in _LOOK_UP_AGAIN:
            self.seal_again(message, code)
        elif code in _RETRY_LATER:
            self._postpone(message.message_id)
            if self._store.messages.set_reason(message.contact, message.message_id, code):
                # It still waits; its writer should learn why.
                waits = DeliveryChanged(
                    message.message_id,
                    message.contact,
                    DeliveryState.WAITING,
                    code,
                    Route.NODE,
                    message.kind == PayloadKind.TEXT,
                )
                self._context.on_event(waits)
        else:
            self.settle(message, DeliveryState.REFUSED, code)
        self.flush()

    def on_unanswered(self, request: m.Forward) -> None:
        """No answer: the message may be on the node's disk or not, so it is sent again; and the route is in doubt."""
        self._in_flight.pop(request.request_id, None)
        self._postpone(request.message_id)
        self._host.registration.tell(RouteDoubted())

    def _postpone(self, message_id: bytes) -> None:
        row = self._store.messages.outbox_row(message_id)
        if row is not None:
            pause = math.ceil(self._context.with_jitter(RETRY_S[min(row.attempts, len(RETRY_S) - 1)]))
            self._store.messages.postpone(message_id, row.attempts + 1, self._context.runtime.unix_s() + pause)

    def went_online(self, clock_offset_s: int) -> None:
        """There is a route: what waits may go at once."""
        self.online, self.clock_offset_s = True, clock_offset_s
        self._store.messages.retry_all_now(self._context.runtime.unix_s())
        self.flush()

    # -- sealing again --

    def seal_again(self, message: Message, code: Code) -> None:
        """The key was not the recipient's current one: look it up, and seal to what comes. Word of a seal that has been
        given up already is no other failure: the text may wait for a look at a changed identity."""
        row = self._store.messages.outbox_row(message.message_id)
        if row is not None and row.sealed is None and self._reseals[message.message_id]:
            return
        if self._reseals[message.message_id] >= RESEALS_MAX:
            self.settle(message, DeliveryState.REFUSED, code)
            return
        self._reseals[message.message_id] += 1
        now = self._context.runtime.unix_s()
        self._store.messages.requeue(message.contact, message.message_id, (row.attempts if row else 0) + 1, now)
        self.look_up_first(message.contact)

    def look_up_first(self, name: str) -> None:
        """Nothing more goes to this contact until their record has been looked up again."""
        self.wait_for_lookup(name)
        self._host.look_up(name)

    def wait_for_lookup(self, name: str) -> None:
        """The same, where the contact is being looked up."""
        self._resolving.add(name)

    def on_resolved(self, name: str) -> None:
        """The contact's record is the newest: what waited for that can be sent."""
        self._resolving.discard(name)
        self.flush()

    def on_resolve_failed(self, name: str, code: Code | None) -> None:
        """The contact's record could not be fetched: `code` is the node's reason, None if there was no answer."""
        if name not in self._resolving:
            return
        self._resolving.discard(name)
        for row in self._store.messages.outbox_of(name):
            message = self._store.messages.get(name, row.message_id)
            if code in (None, Code.BUSY, *_BEHIND) or message is None:
                self._postpone(row.message_id)
                if code in _BEHIND and self._reseals[row.message_id]:
                    self._reseals[row.message_id] -= 1
            else:
                self.settle(message, DeliveryState.REFUSED, code)

    # -- directly --

    def _send_direct(self, contact: Contact, message: Message, row: OutboxRow, now: int) -> None:
        if contact.peer_address is None:
            return
        if row.attempts >= DIRECT_MISSES_MAX and not _is_silent(contact, now):
            self._note_silence(contact, silent=True)
            if contact.fallback is Fallback.NODE:
                self._store.messages.postpone(message.message_id, 0, now)
                self._host.forwarding.tell(DirectRouteChanged(contact.name))
                return
        news = self._news_for(contact, message)
        sealed, key_number, _ = self._sealed(contact, message, row, Route.DIRECT, news)
        if sealed is None:
            return
        if news is not None:
            self._note_news(message.message_id, news.number)
        envelope = self._user.envelope_to(contact.name, contact.identity_key, key_number, message.message_id)
        direct = m.Direct(
            self._user.name, message.message_id, key_number, sealed, envelope.sign(self._user.key, sealed)
        )
        self._host.io.tell(SendDirect(contact.peer_address, direct))
        pauses = CHUNK_RETRY_S if message.kind == PayloadKind.FILE_CHUNK else DIRECT_RETRY_S
        pause = math.ceil(self._context.with_jitter(pauses[min(row.attempts, len(pauses) - 1)]))
        self._store.messages.postpone(message.message_id, row.attempts + 1, now + pause)
        self._store.messages.set_route(contact.name, message.message_id, Route.DIRECT)

    def _news_for(self, contact: Contact, message: Message) -> KeyRecord | None:
        """Our record, if the peer has not been sent this one directly yet, and there is room for it."""
        identity = self._store.profile.identity()
        if contact.told_record_number >= identity.record_number or message.kind == PayloadKind.FILE_CHUNK:
            return None
        roomy = len(message.body) < p.text_bytes_in(PACKETS_MAX - 1, first_contact=True)
        return decode_record(identity.record) if roomy else None

    def _note_news(self, message_id: bytes, record_number: int) -> None:
        """Remember which record travels with a message, until its receipt; the oldest are forgotten, and sent again."""
        self._news_sent[message_id] = record_number
        if len(self._news_sent) > NEWS_SENT_MAX:
            del self._news_sent[next(iter(self._news_sent))]

    def _note_silence(self, contact: Contact, *, silent: bool) -> None:
        since = self._context.runtime.unix_s() if silent else None
        self._store.contacts.set_direct_silent(contact.name, since)
        if silent != (contact.direct_silent_since is not None):
            self._context.on_event(DirectSilent(contact.name, silent, contact.fallback is Fallback.NODE))

    def heard_directly(self, contact: Contact) -> None:
        """Something verified came directly: the way works."""
        if contact.direct_silent_since is not None:
            self._note_silence(contact, silent=False)
            self.flush()

    # -- its outcome --

    def on_receipts(self, receipts: tuple[tuple[bytes, bytes], ...], contact: str | None) -> None:
        """Recipients' clients have these: (message id, token) each. A wrong token proves nothing."""
        for message_id, token in receipts:
            message = self._store.messages.outgoing(message_id, contact)
            if message is None:
                continue
            if message.token != token:
                self._host.counts["receipts_unproved"] += 1  # the recipient may have given the node a wrong token
                continue
            told = self._news_sent.pop(message_id, None)
            if told is not None:
                self._store.contacts.set_told_record(message.contact, told)
            self.settle(message, DeliveryState.DELIVERED, None)

    def give_up_unanswered(self) -> None:
        """Call *expired* what the node took a month ago, and no one has proved to have, whether it was fetched or not.
        A proof that comes later overrides it."""
        now = self._context.runtime.unix_s()
        for message in self._store.messages.unanswered(now, AWAITED_S, GIVEN_UP_AT_ONCE_MAX):
            self.settle(message, DeliveryState.EXPIRED, None)

    def settle(self, message: Message, state: DeliveryState, reason: Code | None) -> None:
        """Store a message's state, and report it to the user if it has changed."""
        if message.kind in FILE_KINDS:
            self._host.settle_file(message, state)
            return
        if self._store.messages.advance(message.contact, message.message_id, state, reason):
            current = self._store.messages.get(message.contact, message.message_id)
            route = current.route if current is not None else message.route
            is_text = message.kind == PayloadKind.TEXT
            self._context.on_event(DeliveryChanged(message.message_id, message.contact, state, reason, route, is_text))
            if state is not DeliveryState.ACCEPTED:
                self._reseals.pop(message.message_id, None)

    def _payload_of(self, message: Message, record: KeyRecord | None) -> p.Payload | None:
        """The payload of a stored message of ours; None if it is about a file that is gone."""
        common = message.counter, as_date(message.sent_at), message.token or b"", record
        kind, files = PayloadKind(message.kind), self._store.files
        match kind:
            case PayloadKind.TEXT:
                return p.Text(*common, None, message.body.decode())
            case PayloadKind.HANDSHAKE_OFFER:
                return p.HandshakeOffer(*common, *_handshake_fields(message))
            case PayloadKind.HANDSHAKE_ACCEPT:
                return p.HandshakeAccept(*common, *_handshake_fields(message))
            case PayloadKind.HANDSHAKE_REVOKE:
                return p.HandshakeRevoke(*common, _handshake_fields(message)[1])
            case PayloadKind.FILE_OFFER:
                file = files.get(message.contact, message.message_id, Direction.OUT)
                return None if file is None else p.FileOffer(*common, file.name, file.size, file.kind, file.digest)
            case PayloadKind.FILE_WANTED:
                return p.FileWanted(*common, named_in(message.body)[0])
            case PayloadKind.FILE_CHUNK:
                named, number = named_in(message.body)
                file = files.get(message.contact, named, Direction.OUT)
                content = None if file is None else files.chunk(file, number)
                return None if content is None else p.FileChunk(*common, named, number, content)
            case PayloadKind.FILE_ENDED:
                return p.FileEnded(*common, named_in(message.body)[0])


def _is_silent(contact: Contact, now: int) -> bool:
    since = contact.direct_silent_since
    return since is not None and abs(now - since) < DIRECT_AGAIN_S


def _is_agreed(contact: Contact) -> bool:
    return contact.handshake is HandshakeState.ACTIVE and contact.peer_address is not None


def _waits_for_consent(contact: Contact) -> bool:
    """Whether messages have no way as long as the user does not want to hear from the contact. A direct message would
    be sent again and again, since its receipt is not taken: the contact would see by that when the user is there."""
    return _is_agreed(contact) and contact.consent is not Consent.ACCEPTED and contact.fallback is Fallback.DIRECT_ONLY


def goes_direct(contact: Contact, now: int) -> bool:
    """Whether messages to this contact leave directly now."""
    is_open = contact.fallback is Fallback.DIRECT_ONLY or not _is_silent(contact, now)
    return _is_agreed(contact) and contact.consent is Consent.ACCEPTED and is_open


def _handshake_fields(message: Message) -> tuple[bytes, int]:
    step = HandshakeStep.from_body(message.counter, message.body)
    return step.address, step.seen
