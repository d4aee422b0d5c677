"""Whole graphs under whatever Hypothesis thinks of: two clients and a node on a lossy mixnet, against a small model.

A run is made by its plan alone: a seed, a tape of the scheduler's choices, and a list of steps. A failure shows the
plan; `play(Plan(...))` brings the same run back, which `test_a_plan_is_a_run` holds to.
"""

from __future__ import annotations

import os
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from usernym.actors import messages as msg
from usernym.actors.events import DeliveryChanged, IdentityChanged, MessageArrived, NodeCaught
from usernym.actors.failures import HandshakeNotPossible, NodeSilent
from usernym.mixnet.emulator.state import Faults
from usernym.storage.client.types import DeliveryState, Direction, Fallback, HandshakeState
from usernym.testing.world import SimClient, World

SEARCH = int(os.environ.get("USERNYM_STATEFUL_EXAMPLES", "0"))
"""How many plans a search for new ones tries. Without it, the same plans are tried each time, for half a minute."""

NAMES = ("alice", "bob")
WEATHER = (
    Faults(),
    Faults(loss=0.1, duplication=0.1),
    Faults(silent_loss=0.1, hop_delay_s=0.5),
    Faults(loss=0.3, silent_loss=0.1, duplication=0.3, hop_delay_s=3.0),
    Faults(silent_loss=1.0),
)
PAUSES_S = (0.1, 1.0, 5.0, 20.0, 60.0, 600.0, 4 * 3600.0, 25 * 3600.0)
TEXT_BYTES = (1, 150, 3000)
END_S = 4 * 3600.0
"""What is under way when everything works again must have arrived by then: the longest pause between tries, twice."""
HANDSHAKES = {
    msg.PayloadKind.HANDSHAKE_OFFER,
    msg.PayloadKind.HANDSHAKE_ACCEPT,
    msg.PayloadKind.HANDSHAKE_REVOKE,
}
FINAL_PAIRS = {
    (HandshakeState.NONE, HandshakeState.NONE),
    (HandshakeState.OFFERED, HandshakeState.OFFER_RECEIVED),
    (HandshakeState.ACTIVE, HandshakeState.ACTIVE),
    (HandshakeState.ENDED_BY_ME, HandshakeState.NONE),
    (HandshakeState.ENDED_BY_ME, HandshakeState.ENDED_BY_PEER),
    (HandshakeState.ENDED_BY_ME, HandshakeState.ENDED_BY_ME),
}
"""Where two people may stand when all has arrived, in either order."""


@dataclass(frozen=True)
class Step:
    """One thing that happens: its kind, to whom (an index of `NAMES`; the node may be meant, too), and a number."""

    kind: str
    who: int = 0
    number: int = 0


@dataclass(frozen=True)
class Plan:
    """Everything that makes a run."""

    seed: int
    tape: tuple[int, ...]
    steps: tuple[Step, ...]


_who, _anybody = st.integers(0, 1), st.integers(0, 2)
_steps = st.one_of(
    st.builds(Step, st.just("send"), _who, st.integers(0, len(TEXT_BYTES) - 1)),
    st.builds(Step, st.just("send"), _who, st.just(0)),
    st.builds(Step, st.sampled_from(("offer", "accept", "revoke")), _who),
    st.builds(Step, st.sampled_from(("look_up", "direct_only")), _who),
    st.builds(Step, st.sampled_from(("cut_off", "connect")), _anybody),
    st.builds(Step, st.sampled_from(("restart", "kill_mixnet", "restart_mixnet")), _anybody),
    st.builds(Step, st.just("rotate_keys")),
    st.builds(Step, st.just("weather"), st.just(0), st.integers(0, len(WEATHER) - 1)),
    st.builds(Step, st.just("pause"), st.just(0), st.integers(0, len(PAUSES_S) - 1)),
    st.builds(Step, st.just("pause"), st.just(0), st.integers(0, 4)),
    st.builds(Step, st.just("turns"), st.just(0), st.integers(1, 60)),
)
plans = st.builds(
    Plan,
    st.integers(0, 2**16),
    st.lists(st.integers(0, 7), max_size=200).map(tuple),
    st.lists(_steps, min_size=1, max_size=25).map(tuple),
)


