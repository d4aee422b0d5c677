"""The account of reply SURBs that one side gave and the other holds, kept by both, oldest first.

docs/protocol.md, "Reply blocks". The mixnet tells neither side how many are left, so each keeps count for itself, and
the answer to a heartbeat brings the two together again.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from usernym.protocol.limits import SURB_S, SURBS_GIVEN_MAX
from usernym.protocol.packets import anonymous_capacity, anonymous_packets

STOCK_MAX: Final = SURBS_GIVEN_MAX
"""The most that a client gives. Whatever a sender says that it gave, its account holds no more."""
_MARGIN_S: Final = 600
"""SURBs count as dead this long before Nym's 24 hours are over: a reply sent over one must still arrive."""


class SurbStock:
    """SURBs held for one route, with their ages. Times are seconds on the runtime's clock."""

    def __init__(self, lifetime_s: float = SURB_S - _MARGIN_S) -> None:
        self._lifetime_s = lifetime_s
        self._lots: deque[tuple[float, int]] = deque()
        self._count = 0

    def add(self, count: int, now: float) -> None:
        """`count` fresh ones came. Past `STOCK_MAX` the oldest are forgotten."""
        if count:
            self._lots.append((now, count))
            self._count += count
            while (surplus := self.left(now) - STOCK_MAX) > 0:
                self.take(surplus, now)

    def left(self, now: float) -> int:
        """How many are alive."""
        while self._lots and self._lots[0][0] + self._lifetime_s <= now:
            self._count -= self._lots.popleft()[1]
        return self._count

    def lots(self, now: float) -> list[tuple[float, int]]:
        """Those that are alive: when they came, and how many; the oldest first."""
        self.left(now)
        return list(self._lots)

    def take(self, count: int, now: float) -> bool:
        """Spend `count`, oldest first; False, and none spent, if there are fewer."""
        if self.left(now) < count:
            return False
        self._count -= count
        while count:
            born, lot = self._lots.popleft()
            if lot > count:
                self._lots.appendleft((born, lot - count))
            count -= min(lot, count)
        return True

    def forget_before(self, at: float) -> int:
        """Those that came before `at` count as dead; returns how many."""
        dead = 0
        while self._lots and self._lots[0][0] < at:
            dead += self._lots.popleft()[1]
        self._count -= dead
        return dead

    def take_any(self, count: int, now: float) -> None:
        """Spend up to `count`: the other side spent them, whatever our account says."""
        self.take(max(0, min(count, self.left(now))), now)

    def add_older(self, count: int, born: float) -> None:
        """`count` came then, before all others."""
        if count:
            self._lots.appendleft((born, count))
            self._count += count

    def set(self, count: int, now: float) -> None:
        """The holder says that it has `count`."""
        have = self.left(now)
        if count < have:
            self.take(have - count, now)
        else:
            self.add(count - have, now)


def surbs_that_fit(size: int, surb_bytes: int) -> int:
    """How many SURBs of `surb_bytes` travel with a message of `size` bytes without costing another packet."""
    return (anonymous_capacity(anonymous_packets(size, 0), 0) - size) // surb_bytes


class CounterWindow:
    """Which counters of one login have been seen: new ones pass once, in any order within `SIZE`."""

    SIZE: Final = 1024
    """Nym reorders messages by fractions of a second; at its 50 packets a second this is 20 seconds."""

    def __init__(self) -> None:
        self._highest = 0
        self._seen = 0

    def is_new(self, counter: int) -> bool:
        """Whether `counter` may pass; if so, it is remembered."""
        if counter > self._highest:
            shift = counter - self._highest
            self._seen = ((self._seen << shift) | 1) & ((1 << self.SIZE) - 1) if shift < self.SIZE else 1
            self._highest = counter
            return True
        behind = self._highest - counter
        if behind >= self.SIZE or self._seen >> behind & 1:
            return False
        self._seen |= 1 << behind
        return True
