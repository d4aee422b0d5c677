"""Random times that stand between a client's anonymous requests, their answers, and what else the client does.

docs/protocol.md, "Tags of their own". Owned by mixnet I/O, and used in its thread only. A node that can't tell by a
sender tag who asks could tell by time: what leaves in the same moment under the usual tag is the same client's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from usernym.actors.base import Tellable
from usernym.actors.messages import AnswerArrived
from usernym.actors.runtime import Runtime

ANONYMOUS_BLUR_S: Final = 2.0
"""A request under a tag of its own leaves up to so many seconds after it was asked for, and its answer is passed on up
to so many after it came; all times are as likely. Where a thousand users are connected, some thirty others send a
heartbeat within two seconds. More would blur more, but a person waits: two seconds for both, on average, beside some
four of the mixnet's own."""


@dataclass(frozen=True, slots=True)
class _Held:
    until: float
    reply_to: Tellable[AnswerArrived]
    answer: AnswerArrived


class Blur:
    """Picks those times, and holds the answers meanwhile."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._held: list[_Held] = []

    def some_s(self) -> float:
        """A time up to `ANONYMOUS_BLUR_S`, in seconds."""
        return ANONYMOUS_BLUR_S * int.from_bytes(self._runtime.random_bytes(4), "big") / 2**32

    def hold(self, reply_to: Tellable[AnswerArrived], answer: AnswerArrived) -> None:
        """Let the answer wait."""
        self._held.append(_Held(self._runtime.now() + self.some_s(), reply_to, answer))

    def due_at(self) -> list[float]:
        """When each of those that wait is to be passed on."""
        return [held.until for held in self._held]

    def pass_on(self) -> bool:
        """Pass on those that have waited long enough; whether there were any."""
        now = self._runtime.now()
        due = [held for held in self._held if held.until <= now]
        self._held = [held for held in self._held if held.until > now]
        for held in due:
            held.reply_to.tell(held.answer)
        return bool(due)
