"""The node's card: the current one, or a newer one when its addresses are others."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from usernym.protocol.cards import NodeCard, decode_card, make_card
from usernym.protocol.limits import UINT32_MAX
from usernym.protocol.records import day_of
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.storage.node.store import NodeStore

SEQUENCE_BY_CLOCK_MAX: Final = UINT32_MAX - 2**20
"""The highest card sequence taken from the clock: one that is wrong by a century leaves room for a million cards."""


def renew_card(store: NodeStore, key: SigningKey, addresses: Collection[bytes], now: int) -> NodeCard:
    """The card for `addresses` (1 to `ADDRESSES_MAX`, in any order), stored.

    A newer one's sequence comes from the clock (`now`, Unix seconds), so that a node restored from an older copy does
    not use one a second time.
    """
    stored = store.profile.card()
    card = None if stored is None else decode_card(stored.blob)
    if card is None or set(card.addresses) != set(addresses):
        sequence = max(1 if card is None else card.sequence + 1, min(now, SEQUENCE_BY_CLOCK_MAX))
        card = make_card(key, addresses, sequence, day_of(now))
        store.profile.save_card(sequence, pack(card))
    return card
