"""`usernym listen`: texts that came and were not shown yet, then what comes, until the time is over or Ctrl-C."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, assert_never

import msgspec

import usernym
from usernym.cli.command import Entry, Invocation, option, seconds
from usernym.cli.holder import retry_until
from usernym.cli.replies import Way, doubted_text, fault_text, reason_word, reply_of, stalled_text, unwitnessed_text
from usernym.cli.session import Session
from usernym.cli.signals import Interruptions
from usernym.cli.terminal import clock, print_err, print_json, print_marked
from usernym.protocol.errors import refusal_text
from usernym.settings import ClientSettings

if TYPE_CHECKING:
    from usernym import Client, Event, MessageArrived, MessageView
    from usernym.subscriptions import Subscription

UNREAD_MAX: Final = 500
"""Texts read from the store at a time."""
QUIET_S: Final = 2.0
"""After this long without an event, texts that were not shown are looked for in the store: no event announces them.

As long a text waits for those that it has overtaken: mixnets delay by a second, and a lost one comes much later."""


# -- what is printed --------------------------------------------------------------------------------------------------


_WITH: Final = {"name": "with"}
_OF: Final = {"name": "of"}


class MessageJson(msgspec.Struct, frozen=True, tag_field="event", tag="message", rename={"sender": "from"}):
    """A text that came."""

    sender: str
    text: str
    id: str
    """32 digits."""
    sent_at: int
    """By the writer's clock."""
    counter: int
    """The sender's number of it, from 1 on."""
    missing: int
    """Texts of the sender before this one that have not come."""
    late: bool
    """Whether it came after a text that its sender wrote later."""
    route: Way
    request: bool
    """Whether its sender is not a contact yet."""

    def line(self) -> str:
        notes = ["direct"] if self.route == "direct" else []
        notes += ["not a contact yet"] if self.request else []
        notes += [f"{self.missing} before this one missing"] if self.missing else []
        notes += ["late"] if self.late else []
        suffix = f" ({', '.join(notes)})" if notes else ""
        return f"[{clock(self.sent_at)}] {self.sender}{suffix}: {self.text}"


class DeliveryJson(msgspec.Struct, frozen=True, tag_field="event", tag="delivery", rename={"recipient": "to"}):
    """One of your texts has got further, or has failed."""

    recipient: str
    id: str
    state: str
    """`waiting`, `accepted`, `delivered`, `expired`, `refused` or `cancelled`."""
    reason: str | None
    text: str | None
    """The reason as a sentence."""
    route: Way

    def line(self) -> str:
        reason = f" ({self.text})" if self.text else ""
        way = " directly" if self.route == "direct" else ""
        return f"* your message {self.id[:8]} to {self.recipient}: {self.state}{way}{reason}"


class FileJson(msgspec.Struct, frozen=True, tag_field="event", tag="file", rename=_WITH):
    """A file was offered, got further, is whole, has failed, or was erased."""

    name: str
    id: str
    """32 digits."""
    outgoing: bool
    state: str
    """`offered`, `under way`, `complete`, `cancelled`, `ended by the other side`, `damaged` or `failed`."""
    done: int
    """Bytes that are at its recipient, as far as is known here."""
    size: int
    """Bytes."""
    erased: bool
    """Whether nothing of it is in this home any more."""

    def line(self) -> str:
        way = f"to {self.name}" if self.outgoing else f"from {self.name}"
        state = "erased" if self.erased else self.state
        return f"* file {self.id[:8]} {way}: {state}, {self.done:,} of {self.size:,} bytes"


class ErasedJson(msgspec.Struct, frozen=True, tag_field="event", tag="erased", rename=_WITH | {"count": "texts"}):
    """Texts were erased in this home."""

    name: str
    count: int

    def line(self) -> str:
        return f"* texts with {self.name} that were erased here: {self.count}"


_HANDSHAKES: Final = {
    "none": "no handshake with {0}",
    "offered": "you revealed your address to {0}, and asked for theirs",
    "offer received": "{0} offers a handshake: `usernym handshake {0} --accept` takes it (or --revoke)",
    "active": "the handshake with {0} is active: messages go directly, and the node sees nothing of them",
    "ended by me": "you ended the handshake with {0}; they still know your address",
    "ended by peer": "{0} ended the handshake; you still know each other's address",
}


class HandshakeJson(msgspec.Struct, frozen=True, tag_field="event", tag="handshake", rename=_WITH):
    """A handshake has a new state."""

    name: str
    state: str
    """As a contact's `handshake`."""

    def line(self) -> str:
        return "* " + _HANDSHAKES[self.state].format(self.name)


class DirectJson(msgspec.Struct, frozen=True, tag_field="event", tag="direct", rename=_WITH):
    """The direct route to a contact does not respond, or responds again."""

    name: str
    silent: bool
    through_node: bool
    """Whether messages go through the node meanwhile."""

    def line(self) -> str:
        name = self.name
        if not self.silent:
            return f"* the direct route to {name} works again"
        meanwhile = "messages go through the node" if self.through_node else "messages wait"
        return f"* the direct route to {name} does not respond: {meanwhile} meanwhile"


