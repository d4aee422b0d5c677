"""When a client's mixnet client is replaced, because the account of SURBs has no room for what is needed.

docs/protocol.md, "Reply blocks". Owned by mixnet I/O, and used in its thread only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from usernym.actors.mixnet_io.endpoint import MixnetEndpoint
from usernym.actors.runtime import Runtime

OTHER_ADDRESS_AGAIN_S: Final = 600.0
"""Each costs a login at a gateway."""
OTHER_ADDRESS_AT_ONCE: Final = 6
"""An hour's: at 20 % loss a file of 1 MB uses three accounts up within a minute or two."""
SAME_ADDRESS_AGAIN_S: Final = 6 * 3600.0
"""What was given before still leads to the same gateway, for a day: with two at once it is seven accounts at most,
672 SURBs."""
SAME_ADDRESS_AT_ONCE: Final = 2


class _Budget:
    """One in `again_s` seconds on average, `at_once` of them together."""

    def __init__(self, again_s: float, at_once: int) -> None:
        self._again_s = again_s
        self._at_once = at_once
        self._paid_at = float("-inf")
        """When each of them will have had its `again_s`."""

    def allows(self, now: float) -> bool:
        return max(now, self._paid_at) + self._again_s - now <= self._at_once * self._again_s

    def spend(self, now: float) -> None:
        self._paid_at = max(now, self._paid_at) + self._again_s


class Renewals:
    """What is on the account may be lost, or hoarded by the node: no one can tell.

    With another address it is worthless, and the account is empty again. A client whose contacts were given its address
    (`is_agreed`) keeps it, and gets rid of the reply keys alone: no message comes over those SURBs any more, though
    packets over them still reach its gateway.
    """

    def __init__(self, runtime: Runtime, endpoint: MixnetEndpoint, is_agreed: Callable[[bytes], bool]) -> None:
        self._runtime = runtime
        self._endpoint = endpoint
        self._is_agreed = is_agreed
        self._other = _Budget(OTHER_ADDRESS_AGAIN_S, OTHER_ADDRESS_AT_ONCE)
        self._same = _Budget(SAME_ADDRESS_AGAIN_S, SAME_ADDRESS_AT_ONCE)

    def renew(self) -> bool:
        """Replace the mixnet client, if that may be now and can be; whether it is replaced."""
        address, now = self._endpoint.address, self._runtime.now()
        if address is None:
            return False
        keeps = self._is_agreed(address)
        budget = self._same if keeps else self._other
        if not budget.allows(now) or not self._endpoint.renew(keep_address=keeps):
            return False
        budget.spend(now)
        return True
