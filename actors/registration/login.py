"""A client's login as a pure machine: a state and an input give the next state, and the effects to carry out.

docs/protocol.md, "Registration and login", "Heartbeat" and "Moving to another address"; drawn in docs/machines.md.
There is no I/O, no clock and no randomness here: the registration actor translates its messages into inputs, calls
`step`, and carries out the effects in their order. Each state holds exactly the data that exists in it, so that there
is no heartbeat without a login, no unwanted route, and no pause that nothing ends.
"""

from __future__ import annotations

from typing import Final, assert_never

from msgspec.structs import replace

from usernym.actors.base import PrivateValue
from usernym.actors.failures import Failure
from usernym.actors.messages import (
    AddressChanged,
    LogInAgain,
    MixnetConnected,
    MixnetDisconnected,
    NodeHeard,
    RouteDoubted,
    Tick,
)
from usernym.protocol import messages as m
from usernym.protocol.errors import Code

HEARTBEAT_S: Final = 60.0
"""A route that was silent this long is tried. Two packets a minute while nothing else happens."""
LOGIN_PAUSES_S: Final = (2.0, 5.0, 15.0, 30.0, 60.0, 300.0, 300.0, 300.0, 300.0, 900.0, 900.0, 1800.0)
"""Pauses after failed logins; the last one repeats: two an hour, or the SURBs that a client may give would be used up
while a node is away for a day. A quarter of each is random, so that a restarted node is not met by all its clients at
once."""
LOGINS_MAX: Final = 3
LOGINS_WINDOW_S: Final = 60.0
"""At most so many logins begin in so many seconds, whatever the reason: each gives the node four SURBs, and shows it
that the user is there."""
WORKING_S: Final = 60.0
"""A route that held this long worked. One that was lost before counts as a failed login, so that a node which takes
logins and ends their routes sets no pace."""
BEATS_APART_S: Final = 2.0
"""A heartbeat follows another after this long at the earliest, whatever the reason for it. Each confirms what two
frames of notices can bring, so a thousand receipts are taken in a minute."""
TRY_AGAIN: Final = frozenset({Code.CHALLENGE_INVALID, Code.CHALLENGE_EXPIRED, Code.CHALLENGE_USED, Code.BUSY})
"""Refusals that a new challenge, or a pause, may repair."""


class Known(PrivateValue, frozen=True):
    """What the client knows besides its login, at the time of an input."""

    now: float
    """Seconds on a clock that never goes back."""
    publish_first: bool
    """Whether the node must have the newest record before a login."""
    card_sequence: int
    """Of the node's card that the client uses."""
    record_number: int
    """Of the record that the node is known to have had."""
    record_pending: bool
    """Whether a newer record waits to be published."""
    begun: tuple[float, ...] = ()
    """When the last logins began, `LOGINS_MAX` of them at most, the oldest first."""

    @property
    def pause_s(self) -> float:
        """Seconds until another login may begin."""
        return 0.0 if len(self.begun) < LOGINS_MAX else max(0.0, self.begun[-LOGINS_MAX] + LOGINS_WINDOW_S - self.now)


# -- states ----------------------------------------------------------------------------------------------------------


class Offline(PrivateValue, frozen=True):
    """No route, and none is wanted: before the first `GoOnline`, and after a refusal, a displacement or a deletion."""


class AwaitingMixnet(PrivateValue, frozen=True):
    """The route was lost with the mixnet client; the next login begins when there is one again."""


class Pausing(PrivateValue, frozen=True):
    """`failures` logins in a row have failed; the next one begins after a pause."""

    failures: int


class PublishingFirst(PrivateValue, frozen=True):
    """The node is asked to take the newest record: it must have it before the login."""

    failures: int


class AskedToLogIn(PrivateValue, frozen=True):
    """The node is asked for a challenge."""

    failures: int


class Proving(PrivateValue, frozen=True):
    """The challenge was signed, and the node is asked to take the proof."""

    failures: int
    nonce: bytes
    """The challenge's: an answer to another proof says nothing about this one."""
    card_sequence: int
    """Of the card that the proof named."""


class Online(PrivateValue, frozen=True):
    """A login holds the route."""

    login_id: bytes
    boot_id: bytes
    """Of the node's process: another one has forgotten the route."""
    heard_at: float
    """When the node last said something."""
    beating: bool = False
    """A heartbeat of this login waits for its answer."""
    publishing: bool = False
    """A record waits for the node's answer."""
    since: float = float("-inf")
    """When the login was made."""
    failures: int = 0
    """Logins in a row that had failed before."""
    beat_at: float = float("-inf")
    """When the last heartbeat was sent."""
    doubted: bool = False
    """Whether the route is to be tried as soon as a heartbeat may follow the last one."""


