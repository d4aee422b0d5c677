"""The login machine against a node that lies in every answer: it sets no pace."""

import heapq
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.actors.registration.test_login import ASK, BOOT, KNOWN, heartbeat, proof
from tests.helpers.examples import examples
from usernym.actors.failures import Failure
from usernym.actors.messages import LogInAgain, RouteDoubted, Tick
from usernym.actors.registration import login as lg
from usernym.protocol import messages as m
from usernym.protocol.errors import Code


class HostileNode:
    """What the machine sets going, answered by a node that lies as `lie` says; timers hold."""

    def __init__(self, lie: Callable[[list[str]], str]) -> None:
        self.lie = lie
        self.now = 0.0
        self.state: lg.LoginState = lg.Offline()
        self.begun: list[float] = []
        self.beats: list[float] = []
        self.numbers = 0
        self.due: list[tuple[float, int, lg.LoginInput]] = []

    def later(self, after_s: float, event: lg.LoginInput) -> None:
        self.numbers += 1
        heapq.heappush(self.due, (self.now + after_s, self.numbers, event))

    def take(self, event: lg.LoginInput) -> None:
        known = replace(KNOWN, now=self.now, begun=tuple(self.begun[-lg.LOGINS_MAX :]))
        self.state, effects = lg.step(self.state, event, known)
        if lg.begins(self.state, effects):
            self.begun.append(self.now)
        for effect in effects:
            match effect:
                case lg.AskForChallenge():
                    self.answer_ask()
                case lg.ProveLogin(challenge):
                    self.answer_proof(challenge.nonce)
                case lg.Beat(login_id):
                    self.beats.append(self.now)
                    self.answer_beat(login_id)
                case lg.PauseThenLogIn(pause_s):
                    self.later(0.75 * pause_s, LogInAgain())
                case lg.LookAgain(after_s):
                    self.later(after_s, Tick())

    def answer_ask(self) -> None:
        self.numbers += 1
        challenge = m.Challenge(bytes(8), self.numbers.to_bytes(16, "big"), 100, 0, bytes(16))
        said: dict[str, lg.LoginInput] = {
            "busy": lg.RequestRefused(ASK, Code.BUSY, 0),
            "silent": lg.RequestUnanswered(ASK, Failure.NO_ANSWER),
        }
        self.later(0.3, said.get(self.lie(["yes", "yes", "busy", "silent"]), lg.ChallengeReceived(challenge)))

    def answer_proof(self, nonce: bytes) -> None:
        said = {"expired": lg.RequestRefused(proof(nonce), Code.CHALLENGE_EXPIRED, 0)}
        accepted = lg.ProofAccepted(nonce, nonce, BOOT, 3, 0)
        self.later(0.3, said.get(self.lie(["yes", "yes", "yes", "expired"]), accepted))
        for after_s in range(1, 60):
            self.later(after_s / 2, RouteDoubted())  # notices without end

    def answer_beat(self, login_id: bytes) -> None:
        answers: dict[str, lg.LoginInput] = {
            "new boot": lg.HeartbeatAnswered(login_id, b"another "),
            "unknown": lg.RequestRefused(heartbeat(login_id), Code.NOT_LOGGED_IN, 0),
            "busy": lg.RequestRefused(heartbeat(login_id), Code.BUSY, 0),
            "silent": lg.RequestUnanswered(heartbeat(login_id), Failure.NO_ANSWER),
        }
        said = self.lie(["unknown", "unknown", "new boot", "busy", "silent", "yes"])
        self.later(0.3, answers.get(said, lg.HeartbeatAnswered(login_id, BOOT)))
        self.later(0.3, RouteDoubted())

    def run(self, seconds: float) -> None:
        self.take(lg.OnlineWanted())
        for tick in range(15, int(seconds), 15):
            self.later(tick, Tick())
        while self.due and self.due[0][0] <= seconds:
            self.now, _, event = heapq.heappop(self.due)
            self.take(event)


def most_within_a_minute(times: list[float]) -> int:
    return max((sum(at <= each < at + 60 for each in times) for at in times), default=0)


@examples(50)
@given(data=st.data())
def test_a_node_that_lies_in_every_answer_sets_no_pace(data: st.DataObject) -> None:
    node = HostileNode(lambda lies: data.draw(st.sampled_from(lies)))
    node.run(900)
    assert most_within_a_minute(node.begun) <= lg.LOGINS_MAX
    assert most_within_a_minute(node.beats) <= 60 / lg.BEATS_APART_S + lg.LOGINS_MAX


def test_a_node_that_ends_each_route_at_its_first_heartbeat_is_asked_less_and_less() -> None:
    node = HostileNode(lambda lies: lies[0])
    node.run(3600)
    assert len(node.begun) <= 24, "one in three minutes"
    assert node.begun[-1] - node.begun[-2] >= 0.75 * 300


def test_a_node_that_answers_well_and_invents_notices_without_end_sets_no_pace() -> None:
    node = HostileNode(lambda _: "yes")
    node.run(600)
    assert len(node.begun) == 1
    assert 30 < len(node.beats) <= 600 / lg.BEATS_APART_S
