"""Forwarding, the client's half: seal and send, receive and acknowledge.

Serves docs/protocol.md, "Forwarding", "Receiving", "Direct messages" and "Message states".
Receives: `SendText`, `CancelText`, `RetryText`, `IdentityLookedAt`, `RequestsDecided` from the edges,
`DirectRouteChanged` from handshake; answers; what the node sends unasked; direct messages; reports about the route.
Sends: `Forward` requests, acknowledgements, direct messages; `Resolve` to lookup, `HandshakeArrived` to handshake;
events. Owns: conversations, outbox, ids seen in the store. Its parts are `outbox.py`, `inbox.py`,
`acknowledgements.py`, `files.py`, `unopened.py` and `user_texts.py`; what they share with it is in `host.py`.
It commits before it sends, and before it acknowledges; it opens nothing that its sender's confirmed key has not signed.
"""

from __future__ import annotations

from typing import Final, assert_never

from usernym.actors.base import Actor, Tellable, fail, resolve
from usernym.actors.context import ClientContext
from usernym.actors.failures import Failure, FileUnfit, NodeRefused, NodeSilent, RetryNotPossible, TextTooLong
from usernym.actors.forwarding.arrival_lookups import ArrivalLookups
from usernym.actors.forwarding.files import FileTransfers
from usernym.actors.forwarding.host import Host
from usernym.actors.forwarding.inbox import Inbox
from usernym.actors.forwarding.outbox import Outbox
from usernym.actors.forwarding.unopened import UnopenedReports
from usernym.actors.forwarding.user_texts import UserTexts
from usernym.actors.messages import (
    AcknowledgeNow,
    AnswerArrived,
    CancelText,
    DirectArrived,
    DirectRouteChanged,
    EndFile,
    ForwardingClientInbox,
    FoundRecord,
    HandshakeArrived,
    IdentityLookedAt,
    PayloadKind,
    RecordPublished,
    RequestFailed,
    RequestsDecided,
    Resolve,
    Resolved,
    ResolveFailed,
    RetryText,
    RouteDoubted,
    SendDirect,
    SendFile,
    SendRequest,
    SendStatement,
    SendText,
    TellArrived,
    Tick,
    WentOffline,
    WentOnline,
)
from usernym.protocol import messages as m
from usernym.protocol.errors import Code, LocalProtocolError, RemoteProtocolError
from usernym.protocol.files import is_name
from usernym.protocol.limits import FILE_BYTES_MAX, TEXT_BYTES_MAX
from usernym.storage.client.types import Consent, Contact, DeliveryState, Message
from usernym.storage.errors import StorageError

TICK_S: Final = 5.0
TICKS_PER_ERASING: Final = 2
"""How often it is looked for texts whose time is over: every ten seconds, which is a sixth of the shortest time."""
UNSENT_MAX: Final = 256
"""Texts that wait for their recipients' first lookup."""


