"""Ctrl-C and SIGTERM for commands that run long: they end in order, and not in the middle of what must be whole."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any, Self


def take_signals(handler: Callable[[int, FrameType | None], None]) -> dict[signal.Signals, Any]:
    """Let `handler` have SIGINT and SIGTERM. Returns what had them before, for `give_signals_back`.

    One that the process was started to ignore (SIGINT, for a shell's background job) stays ignored.
    """
    wanted = [each for each in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(each) is not signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in wanted}


def give_signals_back(before: dict[signal.Signals, Any]) -> None:
    """Undo `take_signals`."""
    for number, action in before.items():
        signal.signal(number, action)


class Interruptions:
    """SIGINT and SIGTERM as `KeyboardInterrupt`; a first one waits while something must not be torn apart."""

    def __init__(self) -> None:
        self._whole = False
        self._pending = False
        self._before: dict[signal.Signals, Any] = {}

    def _interrupt(self, *_: object) -> None:
        if self._whole and not self._pending:
            self._pending = True
        else:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def whole(self) -> Iterator[None]:
        """What is done here is done as a whole (but a second signal tears it: it may hang)."""
        self._whole = True
        try:
            yield
        finally:
            self._whole = False
        if self._pending:
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        self._before = take_signals(self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        give_signals_back(self._before)
