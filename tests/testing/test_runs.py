"""Runs: repeatable to the byte of a trace, found by seeds and by Hypothesis, and without a fault."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from usernym.testing import faults as f
from usernym.testing.chart import charted
from usernym.testing.disk import Moment
from usernym.testing.loop import Bounds, Quiet, plan_at, replay_text, replayed, search, shrink
from usernym.testing.plan import HOSTILE_TROUBLES, WORKER_TROUBLES, NotAPlan, Plan, line, plan_of
from usernym.testing.run import play
from usernym.testing.strategies import plans

SCENARIOS = int(os.environ.get("USERNYM_SCENARIOS", "60"))
"""Random plans tried here; their seeds are always the same. `make soak` and `usernym simulate` go further."""
MESSAGES = int(os.environ.get("USERNYM_SOAK_MESSAGES", "600"))


@pytest.mark.seconds
def test_random_plans_show_everybody_what_was_written_to_them() -> None:
    summary = search(Bounds(scenarios=SCENARIOS))
    assert not summary.failures, (summary.failures[0].wrong, replay_text(summary.failures[0].plan))
    assert summary.scenarios == summary.next_seed == SCENARIOS
    assert summary.deaths > SCENARIOS / 4
    assert summary.shown >= summary.delivered > 5 * SCENARIOS


@pytest.mark.seconds
@pytest.mark.parametrize("profile", ["hostile", "people", "thieves", "node", "workers"])
def test_other_profiles_find_nothing(profile: str) -> None:
    summary = search(Bounds(scenarios=SCENARIOS // 5, profile=profile))
    assert not summary.failures, (summary.failures[0].wrong, replay_text(summary.failures[0].plan, profile))
    assert summary.scenarios == SCENARIOS // 5


@pytest.mark.seconds
def test_soaking() -> None:
    """Many messages at 20 % loss, with crashes: the part of `make soak` that everyone runs."""
    summary = search(Bounds(messages=MESSAGES, people=(3, 5), profile="soak"))
    assert not summary.failures, (summary.failures[0].wrong, replay_text(summary.failures[0].plan, "soak"))
    assert summary.written >= MESSAGES
    assert summary.deaths > 0


@pytest.mark.seconds
@examples(
    40,
    derandomize=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(plans() | plans(kinds=tuple(HOSTILE_TROUBLES)))
def test_hypothesis_finds_nothing_either(plan: Plan) -> None:
    with Quiet():
        outcome = play(plan)
    assert not outcome.wrong, (outcome.wrong, f"usernym simulate --replay {line(plan)}")


_TRACE = """
import hashlib, sys
from usernym.testing.chart import charted
from usernym.testing.loop import Quiet, replayed
with Quiet():
    outcome, chart = charted(replayed(sys.argv[1]))
print(outcome.steps, outcome.virtual_s, hashlib.sha256(chart.text().encode()).hexdigest())
"""


@pytest.mark.processes
@pytest.mark.parametrize("seed", [3, 7])
def test_a_plan_is_a_run_in_every_process(seed: int) -> None:
    """Whatever Python's hashes are, the trace is the same."""
    text = replay_text(plan_at("mixed", seed, (2, 4)))
    with Quiet():
        outcome, chart = charted(replayed(text))
    expected = f"{outcome.steps} {outcome.virtual_s} {hashlib.sha256(chart.text().encode()).hexdigest()}"
    for hashes in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        found = subprocess.run(
            [sys.executable, "-c", _TRACE, text], env=environment, capture_output=True, text=True, check=True
        )
        assert found.stdout.strip() == expected


