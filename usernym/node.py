"""A discovery node: `with usernym.Node.open(home, mixnet=...) as node: print(node.card())`."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from usernym._version import __version__
from usernym.actors.failures import why_stopped
from usernym.actors.graphs import NodeGraph, node_graph
from usernym.actors.messages import Drain
from usernym.actors.node_clock import NodeClock
from usernym.actors.node_context import NodeContext
from usernym.actors.runtime import ThreadRuntime
from usernym.directory_export import ExportedLog, export_log
from usernym.errors import Closed, GraphFailed, NotReady, SettingsError
from usernym.logger import logger
from usernym.mixnet.transport import Transport
from usernym.mixnets import node_transport
from usernym.node_witnesses import WitnessStatus, exchange
from usernym.protocol.cards import NodeCard, card_text
from usernym.protocol.limits import SEED_BYTES, WORK_BITS_MIN
from usernym.protocol.signing import SigningKey
from usernym.settings import NODE_STORE_NAME
from usernym.storage.backup import check_finished
from usernym.storage.errors import StorageError, StoreBusy
from usernym.storage.locks import Home, hold_file
from usernym.storage.node.head_mark import FileMark
from usernym.storage.node.store import NodeStore
from usernym.storage.node.witnesses import WITNESS_MARK_NAME
from usernym.timers import ThreadTimers

STORE_NAME: Final = "node.db"
DRAIN_LOOK_S: Final = 0.1
"""How often a worker that is drained looks whether its users have gone."""
POSTGRES_SCHEMES: Final = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What an operator may see: counters and depths, never a name."""

    mixnet_up: bool
    """Whether the mixnet client is there."""
    mixnet_problem: str = field(default="", kw_only=True)
    """Why the mixnet client is not there, as far as it is known; empty while it is."""
    accounts: int
    """Accounts that are registered."""
    messages_waiting: int
    """Messages in all mailboxes."""
    message_bytes_waiting: int = 0
    """The bytes of these messages."""
    notices_waiting: int = 0
    """Notices to senders (of expiry, of a message that could not be opened) that were not fetched yet."""
    requests_remembered: int = 0
    """Requests whose repetition would be recognised."""
    routes: int = 0
    """Users logged in, as far as the node knows."""
    work_bits: int = 0
    """What a registration costs now: zero bits of its proof of work."""
    inboxes: dict[str, int] = field(default_factory=dict)
    """Messages that wait in each actor's inbox."""
    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    """Each actor's counters, by the actor's name."""
    version: str = field(default=__version__, kw_only=True)
    """This program's."""
    store_bytes: int = field(default=0, kw_only=True)
    """The store on the disk, with SQLite's write-ahead log."""
    disk_free_bytes: int = field(default=0, kw_only=True)
    """What this user may still write on the home's file system."""


