"""The cards by which a client knows its node: the one given by hand, and a newer one that the node sent.

docs/protocol.md, "Moving to another address". Owned by the registration actor. A card is on disk before it is acted
upon. What the node sent may have been made for this user alone, so it serves the user's own route, which shows who they
are in any case, and not what is asked before a login.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from usernym.actors.context import ClientContext
from usernym.protocol.cards import NodeCard, card_text, parse_card, verify_newer_card
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import ADDRESSES_MAX, MINUTE_S

CARDS_AGAIN_S: Final = 10 * MINUTE_S
"""The node moves a client at most this often: each card costs a commit and a login, and no honest node moves twice an
hour. One that comes sooner comes again with a later heartbeat."""
CARDS_AT_ONCE: Final = ADDRESSES_MAX
"""Within that time so many are taken if each lacks an address of the one before: that process ends, and its users must
go. All processes of a node may be ended and started again, one after the other."""
_GIVEN: Final = "node_card"
_SENT: Final = "sent_node_card"


class NodeCardHolder:
    """The node's cards in use, in memory and on disk. `card` is the one that was given by hand."""

    def __init__(self, context: ClientContext, card: NodeCard) -> None:
        self._context = context
        self.given = card
        self.card = card
        """The newest: where the route is."""
        self._taken_at: deque[float] = deque(maxlen=CARDS_AT_ONCE)

    @property
    def sequence(self) -> int:
        """The newest card's."""
        return self.card.sequence

    def load(self) -> None:
        """Take the card that the node sent in an earlier life, if it is still the newest."""
        sent = self._context.store.profile.setting(_SENT)
        if sent is not None and (card := parse_card(sent.decode())).sequence > self.card.sequence:
            self.card = card

    def take_told(self, card: NodeCard) -> None:
        """Take a card that the node sent. Raises `RemoteProtocolError` if it is not acceptable, or comes too soon."""
        verify_newer_card(self.card, card)
        now = self._context.runtime.now()
        ends = not set(self.card.addresses) <= set(card.addresses)
        lately = sum(now - at < CARDS_AGAIN_S for at in self._taken_at)
        if lately >= (CARDS_AT_ONCE if ends else 1):
            raise RemoteProtocolError(Code.BUSY, "another card so soon")
        self._context.store.profile.set_setting(_SENT, card_text(card).encode())
        self.card = card
        self._taken_at.append(now)

    def take_given(self, card: NodeCard) -> bool:
        """Take a card that the user was given; False if it is the one given before, or an older one.

        Raises `RemoteProtocolError` (CARD_INVALID) for one of another node.
        """
        try:
            verify_newer_card(self.given, card)
        except RemoteProtocolError as error:
            if error.code is Code.CARD_STALE:
                return False
            raise
        self._context.store.profile.set_setting(_GIVEN, card_text(card).encode())
        self.given = card
        if card.sequence > self.card.sequence:
            self.card = card
        return True
