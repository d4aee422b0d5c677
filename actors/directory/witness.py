"""The witness: signs heads of other nodes' logs, if they continue all that it has signed of them.

Serves docs/directory.md, "Witnesses". Receives: `RequestArrived` with `Cosign`, from nodes that the operator has named;
`NodeAnswered` with what it reads of a log that it checks before it signs. Sends: one signed answer to each request, to
the tag it came from; `AskNode` with `LogRead`. Owns: what it has signed, in the store and in the mark. That is on the
disk before a signature leaves: so it keeps docs/models/Witness.tla's OneHistory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from usernym.actors.base import Actor, Tellable
from usernym.actors.messages import AskNode, NodeAnswered, RequestArrived, SendReply, WitnessNodeInbox
from usernym.actors.node_context import NodeContext
from usernym.logger import logger
from usernym.protocol import messages as m
from usernym.protocol.cards import NodeCard
from usernym.protocol.codec import Frame, encode
from usernym.protocol.directory.checkpoints import LogHead
from usernym.protocol.directory.epochs import parted
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.log_tree import hashes_in
from usernym.protocol.directory.witnesses import cosign
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import REQUEST_ID_BYTES
from usernym.storage.errors import LogRolledBack, StoreCorrupt
from usernym.storage.node.witnesses import WitnessWord


@dataclass(slots=True)
class _Reading:
    """A log that is read because its node has asked for a signature. Each further request begins again, from what
    is checked: so what is lost costs a minute."""

    request: m.Cosign
    tag: bytes
    card: NodeCard
    epoch: int
    asked: bytes = b""
    buffer: bytes = b""


class WitnessNode(Actor[WitnessNodeInbox]):
    """Signs heads of other nodes' logs."""

    name = "witness"

    def __init__(self, context: NodeContext, *, io: Tellable[SendReply | AskNode]) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._witnesses = context.store.witnesses
        self._mark = context.witness_mark
        self._clock = context.clock
        self._key = context.key
        self._io = io
        self._readings: dict[bytes, _Reading] = {}
        self._refused = ""

    def receive(self, message: WitnessNodeInbox) -> None:
        match message:
            case RequestArrived(frame, tag):
                self._on_request(frame, tag)
            case NodeAnswered(frame):
                self._on_part(frame)
            case _:
                assert_never(message)

    def _on_request(self, frame: Frame, tag: bytes) -> None:
        request = frame.message
        if not isinstance(request, m.Cosign):
            raise RemoteProtocolError(Code.UNEXPECTED, "not a request of this exchange")
        frame.verify(request.log, self._key.public)
        self._decide(request, tag)

    def _decide(self, request: m.Cosign, tag: bytes) -> None:
        self._readings.pop(request.log, None)
        word = self._judge(request)
        if word.to_check is not None:
            reading = self._readings[request.log] = _Reading(request, tag, *word.to_check)
            self._read_on(reading)
            return
        cosignature = b""
        if word.signs:
            head = LogHead(request.log, request.head.size, request.head.root)
            cosignature = cosign(self._key, head, max(1, self._clock.now()))
        self.counts["heads_signed" if word.signs else "heads_not_signed"] += 1
        newest = None if word.signs else word.newest
        answer = m.Cosigned(request.request_id, int(word.is_witness), newest, cosignature)
        self._io.tell(SendReply(tag, encode(answer)))

    def _judge(self, request: m.Cosign) -> WitnessWord:
        try:
            word = self._witnesses.take(self._mark, request.log, request.head, request.known, hashes_in(request.hashes))
        except DirectoryInvalid as error:
            raise self._not_continued(error) from None
        except (LogRolledBack, StoreCorrupt) as refused:
            if str(refused) != self._refused:
                self._refused = str(refused)
                logger.error("%s: no head of another node is signed: %s", self.name, refused)
            return WitnessWord(False, False, None)
        self._refused = ""
        return word

    def _not_continued(self, error: DirectoryInvalid) -> RemoteProtocolError:
        """The log of a node that the operator has named is not as it must be: they should know."""
        self.counts["logs_not_continued"] += 1
        logger.warning("%s: a log of another node is not signed: %s", self.name, error)
        return RemoteProtocolError(Code.PROOF_INVALID, str(error))

    # -- logs that are checked --

    def _read_on(self, reading: _Reading) -> None:
        reading.asked = self._runtime.random_bytes(REQUEST_ID_BYTES)
        request = m.LogRead(reading.asked, 0, reading.epoch, len(reading.buffer))
        addresses = reading.card.addresses
        self._io.tell(AskNode(reading.card, addresses[reading.asked[0] % len(addresses)], request))

    def _on_part(self, frame: Frame) -> None:
        part = frame.message
        reading = next(
            (each for each in self._readings.values() if isinstance(part, m.LogPart) and each.asked == part.request_id),
            None,
        )
        if reading is None or not isinstance(part, m.LogPart):
            raise RemoteProtocolError(Code.UNEXPECTED, "an answer to nothing that was asked")
        request = reading.request
        frame.verify(request.log, request.log)
        try:
            reading.buffer += part.data
            found: list[tuple[bytes, bytes]] = []
            while reading.epoch + len(found) < request.head.size and (epoch := parted(reading.buffer)) is not None:
                *whole, reading.buffer = epoch
                found.append((whole[0], whole[1]))
            if found:
                expected = reading.epoch + len(found)
                reading.epoch = self._witnesses.check(request.log, reading.epoch, found)
                if reading.epoch != expected:  # another worker has read on
                    reading.buffer = b""
                self.counts["epochs_checked"] += len(found)
        except DirectoryInvalid as error:
            del self._readings[request.log]
            raise self._not_continued(error) from None
        if reading.epoch >= request.head.size:
            self._decide(request, reading.tag)
        elif part.data:
            self._read_on(reading)
        else:
            del self._readings[request.log]
