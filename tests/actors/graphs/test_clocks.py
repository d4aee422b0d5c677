"""Clocks that are wrong, that jump, or that differ: no replay fits in between, and no one is cut off for long."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, note
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.hostile import HostileWorld, RawClient, Wiretap
from usernym.actors import messages as msg
from usernym.actors.events import MessageArrived
from usernym.actors.failures import NodeRefused
from usernym.actors.node_clock import JUMP_S, STEADY_S, NodeClock
from usernym.actors.registration.node import SWEEP_S
from usernym.actors.simulation import START_UNIX_S, Simulation
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.errors import Code
from usernym.protocol.limits import ACCEPTANCE_WINDOW_S, CHALLENGE_S, DAY_S, HOUR_S, MINUTE_S, SEEN_S, UINT32_MAX
from usernym.storage.client.types import DeliveryState
from usernym.storage.database import IN_MEMORY
from usernym.storage.node.store import NodeStore
from usernym.testing.world import SimClient, World

EDGES: Final = (
    0, MINUTE_S, int(SWEEP_S), int(STEADY_S), CHALLENGE_S, ACCEPTANCE_WINDOW_S, 2 * ACCEPTANCE_WINDOW_S, SEEN_S,
    SEEN_S + int(SWEEP_S), 2 * SEEN_S, DAY_S,
)  # fmt: skip
"""Where a replay might slip through."""

YEAR_S: Final = 365 * DAY_S

moments = st.sampled_from(EDGES).flatmap(lambda edge: st.integers(max(0, edge - 1), edge + 1))


@dataclass(frozen=True)
class Pass:
    """Time passes."""

    seconds: int


@dataclass(frozen=True)
class Jump:
    """The node's system clock is put on, or back."""

    seconds: int


@dataclass(frozen=True)
class Restart:
    """`kill -9`, and again."""


@dataclass(frozen=True)
class Replay:
    """Someone sends what they saw once more."""


plans = st.lists(
    st.one_of(
        st.builds(Pass, moments), st.builds(Jump, moments), st.builds(Jump, moments.map(int.__neg__)),
        st.just(Restart()), st.just(Replay()),
    ),
    max_size=12,
)  # fmt: skip


def writers(dated: int) -> tuple[World, RawClient, m.Forward, bytes]:
    """A message that was accepted, dated so many seconds off the node's clock; its frame is for everyone to see."""
    world = World()
    alice, mallory = world.client("alice"), RawClient(world)
    mallory.register()
    mallory.log_in()
    record = mallory.ask(m.Lookup(mallory.new_id(), 2, "alice")).record
    text = p.pad_payload(p.Text(1, 1, bytes(16), None, None, "once"), first_contact=True)
    forward = mallory.forward("alice", record, text, made_at=world.sim.unix_s() + dated)
    assert isinstance(mallory.hand_in(forward), m.Accepted)
    world.settle(5)
    assert alice.texts() == ["once"]
    assert not world.node.store.mailbox.waiting("alice", 1), "acknowledged: only the memory of it is left"
    return world, mallory, forward, mallory.encode(forward)


def stored(world: World, before: int) -> int:
    """How many messages the node has taken in, over all its lives."""
    return before + world.node.counters()["forwarding"].get("forwards", 0)


