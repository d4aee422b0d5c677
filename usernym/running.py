"""A client while it runs: the home it holds, its store, its mixnet client and its actors, ended in reverse order."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from usernym.actors import messages as msg
from usernym.actors.base import Tellable
from usernym.actors.context import ClientContext, User
from usernym.actors.failures import NodeRefused, why_stopped
from usernym.actors.graphs import ClientGraph, client_graph
from usernym.actors.messages import FoundRecord
from usernym.actors.runtime import ThreadRuntime
from usernym.errors import Closed, GraphFailed, NotReady, SettingsError
from usernym.finder import Finder
from usernym.identity import IdentityMaker, Restore
from usernym.logger import logger
from usernym.mixnet.reusable import KeptTransport
from usernym.mixnet.transport import Transport
from usernym.mixnets import parse_mixnet
from usernym.passphrases import check_new_passphrase
from usernym.protocol.cards import NodeCard, card_text, parse_card
from usernym.protocol.directory.witnesses import NO_WITNESSES
from usernym.protocol.errors import Code
from usernym.protocol.names import canonical
from usernym.protocol.signing import SigningKey
from usernym.protocol.words import root_from_words
from usernym.storage.client.store import ClientStore
from usernym.storage.keyfile import Protection
from usernym.storage.locks import Home
from usernym.subscriptions import EventHub
from usernym.timers import ThreadTimers
from usernym.witnesses import witness_policy

C = TypeVar("C")
T = TypeVar("T")


class ClientOptions(TypedDict, total=False):
    """How a home is opened: the keyword arguments of `Client.open` and `AsyncClient`. None is as good as not given.

    A new home needs `name`, `node`, `mixnet`, and either `passphrase` or `unprotected`. A home that exists remembers
    its name, node and mixnet, and needs its passphrase only.
    """

    name: str | None
    """The user's name. For a home that exists it is only checked."""
    node: str | NodeCard | None
    """The node's card. A newer card of the same node than the one that the home has replaces it."""
    mixnet: str | Transport | None
    """A mixnet client as on the command line (`nym`, `ws://127.0.0.1:1977`), which the home remembers; or a transport,
    which is closed with the client."""
    passphrase: str | None
    """Encrypts the home; or opens it."""
    unprotected: bool
    """Make a new home without a passphrase: anyone who can read its files can read everything."""
    accept_strangers: bool
    """Whether the first message of a stranger makes them a contact (the default), or a request."""
    witnesses: Sequence[str | NodeCard]
    """Cards of other nodes, one to eight, that are to sign the heads of the node's log. Not remembered: without them,
    signatures are not looked at."""
    witnesses_needed: int | None
    """How many of them must have signed a head, one to three. None: all, but at most three."""
    restore: Restore | None
    """Give a new home an identity that exists, by its recovery words. `go_online` then gives the node its new message
    key before it logs in."""


