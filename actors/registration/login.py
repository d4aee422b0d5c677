"""A client's login as a pure machine: a state and an input give the next state, and the effects to carry out.

docs/protocol.md, "Registration and login", "Heartbeat" and "Moving to another address"; drawn in docs/machines.md.
There is no I/O, no clock and no randomness here: the registration actor translates its messages into inputs, calls
`step`, and carries out the effects in their order. Each state holds exactly the data that exists in it, so that there
is no heartbeat without a login, no unwanted route, and no pause that nothing ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, assert_never

from usernym.actors.failures import Failure
from usernym.actors.messages import NodeHeard, RouteDoubted
from usernym.protocol import messages as m
from usernym.protocol.errors import Code

HEARTBEAT_S: Final = 60.0
"""A route that was silent this long is tried. Two packets a minute while nothing else happens."""
LOGIN_PAUSES_S: Final = (2.0, 5.0, 15.0, 30.0, 60.0, 300.0)
"""Pauses after failed logins; the last one repeats. A quarter of each is random, so that a restarted node is not met by
all its clients at once."""
TRY_AGAIN: Final = frozenset({Code.CHALLENGE_INVALID, Code.CHALLENGE_EXPIRED, Code.CHALLENGE_USED, Code.BUSY})
"""Refusals that a new challenge, or a pause, may repair."""


@dataclass(frozen=True, slots=True)
class Known:
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


# -- states ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offline:
    """No route, and none is wanted: before the first `GoOnline`, and after a refusal, a displacement or a deletion."""


@dataclass(frozen=True, slots=True)
class AwaitingMixnet:
    """The route was lost with the mixnet client; the next login begins when there is one again."""


@dataclass(frozen=True, slots=True)
class Pausing:
    """`failures` logins in a row have failed; the next one begins after a pause."""

    failures: int


@dataclass(frozen=True, slots=True)
class PublishingFirst:
    """The node is asked to take the newest record: it must have it before the login."""

    failures: int


@dataclass(frozen=True, slots=True)
class AskedToLogIn:
    """The node is asked for a challenge."""

    failures: int


@dataclass(frozen=True, slots=True)
class Proving:
    """The challenge was signed, and the node is asked to take the proof."""

    failures: int
    nonce: bytes = field(repr=False)
    """The challenge's: an answer to another proof says nothing about this one."""
    card_sequence: int
    """Of the card that the proof named."""


@dataclass(frozen=True, slots=True)
class Online:
    """A login holds the route."""

    login_id: bytes = field(repr=False)
    boot_id: bytes = field(repr=False)
    """Of the node's process: another one has forgotten the route."""
    heard_at: float
    """When the node last said something."""
    beating: bool = False
    """A heartbeat of this login waits for its answer."""
    publishing: bool = False
    """A record waits for the node's answer."""


LoginState = Offline | AwaitingMixnet | Pausing | PublishingFirst | AskedToLogIn | Proving | Online

# -- inputs: what happened -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ClientStarted:
    """The actor has started, or restarted after a bug: timers are gone, and answers may be lost."""


@dataclass(frozen=True, slots=True)
class OnlineWanted:
    """The user wants to be online, and waits for an answer."""


@dataclass(frozen=True, slots=True)
class PauseEnded:
    """The pause after a failed login is over."""


@dataclass(frozen=True, slots=True)
class MixnetAppeared:
    """There is a new mixnet client: replies to what was sent before can't reach it."""


@dataclass(frozen=True, slots=True)
class MixnetVanished:
    """The mixnet client is gone. `reason` can be shown."""

    reason: str


@dataclass(frozen=True, slots=True)
class ChallengeReceived:
    """The node answered the ask for a challenge."""

    challenge: m.Challenge = field(repr=False)


@dataclass(frozen=True, slots=True)
class AskRefused:
    """The node refused to give a challenge."""

    code: Code
    detail: int


@dataclass(frozen=True, slots=True)
class AskFailed:
    """The ask for a challenge got no answer."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class ProofAccepted:
    """The node took the proof: the login holds the route, and is on disk if it was waited for."""

    nonce: bytes = field(repr=False)
    login_id: bytes = field(repr=False)
    boot_id: bytes = field(repr=False)
    record_number: int
    """Of the record that the node has."""
    clock_offset_s: int
    """The node's clock less ours."""


@dataclass(frozen=True, slots=True)
class ProofRefused:
    """The node refused the proof."""

    nonce: bytes = field(repr=False)
    code: Code
    detail: int


