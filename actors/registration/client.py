"""Registration, the client's half: register, log in, keep the route alive, rotate message keys.

Serves docs/protocol.md, "Registration and login", "Heartbeat", "Moving to another address", "Publishing", "Deleting".
Receives: `Register`, `GoOnline`, `TakeCard` and `DeleteAccount` from the edges; answers; `Displaced` and `NewCard` from
the node; `OwnNameShown` from lookup; reports about the mixnet. Sends: requests; `DropRoute` and `SetCard` to I/O;
`WentOnline` and `WentOffline` to forwarding and lookup, `RecordPublished` to forwarding. Owns: the identity's record,
the message keys, the login, the node's card.
The login is a machine (`login.py`, drawn in docs/machines.md): this actor translates messages into its inputs, and
carries its effects out. It signs a challenge only as part of a whole request, for its own node; the work it does for a
node is capped.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from typing import Final, assert_never

from usernym.actors.base import Actor, Tellable, fail, resolve
from usernym.actors.context import ClientContext
from usernym.actors.events import ConnectionChanged, NodeAddressChanged
from usernym.actors.failures import Failure, NodeRefused, NodeSilent
from usernym.actors.messages import (
    AddressChanged,
    AnswerArrived,
    DeleteAccount,
    DropRoute,
    EvidenceFound,
    GoOnline,
    HeartbeatDue,
    LogInAgain,
    MixnetConnected,
    MixnetDisconnected,
    NodeHeard,
    OwnNameShown,
    RecordPublished,
    Register,
    RegistrationClientInbox,
    RequestFailed,
    RouteDoubted,
    SendRequest,
    SetCard,
    TakeCard,
    TellArrived,
    Tick,
    WentOffline,
    WentOnline,
    WorkOn,
)
from usernym.actors.registration import login as lg
from usernym.actors.registration.attempt import RegistrationAttempt
from usernym.actors.registration.card_holder import NodeCardHolder
from usernym.actors.registration.deletion import AccountDeletion
from usernym.actors.registration.keys import KeyRing
from usernym.actors.registration.log_watch import LogWatch
from usernym.protocol import messages as m
from usernym.protocol.cards import NodeCard, card_text
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.evidence import evidence_in_cards
from usernym.protocol.limits import CONFIRMED_MAX, NOTICES_MAX, SURBS_REQUEST
from usernym.storage.client.types import PendingRecord
from usernym.storage.errors import StorageError

TICK_S: Final = 15.0
"""Between two looks at what time has made due: a quarter of the silence after which a route is tried."""


class RegistrationClient(Actor[RegistrationClientInbox]):
    """The actor that holds the user's account at the node, its keys, and the route to it."""

    name = "registration"

    def __init__(
        self,
        context: ClientContext,
        *,
        card: NodeCard,
        io: Tellable[SendRequest | DropRoute | SetCard],
        forwarding: Tellable[WentOnline | WentOffline | RecordPublished],
        lookup: Tellable[WentOnline | WentOffline],
    ) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._context = context
        self._store = context.store
        self._user = context.user
        self._io = io
        self._forwarding = forwarding
        self._lookup = lookup
        self._cards = NodeCardHolder(context, card)
        self._keys = KeyRing(context)
        self._attempt = RegistrationAttempt(context, self._keys, ask=self._ask, go_on=self.tell_self)
        self._deletion = AccountDeletion(context, self._ask)
        self._watch = LogWatch(context, lambda: self._keys.origin)
        self._login: lg.LoginState = lg.Offline()
        self._begun: deque[float] = deque(maxlen=lg.LOGINS_MAX)
        self._online_answers: list[Future[None]] = []
        self._stored_login_id: bytes | None = None
        self._clock_offset_s = 0

    def acquire(self) -> None:
        """Load the keys. The login outlives a bug, but for what may have been lost with it."""
        self._keys.load()
        self._cards.load()
        self._set_addresses()
        self._stored_login_id = self._store.profile.login_id()
        self.tell_self_later(TICK_S, Tick())
        self._step(lg.ClientStarted())

    def release(self) -> None:
        """Destroy the message keys that are too old: a home that is never open for long must not keep them."""
        try:
            self._keys.destroy_due(overdue=True)
        except StorageError as failure:
            self.note_failure(failure)

    def receive(self, message: RegistrationClientInbox) -> None:
        match message:
            case Register(answer):
                self._attempt.start(answer)
            case GoOnline(answer):
                self._online_answers.append(answer)
                self._step(lg.OnlineWanted())
            case DeleteAccount(answer):
                self._watch.expect_deletion()
                self._deletion.start(answer, self._clock_offset_s)
            case AnswerArrived(request, answer):
                self._on_answer(request, answer)
            case RequestFailed(request, failure):
                self._on_failure(request, failure)
            case TellArrived(tell):
                self._on_tell(tell)
            case TakeCard(card, given):
                self._on_card_given(card, given)
            case EvidenceFound(evidence):
                self._context.keep_evidence(evidence)
            case OwnNameShown(answer, then):
                self._watch.take_looked_up(answer, then)
            case (
                MixnetConnected()
                | MixnetDisconnected()
                | RouteDoubted()
                | NodeHeard()
                | AddressChanged()
                | LogInAgain()
            ):
                self._step(message)
            case WorkOn(start):
                self._attempt.work(start)
            case HeartbeatDue():
                self._step(Tick())
            case Tick():
                self._tick()
            case _:
                assert_never(message)

    def _tick(self) -> None:
        self.tell_self_later(TICK_S, Tick())
        self._step(Tick())
        if self._keys.look_after() and isinstance(self._login, lg.Online):
            self._step(lg.RecordDue())

    # -- the login's machine --

    def _step(self, event: lg.LoginInput) -> None:
        known = lg.Known(
            self._context.runtime.now(),
            self._keys.pending is not None and self._keys.pending.before_login,
            self._cards.sequence,
            self._keys.record.number,
            self._keys.pending is not None,
            tuple(self._begun),
        )
        self._login, effects = lg.step(self._login, event, known)
        if lg.begins(self._login, effects):
            self._begun.append(known.now)
        for effect in effects:
            self._carry_out(effect)

    def _carry_out(self, effect: lg.LoginEffect) -> None:
        match effect:
            case lg.AskForChallenge():
                self._ask(m.LoginAsk(self._context.request_id(), SURBS_REQUEST, self._user.name))
            case lg.ProveLogin(challenge, card_sequence):
                self._prove_login(challenge, card_sequence)
            case lg.PublishRecord():
                self._publish()
            case lg.Beat(login_id):
                self._beat(login_id)
            case lg.LookAgain(after_s):
                self.tell_self_later(after_s, HeartbeatDue())
            case lg.PauseThenLogIn(pause_s):
                self.tell_self_later(self._context.with_jitter(pause_s), LogInAgain())
            case lg.DropTheRoute():
                self._io.tell(DropRoute(self._stored_login_id))
            case lg.AnnounceOnline(login_id, clock_offset_s):
                online = WentOnline(login_id, clock_offset_s)
                self._forwarding.tell(online)
                self._lookup.tell(online)
                self._context.on_event(ConnectionChanged(True, "connected"))
            case lg.AnnounceOffline(reason):
                self._forwarding.tell(WentOffline())
                self._lookup.tell(WentOffline())
                self._context.on_event(ConnectionChanged(False, reason))
            case lg.AnswerOnline():
                for answer in self._taken_answers():
                    resolve(answer, None)
            case lg.AnswerRefused(code, detail):
                for answer in self._taken_answers():
                    fail(answer, NodeRefused(code, detail))
            case lg.AnswerSilent(failure):
                for answer in self._taken_answers():
                    fail(answer, NodeSilent(failure))
            case _:
                assert_never(effect)

    def _taken_answers(self) -> list[Future[None]]:
        answers, self._online_answers = self._online_answers, []
        return answers

    # -- requests --

    def _ask(self, request: m.Request) -> None:
        self._io.tell(SendRequest(request, self.own_ref))

    def _prove_login(self, challenge: m.Challenge, card_sequence: int) -> None:
        self._ask(
            m.LoginProof(
                self._context.request_id(),
                SURBS_REQUEST,
                self._user.name,
                challenge.nonce,
                challenge.expires_at,
                challenge.mac,
                card_sequence,
                0,  # mixnet I/O knows what the node should have
                self._watch.at_login(),
            )
        )

    def _publish(self) -> None:
        pending = self._keys.pending or PendingRecord(self._keys.record)
        record, succession = pending.record, pending.succession
        self._ask(m.Publish(self._context.request_id(), SURBS_REQUEST, self._user.name, record, succession))

    def _beat(self, login_id: bytes) -> None:
        try:
            confirmed, log = tuple(self._store.notices.oldest(CONFIRMED_MAX)), self._watch.at_heartbeat()
        except StorageError:
            self._step(lg.HeartbeatNotSent(login_id))
            raise
        self._ask(m.Heartbeat(self._context.request_id(), SURBS_REQUEST, self._user.name, login_id, confirmed, log))
        self.counts["heartbeats"] += 1

    # -- their outcomes --

    def _on_answer(self, request: m.Request, answer: m.Answer) -> None:
        self._step(NodeHeard())
        if isinstance(answer, m.Refused):
            self._on_refusal(request, Code.known(answer.code), answer.detail)
            return
        try:
            self._on_consent(request, answer)
        except StorageError:
            # An answer that could not be stored counts as none: nothing waits forever. A heartbeat has ended before.
            if not isinstance(request, m.Heartbeat):
                self._on_failure(request, Failure.NO_STORAGE)
            raise

    def _on_consent(self, request: m.Request, answer: m.Answer) -> None:
        match request, answer:
            case m.RegisterAsk(), m.Challenge():
                self._attempt.on_challenge(answer)
            case m.RegisterProof(), m.Registered():
                self._attempt.end(None)
            case m.LoginAsk(), m.Challenge():
                self._step(lg.ChallengeReceived(answer))
            case m.LoginProof(nonce=nonce, log=asked), m.LoggedIn(log=shown):
                self._on_logged_in(nonce, answer)
                self._watch.take(asked, shown)
            case m.Publish(record=record), m.Published():
                self._keys.published(record)
                self._forwarding.tell(RecordPublished(record))
                self.counts["published"] += 1
                self._step(lg.PublicationAccepted())
            case m.Heartbeat(login_id=login_id, confirmed=confirmed, log=asked), m.Alive(boot_id=boot_id, log=shown):
                self._step(lg.HeartbeatAnswered(login_id, boot_id))
                self._store.notices.remove(list(confirmed))
                if len(self._store.notices.oldest(NOTICES_MAX)) == NOTICES_MAX:
                    # They came meanwhile, and the node waits for their confirmation before it sends more.
                    self._step(RouteDoubted())
                self._watch.take(asked, shown)
            case m.Delete(), m.Deleted(held_until=held_until):
                self._keys.deleted()
                self._watch.expect_deletion()
                self._step(lg.AccountRemoved())
                self._deletion.end(held_until, None)
            case _:
                raise RemoteProtocolError(Code.UNEXPECTED, "an answer that does not fit")

    def _on_logged_in(self, nonce: bytes, answer: m.LoggedIn) -> None:
        now = self._context.runtime.unix_s()
        if isinstance(self._login, lg.Proving) and self._login.nonce == nonce:
            # A login that has no place on disk does not count: another one is made, when there may be room again.
            self._store.profile.save_login(answer.login_id)
            self._stored_login_id = answer.login_id
            self._clock_offset_s = answer.now - now
        self._step(lg.ProofAccepted(nonce, answer.login_id, answer.boot_id, answer.record_number, answer.now - now))

    def _on_refusal(self, request: m.Request, code: Code, detail: int) -> None:
        self.counts[f"told_{code.name.lower()}"] += 1
        match request:
            case m.RegisterAsk() | m.RegisterProof():
                self._attempt.on_refusal(code, detail)
            case m.LoginAsk() | m.LoginProof() | m.Heartbeat() | m.Publish():
                self._step(lg.RequestRefused(request, code, detail))
            case m.Delete(made_at=made_at):
                if not self._deletion.date_anew(made_at, code, detail):
                    self._deletion.end(0, NodeRefused(code, detail))
            case _:
                raise RemoteProtocolError(Code.UNEXPECTED, "a refusal that does not fit")

    def _on_failure(self, request: m.Request, failure: Failure) -> None:
        match request:
            case m.RegisterAsk() | m.RegisterProof():
                self._attempt.on_failure(failure)
            case m.LoginAsk() | m.LoginProof() | m.Heartbeat() | m.Publish():
                self._step(lg.RequestUnanswered(request, failure))
            case m.Delete():
                self._deletion.end(0, NodeSilent(failure))

    # -- what the node says unasked, and its address --

    def _on_tell(self, tell: m.Tell) -> None:
        match tell:
            case m.Displaced(login_id=login_id):
                self._step(lg.RouteTaken(login_id))
            case m.NewCard(card=card):
                self._compare_cards(card)
                before = self._cards.card.addresses
                self._cards.take_told(card)
                if (
                    card.addresses != before
                ):  # a node that was restored has a newer card, and may have the same addresses
                    self._context.on_event(NodeAddressChanged(card_text(card)))
                self._move()
            case _:
                raise RemoteProtocolError(Code.UNEXPECTED, "this exchange takes no such message")

    def _compare_cards(self, card: NodeCard) -> None:
        for known in (self._cards.card, self._cards.given):
            if (evidence := evidence_in_cards(known, card)) is not None:
                self._context.keep_evidence(evidence)

    def _on_card_given(self, card: NodeCard, answer: Future[bool]) -> None:
        self._compare_cards(card)
        before = self._cards.card
        try:
            taken = self._cards.take_given(card)
        except RemoteProtocolError as error:
            fail(answer, error)
            return
        if self._cards.card != before:
            self._move()
        elif taken:
            self._set_addresses()
        resolve(answer, taken)

    def _move(self) -> None:
        """The node is at another address: requests that wait are sent there, and the route is made there."""
        self.counts["cards_taken"] += 1
        self._set_addresses()
        self._step(lg.NodeMoved())

    def _set_addresses(self) -> None:
        self._io.tell(SetCard(self._cards.card.addresses, self._cards.given.addresses, self._cards.given.fresh_tags))
