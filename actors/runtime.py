"""What an actor graph runs on: threads and the system's clock, or a simulation. Actors know only this interface."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable
from typing import Any, Protocol

import pykka

from usernym.timers import Timers


class MessageQueue(Protocol):
    """A queue of Pykka's envelopes with a known length."""

    def put(self, envelope: Any, /) -> None:
        """Add one."""

    def get(self) -> Any:
        """Take the oldest, waiting for one."""

    def empty(self) -> bool:
        """Whether there is none."""

    def qsize(self) -> int:
        """How many there are."""


class Runtime(Protocol):
    """Time, randomness and the way actors run, as parameters."""

    def now(self) -> float:
        """Seconds on a clock that never goes back; for waiting."""

    def unix_s(self) -> int:
        """The wall clock in Unix seconds; for dates that others see. It may jump."""

    def random_bytes(self, count: int) -> bytes:
        """`count` unpredictable bytes (repeatable in a simulation)."""

    def call_later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Run `action` once, `delay_s` seconds from now. It must be short: it tells an actor."""

    def inbox(self) -> MessageQueue:
        """A new inbox."""

    def run(self, actor: Any) -> None:
        """Run the actor's loop from now on."""


class ThreadRuntime:
    """A thread for each actor, the system's clock and randomness."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers

    def now(self) -> float:
        return self._timers.now()

    def unix_s(self) -> int:
        return int(time.time())

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)

    def call_later(self, delay_s: float, action: Callable[[], None]) -> None:
        self._timers.call_later(delay_s, action)

    def inbox(self) -> MessageQueue:
        """A `SimpleQueue`: half again as fast as Pykka's own."""
        return queue.SimpleQueue()

    def run(self, actor: Any) -> None:
        pykka.ThreadingActor._start_actor_loop(actor)  # noqa: SLF001 - one of Pykka's three hooks for new runtimes