class RunningClient:
    """What a `Client` owns from its opening to its end. Nothing happens before `start`.

    `stop` may be called from any thread and at any time, also while `start` or a change of the identity is at work in
    another: what waits for the node there then raises `Closed`, and `start` gives back what it has taken so far.
    """

    user: User
    """The user, as of the latest start of the actors."""

    def __init__(self) -> None:
        self.events = EventHub()
        self.want_online = False
        """Whether to log in again after a change of the identity."""
        self._accept_strangers = True
        self._witnesses = NO_WITNESSES
        self._failed: str | None = None
        self._stopping = False
        self._undo = contextlib.ExitStack()
        self._store: ClientStore | None = None
        self._kept: KeptTransport | None = None
        self._timers: ThreadTimers | None = None
        self._graph: ClientGraph | None = None
        self._finder: Finder | None = None
        self._changing = threading.Lock()
        """Held while the actors are started or stopped."""
        self._asking = threading.Lock()
        self._asked: set[Future[Any]] = set()

    # -- starting and stopping --

    def start(
        self, home: Path, *, name: str | None = None, node: str | NodeCard | None = None,
        mixnet: str | Transport | None = None, passphrase: str | None = None, unprotected: bool = False,
        accept_strangers: bool = True, witnesses: Sequence[str | NodeCard] = (), witnesses_needed: int | None = None,
        restore: Restore | None = None,
    ) -> str | None:  # fmt: skip
        """Take the home, open its store, start the actors. Returns the recovery words of an identity that it made.

        If a step fails, those before it are undone in reverse order. Arguments and errors are those of `Client.open`.
        """
        wanted = None if name is None else canonical(name)
        card = parse_card(node) if isinstance(node, str) else node
        # Before the home is made: a mixnet that can't be used must leave nothing behind.
        given = _transport(mixnet, home) if isinstance(mixnet, str) else mixnet
        self._accept_strangers, self._witnesses = accept_strangers, witness_policy(witnesses, witnesses_needed)
        if card is not None:
            self._check_witnesses(card)  # before the home is made, too
        with self._changing, contextlib.ExitStack() as undo:
            self._check_wanted()
            if passphrase is not None and ClientStore.protection(home) is Protection.ABSENT:
                check_new_passphrase(passphrase)
            undo.enter_context(Home(home, "client"))
            self._store = ClientStore.open(home, passphrase=passphrase, unprotected=unprotected)
            undo.callback(self._close_store)
            if not self.store.profile.has_identity() and (wanted is None or card is None or mixnet is None):
                raise SettingsError("a new home needs a name, a node's card and a mixnet")
            self._timers = ThreadTimers()
            undo.callback(self._timers.close)
            self._kept = KeptTransport(given or _transport(_text(self.store, "mixnet"), home))
            undo.callback(self._kept.close)
            words = self._settle_identity(wanted, card, restore)
            self._remember(wanted, card, mixnet)
            undo.callback(self._stop_graph)
            self._start_graph()
            self._check_wanted()
            self._undo = undo.pop_all()
        return words

    def stop(self) -> None:
        """Stop the actors, close the store, let go of the home. Stopping twice is harmless."""
        self._stopping = True
        finder = self._finder
        if finder is not None:
            finder.close()
        with self._changing:
            self._undo.close()
        self.events.close()

    def make_identity(self) -> str:
        """Make another identity of the same name, and return its recovery words."""
        return self._rebuild(lambda: self._maker(self.user.name, self._own_card()).create())

    def replace_identity(self, words: str, timeout: float) -> None:
        """Replace the identity by the recovery words. Raises as `Client.replace_identity`."""
        name, card = self.user.name, self._own_card()

        def change() -> None:
            found: FoundRecord | None
            try:
                found = self._find(name, card, timeout)
            except NodeRefused as refused:
                if refused.code is not Code.NO_SUCH_USER:
                    raise
                found = None
            self._maker(name, card).replace(words, found)

        root_from_words(words)  # before the actors are stopped
        self._rebuild(change)

    def _own_card(self) -> NodeCard:
        return parse_card(_text(self.store, "node_card"))

    def _rebuild(self, change: Callable[[], T]) -> T:
        """Stop the actors, let the identity change, and start them with what the store then has."""
        with self._changing:
            graph, self._graph = self.actors, None
            graph.stop()
            try:
                return change()
            finally:
                if not self._stopping:
                    self._start_graph()
                    if self.want_online:
                        self.actors.registration.tell(msg.GoOnline(Future()))

    def _find(self, name: str, card: NodeCard, timeout: float) -> FoundRecord:
        """What the node has under a name. Raises `NodeRefused` or `NodeSilent`. No actor may run meanwhile."""
        assert self._kept is not None, "made by start"
        with Finder.open(node=card, mixnet=self._kept.lend()) as finder:
            self._finder = finder
            try:
                self._check_wanted()  # `stop` may have looked just before there was a finder
                return finder.look_up(name, timeout)
            finally:
                self._finder = None

    def _check_wanted(self) -> None:
        if self._stopping:
            raise Closed("the client is closed")

    def _settle_identity(self, name: str | None, card: NodeCard | None, restore: Restore | None) -> str | None:
        """See to it that the store has an identity. Returns the recovery words of one that was made."""
        store = self.store
        if store.profile.has_identity():
            if restore is not None:
                raise SettingsError("this home has an identity already; choose another home to restore one")
            return None
        assert name is not None, "checked by start"
        assert card is not None, "checked by start"
        if restore is None:
            return self._maker(name, card).create()
        root_from_words(restore.words)  # before the node is asked
        found = self._find(name, card, restore.timeout)
        bring = self._maker(name, card).replace if restore.replace else self._maker(name, card).restore
        bring(restore.words, found)
        return None

    def _maker(self, name: str, card: NodeCard) -> IdentityMaker:
        """What makes identities in this store. No actor may run meanwhile."""
        return IdentityMaker(self.store, name, card, os.urandom, int(time.time()))

    def _remember(self, name: str | None, card: NodeCard | None, mixnet: str | Transport | None) -> None:
        """Check the options against the home, and keep what is new in them."""
        store = self.store
        if name is not None and name != store.profile.identity().name:
            raise SettingsError("this home belongs to another name; choose another home")
        if card is not None:
            known = store.profile.setting("node_card")
            if known is not None and parse_card(known.decode()).node != card.node:
                raise SettingsError("this home is registered at another node; choose another home")
            if known is None or parse_card(known.decode()).sequence < card.sequence:
                store.profile.set_setting("node_card", card_text(card).encode())
        self._check_witnesses(self._own_card())
        if isinstance(mixnet, str):
            store.profile.set_setting("mixnet", mixnet.encode())

    def _check_witnesses(self, card: NodeCard) -> None:
        if card.node in self._witnesses.witnesses:
            raise SettingsError("a node can't be its own witness: name others")

    def _start_graph(self) -> None:
        """Start the actors with what the store has now."""
        assert self._kept is not None, "made by start"
        assert self._timers is not None, "made by start"
        store = self.store
        identity, card = store.profile.identity(), self._own_card()
        self.user = User(identity.name, SigningKey.from_seed(identity.seed), card.node)
        runtime, publish = ThreadRuntime(self._timers), self.events.publish
        store.witnessed.want(self._witnesses)
        context = ClientContext(
            runtime, self._on_failed, publish, store, self.user, self._accept_strangers, self._witnesses
        )
        self._graph = client_graph(context, self._kept.lend(), card)

    def _stop_graph(self) -> None:
        """Stop the actors for good, and answer what they were asked."""
        graph, self._graph = self._graph, None
        if graph is not None:
            graph.stop()
        self._fail_asked(Closed("the client is closed"))

    def _fail_asked(self, why: GraphFailed) -> None:
        """No actor answers any more, and callers must not wait until their patience is over."""
        with self._asking:
            asked = tuple(self._asked)
        for answer in asked:
            with contextlib.suppress(InvalidStateError):
                answer.set_exception(why)

    def _close_store(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _on_failed(self, actor: str, error: BaseException) -> None:
        self._failed = why_stopped("client", actor, error)
        logger.error("the client stops: %s failed (%s)", actor, type(error).__name__)
        self._fail_asked(GraphFailed(self._failed))
        self.events.close(self._failed)

    # -- its store and its actors --

    @property
    def store(self) -> ClientStore:
        """The open store. Raises `Closed`."""
        if self._store is None:
            raise Closed("the client is closed")
        return self._store

    @property
    def actors(self) -> ClientGraph:
        """The running actors. Raises `GraphFailed` if one failed, or `Closed`."""
        graph = self._graph
        if self._failed is not None:
            raise GraphFailed(self._failed)
        if graph is None:
            raise Closed("the client is closed")
        return graph

    def ask(self, actor: Tellable[C], command: Callable[[Future[T]], C], timeout: float, what: str) -> T:
        """Tell an actor a command, and wait for what it sets on the command's future.

        Raises what it sets there; `NotReady`, with `what` in its text, after `timeout` seconds; and as `actors` does.
        """
        answer: Future[T] = Future()
        with self._asking:
            self._asked.add(answer)
        try:
            self.actors  # noqa: B018 - from here on `stop` fails this answer; before, it was stopped already
            actor.tell(command(answer))
            return answer.result(timeout)
        except FutureTimeout:
            raise NotReady(f"{what} took longer than {timeout:g} seconds; it continues in this process") from None
        finally:
            with self._asking:
                self._asked.discard(answer)

    def read(self, read: Callable[[ClientStore], T]) -> T:
        """Use the store on the caller's thread."""
        store = self.store
        return read(store)


def _transport(mixnet: str, home: Path) -> Transport:
    return parse_mixnet(mixnet).transport(home)


def _text(store: ClientStore, setting: str) -> str:
    value = store.profile.setting(setting)
    if value is None:
        raise SettingsError("this home does not know its node and mixnet: name them once more")
    return value.decode()
