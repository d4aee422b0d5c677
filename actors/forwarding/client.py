"""Forwarding, the client's half: seal and send, receive and acknowledge.

Serves docs/protocol.md, "Forwarding", "Receiving", "Direct messages" and "Message states".
Receives: `SendText`, `CancelText`, `RetryText`, `IdentityLookedAt`, `RequestsDecided` from the edges,
`DirectRouteChanged` from handshake; answers; what the node tells; direct messages; word of the route. Sends: `Forward`
requests, acknowledgements, direct messages; `Resolve` to lookup, `HandshakeArrived` to handshake; events. Owns:
conversations, outbox, ids seen in the store (`client_sending`, `client_receiving`, `client_texts`).
It commits before it sends, and before it acknowledges; it opens nothing that its sender's confirmed key has not signed.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Final

from usernym.actors.base import Actor, Ref
from usernym.actors.context import ClientContext
from usernym.actors.failures import RetryNotPossible
from usernym.actors.forwarding.inbox import Arrival, Receiving
from usernym.actors.forwarding.outbox import Sending
from usernym.actors.forwarding.unopened import NotOpened
from usernym.actors.forwarding.user_texts import OwnTexts
from usernym.actors.messages import (
    AcknowledgeNow,
    AnswerArrived,
    CancelText,
    DirectArrived,
    DirectRouteChanged,
    Failure,
    ForwardingClientInbox,
    IdentityLookedAt,
    NodeRefused,
    NodeSilent,
    PayloadKind,
    RecordPublished,
    RequestFailed,
    RequestsDecided,
    Resolve,
    Resolved,
    ResolveFailed,
    RetryText,
    RouteDoubted,
    SendText,
    TellArrived,
    TextTooLong,
    Tick,
    WentOffline,
    WentOnline,
)
from usernym.protocol import messages as m
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import NOTICES_MAX, TEXT_BYTES_MAX
from usernym.storage.client.types import Contact, Route
from usernym.storage.errors import StorageError

TICK_S: Final = 5.0
TICKS_PER_ERASING: Final = 2
"""How often it is looked for texts whose time is over: every ten seconds, which is a sixth of the shortest time."""
UNSENT_MAX: Final = 256
"""Texts that wait for their recipients' first lookup."""


