"""Which of a node's workers live: a part of registration at the node.

A worker's row has a count that grows while it lives. A worker whose count stands still is dead, whatever the clocks of
their machines show; its row goes, and with it its address from the node's card.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from usernym.storage.node.workers import Membership, WorkerState

BEAT_S: Final = 30.0
"""How often a worker shows that it lives, and looks who else does."""
DEAD_S: Final = 120.0
"""After this long without a sign of life a worker is taken for dead: four beats. Its users are at other addresses long
before, since their requests go unanswered there."""


class Members:
    """Owned by the registration actor, and used in its thread only. `now`: seconds on a clock that never goes back."""

    def __init__(self, workers: Membership, now: Callable[[], float]) -> None:
        self._workers = workers
        self._now = now
        self._seen: dict[int, tuple[int, float]] = {}
        self._looked = self._seen

    def beat(self) -> list[bytes]:
        """Show that this worker lives; returns the addresses of those that take logins. Raises `RouteLost` if this one
        was taken for dead. Inside a commit it may run again: `keep` is for when that is done."""
        now = self._now()
        self._looked = {}
        living: list[WorkerState] = []
        for row in self._workers.beat():
            beats, since = self._seen.get(row.worker, (row.beats, now))
            if beats != row.beats or row.worker == self._workers.number:
                since = now
            if now - since >= DEAD_S:
                self._workers.remove(row)
                continue
            self._looked[row.worker] = (row.beats, since)
            living.append(row)
        # The last ones that are left serve until they end.
        return [row.address for row in living if not row.draining] or [row.address for row in living]

    def keep(self) -> None:
        """What `beat` saw last counts: it is committed."""
        self._seen = self._looked
