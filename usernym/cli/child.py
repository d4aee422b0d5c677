"""`python -m usernym.cli.child PARENT …`: the command line, as a process that ends in order when its parent dies."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

from usernym.cli import main

PR_SET_PDEATHSIG: Final = 1
"""prctl(2): the signal that this process gets when its parent dies. `exec` keeps it."""


def end_with_parent(parent: int) -> None:
    """Get SIGTERM when the parent dies. `parent` is its process id, since it may have died already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    end_with_parent(int(sys.argv.pop(1)))
    sys.exit(main())