@dataclass(frozen=True, slots=True)
class ProofFailed:
    """The proof got no answer, or its answer could not be stored."""

    nonce: bytes = field(repr=False)
    failure: Failure


@dataclass(frozen=True, slots=True)
class PublicationAccepted:
    """The node has our record, and the disk says so."""


@dataclass(frozen=True, slots=True)
class PublicationRefused:
    """The node refused our record."""

    code: Code
    detail: int


@dataclass(frozen=True, slots=True)
class PublicationFailed:
    """Publishing got no answer, or its answer could not be stored."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class RecordDue:
    """A record was made, or was not published yet."""


@dataclass(frozen=True, slots=True)
class HeartbeatAnswered:
    """The node answered a heartbeat of this login."""

    login_id: bytes = field(repr=False)
    boot_id: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HeartbeatRefused:
    """The node refused a heartbeat of this login."""

    login_id: bytes = field(repr=False)
    code: Code


@dataclass(frozen=True, slots=True)
class HeartbeatFailed:
    """A heartbeat of this login got no answer."""

    login_id: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HeartbeatNotSent:
    """A heartbeat of this login could not be made: the disk failed."""

    login_id: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Some seconds have passed."""


@dataclass(frozen=True, slots=True)
class RouteTaken:
    """Another login took the route from this one."""

    login_id: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NodeMoved:
    """The node is at another address, and so are the requests that wait."""


@dataclass(frozen=True, slots=True)
class AccountRemoved:
    """The node has deleted the account."""


LoginInput = (
    ClientStarted | OnlineWanted | PauseEnded | MixnetAppeared | MixnetVanished | ChallengeReceived | AskRefused
    | AskFailed | ProofAccepted | ProofRefused | ProofFailed | PublicationAccepted | PublicationRefused
    | PublicationFailed | RecordDue | HeartbeatAnswered | HeartbeatRefused | HeartbeatFailed | HeartbeatNotSent
    | RouteDoubted | NodeHeard | TimePassed | RouteTaken | NodeMoved | AccountRemoved
)  # fmt: skip

# -- effects: what the actor is to do --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AskForChallenge:
    """Send `LoginAsk`."""


@dataclass(frozen=True, slots=True)
class ProveLogin:
    """Sign the challenge: send `LoginProof`, which names the card of this sequence."""

    challenge: m.Challenge = field(repr=False)
    card_sequence: int


@dataclass(frozen=True, slots=True)
class PublishRecord:
    """Send `Publish` with the newest record."""


@dataclass(frozen=True, slots=True)
class Beat:
    """Send `Heartbeat` for this login."""

    login_id: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PauseThenLogIn:
    """Let `PauseEnded` come after about so many seconds."""

    pause_s: float


@dataclass(frozen=True, slots=True)
class DropTheRoute:
    """Let mixnet I/O forget the route; deliveries to the login that was stored last still count."""


@dataclass(frozen=True, slots=True)
class AnnounceOnline:
    """Say to forwarding, and in an event, that this login holds the route."""

    login_id: bytes = field(repr=False)
    clock_offset_s: int


@dataclass(frozen=True, slots=True)
class AnnounceOffline:
    """Say to forwarding, and in an event, that the route is gone."""

    reason: str


@dataclass(frozen=True, slots=True)
class AnswerOnline:
    """Answer those who wait to be online: they are."""


@dataclass(frozen=True, slots=True)
class AnswerRefused:
    """Answer those who wait to be online: the node refuses it, and it is not tried again."""

    code: Code
    detail: int


@dataclass(frozen=True, slots=True)
class AnswerSilent:
    """Answer those who wait to be online: it failed, and is tried again."""

    failure: Failure


