"""What the parts of the client's forwarding actor share: whom they may tell, and what they may ask of the actor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from usernym.actors.base import Tellable
from usernym.actors.context import ClientContext
from usernym.actors.messages import (
    AcknowledgeNow,
    AnswerArrived,
    DirectRouteChanged,
    HandshakeArrived,
    RequestFailed,
    Resolve,
    Resolved,
    ResolveFailed,
    RouteDoubted,
    SendDirect,
    SendRequest,
    SendStatement,
)
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import NOTICES_MAX
from usernym.storage.client.types import DeliveryState, Message


@dataclass(frozen=True, slots=True)
class Host:
    """Given to each part by the actor, and used in its thread only."""

    context: ClientContext
    io: Tellable[SendRequest | SendStatement | SendDirect]
    lookup: Tellable[Resolve]
    registration: Tellable[RouteDoubted]
    handshake: Tellable[HandshakeArrived]
    forwarding: Tellable[AnswerArrived | RequestFailed | Resolved | ResolveFailed | AcknowledgeNow | DirectRouteChanged]
    """The actor itself: answers go there."""
    refuse: Callable[[RemoteProtocolError], None]
    """Count a peer's error."""
    counts: Counter[str]
    settle_file: Callable[[Message, DeliveryState], None]
    """Store the state of a message about a file, with what it means for the file."""

    def look_up(self, name: str, *, stranger: bool = False) -> None:
        """Let lookup bring a contact up to date; `Resolved` or `ResolveFailed` follows."""
        self.lookup.tell(Resolve(name, self.forwarding, stranger))

    def note_notices(self, numbers: list[int]) -> None:
        """Let a heartbeat confirm these notices: at once, if the node sends no more before that."""
        notices = self.context.store.notices
        notices.add(numbers)
        if len(notices.oldest(NOTICES_MAX)) >= NOTICES_MAX:
            self.registration.tell(RouteDoubted())
