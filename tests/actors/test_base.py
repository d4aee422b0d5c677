"""What every actor stands on: contained failures, the simulation's repeatability, the account of SURBs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usernym.actors.base import FAILURE_AGAIN_S, RESTARTS_MAX, RESTARTS_WINDOW_S, Actor, Inquire, PrivateValue, Ref
from usernym.actors.failures import Failure
from usernym.actors.graphs import Graph
from usernym.actors.runtime import Runtime, ThreadRuntime
from usernym.actors.simulation import STEPS_A_SECOND_MAX, Simulation, SimulationStuck
from usernym.actors.surbs import STOCK_MAX, CounterWindow, SurbStock, surbs_that_fit
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import SURB_S
from usernym.protocol.packets import SURB_BYTES, anonymous_packets
from usernym.storage.errors import StoreBusy, StoreFull
from usernym.timers import ThreadTimers

if TYPE_CHECKING:
    from usernym.mixnet.transport import Transport


class Note(PrivateValue, frozen=True):
    """Write this down."""

    text: str


class Fail(PrivateValue, frozen=True):
    """Fail like this."""

    error: Exception


class Letter(PrivateValue, frozen=True):
    """What must not get into a log, beside what may."""

    sender: str
    text: str
    tag: bytes
    answer: Future[str]
    failure: Failure
    attempts: int = 0
    code: Code | None = None


def test_a_message_shows_numbers_and_states_and_nothing_else() -> None:
    answer: Future[str] = Future()
    answer.set_result("secret")
    letter = Letter("alice", "secret", b"secret", answer, Failure.NO_ANSWER, 3, Code.BUSY)
    shown = "Letter(failure=<Failure.NO_ANSWER: 'no answer from the node'>, attempts=3, code=<Code.BUSY: "
    assert repr(letter).startswith(shown)
    assert not {"alice", "secret"} & set(repr(letter).replace("'", " ").split())


class Clerk(Actor["Note | Fail | Inquire"]):
    """Writes notes down; keeps them through a bug only if they were stored."""

    name = "clerk"

    def __init__(self, runtime: Runtime, failed: list[str], stored: list[str]) -> None:
        super().__init__(runtime, lambda actor, error: failed.append(f"{actor}: {error}"))
        self.stored = stored
        self.in_memory: list[str] = []
        self.released = 0

    def acquire(self) -> None:
        self.in_memory = []

    def release(self) -> None:
        self.released += 1

    def receive(self, message: Note | Fail | Inquire) -> None:
        match message:
            case Note(text):
                self.in_memory.append(text)
                self.stored.append(text)
            case Fail(error):
                raise error
            case _:
                super().receive(message)


def clerk_in(sim: Simulation) -> tuple[Clerk, Ref[Note | Fail | Inquire], list[str]]:
    failed: list[str] = []
    clerk = Clerk(sim, failed, [])
    ref: Ref[Note | Fail | Inquire] = Ref()
    ref.bind(clerk)
    clerk.begin()
    return clerk, ref, failed


def run_dry(sim: Simulation) -> None:
    while sim.step():
        pass


def test_a_peers_error_is_counted_and_changes_nothing() -> None:
    sim = Simulation(0)
    clerk, ref, failed = clerk_in(sim)
    ref.tell(Note("before"))
    ref.tell(Fail(RemoteProtocolError(Code.MALFORMED)))
    ref.tell(Note("after"))
    run_dry(sim)
    assert clerk.in_memory == ["before", "after"]
    assert clerk.counts == {"refused_malformed": 1}
    assert failed == []


def test_a_full_disk_is_no_bug_and_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    sim = Simulation(0)
    clerk, ref, failed = clerk_in(sim)
    with caplog.at_level(logging.ERROR):
        for _ in range(5 * RESTARTS_MAX):
            ref.tell(Fail(StoreFull("no room")))
            ref.tell(Fail(StoreBusy("locked")))
        run_dry(sim)
        assert caplog.messages == ["clerk: no room", "clerk: locked"]
        sim.run_for(FAILURE_AGAIN_S)
        ref.tell(Fail(StoreFull("no room")))
        run_dry(sim)
    assert caplog.messages[2:] == ["clerk: no room"]
    assert clerk.counts == {"storage_failed": 10 * RESTARTS_MAX + 1}
    assert (clerk.released, failed) == (0, [])


def test_a_bug_restarts_the_actor_behind_the_same_reference() -> None:
    sim = Simulation(0)
    clerk, ref, failed = clerk_in(sim)
    ref.tell(Note("one"))
    ref.tell(Fail(ZeroDivisionError()))
    ref.tell(Note("two"))
    run_dry(sim)
    assert clerk.in_memory == ["two"], "memory is rebuilt, what is stored stays"
    assert clerk.stored == ["one", "two"]
    assert (clerk.released, clerk.counts["bugs"], failed) == (1, 1, [])


def test_a_bug_that_comes_back_stops_the_graph() -> None:
    sim = Simulation(0)
    clerk, ref, failed = clerk_in(sim)
    for _ in range(RESTARTS_MAX + 1):
        ref.tell(Fail(ZeroDivisionError("again")))
    ref.tell(Note("too late"))
    run_dry(sim)
    assert failed == ["clerk: again"]
    assert clerk.stored == []


def test_timers_of_before_a_bug_do_not_come_on_top_of_those_after_it() -> None:
    class Ticking(Clerk):
        def acquire(self) -> None:
            self.tell_self_later(10, Note("tick"))

        def receive(self, message: Note | Fail | Inquire) -> None:
            super().receive(message)
            if message == Note("tick"):
                self.tell_self_later(10, Note("tick"))

        def release(self) -> None:
            pass

    sim = Simulation(0)
    ticking = Ticking(sim, [], [])
    ticking.in_memory = []
    ref: Ref[Note | Fail | Inquire] = Ref()
    ref.bind(ticking)
    ticking.begin()
    for _ in range(RESTARTS_MAX):
        ref.tell(Fail(ZeroDivisionError()))
    sim.run_for(95)
    assert ticking.stored == ["tick"] * 9


def test_bugs_far_apart_stop_nothing() -> None:
    sim = Simulation(0)
    _, ref, failed = clerk_in(sim)
    for _ in range(3 * RESTARTS_MAX):
        ref.tell(Fail(ZeroDivisionError()))
        sim.run_for(RESTARTS_WINDOW_S)
    assert failed == []


@pytest.fixture
def threads() -> Iterator[ThreadRuntime]:
    timers = ThreadTimers()
    yield ThreadRuntime(timers)
    timers.close()


def test_the_same_actor_on_threads(threads: ThreadRuntime) -> None:
    failed: list[str] = []
    clerk = Clerk(threads, failed, [])
    ref: Ref[Note | Fail | Inquire] = Ref()
    ref.bind(clerk)
    clerk.begin()
    ref.tell(Note("one"))
    ref.tell(Fail(ZeroDivisionError()))
    ref.tell(Note("two"))
    answer: Future[dict[str, int]] = Future()
    ref.tell(Inquire(answer))
    assert answer.result(10)["bugs"] == 1
    assert clerk.stored == ["one", "two"]
    ref.stop()
    assert ref.stopped(10)
    ref.tell(Note("into the void"))
    assert threading.active_count() >= 1
    assert clerk.stored == ["one", "two"]


def test_an_actor_has_stopped_when_it_has_let_go_of_what_it_had(threads: ThreadRuntime) -> None:
    """Its store is closed then: what it does at its end must be over."""
    letting_go, may_end = threading.Event(), threading.Event()

    class Slow(Clerk):
        def release(self) -> None:
            letting_go.set()
            assert may_end.wait(10)
            super().release()

    clerk = Slow(threads, [], [])
    clerk.begin()
    clerk.own_ref.stop()
    assert letting_go.wait(10)
    assert not clerk.own_ref.stopped(0)
    may_end.set()
    assert clerk.own_ref.stopped(10)
    assert clerk.released == 1


@dataclass(frozen=True, slots=True)
class Clerks(Graph):
    """Two actors."""

    first: Ref[Note | Fail | Inquire] = field(default_factory=Ref)
    second: Ref[Note | Fail | Inquire] = field(default_factory=Ref)


def test_a_graph_for_which_the_system_has_no_threads_leaves_none(threads: ThreadRuntime) -> None:
    """Those of its first actors kept the process alive."""

    class NoThreadLeft(Clerk):
        def begin(self) -> None:
            raise RuntimeError("can't start new thread")

    first, second = Clerk(threads, [], []), NoThreadLeft(threads, [], [])
    graph = Clerks(cast("Transport", None))
    try:
        with pytest.raises(RuntimeError):
            graph.start(graph.first.bind(first), graph.second.bind(second))
        assert first.actor_stopped.is_set()
    finally:
        first.own_ref.stop()


def test_a_simulation_that_waits_for_what_cannot_come_says_so_with_its_seed() -> None:
    with pytest.raises(SimulationStuck, match="seed 42"):
        Simulation(42).run_until(lambda: False)


class Echo(Actor["Note"]):
    """Answers itself, at once or after a while."""

    name = "echo"

    def __init__(self, sim: Simulation, pause_s: float) -> None:
        super().__init__(sim, lambda actor, error: None)
        self.pause_s = pause_s

    def receive(self, message: Note) -> None:
        if self.pause_s:
            self.tell_self_later(self.pause_s, message)
        else:
            self.tell_self(message)


@pytest.mark.parametrize("pause_s", [0.0, 1.0])
def test_actors_that_keep_each_other_busy_end_a_simulation_and_those_that_wait_do_not(pause_s: float) -> None:
    """Found by the simulation: it hung. What was waited for was a moment that never came."""
    sim = Simulation(42)
    echo = Echo(sim, pause_s)
    echo.begin()
    echo.own_ref.tell(Note("again"))
    busy = pytest.raises(SimulationStuck, match="seed 42: more than 50000 steps in a virtual second")
    with nullcontext() if pause_s else busy:
        sim.run_for(STEPS_A_SECOND_MAX * pause_s + 1)
    assert sim.steps > STEPS_A_SECOND_MAX


def interleaving(seed: int, tape: tuple[int, ...] = ()) -> list[str]:
    """The order in which three actors' messages are handled."""
    sim = Simulation(seed, tape)
    order: list[str] = []
    for name in "abc":
        clerk = Clerk(sim, [], order)
        ref: Ref[Note | Fail | Inquire] = Ref()
        ref.bind(clerk)
        clerk.begin()
        for number in range(4):
            ref.tell(Note(f"{name}{number}"))
    run_dry(sim)
    return order