class Node:
    """A running node. `Node.open` starts one; `close`, or leaving its context, ends it.

    Its methods may be called from any thread.
    """

    def __init__(self, home: Path, on_mixnet: Callable[[str | None], None]) -> None:
        """For `open`."""
        self._home = home
        self._tell_mixnet = on_mixnet
        self._card: Future[NodeCard] = Future()
        self._newest: NodeCard | None = None
        self._mixnet_problem: str | None = None
        self._ends: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._undo = contextlib.ExitStack()
        self._store: NodeStore | None = None
        self._graph: NodeGraph | None = None

    @classmethod
    def open(
        cls,
        home: str | os.PathLike[str],
        *,
        mixnet: str | Transport,
        store: str | None = None,
        former_mixnets: Sequence[str | Transport] = (),
        work_bits: int = WORK_BITS_MIN,
        on_mixnet: Callable[[str | None], None] = lambda _problem: None,
    ) -> Self:
        """Open the folder `home`, which only this node then holds, or make it; and start the node.

        mixnet: a mixnet client as on the command line (`nym`, `ws://127.0.0.1:1977`), or a transport, which is closed
            with the node.
        store: the node's database in PostgreSQL, as a URL (`postgresql://…`); without it, a file in `home`.
        former_mixnets: mixnet clients to keep listening on after the node moved. Clients that use an old address are
            served, and sent the new card.
        work_bits: the least work that a registration costs, in zero bits of its proof.
        on_mixnet: called on an actor's thread with the reason why there is no mixnet client, each time the reason is
            another one; and with None when there is one.

        Raises `SettingsError`: an invalid mixnet or store. `StorageError`: the home, or the store, can't be used
        (`HomeInUse`, `StoreUnreachable`, `UnsafeServer`, …).
        """
        folder = Path(home)
        node = cls(folder, on_mixnet)
        transport = node_transport(mixnet, former_mixnets, folder)
        check_store(folder, store)
        with contextlib.ExitStack() as undo:
            undo.enter_context(Home(folder, "node"))
            node_store = undo.enter_context(opened_store(folder, store))
            key = SigningKey.from_seed(node_store.profile.identity_seed(os.urandom(SEED_BYTES)))
            timers = ThreadTimers()
            undo.callback(timers.close)
            runtime = ThreadRuntime(timers)
            clock = NodeClock(runtime, node_store)
            marks = FileMark(folder), FileMark(folder, WITNESS_MARK_NAME)
            context = NodeContext(runtime, node._on_failed, node_store, clock, *marks, key)
            node._graph = node_graph(
                context, transport, on_card=node._on_card, work_bits=work_bits, on_mixnet=node._on_mixnet
            )
            undo.callback(node._leave, node_store)
            undo.callback(node._graph.stop)
            node._store, node._undo = node_store, undo.pop_all()
        return node

    @staticmethod
    def _leave(store: NodeStore) -> None:
        """The others see at once that this worker is gone; if that fails, after two minutes."""
        with contextlib.suppress(StorageError):
            store.workers.leave()

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
        self._ends.put(why_stopped("node", actor, error))

    def card(self, timeout: float | None = None) -> str:
        """The node's card, a line of text, once its mixnet client is up. Raises `NotReady` after `timeout` seconds."""
        try:
            first = self._card.result(timeout)
        except FutureTimeout:
            raise NotReady("the node has no mixnet client yet: is the mixnet running?") from None
        return card_text(self._newest or first)

    def wait(self) -> None:
        """Wait until `stop` or `close` is called from elsewhere. Raises `GraphFailed` if an actor fails."""
        failure = self._ends.get()
        if failure:
            raise GraphFailed(failure)

    def stop(self) -> None:
        """Make `wait` return; may be called from a signal handler."""
        self._ends.put("")

    def status(self, timeout: float = 5.0) -> NodeStatus:
        """Counters and depths. Raises `NotReady` if an actor does not answer in time, `Closed` after `close`."""
        graph, store = self._graph, self._store
        if graph is None or store is None:
            raise Closed("the node is closed")
        end = time.monotonic() + timeout
        inboxes = graph.backlogs()
        try:
            counters = {
                name: answer.result(max(0.0, end - time.monotonic())) for name, answer in graph.inquire().items()
            }
        except FutureTimeout:
            raise NotReady("the node is busy") from None
        counts = store.counts()
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
            store_bytes=store.database.size(),
            disk_free_bytes=_free(self._home),
        )

    def drain(self, timeout: float = 60.0) -> int:
        """Send the users to the node's other workers, and `stop` when they have gone, or after `timeout` seconds.

        It stops at once if there is no other worker that takes them. Returns how many were left, as far as is known.
        Raises `SettingsError` for a node that has one process, and `Closed`.
        """
        graph, store = self._graph, self._store
        if graph is None or store is None:
            raise Closed("the node is closed")
        if not store.workers.shared:
            raise SettingsError("this node has one process: there is no other one for its users")
        graph.registration.tell(Drain())
        end, left = time.monotonic() + timeout, 0
        with contextlib.suppress(FutureTimeout):  # an actor may wait for the database
            while left := graph.forwarding.inquire().result(max(0.0, end - time.monotonic())).get("routes", 0):
                if time.monotonic() >= end or not _has_others(store):
                    break
                time.sleep(DRAIN_LOOK_S)
        self.stop()
        return left

    def export_log(self, folder: str | os.PathLike[str]) -> ExportedLog:
        """Write what `folder` does not have yet of the directory's log, for a web server to serve.

        Raises `Closed` after `close`, and `StorageError`s: `LogRolledBack` if the store is older than what the node has
        signed.
        """
        if self._store is None:
            raise Closed("the node is closed")
        return export_log(self._store, FileMark(self._home), Path(folder))

    def exchange_signatures(self, card: str, *, remove: bool = False, check: bool = False) -> list[WitnessStatus]:
        """Sign the heads of the log of the node with this card, and ask it to sign this node's; or, with `remove`, end
        that. With `check`, that log is read and checked before it is signed. Returns all such nodes; with an empty card
        it does nothing else.

        Raises `SettingsError` for what is no card of another node, `StorageError` where the store can't be written, and
        `Closed`.
        """
        if self._store is None:
            raise Closed("the node is closed")
        return exchange(self._store, card, remove=remove, check=check)

    def close(self) -> None:
        """Stop the actors, close the store, release the home. Closing twice is harmless."""
        with self._closing:
            self._graph = self._store = None
            self._undo.close()
        self.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _has_others(store: NodeStore) -> bool:
    """Whether other workers take logins; they may while the database is away."""
    try:
        return store.workers.others() > 0
    except StoreBusy:
        return True


def check_store(home: Path, store: str | None) -> None:
    """Raise `SettingsError` unless a node in this home may have that store: it would be another node in another one."""
    moved = (home / NODE_STORE_NAME).exists()
    if store is not None:
        check_url(store)
    elif moved and not (home / STORE_NAME).exists():
        raise SettingsError(f"the node in {home} has its store in PostgreSQL: name it (--store)")
    if moved and (home / STORE_NAME).exists():
        raise SettingsError(
            f"a move of the node in {home} was cut short, and both its stores are whole: remove one of {STORE_NAME} and"
            f" {NODE_STORE_NAME} there"
        )
    if store is not None and (home / STORE_NAME).exists():
        raise SettingsError(f"the node in {home} has its store there: move it first (usernym node move --to URL)")


def check_url(store: str) -> None:
    """Raise `SettingsError` unless this names a database."""
    if not store.startswith(POSTGRES_SCHEMES):
        raise SettingsError("a store is named as postgresql://…; without --store it is a file in the home")


@contextlib.contextmanager
def opened_store(home: Path, url: str | None, *, alone: bool = False) -> Iterator[NodeStore]:
    """The store of the node in this home. A file is only this process's then; a database is, if `alone`."""
    with contextlib.ExitStack() as undo:
        if url is None:
            check_finished(home / STORE_NAME)
            undo.enter_context(hold_file(home / STORE_NAME))
        store = NodeStore.open(home / STORE_NAME) if url is None else NodeStore.connect(url, alone=alone)
        undo.callback(store.close)
        yield store


def _free(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
