"""The account of every SURB that a client gives its node: how many can be alive, and so how many more may leave.

docs/protocol.md, "Reply blocks". Owned by mixnet I/O, and used in its thread only. A node that spends its SURBs all at
once could correlate them with the packets at a client's gateway, so their number has a bound that nothing raises:
neither what the node asks for, nor what it says it has, nor another login, nor a message sent again.
"""

from __future__ import annotations

from typing import Final

from usernym.actors.runtime import Runtime
from usernym.actors.surbs import SurbStock
from usernym.protocol.limits import SURB_S, SURBS_GIVEN_MAX, SURBS_REQUEST
from usernym.protocol.packets import reply_packets

PLENTY_BELOW: Final = SURBS_GIVEN_MAX // 3
"""While fewer are alive, the node gets SURBs before it needs them, and a request carries three; else one, and what its
answer does not spend stays small. A third of the bound, so that a node which is away for a day finds its clients able
to ask."""
ON_DEMAND_BELOW: Final = SURBS_GIVEN_MAX * 5 // 6
"""While fewer are alive, the node gets what it needs now. The rest is kept for requests: they restore a route."""


class SurbAccount:
    """SURBs that left, by their age, less those that the node has visibly spent."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._given = SurbStock(float(SURB_S))

    def alive(self) -> int:
        """How many the node can have: given in the last 24 hours, less the packets that came.

        A packet is taken off the oldest that are left, whichever the node spent, so that none dies in this account
        before it does in truth.
        """
        return self._given.left(self._runtime.now())

    def begin_anew(self) -> None:
        """The mixnet client has another address: what was given leads to the former one."""
        self._given = SurbStock(float(SURB_S))

    def leave(self, count: int) -> None:
        """`count` leave."""
        self._given.add(count, self._runtime.now())

    def note_spent(self, size: int) -> None:
        """A frame of `size` bytes came, signed by the node."""
        self._given.take_any(reply_packets(size), self._runtime.now())

    def for_request(self, wanted: int) -> int:
        """How many a request may carry that wants as many; 0: it has to wait."""
        alive = self.alive()
        fewer = min(wanted, SURBS_REQUEST if alive < PLENTY_BELOW else 1)
        return max(0, min(fewer, SURBS_GIVEN_MAX - alive))

    def has_room_for(self, count: int) -> bool:
        """Whether a request with `count` may be sent again."""
        return self.alive() + count <= SURBS_GIVEN_MAX

    def in_advance(self, wanted: int) -> int:
        """How many of these the node may get before it needs them."""
        return max(0, min(wanted, PLENTY_BELOW - self.alive()))

    def on_demand(self, needed: int) -> int:
        """How many of these the node may get, which it needs now."""
        return max(0, min(needed, ON_DEMAND_BELOW - self.alive()))