def test_the_same_seed_gives_the_same_order_and_others_give_others() -> None:
    orders = {seed: interleaving(seed) for seed in range(50)}
    assert all(interleaving(seed) == order for seed, order in orders.items())
    assert len({tuple(order) for order in orders.values()}) > 40


@given(st.lists(st.integers(0, 2), max_size=12))
def test_a_tape_chooses(tape: list[int]) -> None:
    order = interleaving(0, tuple(tape))
    assert order == interleaving(0, tuple(tape))
    assert all([note for note in order if note[0] == name] == [f"{name}{n}" for n in range(4)] for name in "abc")
    if tape:
        assert order[0][0] == "abc"[tape[0]]


@given(st.lists(st.one_of(st.integers(1, 20), st.integers(-20, -1), st.floats(0, SURB_S))))
def test_the_stock_agrees_with_a_model(steps: list[int | float]) -> None:
    """Each SURB by itself: born at some time, spent oldest first, dead before a day is over."""
    stock, now = SurbStock(), 0.0
    model: list[float] = []
    for step in steps:
        if isinstance(step, float):
            now += step
        elif step > 0:
            stock.add(step, now)
            model = ([born for born in model if born + SURB_S - 600 > now] + [now] * step)[-STOCK_MAX:]
        else:
            alive = [born for born in model if born + SURB_S - 600 > now]
            assert stock.take(-step, now) == (len(alive) >= -step)
            model = alive[-step:] if len(alive) >= -step else alive
        assert stock.left(now) == len([born for born in model if born + SURB_S - 600 > now])


@given(st.lists(st.integers(1, 3000)))
def test_the_window_passes_each_counter_once_and_nothing_too_old(counters: list[int]) -> None:
    window, seen, highest = CounterWindow(), set[int](), 0
    for counter in counters:
        expected = counter not in seen and counter > highest - CounterWindow.SIZE
        assert window.is_new(counter) == expected
        if expected:
            seen.add(counter)
            highest = max(highest, counter)


@given(st.integers(1, 5000), st.sampled_from([412, SURB_BYTES, 700]))
def test_surbs_that_fit_cost_no_packet(size: int, surb_bytes: int) -> None:
    fitting = surbs_that_fit(size, surb_bytes)
    assert anonymous_packets(size, fitting, surb_bytes) == anonymous_packets(size, 0)
    assert anonymous_packets(size, fitting + 1, surb_bytes) > anonymous_packets(size, 0)
