"""The user's commands about what was written: history, search, retry, cancel, erase, disappear."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from usernym.cli import perform as work
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.perform_texts import ID_DIGITS_MIN
from usernym.cli.session import Options, Session
from usernym.cli.terminal import clock, note, printable, printable_text, say, say_json, span
from usernym.protocol.names import canonical
from usernym.settings import duration
from usernym.storage.client.types import DeliveryState

_CAN_BE_RETRIED: Final = (
    DeliveryState.WAITING,
    DeliveryState.EXPIRED,
    DeliveryState.REFUSED,
    DeliveryState.CANCELLED,
)


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
    marks = [value["state"]] if value["outgoing"] else []
    if value["state"] in _CAN_BE_RETRIED:
        marks.append(value["message_id"][:ID_DIGITS_MIN])
    if value["missing"]:
        marks.append(f"{value['missing']} before this one missing")
    if value["late"]:
        marks.append(f"late, came {clock(value['arrived_at'])}")
    who = f"to {printable(name)}" if value["outgoing"] else printable(name)
    suffix = f" ({', '.join(marks)})" if marks else ""
    say(f"[{clock(value['sent_at'])}] {who}{suffix}: {printable_text(value['text'])}")


def retry(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym retry NAME ID`."""
    name = canonical(arguments.name)
    with Session(options) as session:
        value = session.call(work.Retry(name, arguments.id, "accepted"))
    if options.json:
        say_json(value)
    else:
        say(f"sent again as {value['id'][:ID_DIGITS_MIN]}: {value['state']}")


def cancel(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym cancel NAME ID`."""
    name = canonical(arguments.name)
    with Session(options) as session:
        value = session.call(work.Cancel(name, arguments.id))
    if options.json:
        say_json(value)
    else:
        say("cancelled: it is not sent any more; `usernym retry` sends it after all")


def disappear(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym disappear NAME TIME`."""
    name = canonical(arguments.name)
    try:
        seconds = None if arguments.time == "off" else int(duration(arguments.time))
    except ValueError as error:
        raise CommandFailed(Exit.USAGE, "settings", f"{error}; or `off`") from None
    with Session(options) as session:
        value = session.call(work.Disappear(name, seconds))
    if options.json:
        say_json(value)
    elif seconds is None:
        say(f"texts with {name} stay in this home until you erase them")
    else:
        say(
            f"texts with {name} are erased in this home {span(seconds)} after they were read or written;"
            f" {name} keeps their copies, and is not told"
        )


def erase(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym erase NAME`, all texts; or one, by its id."""
    name = canonical(arguments.name)
    if not arguments.yes and arguments.text is None:
        if not sys.stdin.isatty():
            raise CommandFailed(Exit.USAGE, "settings", "this erases all texts: --yes says that it is meant")
        note(f"This erases all texts with {name} in this home; what they have stays. Type {name} to go on:")
        if sys.stdin.readline(4096).strip() != name:
            raise CommandFailed(Exit.REFUSED, "not_meant", "nothing was erased")
    with Session(options) as session:
        value = session.call(work.Erase(name, arguments.text))
    if options.json:
        say_json(value)
    else:
        say(f"{value['erased']} texts were erased")