LoginState = Offline | AwaitingMixnet | Pausing | PublishingFirst | AskedToLogIn | Proving | Online

LoginRequest = m.LoginAsk | m.LoginProof | m.Publish | m.Heartbeat

# -- inputs: what happened; some are the actor's messages -------------------------------------------------------------


class ClientStarted(PrivateValue, frozen=True):
    """The actor has started, or restarted after a bug: timers are gone, and answers may be lost."""


class OnlineWanted(PrivateValue, frozen=True):
    """The user wants to be online, and waits for an answer."""


class ChallengeReceived(PrivateValue, frozen=True):
    """The node answered the ask for a challenge."""

    challenge: m.Challenge


class ProofAccepted(PrivateValue, frozen=True):
    """The node took the proof: the login holds the route, and is on disk if it was waited for."""

    nonce: bytes
    login_id: bytes
    boot_id: bytes
    record_number: int
    """Of the record that the node has."""
    clock_offset_s: int
    """The node's clock less ours."""


class PublicationAccepted(PrivateValue, frozen=True):
    """The node has our record, and the disk says so."""


class RequestRefused(PrivateValue, frozen=True):
    """The node refused one of the login's requests."""

    request: LoginRequest
    code: Code
    detail: int


class RequestUnanswered(PrivateValue, frozen=True):
    """A request got no answer, or its answer could not be stored."""

    request: LoginRequest
    failure: Failure


class RecordDue(PrivateValue, frozen=True):
    """A record was made, or was not published yet."""


class HeartbeatAnswered(PrivateValue, frozen=True):
    """The node answered a heartbeat of this login."""

    login_id: bytes
    boot_id: bytes


class HeartbeatNotSent(PrivateValue, frozen=True):
    """A heartbeat of this login could not be made: the disk failed."""

    login_id: bytes


class RouteTaken(PrivateValue, frozen=True):
    """Another login took the route from this one."""

    login_id: bytes


class NodeMoved(PrivateValue, frozen=True):
    """The node has a newer card: with it the route is made again, at the address that it says."""


class AccountRemoved(PrivateValue, frozen=True):
    """The node has deleted the account."""


LoginInput = (
    ClientStarted | OnlineWanted | LogInAgain | MixnetConnected | MixnetDisconnected | ChallengeReceived | ProofAccepted
    | PublicationAccepted | HeartbeatAnswered | RequestRefused | RequestUnanswered | HeartbeatNotSent | RecordDue
    | RouteDoubted | NodeHeard | AddressChanged | Tick | RouteTaken | NodeMoved | AccountRemoved
)  # fmt: skip

# -- effects: what the actor is to do --------------------------------------------------------------------------------


class AskForChallenge(PrivateValue, frozen=True):
    """Send `LoginAsk`."""


class ProveLogin(PrivateValue, frozen=True):
    """Sign the challenge: send `LoginProof`, which names the card of this sequence."""

    challenge: m.Challenge
    card_sequence: int


class PublishRecord(PrivateValue, frozen=True):
    """Send `Publish` with the newest record."""


class Beat(PrivateValue, frozen=True):
    """Send `Heartbeat` for this login."""

    login_id: bytes


class PauseThenLogIn(PrivateValue, frozen=True):
    """Let `LogInAgain` come after about so many seconds."""

    pause_s: float


class LookAgain(PrivateValue, frozen=True):
    """Let `Tick` come after so many seconds."""

    after_s: float


class DropTheRoute(PrivateValue, frozen=True):
    """Let mixnet I/O forget the route; deliveries to the login that was stored last still count."""


class AnnounceOnline(PrivateValue, frozen=True):
    """Say to forwarding, and in an event, that this login holds the route."""

    login_id: bytes
    clock_offset_s: int


class AnnounceOffline(PrivateValue, frozen=True):
    """Say to forwarding, and in an event, that the route is gone."""

    reason: str


class AnswerOnline(PrivateValue, frozen=True):
    """Answer those who wait to be online: they are."""


class AnswerRefused(PrivateValue, frozen=True):
    """Answer those who wait to be online: the node refuses it, and it is not tried again."""

    code: Code
    detail: int


class AnswerSilent(PrivateValue, frozen=True):
    """Answer those who wait to be online: it failed, and is tried again."""

    failure: Failure


