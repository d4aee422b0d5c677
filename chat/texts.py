"""The page's words for states, trust, refusals and times. Each thing has one word, everywhere."""

from __future__ import annotations

import datetime
from typing import Final

from usernym import Code, DeliveryState, HandshakeState, MessageView, Route
from usernym.explain import explain
from usernym.protocol.errors import refusal_text

STATES: Final = {
    DeliveryState.WAITING: "waiting here",
    DeliveryState.ACCEPTED: "accepted by the node",
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.EXPIRED: "expired: not fetched in time",
    DeliveryState.REFUSED: "refused",
    DeliveryState.CANCELLED: "cancelled (an earlier try may still arrive)",
}
ROUTES: Final = {Route.NODE: "through the node", Route.DIRECT: "direct"}
TRUST_KINDS: Final = {"confirmed by the node": "confirmed", "verified": "verified", "changed": "changed"}
HANDSHAKES: Final = {
    HandshakeState.NONE: "no direct route",
    HandshakeState.OFFERED: "direct route offered",
    HandshakeState.OFFER_RECEIVED: "offers a direct route",
    HandshakeState.ACTIVE: "direct route",
    HandshakeState.ENDED_BY_ME: "direct route ended by you",
    HandshakeState.ENDED_BY_PEER: "direct route ended by them",
}
ADDRESS_WARNING: Final = (
    "Your Nym address names the gateway that you are connected to. {name} learns it, and still knows it when the direct"
    " route has ended. Your internet address stays hidden. The node no longer sees that you two write."
)
EMULATED: Final = "This is an emulated mixnet on this machine. It gives no anonymity: use it for tests only."
DAY_S: Final = 86_400


def refusal(code: Code, detail: int = 0) -> str:
    """Why something was refused, with a capital letter."""
    text = refusal_text(code, detail)
    return text[:1].upper() + text[1:]


def problem(error: BaseException) -> str:
    """What an exception means, in words for a person. Never the exception's own text, which may hold a secret."""
    text = explain(error)
    return text[:1].upper() + text[1:]


def state(message: MessageView) -> str:
    """The state of a text that the user wrote; empty for a text that the contact wrote."""
    if message.state is None:
        return ""
    text = STATES[message.state]
    if message.reason is not None and message.state in (DeliveryState.WAITING, DeliveryState.REFUSED):
        text += f": {refusal_text(message.reason)}"
    return text


def missing(count: int) -> str:
    """The line that is shown where texts are missing."""
    return "1 text before this one has not arrived" if count == 1 else f"{count} texts before this one have not arrived"


def clock(unix_s: int) -> str:
    """The time of day, in this machine's time zone."""
    moment = local(unix_s)
    return "--:--" if moment is None else f"{moment:%H:%M}"


def day(unix_s: int, now: float) -> str:
    """The day in this machine's time zone: "Today", "Yesterday" or a date."""
    moment, today = local(unix_s), local(int(now))
    if moment is None or today is None:
        return "unknown time"
    days = (today.date() - moment.date()).days
    if days == 0:
        return "Today"
    if days == 1:
        return "Yesterday"
    return f"{moment:%A, %d %B %Y}" if days else "Today"


def moment_text(unix_s: int) -> str:
    """Day and time in full."""
    moment = local(unix_s)
    return "unknown time" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def iso(unix_s: int) -> str:
    """The value of `<time datetime>`; empty for a number that is not a valid time."""
    moment = local(unix_s)
    return "" if moment is None else moment.isoformat()


def short(unix_s: int, now: float) -> str:
    """A moment in a list: the time today, else the day."""
    moment, today = local(unix_s), local(int(now))
    if moment is None or today is None:
        return ""
    return f"{moment:%H:%M}" if moment.date() == today.date() else f"{moment:%Y-%m-%d}"


def local(unix_s: int) -> datetime.datetime | None:
    """The moment in this machine's time zone; None for a number that is not a valid time: a peer may send any
    number."""
    try:
        return datetime.datetime.fromtimestamp(unix_s).astimezone()
    except (OverflowError, ValueError, OSError):
        return None


DURATIONS: Final = ((None, "never"), (3600, "after an hour"), (DAY_S, "after a day"), (7 * DAY_S, "after a week"),
                    (30 * DAY_S, "after 30 days"))  # fmt: skip


def duration(seconds: int | None) -> str:
    """After what time texts are deleted on this device."""
    known = dict(DURATIONS)
    if seconds in known:
        return known[seconds]
    for unit, name in ((DAY_S, "days"), (3600, "hours"), (60, "minutes")):
        if seconds is not None and seconds >= unit:
            return f"after {seconds / unit:g} {name}"
    return f"after {seconds} seconds"
