"""Registration, the client's half: register, log in, keep the route alive, rotate message keys.

Serves docs/protocol.md, "Registration and login", "Heartbeat", "Moving to another address", "Publishing", "Deleting".
Receives: `Register`, `GoOnline`, `TakeCard` and `DeleteAccount` from the edges; answers; `Displaced` and `NewCard` from
the node; word of the mixnet's state. Sends: requests; `DropRoute` and `SetCard` to I/O; `WentOnline`, `WentOffline` and
`RecordPublished` to forwarding. Owns: the identity's record, the message keys, the login, the node's card.
It signs a challenge only as part of a whole request, for its own node; the work it does for a node is capped.
"""

from __future__ import annotations

from concurrent.futures import Future
from enum import Enum, auto
from typing import Final, assert_never

from usernym.actors.base import Actor, Tellable, fail, resolve
from usernym.actors.context import ClientContext
from usernym.actors.events import ConnectionChanged
from usernym.actors.failures import Failure, NodeRefused, NodeSilent
from usernym.actors.messages import (
    AnswerArrived,
    DeleteAccount,
    DropRoute,
    GoOnline,
    LogInAgain,
    MixnetConnected,
    MixnetDisconnected,
    NodeHeard,
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
from usernym.actors.registration.attempt import TRY_AGAIN, RegistrationAttempt
from usernym.actors.registration.card_holder import NodeCardHolder
from usernym.actors.registration.deletion import AccountDeletion
from usernym.actors.registration.keys import KeyRing
from usernym.protocol import messages as m
from usernym.protocol.cards import NodeCard
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import CONFIRMED_MAX, MINUTE_S, NOTICES_MAX, SURBS_REQUEST
from usernym.storage.errors import StorageError

HEARTBEAT_S: Final = 60.0
"""A route that was silent this long is tried. Two packets a minute while nothing else happens."""
TICK_S: Final = 15.0
ROTATION_CHECK_S: Final = 10 * MINUTE_S
LOGIN_PAUSES_S: Final = (2.0, 5.0, 15.0, 30.0, 60.0, 300.0)
"""Pauses after failed logins; the last one repeats. A quarter of each is random, so that a restarted node is not met by
all its clients at once."""


class _Login(Enum):
    NONE = auto()
    PUBLISHING = auto()
    ASKED = auto()
    PROVING = auto()
    DONE = auto()


class RegistrationClient(Actor[RegistrationClientInbox]):
    """See the module's text."""

    name = "registration"

    def __init__(
        self,
        context: ClientContext,
        *,
        card: NodeCard,
        io: Tellable[SendRequest | DropRoute | SetCard],
        forwarding: Tellable[WentOnline | WentOffline | RecordPublished],
    ) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._context = context
        self._store = context.store
        self._user = context.user
        self._cards = NodeCardHolder(context, card)
        self._card_shown = 0
        self._io = io
        self._forwarding = forwarding
        self._keys = KeyRing(context)
        self._attempt = RegistrationAttempt(context, self._keys, ask=self._ask, go_on=self.tell_self)
        self._want_online = False
        self._online_answers: list[Future[None]] = []
        self._login = _Login.NONE
        self._login_id: bytes | None = None
        self._last_login_id: bytes | None = None
        self._boot_id = b""
        self._failures = 0
        self._beating = False
        self._publishing = False
        self._heard_at = 0.0
        self._rotation_checked_at = float("-inf")
        self._clock_offset_s = 0
        self._deletion = AccountDeletion(context, self._ask)

    def acquire(self) -> None:
        """Load the keys; the rest is about the mixnet, and outlives a bug."""
        self._keys.load()
        if self._login is _Login.NONE:
            self._last_login_id = self._store.profile.login_id()
            self._io.tell(DropRoute(self._last_login_id))
            self.tell_self(LogInAgain())
        self.tell_self_later(TICK_S, Tick())

    def release(self) -> None:
        """Close this thread's connection."""
        self._store.close_thread()

    def receive(self, message: RegistrationClientInbox) -> None:
        """Handle one message."""
        match message:
            case Register(answer):
                self._attempt.start(answer)
            case GoOnline(answer):
                self._go_online(answer)
            case DeleteAccount(answer):
                self._deletion.start(answer, self._clock_offset_s)
            case AnswerArrived(request, answer):
                try:
                    self._on_answer(request, answer)
                except StorageError:
                    # Not kept is as good as not come: nobody may wait for it for ever. (A heartbeat has ended before.)
                    if not isinstance(request, m.Heartbeat):
                        self._on_failure(request, Failure.NO_STORAGE)
                    raise
            case RequestFailed(request, failure):
                self._on_failure(request, failure)
            case TellArrived(tell):
                self._on_tell(tell)
            case TakeCard(card, given):
                self._on_card_given(card, given)
            case MixnetConnected():
                self._lose_route("the mixnet client is new")
                self._log_in()
            case MixnetDisconnected(reason):
                self._lose_route(reason)
            case RouteDoubted():
                self._beat()
            case NodeHeard():
                self._heard_at = self._context.runtime.now()
            case WorkOn(start):
                self._attempt.work(start)
            case LogInAgain():
                self._log_in()
            case Tick():
                self._tick()
            case _:
                assert_never(message)

    def _ask(self, request: m.Request) -> None:
        self._io.tell(SendRequest(request, self.own_ref))

    def _on_answer(self, request: m.Request, answer: m.Answer) -> None:
        self._heard_at = self._context.runtime.now()
        match request, answer:
            case _, m.Refused(code=code, detail=detail):
                self._on_refusal(request, Code.known(code), detail)
            case m.RegisterAsk(), m.Challenge():
                self._attempt.on_challenge(answer)
            case m.RegisterProof(), m.Registered():
                self._attempt.end(None)
            case m.LoginAsk(), m.Challenge():
                self._prove_login(answer)
            case m.LoginProof(), m.LoggedIn():
                self._on_logged_in(answer)
            case m.Publish(record=record), m.Published():
                self._publishing = False
                self._keys.published(record)
                self._forwarding.tell(RecordPublished(record))
                self.counts["published"] += 1
                self._after_publishing_first()
            case m.Heartbeat(login_id=login_id, confirmed=confirmed), m.Alive(boot_id=boot_id):
                if self._beat_ends(login_id) and boot_id != self._boot_id:
                    self._lose_route("the node has restarted")
                    self._log_in()
                self._store.notices.remove(list(confirmed))
                if len(self._store.notices.oldest(NOTICES_MAX)) == NOTICES_MAX:
                    self._beat()  # they came meanwhile, and the node waits for these before it tells more
            case m.Delete(), m.Deleted(held_until=held_until):
                self._want_online = False
                self._keys.deleted()
                self._lose_route("the account is deleted")
                self._deletion.end(held_until, None)
            case _:
                raise RemoteProtocolError(Code.UNEXPECTED, "an answer that does not fit")

    def _on_tell(self, tell: m.Tell) -> None:
        match tell:
            case m.Displaced():
                self._on_displaced()
            case m.NewCard(card=card):
                self._cards.take_told(card)
                self._move()
            case _:
                raise RemoteProtocolError(Code.UNEXPECTED, "not told to this exchange")

    def _on_refusal(self, request: m.Request, code: Code, detail: int) -> None:
        self.counts[f"told_{code.name.lower()}"] += 1
        match request:
            case m.RegisterAsk() | m.RegisterProof():
                self._attempt.on_refusal(code, detail)
            case m.LoginAsk() | m.LoginProof():
                self._refuse_login(code, detail)
            case m.Heartbeat(login_id=login_id):
                if self._beat_ends(login_id) and code is not Code.BUSY:
                    self._lose_route("the node does not know the route any more")
                    self._log_in()
            case m.Publish():
                self._publishing = False
                if self._login is _Login.PUBLISHING:
                    self._refuse_login(code, detail)
            case m.Delete(made_at=made_at):
                if not self._deletion.date_anew(made_at, code, detail):
                    self._deletion.end(0, NodeRefused(code, detail))
            case _:
                raise RemoteProtocolError(Code.UNEXPECTED, "a refusal that does not fit")

    def _on_failure(self, request: m.Request, failure: Failure) -> None:
        match request:
            case m.RegisterAsk() | m.RegisterProof():
                self._attempt.end(NodeSilent(failure))
            case m.LoginAsk() | m.LoginProof():
                self._fail_login(failure)
            case m.Heartbeat(login_id=login_id):
                if self._beat_ends(login_id):
                    self._lose_route("the node does not answer")
                    self._log_in()
            case m.Publish():
                self._publishing = False
                if self._login is _Login.PUBLISHING:
                    self._fail_login(failure)
            case m.Delete():
                self._deletion.end(0, NodeSilent(failure))

    # -- login --

    def _go_online(self, answer: Future[None]) -> None:
        self._want_online = True
        if self._login is _Login.DONE:
            resolve(answer, None)
            return
        self._online_answers.append(answer)
        self._log_in()

    def _log_in(self) -> None:
        if not self._want_online or self._login is not _Login.NONE:
            return
        if self._keys.publish_first:
            self._login = _Login.PUBLISHING
            self._publish()
        else:
            self._login = _Login.ASKED
            self._ask(m.LoginAsk(self._context.request_id(), SURBS_REQUEST, self._user.name))

    def _after_publishing_first(self) -> None:
        if self._login is _Login.PUBLISHING:
            self._login = _Login.NONE
            self._log_in()

    def _refuse_login(self, code: Code, detail: int) -> None:
        self._login = _Login.NONE
        if code in TRY_AGAIN:
            self._pause_login()
        else:
            self._want_online = False
            self._end_online(NodeRefused(code, detail))

    def _fail_login(self, failure: Failure) -> None:
        self._login = _Login.NONE
        self._end_online(NodeSilent(failure))
        self._pause_login()

    def _prove_login(self, challenge: m.Challenge) -> None:
        if self._login is not _Login.ASKED:
            return
        self._login = _Login.PROVING
        self._card_shown = self._cards.sequence
        self._ask(
            m.LoginProof(
                self._context.request_id(),
                SURBS_REQUEST,
                self._user.name,
                challenge.nonce,
                challenge.expires_at,
                challenge.mac,
                self._card_shown,
            )
        )

    def _on_logged_in(self, answer: m.LoggedIn) -> None:
        if self._login is not _Login.PROVING:
            return
        # No login without its place on disk: if there is none, another one is made, when there may be room again.
        self._store.profile.save_login(answer.login_id, answer.boot_id, self._context.runtime.unix_s())
        self._last_login_id = answer.login_id
        self._login = _Login.DONE
        self._failures = 0
        self._boot_id = answer.boot_id
        self._clock_offset_s = answer.now - self._context.runtime.unix_s()
        self._login_id = answer.login_id
        self._forwarding.tell(WentOnline(answer.login_id, self._clock_offset_s))
        self._context.on_event(ConnectionChanged(True, "connected"))
        self._end_online(None)
        if self._cards.sequence > self._card_shown:
            # A newer card came meanwhile: the node must know, or it goes on telling it.
            self._lose_route("the node has moved")
            self._log_in()
            return
        if answer.record_number < self._keys.record.number or self._keys.pending is not None:
            self._publish()

    def _end_online(self, failed: Exception | None) -> None:
        answers, self._online_answers = self._online_answers, []
        for answer in answers:
            if failed is None:
                resolve(answer, None)
            else:
                fail(answer, failed)

    def _pause_login(self) -> None:
        pause = LOGIN_PAUSES_S[min(self._failures, len(LOGIN_PAUSES_S) - 1)]
        self._failures += 1
        self.tell_self_later(self._context.with_jitter(pause), LogInAgain())

    def _lose_route(self, reason: str) -> None:
        """There is no route from now on, whatever was believed."""
        was_online = self._login is _Login.DONE
        if was_online:
            self._login = _Login.NONE
        self._login_id = None
        self._beating = False
        self._io.tell(DropRoute(self._last_login_id))
        if was_online:
            self._forwarding.tell(WentOffline())
            self._context.on_event(ConnectionChanged(False, reason))

    def _on_displaced(self) -> None:
        self._want_online = False
        self._lose_route("another login took the route")

    # -- keeping the route alive --

    def _tick(self) -> None:
        now = self._context.runtime.now()
        self.tell_self_later(TICK_S, Tick())
        if self._login is not _Login.DONE:
            return
        if now - self._heard_at >= HEARTBEAT_S:
            self._beat()
        if now - self._rotation_checked_at >= ROTATION_CHECK_S:
            self._rotation_checked_at = now
            self._keys.destroy_due()
            if self._keys.rotate_if_due() or self._keys.pending is not None:
                self._publish()

    def _beat(self) -> None:
        if self._login is not _Login.DONE or self._beating or self._login_id is None:
            return
        confirmed = tuple(self._store.notices.oldest(CONFIRMED_MAX))
        self._beating = True
        self._ask(m.Heartbeat(self._context.request_id(), SURBS_REQUEST, self._user.name, self._login_id, confirmed))
        self.counts["heartbeats"] += 1

    def _beat_ends(self, login_id: bytes) -> bool:
        """The heartbeat of this login has come to its end. Whether that says anything about the route there is now."""
        current = login_id == self._login_id
        self._beating = self._beating and not current
        return current

    def _publish(self) -> None:
        if self._publishing:
            return
        self._publishing = True
        record = self._keys.pending or self._keys.record
        self._ask(m.Publish(self._context.request_id(), SURBS_REQUEST, self._user.name, record, self._keys.succession))

    # -- the node's address --

    def _on_card_given(self, card: NodeCard, answer: Future[bool]) -> None:
        try:
            taken = self._cards.take_given(card)
        except RemoteProtocolError as error:
            fail(answer, error)
            return
        if taken:
            self._move()
        resolve(answer, taken)

    def _move(self) -> None:
        """The node is where its new card says: what waits for answers is asked there, and the route is made anew."""
        self.counts["cards_taken"] += 1
        self._io.tell(SetCard(self._cards.card.address))
        self._failures = 0
        self._lose_route("the node has moved")
        self._log_in()
