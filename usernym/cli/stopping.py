"""SIGINT and SIGTERM for a program that runs until it is stopped: in order, and within a bound.

What was confirmed to anybody is on disk by then, so a process that does not come to its end is simply ended: nothing
that was promised is lost by it.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final, Self

from usernym.cli.failures import Exit
from usernym.cli.interruptions import give_signals_back, take_signals
from usernym.logger import logger

STOP_S: Final = 20.0
"""How long an orderly end may take. It takes a second; what can be slow is a mixnet client that does not read."""


class Stopping:
    """From `__enter__` to `__exit__` the first signal calls what `by` was given, the second ends the process at once.

    A signal that the process was started to ignore (SIGINT, for a shell's background job) stays ignored.
    """

    def __init__(self, within_s: float = STOP_S) -> None:
        self._within_s = within_s
        self._stop: Callable[[], None] | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.signalled: str | None = None
        """The name of the signal that came."""

    def by(self, stop: Callable[[], None]) -> None:
        """What ends the program: called in a signal handler, or now if the signal has come already."""
        self._stop = stop
        if self.signalled is not None:
            stop()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.signalled is not None:
            os._exit(Exit.INTERRUPTED)
        self.signalled = signal.Signals(number).name
        # A handler may run while this very thread holds a lock of `threading`: only this kind of queue is safe here.
        self._events.put("signalled")
        if self._stop is not None:
            self._stop()

    def _watch(self) -> None:
        """End the process if it was signalled, and does not end in time."""
        if self._events.get() == "over":
            return
        try:
            self._events.get(timeout=self._within_s)
        except queue.Empty:
            logger.error("the end in order took longer than %g seconds: ended as it is", self._within_s)
            os._exit(Exit.INTERNAL)

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="usernym-stopping", daemon=True).start()
        self._before = take_signals(self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        give_signals_back(self._before)
        self._events.put("over")
