"""A client for embedding: `with usernym.Client(home, ...) as alice: alice.register(); alice.send("bob", "hi")`.

Its methods may be called from any thread. Each takes a `timeout` in seconds, and raises `NotReady` when it is over;
what was begun goes on. `usernym.AsyncClient` is the same for asyncio.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeVar

from usernym.actors import messages as msg
from usernym.actors.client_context import ClientContext, Me
from usernym.actors.events import DeliveryChanged, DeliveryState, Event
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
from usernym.storage.client import (
    ClientStore,
    Contact,
    Fallback,
    IdentityState,
    Message,
    Trust,
)
from usernym.storage.home import Home
from usernym.views import ContactView, MessageView, Sent, Whoami, contact_view, message_view
from usernym.wiring import Graph, client_graph

T = TypeVar("T")

TIMEOUT_S: Final = 60.0
"""The default patience: three unanswered tries of a request take 35 seconds."""

Wait = Literal["queued", "accepted", "delivered"]

_FINAL: Final = frozenset(
    {DeliveryState.DELIVERED, DeliveryState.EXPIRED, DeliveryState.REFUSED, DeliveryState.CANCELLED}
)


class Client:
    """A user's client; started by making it, stopped by `close` or by leaving its context.

    `home` is a folder that only this process holds. The first time it needs a `name`, a `node` (its card) and a
    `mixnet` (`ws://…`, or a transport), and a `passphrase`, or `unprotected=True` to go without by choice; later it
    needs the passphrase only, and remembers the rest. `recovery_words` has the words of an identity that this very
    object made: show them, they are kept nowhere.

    Raises `SettingsError` for what is missing, `StorageError` for a home that can't be used, `RemoteProtocolError` for
    a name or a card that is none.
    """

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

    # -- the node --

    def register(self, timeout: float = TIMEOUT_S) -> None:
        """Register the name; the same home may do so again. Raises `NodeRefused` with the reason, or `NodeSilent`."""
        self._ask("registration", msg.Register, timeout, "registering")

    def go_online(self, timeout: float = TIMEOUT_S) -> None:
        """Log in, and stay: messages come and go from now on. Raises `NodeRefused` or `NodeSilent`."""
        self._ask("registration", msg.GoOnline, timeout, "logging in")

    def look_up(self, name: str, timeout: float = TIMEOUT_S) -> ContactView:
        """Look a name up at the node, and pin its key. Raises `NodeRefused` (NO_SUCH_USER, …) or `NodeSilent`."""
        name = canonical(name)
        self._ask("lookup", lambda answer: msg.LookUp(name, answer), timeout, "the lookup")
        return self.contact(name)

    def take_card(self, card: str | NodeCard, timeout: float = TIMEOUT_S) -> bool:
        """Take a newer card of the node, which somebody handed on: it has moved. False if it is not newer.

        Raises `RemoteProtocolError` for what is no card, or another node's.
        """
        parsed = parse_card(card) if isinstance(card, str) else card
        return self._ask("registration", lambda answer: msg.TakeCard(parsed, answer), timeout, "taking the card")

    def delete_account(self, timeout: float = TIMEOUT_S) -> int:
        """Delete the account; returns the time (Unix seconds) until which the name is held for its owner."""
        return self._ask("registration", msg.DeleteAccount, timeout, "deleting")

    # -- messages --

    def send(self, name: str, text: str, *, wait: Wait = "accepted", timeout: float = TIMEOUT_S) -> Sent:
        """Send a text, looking its recipient up if need be, and wait until it is on disk here, at the node, or there.

        It is sent whether or not anybody waits: after `NotReady` it is still on its way. Raises `NodeRefused` if there
        is no such user, `TextTooLong` for more than 64 KiB.
        """
        name, end = canonical(name), time.monotonic() + timeout
        with self._hub.subscribe() as events:
            message_id: bytes = self._ask(
                "forwarding", lambda answer: msg.SendText(name, text, answer), timeout, "looking the recipient up"
            )
            while not _far_enough(sent := self._sent(name, message_id), wait):
                if sent.reason is not None:
                    why = sent.reason.name.lower().replace("_", " ")
                    raise NotReady(
                        f"the node does not take the message now ({why}): it is kept here, and sent again while this"
                        " home is online"
                    )
                left = end - time.monotonic()
                if left <= 0:
                    raise NotReady(
                        f"the message is {sent.state}, and not yet {wait}: it goes on when this home is online"
                    )
                events.wait_for(lambda event: isinstance(event, DeliveryChanged), left)
        return sent

    def cancel(self, message_id: str, timeout: float = TIMEOUT_S) -> bool:
        """Send a waiting text no more. False if it is on its way or not waiting; an earlier try may have arrived."""
        wanted = bytes.fromhex(message_id)
        return self._ask("forwarding", lambda answer: msg.CancelText(wanted, answer), timeout, "cancelling")

    def _sent(self, name: str, message_id: bytes) -> Sent:
        message = self._with_store(lambda store: store.message(name, message_id))
        if message is None:
            raise KeyError("no such message")
        view = message_view(message, 0)
        return Sent(view.message_id, view.state or DeliveryState.WAITING, view.reason, view.route)

    def events(self, timeout: float | None = None) -> Generator[Event, None, None]:
        """Events from now on, as they come; ends when nothing came for `timeout` seconds, or the client is closed.

        The subscription begins when this is called, not when the first event is asked for.
        """

        def generate() -> Generator[Any, None, None]:
            with self._hub.subscribe() as events:
                yield None
                while (event := events.next(timeout)) is not None:
                    yield event
            if self._failed is not None:
                raise GraphFailed(f"the client can't go on: {self._failed}")

        iterator = generate()
        next(iterator)  # subscribed; and begun, so that dropping or closing the iterator ends the subscription
        return iterator

    def conversation(self, name: str, limit: int = 100) -> list[MessageView]:
        """The newest texts of a conversation, oldest first."""
        name = canonical(name)
        return self._with_store(lambda store: _text_views(store, store.conversation(name, limit)))

    def unread(self, limit: int = 1000) -> list[tuple[str, MessageView]]:
        """Texts that came and have not been shown yet, oldest first, with their senders; `mark_read` ends that."""

        def read(store: ClientStore) -> list[tuple[str, MessageView]]:
            rows = [row for row in store.unshown(limit) if row.kind == msg.PayloadKind.TEXT]
            return list(zip((row.contact for row in rows), _text_views(store, rows), strict=True))

        return self._with_store(read)

    def mark_read(self, messages: Iterable[MessageView]) -> None:
        """These have been shown."""
        rows = [message.row for message in messages]
        self._with_store(lambda store: store.mark_shown(rows))

    # -- contacts --

    def contacts(self) -> list[ContactView]:
        """All contacts, by name."""
        return [self._view(contact) for contact in self._with_store(lambda store: store.contacts())]

    def contact(self, name: str) -> ContactView:
        """One contact. Raises `KeyError` if there is none of this name."""
        name = canonical(name)
        if name == self.name:
            raise KeyError("that is you")
        contact = self._with_store(lambda store: store.contact(name))
        if contact is None:
            raise KeyError("no such contact")
        return self._view(contact)

    def _view(self, contact: Contact) -> ContactView:
        return contact_view(contact, self._node, (self.name, self._key.public))

    def set_verified(self, name: str, verified: bool) -> None:
        """The user compared safety numbers (or takes that back)."""
        name = canonical(name)
        self.contact(name)
        trust = Trust.VERIFIED if verified else Trust.CONFIRMED
        self._with_store(lambda store: store.set_trust(name, trust))

    # -- handshakes --

    def offer_handshake(self, name: str, timeout: float = TIMEOUT_S) -> None:
        """Reveal our Nym address, and with it our gateway, to this contact, and ask for theirs."""
        name = canonical(name)
        self._ask("handshake", lambda answer: msg.OfferHandshake(name, answer), timeout, "offering")

    def accept_handshake(self, name: str, timeout: float = TIMEOUT_S) -> None:
        """Take this contact's offer, and reveal our Nym address to them."""
        name = canonical(name)
        self._ask("handshake", lambda answer: msg.AcceptHandshake(name, answer), timeout, "accepting")

    def revoke_handshake(self, name: str, timeout: float = TIMEOUT_S) -> None:
        """End the direct route, or decline the offer. The contact keeps the address they were shown."""
        name = canonical(name)
        self._ask("handshake", lambda answer: msg.RevokeHandshake(name, answer), timeout, "ending")

    def set_direct_only(self, name: str, direct_only: bool) -> None:
        """Whether messages wait while the direct way is silent, instead of going through the node."""
        name = canonical(name)
        self.contact(name)
        policy = Fallback.DIRECT_ONLY if direct_only else Fallback.NODE
        self._with_store(lambda store: store.set_fallback(name, policy))

    # -- about this client --

    def whoami(self) -> Whoami:
        """Who this home belongs to."""
        identity = self._with_store(lambda store: store.identity())
        mixnet = self._with_store(lambda store: store.setting("mixnet"))
        return Whoami(
            identity.name,
            self._node.hex(),
            self._key.public.hex(),
            "" if mixnet is None else mixnet.decode(),
            identity.state is IdentityState.REGISTERED,
            self._open_store.protected,
        )

    def counters(self, timeout: float = 5.0) -> dict[str, dict[str, int]]:
        """Each actor's counters."""
        if self._graph is None:
            raise Closed("the client is closed")
        try:
            return {name: answer.result(timeout) for name, answer in self._graph.inquire().items()}
        except FutureTimeout:
            raise NotReady("the client is busy") from None


def _text(setting: bytes | None) -> str:
    if setting is None:
        raise SettingsError("this home does not know its node and mixnet: name them once more")
    return setting.decode()


def _text_views(store: ClientStore, rows: Iterable[Message]) -> list[MessageView]:
    texts = [row for row in rows if row.kind == msg.PayloadKind.TEXT]
    return [message_view(row, store.received_below(row.contact, row.counter)) for row in texts]


def _far_enough(sent: Sent, wait: Wait) -> bool:
    if sent.state in _FINAL or wait == "queued":
        return True
    return wait == "accepted" and sent.state is DeliveryState.ACCEPTED