@dataclass
class Model:
    """What must be true of what people have been shown."""

    texts: dict[bytes, tuple[str, str, str]] = field(default_factory=dict)
    """Message id → sender, recipient, text: what was accepted, and so must arrive."""
    asked: list[tuple[str, str, str, Future[bytes]]] = field(default_factory=list)
    """What has been neither accepted nor refused yet."""
    consented: set[str] = field(default_factory=set)
    """Who has agreed to reveal an address."""


class Run:
    """A world that follows a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.world = World(plan.seed, plan.tape)
        self.people = [self.world.client(name) for name in NAMES]
        self.model = Model()
        self.trace: list[tuple[float, int]] = []

    def play(self) -> None:
        for step in self.plan.steps:
            getattr(self, f"_{step.kind}")(step)
            self.check_what_was_shown()
            self.trace.append((self.world.sim.now(), self.world.sim.steps))
        self._end()

    # -- the steps --

    def _other(self, person: SimClient) -> SimClient:
        return self.people[1 - self.people.index(person)]

    def _send(self, step: Step) -> None:
        person = self.people[step.who]
        recipient = self._other(person).name
        text = f"{len(self.model.texts) + len(self.model.asked)} ".ljust(TEXT_BYTES[step.number], "x")
        answer: Future[bytes] = person.begin(person.graph.forwarding, lambda to: msg.SendText(recipient, text, to))
        self.model.asked.append((person.name, recipient, text, answer))
        self._turns(Step("turns", 0, 2))

    def _look_up(self, step: Step) -> None:
        person = self.people[step.who]
        _: Future[None] = person.begin(person.graph.lookup, lambda to: msg.FindContact(self._other(person).name, to))

    def _offer(self, step: Step) -> None:
        self._handshake(step, msg.OfferHandshake)

    def _accept(self, step: Step) -> None:
        self._handshake(step, msg.AcceptHandshake)

    def _revoke(self, step: Step) -> None:
        self._handshake(step, msg.RevokeHandshake)

    def _handshake(self, step: Step, command: Any) -> None:
        person = self.people[step.who]
        other = self._other(person)
        answer: Future[None] = person.begin(person.graph.handshake, lambda to: command(other.name, to))
        self.world.sim.run_until(answer.done, 60)
        if isinstance(answer.exception(), HandshakeNotPossible):
            return
        answer.result()
        if command is not msg.RevokeHandshake:
            self.model.consented.add(person.name)

    def _cut_off(self, step: Step) -> None:
        self.world.mixnet.offline(self._client_number(step.who))

    def _connect(self, step: Step) -> None:
        self.world.mixnet.online(self._client_number(step.who))

    def _direct_only(self, step: Step) -> None:
        person = self.people[step.who]
        person.store.contacts.set_fallback(self._other(person).name, Fallback.DIRECT_ONLY)

    def _restart(self, step: Step) -> None:
        if step.who == 2:
            self.world.node.restart()
            return
        person = self.people[step.who]
        self._note_answers()
        self.model.asked = [asked for asked in self.model.asked if asked[0] != person.name]
        person.restart()
        person.begin(person.graph.registration, msg.GoOnline)

    def _kill_mixnet(self, step: Step) -> None:
        self.world.mixnet.kill(self._client_number(step.who))

    def _restart_mixnet(self, step: Step) -> None:
        self.world.mixnet.restart(self._client_number(step.who))

    def _client_number(self, who: int) -> int:
        return self.world.node.client_number if who == 2 else self.people[who].client_number

    def _rotate_keys(self, step: Step) -> None:
        self.world.mixnet.rotate_keys()

    def _weather(self, step: Step) -> None:
        self.world.mixnet.faults = WEATHER[step.number]

    def _pause(self, step: Step) -> None:
        self.world.sim.run_for(PAUSES_S[step.number])

    def _turns(self, step: Step) -> None:
        for _ in range(step.number):
            self.world.sim.step()

    # -- the end: everything works again --

    def _end(self) -> None:
        self.world.mixnet.faults = Faults()
        self.world.mixnet.online(self.world.node.client_number)
        for person in self.people:
            person.store.contacts.set_fallback(self._other(person).name, Fallback.NODE)
            self.world.mixnet.online(person.client_number)
            person.begin(person.graph.registration, msg.GoOnline)
        self.world.sim.run_until(self._all_answered, 600)
        self._note_answers()
        self.world.sim.run_until(self._all_delivered, END_S)
        self.world.sim.run_for(60)
        self.check_what_was_shown()
        self._check_the_end()
        self.world.check()

    def _all_answered(self) -> bool:
        return all(answer.done() for *_, answer in self.model.asked)

    def _all_delivered(self) -> bool:
        return all(
            row.state is DeliveryState.DELIVERED
            for person in self.people
            for row in person.store.messages.conversation(self._other(person).name, 1000)
            if row.direction is Direction.OUT
        )

    def _note_answers(self) -> None:
        waiting = []
        for sender, recipient, text, answer in self.model.asked:
            if not answer.done():
                waiting.append((sender, recipient, text, answer))
            elif answer.exception() is None:
                self.model.texts[answer.result()] = (sender, recipient, text)
            else:
                assert isinstance(answer.exception(), NodeSilent), answer.exception()
        self.model.asked = waiting

    # -- what must be true --

    def check_what_was_shown(self) -> None:
        """At any time: only what was sent, once, to the right person; no state goes back; nothing is claimed early."""
        self._note_answers()
        assert not self.world.failures, self.world.failures
        for person in self.people:
            arrived = person.of_kind(MessageArrived)
            assert len({event.message_id for event in arrived}) == len(arrived), "shown twice"
            for event in arrived:
                assert self.model.texts[event.message_id] == (event.sender, person.name, event.text)
            assert not person.of_kind(NodeCaught)
            assert not person.of_kind(IdentityChanged)
            self._check_states(person)
            revealed = self.world.clients[NAMES[1 - self.people.index(person)]].store.contacts.get(person.name)
            if person.name not in self.model.consented:
                assert revealed is None or revealed.peer_address is None, "an address without consent"

    def _check_states(self, person: SimClient) -> None:
        ranks: dict[bytes, int] = {}
        for change in person.of_kind(DeliveryChanged):
            rank = (DeliveryState.WAITING, DeliveryState.ACCEPTED, DeliveryState.DELIVERED).index(change.state)
            assert rank > ranks.get(change.message_id, -1), "a state went back"
            ranks[change.message_id] = rank
            if change.state is DeliveryState.DELIVERED:
                other = self.world.clients[change.recipient]
                assert other.store.messages.get(person.name, change.message_id, Direction.IN) is not None

    def _check_the_end(self) -> None:
        for person in self.people:
            other = self._other(person).name
            expected = sorted(text for sender, _, text in self.model.texts.values() if sender == other)
            assert sorted(person.texts()) == expected
            contact = person.store.contacts.get(other)
            if contact is not None:
                highest = contact.highest_in_counter
                assert person.store.messages.received_below(other, highest + 1) == highest, "a gap stayed"
        pair = tuple(self._direct(person) for person in self.people)
        assert pair in FINAL_PAIRS or pair[::-1] in FINAL_PAIRS, pair

    def _direct(self, person: SimClient) -> HandshakeState:
        contact = person.store.contacts.get(self._other(person).name)
        return HandshakeState.NONE if contact is None else contact.handshake


def play(plan: Plan) -> Run:
    """The run that the plan makes. Raises what it finds."""
    run = Run(plan)
    run.play()
    return run


@settings(
    max_examples=SEARCH or 240,
    derandomize=not SEARCH,
    deadline=None,
    report_multiple_bugs=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(plans)
def test_people_see_what_was_written_to_them_once_and_nothing_else(plan: Plan) -> None:
    note(f"to bring it back: play({plan!r})")
    play(plan)


@settings(max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(plans)
def test_a_plan_is_a_run(plan: Plan) -> None:
    first, second = play(plan), play(plan)
    assert first.trace == second.trace
    assert first.world.sim.now() == second.world.sim.now()
