"""The node's clock: by it requests are accepted, remembered and forgotten. What was forgotten can't become acceptable.

docs/protocol.md, "Clocks". The system's clock may be wrong and may jump, either way, at any time and between two lives
of the process. Two rules make that harmless:

- **A floor.** Before anything is deleted by time, that time is on disk, and the node's clock never shows less from then
  on, in no later life either. So a request whose memory is gone stays too old.
- **Patience.** Nothing is deleted until the system's clock has run evenly for ten minutes, measured by the monotonic
  clock: a clock that is wrong for a moment, at a start above all, costs no message and no name.

One object serves all of the node's actors, and their threads.
"""

from __future__ import annotations

import threading
from typing import Final

from usernym.actors.runtime import Runtime
from usernym.logger import logger
from usernym.protocol.limits import MINUTE_S
from usernym.storage.node.store import NodeStore

STEADY_S: Final = 10 * MINUTE_S
"""How long the system's clock must have run evenly before anything is deleted by it: time for a clock service to put
it right after a start."""
JUMP_S: Final = 60.0
"""The wall clock's deviation from the monotonic one, between two looks, that counts as a jump. Clock services slew
smaller ones; the acceptance window's extra minute covers this much."""
BEHIND_RATE: Final = 0.5
"""How fast the node's clock goes while the system's is behind the floor: it does not stand, and is caught up with."""


class NodeClock:
    """The node's time. The floor is read from the store at the first look, in the thread that looks."""

    def __init__(self, runtime: Runtime, store: NodeStore) -> None:
        self._runtime = runtime
        self._store = store
        self._lock = threading.Lock()
        self._floor: int | None = None
        self._floor_at = 0.0
        self._looked: tuple[int, float] | None = None
        self._even_since = 0.0

    def now(self) -> int:
        """The node's time in Unix seconds."""
        with self._lock:
            return self._now()

    def others_floor(self) -> int:
        """The latest time by which any worker of the node has deleted, where there are several; none deletes by a later
        one until the commit. Only inside one. Requests that were too old then are too old now."""
        if not self._store.workers.shared:
            return 0
        floor = self._store.profile.held_clock_floor()
        with self._lock:
            if floor > self._now():
                self._floor, self._floor_at = floor, self._runtime.now()
        return floor

    def deletion_time(self) -> int | None:
        """What is due by this time may be deleted; None while the system's clock is not to be trusted with that.

        It is on disk as the floor when this returns.
        """
        with self._lock:
            now = self._now()
            if self._runtime.now() - self._even_since < STEADY_S:
                return None
            self._store.profile.raise_clock_floor(now)
            self._floor, self._floor_at = now, self._runtime.now()
            return now

    def _now(self) -> int:
        wall, monotonic = self._runtime.unix_s(), self._runtime.now()
        if self._floor is None:
            self._floor, self._floor_at = self._store.profile.clock_floor(), monotonic
        if self._looked is None:
            self._even_since = monotonic
        elif abs((wall - self._looked[0]) - (monotonic - self._looked[1])) > JUMP_S:
            logger.warning("the system's clock has jumped: nothing is deleted for %d s", STEADY_S)
            self._even_since = monotonic
        self._looked = (wall, monotonic)
        return max(wall, self._floor + int((monotonic - self._floor_at) * BEHIND_RATE))
