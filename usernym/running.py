"""What a client's handle stands on: it takes the home, opens the store, runs the graph, and ends them in order."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from usernym.actors import messages as msg
from usernym.actors.base import Tellable
from usernym.actors.context import ClientContext, User
from usernym.actors.graphs import ClientGraph, client_graph
from usernym.actors.messages import FoundRecord
from usernym.actors.runtime import ThreadRuntime
from usernym.finder import TIMEOUT_S as TIMEOUT_S  # noqa: PLC0414 - every handle's patience, told on from here
from usernym.finder import Finder
from usernym.identity import Restore, create_identity, replace_identity, restore_identity
from usernym.logger import logger
from usernym.mixnet.reusable import KeptTransport
from usernym.mixnet.transport import Transport
from usernym.mixnets import transport_to
from usernym.node import Closed, GraphFailed, NotReady
from usernym.protocol.cards import NodeCard, card_text, parse_card
from usernym.protocol.names import canonical
from usernym.protocol.signing import SigningKey
from usernym.protocol.words import root_from_words
from usernym.settings import SettingsError
from usernym.storage.client.archive import Imported, export_archive, import_archive
from usernym.storage.client.store import ClientStore
from usernym.storage.home import Home
from usernym.subscriptions import EventHub
from usernym.timers import ThreadTimers

T = TypeVar("T")
C = TypeVar("C")


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
        restore: Restore | None = None,
    ) -> None:
        self._hub = EventHub()
        self._failed: str | None = None
        self._graph: ClientGraph | None = None
        self._kept: KeptTransport | None = None
        self._accept_strangers = accept_strangers
        self._store: ClientStore | None = None
        self._timers = ThreadTimers()
        self._lock = threading.Lock()
        self._want_online = False
        self._asking = threading.Lock()
        self._asked: set[Future[Any]] = set()
        self.recovery_words: str | None = None
        self._home = Home(Path(home), "client")
        self._home.__enter__()
        try:
            self._store = ClientStore.open(Path(home), passphrase=passphrase, unprotected=unprotected)
            self._set_up(name, node, mixnet, restore)
            self._start(mixnet)
        except BaseException:
            self.close()
            raise

    # -- starting and stopping --

    def _set_up(
        self, name: str | None, node: str | NodeCard | None, mixnet: str | Transport | None, restore: Restore | None
    ) -> None:
        store = self._open_store
        card = parse_card(node) if isinstance(node, str) else node
        wanted = None if name is None else canonical(name)
        if not store.profile.has_identity():
            if wanted is None or card is None or mixnet is None:
                raise SettingsError("a new home needs a name, a node's card and a mixnet")
            if restore is None:
                self.recovery_words = create_identity(store, wanted, card, os.urandom, int(time.time()))
            else:
                inner = transport_to(mixnet, self._home.folder) if isinstance(mixnet, str) else mixnet
                self._kept = KeptTransport(inner)
                self._restore(wanted, card, restore)
        elif restore is not None:
            raise SettingsError("this home has an identity already; choose another home to restore one")
        identity = store.profile.identity()
        if wanted is not None and wanted != identity.name:
            raise SettingsError("this home belongs to another name; choose another home")
        if card is not None:
            known = store.profile.setting("node_card")
            if known is not None and parse_card(known.decode()).node != card.node:
                raise SettingsError("this home is registered at another node; choose another home")
            if known is None or parse_card(known.decode()).sequence < card.sequence:
                store.profile.set_setting("node_card", card_text(card).encode())
        if isinstance(mixnet, str):
            store.profile.set_setting("mixnet", mixnet.encode())

    def _start(self, mixnet: str | Transport | None) -> None:
        if self._kept is None:
            self._kept = KeptTransport(
                transport_to(_text(self._open_store.profile.setting("mixnet")), self._home.folder)
                if mixnet is None or isinstance(mixnet, str)
                else mixnet
            )
        self._start_graph()

    def _start_graph(self) -> None:
        """The actors, as whoever the store says that the user is."""
        store, kept = self._open_store, self._kept
        assert kept is not None, "made before"
        identity = store.profile.identity()
        card = parse_card(_text(store.profile.setting("node_card")))
        self._node = card.node
        self.name = identity.name
        self._key = SigningKey.from_seed(identity.seed)
        context = ClientContext(
            ThreadRuntime(self._timers),
            self._on_failed,
            self._hub.publish,
            store,
            User(identity.name, self._key, card.node),
            self._accept_strangers,
        )
        self._graph = client_graph(context, kept.lend(), card)

    # -- passphrase and backup --

    def change_passphrase(self, old: str | None, new: str | None, *, unprotected: bool = False) -> None:
        """Protect the home by another passphrase; by none, if `unprotected` says that this is meant.

        A copy of the home that somebody made before still opens with the old one. Raises `WrongPassphrase`,
        `PassphraseNeeded` or `StoreUnprotected` (`StorageError`s) if `old` is not what opens it, and changes nothing.
        """
        self._with_store(lambda store: store.change_passphrase(old, new, unprotected=unprotected))

    def export_backup(self, folder: str | os.PathLike[str], passphrase: str) -> None:
        """Write contacts, pins and history into the new folder `folder`, encrypted; no identity, and no key.

        With the recovery words it makes a lost home whole. Raises `StorageError`, and leaves nothing half-made.
        """
        owner = self._node + self.name.encode()
        self._with_store(lambda store: export_archive(store, Path(folder), passphrase, owner))

    def import_backup(self, folder: str | os.PathLike[str], passphrase: str) -> Imported:
        """Add what a backup of this account holds to what is here. Returns how much was new.

        Doing so twice changes nothing. Raises `StorageError`: another account's, a wrong passphrase, …
        """
        owner = self._node + self.name.encode()
        imported = self._with_store(lambda store: import_archive(store, Path(folder), passphrase, owner))
        self._actors.forwarding.tell(msg.RequestsDecided())
        return imported

    # -- identities that exist --

    def _restore(self, name: str, card: NodeCard, restore: Restore) -> None:
        root_from_words(restore.words)  # before anybody is asked
        found = self._find(name, card, restore.timeout)
        bring = replace_identity if restore.replace else restore_identity
        bring(self._open_store, name, card, restore.words, found, os.urandom, int(time.time()))

    def _find(self, name: str, card: NodeCard, timeout: float) -> FoundRecord:
        """What the node has under a name. Raises `NodeRefused`, or `NodeSilent`. No graph may run meanwhile."""
        assert self._kept is not None, "made before"
        with Finder(node=card, mixnet=self._kept.lend()) as finder:
            return finder.look_up(name, timeout)

    def _rebuild(self, change: Callable[[], None]) -> None:
        """Stop the actors, let the identity change, and start them as whoever it is then."""
        with self._lock:
            graph, self._graph = self._graph, None
            if graph is None:
                raise Closed("the client is closed")
            graph.stop()
            try:
                change()
            finally:
                self._start_graph()
                if self._want_online:
                    self._actors.registration.tell(msg.GoOnline(Future()))

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
            kept, self._kept = self._kept, None
        if graph is not None:
            graph.stop()
        with self._asking:
            asked = tuple(self._asked)
        for answer in asked:  # nobody will answer any more: whoever waits is told, and not left to their patience
            with contextlib.suppress(InvalidStateError):
                answer.set_exception(Closed("the client is closed"))
        if kept is not None:
            kept.close()
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

    @property
    def _actors(self) -> ClientGraph:
        """The running graph. Raises `GraphFailed` or `Closed`."""
        graph = self._graph
        if self._failed is not None:
            raise GraphFailed(f"the client can't go on: {self._failed}")
        if graph is None:
            raise Closed("the client is closed")
        return graph

    def _ask(self, actor: Tellable[C], command: Callable[[Future[T]], C], timeout: float, what: str) -> T:
        answer: Future[T] = Future()
        with self._asking:
            self._asked.add(answer)
        try:
            self._actors  # noqa: B018 - from here on `close` fails this answer; before, it was closed already
            actor.tell(command(answer))
            return answer.result(timeout)
        except FutureTimeout:
            raise NotReady(f"{what} took longer than {timeout:g} seconds; it goes on in this process") from None
        finally:
            with self._asking:
                self._asked.discard(answer)

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
