"""Lookup, the node's half: answers from the directory.

Serves docs/protocol.md, "Lookup" and "History". Receives: `RequestArrived` with `Lookup` or `History`, from any client.
Sends: one signed answer to each, to the tag it came from. Owns nothing, writes nothing, remembers no request.
"""

from __future__ import annotations

from typing import assert_never

from usernym.actors.base import PASSING_FAILURES, Actor, Tellable
from usernym.actors.messages import LookupNodeInbox, RequestArrived, SendReply
from usernym.actors.node_context import NodeContext
from usernym.protocol import messages as m
from usernym.protocol.codec import encode
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import BUSY_RETRY_S, SUCCESSIONS_PER_ANSWER_MAX
from usernym.protocol.names import check
from usernym.protocol.records import decode_record, decode_succession
from usernym.storage.node.directory import Account


class LookupNode(Actor[LookupNodeInbox]):
    """Answers `Lookup` and `History` from the directory."""

    name = "lookup"

    def __init__(self, context: NodeContext, *, io: Tellable[SendReply]) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._store = context.store
        self._io = io

    def receive(self, message: LookupNodeInbox) -> None:
        match message:
            case RequestArrived(frame, tag):
                self._answer(frame.message, tag)
            case _:
                assert_never(message)

    def _answer(self, request: m.Message, tag: bytes) -> None:
        if not isinstance(request, m.Lookup | m.History):
            raise RemoteProtocolError(Code.UNEXPECTED, "not a request of this exchange")
        try:
            account = self._find(request.name)
            answer = self._found(request, account)
        except RemoteProtocolError as error:
            self.refuse(error)
            answer = m.Refused(request.request_id, error.code, 0)
        except PASSING_FAILURES as failure:
            self.note_failure(failure)
            answer = m.Refused(request.request_id, Code.BUSY, BUSY_RETRY_S)
        self.counts["lookups" if isinstance(request, m.Lookup) else "histories"] += 1
        self._io.tell(SendReply(tag, encode(answer)))

    def _find(self, name: str) -> Account:
        check(name)
        account = self._store.directory.account(name)
        if account is None or account.deleted_until is not None:
            raise RemoteProtocolError(Code.NO_SUCH_USER)
        return account

    def _found(self, request: m.Lookup | m.History, account: Account) -> m.Answer:
        if isinstance(request, m.Lookup):
            return m.Found(request.request_id, decode_record(account.record))
        links = self._store.directory.links(account.name, request.start)
        total = request.start + len(links)
        part = tuple(decode_succession(link.blob) for link in links[:SUCCESSIONS_PER_ANSWER_MAX])
        return m.Links(request.request_id, part, total)