class ForwardingClient(Actor[ForwardingClientInbox]):
    """See the module's text."""

    name = "forwarding"

    def __init__(
        self,
        context: ClientContext,
        *,
        io: Ref[Any],
        lookup: Ref[Any],
        registration: Ref[Any],
        handshake: Ref[Any],
        self_ref: Ref[Any],
    ) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._context = context
        self._store = context.store
        self._self = self_ref
        self._lookup = lookup
        self._registration = registration
        self._sending = Sending(context, io=io, lookup=lookup, registration=registration, me=self_ref)
        self._receiving = Receiving(
            context, self._sending, io=io, lookup=lookup, handshake=handshake, forwarding=self_ref
        )
        self._not_opened = NotOpened(context, self._sending, lookup=lookup, forwarding=self_ref)
        self._texts = OwnTexts(context, self._sending)
        self._unsent: dict[str, list[SendText]] = {}
        self._ticks = 0

    def acquire(self) -> None:
        """Start the clock of the outbox; its content is in the store. What was to be gone by now goes."""
        self.tell_self_later(TICK_S, Tick())
        try:
            self._texts.erase_old()
        except StorageError as failure:
            self.note_failure(failure)

    def release(self) -> None:
        """Acknowledge what is on disk, and close this thread's connection."""
        self._receiving.acknowledge_now()
        self._store.close_thread()

    def receive(self, message: ForwardingClientInbox) -> None:
        """Handle one message."""
        match message:
            case SendText():
                self._send_text(message)
            case CancelText(message_id, answer):
                answer.set_result(self._texts.cancel(message_id))
            case RetryText():
                self._retry_text(message)
            case AnswerArrived(m.Forward() as request, m.Accepted()):
                self._sending.on_accepted(request)
            case AnswerArrived(m.Forward() as request, m.Refused(code=code, detail=detail)):
                known = Code(code) if code in Code._value2member_map_ else Code.UNEXPECTED
                self._sending.on_refused(request, known, detail)
            case RequestFailed(m.Forward() as request):
                self._sending.on_unanswered(request)
            case TellArrived(tell):
                self._on_tell(tell)
            case DirectArrived(direct):
                self._on_direct(direct)
            case Resolved(name):
                self._on_resolved(name)
            case ResolveFailed(name, code):
                self._on_resolve_failed(name, code)
            case WentOnline(login_id, clock_offset_s):
                self._receiving.login_id = login_id
                self._sending.went_online(clock_offset_s)
            case WentOffline():
                self._sending.online = False
                self._receiving.login_id = None
            case AcknowledgeNow():
                self._receiving.acknowledge_now()
            case DirectRouteChanged() | RecordPublished():
                self._receiving.forget_keys()
                self._sending.flush()
            case IdentityLookedAt():
                self._sending.flush()
            case RequestsDecided():
                self._judge(self._receiving.take_decided())
            case Tick():
                self._on_tick()
            case _:
                super().receive(message)

    # -- from the edges --

    def _send_text(self, command: SendText) -> None:
        size = len(command.text.encode(errors="surrogatepass"))
        if not 0 < size <= TEXT_BYTES_MAX or not _is_unicode(command.text):
            command.answer.set_exception(TextTooLong(f"a text has 1 to {TEXT_BYTES_MAX} bytes in UTF-8, not {size}"))
            return
        try:
            contact = self._store.contacts.get(command.name)
        except StorageError as failure:
            _fail(command.answer, failure)
            raise
        if contact is not None and command.name not in self._unsent:
            self._take(contact, command)
            self._sending.flush()
        elif sum(map(len, self._unsent.values())) >= UNSENT_MAX:
            command.answer.set_exception(NodeSilent(Failure.TOO_MANY))
        elif command.name in self._unsent:
            # Behind those that wait for the lookup, also when its answer is on disk already.
            self._unsent[command.name].append(command)
        else:
            self._unsent[command.name] = [command]
            self._lookup.tell(Resolve(command.name, self._self))

    def _retry_text(self, command: RetryText) -> None:
        try:
            message_id = self._texts.retry(command.name, command.message_id)
        except RetryNotPossible as reason:
            _fail(command.answer, reason)
            return
        except StorageError as failure:
            _fail(command.answer, failure)
            raise
        _answer(command.answer, message_id)
        self._sending.flush()

    def _on_tick(self) -> None:
        self.tell_self_later(TICK_S, Tick())
        self._sending.flush()
        self._ticks += 1
        if self._ticks % TICKS_PER_ERASING == 0:
            self._texts.erase_old()

    def _take(self, contact: Contact, command: SendText) -> None:
        """Put a text on disk, and say so; or that it could not be."""
        try:
            message_id = self._sending.enqueue(contact, PayloadKind.TEXT, command.text.encode())
        except StorageError as failure:
            _fail(command.answer, failure)
            raise
        _answer(command.answer, message_id)

    # -- from the node --

    def _on_tell(self, tell: m.Tell) -> None:
        match tell:
            case m.Deliver():
                self._receiving.on_arrival(
                    Arrival(
                        tell.sender,
                        tell.message_id,
                        tell.key_number,
                        tell.sealed,
                        tell.inner_signature,
                        tell.first_key,
                        Route.NODE,
                    )
                )
            case m.Delivered(receipts=receipts):
                self._sending.on_receipts(tuple((each.message_id, each.token) for each in receipts), None)
                self._note_notices([each.notice for each in receipts])
            case m.Expired(messages=messages):
                for fate in messages:
                    self._sending.on_expired(fate.message_id)
                self._note_notices([fate.notice for fate in messages])
            case m.NotOpened():
                if self._not_opened.on_told(tell):
                    self._note_notices([tell.notice])
            case _:
                raise RemoteProtocolError(Code.UNEXPECTED, "not told to this exchange")

    def _note_notices(self, numbers: list[int]) -> None:
        """A heartbeat is to confirm these; at once if the node tells no further ones before."""
        self._store.notices.add(numbers)
        if len(self._store.notices.oldest(NOTICES_MAX)) >= NOTICES_MAX:
            self._registration.tell(RouteDoubted())

    # -- from a peer --

    def _on_direct(self, direct: m.Direct) -> None:
        self._receiving.on_arrival(
            Arrival(
                direct.sender,
                direct.message_id,
                direct.key_number,
                direct.sealed,
                direct.inner_signature,
                None,
                Route.DIRECT,
            )
        )
        self.counts["direct_received"] += 1

    # -- from lookup --

    def _on_resolved(self, name: str) -> None:
        try:
            contact = self._store.contacts.get(name)
        except StorageError:
            self._on_resolve_failed(name, None)
            raise
        for command in self._unsent.pop(name, ()):
            if contact is None:
                _fail(command.answer, NodeRefused(Code.NO_SUCH_USER))
                continue
            try:
                self._take(contact, command)
            except StorageError as failure:
                self.note_failure(failure)
        self._sending.on_resolved(name)
        self._sending.flush()
        settled, wrong = self._not_opened.on_resolved(name)
        self._note_notices(settled)
        if wrong is not None:
            self.refuse(wrong)
        self._judge(self._receiving.on_resolved(name))

    def _judge(self, arrivals: list[Arrival]) -> None:
        for arrival in arrivals:
            try:
                self._receiving.on_arrival(arrival)
            except RemoteProtocolError as error:
                # No proof against the node: it checks who hands a message in, not the signature inside.
                self.refuse(error)

    def _on_resolve_failed(self, name: str, code: Code | None) -> None:
        for command in self._unsent.pop(name, ()):
            _fail(command.answer, NodeSilent(Failure.NO_ANSWER) if code is None else NodeRefused(code))
        self._sending.on_resolve_failed(name, code)
        self._receiving.on_resolve_failed(name, code)
        self._not_opened.on_resolve_failed(name)


def _answer(future: Future[bytes], message_id: bytes) -> None:
    if not future.done():
        future.set_result(message_id)


def _fail(future: Future[bytes], why: Exception) -> None:
    if not future.done():
        future.set_exception(why)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
