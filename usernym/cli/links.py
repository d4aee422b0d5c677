"""The user's commands about links and names that nobody has yet: link, check-name; and how a QR code is shown."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from usernym import qr
from usernym.cli import perform as work
from usernym.cli.failures import CommandFailed, Exit, refused
from usernym.cli.session import Options, Session
from usernym.cli.terminal import say, say_json
from usernym.finder import Finder, NameState, name_rules
from usernym.protocol.safety import number_code


def link(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym link`."""
    with Session(options) as session:
        value = session.call(work.Link())
    if options.json:
        say_json(value)
        return
    if arguments.qr:
        say_code(value["link"])
    say(value["link"])


def show_number(options: Options, value: dict[str, Any]) -> None:
    """A contact's safety number, for their scanner."""
    code = number_code(value["safety_number"])
    if options.json:
        say_json({**value, "qr": code})
        return
    say_code(code)
    say(value["safety_number"])
    name = value["name"]
    say(f"Let {name} scan this, or scan theirs and give what it says: usernym verify {name} --number TEXT")


def say_code(text: str) -> None:
    """A QR code, if the terminal can show one."""
    code = qr.terminal(text)
    try:
        code.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        raise CommandFailed(Exit.USAGE, "settings", "this terminal can't show a QR code: it needs UTF-8") from None
    say(code)


def check_name(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym check-name NAME`."""
    state = _ask(options, arguments.name)
    if state.reason is not None:
        raise refused(state.reason)
    if options.json:
        say_json({"name": state.name, "free": True})
    else:
        say(f"{state.name} is free: `usernym register {state.name}` takes it, if nobody else is faster")


def _ask(options: Options, typed: str) -> NameState:
    """What the rules say, and then the node: it need not be asked about a name that nobody can have."""
    found = name_rules(typed)
    if isinstance(found, NameState):
        return found
    settings = options.client_settings()
    if settings.node is None or settings.mixnet is None:
        raise CommandFailed(Exit.USAGE, "settings", "asking a node needs --node and --mixnet: see `usernym --help`")
    with Finder(node=settings.node, mixnet=settings.mixnet) as finder:
        return finder.name_state(found, settings.timeout)
