"""`usernym simulate`: run the product under simulated disaster, many times over, and say what was found.

The simulation is loaded only by this command. A failure ends in one line that brings it back exactly, and its trace can
be written as a sequence chart.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.session import Options
from usernym.cli.terminal import note, say, say_json

if TYPE_CHECKING:
    from usernym.testing.loop import Bounds, Summary
    from usernym.testing.plan import Plan
    from usernym.testing.run import Outcome

BAR_LETTERS: Final = 24
BAR_EVERY_S: Final = 0.2
SCENARIOS: Final = 200
"""How many are made if nothing bounds them."""
_FOUND: Final = "simulation_failed"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed; default 0")
    parser.add_argument("--scenarios", type=_positive, metavar="N", help=f"stop after so many; default {SCENARIOS}")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop after so long")
    parser.add_argument("--messages", type=_positive, metavar="N", help="stop after so many messages")
    parser.add_argument(
        "--clients", type=_people, default=(2, 4), metavar="K", help="users: a number, or 2-4 (default)"
    )
    parser.add_argument("--profile", choices=("mixed", "soak"), default="mixed", help="mixed (default): every fault; "
                        "soak: many messages at 20%% loss, with crashes")  # fmt: skip
    parser.add_argument("--jobs", type=_positive, metavar="N", help="processes; default: one for each processor")
    parser.add_argument("--keep-going", action="store_true", help="go on after a failure")
    parser.add_argument("--replay", metavar="PLAN", help="make one run again: the line that a failure ended in")
    parser.add_argument(
        "--chart", type=Path, metavar="FILE", help="write the trace of a replay, or of the first failure"
    )
    parser.add_argument("--mermaid", type=Path, metavar="FILE", help="the same for Mermaid")


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("expected a number above 0")
    return int(text)


def _people(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    if not low.isdecimal() or not (high or low).isdecimal() or not 2 <= int(low) <= int(high or low) <= 10:
        raise argparse.ArgumentTypeError("expected 2 to 10 users, as 3 or 2-4")
    return int(low), int(high or low)


def simulate(options: Options, given: argparse.Namespace) -> None:
    """Search, or replay."""
    from usernym.testing.loop import Bounds, search  # noqa: PLC0415 - only this command needs the simulation

    if given.replay is not None:
        _replay(options, given)
        return
    bounds = Bounds(
        given.seed,
        SCENARIOS if given.scenarios is given.minutes is given.messages is None else given.scenarios,
        None if given.minutes is None else given.minutes * 60.0,
        given.messages,
        given.clients,
        given.profile,
        given.jobs or os.cpu_count() or 1,
        given.keep_going,
    )
    bar = _Bar(bounds)
    summary = search(bounds, bar.show)
    bar.clear()
    _report(options, given, summary)


def _report(options: Options, given: argparse.Namespace, summary: Summary) -> None:
    numbers: dict[str, Any] = {
        "scenarios": summary.scenarios,
        "messages": summary.written,
        "shown": summary.shown,
        "delivered": summary.delivered,
        "crashes": summary.deaths,
        "failures": len(summary.failures),
        "seconds": round(summary.seconds, 1),
        "virtual_hours": round(summary.virtual_s / 3600, 1),
        "next_seed": summary.next_seed,
    }
    if not summary.failures:
        if options.json:
            say_json(numbers)
        else:
            for text in _sentences(summary):
                say(text)
        return
    for text in _sentences(summary):
        note(text)
    failure = summary.failures[0]
    replay = _explain(options, given, failure)
    text = f"{len(summary.failures)} of {summary.scenarios} scenarios failed; the first: {failure.wrong[0]}"
    raise CommandFailed(Exit.REFUSED, _FOUND, text, {**numbers, "replay": replay, "wrong": list(failure.wrong)})


def _sentences(summary: Summary) -> list[str]:
    a_minute = summary.scenarios / max(summary.seconds, 0.001) * 60
    hours = summary.virtual_s / 3600
    return [
        f"{summary.scenarios} scenarios in {summary.seconds:.0f} s, {a_minute:.0f} a minute, {hours:.0f} virtual hours",
        f"{summary.written} messages taken, {summary.shown} shown, {summary.delivered} known to be delivered",
        f"{summary.deaths} crashes, {len(summary.failures)} scenarios failed",
        f"goes on with: --seed {summary.next_seed}",
    ]


def _explain(options: Options, given: argparse.Namespace, failure: Outcome) -> str:
    """Make the failure smaller, show it, and write its chart. Returns the line that brings it back."""
    from usernym.testing.loop import Quiet, replay_text, shrink  # noqa: PLC0415 - as above
    from usernym.testing.run import play  # noqa: PLC0415 - as above

    note("making the failure smaller (Ctrl-C: leave it as it is) …")
    plan = failure.plan
    try:
        plan = shrink(plan)
    except KeyboardInterrupt:
        plan = failure.plan
    with Quiet():
        outcome = failure if plan is failure.plan else play(plan)
        _write_charts(given, plan)
    note(str(plan))
    _say_wrong(outcome)
    command = f"usernym simulate --replay {replay_text(plan, given.profile)}"
    if not options.json:
        say(command)
    return command


def _replay(options: Options, given: argparse.Namespace) -> None:
    from usernym.testing.loop import Quiet, replayed  # noqa: PLC0415 - as above
    from usernym.testing.plan import NotAPlan  # noqa: PLC0415 - as above
    from usernym.testing.run import play  # noqa: PLC0415 - as above

    try:
        plan = replayed(given.replay)
    except NotAPlan as error:
        raise CommandFailed(Exit.USAGE, "not_a_plan", str(error)) from None
    note(str(plan))
    with Quiet():
        outcome = _write_charts(given, plan) or play(plan)
    if outcome.wrong:
        _say_wrong(outcome)
        raise CommandFailed(Exit.REFUSED, _FOUND, outcome.wrong[0], {"wrong": list(outcome.wrong)})
    fields = ("written", "shown", "delivered", "deaths", "steps", "virtual_s")
    if options.json:
        say_json({name: getattr(outcome, name) for name in fields})
    else:
        say(f"all is well: {', '.join(f'{name} {getattr(outcome, name):.0f}' for name in fields)}")


def _say_wrong(outcome: Outcome) -> None:
    for wrong in outcome.wrong:
        note(f"! {wrong}")
    if outcome.detail:
        note(outcome.detail)


def _write_charts(given: argparse.Namespace, plan: Plan) -> Outcome | None:
    if given.chart is None and given.mermaid is None:
        return None
    from usernym.testing.chart import charted  # noqa: PLC0415 - as above

    outcome, chart = charted(plan)
    for path, drawn in ((given.chart, chart.text), (given.mermaid, chart.mermaid)):
        if path is not None:
            path.write_text(drawn(), encoding="utf-8")
            note(f"the chart is in {path}")
    return outcome


class _Bar:
    """A line that tells how far the search is; on a terminal only."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = dataclasses.astuple(bounds)[1:4]
        self._shown = sys.stderr.isatty()
        self._next_at = 0.0

    def show(self, summary: Summary) -> None:
        """Draw it anew, now and then."""
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
        """Take it away."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
