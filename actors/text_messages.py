"""What a user's client is told about texts that were written before; frozen, and showing nothing when printed."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CancelText:
    """Send this text no more. The answer is False if it is on its way, or its fate is known."""

    message_id: bytes = field(repr=False)
    answer: Future[bool] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RetryText:
    """Send this text again. The answer is the id that it has now, or `RetryNotPossible`."""

    name: str = field(repr=False)
    message_id: bytes = field(repr=False)
    answer: Future[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RequestsDecided:
    """The user has decided about strangers, or brought contacts back: what was left at the node for that is judged."""