class ForwardingClient(Actor[ForwardingClientInbox]):
    """The actor that seals, sends, receives and acknowledges."""

    name = "forwarding"

    def __init__(
        self,
        context: ClientContext,
        *,
        io: Tellable[SendRequest | SendStatement | SendDirect],
        lookup: Tellable[Resolve],
        registration: Tellable[RouteDoubted],
        handshake: Tellable[HandshakeArrived],
    ) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._store = context.store
        self._host = Host(
            context, io, lookup, registration, handshake, self.own_ref, self.refuse, self.counts, self._settle_file
        )
        self._outbox = Outbox(self._host)
        self._files = FileTransfers(self._host, self._outbox)
        self._lookups = ArrivalLookups(self._host)
        self._inbox = Inbox(self._host, self._outbox, self._files, self._lookups)
        self._unopened = UnopenedReports(self._host, self._outbox, self._lookups)
        self._texts = UserTexts(context, self._outbox, self._files)
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
        """Acknowledge what is on disk."""
        self._inbox.said.send()
        try:
            self._texts.end_waiting()
        except StorageError as failure:
            self.note_failure(failure)

    def receive(self, message: ForwardingClientInbox) -> None:
        match message:
            case SendText():
                self._send_text(message)
            case CancelText(message_id, answer):
                resolve(answer, self._texts.cancel(message_id))
            case RetryText():
                self._retry_text(message)
            case SendFile():
                self._send_file(message)
            case EndFile():
                self._end_file(message)
            case AnswerArrived(request, answer):
                self._on_answer(_forward(request), answer)
            case RequestFailed(request):
                self._outbox.on_unanswered(_forward(request))
            case TellArrived(tell):
                self._on_tell(tell)
            case DirectArrived(direct):
                self._inbox.on_direct(direct)
            case Resolved(name, found):
                self._on_resolved(name, found)
            case ResolveFailed(name, code):
                self._on_resolve_failed(name, code)
            case WentOnline(login_id, clock_offset_s):
                self._inbox.said.use(login_id)
                self._outbox.went_online(clock_offset_s)
                self._files.go_on()
            case WentOffline():
                self._outbox.online = False
                self._inbox.said.use(None)
            case AcknowledgeNow():
                self._inbox.said.send()
            case DirectRouteChanged() | RecordPublished():
                self._outbox.flush()
            case IdentityLookedAt(name):
                self._inbox.on_identity_looked_at(name)
                self._outbox.flush()
            case RequestsDecided():
                self._inbox.on_requests_decided()
                self._files.go_on()
            case Tick():
                self._on_tick()
            case _:
                assert_never(message)

    # -- from the edges --

    def _send_text(self, command: SendText) -> None:
        size = len(command.text.encode(errors="surrogatepass"))
        if not 0 < size <= TEXT_BYTES_MAX or not _is_unicode(command.text):
            fail(command.answer, TextTooLong(f"a text has 1 to {TEXT_BYTES_MAX} bytes in UTF-8, not {size}"))
            return
        try:
            contact = self._store.contacts.get(command.name)
        except StorageError as failure:
            fail(command.answer, failure)
            raise
        if contact is not None and command.name not in self._unsent:
            self._take(contact, command)
            self._outbox.flush()
        elif sum(map(len, self._unsent.values())) >= UNSENT_MAX:
            fail(command.answer, NodeSilent(Failure.TOO_MANY))
        elif command.name in self._unsent:
            # Behind those that wait for the lookup, also when its answer is on disk already.
            self._unsent[command.name].append(command)
        else:
            self._unsent[command.name] = [command]
            self._host.look_up(command.name)

    def _retry_text(self, command: RetryText) -> None:
        try:
            message_id = self._texts.retry(command.name, command.message_id)
        except RetryNotPossible as reason:
            fail(command.answer, reason)
            return
        except StorageError as failure:
            fail(command.answer, failure)
            raise
        resolve(command.answer, message_id)
        self._outbox.flush()

    def _send_file(self, command: SendFile) -> None:
        content, name = command.content, command.name
        if not 0 < len(content) <= FILE_BYTES_MAX or not is_name(name):
            fail(command.answer, FileUnfit(f"a file has 1 to {FILE_BYTES_MAX} bytes, and a name without a path"))
            return
        try:
            contact = self._store.contacts.get(command.recipient)
            if contact is None:
                fail(command.answer, FileUnfit("files are sent to contacts only"))
                return
            if contact.consent in (Consent.BLOCKED, Consent.DECLINED):
                # They would be asked to wait for what never goes: its chunks go to those who are accepted.
                fail(command.answer, FileUnfit(f"this contact is {contact.consent} here: accept them first"))
                return
            message_id = self._files.offer(contact, command)
        except StorageError as failure:
            fail(command.answer, failure)
            raise
        resolve(command.answer, message_id)
        self._outbox.flush()

    def _end_file(self, command: EndFile) -> None:
        try:
            ended = self._files.end(command.contact, command.message_id, erase=command.erase)
        except StorageError as failure:
            fail(command.answer, failure)
            raise
        resolve(command.answer, ended)

    def _settle_file(self, message: Message, state: DeliveryState) -> None:
        self._files.settle(message, state)

    def _on_tick(self) -> None:
        self.tell_self_later(TICK_S, Tick())
        self._files.on_tick()
        self._inbox.forget_keys()
        self._ticks += 1
        if self._ticks % TICKS_PER_ERASING == 0:
            self._texts.erase_old()

    def _take(self, contact: Contact, command: SendText) -> None:
        """Put a text on disk, and say so; or that it could not be."""
        try:
            message_id = self._outbox.enqueue(contact, PayloadKind.TEXT, command.text.encode())
        except StorageError as failure:
            fail(command.answer, failure)
            raise
        resolve(command.answer, message_id)

    # -- from the node --

    def _on_answer(self, forward: m.Forward, answer: m.Answer) -> None:
        match answer:
            case m.Accepted():
                self._outbox.on_accepted(forward)
            case m.Refused(code=code, detail=detail):
                self._outbox.on_refused(forward, Code.known(code), detail)
            case _:
                raise LocalProtocolError(Code.UNEXPECTED, "mixnet I/O lets no such answer through")

    def _on_tell(self, tell: m.Tell) -> None:
        match tell:
            case m.Deliver():
                self._inbox.on_deliver(tell)
            case m.Delivered(receipts=receipts):
                self._outbox.on_receipts(tuple((each.message_id, each.token) for each in receipts), None)
                self._host.note_notices([each.notice for each in receipts])
            case m.NotOpened():
                self._unopened.on_told(tell)
            case _:
                raise RemoteProtocolError(Code.UNEXPECTED, "this exchange takes no such message")

    # -- from lookup --

    def _on_resolved(self, name: str, found: FoundRecord | None) -> None:
        self._lookups.ended(name)
        try:
            contact = self._store.contacts.get(name)
        except StorageError:
            self._on_resolve_failed(name, None)
            raise
        for command in self._unsent.pop(name, ()):
            if contact is None:
                fail(command.answer, NodeRefused(Code.NO_SUCH_USER))
                continue
            try:
                self._take(contact, command)
            except StorageError as failure:
                self.note_failure(failure)
        self._outbox.on_resolved(name)
        self._unopened.on_resolved(name)
        self._inbox.on_resolved(name, found)

    def _on_resolve_failed(self, name: str, code: Code | None) -> None:
        self._lookups.ended(name)
        for command in self._unsent.pop(name, ()):
            fail(command.answer, NodeSilent(Failure.NO_ANSWER) if code is None else NodeRefused(code))
        self._outbox.on_resolve_failed(name, code)
        self._inbox.on_resolve_failed(name, code)
        self._unopened.on_resolve_failed(name)


def _forward(request: m.Request) -> m.Forward:
    if not isinstance(request, m.Forward):
        raise LocalProtocolError(Code.UNEXPECTED, "an answer to a request that this actor does not send")
    return request


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
