"""Whether this machine's clock may be trusted with what can't be undone.

Nothing else counts while a client is off, so its deadlines go by this clock. One that is wrong for a moment must cost
nothing: after a jump, what depends on it waits until the clock has run evenly for a while, and is done if the clock
still says so then.
"""

from __future__ import annotations

from typing import Final

from usernym.actors.runtime import Runtime

CLOCK_JUMP_S: Final = 60
"""A clock that is off by more since the last look did not just run."""
CLOCK_SETTLES_S: Final = 600
"""How long it must run evenly after a jump."""


class SoundClock:
    """One actor's view of the clock: used in its thread, and asked at every look at what time has made due."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._made_at = runtime.now()
        self._offset_s: float | None = None
        self._trusted_from = float("-inf")

    def is_sound(self) -> bool:
        """Whether the clock has not jumped since the last look, nor in the ten minutes before."""
        now = self._runtime.now()
        before, self._offset_s = self._offset_s, self._runtime.unix_s() - now
        if before is not None and abs(self._offset_s - before) > CLOCK_JUMP_S:
            self._trusted_from = now + CLOCK_SETTLES_S
        return now >= self._trusted_from

    @property
    def has_settled(self) -> bool:
        """Whether it has been looked at for ten minutes: time to fetch what waits at the node, before it is judged what
        did not come."""
        return self._runtime.now() - self._made_at >= CLOCK_SETTLES_S
