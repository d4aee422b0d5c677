"""Mixnet I/O, the node's half: decodes requests, and passes them on; signs answers, and sends them.

Serves every exchange (docs/protocol.md, "Frames", "Requests and answers").
Receives: what the transport reports; `SendReply`; `AskNode`. Sends: each request to the actor that the wiring named for
its type; `NodeAnswered` to the one that asked another node; `MixnetConnected` and `MixnetDisconnected` to all watchers.
Owns: nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, assert_never

from msgspec.structs import replace

from usernym.actors.base import Actor, Tellable
from usernym.actors.messages import (
    AskNode,
    NodeAnswered,
    NodeIOInbox,
    RequestArrived,
    SendReply,
    TransportReported,
)
from usernym.actors.mixnet_io.endpoint import MixnetEndpoint, Watcher
from usernym.actors.mixnet_io.lookup_gate import LookupGate
from usernym.actors.node_context import NodeContext
from usernym.mixnet.transport import Transport
from usernym.protocol import messages as m
from usernym.protocol.codec import Frame, decode, encode, encode_signed, encode_unsigned, is_signed
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import BUSY_RETRY_S, SURBS_REQUEST, SURBS_TO_NODE

REQUESTS_WAITING_MAX: Final = 1_000
"""Requests in one node actor's inbox. More are refused as BUSY: a client does better to come back than to wait."""
LOOKUPS_FREE_MAX: Final = REQUESTS_WAITING_MAX
LOOKUPS_PAID_MAX: Final = 1_000
"""Lookups that may wait beside those, if work was done for them."""


class RequestQueue(Tellable[RequestArrived], Protocol):
    """An actor of the node that takes requests; when too many wait, further ones are refused."""

    def backlog(self) -> int:
        """How many messages wait in its inbox."""


class AnswerQueue(Tellable[NodeAnswered], Protocol):
    """The actor of the node that asks other nodes; when too much waits, further answers are dropped."""

    def backlog(self) -> int:
        """How many messages wait in its inbox."""


class NodeIO(Actor[NodeIOInbox]):
    """Passes requests to the actors that `requests` names for their types."""

    name = "mixnet-io"

    def __init__(
        self,
        context: NodeContext,
        transport: Transport,
        *,
        requests: Mapping[type[m.ToNode], RequestQueue],
        answers: Mapping[type[m.Answer], AnswerQueue],
        watchers: Sequence[Watcher],
        on_mixnet: Callable[[str | None], None],
    ) -> None:
        super().__init__(context.runtime, context.on_failed)
        key = context.key
        self._endpoint = MixnetEndpoint(self, context.runtime, transport, key, key.public, watchers, on_mixnet)
        self._key = key
        self._requests = requests
        self._answers = answers
        self._gate = LookupGate(context.runtime, key.public, free=LOOKUPS_FREE_MAX, paid=LOOKUPS_PAID_MAX)

    def acquire(self) -> None:
        self._endpoint.open()

    def receive(self, message: NodeIOInbox) -> None:
        match message:
            case TransportReported(event):
                if (incoming := self._endpoint.take(event)) is not None:
                    self._on_frame(decode(incoming.data), incoming.sender_tag)
            case SendReply(tag, reply):
                self._endpoint.reply(tag, reply)
            case AskNode():
                self._ask(message)
            case _:
                assert_never(message)

    def _on_frame(self, frame: Frame, tag: bytes | None) -> None:
        asker = self._answers.get(type(frame.message)) if tag is None else None  # type: ignore[arg-type]  # most are none
        if asker is not None:
            if asker.backlog() < REQUESTS_WAITING_MAX:
                asker.tell(NodeAnswered(frame))
            return
        if not isinstance(frame.message, m.ToNode):
            raise RemoteProtocolError(Code.UNEXPECTED, "a node takes requests only")
        if tag is None:
            raise RemoteProtocolError(Code.UNEXPECTED, "a request without a sender tag")
        queue = self._requests[type(frame.message)]
        if isinstance(frame.message, m.Lookup | m.History):
            refused = self._gate.judge(frame.message, queue.backlog())
            if refused is not None:
                self.counts["work_wanted" if refused.code == Code.WORK_WANTED else "refused_busy"] += 1
                self._endpoint.reply(tag, encode(refused))
                return
        elif queue.backlog() >= REQUESTS_WAITING_MAX:
            self._refuse_busy(frame, tag)
            return
        queue.tell(RequestArrived(frame, tag))

    def _ask(self, message: AskNode) -> None:
        """Where its address is tells no one what the node's card does not: so these SURBs are on no account."""
        alone = message.card.fresh_tags and self._endpoint.fresh_tags
        surbs = SURBS_TO_NODE if alone else SURBS_REQUEST
        request = replace(message.request, surbs=surbs)

        def frame() -> bytes:
            if is_signed(request):
                return encode_signed(request, self._key, message.card.node)
            return encode_unsigned(request)

        self._endpoint.send_frame(message.address, frame, surbs, "nodes_asked", fresh_tag=alone)

    def _refuse_busy(self, frame: Frame, tag: bytes) -> None:
        self.counts["refused_busy"] += 1
        request_id = getattr(frame.message, "request_id", None)
        if request_id is not None and not isinstance(frame.message, m.Forward):
            self._endpoint.reply(tag, encode(m.Refused(request_id, Code.BUSY, BUSY_RETRY_S)))
