"""Lookup, the client's half: ask, check, pin.

Serves docs/protocol.md, "Lookup", "History" and "Trust", and docs/directory.md, "Lookups with proof". Receives:
`FindContact` from the edges, `Resolve` from other actors, answers. Sends: `Lookup` and `History` requests; `Resolved`
or `ResolveFailed`; `OwnNameShown` to registration. Owns: the contacts' records and trust in the store, and the node's
promises about them. A record is taken only if it is signed and follows from the one pinned before; a changed identity
is taken only with a succession that holds, is always reported, and is never `verified`. A promise is checked, and the
user's own name looked at, by a lookup that no one asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, assert_never

from usernym.actors.base import Actor, Tellable, fail, resolve
from usernym.actors.context import ClientContext
from usernym.actors.events import DirectoryChanged, HandshakeChanged, IdentityChanged
from usernym.actors.failures import Failure, NodeRefused, NodeSilent
from usernym.actors.lookup.chain_fetch import ChainFetch
from usernym.actors.lookup.own_name import OwnNameLooks
from usernym.actors.lookup.promises import LOOK_MAX_S, PromiseChecks
from usernym.actors.lookup.unasked_work import UnaskedWork
from usernym.actors.messages import (
    AnswerArrived,
    FindContact,
    FoundRecord,
    LooksDue,
    LookupClientInbox,
    OwnNameShown,
    RequestFailed,
    Resolve,
    Resolved,
    ResolveFailed,
    SendRequest,
    WentOffline,
    WentOnline,
    WorkWanted,
)
from usernym.protocol import messages as m
from usernym.protocol.directory.shown import OwnPlace
from usernym.protocol.errors import Code, LocalProtocolError, RemoteProtocolError
from usernym.protocol.lookup_work import bits_of
from usernym.protocol.records import KeyRecord, accepts_change, decode_record, is_update
from usernym.protocol.wire import pack
from usernym.storage.client.types import Consent, HandshakeState, InDirectory, Trust
from usernym.storage.errors import StorageError

LOOKUPS_WAITING_MAX: Final = 128
"""Names being looked up at once: a flood of strangers' messages must not become a flood of lookups."""

