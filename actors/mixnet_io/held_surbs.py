"""What the node should hold of a client's SURBs, at each of its addresses: what may be claimed where a login is made.

docs/protocol.md, "Reply blocks". Owned by mixnet I/O, and used in its thread only. SURBs that were given to one address
are no use at another, but they are there when the client comes back. If each return brought others, a client that is
sent to and fro for a day would have its account full of SURBs that lie idle, and could give none where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from usernym.actors.runtime import Runtime
from usernym.actors.surbs import SurbStock
from usernym.protocol.limits import SURB_S, SURBS_OF_LOGIN

CLAIMED_S: Final = SURB_S / 2
"""None is claimed at a greater age: the node counts it from the claim on."""


class HeldSurbs:
    """A stock for each address. `where` tells the one of the login: what is given now goes there."""

    def __init__(self, runtime: Runtime, where: Callable[[], bytes]) -> None:
        self._runtime = runtime
        self._where = where
        self._stocks: dict[bytes, SurbStock] = {}
        self._inherited: set[bytes] = set()
        """Addresses that hold some of another process of ours, and do not know it yet."""

    @property
    def here(self) -> SurbStock:
        """What is held at the address of the login."""
        return self.at(self._where())

    def at(self, address: bytes) -> SurbStock:
        """What is held at this one."""
        return self._stocks.setdefault(address, SurbStock())

    def clear(self) -> None:
        """The mixnet client may be another one: none can be used any more."""
        self._stocks.clear()
        self._inherited.clear()

    def lots(self) -> list[tuple[bytes, list[tuple[float, int]]]]:
        """All, by their addresses: when they were given, and how many. That of the login comes first."""
        now, here = self._runtime.now(), self.here
        self._stocks = {at: stock for at, stock in self._stocks.items() if stock is here or stock.left(now)}
        others = [(at, stock.lots(now)) for at, stock in self._stocks.items() if stock is not here]
        return [(self._where(), here.lots(now)), *others]

    def inherit(self, lots: Iterable[tuple[bytes, list[tuple[float, int]]]]) -> None:
        """Another process of ours gave these, over the same mixnet client."""
        for at, given in lots:
            stock = self._stocks[at] = SurbStock()
            for born, count in sorted(given, reverse=True):
                stock.add_older(count, born)
            self._inherited.add(at)

    def claim(self, address: bytes, *, brings: int, alive: int) -> int:
        """How many the proof of a login claims there, which brings so many itself: those that are young enough, less
        what the node adds for the login by itself. Never more than are `alive` at all: some have brought answers that
        came too late to tell from which address."""
        return max(0, self._young(address, alive) + brings - 1 - SURBS_OF_LOGIN)

    def claim_inherited(self, *, alive: int) -> int:
        """Where the login was made, those of another process; once, since the node may not have believed the login."""
        at = self._where()
        if at not in self._inherited:
            return 0
        self._inherited.discard(at)
        return self._young(at, alive)

    def _young(self, address: bytes, alive: int) -> int:
        now, stock = self._runtime.now(), self.at(address)
        stock.forget_before(now - CLAIMED_S)
        return min(stock.left(now), alive)
