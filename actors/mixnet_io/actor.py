"""Mixnet I/O: bytes on one side, typed messages on the other. The same actor in the node's graph and the client's.

Serves every exchange (docs/protocol.md, "Frames", "Requests and answers", "Reply blocks").
Receives: what the transport reports; `SendReply` (node); `SendRequest`, `SendStatement`, `SendDirect`, `DropRoute`,
`SetCard` (client). Sends: each decoded frame to the actor that the wiring named for its type; `AnswerArrived` or
`RequestFailed` to the actor that asked; `MixnetConnected` and `MixnetDisconnected` to all watchers.
Owns: the requests in flight, and the client's account of the SURBs that the node holds.
It never reads a store, never decides about a name, and takes nothing for the node's that the node has not signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar, assert_never

import msgspec

from usernym.actors.base import Actor, Tellable
from usernym.actors.events import EventSink, NodeCaught
from usernym.actors.failures import Failure, MixnetLost
from usernym.actors.messages import (
    AnswerArrived,
    DirectArrived,
    DropRoute,
    IoInbox,
    MixnetConnected,
    MixnetDisconnected,
    NodeHeard,
    RequestArrived,
    RequestFailed,
    SendDirect,
    SendReply,
    SendRequest,
    SendStatement,
    SetCard,
    TellArrived,
    Tick,
    TransportReported,
)
from usernym.actors.mixnet_io.inbox_limit import InboxLimit
from usernym.actors.mixnet_io.login_route import LoginRoute
from usernym.actors.runtime import Runtime
from usernym.actors.surbs import surbs_that_fit
from usernym.logger import logger
from usernym.mixnet.transport import Incoming, MixnetError, Transport, TransportDown, TransportEvent, TransportUp
from usernym.protocol import messages as m
from usernym.protocol.codec import Frame, Unsigned, decode, encode, encode_signed, encode_unsigned, is_signed
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import (
    BOOT_ID_BYTES,
    BUSY_RETRY_S,
    SURBS_GIVEN_MAX,
    SURBS_LOW,
    SURBS_TOP_UP,
)
from usernym.protocol.signing import SigningKey

REQUESTS_WAITING_MAX: Final = 1_000
"""Requests in one node actor's inbox. More are refused as BUSY: a client does better to come back than to wait."""
IN_FLIGHT_MAX: Final = 256
"""A client's requests in flight."""
ATTEMPTS_S: Final = (5.0, 10.0, 20.0)
"""How long an unanswered request waits before it is sent again, and at last given up. Nym itself resends a lost packet
after 0.3 to 1.7 s, so five seconds mean that an answer is lost for good."""
FORWARD_ATTEMPTS_S: Final = (6.0,)
"""A message is sent again by its outbox; without an answer the route is in doubt, and that is worth knowing soon."""
HEARD_EVERY_S: Final = 5.0
"""`NodeHeard` at most this often."""

S = TypeVar("S", m.Heartbeat, m.Statement)

_ROUTE_ANSWERS: Final = (m.Forward, m.Heartbeat)
"""Requests whose answers are paid from the route's stock; the others bring the SURBs for theirs."""
_ANSWERS: Final[Mapping[type[m.Request], type[m.Answer]]] = {
    m.RegisterAsk: m.Challenge,
    m.RegisterProof: m.Registered,
    m.LoginAsk: m.Challenge,
    m.LoginProof: m.LoggedIn,
    m.Publish: m.Published,
    m.Lookup: m.Found,
    m.History: m.Links,
    m.Forward: m.Accepted,
    m.Delete: m.Deleted,
    m.Heartbeat: m.Alive,
}


@dataclass(slots=True)
class _InFlight:
    request: m.Request
    reply_to: Tellable[AnswerArrived | RequestFailed]
    attempts: int
    next_at: float

    @property
    def pauses_s(self) -> tuple[float, ...]:
        """How long to wait for an answer, try by try."""
        return FORWARD_ATTEMPTS_S if isinstance(self.request, m.Forward) else ATTEMPTS_S


