"""Time to wait by: the interface `Timers`, and `ThreadTimers`, which runs on the system's clock.

Every process has one `ThreadTimers`: its actors, its transport and, inside one process, its emulated mixnet share it.
A simulation has timers of its own (`usernym.actors.simulation`).
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from typing import Protocol

from usernym.logger import logger


class Timers(Protocol):
    """A clock that never goes back, and actions that run later: in real time, or in a simulation's."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""

    def call_later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Run `action` once, `delay_s` seconds from now, on the timers' own thread of control."""


class ThreadTimers:
    """Real time: one thread that runs actions when they are due. An action that fails is logged, and forgotten."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="usernym-timers", daemon=True)
        self._thread.start()

    def now(self) -> float:
        """The monotonic clock, in seconds."""
        return time.monotonic()

    def call_later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Run `action` once on the timers' thread, `delay_s` seconds from now. After `close` nothing runs."""
        with self._condition:
            if self._closed:
                return
            self._serial += 1
            heapq.heappush(self._heap, (self.now() + delay_s, self._serial, action))
            if self._heap[0][1] == self._serial:
                self._condition.notify()

    def close(self) -> None:
        """Run nothing more; wait for the action that is running, unless that is the one that calls this."""
        with self._condition:
            self._closed = True
            self._heap.clear()
            self._condition.notify()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._closed and (not self._heap or self._heap[0][0] > self.now()):
                    self._condition.wait(self._heap[0][0] - self.now() if self._heap else None)
                if self._closed:
                    return
                action = heapq.heappop(self._heap)[2]
            try:
                action()
            except Exception:
                logger.exception("a timer's action failed")