@pytest.mark.seconds
@examples(80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@example(dated=ACCEPTANCE_WINDOW_S, plan=[Pass(SEEN_S + 301), Jump(-(SEEN_S + 301)), Replay()])
@example(dated=ACCEPTANCE_WINDOW_S, plan=[Pass(SEEN_S + 301), Jump(-(SEEN_S + 301)), Restart(), Replay()])
@example(dated=0, plan=[Pass(DAY_S), Restart(), Jump(-DAY_S), Replay(), Pass(DAY_S), Replay()])
@example(dated=0, plan=[Jump(DAY_S), Pass(SEEN_S), Jump(-DAY_S), Replay(), Pass(SEEN_S), Jump(-SEEN_S), Replay()])
@example(dated=0, plan=[Jump(DAY_S), Pass(int(SWEEP_S) + 1), Jump(-DAY_S), Replay()])
@example(dated=-ACCEPTANCE_WINDOW_S, plan=[Jump(-DAY_S), Restart(), Pass(STEADY_S), Jump(DAY_S), Replay()])
@given(
    dated=st.sampled_from(
        (-ACCEPTANCE_WINDOW_S, -ACCEPTANCE_WINDOW_S + 1, 0, ACCEPTANCE_WINDOW_S - 1, ACCEPTANCE_WINDOW_S)
    ),
    plan=plans,
)
def test_no_replay_fits_between_the_window_and_the_memory(dated: int, plan: list[Any]) -> None:
    world, mallory, _, frame = writers(dated)
    alice = world.clients["alice"]
    alice.kill()  # her heartbeats would be most of what a day costs
    lives = 0
    for step in [*plan, Replay()]:
        match step:
            case Pass(seconds):
                world.sim.run_for(seconds)
            case Jump(seconds):
                world.node.runtime.clock_error_s += seconds
            case Restart():
                lives = stored(world, lives)
                world.node.restart()
            case Replay():
                mallory.throw(frame, 0)
                world.settle(1)
        note(f"{step}: {world.node.counters()['forwarding']}")
        assert stored(world, lives) == 1, "taken in twice"
    alice.start()
    alice.go_online()
    world.settle(MINUTE_S)
    assert alice.texts() == ["once"]
    world.check()


TOO_LATE: Final = SEEN_S + int(SWEEP_S) - 2 * ACCEPTANCE_WINDOW_S
"""How much too old a request is, dated at the far end of the window, when the node has forgotten it."""


@pytest.mark.parametrize(
    ("back_s", "replayed"),
    [(0, False), (TOO_LATE - 5, False), (TOO_LATE + 5, True), (TOO_LATE + 2 * ACCEPTANCE_WINDOW_S - 5, True)],
)
def test_the_check_finds_a_node_that_forgets_by_the_system_clock(
    back_s: int, replayed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old behaviour, planted: the window and the memory follow whatever the system's clock says."""
    monkeypatch.setattr(NodeClock, "now", lambda self: self._runtime.unix_s())
    monkeypatch.setattr(NodeClock, "deletion_time", lambda self: self._runtime.unix_s())
    world, mallory, _, frame = writers(ACCEPTANCE_WINDOW_S)
    world.sim.run_for(SEEN_S + SWEEP_S - 5)
    world.node.runtime.clock_error_s -= back_s
    mallory.throw(frame, 0)
    world.settle(1)
    assert stored(world, 0) == (2 if replayed else 1)


@pytest.mark.parametrize("passed", [0, CHALLENGE_S - 5, CHALLENGE_S + MINUTE_S + int(SWEEP_S)])
@pytest.mark.parametrize("jump", [0, -30, -90, -CHALLENGE_S, -DAY_S])
def test_no_login_is_repeated_whatever_the_clock_does(passed: int, jump: int) -> None:
    """A clock that was put back between challenge and proof, or after it, revives no proof: no route moves twice."""
    world = World()
    tap = Wiretap(world)
    alice = world.client("alice", online=False)
    alice.begin(alice.graph.registration, msg.GoOnline)
    world.sim.run_until(lambda: bool(tap.of(alice.client_number, m.LoginAsk)))
    world.settle(0.03)
    world.node.runtime.clock_error_s += jump
    world.settle(30)
    proof = tap.of(alice.client_number, m.LoginProof)[0]
    logins = world.node.counters()["registration"].get("logins", 0)
    world.sim.run_for(passed)
    world.node.runtime.clock_error_s += jump
    thief = RawClient(world, "alice")
    for back in (0, -CHALLENGE_S, -HOUR_S):
        world.node.runtime.clock_error_s += back
        thief.throw(proof)
        world.settle(2)
    assert world.node.counters()["registration"]["logins"] == logins == 1
    world.check()


@pytest.mark.parametrize("wrong_by", [DAY_S, 30 * DAY_S, -DAY_S])
def test_a_clock_that_was_wrong_for_a_moment_keeps_no_user_out(wrong_by: int) -> None:
    """Who logged in meanwhile logs in again as soon as the clock is right: logins are ordered by a count."""
    world = World()
    alice = world.client("alice", online=False)
    world.node.runtime.clock_error_s += wrong_by
    alice.go_online()
    world.node.runtime.clock_error_s -= wrong_by
    for _ in range(2):
        alice.restart()
        alice.go_online()
    assert "told_challenge_expired" not in alice.counters()["registration"]
    world.check()


# -- the clock itself -------------------------------------------------------------------------------------------------


class Clocked:
    """A node's clock on a simulated system clock."""

    def __init__(self) -> None:
        self.sim = Simulation(0)
        self.store = NodeStore.open(IN_MEMORY, synchronous="OFF")
        self.clock = NodeClock(self.sim, self.store)

    def restart(self) -> None:
        self.clock = NodeClock(self.sim, self.store)


@examples(300)
@given(st.lists(st.one_of(st.builds(Pass, moments), st.builds(Jump, st.integers(-DAY_S, DAY_S)), st.just(Restart()))))
def test_the_clock_never_shows_less_than_what_was_deleted_by(plan: list[Any]) -> None:
    it, deleted_by = Clocked(), 0
    for step in plan:
        match step:
            case Pass(seconds):
                it.sim.run_for(seconds)
            case Jump(seconds):
                it.sim.clock_error_s += seconds
            case Restart():
                it.restart()
        assert it.clock.now() >= deleted_by
        at = it.clock.deletion_time()
        if at is not None:
            assert it.store.profile.clock_floor() == at >= deleted_by
            deleted_by = at
        assert it.clock.now() >= it.sim.unix_s()


def test_nothing_is_deleted_until_the_clock_has_run_evenly() -> None:
    it = Clocked()
    assert it.clock.deletion_time() is None
    it.sim.run_for(STEADY_S - 1)
    assert it.clock.deletion_time() is None
    it.sim.run_for(2)
    assert it.clock.deletion_time() == it.sim.unix_s()
    for jump in (int(JUMP_S) + 2, -int(JUMP_S) - 2, 365 * DAY_S):
        it.sim.clock_error_s += jump
        assert it.clock.deletion_time() is None
        it.sim.run_for(STEADY_S + 1)
        assert it.clock.deletion_time() is not None
    it.restart()
    assert it.clock.deletion_time() is None


def test_small_corrections_do_not_count() -> None:
    it = Clocked()
    it.clock.now()
    for _ in range(30):
        it.sim.run_for(60)
        it.sim.clock_error_s += 20
        it.clock.now()
    assert it.clock.deletion_time() is not None


def test_a_clock_behind_the_floor_goes_on_slowly_until_the_system_has_caught_up() -> None:
    it = Clocked()
    it.clock.now()
    it.sim.run_for(STEADY_S)
    floor = it.clock.deletion_time()
    assert floor is not None
    it.sim.clock_error_s -= HOUR_S
    assert it.clock.now() == floor
    it.sim.run_for(HOUR_S)
    assert it.clock.now() == floor + HOUR_S // 2
    it.sim.run_for(2 * HOUR_S)
    assert it.clock.now() == it.sim.unix_s()
    assert it.sim.unix_s() > START_UNIX_S


# -- what people see --------------------------------------------------------------------------------------------------


def test_a_node_that_is_wrong_for_a_moment_loses_no_message() -> None:
    """Ten years ahead at the start, put right after some minutes: the mailbox is as it was."""
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    bob.kill()
    message_id = alice.send_and_wait("bob", "for later", DeliveryState.ACCEPTED)
    for error in (3650 * DAY_S, -365 * DAY_S):
        world.node.kill()
        world.node.runtime.clock_error_s = error
        world.node.start_and_wait()
        world.sim.run_for(STEADY_S - 30)
        world.node.runtime.clock_error_s = 0
        world.sim.run_for(HOUR_S)
    bob.start()
    bob.go_online()
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 900)
    assert bob.texts() == ["hello", "for later"]
    world.check()


def test_a_node_whose_clock_went_back_for_good_serves_everybody_at_once() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    world.sim.run_for(HOUR_S)
    world.node.runtime.clock_error_s -= DAY_S
    alice.send_and_wait("bob", "a day ago")
    world.node.restart()
    world.settle(200)
    late = alice.send("bob", "after a restart")
    alice.wait_for_state(late, DeliveryState.DELIVERED, 300)
    world.client("carol").send_and_wait("bob", "new here")
    assert bob.texts() == ["hello", "a day ago", "after a restart", "new here"]
    world.check()


@pytest.mark.parametrize("error_s", [-DAY_S, -HOUR_S, -16 * 60, 14 * 60, 16 * 60, HOUR_S, DAY_S, 400 * DAY_S])
def test_a_clients_clock_may_be_wrong_from_the_start(error_s: int) -> None:
    world = World()
    bob = world.client("bob")
    alice = world.client("alice", register=False, online=False)
    alice.runtime.clock_error_s = error_s
    alice.register()
    alice.go_online()
    alice.send_and_wait("bob", "by my clock")
    bob.send_and_wait("alice", "by mine")
    arrived = bob.of_kind(MessageArrived)[0]
    assert abs(arrived.sent_at - world.sim.unix_s() - error_s) < 60, "the sender's own time is shown as it is"
    world.check()


@pytest.mark.parametrize("jump_s", [-400 * DAY_S, -DAY_S, -HOUR_S, HOUR_S, DAY_S, 20 * DAY_S])
def test_a_clients_clock_may_jump_while_it_is_online(jump_s: int) -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "before")
    world.mixnet.offline(bob.client_number)
    waiting = alice.send("bob", "planned by the old clock")
    world.settle(5)
    alice.runtime.clock_error_s += jump_s
    world.mixnet.online(bob.client_number)
    alice.send_and_wait("bob", "after")
    alice.wait_for_state(waiting, DeliveryState.DELIVERED, 900)
    assert sorted(bob.texts()) == ["after", "before", "planned by the old clock"]
    assert not any(state is DeliveryState.REFUSED for state in alice.states(waiting))
    world.check()


