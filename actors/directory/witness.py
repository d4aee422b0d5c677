"""The witness: signs heads of other nodes' logs, if they continue all that it has signed of them.

Serves docs/directory.md, "Witnesses". Receives: `RequestArrived` with `Cosign`, from nodes that the operator has named.
Sends: one signed answer to each, to the tag it came from. Owns: what it has signed, in the store and in the mark. That
is on the disk before a signature leaves.
"""

from __future__ import annotations

from typing import assert_never

from usernym.actors.base import Actor, Tellable
from usernym.actors.messages import RequestArrived, SendReply, WitnessNodeInbox
from usernym.actors.node_context import NodeContext
from usernym.logger import logger
from usernym.protocol import messages as m
from usernym.protocol.codec import Frame, encode
from usernym.protocol.directory.checkpoints import LogHead
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.log_tree import hashes_in
from usernym.protocol.directory.witnesses import cosign
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.storage.errors import LogRolledBack, StoreCorrupt
from usernym.storage.node.witnesses import WitnessWord


class WitnessNode(Actor[WitnessNodeInbox]):
    """Signs heads of other nodes' logs."""

    name = "witness"

    def __init__(self, context: NodeContext, *, io: Tellable[SendReply]) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._witnesses = context.store.witnesses
        self._mark = context.witness_mark
        self._clock = context.clock
        self._key = context.key
        self._io = io
        self._refused = ""

    def receive(self, message: WitnessNodeInbox) -> None:
        match message:
            case RequestArrived(frame, tag):
                self._io.tell(SendReply(tag, encode(self._answer(frame))))
            case _:
                assert_never(message)

    def _answer(self, frame: Frame) -> m.Cosigned:
        request = frame.message
        if not isinstance(request, m.Cosign):
            raise RemoteProtocolError(Code.UNEXPECTED, "not a request of this exchange")
        frame.verify(request.log, self._key.public)
        word = self._judge(request)
        cosignature = b""
        if word.signs:
            head = LogHead(request.log, request.head.size, request.head.root)
            cosignature = cosign(self._key, head, max(1, self._clock.now()))
        self.counts["heads_signed" if word.signs else "heads_not_signed"] += 1
        return m.Cosigned(request.request_id, int(word.is_witness), None if word.signs else word.newest, cosignature)

    def _judge(self, request: m.Cosign) -> WitnessWord:
        try:
            word = self._witnesses.take(self._mark, request.log, request.head, request.known, hashes_in(request.hashes))
        except DirectoryInvalid as error:
            self.counts["logs_not_continued"] += 1
            raise RemoteProtocolError(Code.PROOF_INVALID, str(error)) from None
        except (LogRolledBack, StoreCorrupt) as refused:
            if str(refused) != self._refused:
                self._refused = str(refused)
                logger.error("%s: no head of another node is signed: %s", self.name, refused)
            return WitnessWord(False, False, None)
        self._refused = ""
        return word