LoginEffect = (
    AskForChallenge | ProveLogin | PublishRecord | Beat | PauseThenLogIn | LookAgain | DropTheRoute | AnnounceOnline
    | AnnounceOffline | AnswerOnline | AnswerRefused | AnswerSilent
)  # fmt: skip

LoginStep = tuple[LoginState, tuple[LoginEffect, ...]]

# -- the machine -----------------------------------------------------------------------------------------------------


def step(state: LoginState, event: LoginInput, known: Known) -> LoginStep:
    """The next state, and the effects in their order. What a state does not mention leaves it as it is."""
    match state:
        case Offline():
            return _offline(state, event, known)
        case AwaitingMixnet():
            return _waiting(state, 0, event, known)
        case Pausing(failures):
            return _waiting(state, failures, event, known)
        case PublishingFirst() | AskedToLogIn() | Proving():
            return _logging_in(state, event, known)
        case Online():
            return _online(state, event, known)
        case _:
            assert_never(state)


def _offline(state: Offline, event: LoginInput, known: Known) -> LoginStep:
    match event:
        case OnlineWanted():
            return _begin(0, known)
        case ClientStarted() | ProofAccepted():
            # Mixnet I/O may have a route: of the process before, or of a login that is not wanted any more.
            return state, (DropTheRoute(),)
        case _:
            return state, ()


def _waiting(state: AwaitingMixnet | Pausing, failures: int, event: LoginInput, known: Known) -> LoginStep:
    match event:
        case OnlineWanted() | MixnetConnected():
            return _begin(failures, known)
        case LogInAgain() if isinstance(state, Pausing):
            return _begin(failures, known)
        case NodeMoved():
            return _begin(0, known)
        case ClientStarted():
            return _begin(failures, known, DropTheRoute())
        case ProofAccepted():
            return state, (DropTheRoute(),)
        case AccountRemoved():
            return _end_unconnected()
        case _:
            return state, ()


def _logging_in(state: PublishingFirst | AskedToLogIn | Proving, event: LoginInput, known: Known) -> LoginStep:
    match state, event:
        case PublishingFirst(failures), PublicationAccepted():
            return _begin(failures, known)
        case AskedToLogIn(failures), ChallengeReceived(challenge):
            proving = Proving(failures, challenge.nonce, known.card_sequence)
            return proving, (ProveLogin(challenge, known.card_sequence),)
        case Proving(), ProofAccepted() if event.nonce == state.nonce:
            return _logged_in(state, event, known)
        case _, RequestRefused(request, code, detail) if _awaits(state, request):
            return _pause(state.failures) if code in TRY_AGAIN else (Offline(), (AnswerRefused(code, detail),))
        case _, RequestUnanswered(request, failure) if _awaits(state, request):
            paused, effects = _pause(state.failures)
            # Mixnet I/O has opened the route if the answer to a proof came and could not be stored.
            dropped = (DropTheRoute(),) if isinstance(state, Proving) else ()
            return paused, (*dropped, AnswerSilent(failure), *effects)
        case Proving(failures), MixnetConnected():
            # The node takes no proof from another sender tag than the one that asked for the challenge.
            return _begin(failures, known)
        case Proving(failures), AddressChanged():
            # Only the address that made the challenge takes its proof, and that one is silent.
            return _begin(failures, known)
        case _, NodeMoved():
            return replace(state, failures=0), ()
        case _, ClientStarted():
            return _begin(state.failures, known, DropTheRoute())
        case _, ProofAccepted():
            return state, (DropTheRoute(),)
        case _, AccountRemoved():
            return _end_unconnected()
        case _:
            return state, ()


def _awaits(state: PublishingFirst | AskedToLogIn | Proving, request: LoginRequest) -> bool:
    match state, request:
        case (PublishingFirst(), m.Publish()) | (AskedToLogIn(), m.LoginAsk()):
            return True
        case Proving(), m.LoginProof():
            return request.nonce == state.nonce
        case _:
            return False


