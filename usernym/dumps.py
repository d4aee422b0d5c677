"""No copy of a process's memory for others: no core dump, and no look into it for the user's other programs.

Memory is not locked. `mlockall` counts all that is mapped (724 MB for a client of 48 MB), and an ordinary user may lock
8 MiB: it fails, and with `MCL_FUTURE` alone later allocations do. Swap has to be switched off, or encrypted, from
outside: docs/threat-model.md, "What memory leaves on the disk".
"""

from __future__ import annotations

import ctypes
import os
import resource
from typing import Final

_PR_SET_DUMPABLE: Final = 4
"""From Linux's `prctl.h`."""


def forbid_dumps() -> None:
    """Let no one dump, trace or read the memory of this process, but root. Raises `OSError` if that is not possible.

    Both are needed: a core dump that goes to a program (`kernel.core_pattern` with a pipe) ignores the limit, and
    processes that this one starts inherit the limit only. It can't be undone; `/proc/PID` of the process then belongs
    to root, but for what every user may read.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
