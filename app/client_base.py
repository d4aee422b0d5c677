"""What a client's handle stands on: it takes the home, opens the store, runs the graph, and ends them in order."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from usernym.actors.client_context import ClientContext, Me
from usernym.actors.runtime import ThreadRuntime, logger
from usernym.event_hub import EventHub
from usernym.identity import create_identity
from usernym.mixnet.inprocess import ThreadTimers
from usernym.mixnet.transport import Transport
from usernym.mixnets import transport_to
from usernym.node import Closed, GraphFailed, NotReady
from usernym.protocol.cards import NodeCard, card_text, parse_card
from usernym.protocol.names import canonical
from usernym.protocol.signing import SigningKey
from usernym.settings import SettingsError
from usernym.storage.client import ClientStore
from usernym.storage.home import Home
from usernym.wiring import Graph, client_graph

T = TypeVar("T")

TIMEOUT_S: Final = 60.0
"""The default patience: three unanswered tries of a request take 35 seconds."""


class ClientBase:
    """Starting, stopping, and the ways to the actors and the store; see `Client`."""

    def __init__(
        self,
        home: str | os.PathLike[str],
        *,
        name: str | None = None,
        node: str | NodeCard | None = None,
        mixnet: str | Transport | None = None,
        passphrase: str | None = None,
        unprotected: bool = False,
        accept_strangers: bool = True,
    ) -> None:
        self._hub = EventHub()
        self._failed: str | None = None
        self._graph: Graph | None = None
        self._store: ClientStore | None = None
        self._timers = ThreadTimers()
        self._lock = threading.Lock()
        self.recovery_words: str | None = None
        self._home = Home(Path(home), "client")
        self._home.__enter__()
        try:
            self._store = ClientStore.open(Path(home), passphrase=passphrase, unprotected=unprotected)
            self._set_up(name, node, mixnet)
            self._start(mixnet, accept_strangers)
        except BaseException:
            self.close()
            raise

    # -- starting and stopping --

    def _set_up(self, name: str | None, node: str | NodeCard | None, mixnet: str | Transport | None) -> None:
        store = self._open_store
        card = parse_card(node) if isinstance(node, str) else node
        wanted = None if name is None else canonical(name)
        if not store.has_identity():
            if wanted is None or card is None or mixnet is None:
                raise SettingsError("a new home needs a name, a node's card and a mixnet")
            self.recovery_words = create_identity(store, wanted, card, os.urandom, int(time.time()))
        identity = store.identity()
        if wanted is not None and wanted != identity.name:
            raise SettingsError("this home belongs to another name; choose another home")
        if card is not None:
            known = store.setting("node_card")
            if known is not None and parse_card(known.decode()).node != card.node:
                raise SettingsError("this home is registered at another node; choose another home")
            if known is None or parse_card(known.decode()).sequence < card.sequence:
                store.set_setting("node_card", card_text(card).encode())
        if isinstance(mixnet, str):
            store.set_setting("mixnet", mixnet.encode())

    def _start(self, mixnet: str | Transport | None, accept_strangers: bool) -> None:
        store = self._open_store
        identity = store.identity()
        card = parse_card(_text(store.setting("node_card")))
        self._node = card.node
        self.name = identity.name
        self._key = SigningKey.from_seed(identity.seed)
        transport = (
            transport_to(_text(store.setting("mixnet")), self._home.folder)
            if mixnet is None or isinstance(mixnet, str)
            else mixnet
        )
        context = ClientContext(
            ThreadRuntime(self._timers),
            self._on_failed,
            self._hub.publish,
            store,
            Me(identity.name, self._key, card.node),
            accept_strangers,
        )
        self._graph = client_graph(context, transport, card)

    @property
    def _open_store(self) -> ClientStore:
        if self._store is None:
            raise Closed("the client is closed")
        return self._store

    def _on_failed(self, actor: str, error: BaseException) -> None:
        self._failed = f"{actor}: {error}"
        logger.error("the client stops: %s failed (%s)", actor, type(error).__name__)
        self._hub.close()

    def close(self) -> None:
        """Stop the actors, close the store, let go of the home. Closing twice is harmless."""
        with self._lock:
            graph, self._graph = self._graph, None
            store, self._store = self._store, None
        if graph is not None:
            graph.stop()
        self._timers.close()
        self._hub.close()
        if store is not None:
            store.close()
        self._home.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- telling actors --

    def _tell(self, actor: str, message: Any) -> None:
        graph = self._graph
        if self._failed is not None:
            raise GraphFailed(f"the client can't go on: {self._failed}")
        if graph is None:
            raise Closed("the client is closed")
        graph.refs[actor].tell(message)

    def _ask(self, actor: str, command: Callable[[Future[T]], Any], timeout: float, what: str) -> T:
        answer: Future[T] = Future()
        self._tell(actor, command(answer))
        try:
            return answer.result(timeout)
        except FutureTimeout:
            raise NotReady(f"{what} took longer than {timeout:g} seconds; it goes on in this process") from None

    def _with_store(self, read: Callable[[ClientStore], T]) -> T:
        store = self._open_store
        try:
            return read(store)
        finally:
            store.close_thread()


def _text(setting: bytes | None) -> str:
    if setting is None:
        raise SettingsError("this home does not know its node and mixnet: name them once more")
    return setting.decode()
