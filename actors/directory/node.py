"""The directory, the node's half: an epoch of its log each minute in which something happened to a name.

Serves docs/directory.md, "The node" and "Witnesses". Receives: its own timer, and what other nodes answer. Sends:
`AskNode` for other nodes' signatures to a new head. Owns: the log's rows of the store, and the mark beside it. A head
is signed within the transaction that stores it, and given out after that.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final, assert_never

from usernym.actors.base import PASSING_FAILURES, Actor, Tellable
from usernym.actors.directory.cosigners import Cosigners
from usernym.actors.messages import AskNode, DirectoryNodeInbox, NodeAnswered, Tick
from usernym.actors.node_context import NodeContext
from usernym.logger import logger
from usernym.protocol.limits import EPOCH_S
from usernym.storage.errors import LogRolledBack, StoreCorrupt
from usernym.storage.node.epochs import EpochSigner

EPOCH_AGAIN_S: Final = 1.0
"""When more waits than one epoch takes: others get at the store between two."""


class DirectoryNode(Actor[DirectoryNodeInbox]):
    """Makes the epochs of the directory's log."""

    name = "directory"

    def __init__(self, context: NodeContext, *, io: Tellable[AskNode]) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._log = context.store.log
        self._clock = context.clock
        self._mark = context.mark
        self._workers = context.store.workers
        self._witnesses = context.store.witnesses
        self._witness_mark = context.witness_mark
        self._signer = EpochSigner.of(context.key)
        self._cosigners = Cosigners(context, io, self.counts)
        self._refused = ""

    def acquire(self) -> None:
        """Set the timer."""
        self.tell_self_later(EPOCH_S, Tick())

    def receive(self, message: DirectoryNodeInbox) -> None:
        match message:
            case NodeAnswered(frame):
                self._cosigners.take(frame)
            case Tick():
                self._make_epoch()
            case _:
                assert_never(message)

    def _make_epoch(self) -> None:
        more = False
        try:
            more = self._log.make_epoch(self._signer, self._mark, self._workers, self._clock.now())
            self._refused = ""
            if self._workers.leads():
                self._cosigners.ask()
        except LogRolledBack as refused:
            # The rest of the node works: names and texts do not need the log. An operator has to see to it.
            if str(refused) != self._refused:
                self._refused = str(refused)
                logger.error("%s: no head is signed: %s", self.name, refused)
        except PASSING_FAILURES as failure:
            self.note_failure(failure)
        finally:
            self.counts["heads_refused"] = int(bool(self._refused))
            self._follow_witness()
            self.tell_self_later(EPOCH_AGAIN_S if more else EPOCH_S, Tick())

    def _follow_witness(self) -> None:
        """Let this worker's mark have what others have signed. A witness that signs nothing any more says so when it is
        asked: the own log has nothing to do with that."""
        with suppress(LogRolledBack, StoreCorrupt, *PASSING_FAILURES):
            self._witnesses.follow(self._witness_mark)
