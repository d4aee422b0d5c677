"""The account of every SURB that leads to a client's address: how many can be alive, and so how many more may leave.

docs/protocol.md, "Reply blocks". Owned by mixnet I/O, and used in its thread only. A node that spends its SURBs all at
once could correlate them with the packets at a client's gateway, so their number has a bound that nothing raises:
neither what the node asks for, nor what it says it has, nor another login, nor a message sent again, nor another
process of the client.

A mixnet client that was killed has lost the reply keys of what it gave: those SURBs bring no message any more, and
leave the account. Packets over them would still arrive at the gateway (docs/threat-model.md). If they stayed, a few
deaths would leave a client that keeps its address without an answer for a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from usernym.actors.base import PASSING_FAILURES
from usernym.actors.mixnet_io.held_surbs import HeldSurbs
from usernym.actors.runtime import Runtime
from usernym.actors.surbs import SurbStock
from usernym.protocol.limits import SURB_S, SURBS_GIVEN_MAX, SURBS_REQUEST
from usernym.protocol.packets import reply_packets
from usernym.storage.client.given_surbs import GivenSurbs, KeptAccount, SurbLot, SurbsAt
from usernym.storage.errors import StorageError

PLENTY_BELOW: Final = SURBS_GIVEN_MAX // 3
"""While fewer are alive, the node gets SURBs before it needs them, and a request carries three; else one, and what its
answer does not spend stays small. A third of the bound, so that a node which is away for a day finds its clients able
to ask."""
ON_DEMAND_BELOW: Final = SURBS_GIVEN_MAX * 5 // 6
"""While fewer are alive, the node gets what it needs now. The rest is kept for requests: they restore a route."""
STARVED_BELOW: Final = SURBS_GIVEN_MAX * 23 // 24
"""The same for what it has needed for long, if the mixnet client can't be replaced. The last four are kept for
requests, of which each carries one by then."""
STARVED_AGAIN_S: Final = 1800.0
"""But no more while some of what it got so is missing, for so long: a mixnet that loses much would soon have that,
too."""
KEPT_AHEAD: Final = SURBS_REQUEST
"""SURBs that the account on the disk is ahead of those that left: every second heartbeat needs no commit. More would
save little, since SURBs leave ten at a time where much is received; and a process that is killed leaves up to so many
on the account that never left, for a day."""


KEPT_BEHIND: Final = 6
"""SURBs that were spent before the account on the disk learns of it: one commit for as many packets that came."""
UNDER_WAY_S: Final = 30.0
"""What was handed over so long ago is known to the mixnet client: it has sent 1,500 packets since."""


class SurbAccount:
    """SURBs that left, by their age, less those that the node has visibly spent.

    `held` is what the node should hold of them, and where. `kept` is where both outlive the process; None: nowhere, for
    a program without a store. `out` tells how many the mixnet client knows to be out, or None (`Transport.surbs_out`).
    """

    def __init__(
        self,
        runtime: Runtime,
        held: HeldSurbs,
        kept: GivenSurbs | None = None,
        out: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._runtime = runtime
        self._held = held
        self._kept = kept
        self._out = out
        self._address: bytes | None = None
        self._before: KeptAccount | None = None
        self._given = SurbStock(float(SURB_S))
        self._alive_before, self._given_last_at = 0, float("-inf")
        """How many were alive when the node last got some `at_last`, and when that was."""
        self._ahead = 0
        self._kept_count = 0
        """How many another process would begin with."""

    def load(self) -> None:
        """Read what another process kept; before `begin_at`."""
        if self._kept is not None and self._address is None:
            self._before = self._kept.load()

    def begin_at(self, address: bytes) -> None:
        """A mixnet client came up at this address. What was given from another one leads elsewhere; of what was given
        from this one, it may have the keys. If it does not tell, it is taken for the one that another process of ours
        used; but a client that was away is taken for a new one."""
        before, self._before = self._before, None
        lots, out = self._given.lots(self._runtime.now()), self._out()
        self._held.clear()
        if address != self._address:
            lots = [] if before is None or before.address != address else self._kept_lots(before)
            known = sum(count for _, count in lots) if out is None else out
            if lots and before is not None and out is None:
                # A mixnet client that tells what it knows of is another one, with another sender tag.
                self._held.inherit(self._kept_places(before))
        else:
            known = out or 0
        self._address, self._given, self._ahead = address, SurbStock(float(SURB_S)), 0
        for born, count in reversed(lots):
            self._given.add_older(min(count, known), born)
            known -= min(count, known)
        self._kept_count = self._given.left(self._runtime.now()) + self._ahead

    def _kept_lots(self, kept: KeptAccount) -> list[tuple[float, int]]:
        """When they left, at the earliest, and how many: the oldest first."""
        return sorted([*self._read(kept.lots), (self._runtime.now(), kept.ahead)])

    def _kept_places(self, kept: KeptAccount) -> list[tuple[bytes, list[tuple[float, int]]]]:
        """The same of what was held at each address. What may have left since went where the login was."""
        places = [(place.at, self._read(place.lots)) for place in kept.held]
        for _, lots in places[:1]:
            lots.append((self._runtime.now(), kept.ahead))
        return places

    def _read(self, lots: Iterable[SurbLot]) -> list[tuple[float, int]]:
        now, unix_s = self._runtime.now(), self._runtime.unix_s()
        return [(now - _age_s(lot, now, unix_s), lot.count) for lot in lots]

    def _written(self, lots: Iterable[tuple[float, int]]) -> tuple[SurbLot, ...]:
        now, unix_s = self._runtime.now(), self._runtime.unix_s()
        return tuple(SurbLot(unix_s - int(now - born), born, count) for born, count in lots)

    def alive(self) -> int:
        """How many the node can have: given in the last 24 hours, less the packets that came.

        A packet is taken off the oldest that are left, whichever the node spent, so that none dies in this account
        before it does in truth. So what was lost stays while others come and go: `out` tells better.
        """
        now, out = self._runtime.now(), self._out()
        if out is not None:
            self._adjust(out, now)
        return self._given.left(now)

    def _adjust(self, out: int, now: float) -> None:
        """Follow the mixnet client, which has `out`: it gives some by itself, when the node's asks; and some come back
        over which the node's has sent a lost packet again."""
        left = self._given.left(now)
        if out > left:
            self._given.add(out - left, now)
            self._ahead -= out - left
        else:
            on_their_way = sum(count for born, count in self._given.lots(now) if born > now - UNDER_WAY_S)
            self._given.take_any(left - out - on_their_way, now)

    def leave(self, count: int) -> bool:
        """Whether `count` may leave: then they are on the account, and on the disk before. Else the disk has no room
        for that."""
        if count > self._ahead and not self._keep(count + KEPT_AHEAD):
            return False
        self._ahead -= count
        self._given.add(count, self._runtime.now())
        return True

    def close(self) -> None:
        """The process ends: what is kept is exact."""
        if self._address is not None:
            with suppress(StorageError):  # what is kept already is too high at most
                self._keep(0)

    def _keep(self, ahead: int) -> bool:
        if self._kept is not None and self._address is not None:
            lots = self._written(self._given.lots(self._runtime.now()))
            held = tuple(SurbsAt(at, self._written(there)) for at, there in self._held.lots())
            try:
                self._kept.save(KeptAccount(self._address, lots, ahead, held))
            except PASSING_FAILURES:
                return False
        self._ahead, self._kept_count = ahead, self._given.left(self._runtime.now()) + ahead
        return True

    def note_spent(self, size: int) -> None:
        """A frame of `size` bytes came, signed by the node."""
        now = self._runtime.now()
        self._given.take_any(reply_packets(size), now)
        if self._kept_count - self._given.left(now) > KEPT_BEHIND:
            self._keep(max(0, self._ahead))

    def for_request(self, wanted: int, packets: int = 1) -> int:
        """How many a request may carry that wants as many, and whose answer may have so many packets; 0: it has to
        wait."""
        alive = self.alive()
        fewer = wanted if alive < PLENTY_BELOW else min(wanted, packets)
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

    def at_last(self, needed: int) -> int:
        """How many of these the node gets, which it has needed for long: a few, and more at once if they come back."""
        now, alive = self._runtime.now(), self.alive()
        count = max(0, min(needed, STARVED_BELOW - alive))
        if not count or (alive > self._alive_before and now - self._given_last_at < STARVED_AGAIN_S):
            return 0
        self._alive_before, self._given_last_at = alive, now
        return count


def _age_s(lot: SurbLot, now: float, unix_s: int) -> float:
    """How old it is at least. By the wall clock, unless the other one, which began before it, says less."""
    by_wall, by_ticks = max(0.0, float(unix_s - lot.unix_s)), now - lot.ticked_s
    return min(by_wall, by_ticks) if by_ticks >= 0 else by_wall
