"""The witnesses that a user names: other nodes, which sign the heads of the log of the user's own.

docs/directory.md, "Witnesses a client asks for".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from usernym.errors import SettingsError
from usernym.protocol.cards import NodeCard, parse_card
from usernym.protocol.directory.witnesses import WitnessPolicy
from usernym.protocol.limits import WITNESSES_MAX

NAMED_MAX: Final = 8
"""Witnesses that a user may name. A node shows three signatures to a head: more than eight would hardly ever be met."""


def witness_policy(cards: Sequence[str | NodeCard], needed: int | None) -> WitnessPolicy:
    """The policy of a user who has named the nodes of these cards, and wants so many signatures; None: all, but at
    most as many as a node shows.

    Raises `SettingsError`, and `RemoteProtocolError` for what is no card.
    """
    keys = tuple(dict.fromkeys((parse_card(card) if isinstance(card, str) else card).node for card in cards))
    if len(keys) > NAMED_MAX:
        raise SettingsError(f"name {NAMED_MAX} witnesses at most")
    if needed is None:
        needed = min(len(keys), WITNESSES_MAX)
    elif not 1 <= needed <= WITNESSES_MAX:
        raise SettingsError(f"ask for 1 to {WITNESSES_MAX} signatures of witnesses: a node shows no more")
    if needed > len(keys):
        raise SettingsError(f"{needed} signatures are wanted, and {len(keys)} different witnesses are named")
    return WitnessPolicy(keys, needed)
