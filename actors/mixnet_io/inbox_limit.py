"""What may wait in mixnet I/O's inbox: a bound on frames, and one on their bytes, since a frame may be 42 packets."""

from __future__ import annotations

import threading
from typing import Final

FRAMES_WAITING_MAX: Final = 4_000
"""Frames in the inbox; at Nym's 50 packets a second, more than a minute of them. More are dropped."""
BYTES_WAITING_MAX: Final = 16 * 1024 * 1024
"""Their bytes: two and a half times as many full packets as that, or 250 of the largest frames."""


class InboxLimit:
    """Counts bytes in and out. `admit` is called on the transport's threads, `taken` on the actor's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = 0

    def admit(self, size: int, frames_waiting: int) -> bool:
        """Whether a frame of `size` bytes may join the `frames_waiting` that wait; then its bytes count."""
        with self._lock:
            if frames_waiting >= FRAMES_WAITING_MAX or self._bytes + size > BYTES_WAITING_MAX:
                return False
            self._bytes += size
            return True

    def taken(self, size: int) -> None:
        """A frame that was admitted is out of the inbox."""
        with self._lock:
            self._bytes -= size