@pytest.mark.parametrize("wrong_by_s", [-100 * YEAR_S, -50 * YEAR_S, 70 * YEAR_S, 100 * YEAR_S])
def test_a_clients_clock_may_show_what_no_date_can_say(wrong_by_s: int) -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "before")
    alice.runtime.clock_error_s = wrong_by_s
    alice.restart()
    alice.go_online()
    alice.send_and_wait("bob", "meanwhile")
    alice.runtime.clock_error_s = 0
    alice.send_and_wait("bob", "after")
    assert bob.texts() == ["before", "meanwhile", "after"]
    alice.runtime.clock_error_s = wrong_by_s
    alice.send_and_wait("bob", "again")
    world.check()


def test_a_node_that_names_the_last_moment_of_all_once_keeps_no_text_back() -> None:
    world = HostileWorld()
    alice, _ = world.client("alice", online=False), world.client("bob")
    world.scripted.lies[m.LoginProof] = lambda request: [
        msgspec.structs.replace(answer, now=UINT32_MAX)
        for answer in world.scripted.honest(request)
        if isinstance(answer, m.LoggedIn)
    ]
    alice.go_online()
    world.scripted.lies[m.Forward] = lambda request: [
        m.Accepted(request.request_id)
        if abs(request.made_at - world.sim.unix_s()) < ACCEPTANCE_WINDOW_S
        else m.Refused(request.request_id, Code.CLOCK_SKEW, world.sim.unix_s())
    ]
    world.settle(60)
    alice.send_and_wait("bob", "now", DeliveryState.ACCEPTED)
    world.check()


