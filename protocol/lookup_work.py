"""The work that a lookup costs where a node has more lookups than it can answer.

docs/protocol.md, "Work for a lookup". Lookups are anonymous, so no bound by sender can tell a flood from the others. A
node that is full names a ticket: its minute, and how hard the work is. Who does that work for the ticket and the id of
their request gets one of the places that are kept for it.
"""

from __future__ import annotations

from typing import Final

from usernym.protocol.challenges import search_leading_zeros, zeros_lead
from usernym.protocol.limits import MINUTE_S
from usernym.protocol.messages import History, Lookup, Paid
from usernym.protocol.signing import Context, labelled

TICKET_MINUTES: Final = 3
"""For so many minutes a ticket is valid, the one that it was made in among them: time for the hardest work on a slow
machine. So long a node must remember what was paid with."""
_MINUTES: Final = 2**24


def make_ticket(unix_s: int, bits: int) -> int:
    """A ticket (u32) of this time for work of so many bits (below 256)."""
    return unix_s // MINUTE_S % _MINUTES << 8 | bits


def minute_of(ticket: int) -> int:
    """The minute that a ticket was made in, modulo 2**24."""
    return ticket >> 8


def bits_of(ticket: int) -> int:
    """How many leading zero bits the work for it has."""
    return ticket & 255


def is_valid(ticket: int, unix_s: int) -> bool:
    """Whether a ticket is of the last minutes."""
    return (unix_s // MINUTE_S - minute_of(ticket)) % _MINUTES < TICKET_MINUTES


def _subject(node: bytes, request: Lookup | History, ticket: int) -> bytes:
    return labelled(Context.LOOKUP_WORK, node, request.request_id, ticket.to_bytes(4, "big"))


def is_paid(node: bytes, request: Lookup | History) -> bool:
    """Whether the work for the request's ticket was done."""
    paid = request.paid
    return paid is not None and zeros_lead(_subject(node, request, paid.ticket), paid.work, bits_of(paid.ticket))


def search_payment(node: bytes, request: Lookup | History, ticket: int, start: int, tries: int) -> Paid | None:
    """What pays for the request, if one of `tries` numbers from `start` on does."""
    found = search_leading_zeros(_subject(node, request, ticket), bits_of(ticket), start, tries)
    return None if found is None else Paid(ticket, found)
