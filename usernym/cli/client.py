"""The user's commands: register, login, whoami, lookup, verify, send, contacts. `listen` and `handshake` have files of
their own."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any, Final

from usernym.cli import perform as work
from usernym.cli.failures import NAME_REFUSALS, CommandFailed, Exit, failure_of
from usernym.cli.links import show_number
from usernym.cli.session import Options, Session
from usernym.cli.terminal import note, printable, say, say_json, span, table
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import TEXT_BYTES_MAX
from usernym.protocol.links import is_link, link_text, parse_link
from usernym.protocol.names import canonical, check_registrable
from usernym.protocol.safety import parse_number
from usernym.storage.client.store import DATABASE_NAME, KEY_NAME
from usernym.storage.errors import StorageError
from usernym.storage.home import Home

_REFUSED_NAMES: Final = frozenset(code.name.lower() for code in NAME_REFUSALS)


def register(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym register NAME`."""
    name = canonical(arguments.name)
    check_registrable(name)
    words: list[str] = []

    def on_words(made: str) -> None:
        words.append(made)
        if not options.json:
            _show_words(made)

    worthless = False
    try:
        with Session(options, name=name, on_words=on_words) as session:
            try:
                value = session.call(work.Register(name))
            except BaseException as error:
                failed = failure_of(error)
                mine = session.client
                worthless = failed.kind in _REFUSED_NAMES and mine is not None and not mine.whoami().registered
                raise failed from error
    except CommandFailed as failed:
        if worthless:
            # Keys for a name that somebody else has: nothing is lost with them, and the home is free for another name.
            _discard(options.home)
            failed.text += "; nothing was registered" + (", and the words above are worth nothing" if words else "")
        elif words:
            failed.extra["recovery_words"] = words[0]
        raise
    if options.json:
        say_json({**value, "recovery_words": words[0] if words else None})
    else:
        say(f"registered as {value['name']}")


def _show_words(words: str) -> None:
    rows = words.split()
    say("Your recovery words. They alone bring your name back if this home or its passphrase is lost.")
    say("Write them down now, on paper: they are shown this once, and are kept nowhere.\n")
    for at in range(0, len(rows), 4):
        say("    " + "".join(f"{number:>2}. {word:<10}" for number, word in enumerate(rows[at : at + 4], at + 1)))
    say("")


def _discard(home: Path) -> None:
    with contextlib.suppress(StorageError, OSError), Home(home, "client"):
        for name in (DATABASE_NAME, f"{DATABASE_NAME}-wal", f"{DATABASE_NAME}-shm", KEY_NAME):
            (home / name).unlink(missing_ok=True)


def login(options: Options, _arguments: argparse.Namespace) -> None:
    """`usernym login`."""
    with Session(options) as session:
        value = session.call(work.Login(session.settings.node))
    if options.json:
        say_json({**value, "online": True})
    else:
        say(f"logged in as {value['name']}: the account works")


def whoami(options: Options, _arguments: argparse.Namespace) -> None:
    """`usernym whoami`."""
    with Session(options) as session:
        value = session.call(work.WhoAmI())
    if options.json:
        say_json(value)
        return
    say(value["name"])
    rows = [
        ("registered", "yes" if value["registered"] else "not yet: `usernym register` goes on with it"),
        ("identity key", value["identity_key"]),
        ("node", value["node"]),
        ("mixnet", printable(value["mixnet"])),
        ("protected", "by a passphrase" if value["protected"] else "NOT protected by a passphrase"),
    ]
    say(table(rows))


_TRUST_NOTES: Final = {
    "confirmed by the node": "only the node says that this key is theirs; compare safety numbers to know",
    "verified": "you compared safety numbers, or took a link of theirs",
    "changed": "THE IDENTITY KEY CHANGED: compare safety numbers before you trust it",
}


def show_contact(value: dict[str, Any]) -> None:
    """A contact, for a person."""
    say(value["name"])
    rows = [
        ("trust", f"{value['trust']} ({_TRUST_NOTES.get(value['trust'], '')})"),
        ("identity key", value["identity_key"]),
        ("safety number", value["safety_number"]),
    ]
    if value["state"] != "accepted":
        rows.append(("contact", value["state"]))
    if value["handshake"] != "none":
        rows.append(("handshake", handshake_text(value)))
    if value["disappears_after"] is not None:
        rows.append(("texts", _disappearing(value)))
    say(table(rows))


