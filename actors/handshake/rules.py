"""Where a handshake stands, from what both sides have said. A pure function: both clients come to one answer.

docs/protocol.md, "Handshake". Each handshake message tells the highest counter of the other side's handshake messages
that its writer had taken (`seen`). An offer or an acceptance holds until its writer revokes it, or the other side does:
a revocation ends every offer and acceptance whose writer had not seen it. So two messages that cross mean the same to
both, in whatever order they come.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from usernym.actors.messages import PayloadKind
from usernym.protocol.limits import ADDRESS_BYTES
from usernym.storage.client.types import Direction, HandshakeState, HandshakeStep, Message

_NOTHING: Final = HandshakeStep(0, 0, b"")


@dataclass(frozen=True, slots=True)
class Side:
    """What one side has said last: an offer or an acceptance, and a revocation."""

    consent: HandshakeStep = _NOTHING
    end: HandshakeStep = _NOTHING

    @property
    def last(self) -> int:
        """The counter of this side's last word."""
        return max(self.consent.counter, self.end.counter)

    def holds(self, other: Side) -> bool:
        """Whether this side has offered or accepted, and neither side has ended that."""
        given = self.consent.counter > self.end.counter
        return given and self.consent.seen >= other.end.counter and len(self.consent.address) == ADDRESS_BYTES


def sides(messages: Iterable[Message]) -> tuple[Side, Side]:
    """Ours and theirs, from stored handshake messages (at least the last of each kind and side)."""
    last = {Direction.OUT: [_NOTHING, _NOTHING], Direction.IN: [_NOTHING, _NOTHING]}
    for message in messages:
        place = int(message.kind == PayloadKind.HANDSHAKE_REVOKE)
        if message.counter > last[message.direction][place].counter:
            last[message.direction][place] = HandshakeStep.from_body(message.counter, message.body)
    return Side(*last[Direction.OUT]), Side(*last[Direction.IN])


def standing(mine: Side, theirs: Side) -> tuple[HandshakeState, bytes | None]:
    """Where it stands, and the peer's address where that may be kept."""
    i_hold, they_hold = mine.holds(theirs), theirs.holds(mine)
    if they_hold:
        return HandshakeState.ACTIVE if i_hold else HandshakeState.OFFER_RECEIVED, theirs.consent.address
    if i_hold:
        return HandshakeState.OFFERED, None
    if not (mine.end.counter or theirs.end.counter):
        return HandshakeState.NONE, None
    ended_by_them = theirs.end.counter > mine.end.seen and theirs.end.seen >= mine.end.counter
    return HandshakeState.ENDED_BY_PEER if ended_by_them else HandshakeState.ENDED_BY_ME, None