_Outcome = FoundRecord | m.Absent | Code | Failure | None
"""None for success (what was found, if its name is no contact); that no one has the name, proved; the node's code; or
the failure to get an answer."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    outcome: Callable[[_Outcome], None]
    stranger: bool
    """Whether an unknown sender's message is the reason: then no contact is made. A node can say of anyone that they
    have written; the contact is made by the first message that proves it."""


class LookupClient(Actor[LookupClientInbox]):
    """The actor that looks names up, and pins what it finds in the contacts."""

    name = "lookup"

    def __init__(
        self, context: ClientContext, *, io: Tellable[SendRequest], registration: Tellable[OwnNameShown]
    ) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._context = context
        self._store = context.store
        self._user = context.user
        self._io = io
        self._registration = registration
        self._fetch: ChainFetch[_Waiting] = ChainFetch(
            context.user.node, context.request_id, LOOKUPS_WAITING_MAX, self._is_enough, self._wants_proof,
            context.store.seen_log.note_looked_up, self._known_size, context.witnesses,
        )  # fmt: skip

        self._promises = PromiseChecks(context)
        self._own_name = OwnNameLooks(context)
        self._unasked_work = UnaskedWork(context.runtime)
        self._own_then: OwnPlace | None = None
        """Where the own name was in the log when it was last asked about."""
        self._online = False
        self._looks = False

    def acquire(self) -> None:
        """Set the timer. Whether there is a login outlives a bug."""
        self._looks = False
        self._look_later()

    def receive(self, message: LookupClientInbox) -> None:
        match message:
            case FindContact(name, wanted):
                self._look_up(name, _Waiting(lambda failed: _resolve_future(wanted, failed), False))
            case Resolve(name, reply_to, stranger):
                self._look_up(name, _Waiting(lambda failed: reply_to.tell(_resolution(name, failed)), stranger))
            case AnswerArrived(request, answer, frame):
                self._on_answer(_name_in(request), answer, frame)
            case RequestFailed(request, failure):
                self._finish(_name_in(request), failure)
            case WentOnline():
                self._online = True
                self._look_later()
            case WentOffline():
                self._online = False
            case LooksDue():
                self._look_at_what_is_due()
            case WorkWanted():
                self._fetch.work(message, self.tell_self, self._send)
            case _:
                assert_never(message)

    def _look_up(self, name: str, waiting: _Waiting) -> None:
        others = self._fetch.waiting(name)
        if others:
            others.append(waiting)
        elif self._fetch.is_full():
            waiting.outcome(Failure.TOO_MANY)
        else:
            try:
                if name == self._user.name:
                    self._own_then = self._store.seen_log.own()
                request = self._fetch.start(name, waiting)
            except StorageError:
                waiting.outcome(Failure.NO_STORAGE)  # it would wait forever
                raise
            self._send(request)
            self.counts["lookups"] += 1

    def _send(self, request: m.Request) -> None:
        self._io.tell(SendRequest(request, self.own_ref))

    def _finish(self, name: str, outcome: _Outcome) -> None:
        failed: StorageError | None = None
        for waiting in self._fetch.end(name):
            try:
                waiting.outcome(outcome)
            except StorageError as failure:  # the others would wait forever
                failed = failure
        if failed is not None:
            raise failed

    def _on_answer(self, name: str, answer: m.Answer, frame: bytes) -> None:
        try:
            if isinstance(answer, m.Proved | m.Absent) and not self._fetch.is_of_then(name, answer.proof):
                self._judge(name, answer, frame)
            taken = self._fetch.take(name, answer, frame)
            if name == self._user.name and taken is not None:
                self._registration.tell(OwnNameShown(answer, self._own_then))
            match taken:
                case m.Lookup() | m.History() as request:
                    self._send(request)
                case WorkWanted(ticket=ticket) as wanted:
                    if self._is_unasked(name) and not self._unasked_work.may_do(bits_of(ticket)):
                        self._finish(name, Code.BUSY)
                    else:
                        self.tell_self(wanted)
                case FoundRecord() as found:
                    self._finish(name, self._pin(name, found))
                case m.Absent() as absent:
                    self._finish(name, absent)
                case m.Refused(code=code):
                    self._finish(name, Code.known(code))
        except RemoteProtocolError as error:
            # No proof of a fault: a node that was restored from an older copy shows older records.
            self.refuse(error)
            self._finish(name, error.code)
        except StorageError:
            # What could not be stored counts as not found: nothing waits for it, and who needs it asks again.
            self._finish(name, Failure.NO_STORAGE)
            raise

    def _is_unasked(self, name: str) -> bool:
        """Whether no one but a stranger's message, or a look of the client's own, is the reason for this lookup."""
        return all(waiting.stranger for waiting in self._fetch.waiting(name))

    def _is_enough(self, name: str, record: KeyRecord) -> bool:
        """Whether the record is taken without its chain: it is a new contact's, an update, or under our own name."""
        if name == self._user.name:
            return True
        contact = self._store.contacts.get(name)
        return contact is None or is_update(decode_record(contact.record), record)

    def _wants_proof(self, name: str) -> bool:
        """Whether nothing has shown yet, as the user wants it, that the name's identity is in the public directory; or
        that is due again."""
        if name == self._user.name:
            return True
        contact = self._store.contacts.get(name)
        return contact is None or contact.directory is not InDirectory.SHOWN or self._promises.is_due(name)

    def _known_size(self) -> int:
        known = self._store.seen_log.known()
        return 0 if known is None else known.size

    def _pin(self, name: str, found: FoundRecord) -> FoundRecord | None:
        """Store a found record, if it follows from the one that was pinned before; return it where no one is pinned."""
        if name == self._user.name:
            if found.record.identity_key != self._user.key.public:
                raise RemoteProtocolError(Code.RECORD_INVALID, "the node shows another's key under our name")
            return None
        record, contacts = found.record, self._store.contacts
        key, packed = record.identity_key, pack(record)
        contact = contacts.get(name)
        if contact is None:
            if self._is_unasked(name):
                if found.promise is not None:
                    self._promises.set_aside(name, found.promise)
                return found
            contacts.add(
                name, key, packed, Trust.CONFIRMED, Consent.ACCEPTED,
                log_size=found.log_size, lacks_witnesses=found.lacks_witnesses,
            )  # fmt: skip
        elif is_update(decode_record(contact.record), record):
            contacts.pin(name, key, packed, found.log_size, lacks_witnesses=found.lacks_witnesses)
            now = contacts.get(name)
            if now is not None and now.directory is not contact.directory:
                self._context.on_event(DirectoryChanged(name, now.directory))
        elif accepts_change(decode_record(contact.record), found.chain):
            contacts.pin(name, key, packed, found.log_size, lacks_witnesses=found.lacks_witnesses)
            self._context.on_event(IdentityChanged(name, contact.trust is Trust.VERIFIED))
            if contact.handshake is not HandshakeState.NONE:
                self._context.on_event(HandshakeChanged(name, HandshakeState.NONE))
        else:
            raise RemoteProtocolError(Code.SUCCESSION_INVALID, "does not follow from the identity known before")
        if found.promise is not None:
            self._promises.take(name, found.promise)
        return None

    # -- what is looked up unasked --

    def _judge(self, name: str, answer: m.Proved | m.Absent, frame: bytes) -> None:
        was_kept = self._promises.judge(name, answer, frame)
        if was_kept is not None:
            self.counts["promises_kept" if was_kept else "promises_broken"] += 1
        if was_kept is False:
            self._context.on_event(DirectoryChanged(name, InDirectory.NOT_SHOWN))

    def _look_later(self) -> None:
        if self._online and not self._looks:
            self._looks = True
            self.tell_self_later(float(self._context.some(1, LOOK_MAX_S)), LooksDue())

    def _look_at_what_is_due(self) -> None:
        """Look one name up whose promise was due, or else the own one, and set the timer. Only while there is a login:
        a node that is away is given no SURBs for this."""
        self._looks = False
        if not self._online:
            return
        try:
            name = self._promises.due()
            if name is not None:
                self.counts["promises_checked"] += 1
                self._look_up(name, _Waiting(lambda outcome: self._promises.checked(name, outcome), True))
            elif self._own_name.is_due():
                self.counts["own_looks"] += 1
                self._look_up(self._user.name, _Waiting(self._own_name.looked, True))
        finally:
            self._look_later()


def _name_in(request: m.Request) -> str:
    if not isinstance(request, m.Lookup | m.History):
        raise LocalProtocolError(Code.UNEXPECTED, "an answer to a request that this actor does not send")
    return request.name


def _resolution(name: str, outcome: _Outcome) -> Resolved | ResolveFailed:
    match outcome:
        case None | FoundRecord():
            return Resolved(name, outcome)
        case m.Absent():
            return ResolveFailed(name, Code.NO_SUCH_USER)
        case Code():
            return ResolveFailed(name, outcome)
        case _:
            return ResolveFailed(name, None)


def _resolve_future(answer: Future[None], failed: _Outcome) -> None:
    match failed:
        case None | FoundRecord():
            resolve(answer, None)
        case m.Absent():
            fail(answer, NodeRefused(Code.NO_SUCH_USER, proved=True))
        case Code():
            fail(answer, NodeRefused(failed))
        case _:
            fail(answer, NodeSilent(failed))
