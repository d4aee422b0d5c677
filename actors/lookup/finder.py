"""Finding what the node has under a name, and asking whether a name is free: without an identity, and pinning nothing.

Serves docs/protocol.md, "Lookup", "History" and "Registration and login" (its first step). Receives: `FindRecord` and
`AskName` from the edges, answers. Sends: `Lookup`, `History` and `RegisterAsk` requests. Owns nothing: words, or a
link, decide whose record it is that was found. A name is asked for with a key that nobody has: the node answers with a
challenge that is left unanswered, or refuses; it stores nothing either way, and reserves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from usernym.actors.base import Actor, Ref
from usernym.actors.lookup.finding_messages import AskName, FindingInbox, FindRecord, FoundRecord
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
from usernym.protocol.limits import HASH_BYTES, REQUEST_ID_BYTES, SURBS_REQUEST
from usernym.protocol.records import KeyRecord, Succession, verify_chain, verify_record_in_chain
from usernym.protocol.signing import SigningKey

QUESTIONS_MAX: Final = 128
"""Names in question at once. Somebody who types gives up on a name with each letter, and an unanswered question is
asked for 35 seconds: three letters a second, and some."""

_REFUSES_NAMES: Final = frozenset(code for code in Code if code.name.startswith("NAME_"))


@dataclass(slots=True)
class _Search:
    answers: list[Future[FoundRecord]] = field(default_factory=list)
    record: KeyRecord | None = None
    links: list[Succession] = field(default_factory=list)


class FindingClient(Actor[FindingInbox]):
    """Finds names' records and chains, verified, and asks for free names; many at a time, and each name once."""

    name = "finding"

    def __init__(
        self,
        runtime: Runtime,
        on_failed: Callable[[str, BaseException], None],
        *,
        node: bytes,
        io: Ref[Any],
        self_ref: Ref[Any],
    ) -> None:
        super().__init__(runtime, on_failed)
        self._runtime = runtime
        self._node = node
        self._io = io
        self._self = self_ref
        self._searches: dict[str, _Search] = {}
        self._asked: dict[str, list[Future[Code | None]]] = {}

    def receive(self, message: FindingInbox) -> None:
        """Handle one message."""
        match message:
            case FindRecord(name, answer):
                self._find(name, answer)
            case AskName(name, answer):
                self._ask_name(name, answer)
            case AnswerArrived(m.RegisterAsk(name=name), answered):
                self._on_word(name, answered)
            case AnswerArrived(m.Lookup(name=name) | m.History(name=name), answered):
                self._on_found(name, answered)
            case RequestFailed(m.RegisterAsk(name=name), failure):
                self._fail(self._asked.pop(name, []), NodeSilent(failure))
            case RequestFailed(m.Lookup(name=name) | m.History(name=name), failure):
                self._end_search(name, NodeSilent(failure))
            case _:
                super().receive(message)

    def _full(self) -> bool:
        return len(self._searches) + len(self._asked) >= QUESTIONS_MAX

    def _send(self, request: m.Request) -> None:
        self._io.tell(SendRequest(request, self._self))

    def _request_id(self) -> bytes:
        return self._runtime.random_bytes(REQUEST_ID_BYTES)

    # -- is it free? --

    def _ask_name(self, name: str, answer: Future[Code | None]) -> None:
        if name in self._asked:
            self._asked[name].append(answer)
        elif self._full():
            self._fail([answer], NodeSilent(Failure.TOO_MANY))
        else:
            self._asked[name] = [answer]
            nobody = SigningKey.from_seed(self._runtime.random_bytes(32)).public
            no_record = self._runtime.random_bytes(HASH_BYTES)
            self._send(m.RegisterAsk(self._request_id(), SURBS_REQUEST, name, nobody, no_record))

    def _on_word(self, name: str, word: m.Answer) -> None:
        answers = self._asked.pop(name, [])
        if isinstance(word, m.Refused):
            refused = _known_code(word.code)
            if refused not in _REFUSES_NAMES:
                self._fail(answers, NodeRefused(refused, word.detail))
                return
        else:
            refused = None
        for answer in answers:
            if not answer.done():
                answer.set_result(refused)

    # -- whose is it? --

    def _find(self, name: str, answer: Future[FoundRecord]) -> None:
        if name in self._searches:
            self._searches[name].answers.append(answer)
        elif self._full():
            self._fail([answer], NodeSilent(Failure.TOO_MANY))
        else:
            self._searches[name] = _Search([answer])
            self._send(m.Lookup(self._request_id(), SURBS_REQUEST, name))

    def _on_found(self, name: str, found: m.Answer) -> None:
        search = self._searches.get(name)
        if search is None:
            return
        match found:
            case m.Found(record=record):
                search.record = record
                self._send(m.History(self._request_id(), SURBS_REQUEST, name, 0))
            case m.Links(links=links, total=total):
                search.links.extend(links)
                if links and len(search.links) < total:
                    self._send(m.History(self._request_id(), SURBS_REQUEST, name, len(search.links)))
                else:
                    self._judge(name, search)
            case m.Refused(code=code, detail=detail):
                self._end_search(name, NodeRefused(_known_code(code), detail))
            case _:
                raise RemoteProtocolError(Code.UNEXPECTED, "an answer that does not fit")

    def _judge(self, name: str, search: _Search) -> None:
        record, chain = search.record, tuple(search.links)
        if record is None:
            return
        try:
            verify_chain(self._node, name, chain)
            verify_record_in_chain(self._node, name, chain, record)
        except RemoteProtocolError as error:
            self.refuse(error)
            self._end_search(name, NodeRefused(error.code))
            return
        for answer in self._searches.pop(name).answers:
            if not answer.done():
                answer.set_result(FoundRecord(record, chain))

    def _end_search(self, name: str, why: Exception) -> None:
        search = self._searches.pop(name, None)
        self._fail([] if search is None else search.answers, why)

    @staticmethod
    def _fail(answers: list[Future[Any]], why: Exception) -> None:
        for answer in answers:
            if not answer.done():
                answer.set_exception(why)


def _known_code(code: int) -> Code:
    return Code(code) if code in Code._value2member_map_ else Code.UNEXPECTED
