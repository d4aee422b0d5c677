"""The card by which a client knows its node, and which newer one it takes. Owned by the registration actor.

docs/protocol.md, "Moving to another address". A card is on disk before it is acted upon.
"""

from __future__ import annotations

from typing import Final

from usernym.actors.context import ClientContext
from usernym.protocol.cards import NodeCard, card_text, verify_newer_card
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import MINUTE_S

CARDS_AGAIN_S: Final = 10 * MINUTE_S
"""The node itself moves a client at most this often: each card costs it a commit and a login, and no honest node moves
twice an hour. One that comes sooner comes again with a later heartbeat."""
SETTING: Final = "node_card"


class NodeCardHolder:
    """The node's card in use, in memory and on disk."""

    def __init__(self, context: ClientContext, card: NodeCard) -> None:
        self._context = context
        self.card = card
        self._taken_at = float("-inf")

    @property
    def sequence(self) -> int:
        return self.card.sequence

    def take_told(self, card: NodeCard) -> None:
        """Take a card that the node sent. Raises `RemoteProtocolError` if it is not acceptable, or comes too soon."""
        verify_newer_card(self.card, card)
        now = self._context.runtime.now()
        if now - self._taken_at < CARDS_AGAIN_S:
            raise RemoteProtocolError(Code.BUSY, "another card so soon")
        self._keep(card)
        self._taken_at = now

    def take_given(self, card: NodeCard) -> bool:
        """Take a card that the user was given; False if it is the known one, or an older one.

        Raises `RemoteProtocolError` (CARD_INVALID) for one of another node.
        """
        try:
            verify_newer_card(self.card, card)
        except RemoteProtocolError as error:
            if error.code is Code.CARD_STALE:
                return False
            raise
        self._keep(card)
        return True

    def _keep(self, card: NodeCard) -> None:
        self._context.store.profile.set_setting(SETTING, card_text(card).encode())
        self.card = card
