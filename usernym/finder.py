"""Asking a node about names before there is a home: `with usernym.Finder(node=card, mixnet="ws://…") as finder:`.

For a form in which a person types their first name, and for whoever comes back with recovery words. Nothing is stored,
and nobody is logged in.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from usernym.actors.failures import Failure, NodeSilent
from usernym.actors.graphs import finder_graph
from usernym.actors.messages import AskName, FindRecord, FoundRecord, NameFinderInbox
from usernym.actors.runtime import ThreadRuntime
from usernym.logger import logger
from usernym.mixnet.transport import Transport
from usernym.mixnets import transport_to
from usernym.node import Closed, GraphFailed
from usernym.protocol.cards import NodeCard, parse_card
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.names import canonical, check_registrable
from usernym.protocol.signing import SigningKey
from usernym.timers import ThreadTimers

T = TypeVar("T")

TIMEOUT_S: Final = 60.0
"""The default patience: three unanswered tries of a request take 35 seconds."""
FIND_AGAIN_S: Final = 0.2
"""Between tries, while the mixnet may still be starting."""


class NameVerdict(StrEnum):
    """Whether somebody new can have a name."""

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
    """What is known of a name: by the rules alone, or by the node's word of this moment."""

    name: str
    """In its canonical form, if it has one; else as it was typed, without the white space around it."""
    verdict: NameVerdict
    reason: Code | None
    """Why it can't be had; None exactly if it is free."""

    @property
    def free(self) -> bool:
        """Whether it could be registered now. Nothing is reserved: somebody else may be faster."""
        return self.reason is None


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
    """Asks one node; started by making it, stopped by `close` or by leaving its context.

    `node` is its card; `mixnet` is as for `Client` (a Nym client in this process keeps its identity in memory only).
    Its methods may be called from any thread, several at a time, and share one connection to the mixnet, which is free
    for a `Client` when `close` has returned. Raises `SettingsError` for a mixnet, `RemoteProtocolError` for a card that
    is none.
    """

    def __init__(self, *, node: str | NodeCard, mixnet: str | Transport) -> None:
        card = parse_card(node) if isinstance(node, str) else node
        transport = transport_to(mixnet, None) if isinstance(mixnet, str) else mixnet
        self._lock = threading.Lock()
        self._ended: Future[None] = Future()
        self._mixnet_up = False
        self._timers = ThreadTimers()
        nobody = SigningKey.from_seed(os.urandom(32))
        runtime = ThreadRuntime(self._timers)
        self._graph = finder_graph(
            runtime, transport, card, nobody, on_failed=self._on_failed, on_mixnet=self._on_mixnet
        )

    def name_state(self, name: str, timeout: float = TIMEOUT_S) -> NameState:
        """Whether somebody new could register `name`, as it is typed. What the rules forbid is answered at once.

        Costs a packet each way, and the node no work worth mentioning. Raises `NodeSilent` without an answer in time,
        `NodeRefused` if the node has too much to do.
        """
        found = name_rules(name)
        if isinstance(found, NameState):
            return found
        refused: Code | None = self._ask(lambda answer: AskName(found, answer), timeout)
        if refused is None:
            return NameState(found, NameVerdict.FREE, None)
        return NameState(found, _VERDICTS.get(refused, NameVerdict.NOT_ALLOWED), refused)

    def look_up(self, name: str, timeout: float = TIMEOUT_S) -> FoundRecord:
        """What the node has under `name`: its record and the chain of its identities, verified, and pinned nowhere.

        Raises `RemoteProtocolError` for what is no name, `NodeRefused` (NO_SUCH_USER, …) or `NodeSilent`.
        """
        name = canonical(name)
        return self._ask(lambda answer: FindRecord(name, answer), timeout)

    def close(self) -> None:
        """Stop, and let go of the mixnet; whoever still waits gets `Closed`. Closing twice is harmless."""
        self._end(Closed("the finder is closed"))
        self._graph.stop()
        self._timers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, question: Callable[[Future[T]], NameFinderInbox], timeout: float) -> T:
        """Ask until it is answered, or time is over: the mixnet or the node may still be starting."""
        end = time.monotonic() + timeout
        while True:
            answer: Future[T] = Future()
            failure: Failure | None = None
            self._check_open()
            self._graph.finder.tell(question(answer))
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
        self._end(GraphFailed(f"the finder can't go on: {actor}: {error}"))