def test_a_message_waiting_for_its_next_try_does_not_wait_for_a_clock_that_was_put_back() -> None:
    world = World()
    tap = Wiretap(world)
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    tap.lost = (m.Forward,)
    message_id = alice.send("bob", "soon")
    world.settle(60)
    alice.runtime.clock_error_s -= 30 * DAY_S
    tap.lost = ()
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 400)
    assert bob.texts() == ["soon"]
    world.check()


@pytest.mark.parametrize("jump_s", [-DAY_S, DAY_S])
def test_deleting_is_dated_by_the_nodes_clock(jump_s: int) -> None:
    world = World()
    alice = world.client("alice")
    alice.runtime.clock_error_s += jump_s
    held_until: int = alice.do(alice.graph.registration, msg.DeleteAccount)
    assert held_until > world.sim.unix_s()
    world.check()


def test_a_node_that_calls_every_date_wrong_ends_in_its_refusal() -> None:
    world = World()
    alice = world.client("alice")
    registration: Any = next(actor for actor in world.node.runtime.actors if actor.name == "registration")
    hours = itertools.count(1)
    registration._clock = type("Wrong", (), {"now": lambda _: START_UNIX_S + next(hours) * HOUR_S})()
    with pytest.raises(NodeRefused) as refusal:
        alice.do(alice.graph.registration, msg.DeleteAccount)
    assert refusal.value.code is Code.CLOCK_SKEW