class ContactJson(msgspec.Struct, frozen=True, tag_field="event", tag="contact", rename=_OF):
    """A contact was accepted, declined or blocked, or a stranger wrote."""

    name: str
    state: str
    """`accepted`, `pending`, `declined` or `blocked`."""

    def line(self) -> str:
        return f"* {self.name} is {self.state}"


class DirectoryJson(msgspec.Struct, frozen=True, tag_field="event", tag="directory", rename=_OF):
    """The node has shown that a contact's key is in its public directory, or that its promise about it was broken; or
    the witnesses that were named have signed the log that shows it."""

    name: str
    directory: str
    """As a contact's `directory`."""

    def line(self) -> str:
        return f"* the key of {self.name} is {self.directory}"


class IdentityChangedJson(msgspec.Struct, frozen=True, tag_field="event", tag="identity_changed", rename=_OF):
    """The node shows another identity for a contact."""

    name: str
    was_verified: bool

    def line(self) -> str:
        lost = " It was verified, and is not any more." if self.was_verified else ""
        return (
            f"! THE IDENTITY KEY OF {self.name} CHANGED. Compare safety numbers again: nothing is sent to"
            f" them until `usernym verify`, or `usernym verify --seen` without comparing.{lost}"
        )


class NodeCaughtJson(msgspec.Struct, frozen=True, tag_field="event", tag="node_caught", rename={"what": "text"}):
    """The node signed what an honest node never signs. `usernym evidence` has the proof."""

    what: str
    """What it did."""
    fault: str
    """The same in one word."""

    def line(self) -> str:
        return f"! {fault_text(self.fault)}"


class DirectoryDoubtedJson(msgspec.Struct, frozen=True, tag_field="event", tag="directory_doubted"):
    """The node does not show that its public directory continues the one that it showed before, or does so again."""

    since: int | None
    """Since when; null when it shows it again."""

    def line(self) -> str:
        return "* the node shows its public directory again" if self.since is None else f"! {doubted_text(self.since)}"


class DirectoryUnwitnessedJson(msgspec.Struct, frozen=True, tag_field="event", tag="directory_unwitnessed"):
    """The node shows a log that too few of the witnesses that were named have signed, or shows a signed one again."""

    since: int | None
    """When it showed the last head with enough, or the first without; null when it shows one again."""

    def line(self) -> str:
        again = "* the node shows a log again that your witnesses have signed"
        return again if self.since is None else f"! {unwitnessed_text(self.since)}"


class RotationStalledJson(msgspec.Struct, frozen=True, tag_field="event", tag="rotation_stalled"):
    """A new message key waits for two weeks or more to be published by the node, or was published after that."""

    since: int | None
    """Since when it waits; null when it was published."""

    def line(self) -> str:
        published = "* the node has published your new message key"
        return published if self.since is None else f"! {stalled_text(self.since)}"


class NodeAddressJson(msgspec.Struct, frozen=True, tag_field="event", tag="node_address"):
    """The node sent a card with other addresses, and the client logs in at one of them."""

    card: str
    """To be compared with other people's: a node may send each user another."""

    def line(self) -> str:
        return f"! the node has another address. Compare its card with other people's: {self.card}"


class ConnectionJson(msgspec.Struct, frozen=True, tag_field="event", tag="connection", rename={"reason": "text"}):
    """The account is logged in at the node, or is not any more."""

    online: bool
    reason: str

    def line(self) -> str:
        return f"* {'connected' if self.online else 'not connected'}: {self.reason}"


EventJson = (
    DeliveryJson | FileJson | ErasedJson | HandshakeJson | DirectJson | ContactJson | DirectoryJson
    | IdentityChangedJson | NodeCaughtJson | DirectoryDoubtedJson | DirectoryUnwitnessedJson | RotationStalledJson
    | NodeAddressJson
    | ConnectionJson
)  # fmt: skip


