"""Deleting the account: one request, dated by the node's clock. A part of the client's registration actor.

docs/protocol.md, "Deleting".
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from usernym.actors.base import fail, resolve
from usernym.actors.context import ClientContext
from usernym.actors.failures import Failure, NodeSilent
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.protocol.limits import SURBS_REQUEST


class AccountDeletion:
    """Owned by the registration actor, and used in its thread only."""

    def __init__(self, context: ClientContext, ask: Callable[[m.Request], None]) -> None:
        self._context = context
        self._ask = ask
        self._answer: Future[int] | None = None
        self._first_dated = 0

    def start(self, answer: Future[int], clock_offset_s: int) -> None:
        """Ask for it; `answer` is settled at the end."""
        if self._answer is not None:
            fail(answer, NodeSilent(Failure.TOO_MANY))
            return
        self._answer = answer
        self._first_dated = self._request(clock_offset_s)

    def date_anew(self, made_at: int, code: Code, node_now: int) -> bool:
        """Ask once more, by the node's clock, if the first request was dated by one that is wrong."""
        if code is not Code.CLOCK_SKEW or made_at != self._first_dated or self._answer is None:
            return False
        self._request(node_now - self._context.runtime.unix_s())
        return True

    def _request(self, clock_offset_s: int) -> int:
        made_at = self._context.dated(clock_offset_s)
        self._ask(m.Delete(self._context.request_id(), SURBS_REQUEST, self._context.user.name, made_at))
        return made_at

    def end(self, held_until: int, failed: Exception | None) -> None:
        answer, self._answer = self._answer, None
        if answer is None:
            return
        if failed is None:
            resolve(answer, held_until)
        else:
            fail(answer, failed)
