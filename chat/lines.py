"""Turns the client's views into plain values that the components show. Runs on a worker thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from usernym import Client, Consent, ContactView, DeliveryState, HandshakeState, MessageView
from usernym.chat import texts

SNIPPET_LETTERS: Final = 80
"""Of a text in a list: one line, even on a wide screen."""
UNREAD_MAX: Final = 1_000
"""Unread texts that are counted one by one; more than a person reads in a day."""
REQUESTS_SHOWN: Final = 50
"""Requests in the list: strangers decide how many there are, and each costs time at every event."""

_NOWHERE: Final = (DeliveryState.WAITING, DeliveryState.REFUSED, DeliveryState.CANCELLED)
"""States of texts that may not have been sent by any route."""

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Overview:
    """The left pane: contacts and requests, those with the newest texts first."""

    contacts: tuple[Line, ...]
    requests: tuple[Line, ...]
    more_requests: bool
    """Whether there are others beside these."""
    unread: int


def overview(client: Client, now: float) -> Overview:
    """Read it from the client."""
    unread = Counter(name for name, _ in client.unread(UNREAD_MAX))
    rows: list[tuple[int, ContactView, MessageView | None]] = []
    requests = client.contacts(state=Consent.PENDING, limit=REQUESTS_SHOWN + 1)
    for contact in (*client.contacts(state=Consent.ACCEPTED), *requests[:REQUESTS_SHOWN]):
        latest = next(iter(client.conversation(contact.name, limit=1)), None)
        rows.append((0 if latest is None else latest.row, contact, latest))
    rows.sort(key=lambda row: (-row[0], row[1].name))
    lines = [(contact, person_line(contact, latest, unread[contact.name], now)) for _, contact, latest in rows]
    return Overview(
        tuple(line for contact, line in lines if contact.state == "accepted"),
        tuple(line for contact, line in lines if contact.state == "pending"),
        len(requests) > REQUESTS_SHOWN,
        sum(unread[contact.name] for contact, _ in lines if contact.state == "accepted"),
    )


def person_line(contact: ContactView, latest: MessageView | None, unread: int, now: float) -> Line:
    """A contact in the list."""
    if contact.handshake is HandshakeState.OFFER_RECEIVED:
        text = "offers a direct route"
    elif latest is None:
        text = "No texts yet"
    else:
        text = ("You: " if latest.outgoing else "") + snippet(latest.text)
    return {
        "key": contact.name,
        "name": contact.name,
        "text": text,
        "time": "" if latest is None else texts.short(latest.arrived_at, now),
        "unread": unread,
        "mark": contact.trust,
        "kind": texts.TRUST_KINDS[contact.trust],
    }


def found_line(name: str, message: MessageView, now: float) -> Line:
    """What a search found, in the list."""
    return {
        "key": f"{name}/{message.row}",
        "name": name,
        "text": ("You: " if message.outgoing else "") + snippet(message.text),
        "time": texts.short(message.arrived_at, now),
        "unread": 0,
        "mark": "",
        "kind": "",
    }


def snippet(text: str) -> str:
    """The beginning of a text on one line."""
    line = " ".join(text[: 4 * SNIPPET_LETTERS].split())
    return line if len(line) <= SNIPPET_LETTERS else f"{line[:SNIPPET_LETTERS]}…"


def text_lines(messages: Sequence[MessageView], who: str, now: float) -> list[Line]:
    """A conversation's texts, with a line where a day begins and where texts are missing."""
    lines, day = [], ""
    for message in messages:
        this_day = texts.day(message.arrived_at, now)
        lines.append(text_line(message, who, this_day if this_day != day else ""))
        day = this_day
    return lines


def text_line(message: MessageView, who: str, day: str) -> Line:
    """One text."""
    late = ""
    if message.late:
        late = f"arrived late, written: {texts.moment_text(message.sent_at)}"
    return {
        "row": message.row,
        "id": message.message_id,
        "out": message.outgoing,
        "who": who,
        "text": message.text,
        "time": texts.clock(message.arrived_at),
        "title": f"written {texts.moment_text(message.sent_at)}, arrived {texts.moment_text(message.arrived_at)}",
        "iso": texts.iso(message.arrived_at),
        "day": day,
        "gap": "" if not message.missing else texts.missing(message.missing),
        "late": late,
        "state": texts.state(message),
        "kind": "" if message.state is None else str(message.state),
        "route": "" if message.state in _NOWHERE else texts.ROUTES[message.route],
        "actions": _actions(message),
    }


def _actions(message: MessageView) -> list[dict[str, str]]:
    actions = []
    match message.state:
        case DeliveryState.WAITING:
            actions += [{"kind": "retry", "label": "Try now"}, {"kind": "cancel", "label": "Cancel"}]
        case DeliveryState.EXPIRED | DeliveryState.REFUSED | DeliveryState.CANCELLED:
            actions += [{"kind": "retry", "label": "Send again"}]
        case _:
            pass
    return [*actions, {"kind": "erase", "label": "Delete on this device"}]
