"""The plain loop: many random plans, on several processes, until one fails or a bound is reached.

A plan follows from its profile, its seed and its number of people alone, so a search continues where another stopped:
at `Summary.next_seed`. What fails is made smaller (`shrink`) before it is shown.
"""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from usernym.logger import logger
from usernym.testing.plan import (
    HOSTILE,
    NAMES,
    NODE,
    PEOPLE,
    SOAK,
    THIEVES,
    WORKERS,
    NotAPlan,
    Plan,
    PlanProfile,
    line,
    plan_of,
    random_plan,
)
from usernym.testing.run import Outcome, play
from usernym.testing.signatures import Remembered

PROFILES: Final = {
    "mixed": PlanProfile(),
    "soak": SOAK,
    "people": PEOPLE,
    "thieves": THIEVES,
    "node": NODE,
    "hostile": HOSTILE,
    "workers": WORKERS,
}
CHUNK_S: Final = 2.0
"""Workers are given about so much work at once, so that handing it over costs nothing."""
SHRINK_RUNS_MAX: Final = 300
SHRINK_S_MAX: Final = 60.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a search begins, and its bounds: it ends at the first one reached. None: no such bound."""

    seed: int = 0
    scenarios: int | None = None
    seconds: float | None = None
    messages: int | None = None
    people: tuple[int, int] = (2, 4)
    """Fewest and most; a seed says how many."""
    profile: str = "mixed"
    jobs: int = 1
    keep_going: bool = False
    """Whether to continue after a failure."""


@dataclass(slots=True)
class Summary:
    """The result of a search."""

    scenarios: int = 0
    written: int = 0
    shown: int = 0
    delivered: int = 0
    deaths: int = 0
    virtual_s: float = 0.0
    seconds: float = 0.0
    next_seed: int = 0
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self.scenarios += 1
            self.written += outcome.written
            self.shown += outcome.shown
            self.delivered += outcome.delivered
            self.deaths += outcome.deaths
            self.virtual_s += outcome.virtual_s
            if outcome.wrong:
                self.failures.append(outcome)


def plan_at(profile: str, seed: int, people: tuple[int, int]) -> Plan:
    """The plan of this seed."""
    low, high = people
    return random_plan(seed, low + seed % (high - low + 1), PROFILES[profile])


def replay_text(plan: Plan, profile: str = "mixed") -> str:
    """What `usernym simulate --replay` takes: the plan's seed if that makes all of it, else the plan itself."""
    if plan == random_plan(plan.seed, plan.people, PROFILES[profile]):
        return f"{profile}:{plan.seed}:{plan.people}"
    return line(plan)


def replayed(text: str) -> Plan:
    """The plan that `replay_text` wrote. Raises `NotAPlan`."""
    profile, colon, rest = text.partition(":")
    if not colon:
        return plan_of(text)
    seed, _, people = rest.partition(":")
    if profile not in PROFILES or not seed.isdecimal() or not people.isdecimal() or not 2 <= int(people) <= len(NAMES):
        raise NotAPlan(f"not a plan: PROFILE:SEED:PEOPLE was expected, with a profile of {', '.join(PROFILES)}")
    return random_plan(int(seed), int(people), PROFILES[profile])


# -- searching --


def search(bounds: Bounds, progress: Callable[[Summary], None] = lambda _: None) -> Summary:
    """Make runs until a bound is reached, or (unless `keep_going`) one fails. Ends early and in order on Ctrl-C."""
    summary, began = Summary(next_seed=bounds.seed), time.monotonic()
    done: set[int] = set()
    try:
        for seeds, outcomes in _results(bounds, summary, began):
            done.update(seeds)
            while summary.next_seed in done:
                done.discard(summary.next_seed)
                summary.next_seed += 1
            summary.add(outcomes)
            summary.seconds = time.monotonic() - began
            progress(summary)
    except KeyboardInterrupt:
        pass
    summary.seconds = time.monotonic() - began
    return summary


def _results(bounds: Bounds, summary: Summary, began: float) -> Iterator[tuple[range, list[Outcome]]]:
    if bounds.jobs == 1:
        with Quiet():
            for seeds in _chunks(bounds, summary, began, 1):
                yield seeds, _play_all(bounds, seeds)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(bounds.jobs, context, initializer=_begin_worker) as pool:
        chunks = _chunks(bounds, summary, began, 2 * bounds.jobs)
        under_way: dict[Future[list[Outcome]], range] = {}
        while True:
            while len(under_way) < 2 * bounds.jobs and (chunk := next(chunks, None)) is not None:
                under_way[pool.submit(_play_all, bounds, chunk)] = chunk
            if not under_way:
                return
            finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                yield under_way.pop(future), future.result()


def _chunks(bounds: Bounds, summary: Summary, began: float, ahead: int) -> Iterator[range]:
    """Ranges of seeds, as long as no bound is reached. `ahead`: how many are handed out before one comes back."""
    at = bounds.seed
    end = None if bounds.scenarios is None else bounds.seed + bounds.scenarios
    while end is None or at < end:
        seconds = time.monotonic() - began
        too_late = bounds.seconds is not None and seconds >= bounds.seconds
        enough = bounds.messages is not None and summary.written >= bounds.messages
        if too_late or enough or (summary.failures and not bounds.keep_going):
            return
        speed = summary.scenarios / seconds / max(1, ahead // 2) if summary.scenarios else 1.0
        count = max(1, min(100, int(speed * CHUNK_S)))
        chunk = range(at, at + count if end is None else min(at + count, end))
        at = chunk.stop
        yield chunk


def _play_all(bounds: Bounds, seeds: range) -> list[Outcome]:
    outcomes = [play(plan_at(bounds.profile, seed, bounds.people)) for seed in seeds]
    # A plan follows from its seed: it need not travel.
    return [outcome if outcome.wrong else dataclasses.replace(outcome, plan=_NO_PLAN) for outcome in outcomes]


_NO_PLAN: Final = Plan(0, 2, ())


def _begin_worker() -> None:
    # Ctrl-C is the parent's: it lets the workers finish what they are at.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)
    Quiet().__enter__()  # for good


class Quiet(Remembered):
    """Within the block the product logs nothing: a run that crashes on purpose would log much. And no signature is
    verified that was made here."""

    def __enter__(self) -> Self:
        self._level = logger.level
        logger.setLevel(logging.CRITICAL + 1)
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, traceback)
        logger.setLevel(self._level)


# -- making a failure smaller --


def shrink(plan: Plan, seconds: float = SHRINK_S_MAX, fails: Callable[[Plan], bool] | None = None) -> Plan:
    """A plan with fewer steps that fails as well (not necessarily for the same reason): the smallest that is found by
    leaving out more and more of it, within so many seconds."""
    still_fails = fails or (lambda smaller: bool(play(smaller).wrong))
    until, runs = time.monotonic() + seconds, 0
    size = max(1, len(plan.steps) // 2)
    with Quiet():
        while True:
            at, changed = 0, False
            while at < len(plan.steps):
                if runs >= SHRINK_RUNS_MAX or time.monotonic() > until:
                    return plan
                smaller = dataclasses.replace(plan, steps=plan.steps[:at] + plan.steps[at + size :])
                runs += 1
                if still_fails(smaller):
                    plan, changed = smaller, True
                else:
                    at += size
            if size == 1 and not changed:
                return plan
            size = max(1, size // 2)
