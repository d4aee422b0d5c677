"""`usernym listen`: what came and was not shown yet, then what comes, until the time is over or Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import queue
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, Final

from usernym import cli_work as work
from usernym.actors.events import (
    ConnectionChanged,
    DeliveryChanged,
    DirectSilent,
    Event,
    HandshakeChanged,
    HandshakeState,
    IdentityChanged,
    MessageArrived,
    NodeCaught,
)
from usernym.cli_failures import refusal_text
from usernym.cli_session import Options, Session
from usernym.cli_text import clock, note, printable, printable_text, say, say_json
from usernym.client import Client
from usernym.views import MessageView

UNREAD_MAX: Final = 500
"""Texts read from the store at a time."""
Told = dict[str, Any]


def listen(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym listen`."""
    tell = say_json if options.json else lambda told: say(sentence(told))
    with _interruptible(), Session(options, hand_over=False) as session, contextlib.suppress(KeyboardInterrupt):
        client = session.open()
        events = _pumped(client)
        work.insist(client, client.go_online, session.deadline)
        if not options.json:
            note(f"listening as {client.name}; Ctrl-C ends this")
        _listen(client, events, arguments.duration, tell)


def _listen(
    client: Client, events: queue.SimpleQueue[Event | None], duration: float | None, tell: Callable[[Told], None]
) -> None:
    end = None if duration is None else time.monotonic() + duration
    arrivals: dict[tuple[str, str], MessageArrived] = {}
    _tell_unread(client, arrivals, tell)
    while True:
        try:
            event = events.get(timeout=None if end is None else max(0.0, end - time.monotonic()))
        except queue.Empty:
            return
        if event is None:
            client.whoami()  # raises what ended the client, if it was not closed
            return
        if isinstance(event, MessageArrived):
            arrivals[event.sender, event.message_id.hex()] = event
            _tell_unread(client, arrivals, tell)
        else:
            tell(told_of(event))


def _tell_unread(client: Client, arrivals: dict[tuple[str, str], MessageArrived], tell: Callable[[Told], None]) -> None:
    """Show what the store says was not shown. It, and not the event, is what makes sure that nothing is shown twice."""
    while unread := client.unread(UNREAD_MAX):
        states = {contact.name: contact.state for contact in client.contacts()}
        for sender, view in unread:
            tell(_told_message(sender, view, arrivals.pop((sender, view.message_id), None), states.get(sender)))
            client.mark_read([view])
    arrivals.clear()


def _told_message(sender: str, view: MessageView, arrival: MessageArrived | None, state: str | None) -> Told:
    return {
        "event": "message",
        "from": sender,
        "text": view.text,
        "id": view.message_id,
        "sent_at": view.sent_at,
        "counter": view.counter,
        # Only known of what came while somebody listened.
        "missing": None if arrival is None else arrival.missing,
        "route": str(view.route),
        "request": state == "pending",
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
        case HandshakeChanged(name, state):
            return {"event": "handshake", "with": name, "state": str(state)}
        case DirectSilent(name, silent, falls_back):
            return {"event": "direct", "with": name, "silent": silent, "through_node": silent and falls_back}
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
        case "handshake":
            return "* " + _HANDSHAKES[HandshakeState(told["state"])].format(printable(told["with"]))
        case "direct":
            name = printable(told["with"])
            if not told["silent"]:
                return f"* the direct way to {name} works again"
            meanwhile = "messages go through the node" if told["through_node"] else "messages wait"
            return f"* the direct way to {name} is silent: {meanwhile} meanwhile"
        case "identity_changed":
            lost = " It was verified, and is not any more." if told["was_verified"] else ""
            return f"! THE IDENTITY KEY OF {printable(told['of'])} CHANGED. Compare safety numbers again.{lost}"
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


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM end this as Ctrl-C does: in order, with the home let go."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
