"""The user's word about strangers: requests, accept, decline, block."""

from __future__ import annotations

import argparse
from typing import Any, Final

from usernym.cli import perform as work
from usernym.cli.session import Options, Session
from usernym.cli.terminal import clock, printable, say, say_json
from usernym.protocol.names import canonical

_PREVIEW: Final = 60
"""Characters of a stranger's first text in the list; all of it is shown by `listen`."""
_DONE: Final = {
    "accept": "{0} is a contact: what they write is shown, and they see that it was delivered",
    "decline": "declined: {0} is not told; `usernym accept {0}` undoes it, and shows what they wrote meanwhile",
    "block": "blocked: {0} is not told, and nothing that they send is kept; `usernym accept {0}` undoes it",
}


def requests(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym requests`."""
    with Session(options) as session:
        values = session.call(work.Requests(arguments.declined))
    if options.json:
        say_json({"requests": values})
        return
    if not values:
        say("nobody was declined" if arguments.declined else "no requests")
    width = max((len(value["contact"]["name"]) for value in values), default=0)
    for value in values:
        say(f"{value['contact']['name']:<{width}}  {_what(value)}")


def _what(value: dict[str, Any]) -> str:
    first = value["first"]
    if first is None:
        return "offers a handshake"
    text = printable(first["text"])
    shown = text if len(text) <= _PREVIEW else text[:_PREVIEW] + "…"
    more = f" (and {value['texts'] - 1} more)" if value["texts"] > 1 else ""
    return f"[{clock(first['sent_at'])}] {shown}{more}"


def decide(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym accept NAME`, `usernym decline NAME`, `usernym block NAME`."""
    name = canonical(arguments.name)
    with Session(options) as session:
        value = session.call(work.Decide(name, arguments.decision))
    if options.json:
        say_json(value)
    else:
        say(_DONE[arguments.decision].format(name))
