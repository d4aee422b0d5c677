"""`Timers` on a virtual clock that moves only when it is asked to."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class VirtualTimers:
    """Time without waiting."""

    def __init__(self) -> None:
        self._now = 0.0
        self._serial = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []

    def now(self) -> float:
        """Virtual seconds."""
        return self._now

    def call_later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Run `action` when `run` gets there."""
        self._serial += 1
        heapq.heappush(self._heap, (self._now + delay_s, self._serial, action))

    def run(self) -> None:
        """Run everything, as far as it leads."""
        while self._heap:
            at, _, action = heapq.heappop(self._heap)
            self._now = at
            action()