def _disappearing(value: dict[str, Any]) -> str:
    return f"disappear here after {span(value['disappears_after'])}"


def handshake_text(value: dict[str, Any]) -> str:
    """Where a handshake stands, in a few words."""
    notes = [value["handshake"]]
    if value["direct_only"]:
        notes.append("direct only")
    if value["direct_silent"]:
        notes.append("the direct way is silent")
    return ", ".join(notes)


def lookup(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym lookup NAME`, or a link."""
    wanted = link_text(parse_link(arguments.name)) if is_link(arguments.name) else canonical(arguments.name)
    with Session(options) as session:
        value = session.call(work.Lookup(wanted))
    if options.json:
        say_json(value)
    else:
        show_contact(value)


def verify(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym verify NAME`."""
    name = canonical(arguments.name)
    with Session(options) as session:
        if arguments.qr:
            show_number(options, session.call(work.Show(name)))
            return
        compare, key = not (arguments.undo or arguments.seen), None
        if compare:
            value = session.call(work.Show(name))
            _compare(value, arguments)
            key = value["identity_key"]
        value = session.call(work.Verify(name, compare, key))
    if options.json:
        say_json(value)
    else:
        say(f"{value['name']} is {value['trust']}")


def _compare(value: dict[str, Any], arguments: argparse.Namespace) -> None:
    """See to it that the number was compared: given here, or looked at on a terminal."""
    if arguments.number is not None:
        if _digits(arguments.number) != parse_number(value["safety_number"]):
            raise CommandFailed(
                Exit.REFUSED,
                "safety_number_differs",
                f"this is NOT the safety number with {value['name']}: somebody may have swapped keys",
            )
        return
    if not sys.stdin.isatty():
        raise CommandFailed(Exit.USAGE, "settings", "give the safety number that they see: --number '12345 …'")
    note(f"The safety number with {value['name']}:\n\n    {value['safety_number']}\n")
    note("Compare it with the one they see, face to face or in a call: not in a message sent through this node.")
    if not ask_person("Are they the same?"):
        raise CommandFailed(Exit.REFUSED, "not_confirmed", "not verified")


def _digits(given: str) -> str:
    """The digits that somebody typed, or a scanner read."""
    try:
        return parse_number(given)
    except RemoteProtocolError:
        raise CommandFailed(
            Exit.USAGE, "settings", "this is no safety number: it has sixty digits, or is what a scanner reads off them"
        ) from None


def ask_person(question: str) -> bool:
    """A question for the person at the terminal; anything but yes is no."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


_SENT: Final = {
    "waiting": "on disk here, and on its way; not accepted by anybody yet",
    "accepted": "accepted by the node, which keeps it until {name} has it",
    "delivered": "delivered: {name}'s client has it",
}


def send(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym send NAME TEXT`."""
    name = canonical(arguments.name)
    text = arguments.text
    if text == "-":
        raw = sys.stdin.buffer.read(TEXT_BYTES_MAX + 2)
        try:
            text = raw.decode().removesuffix("\n")
        except UnicodeDecodeError:
            raise CommandFailed(Exit.USAGE, "text_length", "the text on the standard input is not UTF-8") from None
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CommandFailed(Exit.USAGE, "text_length", "the text is not valid Unicode") from None
    with Session(options) as session:
        value = session.call(work.Send(name, text, arguments.wait))
    if options.json:
        say_json(value)
    else:
        # What the node accepted, it has: however the message was first sent.
        way = ", directly" if value["route"] == "direct" and value["state"] != "accepted" else ""
        say(_SENT.get(value["state"], value["state"]).format(name=name) + way)


def contacts(options: Options, _arguments: argparse.Namespace) -> None:
    """`usernym contacts`."""
    with Session(options) as session:
        values = session.call(work.Contacts())
    if options.json:
        say_json({"contacts": values})
        return
    if not values:
        say("no contacts yet: `usernym lookup NAME` finds somebody")
    width = max((len(value["name"]) for value in values), default=0)
    for value in values:
        states = [value["trust"]]
        states += [] if value["state"] == "accepted" else [value["state"]]
        states += [] if value["handshake"] == "none" else [f"handshake {handshake_text(value)}"]
        states += [] if value["disappears_after"] is None else [f"texts {_disappearing(value)}"]
        say(f"{value['name']:<{width}}  {', '.join(states)}")
