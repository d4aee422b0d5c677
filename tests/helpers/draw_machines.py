"""Draws the machines of docs/machines.md from the functions that they are.

    python -Im tests.helpers.draw_machines

writes the pictures into the document.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.actors.registration.test_login import every_step
from usernym.actors.forwarding.arrival import ArrivalOutcome
from usernym.actors.registration import login as lg

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "machines.md"
BEGINNINGS: Final = ("PublishingFirst", "AskedToLogIn")


def login_drawn() -> str:
    """Each way from one state to another, with its inputs."""
    ways: dict[tuple[str, str], list[str]] = {}
    for before, event, _, after, effects in every_step():
        start, end = type(before).__name__, type(after).__name__
        begins = lg.begins(after, effects)
        if start != end or begins:
            _note(ways, (start, "(a login begins)" if begins else end), _named(event))
    lines = [f"{start:<15} ──▶ {end:<16}  {_wrapped(events)}" for (start, end), events in ways.items()]
    beginnings = [f"{'(a login begins)':<15} ─▶ {state}" for state in BEGINNINGS]
    return "\n".join(("```text", *beginnings, *lines, "```"))


def effects_drawn() -> str:
    """Each input that has effects in a state, and leaves it."""
    rows: dict[tuple[str, str], list[str]] = {}
    for before, event, _, after, effects in every_step():
        if type(before) is type(after) and effects and not lg.begins(after, effects):
            done = ", ".join(f"`{type(effect).__name__}`" for effect in effects)
            _note(rows, (type(before).__name__, done), f"`{_named(event)}`")
    table = [f"| `{state}` | {', '.join(events)} | {done} |" for (state, done), events in rows.items()]
    return "\n".join(("| in | on | do |", "|---|---|---|", *table))


def arrivals_drawn() -> str:
    """Each outcome of an arrival, with its fate and its reason."""
    rows = [f"| `{outcome.name}` | {outcome.fate.value} | {outcome.reason} |" for outcome in ArrivalOutcome]
    return "\n".join(("| outcome | fate | because |", "|---|---|---|", *rows))


def with_pictures(page: str) -> str:
    """The document with the pictures as they are now."""
    for name, drawn in (("login", login_drawn()), ("effects", effects_drawn()), ("arrivals", arrivals_drawn())):
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{drawn}\n\n{end}{rest.partition(end)[2]}"
    return page


def _named(event: lg.LoginInput) -> str:
    """An input's name; what came of a request is named by the request."""
    if isinstance(event, lg.RequestRefused | lg.RequestUnanswered):
        return f"{type(event.request).__name__} {type(event).__name__.removeprefix('Request').lower()}"
    return type(event).__name__


def _note(groups: dict[tuple[str, str], list[str]], group: tuple[str, str], name: str) -> None:
    names = groups.setdefault(group, [])
    if name not in names:
        names.append(name)


def _wrapped(events: Iterable[str]) -> str:
    lines, width = [""], 60
    for event in events:
        if len(lines[-1]) + len(event) > width:
            lines.append("")
        lines[-1] += f"{event}, "
    return f"\n{'':<38}".join(line.rstrip() for line in lines).rstrip(",")


if __name__ == "__main__":
    PAGE.write_text(with_pictures(PAGE.read_text()))
