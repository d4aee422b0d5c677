"""When a client looks its user's own name up, as anyone would: to see what others are shown.

docs/directory.md, "Self-audit". Owned by the client's lookup, and used in its thread only. The node knows who logs in,
and could put the true chain back before each login. It can't tell who sends a lookup that has a sender tag of its own.
"""

from __future__ import annotations

from typing import Final

from usernym.actors.context import ClientContext
from usernym.actors.lookup.promises import LOOK_MAX_S
from usernym.protocol.limits import HOUR_S, MINUTE_S

SOON_MIN_S: Final = 5 * MINUTE_S
SOON_MAX_S: Final = 65 * MINUTE_S
"""The first look after the name was seen in the log, and one after a look that did not show the user's key: as contacts
are looked at. All times in between are as likely."""
AGAIN_MIN_S: Final = 12 * HOUR_S
AGAIN_MAX_S: Final = 36 * HOUR_S
"""Any other look: about daily, three packets each. A false key is in the log as long as those who were shown it may
look again, days at least. And where a name is looked up mostly by its owner, a node would soon take all for theirs."""


class OwnNameLooks:
    """The next look, which is on the disk: what was under way when the process died is asked again."""

    def __init__(self, context: ClientContext) -> None:
        self._context = context
        self._log = context.store.seen_log

    def is_due(self) -> bool:
        """Whether the name is to be looked up now: it was seen in the log, and its time has come."""
        if self._log.own() is None:
            return False
        look_at = self._log.own_look_at()
        if look_at is None:  # the name was seen since the turn before this one
            self._look_within(SOON_MIN_S, SOON_MAX_S - LOOK_MAX_S)
            return False
        return not 0 < look_at - self._context.runtime.unix_s() <= AGAIN_MAX_S  # also after a clock that was ahead

    def looked(self, failure: object) -> None:
        """A look has ended; `failure` is None if it showed the user's key."""
        if failure is None:
            self._look_within(AGAIN_MIN_S, AGAIN_MAX_S)
        else:
            self._look_within(SOON_MIN_S, SOON_MAX_S)

    def _look_within(self, least_s: int, most_s: int) -> None:
        self._log.set_own_look(self._context.runtime.unix_s() + self._context.some(least_s, most_s))
