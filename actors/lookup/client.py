"""Lookup, the client's half: ask, check, pin.

Serves docs/protocol.md, "Lookup", "History" and "Trust". Receives: `FindContact` from the edges, `Resolve` from other
actors, answers. Sends: `Lookup` and `History` requests; `Resolved` or `ResolveFailed`. Owns: the contacts' records and
trust in the store. A record is taken only if it is signed and follows from the one pinned before; a changed identity
is taken only with a succession that holds, is always reported, and is never `verified`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, assert_never

from usernym.actors.base import Actor, Tellable, fail, resolve
from usernym.actors.context import ClientContext
from usernym.actors.events import IdentityChanged, NodeCaught
from usernym.actors.failures import Failure, NodeRefused, NodeSilent
from usernym.actors.messages import (
    AnswerArrived,
    FindContact,
    LookupClientInbox,
    RequestFailed,
    Resolve,
    Resolved,
    ResolveFailed,
    SendRequest,
)
from usernym.protocol import messages as m
from usernym.protocol.errors import Code, LocalProtocolError, RemoteProtocolError
from usernym.protocol.limits import SURBS_REQUEST
from usernym.protocol.records import (
    KeyRecord,
    Succession,
    accepts_change,
    decode_record,
    is_update,
    verify_chain,
    verify_record,
    verify_record_in_chain,
)
from usernym.protocol.wire import pack
from usernym.storage.client.types import Consent, Trust
from usernym.storage.errors import StorageError

LOOKUPS_WAITING_MAX: Final = 128
"""Names being looked up at once; a stranger's flood must not become one of lookups."""

_Outcome = Callable[[Code | Failure | None], None]
"""Called with None for success, the node's code, or the failure to get an answer."""


@dataclass(slots=True)
class _Pending:
    stranger: bool
    outcomes: list[_Outcome]
    record: KeyRecord | None = None
    links: list[Succession] = field(default_factory=list)


class LookupClient(Actor[LookupClientInbox]):
    """See the module's text."""

    name = "lookup"

    def __init__(self, context: ClientContext, *, io: Tellable[SendRequest]) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._context = context
        self._store = context.store
        self._io = io
        self._pending: dict[str, _Pending] = {}

    def release(self) -> None:
        """Close this thread's connection."""
        self._store.close_thread()

    def receive(self, message: LookupClientInbox) -> None:
        """Handle one message."""
        match message:
            case FindContact(name, wanted):
                self._start(name, False, lambda failed: _resolve_future(wanted, failed))
            case Resolve(name, reply_to, stranger):
                self._start(name, stranger, lambda failed: reply_to.tell(_resolution(name, failed)))
            case AnswerArrived(request, answer):
                self._on_answer(_name_in(request), answer)
            case RequestFailed(request, failure):
                self._finish(_name_in(request), failure)
            case _:
                assert_never(message)

    def _start(self, name: str, stranger: bool, outcome: _Outcome) -> None:
        pending = self._pending.get(name)
        if pending is not None:
            pending.outcomes.append(outcome)
            pending.stranger = pending.stranger and stranger
            return
        if len(self._pending) >= LOOKUPS_WAITING_MAX:
            outcome(Failure.TOO_MANY)
            return
        self._pending[name] = _Pending(stranger, [outcome])
        request = m.Lookup(self._context.request_id(), SURBS_REQUEST, name)
        self._io.tell(SendRequest(request, self.own_ref))
        self.counts["lookups"] += 1

    def _finish(self, name: str, failed: Code | Failure | None) -> None:
        pending = self._pending.pop(name, None)
        if pending is not None:
            for outcome in pending.outcomes:
                outcome(failed)

    def _on_answer(self, name: str, answer: m.Answer) -> None:
        pending = self._pending.get(name)
        if pending is None:
            return
        try:
            match answer:
                case m.Found(record=record):
                    verify_record(self._context.user.node, name, record)
                    self._on_record(name, pending, record)
                case m.Links(links=links, total=total):
                    self._on_links(name, pending, links, total)
                case m.Refused(code=code):
                    self._finish(name, Code.known(code))
        except RemoteProtocolError as error:
            # Only the node can have put this together: what a stranger could do, its signature has kept out.
            self.refuse(error)
            self._context.on_event(NodeCaught(f"a record that can't be true ({error.code.name.lower()})"))
            self._finish(name, error.code)
        except StorageError:
            # What could not be kept was not found. Nobody must wait for it, and whoever needs it asks again.
            self._finish(name, Failure.NO_STORAGE)
            raise

    def _on_record(self, name: str, pending: _Pending, record: KeyRecord) -> None:
        now = self._context.runtime.unix_s()
        if name == self._context.user.name:
            if record.identity_key != self._context.user.key.public:
                raise RemoteProtocolError(Code.RECORD_INVALID, "the node shows another's key under our name")
            self._finish(name, None)
            return
        contact = self._store.contacts.get(name)
        if contact is None:
            ask = pending.stranger and not self._context.accept_strangers
            state = Consent.PENDING if ask else Consent.ACCEPTED
            self._store.contacts.add(name, record.identity_key, pack(record), Trust.CONFIRMED, state, now)
            self._finish(name, None)
        elif is_update(decode_record(contact.record), record):
            self._store.contacts.update_record(name, record.identity_key, pack(record), now)
            self._finish(name, None)
        else:
            pending.record = record
            self._ask_links(name, 0)

    def _ask_links(self, name: str, start: int) -> None:
        request = m.History(self._context.request_id(), SURBS_REQUEST, name, start)
        self._io.tell(SendRequest(request, self.own_ref))

    def _on_links(self, name: str, pending: _Pending, links: tuple[Succession, ...], total: int) -> None:
        pending.links.extend(links)
        if links and len(pending.links) < total:
            self._ask_links(name, len(pending.links))
            return
        contact, record, chain = self._store.contacts.get(name), pending.record, tuple(pending.links)
        if contact is None or record is None:
            self._finish(name, Failure.NO_ANSWER)
            return
        verify_chain(self._context.user.node, name, chain)
        verify_record_in_chain(self._context.user.node, name, chain, record)
        if not accepts_change(decode_record(contact.record), chain):
            raise RemoteProtocolError(Code.SUCCESSION_INVALID, "does not follow from the identity known before")
        with self._store.transaction():
            self._store.contacts.update_record(name, record.identity_key, pack(record), self._context.runtime.unix_s())
            self._store.contacts.set_trust(name, Trust.CHANGED)
        self._context.on_event(IdentityChanged(name, contact.trust is Trust.VERIFIED))
        self._finish(name, None)


def _name_in(request: m.Request) -> str:
    if not isinstance(request, m.Lookup | m.History):
        raise LocalProtocolError(Code.UNEXPECTED, "an answer to a request that this actor does not send")
    return request.name


def _resolution(name: str, failed: Code | Failure | None) -> Resolved | ResolveFailed:
    if failed is None:
        return Resolved(name)
    return ResolveFailed(name, failed if isinstance(failed, Code) else None)


def _resolve_future(answer: Future[None], failed: Code | Failure | None) -> None:
    match failed:
        case None:
            resolve(answer, None)
        case Code():
            fail(answer, NodeRefused(failed))
        case _:
            fail(answer, NodeSilent(failed))
