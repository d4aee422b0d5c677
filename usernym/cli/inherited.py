"""What a process inherits from the one that started it, put right before anything else happens."""

from __future__ import annotations

import os
import signal
import sys
from typing import Final

from usernym.cli.signals import SIGNALS

_UMASK: Final = 0o077
"""Whatever the shell's: our files are their owner's alone, and must be readable for their owner."""


def put_right() -> None:
    """See to it that descriptors 0 to 2 are open, that files are private, and that signals come."""
    _open_standard_descriptors()
    os.umask(_UMASK)
    # Ignored, it would hide how our children end. A signal that is blocked could not end us.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _open_standard_descriptors() -> None:
    """Put `/dev/null` where a standard stream was closed: the next file would get its number, and what is printed.

    What is read from it is empty, and errors written to it are lost. Results are not: the standard output is
    opened so that writing to it fails.
    """
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest number that is free
    # Python has None for a stream that was closed when it started.
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, "r", closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
