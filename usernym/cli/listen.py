"""`usernym listen`: what came and was not shown yet, then what comes, until the time is over or Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, Final

from usernym.actors.events import (
    ConnectionChanged,
    ContactChanged,
    DeliveryChanged,
    DirectSilent,
    Event,
    HandshakeChanged,
    IdentityChanged,
    MessageArrived,
    NodeCaught,
    TextsErased,
)
from usernym.cli import perform as work
from usernym.cli.failures import refusal_text
from usernym.cli.interruptions import Interruptions
from usernym.cli.session import Options, Session
from usernym.cli.terminal import clock, note, printable, printable_text, say, say_json
from usernym.client import Client
from usernym.storage.client.types import HandshakeState
from usernym.views import MessageView

UNREAD_MAX: Final = 500
"""Texts read from the store at a time."""
QUIET_S: Final = 2.0
"""After so long without an event, what the store has unshown is looked for: no event of it is still to come."""
Told = dict[str, Any]


def listen(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym listen`."""
    tell = say_json if options.json else lambda told: say(sentence(told))
    with (
        Interruptions() as interruptions,
        Session(options, hand_over=False) as session,
        contextlib.suppress(KeyboardInterrupt),
    ):
        client = session.open()
        events = _pumped(client)
        work.insist(client, client.go_online, session.deadline)
        if not options.json:
            note(f"listening as {client.name}; Ctrl-C ends this")
        _listen(client, events, arguments.duration, _Teller(client, tell, interruptions))


def _listen(client: Client, events: queue.SimpleQueue[Event | None], duration: float | None, teller: _Teller) -> None:
    end = time.monotonic() + duration if duration is not None else float("inf")
    teller.tell_unread()
    while (left := end - time.monotonic()) > 0:
        try:
            event = events.get(timeout=min(left, QUIET_S))
        except queue.Empty:
            teller.tell_unread()
            continue
        if event is None:
            client.whoami()  # raises what ended the client, if it was not closed
            return
        if isinstance(event, MessageArrived):
            teller.tell_arrived(event)
        else:
            teller.tell(told_of(event))


class _Teller:
    """Tells events; and texts from the store, which makes sure that none is told twice, and none forgotten."""

    def __init__(self, client: Client, tell: Callable[[Told], None], interruptions: Interruptions) -> None:
        self._client = client
        self.tell = tell
        self._interruptions = interruptions

    def tell_arrived(self, event: MessageArrived) -> None:
        """Tell what just came, unless it was told already."""
        wanted = (event.sender, event.message_id.hex())
        for sender, view in self._client.unread(UNREAD_MAX):
            if (sender, view.message_id) == wanted:
                self._tell(sender, view, event.is_request)
                return

    def tell_unread(self) -> None:
        """Tell all that was not told: what came before this began, or whose event was dropped in a flood."""
        while unread := self._client.unread(UNREAD_MAX):
            states = {contact.name: contact.state for contact in self._client.contacts()}
            for sender, view in unread:
                self._tell(sender, view, states.get(sender) == "pending")

    def _tell(self, sender: str, view: MessageView, is_request: bool) -> None:
        with self._interruptions.whole():
            self.tell(_told_message(sender, view, is_request))
            self._client.mark_read([view])


def _told_message(sender: str, view: MessageView, is_request: bool) -> Told:
    return {
        "event": "message",
        "from": sender,
        "text": view.text,
        "id": view.message_id,
        "sent_at": view.sent_at,
        "counter": view.counter,
        "missing": view.missing,
        "late": view.late,
        "route": str(view.route),
        "request": is_request,
    }


