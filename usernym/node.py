"""A discovery node in one call: `with usernym.Node(home, mixnet=...) as node: print(node.card())`."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from usernym.actors.graphs import NodeGraph, node_graph
from usernym.actors.node_clock import NodeClock
from usernym.actors.node_context import NodeContext
from usernym.actors.runtime import ThreadRuntime
from usernym.logger import logger
from usernym.mixnet.transport import Transport
from usernym.mixnets import moving_transport
from usernym.protocol.cards import NodeCard, card_text
from usernym.protocol.limits import WORK_BITS_MIN
from usernym.protocol.signing import SigningKey
from usernym.storage.filelock import FileHold
from usernym.storage.home import Home
from usernym.storage.node.store import NodeStore
from usernym.timers import ThreadTimers

STORE_NAME: Final = "node.db"
SEED_BYTES: Final = 32


class GraphFailed(Exception):
    """An actor could not go on, and its graph stops. The text names the actor; the log has the cause."""


class Closed(GraphFailed):
    """It was closed while it was asked; what is on disk goes on when its home is opened again."""


class NotReady(TimeoutError):
    """It took longer than the caller would wait; the text says what was waited for."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What an operator may see: counters and depths, never a name."""

    mixnet_up: bool
    mixnet_problem: str = field(default="", kw_only=True)
    """Why the mixnet client is not there, as far as it is known; empty while it is."""
    accounts: int
    messages_waiting: int
    message_bytes_waiting: int = 0
    notices_waiting: int = 0
    requests_remembered: int = 0
    routes: int = 0
    """Users logged in, as far as the node knows."""
    work_bits: int = 0
    """What a registration costs now: zero bits of its proof of work."""
    inboxes: dict[str, int] = field(default_factory=dict)
    """Messages that wait in each actor's inbox."""
    counters: dict[str, dict[str, int]] = field(default_factory=dict)


class Node:
    """A running node; started by making it, stopped by `close` or by leaving its context.

    `home` is a folder that only this process holds; `mixnet` is as on the command line (`ws://127.0.0.1:1977`), or a
    transport. `former_mixnets` are those of before a move: whoever still writes to their addresses is answered, and
    told the new one. `on_mixnet` is told, on an actor's thread, why there is no mixnet client, each time that the
    reason is another; and None when there is one. Raises `StorageError` if the home can't be used, `SettingsError` for
    a mixnet that is none.
    """

    def __init__(
        self,
        home: str | os.PathLike[str],
        *,
        mixnet: str | Transport,
        former_mixnets: Sequence[str | Transport] = (),
        work_bits: int = WORK_BITS_MIN,
        on_mixnet: Callable[[str | None], None] = lambda _problem: None,
    ) -> None:
        transport = moving_transport(mixnet, former_mixnets, Path(home))
        self._card: Future[NodeCard] = Future()
        self._failed: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._newest: NodeCard | None = None
        self._mixnet_problem: str | None = None
        self._tell_mixnet = on_mixnet
        self._home = Home(Path(home), "node")
        self._home.__enter__()
        self._file = FileHold(Path(home) / STORE_NAME)
        self._timers = ThreadTimers()
        self._store: NodeStore | None = None
        self._graph: NodeGraph | None = None
        try:
            self._file.__enter__()
            self._store = NodeStore.open(Path(home) / STORE_NAME)
            key = SigningKey.from_seed(self._store.profile.identity_seed(os.urandom(SEED_BYTES)))
            self._store.close_thread()
            runtime = ThreadRuntime(self._timers)
            context = NodeContext(runtime, self._on_failed, self._store, NodeClock(runtime, self._store), key)
            self._graph = node_graph(
                context,
                transport,
                on_card=self._on_card,
                work_bits=work_bits,
                on_mixnet=self._on_mixnet,
            )
        except BaseException:
            self.close()
            raise

    def _on_card(self, card: NodeCard) -> None:
        self._newest = card
        if not self._card.done():
            self._card.set_result(card)

    def _on_mixnet(self, problem: str | None) -> None:
        before, self._mixnet_problem = self._mixnet_problem, problem
        if problem != before:
            self._tell_mixnet(problem)

    def _on_failed(self, actor: str, error: BaseException) -> None:
        logger.error("the node stops: %s failed (%s)", actor, type(error).__name__)
        self._failed.put(f"{actor}: {error}")

    def card(self, timeout: float | None = None) -> str:
        """The node's card as a line of text, once the node is up. Raises `NotReady` after `timeout` seconds."""
        try:
            first = self._card.result(timeout)
        except FutureTimeout:
            raise NotReady("the node has no mixnet client yet: is the mixnet running?") from None
        return card_text(self._newest or first)

    def wait(self) -> None:
        """Run until `stop` is called from elsewhere. Raises `GraphFailed` if an actor can't go on."""
        failed = self._failed.get()
        if failed:
            raise GraphFailed(f"the node can't go on: {failed}")

    def stop(self) -> None:
        """Make `wait` return; may be called from a signal handler."""
        self._failed.put("")

    def status(self, timeout: float = 5.0) -> NodeStatus:
        """Counters and depths. Raises `NotReady` if an actor does not answer in time."""
        assert self._graph is not None, "an open node has a graph"
        assert self._store is not None, "an open node has a store"
        end = time.monotonic() + timeout
        inboxes = self._graph.backlogs()
        try:
            counters = {
                name: answer.result(max(0.0, end - time.monotonic())) for name, answer in self._graph.inquire().items()
            }
        except FutureTimeout:
            raise NotReady("the node is busy") from None
        try:
            counts = self._store.counts()
        finally:
            self._store.close_thread()
        return NodeStatus(
            mixnet_up=counters["io"].pop("mixnet_up", 0) == 1,
            mixnet_problem=self._mixnet_problem or "",
            accounts=counts.accounts,
            messages_waiting=counts.messages,
            message_bytes_waiting=counts.message_bytes,
            notices_waiting=counts.notices,
            requests_remembered=counts.remembered,
            routes=counters["forwarding"].pop("routes", 0),
            work_bits=counters["registration"].pop("work_bits", 0),
            inboxes=inboxes,
            counters=counters,
        )

    def close(self) -> None:
        """Stop the actors, close the store, let go of the home. Closing twice is harmless."""
        graph, self._graph = self._graph, None
        if graph is not None:
            graph.stop()
        self._timers.close()
        store, self._store = self._store, None
        if store is not None:
            store.close()
        self._file.__exit__(None, None, None)
        self._home.__exit__(None, None, None)
        self.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
