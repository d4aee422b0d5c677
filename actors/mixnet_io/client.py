"""Mixnet I/O, the client's half: sends requests until they are answered, and passes on what comes.

Serves every exchange (docs/protocol.md, "Frames", "Requests and answers", "Reply blocks").
Receives: what the transport reports; `SendRequest`, `SendStatement`, `SendDirect`, `DropRoute`, `SetCard`. Sends:
`AnswerArrived` or `RequestFailed` to the actor that asked; what the node sends unasked to the actor that the wiring
named for its type; `MixnetConnected` and `MixnetDisconnected` to all watchers; `AddressChanged` to registration.
Owns: the requests in flight, the choice among the node's addresses (`node_addresses.py`), and the account of the SURBs
that the node holds, which is in the client's store.
It takes nothing for the node's that the node has not signed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, assert_never

import msgspec

from usernym.actors.base import Actor, OnFailed
from usernym.actors.failures import Failure
from usernym.actors.messages import (
    AddressChanged,
    AnswerArrived,
    ClientIOInbox,
    DirectArrived,
    DropRoute,
    EvidenceFound,
    NodeHeard,
    RequestFailed,
    SendDirect,
    SendRequest,
    SendStatement,
    SetCard,
    TellArrived,
    Tick,
    TransportReported,
)
from usernym.actors.mixnet_io import node_addresses as na
from usernym.actors.mixnet_io.blur import Blur
from usernym.actors.mixnet_io.contradictions import Contradictions
from usernym.actors.mixnet_io.dispatch import Dispatch
from usernym.actors.mixnet_io.endpoint import MixnetEndpoint
from usernym.actors.mixnet_io.held_surbs import HeldSurbs
from usernym.actors.mixnet_io.in_flight import BOUND, LOGIN, LOOKUPS, Destinations, InFlight
from usernym.actors.mixnet_io.login_route import LoginRoute
from usernym.actors.mixnet_io.renewals import Renewals
from usernym.actors.mixnet_io.surb_account import SurbAccount
from usernym.actors.runtime import Runtime
from usernym.actors.surbs import surbs_that_fit
from usernym.logger import logger
from usernym.mixnet.transport import Transport, TransportUp
from usernym.protocol import messages as m
from usernym.protocol.codec import Frame, decode
from usernym.protocol.derived import ANSWERS, ROUTE_ANSWERS, answer_packets
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import (
    REQUEST_ID_BYTES,
    SURBS_GIVEN_MAX,
    SURBS_LOW,
    SURBS_REQUEST,
    SURBS_TOP_UP,
)
from usernym.protocol.signing import SigningKey
from usernym.storage.client.given_surbs import GivenSurbs

IN_FLIGHT_MAX: Final = 256
"""A client's requests in flight."""
SILENT_AFTER: Final = 2
"""Requests given up in a row, after which each is sent once and with one SURB: the node is probably not there, and each
SURB that leaves without an answer counts against the account for a day."""
STARVED: Final = (
    "the mixnet loses much: so many reply blocks may be out that the node gets hardly any more. Long messages wait for "
    "up to a day; beside a nym-client, until that is started again"
)
STARVED_S: Final = 10.0
"""What is on its way to us when the account has no room for what the node needs makes room within this time."""
EARLY_S: Final = 0.001
"""A timer may come so early, by rounding."""
HEARD_EVERY_S: Final = 5.0
"""`NodeHeard` at most this often."""


