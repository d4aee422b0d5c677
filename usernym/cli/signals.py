"""SIGINT (Ctrl-C), SIGTERM and SIGHUP: end in order, within a bound, and not in the middle of a step."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final, Self

from usernym.cli.failures import Exit
from usernym.logger import logger

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOP_S: Final = 20.0
"""How long an orderly end may take. It takes a second; a mixnet client that does not read can make it slow."""


class _Signals(contextlib.AbstractContextManager["_Signals"]):
    """Takes `SIGNALS` while it is a context; gives them back to their former handlers.

    A signal that the process was started to ignore (SIGINT, for a shell's background job) stays ignored.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        wanted = [each for each in SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._on_signal) for number in wanted}
        return self

    def __exit__(self, *_: object) -> None:
        for number, action in self._before.items():
            signal.signal(number, action)


class Stopping(_Signals):
    """For a program that runs until it is stopped: the first signal calls `on_stop`'s function, the second ends it.

    The process is also ended if the orderly end takes longer than `within_s`. All that was confirmed to anyone is on
    disk by then, so nothing that was promised is lost.
    """

    def __init__(self, within_s: float = STOP_S) -> None:
        super().__init__()
        self._within_s = within_s
        self._stop: Callable[[], None] | None = None
        self._events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.signalled: str | None = None
        """The name of the signal that came."""

    def on_stop(self, stop: Callable[[], None]) -> None:
        """What ends the program: called in a signal handler, or now if a signal has come already."""
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
        """End the process if a signal came and the orderly end takes too long."""
        if self._events.get() == "over":
            return
        try:
            self._events.get(timeout=self._within_s)
        except queue.Empty:
            logger.error("the orderly end took longer than %g seconds: the process is ended as it is", self._within_s)
            os._exit(Exit.INTERNAL)

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="usernym-stopping", daemon=True).start()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._events.put("over")


class Interruptions(_Signals):
    """For a command that runs long: `SIGNALS` raise `KeyboardInterrupt`, but not within `uninterrupted`."""

    def __init__(self) -> None:
        super().__init__()
        self._delayed = False
        self._pending = False

    def _on_signal(self, *_: object) -> None:
        if self._delayed and not self._pending:
            self._pending = True
        else:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Finish what is done here before a first signal counts. A second one interrupts it: it may hang."""
        self._delayed = True
        try:
            yield
        finally:
            self._delayed = False
        if self._pending:
            raise KeyboardInterrupt