def event_json(event: Event) -> EventJson:
    """An event as it is printed. Raises `ValueError` for a text that came: it is printed from the store."""
    match event:
        case usernym.MessageArrived():
            raise ValueError("texts that came are printed from the store")
        case usernym.DeliveryChanged(message_id, reason=reason):
            text = None if reason is None else refusal_text(reason)
            return reply_of(DeliveryJson, event, id=message_id.hex(), reason=reason_word(reason), text=text)
        case usernym.FileChanged(message_id, contact, state=state):
            return reply_of(FileJson, event, name=contact, id=message_id.hex(), state=str(state))
        case usernym.TextsErased():
            return reply_of(ErasedJson, event)
        case usernym.HandshakeChanged():
            return reply_of(HandshakeJson, event)
        case usernym.DirectSilent():
            return reply_of(DirectJson, event, through_node=event.silent and event.falls_back)
        case usernym.ContactChanged():
            return reply_of(ContactJson, event)
        case usernym.DirectoryChanged():
            return reply_of(DirectoryJson, event)
        case usernym.IdentityChanged():
            return reply_of(IdentityChangedJson, event)
        case usernym.NodeCaught():
            return reply_of(NodeCaughtJson, event, fault=event.fault)
        case usernym.DirectoryDoubted():
            return reply_of(DirectoryDoubtedJson, event)
        case usernym.DirectoryUnwitnessed():
            return reply_of(DirectoryUnwitnessedJson, event)
        case usernym.RotationStalled():
            return reply_of(RotationStalledJson, event)
        case usernym.NodeAddressChanged():
            return reply_of(NodeAddressJson, event)
        case usernym.ConnectionChanged():
            return reply_of(ConnectionJson, event)
        case _:
            assert_never(event)


# -- listening --------------------------------------------------------------------------------------------------------


def listen(typed: Invocation[ClientSettings]) -> None:
    """`usernym listen`."""
    with (
        Interruptions() as interruptions,
        Session(typed, hand_over=False) as session,
        contextlib.suppress(KeyboardInterrupt),
    ):
        client = session.open()
        with client.subscribe() as events:
            retry_until(client, client.go_online, session.deadline)
            if not typed.json:
                print_err(f"listening as {client.name}; Ctrl-C ends this")
            printer = _Printer(client, interruptions, as_json=typed.json)
            _listen(events, typed.given.duration, printer)


def _listen(events: Subscription, duration: float | None, printer: _Printer) -> None:
    end = time.monotonic() + duration if duration is not None else float("inf")
    printer.print_unread()
    while (left := end - time.monotonic()) > 0:
        event = events.next(min(left, printer.wait_s()))
        if event is None and events.ended:
            return
        if event is None or isinstance(event, usernym.MessageArrived):
            printer.print_unread(arrived=event)
        else:
            printer.print(event_json(event))
    printer.print_unread()


class _Printer:
    """Prints events; and texts from the store, which makes sure that each is printed exactly once.

    Each sender's texts are printed in the order in which they were written. One that comes with a new gap before it is
    kept back for `QUIET_S`: what it has overtaken is mostly there by then.
    """

    def __init__(
        self,
        client: Client,
        interruptions: Interruptions,
        *,
        as_json: bool,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock_s = clock_s
        self._client = client
        self._interruptions = interruptions
        self._as_json = as_json
        self._missing: dict[str, int] = {}
        """How many texts were missing before the last one of each sender that was printed."""
        self._highest: dict[str, int] = {}
        """The highest counter of each sender that was printed."""
        self._held_until: float | None = None

    def print(self, shown: MessageJson | EventJson) -> None:
        if self._as_json:
            print_json(shown)
        else:
            print_marked(shown.line())

    def wait_s(self) -> float:
        """How long to wait for an event until `print_unread` has something to do."""
        return QUIET_S if self._held_until is None else max(0.0, self._held_until - self._clock_s())

    def print_unread(self, arrived: MessageArrived | None = None) -> None:
        """Print all texts that were not: those that came before this began, or whose event was dropped in a flood.

        With `arrived`, the text that just came, those that have a new gap before them may wait.
        """
        now = self._clock_s()
        if arrived is not None and arrived.missing > self._missing.get(arrived.sender, 0):
            self._held_until = self._held_until or now + QUIET_S
        may_hold = arrived is not None and self._held_until is not None and now < self._held_until
        last, held = 0, False
        while unread := self._client.unread(UNREAD_MAX, last):
            for sender, view in unread:
                last = view.row
                if may_hold and view.missing > self._missing.get(sender, 0):
                    held = True
                else:
                    self._print_text(sender, view)
        self._held_until = self._held_until if held else None

    def _print_text(self, sender: str, view: MessageView) -> None:
        is_request = self._client.contact(sender).state == "pending"
        late = view.late or view.counter < self._highest.get(sender, 0)
        with self._interruptions.uninterrupted():
            shown = reply_of(MessageJson, view, sender=sender, id=view.message_id, request=is_request, late=late)
            self.print(shown)
            self._client.mark_read([view])
        self._missing[sender] = view.missing
        self._highest[sender] = max(view.counter, self._highest.get(sender, 0))


ENTRIES: Final = (
    Entry("listen", "show messages and events as they come", listen,
          (option("--for", dest="duration", type=seconds, metavar="TIME", help="how long, from the connection on"),),
          prints=(MessageJson, DeliveryJson, FileJson, ErasedJson, HandshakeJson, DirectJson, ContactJson,
                  DirectoryJson, IdentityChangedJson, NodeCaughtJson, DirectoryDoubtedJson, DirectoryUnwitnessedJson,
                  RotationStalledJson,
                  NodeAddressJson,
                  ConnectionJson)),
)  # fmt: skip
