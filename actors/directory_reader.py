"""What the node's actors read of the directory to show it to others. docs/directory.md, "The node".

The rest of the node works where no head may be given out: then nothing is shown, and the operator reads why, once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from usernym.actors.base import PASSING_FAILURES
from usernym.actors.node_context import NodeContext
from usernym.logger import logger
from usernym.protocol.directory.checkpoints import read_checkpoint
from usernym.protocol.directory.shown import LogAsked, LogShown
from usernym.protocol.limits import LOG_PART_BYTES
from usernym.storage.errors import LogRolledBack, StoreCorrupt
from usernym.storage.node.epochs import EpochSigner
from usernym.storage.node.promises import ComingEnd
from usernym.storage.node.proofs import ProvedPlace

T = TypeVar("T")


class DirectoryReader:
    """One actor's access to the log, used in its thread only."""

    def __init__(self, context: NodeContext) -> None:
        self._store = context.store
        self._mark = context.mark
        self._signer = EpochSigner.of(context.key)
        self._refused = ""

    def place_of(self, name: str) -> ProvedPlace | None:
        """Where the newest epoch has the name. Raises `LogRolledBack` and `StoreCorrupt`: for `read`."""
        return self._store.proofs.place_of(self._signer, self._mark, name)

    def coming_end(self, name: str) -> ComingEnd | None:
        """What the next epoch will say of the name. Raises as `place_of`."""
        return self._store.promises.coming_end(self._signer, self._mark, name)

    def part(self, epoch: int, offset: int) -> tuple[int, bytes] | None:
        """How many epochs there are, and a part of them from a byte of one on; None where nothing may be shown."""

        def part() -> tuple[int, bytes] | None:
            newest = self._store.log.give_out(self._mark)
            size = 0 if newest is None else read_checkpoint(newest).size
            return size, self._store.log.part(size, epoch, offset, LOG_PART_BYTES)

        return self.read(part)

    def shown(self, name: str, asked: LogAsked) -> LogShown | None:
        """What the client of this name wants to see. A login or a heartbeat does not fail by it."""
        try:
            return self.read(lambda: self._store.proofs.shown(self._signer, self._mark, name, asked))
        except PASSING_FAILURES:
            return None

    def read(self, work: Callable[[], T]) -> T | None:
        """What `work` reads; None where nothing may be shown."""
        try:
            found = work()
        except (LogRolledBack, StoreCorrupt) as refused:
            if str(refused) != self._refused:
                self._refused = str(refused)
                logger.error("directory: nothing of it is shown to users: %s", refused)
            return None
        self._refused = ""
        return found