def _online(state: Online, event: LoginInput, known: Known) -> LoginStep:
    match event:
        case OnlineWanted():
            return state, (AnswerOnline(),)
        case ClientStarted():
            return replace(state, beating=False, publishing=False), ()
        case NodeHeard():
            return replace(state, heard_at=known.now), ()
        case Tick():
            silent = known.now - state.heard_at >= HEARTBEAT_S
            return _beat(state, known) if silent or state.doubted else (state, ())
        case RouteDoubted():
            return _beat(state, known)
        case HeartbeatAnswered(login_id, boot_id) if login_id == state.login_id:
            if boot_id != state.boot_id:
                return _lost(state, "the node has restarted", known)
            return replace(state, beating=False), ()
        case RequestRefused(m.Heartbeat(login_id=login_id), code) if login_id == state.login_id:
            if code is not Code.BUSY:
                return _lost(state, "the node does not know the route any more", known)
            return replace(state, beating=False), ()
        case RequestUnanswered(m.Heartbeat(login_id=login_id)) if login_id == state.login_id:
            return _lost(state, "the node does not answer", known)
        case HeartbeatNotSent(login_id) if login_id == state.login_id:
            return replace(state, beating=False), ()
        case RecordDue():
            return _publish(state)
        case PublicationAccepted() | RequestRefused(m.Publish()) | RequestUnanswered(m.Publish()):
            return replace(state, publishing=False), ()
        case MixnetConnected():
            return _begin(state.failures, known, DropTheRoute(), AnnounceOffline("the mixnet client is new"))
        case MixnetDisconnected(reason):
            return AwaitingMixnet(), (DropTheRoute(), AnnounceOffline(reason))
        case NodeMoved():
            # At once: few cards are taken within ten minutes.
            return _begin(state.failures, known, DropTheRoute(), AnnounceOffline("the node has a new card"))
        case AddressChanged():
            return _lost(state, "the node is asked at another of its addresses", known)
        case ProofAccepted():
            # Mixnet I/O has opened the route of a login that is not this one.
            return _lost(state, "two logins crossed", known)
        case RouteTaken(login_id) if login_id == state.login_id:
            return Offline(), (DropTheRoute(), AnnounceOffline("another login took the route"))
        case AccountRemoved():
            return Offline(), (DropTheRoute(), AnnounceOffline("the account is deleted"))
        case _:
            return state, ()


def begins(state: LoginState, effects: tuple[LoginEffect, ...]) -> bool:
    """Whether a step that led to `state` with these effects has begun a login."""
    return isinstance(state, PublishingFirst | AskedToLogIn) and any(
        isinstance(effect, PublishRecord | AskForChallenge) for effect in effects
    )


def _begin(failures: int, known: Known, *before: LoginEffect) -> LoginStep:
    if known.pause_s > 0:
        return Pausing(failures), (*before, PauseThenLogIn(known.pause_s))
    if known.publish_first:
        return PublishingFirst(failures), (*before, PublishRecord())
    return AskedToLogIn(failures), (*before, AskForChallenge())


def _pause(failures: int) -> LoginStep:
    pause_s = LOGIN_PAUSES_S[min(failures, len(LOGIN_PAUSES_S) - 1)]
    return Pausing(failures + 1), (PauseThenLogIn(pause_s),)


def _logged_in(state: Proving, login: ProofAccepted, known: Known) -> LoginStep:
    if known.card_sequence > state.card_sequence:
        # A newer card came meanwhile: the node must learn that we have it, or it tells it again and again.
        return _begin(state.failures, known, DropTheRoute())
    online = Online(login.login_id, login.boot_id, known.now, since=known.now, failures=state.failures)
    announced = (AnnounceOnline(login.login_id, login.clock_offset_s), AnswerOnline())
    if login.record_number < known.record_number or known.record_pending:
        return replace(online, publishing=True), (*announced, PublishRecord())
    return online, announced


def _lost(state: Online, reason: str, known: Known) -> LoginStep:
    """The next login begins at once after a route that worked, else after a pause, which grows."""
    if known.now - state.since >= WORKING_S:
        return _begin(0, known, DropTheRoute(), AnnounceOffline(reason))
    paused, effects = _pause(state.failures)
    return paused, (DropTheRoute(), AnnounceOffline(reason), *effects)


def _end_unconnected() -> LoginStep:
    return Offline(), (AnswerRefused(Code.NOT_REGISTERED, 0),)


def _beat(state: Online, known: Known) -> LoginStep:
    if state.beating:
        return state, ()
    wait_s = state.beat_at + BEATS_APART_S - known.now
    if wait_s <= 0:
        return replace(state, beating=True, beat_at=known.now, doubted=False), (Beat(state.login_id),)
    return (state, ()) if state.doubted else (replace(state, doubted=True), (LookAgain(wait_s),))


def _publish(state: Online) -> LoginStep:
    return (state, ()) if state.publishing else (replace(state, publishing=True), (PublishRecord(),))
