"""Finding what the node has under a name, before there is an identity: for whoever comes with recovery words only.

Serves docs/protocol.md, "Lookup" and "History". Receives: `FindRecord` from the edges, answers. Sends: `Lookup` and
`History` requests. Owns nothing, and pins nothing: the words decide whose record it is.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from usernym.actors.base import Actor, Ref
from usernym.actors.finding_messages import FindingInbox, FindRecord, FoundRecord
from usernym.actors.messages import (
    AnswerArrived,
    Failure,
    NodeRefused,
    NodeSilent,
    RequestFailed,
    SendRequest,
)
from usernym.actors.runtime import Runtime
from usernym.protocol import messages as m
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import REQUEST_ID_BYTES, SURBS_REQUEST
from usernym.protocol.records import KeyRecord, Succession, verify_chain, verify_record_in_chain


class FindingClient(Actor[FindingInbox]):
    """Finds one name's record and chain, both verified; for one question at a time."""

    name = "finding"

    def __init__(
        self,
        runtime: Runtime,
        on_failed: Callable[[str, BaseException], None],
        *,
        node: bytes,
        name: str,
        io: Ref[Any],
        self_ref: Ref[Any],
    ) -> None:
        super().__init__(runtime, on_failed)
        self._runtime = runtime
        self._node = node
        self._wanted = name
        self._io = io
        self._self = self_ref
        self._answer: Future[FoundRecord] | None = None
        self._record: KeyRecord | None = None
        self._links: list[Succession] = []

    def receive(self, message: FindingInbox) -> None:
        """Handle one message."""
        match message:
            case FindRecord(answer):
                if self._answer is not None:
                    answer.set_exception(NodeSilent(Failure.TOO_MANY))
                    return
                self._answer, self._record, self._links = answer, None, []
                self._ask(m.Lookup(self._request_id(), SURBS_REQUEST, self._wanted))
            case AnswerArrived(_, answered):
                self._on_answer(answered)
            case RequestFailed(_, failure):
                self._fail(NodeSilent(failure))
            case _:
                super().receive(message)

    def _request_id(self) -> bytes:
        return self._runtime.random_bytes(REQUEST_ID_BYTES)

    def _ask(self, request: m.Request) -> None:
        self._io.tell(SendRequest(request, self._self))

    def _on_answer(self, answer: m.Answer) -> None:
        match answer:
            case m.Found(record=record):
                self._record = record
                self._ask(m.History(self._request_id(), SURBS_REQUEST, self._wanted, 0))
            case m.Links(links=links, total=total):
                self._links.extend(links)
                if links and len(self._links) < total:
                    self._ask(m.History(self._request_id(), SURBS_REQUEST, self._wanted, len(self._links)))
                else:
                    self._judge()
            case m.Refused(code=code, detail=detail):
                known = Code(code) if code in Code._value2member_map_ else Code.UNEXPECTED
                self._fail(NodeRefused(known, detail))
            case _:
                raise RemoteProtocolError(Code.UNEXPECTED, "an answer that does not fit")

    def _judge(self) -> None:
        record, chain = self._record, tuple(self._links)
        if record is None:
            return
        try:
            verify_chain(self._node, self._wanted, chain)
            verify_record_in_chain(self._node, self._wanted, chain, record)
        except RemoteProtocolError as error:
            self.refuse(error)
            self._fail(NodeRefused(error.code))
            return
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(FoundRecord(record, chain))

    def _fail(self, why: Exception) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(why)
