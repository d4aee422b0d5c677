"""The user's commands about what was written: history, search, erase."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from usernym import cli_work as work
from usernym.cli_failures import CommandFailed, Exit
from usernym.cli_session import Options, Session
from usernym.cli_text import clock, note, printable, printable_text, say, say_json
from usernym.protocol.names import canonical


def history(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym history NAME`."""
    name = canonical(arguments.name)
    with Session(options) as session:
        values = session.call(work.History(name, arguments.limit, arguments.before))
    if options.json:
        say_json({"texts": values})
        return
    for value in values:
        _say_text(name, value)
    if values:
        note(f"earlier ones, if there are any: usernym history {name} --before {values[0]['row']}")


def search(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym search TEXT`."""
    name = None if arguments.name is None else canonical(arguments.name)
    with Session(options) as session:
        values = session.call(work.Search(arguments.text, arguments.limit, name))
    if options.json:
        say_json({"texts": values})
        return
    for value in values:
        _say_text(value["with"], value)


def _say_text(name: str, value: dict[str, Any]) -> None:
    who = f"to {printable(name)} ({value['state']})" if value["outgoing"] else printable(name)
    say(f"[{clock(value['sent_at'])}] {who}: {printable_text(value['text'])}")


def erase(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym erase NAME`."""
    name = canonical(arguments.name)
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise CommandFailed(Exit.USAGE, "settings", "this erases all texts: --yes says that it is meant")
        note(f"This erases all texts with {name} in this home; what they have stays. Type {name} to go on:")
        if sys.stdin.readline(4096).strip() != name:
            raise CommandFailed(Exit.REFUSED, "not_meant", "nothing was erased")
    with Session(options) as session:
        value = session.call(work.Erase(name))
    if options.json:
        say_json(value)
    else:
        say(f"{value['erased']} texts were erased")
