"""What the `websockets` package may log: nothing."""

from __future__ import annotations

import logging


def silent_logger() -> logging.Logger:
    """A logger that says nothing. At its debug level, `websockets` would log the frames and what is in them."""
    quiet = logging.getLogger("usernym.mixnet.websockets")
    quiet.propagate = False
    quiet.setLevel(logging.CRITICAL + 1)
    return quiet
