"""Faults of the surroundings: of the system, the disk, a stream, a limit, the installation. None is a bug of ours.

The one place that says which exceptions these are. What the product raises by itself has types of its own
(`usernym.errors`, `StorageError`, …), and is not looked at here.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import Final

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_LIMITS: Final = {
    errno.EMFILE: "this process may open no more files (ulimit -n)",
    errno.ENFILE: "the system can open no more files",
    errno.ENOMEM: "there is not enough memory",
    errno.EAGAIN: "the system has no room for this now",
}
_OUT_OF_MEMORY: Final = ("failed to map segment", "cannot allocate memory", "memory allocation error")
"""What libraries say, in small letters, whose errors have no number for it."""
_THREADS: Final = "can't start new thread"
"""What Python says when the system gives it no thread: a bare `RuntimeError`."""
TEXT_MAX: Final = 300
"""Characters of a path in an error."""


@dataclass(frozen=True, slots=True)
class SystemFault:
    """A fault of the surroundings. `kind` is for programs, `text` for people."""

    kind: str
    text: str


def fault_of(error: BaseException) -> SystemFault | None:
    """What an exception says of the surroundings; None if it may be a bug.

    An `OSError` without a number was raised by a program, not by the system. Of other errors nothing is shown that may
    hold what was being handled.
    """
    words = str(error).lower()
    if isinstance(error, MemoryError) or any(each in words for each in _OUT_OF_MEMORY):
        return SystemFault("limit", _LIMITS[errno.ENOMEM])
    if isinstance(error, RuntimeError) and _THREADS in words:
        return SystemFault(
            "limit", "there is no room for another thread: see `ulimit -u` (threads), `ulimit -v` (memory)"
        )
    if isinstance(error, OSError) and error.errno is not None:
        return _of_number(error)
    if isinstance(error, UnicodeError):
        return SystemFault(
            "encoding", "what was read or typed is not valid text in the encoding that is expected (UTF-8)"
        )
    if isinstance(error, EOFError):
        return SystemFault("input_closed", "the standard input has ended, and something was still to be read from it")
    if isinstance(error, ImportError) and not (error.name or "usernym").startswith("usernym"):
        return SystemFault(
            "installation", f"a part of the installation can't be loaded ({error.name}): install it again"
        )
    if type(error).__module__ == "termios":
        return SystemFault("terminal", "the terminal does not answer")
    return None


def _of_number(error: OSError) -> SystemFault:
    number = error.errno or 0
    what = os.strerror(number).lower()
    if error.filename is not None and not isinstance(error.filename, int):
        what = f"{os.fsdecode(error.filename)[:TEXT_MAX]}: {what}"
    if number in _NO_ROOM:
        return SystemFault("no_room", f"{what}: free some space, then try again")
    if number in _LIMITS:
        return SystemFault("limit", _LIMITS[number])
    return SystemFault("system", f"the system refuses: {what}")
