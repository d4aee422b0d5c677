"""Ends what a demo has started and deletes its folder, also when the demo itself was killed, or its terminal closed.

It runs as a process of its own, in a session of its own, and does its work when the pipe from the demo is closed,
which the system does for whoever dies. Processes are held by pidfd (pidfd_open(2)), so that a number that was given
to another process meanwhile ends nobody else's.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

END_S: Final = 10.0
"""How long a process may take to end in order, as in `demo_processes`."""


class Cleaner:
    """The demo's side. Leaving the context returns when all processes have ended and the folder is gone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "usernym.demo.cleaner", str(folder)],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # neither Ctrl-C nor a closed terminal is for it
        )

    def also(self, pid: int) -> None:
        """End this process, too, when the demo has gone. It must be a child of the caller, not waited for yet."""
        assert self._process.stdin is not None, "started with a pipe"
        with contextlib.suppress(BrokenPipeError):  # somebody killed it: the demo does without
            self._process.stdin.write(f"{pid}\n")
            self._process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._process.communicate(timeout=3 * END_S)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


def end_all(held: Iterable[int], within_s: float) -> None:
    """End the processes behind these pidfds: in order, and after `within_s` seconds as they are."""
    remaining = set(held)
    for number, patience_s in ((signal.SIGTERM, within_s), (signal.SIGKILL, within_s)):
        for each in remaining:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(each, number)
        end = time.monotonic() + patience_s
        while remaining and (left := end - time.monotonic()) > 0:
            ended, _, _ = select.select(remaining, [], [], left)  # a pidfd is readable when its process has ended
            remaining -= set(ended)


def main() -> None:
    """`python -m usernym.demo.cleaner FOLDER`: a process's number a line; at the end of the input, end them all."""
    held: list[int] = []
    for line in sys.stdin:
        with contextlib.suppress(ProcessLookupError):
            held.append(os.pidfd_open(int(line)))
    end_all(held, END_S)
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