@examples(60, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(plans(people=4))
def test_a_plan_can_be_written_on_one_line(plan: Plan) -> None:
    assert plan_of(line(plan)) == plan
    assert line(plan).split() == [line(plan)]


def test_a_seed_is_enough_where_it_makes_the_whole_plan() -> None:
    plan = plan_at("soak", 5, (3, 5))
    assert replay_text(plan, "soak") == "soak:5:5"
    assert replayed("soak:5:5") == plan
    assert replayed(line(plan)) == plan


@given(st.text(max_size=40) | st.from_regex(r"(mixed|soak|other):\w{0,3}:\w{0,2}", fullmatch=True))
def test_what_is_no_plan_is_refused(text: str) -> None:
    try:
        plan = replayed(text)
    except NotAPlan:
        return
    assert 2 <= plan.people <= 10


@pytest.mark.parametrize(
    "content",
    [
        b"[2,0,2,false,[],[]]",
        b"[1,0,1,false,[],[]]",
        b"[1,0,11,false,[],[]]",
        b'[1,0,2,false,[],[["Nothing"]]]',
        b'[1,0,2,false,[],[["Pause","long"]]]',
        b'[1,0,2,false,[],[["Pause"]]]',
        b"[" * 1000,
        b"{}",
    ],
)
def test_a_line_with_odd_content_is_refused(content: bytes) -> None:
    import base64
    import zlib

    with pytest.raises(NotAPlan):
        plan_of(base64.urlsafe_b64encode(zlib.compress(content)).decode())


def test_shrinking_keeps_what_fails_and_leaves_out_the_rest() -> None:
    plan = plan_at("mixed", 3, (2, 4))
    crash = f.Crash("bob", 3, Moment.TORN, 1.0)
    plan = Plan(plan.seed, plan.people, (*plan.steps[:7], crash, *plan.steps[7:]), plan.tape)
    assert shrink(plan, fails=lambda smaller: crash in smaller.steps).steps == (crash,)


@pytest.mark.seconds
def test_every_fault_happens_and_is_survived() -> None:
    """One plan with each kind of step, so that none is a dead letter."""
    people = ("alice", "bob", "carol")
    steps: tuple[f.Step, ...] = (
        f.LookUpUser("alice", "bob"),
        f.Write("alice", "bob"),
        f.Pause(5),
        f.Handshake("alice", "bob", "offer"),
        f.Pause(5),
        f.Handshake("bob", "alice", "accept"),
        f.DirectOnly("bob", "alice"),
        f.Pause(5),
        f.Write("bob", "alice", 5000),
        f.WriteFile("bob", "alice", 70_000),
        f.Weather(0.3, 0.1, 0.3, 0.5, False, 60.0),
        f.Write("carol", "alice"),
        f.Partition((("node",), people[:2]), 20),
        f.Write("alice", "carol"),
        f.Far("node", "carol", 3.0),
        f.CutOff("bob", 10),
        f.Write("carol", "bob"),
        f.Turns(20),
        f.TagsDie("node"),
        f.MixnetDies("carol", in_order=True),
        f.SurbsExpire(),
        f.DiskFull("alice", 5),
        f.Write("bob", "carol"),
        f.SlowDisk("node", 0.5, 10),
        f.ClockJump("carol", 1200),
        f.DiskErrors("bob", 1),
        f.Strangers(10),
        f.Inject(30),
        f.Crash("node", 2, Moment.TORN),
        f.Write("alice", "bob"),
        f.Crash("carol"),
        f.Pause(30),
        f.LongAway(8),
        f.Write("alice", "carol"),
        f.Handshake("alice", "bob", "revoke"),
    )
    hostile = {f.STEPS[kind] for kind in HOSTILE_TROUBLES}  # test_hostile_people
    workers = {f.STEPS[kind] for kind in WORKER_TROUBLES}
    assert {type(step) for step in steps} == set(f.STEPS.values()) - {f.NodeLies} - hostile - workers
    with Quiet():
        outcome, chart = charted(Plan(1, 3, steps))
        assert outcome.wrong == ()
        lying, _ = charted(Plan(1, 3, (f.NodeLies(2), *steps)))
    assert lying.wrong == ()
    assert outcome.deaths >= 2
    text = chart.text()
    assert "Direct" in text
    assert "mallory" in text
    assert "is lost" in text


@pytest.mark.seconds
def test_what_no_one_fetches_is_called_expired_in_the_end() -> None:
    apart = f.Partition((("bob",), ("alice", "node")), 10_000_000)
    steps = (f.Write("alice", "bob"), f.Pause(30), apart, f.Write("alice", "bob"), f.Pause(30), f.LongAway(31))
    with Quiet():
        outcome, chart = charted(Plan(1, 2, (*steps, f.Pause(1500))))
    assert (outcome.wrong, outcome.written, outcome.shown, outcome.delivered) == ((), 2, 1, 1)
    assert "expired" in chart.text().lower()


def test_charts_show_who_said_what_to_whom() -> None:
    with Quiet():
        _, chart = charted(Plan(1, 2, (f.Write("alice", "bob"), f.Pause(5))))
    rows = chart.text().splitlines()
    assert rows[0].split() == ["node", "alice", "bob"]
    kinds = [row.strip(" <>-|").split()[-2] for row in rows if "Forward" in row or "Deliver " in row]
    assert len(kinds) == 2
    assert any("Write(who='alice', to='bob', size=20)" in row for row in rows)
    mermaid = chart.mermaid().splitlines()
    assert mermaid[0] == "sequenceDiagram"
    arrows = [row.split(":")[0].strip() for row in mermaid if "Forward" in row or row.endswith("Deliver")]
    assert arrows == ["alice->>node", "node->>bob"]
