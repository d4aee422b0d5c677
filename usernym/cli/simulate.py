"""`usernym simulate`: run the product through simulated disasters, many times, and say what was found.

Only this command loads the simulation. A failure ends with one line that repeats it exactly, and its trace can be
written as a sequence chart.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from usernym.cli.command import Entry, Invocation, decimal, number, one_of, option, switch
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.replies import reply_of
from usernym.cli.terminal import print_err, print_line
from usernym.settings import CommonSettings, whole_number

if TYPE_CHECKING:
    from usernym.testing.loop import Bounds, Summary
    from usernym.testing.nightly import Nightly
    from usernym.testing.plan import Plan
    from usernym.testing.run import Outcome

BAR_LETTERS: Final = 24
BAR_EVERY_S: Final = 0.2
SCENARIOS: Final = 200
"""How many are run if nothing bounds them."""
_FOUND: Final = "simulation_failed"


class SearchedReply(msgspec.Struct, frozen=True):
    """A search that found nothing; a failure has these numbers, `replay` (its line) and `wrong` (sentences)."""

    scenarios: int
    messages: int
    shown: int
    delivered: int
    crashes: int
    failures: int
    seconds: float
    virtual_hours: float
    next_seed: int


class ReplayedReply(msgspec.Struct, frozen=True):
    """A replay in which nothing is wrong."""

    written: int
    shown: int
    delivered: int
    deaths: int
    steps: int
    virtual_s: float


MINUTES_MAX: Final = 366 * 24 * 60
"""A year, as for all durations."""


def _people(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    try:
        fewest = whole_number(low, 2, 10)
        return fewest, whole_number(high or low, fewest, 10)
    except ValueError:
        raise argparse.ArgumentTypeError("expected 2 to 10 users, as 3 or 2-4") from None


def simulate(typed: Invocation[CommonSettings]) -> None:
    """`usernym simulate`: search, or replay."""
    from usernym.testing.loop import Bounds, search

    given = typed.given
    if given.replay is not None:
        _replay(typed)
        return
    nightly = None if given.resume is None else _nightly(given.resume)
    bounds = Bounds(
        given.seed if nightly is None else nightly.standing(given.profile).next_seed,
        SCENARIOS if given.scenarios is given.minutes is given.messages is None else given.scenarios,
        None if given.minutes is None else given.minutes * 60.0,
        given.messages, given.clients, given.profile, given.jobs or os.cpu_count() or 1, given.keep_going,
    )  # fmt: skip
    bar = _Bar(bounds)
    summary = search(bounds, bar.show)
    bar.clear()
    if nightly is not None:
        standing = nightly.note(given.profile, summary)
        print_err(f"{given.profile}: {standing.in_a_row} scenarios in a row have found nothing")
    _report(typed, summary)


def _nightly(path: Path) -> Nightly:
    from usernym.testing.nightly import BadNightly, Nightly

    try:
        return Nightly(path)
    except BadNightly as error:
        raise CommandFailed(Exit.USAGE, "not_resumable", str(error)) from None


def _report(typed: Invocation[CommonSettings], summary: Summary) -> None:
    numbers = SearchedReply(
        summary.scenarios, summary.written, summary.shown, summary.delivered, summary.deaths, len(summary.failures),
        round(summary.seconds, 1), round(summary.virtual_s / 3600, 1), summary.next_seed,
    )  # fmt: skip
    if not summary.failures:
        typed.show(numbers, lambda _reply, _given: print_line("\n".join(_sentences(summary))))
        return
    for text in _sentences(summary):
        print_err(text)
    failure = summary.failures[0]
    replay = _explain(typed, failure)
    text = f"{len(summary.failures)} of {summary.scenarios} scenarios failed; the first: {failure.wrong[0]}"
    extra = msgspec.structs.asdict(numbers) | {"replay": replay, "wrong": list(failure.wrong)}
    raise CommandFailed(Exit.REFUSED, _FOUND, text, extra)


def _sentences(summary: Summary) -> list[str]:
    a_minute = summary.scenarios / max(summary.seconds, 0.001) * 60
    hours = summary.virtual_s / 3600
    return [
        f"{summary.scenarios} scenarios in {summary.seconds:.0f} s, {a_minute:.0f} a minute, {hours:.0f} virtual hours",
        f"{summary.written} messages accepted for sending, {summary.shown} shown, {summary.delivered} confirmed",
        f"{summary.deaths} crashes, {len(summary.failures)} scenarios failed",
        f"continue with: --seed {summary.next_seed}",
    ]


def _explain(typed: Invocation[CommonSettings], failure: Outcome) -> str:
    """Make the failure smaller, show it, and write its chart. Returns the line that repeats it."""
    from usernym.testing.loop import Quiet, replay_text, shrink
    from usernym.testing.run import play

    print_err("making the failure smaller (Ctrl-C: leave it as it is) …")
    plan = failure.plan
    try:
        plan = shrink(plan)
    except KeyboardInterrupt:
        plan = failure.plan
    with Quiet():
        outcome = failure if plan is failure.plan else play(plan)
        _write_charts(typed.given, plan)
    print_err(str(plan))
    _say_wrong(outcome)
    command = f"usernym simulate --replay {replay_text(plan, typed.given.profile)}"
    if not typed.json:
        print_line(command)
    return command


def _replay(typed: Invocation[CommonSettings]) -> None:
    from usernym.testing.loop import Quiet, replayed
    from usernym.testing.plan import NotAPlan
    from usernym.testing.run import play

    try:
        plan = replayed(typed.given.replay)
    except NotAPlan as error:
        raise CommandFailed(Exit.USAGE, "not_a_plan", str(error)) from None
    print_err(str(plan))
    with Quiet():
        outcome = _write_charts(typed.given, plan) or play(plan)
    if outcome.wrong:
        _say_wrong(outcome)
        raise CommandFailed(Exit.REFUSED, _FOUND, outcome.wrong[0], {"wrong": list(outcome.wrong)})
    typed.show(reply_of(ReplayedReply, outcome), _print_replayed)


def _print_replayed(reply: ReplayedReply, _given: argparse.Namespace) -> None:
    numbers = msgspec.structs.asdict(reply).items()
    print_line(f"nothing is wrong: {', '.join(f'{name} {number:.0f}' for name, number in numbers)}")


def _say_wrong(outcome: Outcome) -> None:
    for wrong in outcome.wrong:
        print_err(f"! {wrong}")
    if outcome.detail:
        print_err(outcome.detail)


def _write_charts(given: argparse.Namespace, plan: Plan) -> Outcome | None:
    if given.chart is None and given.mermaid is None:
        return None
    from usernym.testing.chart import charted

    outcome, chart = charted(plan)
    for path, drawn in ((given.chart, chart.text), (given.mermaid, chart.mermaid)):
        if path is not None:
            path.write_text(drawn(), encoding="utf-8")
            print_err(f"the chart is in {path}")
    return outcome


class _Bar:
    """A line that shows how far the search is; on a terminal only."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = dataclasses.astuple(bounds)[1:4]
        self._shown = sys.stderr.isatty()
        self._next_at = 0.0

    def show(self, summary: Summary) -> None:
        """Draw it again, at most once in `BAR_EVERY_S`."""
        now = time.monotonic()
        if not self._shown or now < self._next_at:
            return
        self._next_at = now + BAR_EVERY_S
        reached = (summary.scenarios, summary.seconds, summary.written)
        shares = [done / bound for done, bound in zip(reached, self._bounds, strict=True) if bound]
        filled = int(BAR_LETTERS * min(1.0, max(shares, default=0.0)))
        minutes = max(summary.seconds, 0.001) / 60
        text = (
            f"[{'#' * filled}{'.' * (BAR_LETTERS - filled)}] {summary.scenarios} scenarios, {summary.written} messages,"
            f" {summary.scenarios / minutes:.0f} a minute, {len(summary.failures)} failed"
        )
        print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove it."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