def test_peers_whose_clocks_differ_by_a_day_read_a_conversation_in_its_order() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    bob.runtime.clock_error_s += DAY_S
    for number in range(3):
        alice.send_and_wait("bob", f"alice {number}")
        bob.send_and_wait("alice", f"bob {number}")
    expected = [text for number in range(3) for text in (f"alice {number}", f"bob {number}")]
    for client, peer in ((alice, "bob"), (bob, "alice")):
        assert conversation(client, peer) == expected
    alice.offer("bob")
    world.settle(10)
    bob.accept("alice")
    world.settle(30)
    alice.send_and_wait("bob", "directly")
    assert conversation(bob, "alice")[-1] == "directly"
    world.check()


def conversation(client: SimClient, peer: str) -> list[str]:
    return [
        row.body.decode() for row in client.store.messages.conversation(peer, 100) if row.kind == msg.PayloadKind.TEXT
    ]


@pytest.mark.parametrize("off", [-1, 0, 1])
@pytest.mark.parametrize("side", [-1, 1])
def test_the_windows_edges(side: int, off: int) -> None:
    world = World()
    world.client("alice", online=False)
    mallory = RawClient(world)
    mallory.register()
    mallory.log_in()
    record = mallory.ask(m.Lookup(mallory.new_id(), 2, "alice")).record
    text = p.pad_payload(p.Text(1, 1, bytes(16), None, None, "x"), first_contact=True)
    forwarding: Any = next(actor for actor in world.node.runtime.actors if actor.name == "forwarding")
    forwarding._clock = type("Still", (), {"now": lambda _: START_UNIX_S, "others_floor": lambda _: 0})()
    made_at = START_UNIX_S + side * (ACCEPTANCE_WINDOW_S + off)
    answer = mallory.hand_in(mallory.forward("alice", record, text, made_at=made_at))
    if off == 1:
        assert isinstance(answer, m.Refused)
        assert (Code(answer.code), answer.detail) == (Code.CLOCK_SKEW, START_UNIX_S)
    else:
        assert isinstance(answer, m.Accepted)
