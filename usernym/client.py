"""A client for embedding: `with usernym.Client(home, ...) as alice: alice.register(); alice.send("bob", "hi")`.

Its methods may be called from any thread. Each takes a `timeout` in seconds, and raises `NotReady` when it is over;
what was begun goes on. `usernym.AsyncClient` is the same for asyncio.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterable
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Final, Literal

from usernym.actors import messages as msg
from usernym.actors.events import DeliveryChanged, Event, TextsErased
from usernym.actors.failures import NodeRefused, RetryNotPossible
from usernym.identity import replace_identity
from usernym.links import Links
from usernym.node import Closed, GraphFailed, NotReady
from usernym.protocol.cards import NodeCard, parse_card
from usernym.protocol.errors import Code
from usernym.protocol.names import canonical
from usernym.protocol.words import root_from_words
from usernym.running import TIMEOUT_S
from usernym.storage.client.gaps import MissingCounters
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import DeliveryState, IdentityState, Message
from usernym.subscriptions import Subscription
from usernym.views import MessageView, Sent, Whoami, message_view

Wait = Literal["queued", "accepted", "delivered"]

_FINAL: Final = frozenset(
    {DeliveryState.DELIVERED, DeliveryState.EXPIRED, DeliveryState.REFUSED, DeliveryState.CANCELLED}
)


class Client(Links):
    """A user's client; started by making it, stopped by `close` or by leaving its context.

    `home` is a folder that only this process holds. The first time it needs a `name`, a `node` (its card) and a
    `mixnet` (`ws://…`, or a transport), and a `passphrase`, or `unprotected=True` to go without by choice; later it
    needs the passphrase only, and remembers the rest. `recovery_words` has the words of an identity that this very
    object made: show them, they are kept nowhere. With `restore` a new home gets an identity that exists already, by
    its words; `go_online` then tells the node its new message key before it logs in.

    Raises `SettingsError` for what is missing, `StorageError` for a home that can't be used, `RemoteProtocolError` for
    a name or a card that is none; with `restore` also `WordsInvalid` or `WordsUnfit` for words that are none or not
    this name's, `NodeRefused` (NO_SUCH_USER, also for a deleted name) or `NodeSilent` if the name can't be found.
    """

    # -- the node --

    def register(self, timeout: float = TIMEOUT_S) -> None:
        """Register the name; the same home may do so again. Raises `NodeRefused` with the reason, or `NodeSilent`."""
        self._ask(self._actors.registration, msg.Register, timeout, "registering")

    def go_online(self, timeout: float = TIMEOUT_S) -> None:
        """Log in, and stay: messages come and go from now on. Raises `NodeRefused` or `NodeSilent`."""
        self._want_online = True
        self._ask(self._actors.registration, msg.GoOnline, timeout, "logging in")

    def take_card(self, card: str | NodeCard, timeout: float = TIMEOUT_S) -> bool:
        """Take a newer card of the node, which somebody handed on: it has moved. False if it is not newer.

        Raises `RemoteProtocolError` for what is no card, or another node's.
        """
        parsed = parse_card(card) if isinstance(card, str) else card
        return self._ask(
            self._actors.registration, lambda answer: msg.TakeCard(parsed, answer), timeout, "taking the card"
        )

    def replace_identity(self, words: str, timeout: float = TIMEOUT_S) -> None:
        """Make a new identity by the recovery words, and log in with it: somebody else may have the old one's key.

        Contacts are shown that it changed; safety numbers are new. What a thief did with the old identity falls away.
        Raises `WordsInvalid` or `WordsUnfit`, `NodeRefused` or `NodeSilent`; `NotReady` if the new identity is on disk,
        and not at the node yet: `go_online` goes on with it.
        """
        end = time.monotonic() + timeout
        card = parse_card(self._with_store(lambda store: store.profile.setting("node_card") or b"").decode())

        def change() -> None:
            try:
                found = self._find(self.name, card, timeout)
            except NodeRefused as refused:
                if refused.code is not Code.NO_SUCH_USER:
                    raise
                found = None
            self._with_store(
                lambda store: replace_identity(store, self.name, card, words, found, os.urandom, int(time.time()))
            )

        root_from_words(words)
        self._rebuild(change)
        self.go_online(max(1.0, end - time.monotonic()))

    def delete_account(self, timeout: float = TIMEOUT_S) -> int:
        """Delete the account; returns the time (Unix seconds) until which the name is held for its owner."""
        return self._ask(self._actors.registration, msg.DeleteAccount, timeout, "deleting")

    # -- messages --

    def send(self, name: str, text: str, *, wait: Wait = "accepted", timeout: float = TIMEOUT_S) -> Sent:
        """Send a text, looking its recipient up if need be, and wait until it is on disk here, at the node, or there.

        It is sent whether or not anybody waits: after `NotReady` it is still on its way. Raises `NodeRefused` if there
        is no such user, `TextTooLong` for more than 64 KiB.
        """
        name, end = canonical(name), time.monotonic() + timeout
        with self._hub.subscribe() as events:
            message_id: bytes = self._ask(
                self._actors.forwarding,
                lambda answer: msg.SendText(name, text, answer),
                timeout,
                "looking the recipient up",
            )
            return self._follow(events, name, message_id, wait, end)

    def cancel(self, message_id: str, timeout: float = TIMEOUT_S) -> bool:
        """Send a waiting text no more. False if it is on its way or not waiting; an earlier try may have arrived."""
        wanted = bytes.fromhex(message_id)
        return self._ask(self._actors.forwarding, lambda answer: msg.CancelText(wanted, answer), timeout, "cancelling")

    def retry(self, name: str, message_id: str, timeout: float = TIMEOUT_S, *, wait: Wait = "queued") -> Sent:
        """Send a text now that waits, instead of after its pause; or once more, if it failed.

        One that was refused, has expired or was cancelled is written anew, with an id of its own, and the one before
        goes in the same moment. If a try of that one did arrive after all, its recipient has it twice. Waits as `send`
        does. Raises `RetryNotPossible` for a text that the node has, or that was delivered, and if there is none.
        """
        name, end = canonical(name), time.monotonic() + timeout
        try:
            before = bytes.fromhex(message_id)
        except ValueError:
            raise RetryNotPossible("a message's id has 32 hexadecimal digits") from None
        with self._hub.subscribe() as events:
            now: bytes = self._ask(
                self._actors.forwarding, lambda answer: msg.RetryText(name, before, answer), timeout, "trying again"
            )
            return self._follow(events, name, now, wait, end)

    def _follow(self, events: Subscription, name: str, message_id: bytes, wait: Wait, end: float) -> Sent:
        """Wait until a message is far enough; `end` is on the monotonic clock."""
        while not _far_enough(sent := self._sent(name, message_id), wait):
            if sent.reason is not None:
                why = sent.reason.name.lower().replace("_", " ")
                raise NotReady(
                    f"the node does not take the message now ({why}): it is kept here, and sent again while this"
                    " home is online"
                )
            if self.contact(name).trust == "changed":
                raise NotReady(
                    "the identity behind this name has changed: the message is kept here until you have looked at"
                    f" it (`usernym verify {name}`, or with --seen without comparing safety numbers)"
                )
            left = end - time.monotonic()
            if left <= 0:
                raise NotReady(f"the message is {sent.state}, and not yet {wait}: it goes on when this home is online")
            events.wait_for(lambda event: isinstance(event, DeliveryChanged), left)
        return sent

    def _sent(self, name: str, message_id: bytes) -> Sent:
        message = self._with_store(lambda store: store.messages.get(name, message_id))
        if message is None:
            raise KeyError("no such message")
        view = message_view(message, MissingCounters())
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

    def conversation(self, name: str, limit: int = 100, before: MessageView | int | None = None) -> list[MessageView]:
        """The newest texts of a conversation, oldest first; of those before a text (or its `row`), if it is given."""
        name, row = canonical(name), before.row if isinstance(before, MessageView) else before
        return self._with_store(
            lambda store: _text_views(store, store.history.of_kind(name, msg.PayloadKind.TEXT, limit, row))
        )

    def search(
        self, text: str, *, name: str | None = None, limit: int = 100, before: MessageView | None = None
    ) -> list[tuple[str, MessageView]]:
        """Texts that contain `text`, newest first, with the contact; of one contact, or before a text, if given.

        Capital and small letters count as the same in ASCII only. Nothing of declined and blocked people is found.
        """
        wanted, row = None if name is None else canonical(name), None if before is None else before.row

        def read(store: ClientStore) -> list[tuple[str, MessageView]]:
            rows = store.history.search(text, msg.PayloadKind.TEXT, limit, wanted, row)
            return list(zip((found.contact for found in rows), _text_views(store, rows), strict=True))

        return self._with_store(read)

    def erase(self, messages: Iterable[MessageView]) -> int:
        """Erase these texts here; what waits is not sent. Returns how many there were. Nobody else is told."""
        rows = [message.row for message in messages]

        def erase(store: ClientStore) -> list[tuple[str, int]]:
            with store.transaction():
                return [
                    (name, store.history.erase(some, msg.PayloadKind.TEXT))
                    for name, some in store.history.by_contact(rows)
                ]

        return self._erased(self._with_store(erase))

    def erase_conversation(self, name: str) -> int:
        """Erase all texts with a contact here, who stays one. Returns how many there were."""
        name = canonical(name)
        return self._erased(
            [(name, self._with_store(lambda store: store.history.erase_all(name, msg.PayloadKind.TEXT)))]
        )

    def _erased(self, counts: Iterable[tuple[str, int]]) -> int:
        """Tell whoever listens; how many it was in all."""
        told = [TextsErased(name, count) for name, count in counts if count]
        if told:
            self._with_store(lambda store: store.empty_journal())
        for event in told:
            self._hub.publish(event)
        return sum(event.count for event in told)

    def unread(self, limit: int = 1000) -> list[tuple[str, MessageView]]:
        """Texts that came and have not been shown yet, oldest first, with their senders; `mark_read` ends that."""

        def read(store: ClientStore) -> list[tuple[str, MessageView]]:
            rows = [row for row in store.messages.unshown(limit) if row.kind == msg.PayloadKind.TEXT]
            return list(zip((row.contact for row in rows), _text_views(store, rows), strict=True))

        return self._with_store(read)

    def mark_read(self, messages: Iterable[MessageView]) -> None:
        """These have been shown."""
        rows = [message.row for message in messages]
        self._with_store(lambda store: store.messages.mark_shown(rows, int(time.time())))

    # -- about this client --

    def whoami(self) -> Whoami:
        """Who this home belongs to."""
        identity = self._with_store(lambda store: store.profile.identity())
        mixnet = self._with_store(lambda store: store.profile.setting("mixnet"))
        return Whoami(
            identity.name,
            self._node.hex(),
            self._key.public.hex(),
            "" if mixnet is None else mixnet.decode(),
            identity.state is IdentityState.REGISTERED,
            self._open_store.protected,
            identity.state is IdentityState.DELETED,
        )

    def counters(self, timeout: float = 5.0) -> dict[str, dict[str, int]]:
        """Each actor's counters."""
        if self._graph is None:
            raise Closed("the client is closed")
        try:
            return {name: answer.result(timeout) for name, answer in self._graph.inquire().items()}
        except FutureTimeout:
            raise NotReady("the client is busy") from None


def _text_views(store: ClientStore, rows: Iterable[Message]) -> list[MessageView]:
    texts = [row for row in rows if row.kind == msg.PayloadKind.TEXT]
    gaps = {name: store.gaps.of(name) for name in {row.contact for row in texts}}
    return [message_view(row, gaps[row.contact]) for row in texts]


def _far_enough(sent: Sent, wait: Wait) -> bool:
    if sent.state in _FINAL or wait == "queued":
        return True
    return wait == "accepted" and sent.state is DeliveryState.ACCEPTED