ENTRIES: Final = (
    Entry(
        "simulate", "put users, node and mixnet through simulated disasters, and check what users were shown", simulate,
        (one_of(option("--seed", type=number(0), default=0, metavar="N", help="the first seed; default 0"),
                option("--resume", type=Path, metavar="FILE", help="continue where the last search with this file"
                       " stopped, with this profile; made if there is none")),
         option("--scenarios", type=number(1), metavar="N", help=f"stop after this many; default {SCENARIOS}"),
         option("--minutes", type=decimal(0.01, MINUTES_MAX), metavar="M", help="stop after this time"),
         option("--messages", type=number(1), metavar="N", help="stop after this many messages"),
         option("--clients", type=_people, default=(2, 4), metavar="K", help="users: a number, or 2-4 (default)"),
         option("--profile", default="mixed",
                choices=("mixed", "soak", "people", "thieves", "node", "hostile", "workers"),
                help="mixed (default): every fault; soak: many messages at 20%% loss, with crashes and hostile users;"
                " people: hostile users; thieves: stolen machines; node: a hostile node; hostile: every fault, hostile"
                " users and stolen machines; workers: a node of three processes"),
         option("--jobs", type=number(1), metavar="N", help="processes; default: one for each processor"),
         switch("--keep-going", "continue after a failure"),
         option("--replay", metavar="PLAN", help="repeat one run: the line that a failure ended with"),
         option("--chart", type=Path, metavar="FILE", help="write the trace of a replay, or of the first failure"),
         option("--mermaid", type=Path, metavar="FILE", help="the same for Mermaid")),
        "none", (SearchedReply, ReplayedReply),
    ),
)  # fmt: skip
