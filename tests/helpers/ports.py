"""Ports for processes that tests start, kill and start again on the same ones.

A port that was only looked at is free for others the next moment, and one whose process was killed until that process
is there again: another test may choose it, and the kernel may give it to any connection. So ports are kept by a socket
of this process that is bound and never listens: on Linux, another may listen beside it if both have SO_REUSEADDR.
"""

from __future__ import annotations

import random
import socket
from collections import deque
from collections.abc import Iterable
from typing import Final

_FIRST, _LAST = 20_000, 30_000
KEPT_MAX: Final = 128
"""Ports kept at once: more than a few tests use, and far fewer than a process may have files."""

_kept: deque[socket.socket] = deque()


def free_ports(count: int) -> int:
    """The first of so many free ports in a row, which are kept."""
    chooser = random.Random()
    for _ in range(200):
        first = chooser.randrange(_FIRST, _LAST)
        if keep(range(first, first + count)):
            return first
    raise AssertionError("not so many free ports in a row")


def keep(ports: Iterable[int], *, again: bool = False) -> bool:
    """Keep all these ports; False if one is taken, and none is kept. `again`: connections of the process that listened
    on them may still be closing."""
    bound: list[socket.socket] = []
    for port in ports:
        one = socket.socket()
        bound.append(one)
        try:
            if again:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", port))
        except OSError:
            for each in bound:
                each.close()
            return False
        # Only now: a port that another test keeps is not free.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _kept.extend(bound)
    while len(_kept) > KEPT_MAX:
        _kept.popleft().close()
    return True
