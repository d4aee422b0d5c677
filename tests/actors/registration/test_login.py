"""The client's login machine: every pair of state and input, what must always hold, and what once went wrong."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

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
from usernym.actors.registration import login as lg
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.protocol.records import first_record
from usernym.protocol.signing import SigningKey

KNOWN = lg.Known(now=1000.0, publish_first=False, card_sequence=5, record_number=3, record_pending=False)
CHALLENGE = m.Challenge(bytes(8), b"n" * 16, 100, 0, bytes(16))
NEW_CLIENT = MixnetConnected(b"a" * 96, b"c" * 8)
NONCE, LOGIN, BOOT = CHALLENGE.nonce, b"l" * 16, b"b" * 8
REQUESTS = (lg.AskForChallenge, lg.ProveLogin, lg.PublishRecord, lg.Beat)
ASK = m.LoginAsk(bytes(8), 2, "alice")
RECORD = first_record(SigningKey.from_seed(b"i" * 32), bytes(32), bytes(32), "alice", b"s" * 32, 0)
PUBLISH = m.Publish(bytes(8), 2, "alice", RECORD, None)


def proof(nonce: bytes) -> m.LoginProof:
    return m.LoginProof(bytes(8), 2, "alice", nonce, 100, bytes(16), 5, 0)


def heartbeat(login_id: bytes) -> m.Heartbeat:
    return m.Heartbeat(bytes(8), 2, "alice", login_id, ())


STATES: tuple[lg.LoginState, ...] = (
    lg.Offline(),
    lg.AwaitingMixnet(),
    lg.Pausing(2),
    lg.PublishingFirst(2),
    lg.AskedToLogIn(2),
    lg.Proving(2, NONCE, 5),
    *(lg.Online(LOGIN, BOOT, 990.0, beating, publishing) for beating in (False, True) for publishing in (False, True)),
    lg.Online(LOGIN, BOOT, 990.0, since=990.0, failures=2, beat_at=999.0),
    lg.Online(LOGIN, BOOT, 990.0, since=990.0, beat_at=999.0, doubted=True),
)
INPUTS: tuple[lg.LoginInput, ...] = (
    lg.ClientStarted(),
    lg.OnlineWanted(),
    LogInAgain(),
    NEW_CLIENT,
    MixnetDisconnected("unplugged"),
    lg.ChallengeReceived(CHALLENGE),
    lg.RequestRefused(ASK, Code.BUSY, 5),
    lg.RequestRefused(ASK, Code.NOT_REGISTERED, 0),
    lg.RequestUnanswered(ASK, Failure.NO_ANSWER),
    lg.ProofAccepted(NONCE, LOGIN, BOOT, 3, 0),
    lg.ProofAccepted(b"x" * 16, b"x" * 16, BOOT, 3, 0),
    lg.RequestRefused(proof(NONCE), Code.CHALLENGE_EXPIRED, 0),
    lg.RequestRefused(proof(NONCE), Code.SIGNATURE_INVALID, 0),
    lg.RequestRefused(proof(b"x" * 16), Code.SIGNATURE_INVALID, 0),
    lg.RequestUnanswered(proof(NONCE), Failure.NO_STORAGE),
    lg.RequestUnanswered(proof(b"x" * 16), Failure.NO_ANSWER),
    lg.PublicationAccepted(),
    lg.RequestRefused(PUBLISH, Code.BUSY, 5),
    lg.RequestRefused(PUBLISH, Code.RECORD_STALE, 0),
    lg.RequestUnanswered(PUBLISH, Failure.NO_STORAGE),
    lg.RecordDue(),
    lg.HeartbeatAnswered(LOGIN, BOOT),
    lg.HeartbeatAnswered(LOGIN, b"another "),
    lg.HeartbeatAnswered(b"x" * 16, b"another "),
    lg.RequestRefused(heartbeat(LOGIN), Code.BUSY, 0),
    lg.RequestRefused(heartbeat(LOGIN), Code.NOT_LOGGED_IN, 0),
    lg.RequestRefused(heartbeat(b"x" * 16), Code.NOT_LOGGED_IN, 0),
    lg.RequestUnanswered(heartbeat(LOGIN), Failure.NO_ANSWER),
    lg.RequestUnanswered(heartbeat(b"x" * 16), Failure.NO_ANSWER),
    lg.HeartbeatNotSent(LOGIN),
    RouteDoubted(),
    NodeHeard(),
    AddressChanged(),
    Tick(),
    lg.RouteTaken(LOGIN),
    lg.RouteTaken(b"x" * 16),
    lg.NodeMoved(),
    lg.AccountRemoved(),
)
KNOWNS = (
    KNOWN,
    replace(KNOWN, publish_first=True, record_pending=True),
    replace(KNOWN, card_sequence=6),
    replace(KNOWN, record_number=4),
    replace(KNOWN, now=1000.0 + lg.HEARTBEAT_S),
    replace(KNOWN, begun=(970.0, 980.0, 990.0)),
)


def every_step() -> Iterator[tuple[lg.LoginState, lg.LoginInput, lg.Known, lg.LoginState, tuple[lg.LoginEffect, ...]]]:
    """Every state with every input, in every situation."""
    for state in STATES:
        for event in INPUTS:
            for known in KNOWNS:
                yield state, event, known, *lg.step(state, event, known)


def _none(effects: tuple[lg.LoginEffect, ...], kind: type[Any]) -> bool:
    return not any(isinstance(effect, kind) for effect in effects)


# -- every pair --


def test_the_lists_here_are_complete() -> None:
    assert {type(state) for state in STATES} == set(get_args(lg.LoginState))
    assert {type(event) for event in INPUTS} == set(get_args(lg.LoginInput))


def test_every_pair_has_an_outcome_and_every_effect_an_occasion() -> None:
    seen = set()
    for _, _, _, after, effects in every_step():
        assert isinstance(after, get_args(lg.LoginState))
        assert all(isinstance(effect, get_args(lg.LoginEffect)) for effect in effects)
        seen |= {type(effect) for effect in effects}
    assert seen == set(get_args(lg.LoginEffect))


def test_a_step_sends_one_request_at_most_and_the_state_says_which() -> None:
    of_state = {lg.AskedToLogIn: lg.AskForChallenge, lg.Proving: lg.ProveLogin, lg.PublishingFirst: lg.PublishRecord}
    for before, _, _, after, effects in every_step():
        sent = [type(effect) for effect in effects if isinstance(effect, REQUESTS)]
        assert len(sent) <= 1
        if type(before) is not type(after) and type(after) in of_state:
            assert sent == [of_state[type(after)]]


def test_there_is_a_route_exactly_while_the_state_is_online() -> None:
    for before, event, _, after, effects in every_step():
        was, is_now = isinstance(before, lg.Online), isinstance(after, lg.Online)
        assert (was and not is_now) or _none(effects, lg.AnnounceOffline)
        assert (is_now and not was) or _none(effects, lg.AnnounceOnline)
        if was and not is_now:
            assert not _none(effects, lg.DropTheRoute)
            assert not _none(effects, lg.AnnounceOffline)
        if isinstance(event, lg.ProofAccepted) and not is_now:
            assert not _none(effects, lg.DropTheRoute), "mixnet I/O has opened that route"


def test_only_the_user_ends_being_offline() -> None:
    for before, event, _, after, effects in every_step():
        if isinstance(before, lg.Offline) and not isinstance(event, lg.OnlineWanted):
            assert after == before
            assert all(isinstance(effect, lg.DropTheRoute) for effect in effects)


def test_who_waits_is_answered_whenever_waiting_can_end() -> None:
    answers = (lg.AnswerOnline, lg.AnswerRefused, lg.AnswerSilent)
    for before, event, _, after, effects in every_step():
        if isinstance(after, lg.Online) and (not isinstance(before, lg.Online) or isinstance(event, lg.OnlineWanted)):
            assert not _none(effects, lg.AnswerOnline)
        if isinstance(after, lg.Offline) and not isinstance(before, lg.Offline | lg.Online):
            assert not _none(effects, lg.AnswerRefused)
        assert sum(isinstance(effect, answers) for effect in effects) <= 1


def test_a_pause_is_always_set_where_one_is_waited_for() -> None:
    for before, _, _, after, effects in every_step():
        if isinstance(after, lg.Pausing) and after != before:
            assert isinstance(effects[-1], lg.PauseThenLogIn)


def test_pauses_grow_to_the_longest_and_begin_anew_after_a_login() -> None:
    state: lg.LoginState = lg.AskedToLogIn(0)
    pauses = []
    for _ in range(len(lg.LOGIN_PAUSES_S) + 2):
        state, effects = lg.step(state, lg.RequestUnanswered(ASK, Failure.NO_ANSWER), KNOWN)
        assert effects[0] == lg.AnswerSilent(Failure.NO_ANSWER)
        pauses += [effect.pause_s for effect in effects if isinstance(effect, lg.PauseThenLogIn)]
        state, _ = lg.step(state, LogInAgain(), KNOWN)
    assert tuple(pauses) == (*lg.LOGIN_PAUSES_S, *2 * lg.LOGIN_PAUSES_S[-1:])
    state, _ = lg.step(state, lg.ChallengeReceived(CHALLENGE), KNOWN)
    state, _ = lg.step(state, lg.ProofAccepted(NONCE, LOGIN, BOOT, 3, 0), KNOWN)
    worked = replace(KNOWN, now=KNOWN.now + lg.WORKING_S)
    assert lg.step(state, NO_ANSWER, worked)[0] == lg.AskedToLogIn(0), "at once, after a route that worked"
    state, effects = lg.step(state, NO_ANSWER, replace(worked, now=worked.now - 0.1))
    assert effects[-1] == lg.PauseThenLogIn(lg.LOGIN_PAUSES_S[-1]), "a login alone is no success"


NO_ANSWER = lg.RequestUnanswered(heartbeat(LOGIN), Failure.NO_ANSWER)


def test_a_heartbeat_waits_for_a_while_after_the_last_and_is_not_forgotten() -> None:
    online = lg.Online(LOGIN, BOOT, 990.0, beat_at=999.0)
    doubted, effects = lg.step(online, RouteDoubted(), KNOWN)
    assert (doubted, effects) == (replace(online, doubted=True), (lg.LookAgain(1.0),))
    assert lg.step(doubted, RouteDoubted(), KNOWN) == (doubted, ()), "once"
    assert lg.step(doubted, Tick(), KNOWN) == (doubted, ())
    later = replace(KNOWN, now=1001.0)
    state, effects = lg.step(doubted, Tick(), later)
    assert (state, effects) == (replace(online, beating=True, beat_at=1001.0), (lg.Beat(LOGIN),))


# -- what once went wrong --


def test_a_heartbeat_of_an_earlier_login_says_nothing_about_the_route_there_is() -> None:
    online = lg.Online(LOGIN, BOOT, 990.0, beating=True)
    for event in (
        lg.HeartbeatAnswered(b"x" * 16, b"another "),
        lg.RequestRefused(heartbeat(b"x" * 16), Code.NOT_LOGGED_IN, 0),
        lg.RequestUnanswered(heartbeat(b"x" * 16), Failure.NO_ANSWER),
        lg.HeartbeatNotSent(b"x" * 16),
    ):
        assert lg.step(online, event, KNOWN) == (online, ())


def test_a_login_whose_place_on_disk_finds_no_room_is_made_again() -> None:
    state, effects = lg.step(lg.Proving(0, NONCE, 5), lg.RequestUnanswered(proof(NONCE), Failure.NO_STORAGE), KNOWN)
    assert state == lg.Pausing(1)
    assert effects == (lg.DropTheRoute(), lg.AnswerSilent(Failure.NO_STORAGE), lg.PauseThenLogIn(2.0))
    assert lg.step(state, LogInAgain(), KNOWN) == (lg.AskedToLogIn(1), (lg.AskForChallenge(),))


def test_a_heartbeat_that_could_not_be_made_or_noted_is_not_the_last() -> None:
    beating = lg.Online(LOGIN, BOOT, 990.0, beating=True, beat_at=990.0)
    busy = lg.RequestRefused(heartbeat(LOGIN), Code.BUSY, 0)
    for event in (lg.HeartbeatNotSent(LOGIN), lg.HeartbeatAnswered(LOGIN, BOOT), busy):
        state, effects = lg.step(beating, event, KNOWN)
        assert (state, effects) == (replace(beating, beating=False), ())
        again = (replace(beating, beat_at=KNOWN.now), (lg.Beat(LOGIN),))
        assert lg.step(state, RouteDoubted(), KNOWN) == again


def test_a_first_publication_that_could_not_be_noted_is_made_again() -> None:
    known = replace(KNOWN, publish_first=True)
    state, _ = lg.step(lg.PublishingFirst(0), lg.RequestUnanswered(PUBLISH, Failure.NO_STORAGE), known)
    assert state == lg.Pausing(1)
    assert lg.step(state, LogInAgain(), known) == (lg.PublishingFirst(1), (lg.PublishRecord(),))


def test_receipts_that_come_during_a_heartbeat_are_confirmed_by_the_next_one() -> None:
    """The actor doubts the route again when the answer is noted: word of it during the heartbeat is not lost."""
    beating = lg.Online(LOGIN, BOOT, 990.0, beating=True, beat_at=990.0)
    assert lg.step(beating, RouteDoubted(), KNOWN) == (beating, ())
    rested, _ = lg.step(beating, lg.HeartbeatAnswered(LOGIN, BOOT), KNOWN)
    assert lg.step(rested, RouteDoubted(), KNOWN) == (replace(beating, beat_at=KNOWN.now), (lg.Beat(LOGIN),))


def test_a_proof_is_not_repeated_by_another_mixnet_client() -> None:
    """docs/protocol.md, "Registration and login": the repeated proof would leave the route at the old tag."""
    state, effects = lg.step(lg.Proving(1, NONCE, 5), NEW_CLIENT, KNOWN)
    assert (state, effects) == (lg.AskedToLogIn(1), (lg.AskForChallenge(),))
    other = m.Challenge(bytes(8), b"o" * 16, 100, 0, bytes(16))
    state, _ = lg.step(state, lg.ChallengeReceived(other), KNOWN)
    assert lg.step(state, lg.ProofAccepted(NONCE, LOGIN, BOOT, 3, 0), KNOWN) == (state, (lg.DropTheRoute(),))
    assert lg.step(state, lg.RequestUnanswered(proof(NONCE), Failure.NO_ANSWER), KNOWN) == (state, ())


@pytest.mark.parametrize("state", [state for state in STATES if isinstance(state, lg.Online)])
def test_who_was_displaced_does_not_come_back_by_itself(state: lg.LoginState) -> None:
    state, effects = lg.step(state, lg.RouteTaken(LOGIN), KNOWN)
    assert state == lg.Offline()
    assert effects == (lg.DropTheRoute(), lg.AnnounceOffline("another login took the route"))


@pytest.mark.parametrize("state", STATES)
def test_after_a_bug_nothing_waits_for_what_may_be_lost(state: lg.LoginState) -> None:
    after, effects = lg.step(state, lg.ClientStarted(), KNOWN)
    match state:
        case lg.Offline():
            assert (after, effects) == (state, (lg.DropTheRoute(),))
        case lg.Online():
            assert (after, effects) == (replace(state, beating=False, publishing=False), ())
        case _:
            assert isinstance(after, lg.AskedToLogIn)
            assert effects == (lg.DropTheRoute(), lg.AskForChallenge())


# -- what must always hold --


class Life(RuleBasedStateMachine):
    """A client's life: the machine, with what its effects have set going. Answers come in any order, or not."""

    def __init__(self) -> None:
        super().__init__()
        self.state: lg.LoginState = lg.Offline()
        self.known = replace(KNOWN, now=0.0)
        self.asks = self.publications = self.pauses = self.numbers = self.waiting = 0
        self.proofs: list[bytes] = []
        self.heartbeats: list[bytes] = []
        self.route: bytes | None = b"of the process before"
        self.wanted = False
        self.take(lg.ClientStarted())

    def take(self, event: lg.LoginInput) -> None:
        self.state, effects = lg.step(self.state, event, self.known)
        if lg.begins(self.state, effects):
            assert self.known.pause_s == 0
            begun = (*self.known.begun, self.known.now)[-lg.LOGINS_MAX :]
            self.known = replace(self.known, begun=begun)
        for effect in effects:
            match effect:
                case lg.AskForChallenge():
                    self.asks += 1
                case lg.ProveLogin(challenge):
                    self.proofs.append(challenge.nonce)
                case lg.PublishRecord():
                    self.publications += 1
                case lg.Beat(login_id):
                    self.heartbeats.append(login_id)
                case lg.PauseThenLogIn():
                    self.pauses += 1
                case lg.DropTheRoute():
                    self.route = None
                case lg.AnswerOnline() | lg.AnswerRefused() | lg.AnswerSilent():
                    self.waiting = 0
                case lg.AnnounceOnline(login_id):
                    assert self.route == login_id

    def fresh(self) -> bytes:
        self.numbers += 1
        return self.numbers.to_bytes(16, "big")

    @rule()
    def want_online(self) -> None:
        self.wanted = True
        self.waiting += 1
        self.take(lg.OnlineWanted())

    @rule(seconds=st.sampled_from((1.0, 15.0, 60.0)))
    def pass_time(self, seconds: float) -> None:
        self.known = replace(self.known, now=self.known.now + seconds)
        self.take(Tick())

    @rule(event=st.sampled_from((NEW_CLIENT, MixnetDisconnected("gone"), NodeHeard(), RouteDoubted())))
    def something_happens(self, event: lg.LoginInput) -> None:
        self.take(event)

    @rule()
    def a_record_is_due(self) -> None:
        self.known = replace(self.known, record_pending=True)
        self.take(lg.RecordDue())

    @rule()
    def the_identity_was_replaced(self) -> None:
        self.known = replace(self.known, publish_first=True, record_pending=True)

    @rule()
    def the_node_moves(self) -> None:
        self.known = replace(self.known, card_sequence=self.known.card_sequence + 1)
        self.take(lg.NodeMoved())

    @precondition(lambda self: self.pauses)
    @rule()
    def a_pause_ends(self) -> None:
        self.pauses -= 1
        self.take(LogInAgain())

    @precondition(lambda self: self.asks)
    @rule(outcome=st.sampled_from(("answer", "busy", "no", "silence")))
    def an_ask_ends(self, outcome: str) -> None:
        self.asks -= 1
        match outcome:
            case "answer":
                self.take(lg.ChallengeReceived(m.Challenge(bytes(8), self.fresh(), 100, 0, bytes(16))))
            case "busy":
                self.take(lg.RequestRefused(ASK, Code.BUSY, 5))
            case "no":
                self.wanted = self.wanted and not isinstance(self.state, lg.AskedToLogIn)
                self.take(lg.RequestRefused(ASK, Code.NOT_REGISTERED, 0))
            case _:
                self.take(lg.RequestUnanswered(ASK, Failure.NO_ANSWER))

    @precondition(lambda self: self.proofs)
    @rule(outcome=st.sampled_from(("answer", "answer", "expired", "silence", "no room")), oldest=st.booleans())
    def a_proof_ends(self, outcome: str, oldest: bool) -> None:
        nonce = self.proofs.pop(0 if oldest else -1)
        match outcome:
            case "answer" | "no room":
                self.route = self.fresh()
                stored = isinstance(self.state, lg.Proving) and self.state.nonce == nonce
                if outcome == "no room" and stored:
                    self.take(lg.RequestUnanswered(proof(nonce), Failure.NO_STORAGE))
                else:
                    self.take(lg.ProofAccepted(nonce, self.route, BOOT, 3, 0))
            case "expired":
                self.take(lg.RequestRefused(proof(nonce), Code.CHALLENGE_EXPIRED, 0))
            case _:
                self.take(lg.RequestUnanswered(proof(nonce), Failure.NO_ANSWER))

    @precondition(lambda self: self.publications)
    @rule(outcome=st.sampled_from(("answer", "busy", "no room")))
    def a_publication_ends(self, outcome: str) -> None:
        self.publications -= 1
        match outcome:
            case "answer":
                self.known = replace(self.known, publish_first=False, record_pending=False)
                self.take(lg.PublicationAccepted())
            case "busy":
                self.take(lg.RequestRefused(PUBLISH, Code.BUSY, 5))
            case _:
                self.take(lg.RequestUnanswered(PUBLISH, Failure.NO_STORAGE))

    @precondition(lambda self: self.heartbeats)
    @rule(outcome=st.sampled_from(("answer", "new boot", "busy", "no", "silence", "not sent")))
    def a_heartbeat_ends(self, outcome: str) -> None:
        login_id = self.heartbeats.pop(0)
        match outcome:
            case "answer":
                self.take(lg.HeartbeatAnswered(login_id, BOOT))
            case "new boot":
                self.take(lg.HeartbeatAnswered(login_id, b"another "))
            case "busy":
                self.take(lg.RequestRefused(heartbeat(login_id), Code.BUSY, 0))
            case "no":
                self.take(lg.RequestRefused(heartbeat(login_id), Code.NOT_LOGGED_IN, 0))
            case "silence":
                self.take(lg.RequestUnanswered(heartbeat(login_id), Failure.NO_ANSWER))
            case _:
                self.take(lg.HeartbeatNotSent(login_id))

    @rule()
    def another_login_takes_the_route(self) -> None:
        if isinstance(self.state, lg.Online):
            self.wanted = False
            self.take(lg.RouteTaken(self.state.login_id))

    @rule()
    def the_account_is_deleted(self) -> None:
        self.wanted = False
        self.take(lg.AccountRemoved())

    @invariant()
    def who_waits_will_be_answered(self) -> None:
        assert not self.waiting or not isinstance(self.state, lg.Offline | lg.Online)

    @invariant()
    def what_is_not_wanted_is_not_begun(self) -> None:
        assert self.wanted or isinstance(self.state, lg.Offline)

    @invariant()
    def the_route_is_that_of_the_state(self) -> None:
        assert self.route == (self.state.login_id if isinstance(self.state, lg.Online) else None)

    @invariant()
    def what_is_waited_for_is_under_way(self) -> None:
        match self.state:
            case lg.Pausing():
                assert self.pauses
            case lg.PublishingFirst():
                assert self.publications
            case lg.AskedToLogIn():
                assert self.asks
            case lg.Proving(nonce=nonce):
                assert nonce in self.proofs
            case lg.Online(login_id, beating=beating, publishing=publishing):
                assert self.heartbeats.count(login_id) == beating, "one heartbeat at most, and one that ends"
                assert self.publications or not publishing


TestLife = Life.TestCase
