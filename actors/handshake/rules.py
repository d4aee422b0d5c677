"""Where a handshake stands, from what both sides have said. A pure function: both clients come to one answer.

docs/protocol.md, "Handshake". Each handshake message tells the highest counter of the other side's handshake messages
that its writer had taken (`seen`). An offer or an acceptance holds until its writer revokes it, or the other side does:
a revocation ends every offer and acceptance whose writer had not seen it. So two messages that cross mean the same to
both, in whatever order they come.

A contact's restored home (`counters_of_home`) knows nothing of what the former one said or took: an offer to the former
holds only once the newer has answered it, and a revocation that was written for the former ends nothing of the newer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from usernym.actors.messages import PayloadKind
from usernym.protocol.limits import ADDRESS_BYTES
from usernym.protocol.payloads import counters_of_home
from usernym.storage.client.types import Direction, HandshakeState, HandshakeStep, Message

_NOTHING: Final = HandshakeStep(0, 0, b"")


@dataclass(frozen=True, slots=True)
class Side:
    """What one side has said last: an offer or an acceptance, and a revocation."""

    consent: HandshakeStep = _NOTHING
    end: HandshakeStep = _NOTHING
    home: int = 0
    """From which counter this side's newest home counts, as far as the other knows."""

    @property
    def last(self) -> int:
        """The counter of this side's last word."""
        return max(self.consent.counter, self.end.counter)

    @property
    def heard(self) -> int:
        """What has seen this side's last word, and its newest home, has seen this."""
        return max(self.last, self.home)

    def holds(self, other: Side) -> bool:
        """Whether this side has offered or accepted, neither side has ended that, and the other's home knows of it."""
        consent, home = self.consent, counters_of_home
        given = consent.counter > self.end.counter and len(consent.address) == ADDRESS_BYTES
        ended = consent.seen < other.end.counter and home(other.end.seen) >= home(consent.counter)
        known = home(consent.seen) >= other.home or other.consent.seen > self.end.counter
        return given and known and not ended


def sides(messages: Iterable[Message], heard: int) -> tuple[Side, Side]:
    """Ours and theirs, from stored handshake messages (at least the last of each kind and side).

    `heard` is a counter of theirs that came, in any message, from the newest home of this identity: what a home before
    that one said is void.
    """
    last = {Direction.OUT: [_NOTHING, _NOTHING], Direction.IN: [_NOTHING, _NOTHING]}
    their_home = counters_of_home(heard)
    for message in messages:
        if message.direction is Direction.IN and message.counter < their_home:
            continue
        place = int(message.kind == PayloadKind.HANDSHAKE_REVOKE)
        if message.counter > last[message.direction][place].counter:
            last[message.direction][place] = HandshakeStep.from_body(message.counter, message.body)
    mine, theirs = (Side(consent, end) for consent, end in last.values())
    return replace(mine, home=counters_of_home(mine.last)), replace(theirs, home=their_home)


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
