"""Registering a name: ask, work, prove. A part of the client's registration actor.

docs/protocol.md, "Registration and login". Asking again with the same key is success, so a registration that half
failed costs no one the name.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from usernym.actors.base import fail, resolve
from usernym.actors.context import ClientContext
from usernym.actors.failures import Failure, NodeRefused, NodeSilent
from usernym.actors.messages import WorkOn
from usernym.actors.registration.keys import KeyRing
from usernym.actors.registration.login import TRY_AGAIN
from usernym.protocol import messages as m
from usernym.protocol.challenges import WORK_SLICE, search_work, whole_record_hash
from usernym.protocol.errors import Code
from usernym.protocol.limits import SURBS_REQUEST, WORK_BITS_MAX

CHALLENGES_MAX: Final = 3
"""Challenges that one registration may use up: one may expire on the way, a third is no use."""


class RegistrationAttempt:
    """Owned by the registration actor, and used in its thread only."""

    def __init__(
        self,
        context: ClientContext,
        keys: KeyRing,
        *,
        ask: Callable[[m.Request], None],
        go_on: Callable[[WorkOn], None],
    ) -> None:
        self._context = context
        self._keys = keys
        self._ask = ask
        self._go_on = go_on
        self._answer: Future[None] | None = None
        self._challenge: m.Challenge | None = None
        self._challenges = 0

    def start(self, answer: Future[None]) -> None:
        """Register; `answer` is settled at the end."""
        if self._answer is not None:
            fail(answer, NodeSilent(Failure.TOO_MANY))
            return
        self._answer = answer
        self._challenges = 0
        self._ask_for_challenge()

    def _ask_for_challenge(self) -> None:
        self._challenges += 1
        record = self._keys.to_register
        request_id, name = self._context.request_id(), self._context.user.name
        self._ask(m.RegisterAsk(request_id, SURBS_REQUEST, name, record.identity_key, whole_record_hash(record)))

    def on_challenge(self, challenge: m.Challenge) -> None:
        """Do the work that is asked for, unless it is more than any node may ask for."""
        if self._answer is None:
            return
        if challenge.difficulty > WORK_BITS_MAX:
            self.end(NodeRefused(Code.WORK_INSUFFICIENT))
            return
        self._challenge = challenge
        self.work(0)

    def work(self, start: int) -> None:
        """A slice of the work; then the proof, or the next slice."""
        challenge, record = self._challenge, self._keys.to_register
        if challenge is None:
            return
        found = search_work(self._context.user.node, challenge.nonce, challenge.difficulty, start, WORK_SLICE)
        if found is None:
            self._go_on(WorkOn(start + WORK_SLICE))
            return
        self._challenge = None
        self._ask(
            m.RegisterProof(
                self._context.request_id(),
                SURBS_REQUEST,
                self._context.user.name,
                record,
                challenge.nonce,
                challenge.expires_at,
                challenge.difficulty,
                challenge.mac,
                found,
            )
        )

    def on_refusal(self, code: Code, detail: int) -> None:
        """Try again what a new challenge may repair."""
        if code in TRY_AGAIN and code is not Code.BUSY and self._challenges < CHALLENGES_MAX:
            self._ask_for_challenge()
        else:
            self.end(NodeRefused(code, detail))

    def on_failure(self, failure: Failure) -> None:
        """Ask for another challenge where its address fell silent before the proof, and the node has others."""
        if failure is Failure.ADDRESS_LEFT and self._challenges < CHALLENGES_MAX:
            self._ask_for_challenge()
        else:
            self.end(NodeSilent(Failure.NO_ANSWER if failure is Failure.ADDRESS_LEFT else failure))

    def end(self, failed: Exception | None) -> None:
        if failed is None:
            self._keys.registered()
        answer, self._answer, self._challenge = self._answer, None, None
        if answer is None:
            return
        if failed is None:
            resolve(answer, None)
        else:
            fail(answer, failed)
