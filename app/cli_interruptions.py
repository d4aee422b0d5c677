"""Ctrl-C and SIGTERM for commands that run long: they end in order, and not in the middle of what must be whole."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self


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
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # a shell's background job ignores SIGINT
                self._before[number] = signal.signal(number, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, action in self._before.items():
            signal.signal(number, action)