class RequestQueue(Tellable[RequestArrived], Protocol):
    """An actor of the node that takes requests; when too many wait, further ones are refused."""

    def backlog(self) -> int:
        """How many messages wait in its inbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Where mixnet I/O sends what it decodes, by the message's type, and which actors learn of the mixnet's state.

    A node's graph has `requests`, a client's has `tells`, `direct` and `heard`. What has no place here is refused.
    """

    requests: Mapping[type[m.FromClient], RequestQueue] = field(default_factory=dict)
    tells: Mapping[type[m.Tell], Tellable[TellArrived]] = field(default_factory=dict)
    direct: Tellable[DirectArrived] | None = None
    heard: Tellable[NodeHeard] | None = None
    """Receives that the node sent something over the route, at most every `HEARD_EVERY_S` seconds."""
    mixnet_watchers: Sequence[Tellable[MixnetConnected | MixnetDisconnected]] = ()
    on_mixnet: Callable[[str | None], None] = lambda _reason: None
    """Called with the reason each time that there is no mixnet client, and with None when there is one."""
    on_event: EventSink | None = None


class MixnetIO(Actor[IoInbox]):
    """Decodes, checks and dispatches frames; signs and sends messages.

    `signer` is the node's or the user's key. `node_address` is where requests go; None in a node's graph.
    """

    name = "mixnet-io"

    def __init__(
        self,
        runtime: Runtime,
        on_failed: Callable[[str, BaseException], None],
        *,
        transport: Transport,
        signer: SigningKey,
        node: bytes,
        node_address: bytes | None,
        dispatch: Dispatch,
    ) -> None:
        super().__init__(runtime, on_failed)
        self._transport = transport
        self._signer = signer
        self._node = node
        self._node_address = node_address
        self._dispatch = dispatch
        self._opened = False
        self._up = False
        self._waiting: dict[bytes, _InFlight] = {}
        self._route = LoginRoute(runtime)
        self._heard_at = float("-inf")
        self._tick_set = False
        self._inbox_limit = InboxLimit()

    def acquire(self) -> None:
        """Open the transport, once: what is in flight outlives a bug."""
        self._tick_set = False
        self._set_tick()
        if not self._opened:
            self._opened = True
            self._transport.open(self._on_transport_event)

    def _on_transport_event(self, event: TransportEvent) -> None:
        """Called on the transport's thread. A flood is dropped here, before it takes memory."""
        if isinstance(event, Incoming) and not self._inbox_limit.admit(len(event.data), self.backlog()):
            self.counts["frames_dropped"] += 1
            return
        self.tell_self(TransportReported(event))

    def receive(self, message: IoInbox) -> None:
        """Act on each kind of message in the inbox."""
        match message:
            case TransportReported(event):
                self._on_reported(event)
            case SendReply(tag, reply):
                self._send_reply(tag, reply)
            case SendRequest():
                self._accept_request(message)
            case SendStatement(statement):
                self._send_statement(statement)
            case SendDirect(address, direct):
                self._hand_over(address, encode_unsigned(direct), 0, "direct_sent")
            case DropRoute(previous):
                self._route.drop(previous)
            case SetCard(address):
                self._node_address = address
                self._ask_again(lambda request: not isinstance(request, _ROUTE_ANSWERS))
            case Tick():
                self._tick_set = False
                self._retry_waiting()
            case _:
                assert_never(message)

    # -- what the transport brings --

    def _on_reported(self, event: TransportEvent) -> None:
        match event:
            case Incoming(data, tag):
                self._inbox_limit.taken(len(data))
                self._on_frame(data, tag)
            case TransportUp(address):
                self._on_up(address)
            case TransportDown(reason, final):
                self._on_down(reason, final)
            case _:
                assert_never(event)

    def _on_down(self, reason: str, final: bool) -> None:
        """Without a mixnet client requests wait. A transport that ended for good has tried new ones already: it ends
        the graph, and so the program gets a clear error instead of silence."""
        self._up = False
        self.counts["mixnet_up"] = 0
        self._dispatch.on_mixnet(reason)
        logger.warning("%s: the mixnet client is not there", self.name)
        for watcher in self._dispatch.mixnet_watchers:
            watcher.tell(MixnetDisconnected(reason))
        if final:
            self._give_up(MixnetLost(reason))

    def _on_up(self, address: bytes) -> None:
        self._up = True
        self.counts["mixnet_up"] = 1
        self._dispatch.on_mixnet(None)
        logger.info("%s: the mixnet client is there", self.name)
        up = MixnetConnected(address, self._runtime.random_bytes(BOOT_ID_BYTES))
        for watcher in self._dispatch.mixnet_watchers:
            watcher.tell(up)
        for waiting in self._waiting.values():
            self._send_request(waiting)

    def _on_frame(self, data: bytes, tag: bytes | None) -> None:
        self.counts["frames_received"] += 1
        frame = decode(data)
        message = frame.message
        if isinstance(message, m.FromClient):
            self._on_request(frame, message, tag)
        elif isinstance(message, m.Answer):
            self._on_answer(frame, message, len(data))
        elif isinstance(message, m.Tell):
            self._verify_node(frame)
            self._route.note_used(len(data))
            self._take_tell(message, len(data))
        elif self._dispatch.direct is None:
            raise RemoteProtocolError(Code.UNEXPECTED, "a direct message to a graph that takes none")
        else:
            self._dispatch.direct.tell(DirectArrived(message))

    def _on_request(self, frame: Frame, request: m.FromClient, tag: bytes | None) -> None:
        queue = self._dispatch.requests.get(type(request))
        if queue is None:
            raise RemoteProtocolError(Code.UNEXPECTED, "a request to a graph that takes none of its kind")
        if tag is None:
            raise RemoteProtocolError(Code.UNEXPECTED, "a request without a sender tag")
        if queue.backlog() >= REQUESTS_WAITING_MAX:
            self._refuse_busy(frame, tag)
        else:
            queue.tell(RequestArrived(frame, tag))

    def _refuse_busy(self, frame: Frame, tag: bytes) -> None:
        self.counts["refused_busy"] += 1
        request_id = getattr(frame.message, "request_id", None)
        if request_id is not None and not isinstance(frame.message, m.Forward):
            self._send_reply(tag, encode(m.Refused(request_id, Code.BUSY, BUSY_RETRY_S)))

    def _on_answer(self, frame: Frame, answer: m.Answer, size: int) -> None:
        self._verify_node(frame)
        self._route.note_used(size)
        waiting = self._waiting.get(answer.request_id)
        if waiting is None:
            raise RemoteProtocolError(Code.UNEXPECTED, "an answer to nothing that was asked")
        if not isinstance(answer, (_ANSWERS[type(waiting.request)], m.Refused)):
            if self._dispatch.on_event is not None:
                self._dispatch.on_event(NodeCaught("an answer that does not fit its request"))
            raise RemoteProtocolError(Code.UNEXPECTED, "an answer that does not fit its request")
        del self._waiting[answer.request_id]
        if isinstance(waiting.request, _ROUTE_ANSWERS):
            self._route.spend(size)
        if isinstance(answer, m.Alive):
            self._route.reconcile(answer.stock)
        waiting.reply_to.tell(AnswerArrived(waiting.request, answer))
        if isinstance(waiting.request, m.LoginProof) and isinstance(answer, m.LoggedIn):
            self._open_route(waiting.request.name, answer.login_id)
        self._keep_stocked()

    def _take_tell(self, tell: m.Tell, size: int) -> None:
        """Accept what the node sent, if it is for this login and new."""
        logging_in = any(isinstance(waiting.request, m.LoginProof) for waiting in self._waiting.values())
        if not self._route.admit(tell, size, logging_in=logging_in):
            return
        self._note_heard()
        if isinstance(tell, m.SurbsWanted):
            self._top_up(tell.count)
            return
        target = self._dispatch.tells.get(type(tell))
        if target is not None:
            target.tell(TellArrived(tell))
        self._keep_stocked()

    def _verify_node(self, frame: Frame) -> None:
        try:
            frame.verify(self._node, self._node)
        except RemoteProtocolError:
            self.counts["not_the_node"] += 1
            raise

    def _note_heard(self) -> None:
        now = self._runtime.now()
        if self._dispatch.heard is not None and now - self._heard_at >= HEARD_EVERY_S:
            self._heard_at = now
            self._dispatch.heard.tell(NodeHeard())

    # -- what the exchanges send --

    def _encode(self, message: m.Message) -> bytes:
        if is_signed(message):
            return encode_signed(message, self._signer, self._node)
        return encode_unsigned(message)

    def _send_reply(self, tag: bytes, reply: Unsigned) -> None:
        try:
            self._transport.reply(tag, reply.sign(self._signer, self._node))
            self.counts["replies_sent"] += 1
        except MixnetError as error:
            self._count_unsent(error)

    def _hand_over(self, address: bytes, data: bytes, surbs: int, counter: str) -> None:
        try:
            self._transport.send(address, data, surbs)
            self.counts[counter] += 1
        except MixnetError as error:
            self._count_unsent(error)

    def _count_unsent(self, error: MixnetError) -> None:
        self.counts["unsent"] += 1
        logger.debug("not handed to the mixnet: %s", type(error).__name__)

    def _accept_request(self, message: SendRequest) -> None:
        if len(self._waiting) >= IN_FLIGHT_MAX:
            message.reply_to.tell(RequestFailed(message.request, Failure.TOO_MANY))
            return
        waiting = _InFlight(message.request, message.reply_to, 0, 0.0)
        waiting.next_at = self._runtime.now() + waiting.pauses_s[0]
        self._waiting[message.request.request_id] = waiting
        self._keep_stocked()
        self._send_request(waiting)
        self._set_tick()

    def _send_request(self, waiting: _InFlight) -> None:
        request = waiting.request
        if not self._up or self._node_address is None:
            return
        surbs = 0 if isinstance(request, m.Forward) else request.surbs
        if isinstance(request, m.Heartbeat):
            request, surbs = self._with_free_surbs(request, self._route.for_heartbeat())
        self._hand_over(self._node_address, self._encode(request), surbs, "requests_sent")

    def _send_statement(self, statement: m.Statement) -> None:
        if not self._up or self._node_address is None:
            return
        statement, surbs = self._with_free_surbs(statement, 0)
        self._hand_over(self._node_address, self._encode(statement), surbs, "statements_sent")

    def _with_free_surbs(self, message: S, least: int) -> tuple[S, int]:
        """The message with as many SURBs as the stock lacks and its packets have room for, but at least `least`."""
        fitting = surbs_that_fit(len(self._encode(msgspec.structs.replace(message, surbs=SURBS_GIVEN_MAX))))
        surbs = max(least, min(self._route.lacking(), fitting))
        self._route.give(surbs)
        return msgspec.structs.replace(message, surbs=surbs), surbs

    # -- requests in flight --

    def _set_tick(self) -> None:
        if self._waiting and not self._tick_set:
            self._tick_set = True
            soonest = min(waiting.next_at for waiting in self._waiting.values())
            self.tell_self_later(max(0.0, soonest - self._runtime.now()), Tick())

    def _ask_again(self, which: Callable[[m.Request], bool]) -> None:
        """Send these at once, and wait as long for their answers as though this were their first try."""
        for waiting in self._waiting.values():
            if which(waiting.request):
                waiting.attempts, waiting.next_at = 0, self._runtime.now() + waiting.pauses_s[0]
                self._send_request(waiting)

    def _retry_waiting(self) -> None:
        now = self._runtime.now()
        for request_id, waiting in list(self._waiting.items()):
            if waiting.next_at > now:
                continue
            waiting.attempts += 1
            if waiting.attempts == len(waiting.pauses_s):
                del self._waiting[request_id]
                failure = Failure.NO_ANSWER if self._up else Failure.NO_MIXNET
                waiting.reply_to.tell(RequestFailed(waiting.request, failure))
            else:
                waiting.next_at = now + waiting.pauses_s[waiting.attempts]
                self._send_request(waiting)
        self._set_tick()

    # -- the route's SURBs --

    def _open_route(self, name: str, login_id: bytes) -> None:
        """The login holds the route from now on; what the node has already sent for it is taken now."""
        for tell, size in self._route.open(name, login_id):
            try:
                self._take_tell(tell, size)
            except RemoteProtocolError as error:
                self.refuse(error)
        # Answers to earlier requests can no longer arrive: they were tied to the previous route.
        self._ask_again(lambda request: isinstance(request, m.Forward))

    def _keep_stocked(self) -> None:
        """Give the node SURBs before it runs short; those that answers on their way will take count as gone."""
        promised = sum(isinstance(waiting.request, m.Forward) for waiting in self._waiting.values())
        if self._route.login_id is not None and self._route.held() - promised < SURBS_LOW:
            self._top_up(SURBS_TOP_UP)

    def _top_up(self, wanted: int) -> None:
        """Give the node SURBs, but never more than a client lets a node hold."""
        route = self._route
        if route.login_id is None or self._node_address is None or not self._up:
            return
        count = min(wanted, route.room())
        if count > 0:
            route.give(count)
            top_up = m.TopUp(count, route.name, route.login_id)
            self._hand_over(self._node_address, self._encode(top_up), count, "top_ups_sent")