class ClientIO(Actor[ClientIOInbox]):
    """Asks one node for its user, and hears from it.

    `signer` is the user's key, `node` the node's identity key, `addresses` the node's on the mixnet (96 bytes each).
    `is_agreed` tells whether a contact may write to this Nym address of ours, because of a handshake. What never
    `logs_in` sends nothing under its usual tag that times could link its requests with.
    """

    name = "mixnet-io"

    def __init__(
        self,
        runtime: Runtime,
        on_failed: OnFailed,
        transport: Transport,
        *,
        signer: SigningKey,
        node: bytes,
        addresses: Sequence[bytes],
        fresh_tags: bool,
        logs_in: bool = True,
        dispatch: Dispatch,
        given_surbs: GivenSurbs | None = None,
        is_agreed: Callable[[bytes], bool] = lambda _address: False,
    ) -> None:
        super().__init__(runtime, on_failed)
        self._endpoint = MixnetEndpoint(self, runtime, transport, signer, node, dispatch.watchers, dispatch.on_mixnet)
        self._node = node
        self._to = Destinations(runtime, addresses, signer.public, logs_in=logs_in)
        self._to.fresh_tags = fresh_tags and self._endpoint.fresh_tags
        self._home_asked: tuple[bytes, bytes] | None = None
        """The request that looks whether the first address answers again: its id, and that address."""
        self._dispatch = dispatch
        self._waiting: dict[bytes, InFlight] = {}
        self._held = HeldSurbs(runtime, lambda: self._to.own.address)
        self._route = LoginRoute(runtime, self._held)
        self._contradictions = Contradictions(node)
        self._account = SurbAccount(runtime, self._held, given_surbs, self._endpoint.surbs_out)
        self._owed = self._asked = 0
        """SURBs that the node asked for, and could not have yet; and with how many it could send what it has to."""
        self._stocked_at = 0.0
        """When the node last had, or was given, what it needs."""
        self._looks_at: float | None = None
        """When to look whether what the node needs can be given by now, if nothing comes before that."""
        self._starved = False
        """Whether the log says so already, of this mixnet client."""
        self._renewals = Renewals(runtime, self._endpoint, is_agreed)
        self._heard_at = float("-inf")
        self._given_up = 0
        """Requests given up since the node was heard last."""
        self._blur = Blur(runtime)
        self._tick_at = float("inf")
        """When the next look at what waits comes."""

    def acquire(self) -> None:
        """Open the transport. What is in flight outlives a bug."""
        self._account.load()
        self._tick_at = float("inf")
        self._set_tick()
        self._endpoint.open()

    def release(self) -> None:
        """Keep the account as it is: a process that ends in order leaves it exact."""
        self._account.close()

    def receive(self, message: ClientIOInbox) -> None:
        match message:
            case TransportReported(event):
                if (incoming := self._endpoint.take(event)) is not None:
                    self._on_frame(incoming.data)
                elif isinstance(event, TransportUp) and self._endpoint.up:
                    self._on_up(event.address)
            case SendRequest():
                self._accept_request(message)
            case SendStatement(statement):
                if self._endpoint.up:
                    self._send_with_more(statement, 0, "statements_sent")
            case SendDirect(address, direct):
                self._endpoint.send(address, direct, 0, "direct_sent")
            case DropRoute(previous):
                self._route.drop(previous)
            case SetCard(addresses, given, fresh_tags):
                self._to.take_card(addresses, given)
                self._to.fresh_tags = fresh_tags and self._endpoint.fresh_tags
                self._ask_again(lambda waiting: not isinstance(waiting.request, BOUND) and self._to.was_left(waiting))
            case Tick():
                if self._runtime.now() > self._tick_at - EARLY_S:  # else it was set before one that came earlier
                    self._tick_at = float("inf")
                self._look_at_waiting()
            case _:
                assert_never(message)

    # -- what the transport brings --

    def _on_frame(self, data: bytes) -> None:
        frame = decode(data)
        message = frame.message
        if isinstance(message, m.Answer):
            self._verify_node(frame, data)
            self._on_answer(message, data)
        elif isinstance(message, m.Tell):
            self._verify_node(frame, data)
            self._take_tell(message, len(data))
        elif isinstance(message, m.Direct) and self._dispatch.direct is not None:
            self._dispatch.direct.tell(DirectArrived(message))
        else:
            raise RemoteProtocolError(Code.UNEXPECTED, "this graph takes no such message")

    def _on_up(self, address: bytes) -> None:
        """There is a mixnet client. What was given before it leads nowhere, if its address is another one."""
        self._owed, self._starved = 0, False
        self._account.begin_at(address)
        for waiting in list(self._waiting.values()):
            self._send_soon(waiting)

    def _renew(self) -> bool:
        renewed = self._renewals.renew()
        self.counts["mixnet_renewed"] += renewed
        return renewed

    def _on_answer(self, answer: m.Answer, data: bytes) -> None:
        if self._home_asked is not None and answer.request_id == self._home_asked[0]:
            self._come_home(answer, self._home_asked[1])
            return
        waiting = self._waiting.get(answer.request_id)
        if waiting is None:
            raise RemoteProtocolError(Code.UNEXPECTED, "an answer to nothing that was asked")
        if not isinstance(answer, (*ANSWERS[type(waiting.request)], m.Refused)):
            raise RemoteProtocolError(Code.UNEXPECTED, "an answer that does not fit its request")
        del self._waiting[answer.request_id]
        self._to.note_answered(waiting, answer)
        if waiting.address == self._to.own.address:  # else that of another address
            if isinstance(waiting.request, (*ROUTE_ANSWERS, *LOGIN)):
                self._route.spend(len(data))
            if isinstance(answer, m.Alive):
                self._route.reconcile(answer.stock)
        arrived = AnswerArrived(waiting.request, answer, data)
        if self._to.is_blurred(waiting):
            self._blur.hold(waiting.reply_to, arrived)
            self._set_tick()
            return
        waiting.reply_to.tell(arrived)
        if isinstance(waiting.request, m.LoginProof) and isinstance(answer, m.LoggedIn):
            self._open_route(waiting.request.name, answer)
        self._keep_stocked()

    def _take_tell(self, tell: m.Tell, size: int) -> None:
        """Accept what the node sent, if it is for this login and new."""
        logging_in = any(isinstance(waiting.request, m.LoginProof) for waiting in self._waiting.values())
        if not self._route.admit(tell, size, logging_in=logging_in):
            return
        self._note_heard()
        if tell.login_id == self._route.login_id:
            self._to.own = na.answered(self._to.own, self._to.own.address)
        if isinstance(tell, m.SurbsWanted):
            self._owed = self._asked = tell.count
        target = self._dispatch.tells.get(type(tell))
        if target is not None:
            target.tell(TellArrived(tell))
        self._keep_stocked()

    def _verify_node(self, frame: Frame, data: bytes) -> None:
        try:
            frame.verify(self._node, self._node)
        except RemoteProtocolError:
            self.counts["not_the_node"] += 1
            raise
        self._given_up = 0
        self._account.note_spent(len(data))
        evidence = self._contradictions.look(frame, data)
        if evidence is not None and self._dispatch.evidence is not None:
            self._dispatch.evidence.tell(EvidenceFound(evidence))

    def _note_heard(self) -> None:
        now = self._runtime.now()
        if self._dispatch.heard is not None and now - self._heard_at >= HEARD_EVERY_S:
            self._heard_at = now
            self._dispatch.heard.tell(NodeHeard())

    # -- what the exchanges send --

    def _accept_request(self, message: SendRequest) -> None:
        if len(self._waiting) >= IN_FLIGHT_MAX:
            message.reply_to.tell(RequestFailed(message.request, Failure.TOO_MANY))
            return
        waiting = InFlight(message.request, message.reply_to)
        waiting.unlinked = message.unlinked or isinstance(message.request, LOOKUPS)
        pauses_s = self._to.pauses_s(waiting.request)
        waiting.attempts = len(pauses_s) - 1 if self._node_is_silent else 0
        waiting.next_at = self._runtime.now() + pauses_s[waiting.attempts]
        self._waiting[message.request.request_id] = waiting
        self._keep_stocked()
        self._send_soon(waiting)
        self._ask_home()
        self._set_tick()

    def _send_soon(self, waiting: InFlight) -> None:
        """Send it: at once, or, if it is not to be linked with what leaves now, a random time later."""
        if not self._to.is_blurred(waiting):
            self._send_request(waiting)
        elif waiting.leaves_at is None:
            pause_s = self._blur.some_s()
            waiting.leaves_at = self._runtime.now() + pause_s
            waiting.next_at += pause_s
            self._set_tick()

    def _send_request(self, waiting: InFlight) -> None:
        """Send it, if there is a mixnet client, and room in the account for the SURBs that it needs."""
        request, waiting.leaves_at = waiting.request, None
        if not self._endpoint.up:
            return
        if isinstance(request, m.Forward):
            self._endpoint.send(self._note_sent(waiting), request, 0, "requests_sent")
            return
        doubtful = self._node_is_silent or self._to.of(request).on_trial
        if isinstance(request, m.Heartbeat):
            waiting.surbs = self._account.for_request(1 if doubtful else self._route.for_heartbeat())
        elif not waiting.surbs:
            waiting.surbs = self._surbs_for(waiting, request.surbs, doubtful=doubtful)
            if isinstance(request, m.LoginProof):
                at = self._to.address_for(request)
                held = self._held.claim(at, brings=waiting.surbs, alive=self._account.alive())
                waiting.request = request = msgspec.structs.replace(request, held=held)
        if not waiting.surbs or not self._account.has_room_for(waiting.surbs):
            self.counts["requests_held_back"] += 1
            self._renew()
            return
        if isinstance(request, m.Heartbeat):
            self._note_sent(waiting)
            self._send_with_more(request, waiting.surbs, "requests_sent")
        elif self._account.leave(waiting.surbs):
            request = msgspec.structs.replace(request, surbs=waiting.surbs)
            address, alone = self._note_sent(waiting), self._to.has_own_tag(waiting)
            if isinstance(request, LOGIN):
                self._held.at(address).add(waiting.surbs, self._runtime.now())
            self._endpoint.send(address, request, waiting.surbs, "requests_sent", fresh_tag=alone)
        else:
            del self._waiting[request.request_id]
            waiting.reply_to.tell(RequestFailed(request, Failure.NO_STORAGE))

    def _surbs_for(self, waiting: InFlight, wanted: int, *, doubtful: bool) -> int:
        """How many a request carries that wants as many. For an answer of two packets it takes one more, which costs a
        packet: but the node of a route has others. Under a tag of its own none is withheld: it takes what the answer
        needs, and one with which a lost packet is sent again. Where it is in doubt, one has to do, and brings no proof.
        """
        packets = answer_packets(waiting.request)
        if self._to.has_own_tag(waiting):
            wanted = packets + 1
        elif self._route.login_id is None:
            wanted += packets - 1
        return self._account.for_request(1 if doubtful else wanted, packets)

    def _note_sent(self, waiting: InFlight) -> bytes:
        waiting.address, waiting.sent_at = self._to.address_for(waiting.request), self._runtime.now()
        waiting.login_id = self._route.login_id
        return waiting.address

    @property
    def _node_is_silent(self) -> bool:
        return self._given_up >= SILENT_AFTER

    def _send_with_more(self, message: m.Heartbeat | m.Statement, least: int, counter: str) -> None:
        """Send it with as many SURBs as the stock lacks and its packets have room for, but at least `least`."""
        size = len(self._endpoint.encode(msgspec.structs.replace(message, surbs=SURBS_GIVEN_MAX)))
        fitting = surbs_that_fit(size, self._endpoint.surb_bytes)
        surbs = max(least, self._account.in_advance(min(self._route.lacking(), fitting)))
        if surbs and not self._account.leave(surbs):
            if least:
                return  # it is tried again
            surbs = 0
        self._route.give(surbs)
        self._endpoint.send(self._to.own.address, msgspec.structs.replace(message, surbs=surbs), surbs, counter)

    # -- requests in flight --

    def _set_tick(self) -> None:
        due = [waiting.due_at for waiting in self._waiting.values()] + self._blur.due_at()
        if self._looks_at is not None:
            due.append(self._looks_at)
        if due and min(due) < self._tick_at:
            self._tick_at = min(due)
            self.tell_self_later(max(0.0, self._tick_at - self._runtime.now()), Tick())

    def _ask_again(self, which: Callable[[InFlight], bool]) -> None:
        """Send these at once, and wait as long for their answers as though this were their first try."""
        for waiting in list(self._waiting.values()):
            if which(waiting):
                waiting.attempts, waiting.next_at = 0, self._runtime.now() + self._to.pauses_s(waiting.request)[0]
                self._send_soon(waiting)

    def _look_at_waiting(self) -> None:
        """Send what was to leave later, and again what has no answer; pass answers on that were held."""
        now = self._runtime.now()
        if self._blur.pass_on():
            self._keep_stocked()
        for request_id, waiting in list(self._waiting.items()):
            if waiting.leaves_at is not None and waiting.leaves_at <= now:
                self._send_request(waiting)
            if waiting.next_at > now:
                continue
            waiting.attempts += 1
            self._note_unanswered(waiting)
            if not self._node_is_silent and self._to.goes_elsewhere(waiting):
                waiting.attempts, waiting.surbs = 0, 0
                waiting.addresses_left += 1
            pauses_s = self._to.pauses_s(waiting.request)
            if waiting.attempts >= len(pauses_s):
                del self._waiting[request_id]
                self._given_up += self._endpoint.up and not self._is_bound_elsewhere(waiting)
                waiting.reply_to.tell(RequestFailed(waiting.request, self._failure_of(waiting)))
            else:
                waiting.next_at = now + pauses_s[waiting.attempts]
                self._send_request(waiting)
        if self._looks_at is not None and self._looks_at <= now:
            self._keep_stocked()
        self._set_tick()

    def _is_bound_elsewhere(self, waiting: InFlight) -> bool:
        """Whether the request belongs to an address that was left: its silence says nothing of the node's others."""
        return isinstance(waiting.request, BOUND) and self._to.was_left(waiting)

    def _failure_of(self, waiting: InFlight) -> Failure:
        if not self._endpoint.up:
            return Failure.NO_MIXNET
        return Failure.ADDRESS_LEFT if self._is_bound_elsewhere(waiting) else Failure.NO_ANSWER

    # -- the node's addresses --

    def _note_unanswered(self, waiting: InFlight) -> None:
        """A try has no answer; perhaps the address is left for another one. A request that is answered over the route
        says nothing once that route is gone."""
        on_route = isinstance(waiting.request, ROUTE_ANSWERS)
        if not self._endpoint.up or (on_route and waiting.login_id != self._route.login_id):
            return
        before = self._to.own
        self._to.note_unanswered(waiting)
        if self._to.own.address != before.address:
            if not before.on_trial:
                self._given_up = 0  # one of the others may answer
            self._leave_route()

    def _leave_route(self) -> None:
        """The user is asked for at another address: the route ends. Its SURBs are no use there, and wait here."""
        self.counts["addresses_changed"] += 1
        if self._route.login_id is not None:
            self._route.drop(self._route.login_id)
        self._owed = 0
        if self._dispatch.heard is not None:
            self._dispatch.heard.tell(AddressChanged())

    def _ask_home(self) -> None:
        """Look whether the first address answers again, beside the route at another one."""
        now = self._runtime.now()
        if self._route.login_id is None or not self._endpoint.up or not na.home_is_due(self._to.own, now):
            return
        self._to.own = na.home_asked(self._to.own, now)
        ask = m.LoginAsk(self._runtime.random_bytes(REQUEST_ID_BYTES), 1, self._route.name)
        if self._account.on_demand(1) and self._account.leave(1):
            self._home_asked = ask.request_id, self._to.own.order[0]
            self._endpoint.send(self._to.own.order[0], ask, 1, "requests_sent")

    def _come_home(self, answer: m.Answer, address: bytes) -> None:
        """The first address answers. A refusal, as when it is busy, is no reason to go there."""
        self._home_asked = None
        if isinstance(answer, m.Challenge) and address == self._to.own.order[0] != self._to.own.address:
            self._to.own = na.settled(self._to.own, address, self._runtime.now())
            self._leave_route()

    # -- the route's SURBs --

    def _open_route(self, name: str, login: m.LoggedIn) -> None:
        """The login holds the route from now on; what the node has already sent for it is taken now."""
        self._owed, self._stocked_at = 0, self._runtime.now()
        more = max(0, self._held.claim_inherited(alive=self._account.alive()) - login.stock)
        for tell, size in self._route.open(name, login.login_id, login.stock + more):
            try:
                self._take_tell(tell, size)
            except RemoteProtocolError as error:
                self.refuse(error)
        if more:
            self._endpoint.send(self._to.own.address, m.TopUp(more, name, login.login_id), 0, "top_ups_sent")
        # Answers to earlier requests can no longer arrive: they were tied to the previous route.
        self._ask_again(lambda waiting: isinstance(waiting.request, m.Forward))

    def _keep_stocked(self) -> None:
        """Give the node what it asked for, and SURBs before it runs short; those that answers on their way will take
        count as gone. What it can't have yet it gets as others of its are spent, a packet full at a time."""
        route, account = self._route, self._account
        self._looks_at = None
        if route.login_id is None or not self._endpoint.up:
            return
        promised = sum(isinstance(waiting.request, m.Forward) for waiting in self._waiting.values())
        runs_short = route.held() - promised < SURBS_LOW
        wanted = max(self._owed, SURBS_TOP_UP if runs_short else 0)
        lacks = route.lacking_now(promised) if runs_short else 0
        needed = max(self._owed, lacks)
        count, now = max(account.in_advance(wanted), account.on_demand(needed)), self._runtime.now()
        if count < min(needed, SURBS_REQUEST):
            if not lacks and route.held() >= self._asked:
                return  # it asked again before what was on its way came; if not, the next heartbeat tells
            starved_at = self._stocked_at + STARVED_S
            if now < starved_at:  # the node, which lacks SURBs, may send nothing that leads here again
                self._looks_at = starved_at
                self._set_tick()
                return
            if self._renew():
                return
            if not self._starved:
                self._starved = True
                logger.warning(STARVED)
            if not (count := account.at_last(needed)):
                return
        self._stocked_at = now
        if not count or not account.leave(count):
            return
        self._owed = max(0, self._owed - count)
        route.give(count)
        self._endpoint.send(self._to.own.address, m.TopUp(count, route.name, route.login_id), count, "top_ups_sent")
