"""The client's watch over what its witnesses sign: whether the heads that it is shown have their signatures.

docs/directory.md, "Witnesses a client asks for". A part of the registration actor. Witnesses sign some seconds after an
epoch, and an answer may have no room for their signatures: so one head without them says nothing, and a doubt begins
only with hours of them. It names no one: the witnesses may be away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from usernym.actors.events import DirectoryUnwitnessed
from usernym.protocol.directory.checkpoints import LogHead
from usernym.protocol.limits import HOUR_S, MINUTE_S
from usernym.storage.client.witnessed import SignaturesSeen

if TYPE_CHECKING:
    from usernym.actors.context import ClientContext

UNWITNESSED_S: Final = 3 * HOUR_S
"""Time with a login in which no head had enough signatures, after which it is a doubt. An honest node asks a witness
that was away within an hour, and within another the client asks for what leaves room for signatures; one is to
spare."""
PAUSE_MAX_S: Final = 10 * MINUTE_S
"""A longer time between two heads counts as so much: the client may have had no login."""


class WitnessWatch:
    """Owned by the registration actor, and used in its thread only."""

    def __init__(self, context: ClientContext) -> None:
        self._context = context
        self._policy = context.witnesses
        self._witnessed = context.store.witnessed
        self._shown_at: float | None = None

    def take(self, head: LogHead, cosignatures: bytes) -> DirectoryUnwitnessed | None:
        """Note who has signed a head of the log that the client knows. Returns what the user learns, if anything, when
        that is on the disk. Raises `StorageError`s."""
        if not self._policy.needed:
            return None
        now, unix_s = self._context.runtime.now(), self._context.runtime.unix_s()
        pause = 0.0 if self._shown_at is None else min(now - self._shown_at, PAUSE_MAX_S)
        self._shown_at = now
        before = self._witnessed.seen() or SignaturesSeen(0, unix_s, None, 0)
        signers = self._policy.signers(head, cosignatures)
        is_met = signers >= self._policy.needed
        seen = SignaturesSeen(
            signers,
            before.begun_at,
            unix_s if is_met else before.met_at,
            0 if is_met else before.waited_s + round(pause),
        )
        self._witnessed.note(seen)
        is_doubted = seen.waited_s >= UNWITNESSED_S
        if is_doubted == (before.waited_s >= UNWITNESSED_S):
            return None
        return DirectoryUnwitnessed(seen.since if is_doubted else None)