def told_of(event: Event) -> Told:
    """An event, for JSON."""
    match event:
        case MessageArrived():
            raise ValueError("messages are shown from the store")
        case DeliveryChanged():
            reason = None if event.reason is None else event.reason.name.lower()
            return {
                "event": "delivery",
                "to": event.recipient,
                "id": event.message_id.hex(),
                "state": str(event.state),
                "reason": reason,
                "text": None if event.reason is None else refusal_text(event.reason),
                "route": str(event.route),
            }
        case TextsErased(name, count):
            return {"event": "erased", "with": name, "texts": count}
        case HandshakeChanged(name, state):
            return {"event": "handshake", "with": name, "state": str(state)}
        case DirectSilent(name, silent, falls_back):
            return {"event": "direct", "with": name, "silent": silent, "through_node": silent and falls_back}
        case ContactChanged(name, consent):
            return {"event": "contact", "of": name, "state": str(consent)}
        case IdentityChanged(name, was_verified):
            return {"event": "identity_changed", "of": name, "was_verified": was_verified}
        case NodeCaught(what):
            return {"event": "node_caught", "text": what}
        case ConnectionChanged(online, reason):
            return {"event": "connection", "online": online, "text": reason}


_HANDSHAKES: Final = {
    HandshakeState.OFFERED: "you revealed your address to {0}, and asked for theirs",
    HandshakeState.OFFER_RECEIVED: "{0} offers a handshake: `usernym handshake {0} --accept` takes it (or --revoke)",
    HandshakeState.ACTIVE: "the handshake with {0} is active: messages go directly, and the node sees nothing of them",
    HandshakeState.ENDED_BY_ME: "you ended the handshake with {0}; they keep the address that they were shown",
    HandshakeState.ENDED_BY_PEER: "{0} ended the handshake; you each keep the address that you were shown",
    HandshakeState.NONE: "no handshake with {0}",
}


def sentence(told: Told) -> str:
    """What is told, on a line for a person; nothing in it can steer the terminal."""
    match told["event"]:
        case "message":
            return _message_line(told)
        case "delivery":
            reason = f" ({printable(told['text'])})" if told["text"] else ""
            way = " directly" if told["route"] == "direct" else ""
            return f"* your message {told['id'][:8]} to {printable(told['to'])}: {told['state']}{way}{reason}"
        case "erased":
            return f"* texts with {printable(told['with'])} that were erased here: {told['texts']}"
        case "handshake":
            return "* " + _HANDSHAKES[HandshakeState(told["state"])].format(printable(told["with"]))
        case "direct":
            name = printable(told["with"])
            if not told["silent"]:
                return f"* the direct way to {name} works again"
            meanwhile = "messages go through the node" if told["through_node"] else "messages wait"
            return f"* the direct way to {name} is silent: {meanwhile} meanwhile"
        case "contact":
            return f"* {printable(told['of'])} is {told['state']}"
        case "identity_changed":
            lost = " It was verified, and is not any more." if told["was_verified"] else ""
            return (
                f"! THE IDENTITY KEY OF {printable(told['of'])} CHANGED. Compare safety numbers again: nothing is sent"
                f" to them until `usernym verify`, or `usernym verify --seen` without comparing.{lost}"
            )
        case "node_caught":
            return f"! the node, or somebody in its place, sent what can't be true: {printable(told['text'])}"
        case _:
            state = "connected" if told["online"] else "not connected"
            return f"* {state}: {printable(told['text'])}"


def _message_line(told: Told) -> str:
    marks = []
    if told["route"] == "direct":
        marks.append("direct")
    if told["request"]:
        marks.append("not a contact yet")
    if told["missing"]:
        marks.append(f"{told['missing']} before this one missing")
    if told["late"]:
        marks.append("late")
    suffix = f" ({', '.join(marks)})" if marks else ""
    return f"[{clock(told['sent_at'])}] {printable(told['from'])}{suffix}: {printable_text(told['text'])}"


def _pumped(client: Client) -> queue.SimpleQueue[Event | None]:
    """The client's events from now on, in a queue whose reader may stop waiting; None after the last."""
    events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
    source = client.events()
    threading.Thread(target=_pump, args=(source, events), name="usernym-listen", daemon=True).start()
    return events


def _pump(source: Generator[Event, None, None], events: queue.SimpleQueue[Event | None]) -> None:
    # What ends the client shows at its next call; here it only has to end the waiting.
    with contextlib.suppress(Exception):
        for event in source:
            events.put(event)
    events.put(None)
