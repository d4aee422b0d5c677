"""Finding what the node has under a name, and asking whether a name is free: without an identity, and pinning nothing.

Serves docs/protocol.md, "Lookup", "History" and "Registration and login" (its first step). Receives: `FindRecord` and
`AskName` from the edges, answers. Sends: `Lookup` (with proof), `History` and `RegisterAsk` requests. Owns nothing:
words, or a link, decide whose record it is that was found. A name is asked for with a key that no one has: the node
answers with a challenge that is left unanswered, or refuses; it stores nothing either way, and reserves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final, assert_never

from usernym.actors.base import Actor, Tellable, fail, resolve
from usernym.actors.failures import Failure, NodeRefused, NodeSilent
from usernym.actors.lookup.chain_fetch import ChainFetch
from usernym.actors.messages import (
    AnswerArrived,
    AskName,
    FindRecord,
    FoundRecord,
    NameFinderInbox,
    RequestFailed,
    SendRequest,
    WorkWanted,
)
from usernym.actors.runtime import Runtime
from usernym.protocol import messages as m
from usernym.protocol.errors import Code, LocalProtocolError, RemoteProtocolError
from usernym.protocol.limits import HASH_BYTES, REQUEST_ID_BYTES, SURBS_REQUEST
from usernym.protocol.signing import SigningKey

QUESTIONS_MAX: Final = 128
"""Names in question at once. A person who types leaves a name with each letter, and an unanswered question is asked for
35 seconds: three letters a second, and some."""

_REFUSES_NAMES: Final = frozenset(code for code in Code if code.name.startswith("NAME_"))


class NameFinder(Actor[NameFinderInbox]):
    """Finds names' records and chains, verified, and asks for free names; many at a time, and each name once."""

    name = "finder"

    def __init__(
        self,
        runtime: Runtime,
        on_failed: Callable[[str, BaseException], None],
        *,
        node: bytes,
        io: Tellable[SendRequest],
    ) -> None:
        super().__init__(runtime, on_failed)
        self._runtime = runtime
        self._io = io
        self._fetch: ChainFetch[Future[FoundRecord]] = ChainFetch(
            node, self._request_id, QUESTIONS_MAX, wants_proof=lambda _name: True
        )
        self._asked: dict[str, list[Future[Code | None]]] = {}

    def receive(self, message: NameFinderInbox) -> None:
        match message:
            case FindRecord(name, found):
                self._find(name, found)
            case AskName(name, free):
                self._ask_name(name, free)
            case AnswerArrived(request, answered, frame):
                self._on_answer(request, answered, frame)
            case RequestFailed(request, failure):
                self._on_failure(request, failure)
            case WorkWanted():
                self._fetch.work(message, self.tell_self, self._send)
            case _:
                assert_never(message)

    def _on_answer(self, request: m.Request, answer: m.Answer, frame: bytes) -> None:
        match request:
            case m.RegisterAsk(name=name):
                self._on_word(name, answer)
            case m.Lookup(name=name) | m.History(name=name):
                self._on_found(name, answer, frame)
            case _:
                raise LocalProtocolError(Code.UNEXPECTED, "an answer to a request that this actor does not send")

    def _on_failure(self, request: m.Request, failure: Failure) -> None:
        match request:
            case m.RegisterAsk(name=name):
                _fail_all(self._asked.pop(name, []), NodeSilent(failure))
            case m.Lookup(name=name) | m.History(name=name):
                _fail_all(self._fetch.end(name), NodeSilent(failure))
            case _:
                raise LocalProtocolError(Code.UNEXPECTED, "an answer to a request that this actor does not send")

    def _send(self, request: m.Request) -> None:
        self._io.tell(SendRequest(request, self.own_ref, unlinked=True))

    def _request_id(self) -> bytes:
        return self._runtime.random_bytes(REQUEST_ID_BYTES)

    # -- is it free? --

    def _ask_name(self, name: str, answer: Future[Code | None]) -> None:
        if name in self._asked:
            self._asked[name].append(answer)
        elif self._fetch.is_full(beside=len(self._asked)):
            fail(answer, NodeSilent(Failure.TOO_MANY))
        else:
            self._asked[name] = [answer]
            unused = SigningKey.from_seed(self._runtime.random_bytes(32)).public
            no_record = self._runtime.random_bytes(HASH_BYTES)
            self._send(m.RegisterAsk(self._request_id(), SURBS_REQUEST, name, unused, no_record))

    def _on_word(self, name: str, word: m.Answer) -> None:
        answers = self._asked.pop(name, [])
        if isinstance(word, m.Refused):
            refused = Code.known(word.code)
            if refused not in _REFUSES_NAMES:
                _fail_all(answers, NodeRefused(refused, word.detail))
                return
        else:
            refused = None
        for answer in answers:
            resolve(answer, refused)

    # -- whose is it? --

    def _find(self, name: str, answer: Future[FoundRecord]) -> None:
        others = self._fetch.waiting(name)
        if others:
            others.append(answer)
        elif self._fetch.is_full(beside=len(self._asked)):
            fail(answer, NodeSilent(Failure.TOO_MANY))
        else:
            self._send(self._fetch.start(name, answer))

    def _on_found(self, name: str, answer: m.Answer, frame: bytes) -> None:
        try:
            match self._fetch.take(name, answer, frame):
                case m.Lookup() | m.History() as request:
                    self._send(request)
                case WorkWanted() as wanted:
                    self.tell_self(wanted)
                case FoundRecord() as found:
                    for waiting in self._fetch.end(name):
                        resolve(waiting, found)
                case m.Absent():
                    _fail_all(self._fetch.end(name), NodeRefused(Code.NO_SUCH_USER, proved=True))
                case m.Refused(code=code, detail=detail):
                    _fail_all(self._fetch.end(name), NodeRefused(Code.known(code), detail))
        except RemoteProtocolError as error:
            self.refuse(error)
            _fail_all(self._fetch.end(name), NodeRefused(error.code))


def _fail_all(answers: Sequence[Future[Any]], why: Exception) -> None:
    for answer in answers:
        fail(answer, why)
