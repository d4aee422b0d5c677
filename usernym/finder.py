"""Asking a node without a home: `with usernym.Finder.open(node=card, mixnet="nym") as finder:`.

For a form in which a person chooses a name, for restoring an identity by its recovery words, and for an audit. Nothing
is stored, and nothing logs in.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self, TypeVar

from usernym.actors.base import fail, resolve
from usernym.actors.failures import Failure, NodeRefused, NodeSilent, why_stopped
from usernym.actors.graphs import FinderGraph, finder_graph
from usernym.actors.messages import AnswerArrived, AskName, FindRecord, FoundRecord, RequestFailed, SendRequest
from usernym.actors.runtime import ThreadRuntime
from usernym.errors import Closed, GraphFailed
from usernym.logger import logger
from usernym.mixnet.transport import Transport
from usernym.mixnets import parse_mixnet
from usernym.protocol import messages as m
from usernym.protocol.answers import verify_shown
from usernym.protocol.cards import NodeCard, parse_card
from usernym.protocol.directory.checkpoints import LogHead
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import REQUEST_ID_BYTES, SEED_BYTES, SURBS_REQUEST
from usernym.protocol.names import canonical, check_registrable
from usernym.protocol.signing import SigningKey
from usernym.timers import ThreadTimers

T = TypeVar("T")

TIMEOUT_S: Final = 60.0
"""The default `timeout`: three unanswered tries of a request take 35
seconds, and eight silent addresses 50."""
FIND_AGAIN_S: Final = 0.2
"""Between tries, while the mixnet may still be starting."""
FREE_NAME_BYTES: Final = 15
"""Of chance in a name that no one has; in hexadecimal digits behind a letter it is as long as a name may be."""


class NameVerdict(StrEnum):
    """Whether a new user can have a name."""

    FREE = "free"
    NOT_ALLOWED = "not allowed"
    TAKEN = "taken"
    LOOKS_ALIKE = "looks like a taken one"
    HELD = "held for the one who deleted it"


_VERDICTS: Final = {
    Code.NAME_TAKEN: NameVerdict.TAKEN,
    Code.NAME_LOOKS_ALIKE: NameVerdict.LOOKS_ALIKE,
    Code.NAME_HELD: NameVerdict.HELD,
}


@dataclass(frozen=True, slots=True)
class NameState:
    """Whether a name can be registered: by the rules alone, or by the node's answer of this moment."""

    name: str
    """In canonical form, if it has one; else as it was typed, without the white space around it."""
    verdict: NameVerdict
    """The answer, for people."""
    reason: Code | None
    """Why it can't be registered; None if it is free."""

    @property
    def free(self) -> bool:
        """Whether it could be registered now. Nothing is reserved: another user may be faster."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class HeadShown:
    """A head that the node has signed, and the signatures of other nodes to it, which have not been checked."""

    head: LogHead
    signature: bytes
    cosignatures: bytes


@dataclass(frozen=True, slots=True)
class _Asker:
    """Where the answer to a request goes."""

    answer: Future[m.Answer]

    def tell(self, message: AnswerArrived | RequestFailed) -> None:
        """In the thread of mixnet I/O."""
        match message:
            case AnswerArrived(_, answer):
                resolve(self.answer, answer)
            case RequestFailed(_, failure):
                fail(self.answer, NodeSilent(failure))


def name_rules(typed: str) -> NameState | str:
    """The name in canonical form, or why no node would register it."""
    name = typed.strip()
    try:
        name = canonical(typed)
        check_registrable(name)
    except RemoteProtocolError as error:
        return NameState(name, NameVerdict.NOT_ALLOWED, error.code)
    return name


class Finder:
    """Asks one node. `Finder.open` starts one; `close`, or leaving its context, ends it.

    Its methods may be called from any thread, several at a time. They share one connection to the mixnet, which is free
    for a `Client` when `close` has returned.
    """

    def __init__(self, node: bytes) -> None:
        """For `open`. `node` is the node's identity."""
        self._node = node
        self._lock = threading.Lock()
        self._closing = threading.Lock()
        self._ended: Future[None] = Future()
        self._mixnet_up = False
        self._undo = contextlib.ExitStack()
        self._graph: FinderGraph

    @classmethod
    def open(cls, *, node: str | NodeCard, mixnet: str | Transport) -> Self:
        """Start a finder.

        node: the node's card.
        mixnet: a mixnet client as for `Client.open`; one in this process keeps its identity in memory only.

        Raises `SettingsError`: an invalid mixnet. `RemoteProtocolError`: an invalid card.
        """
        card = parse_card(node) if isinstance(node, str) else node
        finder = cls(card.node)
        transport = parse_mixnet(mixnet).transport(None) if isinstance(mixnet, str) else mixnet
        unnamed = SigningKey.from_seed(os.urandom(SEED_BYTES))  # signs nothing here
        with contextlib.ExitStack() as undo:
            timers = ThreadTimers()
            undo.callback(timers.close)
            finder._graph = finder_graph(
                ThreadRuntime(timers),
                transport,
                card,
                unnamed,
                on_failed=finder._on_failed,
                on_mixnet=finder._on_mixnet,
            )
            undo.callback(finder._graph.stop)
            finder._undo = undo.pop_all()
        return finder

    def name_state(self, name: str, timeout: float = TIMEOUT_S) -> NameState:
        """Whether a new user could register `name`, as it was typed. What the rules forbid is answered at once.

        Costs a packet each way. Raises `NodeSilent` without an answer in time, `NodeRefused` if the node is too busy.
        """
        found = name_rules(name)
        if isinstance(found, NameState):
            return found
        refused: Code | None = self._ask(lambda answer: self._graph.finder.tell(AskName(found, answer)), timeout)
        if refused is None:
            return NameState(found, NameVerdict.FREE, None)
        return NameState(found, _VERDICTS.get(refused, NameVerdict.NOT_ALLOWED), refused)

    def look_up(self, name: str, timeout: float = TIMEOUT_S) -> FoundRecord:
        """What the node has under `name`: its record and the chain of its identities, verified, but not kept.

        `log_size` is the size of the log that was shown to have the identity, or None. Costs a packet, and two that
        come; and for the chain one each way for each five identities. Raises `RemoteProtocolError`: an invalid name.
        `NodeRefused`: NO_SUCH_USER and others. `NodeSilent`.
        """
        name = canonical(name)
        return self._ask(lambda answer: self._graph.finder.tell(FindRecord(name, answer)), timeout)

    def log_head(self, timeout: float = TIMEOUT_S) -> HeadShown:
        """The newest head of the log of the node's directory, by a lookup with proof of a name that no one has.

        Costs a packet, and two that come. Raises `NodeSilent`; `NodeRefused`: NO_SUCH_USER where no head is shown, and
        PROOF_INVALID.
        """
        name = f"a{os.urandom(FREE_NAME_BYTES).hex()}"
        answer = self._request(lambda request_id: m.Lookup(request_id, SURBS_REQUEST, name, 1), timeout)
        if not isinstance(answer, m.Proved | m.Absent):
            raise NodeRefused(Code.UNEXPECTED)
        try:
            head = verify_shown(self._node, answer)
        except RemoteProtocolError as error:
            raise NodeRefused(error.code) from None
        return HeadShown(head, answer.proof.head_signature, answer.cosignatures)

    def log_part(self, epoch: int, offset: int, timeout: float = TIMEOUT_S) -> bytes:
        """What that log has from a byte of an epoch on, as `LogPart` has it; nothing behind its end, and unchecked.

        Costs a packet each way. Raises `NodeSilent`, `NodeRefused`.
        """
        answer = self._request(lambda request_id: m.LogRead(request_id, SURBS_REQUEST, epoch, offset), timeout)
        assert isinstance(answer, m.LogPart), "mixnet I/O takes no other answer"
        return answer.data

    def close(self) -> None:
        """Stop, and release the mixnet client; calls that wait raise `Closed`. Closing twice is harmless."""
        self._end(Closed("the finder is closed"))
        with self._closing:
            self._undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, question: Callable[[Future[T]], None], timeout: float) -> T:
        """Ask until it is answered, or time is over: the mixnet or the node may still be starting."""
        end = time.monotonic() + timeout
        while True:
            answer: Future[T] = Future()
            failure: Failure | None = None
            self._check_open()
            question(answer)
            either: tuple[Future[Any], ...] = (answer, self._ended)
            wait(either, max(0.0, end - time.monotonic()), FIRST_COMPLETED)
            if answer.done():
                try:
                    return answer.result()
                except NodeSilent as silent:
                    failure = silent.failure
                wait((self._ended,), min(FIND_AGAIN_S, max(0.0, end - time.monotonic())))
            self._check_open()
            if time.monotonic() >= end:
                raise NodeSilent(failure or (Failure.NO_ANSWER if self._mixnet_up else Failure.NO_MIXNET))

    def _request(self, make: Callable[[bytes], m.Request], timeout: float) -> m.Answer:
        """The node's answer to a request that is made with this id. Raises `NodeSilent`, `NodeRefused`."""

        def question(answer: Future[m.Answer]) -> None:
            request = make(os.urandom(REQUEST_ID_BYTES))
            self._graph.io.tell(SendRequest(request, _Asker(answer), unlinked=True))

        answer = self._ask(question, timeout)
        if isinstance(answer, m.Refused):
            raise NodeRefused(Code.known(answer.code), answer.detail)
        return answer

    def _check_open(self) -> None:
        if self._ended.done():
            self._ended.result()

    def _end(self, why: Exception) -> None:
        with self._lock:
            if not self._ended.done():
                self._ended.set_exception(why)

    def _on_mixnet(self, problem: str | None) -> None:
        self._mixnet_up = problem is None

    def _on_failed(self, actor: str, error: BaseException) -> None:
        logger.error("the finder stops: %s failed (%s)", actor, type(error).__name__)
        self._end(GraphFailed(why_stopped("finder", actor, error)))
