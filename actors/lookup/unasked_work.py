"""How much work a client does for lookups that no one asked for. Owned by the client's lookup, used in its thread only.

docs/protocol.md, "Work for a lookup". A node can deliver what makes a client look names up, and ask for work with each:
so it would keep a processor busy for as long as it likes. What a person waits for is not counted.
"""

from __future__ import annotations

from typing import Final

from usernym.actors.runtime import Runtime
from usernym.protocol.limits import LOOKUP_BITS_MAX, MINUTE_S

WINDOW_S: Final = 10 * MINUTE_S
HASHES_MAX: Final = 8 << LOOKUP_BITS_MAX
"""Within that time: half a minute of one processor, on average. An honest node that is full asks for less: a first
message of a stranger waits until it is delivered again."""


class UnaskedWork:
    """The work that was done lately."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._done: list[tuple[float, int]] = []

    def may_do(self, bits: int) -> bool:
        """Whether work of so many bits may be done now; then it counts."""
        now = self._runtime.now()
        self._done = [(at, hashes) for at, hashes in self._done if at > now - WINDOW_S]
        if sum(hashes for _, hashes in self._done) + (1 << bits) > HASHES_MAX:
            return False
        self._done.append((now, 1 << bits))
        return True
