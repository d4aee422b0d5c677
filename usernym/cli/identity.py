"""The user's commands about an identity that exists: restore, replace-identity, delete-account."""

from __future__ import annotations

import argparse
import sys

from usernym.cli import perform as work
from usernym.cli.failures import CommandFailed, Exit, date_text
from usernym.cli.session import Options, Session
from usernym.cli.terminal import note, say, say_json
from usernym.identity import Restore
from usernym.protocol.names import canonical, check
from usernym.protocol.words import root_from_words

_LINE_MAX = 4096


def restore(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym restore NAME`."""
    name = canonical(arguments.name)
    check(name)
    words = _words()
    wanted = Restore(words, arguments.replace, options.client_settings().timeout)
    with Session(options, name=name, hand_over=False, restore=wanted) as session:
        value = session.call(work.Login())
    if options.json:
        say_json(value)
    elif arguments.replace:
        _say_replaced(value["name"])
    else:
        say(f"{value['name']} is restored, with the same identity: safety numbers are what they were")


def replace_identity(options: Options, _arguments: argparse.Namespace) -> None:
    """`usernym replace-identity`."""
    with Session(options) as session:
        session.call(work.WhoAmI())  # before the words are asked for
        value = session.call(work.ReplaceIdentity(_words()))
    if options.json:
        say_json(value)
    else:
        _say_replaced(value["name"])


def _say_replaced(name: str) -> None:
    say(f"{name} has a new identity: your contacts see that it changed; compare safety numbers with them again")


def _words() -> str:
    """The recovery words, from a person or a program. Raises `WordsInvalid`."""
    if sys.stdin.isatty():
        note("Your twelve recovery words, separated by spaces:")
    words = sys.stdin.readline(_LINE_MAX)
    root_from_words(words)
    return words


def delete_account(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym delete-account`."""
    with Session(options) as session:
        name = session.call(work.WhoAmI())["name"]
        if not arguments.yes:
            _ask(name)
        value = session.call(work.DeleteAccount())
    if options.json:
        say_json(value)
    else:
        until = date_text(value["held_until"])
        say(
            f"the account is deleted; until {until} nobody else can take the name, and `usernym register` takes it back"
        )


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise CommandFailed(Exit.USAGE, "settings", "this deletes the account: --yes says that it is meant")
    note(f"This deletes the account {name} at the node, and what waits there. Messages in this home stay.")
    note(f"Type {name} to go on:")
    if sys.stdin.readline(_LINE_MAX).strip() != name:
        raise CommandFailed(Exit.REFUSED, "not_meant", "nothing was deleted")