LoginEffect = (
    AskForChallenge | ProveLogin | PublishRecord | Beat | PauseThenLogIn | DropTheRoute | AnnounceOnline
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
        case OnlineWanted() | MixnetAppeared():
            return _begin(failures, known)
        case PauseEnded() if isinstance(state, Pausing):
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
        case PublishingFirst(failures), PublicationRefused(code, detail):
            return _refused(failures, code, detail)
        case PublishingFirst(failures), PublicationFailed(failure):
            return _failed(failures, failure)
        case AskedToLogIn(failures), ChallengeReceived(challenge):
            proving = Proving(failures, challenge.nonce, known.card_sequence)
            return proving, (ProveLogin(challenge, known.card_sequence),)
        case AskedToLogIn(failures), AskRefused(code, detail):
            return _refused(failures, code, detail)
        case AskedToLogIn(failures), AskFailed(failure):
            return _failed(failures, failure)
        case Proving(), ProofAccepted() if event.nonce == state.nonce:
            return _logged_in(state, event, known)
        case Proving(failures), ProofRefused(nonce, code, detail) if nonce == state.nonce:
            return _refused(failures, code, detail)
        case Proving(failures), ProofFailed(nonce, failure) if nonce == state.nonce:
            # Mixnet I/O has opened the route if the answer came and could not be stored.
            paused, effects = _failed(failures, failure)
            return paused, (DropTheRoute(), *effects)
        case Proving(failures), MixnetAppeared():
            # The node takes no proof from another sender tag than the one that asked for the challenge.
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


def _online(state: Online, event: LoginInput, known: Known) -> LoginStep:
    match event:
        case OnlineWanted():
            return state, (AnswerOnline(),)
        case ClientStarted():
            return replace(state, beating=False, publishing=False), ()
        case NodeHeard():
            return replace(state, heard_at=known.now), ()
        case TimePassed():
            return _beat(state) if known.now - state.heard_at >= HEARTBEAT_S else (state, ())
        case RouteDoubted():
            return _beat(state)
        case HeartbeatAnswered(login_id, boot_id) if login_id == state.login_id:
            if boot_id != state.boot_id:
                return _lost("the node has restarted", known)
            return replace(state, beating=False), ()
        case HeartbeatRefused(login_id, code) if login_id == state.login_id:
            if code is not Code.BUSY:
                return _lost("the node does not know the route any more", known)
            return replace(state, beating=False), ()
        case HeartbeatFailed(login_id) if login_id == state.login_id:
            return _lost("the node does not answer", known)
        case HeartbeatNotSent(login_id) if login_id == state.login_id:
            return replace(state, beating=False), ()
        case RecordDue():
            return _publish(state)
        case PublicationAccepted() | PublicationRefused() | PublicationFailed():
            return replace(state, publishing=False), ()
        case MixnetAppeared():
            return _lost("the mixnet client is new", known)
        case MixnetVanished(reason):
            return AwaitingMixnet(), (DropTheRoute(), AnnounceOffline(reason))
        case NodeMoved():
            return _lost("the node has moved", known)
        case ProofAccepted():
            # Mixnet I/O has opened the route of a login that is not this one.
            return _lost("two logins crossed", known)
        case RouteTaken(login_id) if login_id == state.login_id:
            return Offline(), (DropTheRoute(), AnnounceOffline("another login took the route"))
        case AccountRemoved():
            return Offline(), (DropTheRoute(), AnnounceOffline("the account is deleted"))
        case _:
            return state, ()


def _begin(failures: int, known: Known, *before: LoginEffect) -> LoginStep:
    if known.publish_first:
        return PublishingFirst(failures), (*before, PublishRecord())
    return AskedToLogIn(failures), (*before, AskForChallenge())


def _failed(failures: int, failure: Failure) -> LoginStep:
    paused, effects = _pause(failures)
    return paused, (AnswerSilent(failure), *effects)


def _refused(failures: int, code: Code, detail: int) -> LoginStep:
    return _pause(failures) if code in TRY_AGAIN else (Offline(), (AnswerRefused(code, detail),))


def _pause(failures: int) -> LoginStep:
    pause_s = LOGIN_PAUSES_S[min(failures, len(LOGIN_PAUSES_S) - 1)]
    return Pausing(failures + 1), (PauseThenLogIn(pause_s),)


def _logged_in(state: Proving, login: ProofAccepted, known: Known) -> LoginStep:
    if known.card_sequence > state.card_sequence:
        # A newer card came meanwhile: the node must learn that we have it, or it tells it again and again.
        return _begin(0, known, DropTheRoute())
    online = Online(login.login_id, login.boot_id, known.now)
    announced = (AnnounceOnline(login.login_id, login.clock_offset_s), AnswerOnline())
    if login.record_number < known.record_number or known.record_pending:
        return replace(online, publishing=True), (*announced, PublishRecord())
    return online, announced


def _lost(reason: str, known: Known) -> LoginStep:
    return _begin(0, known, DropTheRoute(), AnnounceOffline(reason))


def _end_unconnected() -> LoginStep:
    return Offline(), (AnswerRefused(Code.NOT_REGISTERED, 0),)


def _beat(state: Online) -> LoginStep:
    return (state, ()) if state.beating else (replace(state, beating=True), (Beat(state.login_id),))


def _publish(state: Online) -> LoginStep:
    return (state, ()) if state.publishing else (replace(state, publishing=True), (PublishRecord(),))
