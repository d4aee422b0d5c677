"""Which lookups a node takes while more come than it answers.

docs/protocol.md, "Work for a lookup". Owned by the node's mixnet I/O, and used in its thread only. Lookups are
anonymous: a bound for each sender can't tell a flood from the others. So there are places that only those get who have
done some work for them, and what they cost rises while these, too, are taken.
"""

from __future__ import annotations

from typing import Final

from usernym.actors.runtime import Runtime
from usernym.protocol import lookup_work
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.protocol.limits import BUSY_RETRY_S, LOOKUP_BITS_MAX, LOOKUP_BITS_MIN, MINUTE_S

RAISED_AGAIN_S: Final = 10
"""The price rises by a bit at most so often: who pays it now has asked some seconds ago."""
EASED_S: Final = 5 * MINUTE_S
"""After so long without a rise the price is the lowest again."""
BITS_BEHIND_MAX: Final = 1
"""How much easier than today's work a ticket may be: it was named a moment ago."""
SPENT_MAX: Final = 100_000
"""Payments remembered, at some 100 bytes each: 550 lookups a second for the three minutes that a ticket is valid."""


class LookupGate:
    """`free` requests may wait at most, and `paid` more that have paid."""

    def __init__(self, runtime: Runtime, node: bytes, *, free: int, paid: int) -> None:
        self._runtime = runtime
        self._node = node
        self._free, self._room = free, free + paid
        self._bits = LOOKUP_BITS_MIN
        self._raised_at = runtime.now()
        self._spent: dict[int, set[bytes]] = {}
        """The ids of the requests that paid, by the minutes of their tickets."""

    def judge(self, request: m.Lookup | m.History, backlog: int) -> m.Refused | None:
        """None if the request may join the `backlog` that waits; otherwise what it is answered."""
        if backlog < self._free:
            return None
        now = self._runtime.now()
        if now - self._raised_at >= EASED_S:
            self._bits = LOOKUP_BITS_MIN
        if backlog < self._room and self._takes_payment(request):
            return None
        if backlog >= self._room:
            if now - self._raised_at >= RAISED_AGAIN_S:
                self._bits, self._raised_at = min(self._bits + 1, LOOKUP_BITS_MAX), now
            return m.Refused(request.request_id, Code.BUSY, BUSY_RETRY_S)
        ticket = lookup_work.make_ticket(self._runtime.unix_s(), self._bits)
        return m.Refused(request.request_id, Code.WORK_WANTED, ticket)

    def _takes_payment(self, request: m.Lookup | m.History) -> bool:
        """Whether the request has paid, and no other one with the same."""
        paid, unix_s = request.paid, self._runtime.unix_s()
        if paid is None or not lookup_work.is_valid(paid.ticket, unix_s):
            return False
        if lookup_work.bits_of(paid.ticket) + BITS_BEHIND_MAX < self._bits:
            return False
        for minute in [each for each in self._spent if not lookup_work.is_valid(each << 8, unix_s)]:
            del self._spent[minute]
        spent = self._spent.setdefault(lookup_work.minute_of(paid.ticket), set())
        if request.request_id in spent or sum(map(len, self._spent.values())) >= SPENT_MAX:
            return False
        if not lookup_work.is_paid(self._node, request):
            return False
        spent.add(request.request_id)
        return True
