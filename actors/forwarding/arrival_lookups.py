"""How often a client looks a name up because of what arrives. A part of the client's forwarding actor.

docs/protocol.md, "Receiving". A node can deliver whatever it likes, and anyone can write what does not verify. Each
such message asks for a lookup; the sender and the node must not set how often the client asks, and so what it sends.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from usernym.actors.forwarding.host import Host

WINDOW_S: Final = 20.0
"""A node delivers again after that what was left there."""
LOOKUPS_MAX: Final = 30
"""Lookups begun within that time, at most: twice as many first contacts as a node delivers at a time."""
LOOKUPS_OF_ONE_MAX: Final = 3
"""The same, of one name: whose first messages do not verify is still served at once, a stream of them is not."""


class ArrivalLookups:
    """Owned by the forwarding actor, and used in its thread only."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._begun: list[tuple[float, str]] = []
        """When which name was asked for, if within `WINDOW_S`."""
        self._under_way: set[str] = set()
        """Those without an answer. One that never comes, as after a bug, is asked for again then."""

    def may_ask(self, name: str) -> bool:
        """Whether the name is being looked up, or may be looked up now."""
        since = self._host.context.runtime.now() - WINDOW_S
        self._begun = [(at, asked) for at, asked in self._begun if at > since]
        of_each = Counter(asked for _, asked in self._begun)
        self._under_way &= of_each.keys()
        if name in self._under_way:
            return True
        return of_each[name] < LOOKUPS_OF_ONE_MAX and len(self._begun) < LOOKUPS_MAX

    def ask(self, name: str) -> None:
        """Look a name up, unless that is under way. Only where it may be asked for. It makes no contact."""
        if name not in self._under_way:
            self._begun.append((self._host.context.runtime.now(), name))
            self._under_way.add(name)
            self._host.look_up(name, stranger=True)

    def ended(self, name: str) -> None:
        """A lookup of the name has ended."""
        self._under_way.discard(name)
