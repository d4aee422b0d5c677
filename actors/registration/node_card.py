"""The node's card: the current one, or a newer one when its addresses are others."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from usernym.actors.registration.members import Members
from usernym.protocol.cards import NodeCard, decode_card, make_card
from usernym.protocol.limits import ADDRESSES_MAX, MINUTE_S, UINT32_MAX
from usernym.protocol.records import day_of
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.storage.node.store import NodeStore

SEQUENCE_BY_CLOCK_MAX: Final = UINT32_MAX - 2**20
"""The highest card sequence taken from the clock: one that is wrong by a century leaves room for a million cards."""

ADDED_AGAIN_S: Final = 10 * MINUTE_S
"""Each card costs every user a login, and a client takes no second one sooner: workers that come one after the other
come into one."""


def renew_card(store: NodeStore, key: SigningKey, members: Members, now: int, *, fresh_tags: bool) -> NodeCard:
    """The card for those members that take logins, stored. `fresh_tags`: whether this worker's mixnet client takes
    them. Raises `RouteLost` if this worker was taken for dead."""

    def renew() -> NodeCard:
        # Who looks at the members sees all of whom the card before was made, and who came since: no card forgets one
        # that joined at the same instant.
        store.profile.lock_card()
        return _card_for(store, key, members.beat(), now, fresh_tags=fresh_tags)

    card = store.commit(renew) if store.workers.shared else renew()  # a sole worker's beats cost no commit
    members.keep()
    return card


def _card_for(
    store: NodeStore, key: SigningKey, addresses: Collection[bytes], now: int, *, fresh_tags: bool
) -> NodeCard:
    """The card for `addresses` (at least 1, in any order), stored; of more than `ADDRESSES_MAX`, those that it has.

    An address that is gone leaves the card at once. One that is new comes into it when the card is `ADDED_AGAIN_S` old,
    or at once while the node has no users.
    A newer card's sequence comes from the clock (`now`, Unix seconds), so that a node restored from an older copy does
    not use one a second time. It says that the node takes fresh tags if the worker that makes it does; the card of a
    node with several workers, once it does not say so, only with the next change of its addresses.
    """
    card = _stored(store)
    before = () if card is None else card.addresses
    kept = [address for address in before if address in addresses]
    chosen = [*kept, *(address for address in addresses if address not in before)][:ADDRESSES_MAX]
    is_new = card is not None and 0 <= now - card.sequence < ADDED_AGAIN_S and not store.directory.is_empty()
    same_tags = card is not None and (card.fresh_tags == fresh_tags or (fresh_tags and store.workers.shared))
    if card is not None and len(kept) == len(before) and same_tags and (is_new or len(chosen) == len(before)):
        return card
    sequence = max(1 if card is None else card.sequence + 1, min(now, SEQUENCE_BY_CLOCK_MAX))
    new = make_card(key, chosen, sequence, day_of(now), fresh_tags=fresh_tags)
    if store.profile.save_card(sequence, pack(new)):
        return new
    other = _stored(store)  # another worker was first
    assert other is not None, "a card stays"
    return other


def _stored(store: NodeStore) -> NodeCard | None:
    stored = store.profile.card()
    return None if stored is None else decode_card(stored.blob)
