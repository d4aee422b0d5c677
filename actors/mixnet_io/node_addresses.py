"""Which of its node's addresses a client asks, as a pure rule: a state and what happened give the next state.

docs/protocol.md, "Several addresses". Owned by mixnet I/O. There is no I/O, no clock and no randomness here.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from usernym.actors.base import PrivateValue
from usernym.protocol.limits import HOUR_S, MINUTE_S

SILENT_TRIES: Final = 3
"""Unanswered tries in a row after which an address is left: one may be lost, and so may a second."""
HOME_AFTER_S: Final = 15.0 * MINUTE_S
"""When a client looks whether its first address answers again: a process that was started again is there by then."""
HOME_AFTER_S_MAX: Final = 4.0 * HOUR_S
"""Each look costs a SURB, and one that fails doubles the time until the next: nine a day at most."""


class NodeAddresses(PrivateValue, frozen=True):
    """A card's addresses in this client's order, and which of them it asks."""

    chooser: bytes
    """32 bytes that make this client's order another one than that of other clients."""
    day: int
    """Since 1970. It stays while the process runs, so that no midnight moves everyone at once."""
    order: tuple[bytes, ...]
    used: int = 0
    """The place in `order` of the one that is asked."""
    silent: int = 0
    """Tries in a row that it left unanswered."""
    silent_until: float = -math.inf
    """When the last of them ended. One that was sent before says nothing more: it was on its way beside that one."""
    on_trial: bool = False
    """Whether it has not answered since another one was left for it: then one silent try is enough."""
    home_at: float = math.inf
    """When to ask the first one again; never while that is the one in use."""
    home_after_s: float = HOME_AFTER_S
    """How long to wait after that if it does not answer."""

    @property
    def address(self) -> bytes:
        """The one to ask."""
        return self.order[self.used]

    @property
    def alone(self) -> bool:
        """Whether there is no other one."""
        return len(self.order) == 1


def ordered(addresses: Iterable[bytes], chooser: bytes, day: int) -> tuple[bytes, ...]:
    """The addresses by the SHA-256 of (chooser, day, address): clients spread evenly over what is first."""

    def place(address: bytes) -> bytes:
        return hashlib.sha256(chooser + (day % 2**32).to_bytes(4, "big") + address).digest()

    return tuple(sorted(addresses, key=place))


def choose(addresses: Iterable[bytes], chooser: bytes, day: int) -> NodeAddresses:
    """The state of a process that starts. `addresses` are a card's, 96 bytes each."""
    return NodeAddresses(chooser, day, ordered(addresses, chooser, day))


def with_card(state: NodeAddresses, addresses: Iterable[bytes], now: float) -> NodeAddresses:
    """There is another card. The address in use stays so if the card has it, else the first one is asked."""
    fresh = choose(addresses, state.chooser, state.day)
    if fresh.order == state.order:
        return state
    if state.address not in fresh.order:
        return fresh
    return _with_home(replace(state, order=fresh.order, used=fresh.order.index(state.address)), now)


def answered(state: NodeAddresses, address: bytes) -> NodeAddresses:
    """Something that the node had been sent at `address` was answered."""
    if address != state.address or not (state.silent or state.on_trial):
        return state
    return replace(state, silent=0, on_trial=False)


def unanswered(state: NodeAddresses, address: bytes, sent_at: float, now: float) -> NodeAddresses:
    """What was sent to `address` at `sent_at` has no answer, and is not waited for any more."""
    if state.alone or address != state.address or sent_at < state.silent_until:
        return state
    silent = state.silent + 1
    if silent < SILENT_TRIES and not state.on_trial:
        return replace(state, silent=silent, silent_until=now)
    used = (state.used + 1) % len(state.order)
    return _with_home(replace(state, used=used, silent=0, silent_until=now, on_trial=True), now)


def _with_home(state: NodeAddresses, now: float) -> NodeAddresses:
    if state.used == 0:
        return replace(state, home_at=math.inf, home_after_s=HOME_AFTER_S)
    return state if state.home_at < math.inf else replace(state, home_at=now + HOME_AFTER_S)


def home_is_due(state: NodeAddresses, now: float) -> bool:
    """Whether to ask the first address, beside the one in use, whether it answers."""
    return now >= state.home_at and not state.silent and not state.on_trial


def home_asked(state: NodeAddresses, now: float) -> NodeAddresses:
    """The first address was asked."""
    after_s = min(2 * state.home_after_s, HOME_AFTER_S_MAX)
    return replace(state, home_at=now + after_s, home_after_s=after_s)


def settled(state: NodeAddresses, address: bytes, now: float) -> NodeAddresses:
    """This address answers, and is the one in use from now on, if the card still has it."""
    if address not in state.order or address == state.address:
        return state
    used = state.order.index(address)
    return _with_home(replace(state, used=used, silent=0, silent_until=now, on_trial=False), now)
