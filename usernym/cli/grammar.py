"""The command line's grammar: the table of commands, their parsers, and help.

Only the module of the command that was typed is loaded. Help loads all of them.
"""

from __future__ import annotations

import argparse
import difflib
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

from usernym._version import __version__
from usernym.cli.command import Entry, number, seconds
from usernym.cli.failures import MEANINGS
from usernym.cli.terminal import print_err, print_whole
from usernym.protocol.limits import WITNESSES_MAX
from usernym.settings import LOG_FORMATS, LOG_LEVELS


@dataclass(frozen=True, slots=True)
class Topic:
    """Commands that belong together in the help, and the module of `usernym.cli` that has them."""

    title: str
    module: str
    names: tuple[str, ...]


TOPICS: Final = (
    Topic("your account", "account", ("register", "login", "whoami", "check-name", "restore", "replace-identity",
                                      "delete-account")),
    Topic("passphrase and backup", "backup", ("passphrase", "export", "import")),
    Topic("your account", "evidence", ("evidence",)),
    Topic("people", "people", ("lookup", "link", "verify", "contacts", "requests", "accept", "decline", "block")),
    Topic("people", "handshake", ("handshake",)),
    Topic("texts", "texts", ("send", "history", "search", "retry", "cancel", "erase", "disappear")),
    Topic("files", "files", ("send-file", "files", "save", "cancel-file", "erase-file")),
    Topic("receiving", "listen", ("listen",)),
    Topic("the chat page", "chat", ("chat",)),
    Topic("running a node", "node", ("node run", "node card", "node status", "node drain")),
    Topic("running a node", "node_store", ("node backup", "node restore", "node move", "node check")),
    Topic("running a node", "node_log", ("node log export", "node log recover", "node witness")),
    Topic("checking a node", "audit", ("audit",)),
    Topic("trying and testing", "mixnet", ("mixnet",)),
    Topic("trying and testing", "demo", ("demo",)),
    Topic("trying and testing", "simulate", ("simulate",)),
    Topic("your shell", "completion", ("completion",)),
)  # fmt: skip
"""Every command. A new one is a name here and an `Entry` in its module."""

DESCRIPTION: Final = "Find people by username on the Nym mixnet, and write to them."
GROUPS: Final = {"": DESCRIPTION, "node": "Run a discovery node.", "node log": "The log of a node's directory."}
"""First words that several commands share, and none for all."""
MISTAKE_MAX: Final = 500
"""Characters of a mistake: what was typed is in it, and may be of any length."""
COMMON: Final = "options for every command"
SHARED: Final = "options for every command on a client's home"
SETTINGS_NOTE: Final = (
    "Settings come from <home>/usernym.toml, then from USERNYM_… variables, then from options. The passphrase comes"
    " from USERNYM_PASSPHRASE, or you are asked for it on a terminal."
)


def names() -> list[str]:
    """The names of all commands, in the order of the help."""
    return [name for topic in TOPICS for name in topic.names]


def entry(name: str) -> Entry:
    """Load a command. Raises `KeyError` if there is none of this name."""
    for topic in TOPICS:
        if name in topic.names:
            entries: tuple[Entry, ...] = import_module(f"usernym.cli.{topic.module}").ENTRIES
            return next(each for each in entries if each.name == name)
    raise KeyError(name)


def parse(arguments: Sequence[str] | None) -> tuple[Entry, argparse.Namespace]:
    """The command that was typed, and what was given to it. Ends the program for help and for mistakes."""
    name, rest, given = "", arguments, argparse.Namespace()
    while name in GROUPS:
        parser = group_parser(name)
        parser.typed = sys.argv[1:] if rest is None else rest
        parser.parse_args(rest, given)
        name, rest, group = f"{name} {given.command}".strip(), given.rest, name
        del given.command, given.rest
        if name not in GROUPS and name not in names():
            parser.error(f"no such command: {name!r}{did_you_mean(name, names() if group else first_words())}")
    found = entry(name)
    return found, parser_of(found).parse_args(rest, given)


def group_parser(group: str) -> Parser:
    """The parser of what stands before a command, or after the first word of some; its help lists the commands."""
    prog = f"usernym {group}".strip()
    parser = Parser(prog=prog, description=GROUPS[group], add_help=False, usage=f"{prog} [OPTIONS] COMMAND …")
    parser.add_argument("command", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    _add_common(parser)
    if not group:
        parser.add_argument("--version", action="version", version=f"usernym {__version__}", help="print the version")
    parser.add_argument("--help", "-h", action=_GroupHelp, help="print this help")
    return parser


def parser_of(found: Entry) -> Parser:
    """A command's parser: its own options first, those that it shares with others after them."""
    parser = Parser(prog=f"usernym {found.name}", description=sentence(found.summary))
    for each in found.options:
        each(parser)
    if found.kind == "client":
        _add_shared(parser)
    _add_common(parser)
    parser.usage = f"{parser.prog} [OPTIONS]" + "".join(_argument(each) for each in parser.arguments)
    return parser


def _argument(action: argparse.Action) -> str:
    """An argument as the usage shows it; nothing for an option."""
    if action.option_strings or action.help is argparse.SUPPRESS:
        return ""
    return f" [{action.metavar}]" if action.nargs == "?" else f" {action.metavar}"


def _add_common(parser: argparse.ArgumentParser) -> None:
    """Options that every command takes, before its name or after it."""
    # Without defaults, so that those given before a command's name survive the command's own parsing.
    common = parser.add_argument_group(COMMON, argument_default=argparse.SUPPRESS)
    common.add_argument("--home", type=Path, metavar="DIR", help="the folder with keys and data; one process holds it")
    common.add_argument("--config", type=Path, metavar="FILE", help="settings; default: usernym.toml in the home")
    common.add_argument("--timeout", type=seconds, metavar="TIME", help="how long to wait, as 10s or 2m; default 60s")
    common.add_argument("--json", action="store_true", help="print JSON, one object a line")
    common.add_argument("--log-level", choices=LOG_LEVELS, help="how much is logged on the standard error")
    common.add_argument("--log-format", choices=LOG_FORMATS, help="text (default), or json: one object a line")


def _add_shared(parser: argparse.ArgumentParser) -> None:
    shared = parser.add_argument_group(SHARED, argument_default=argparse.SUPPRESS)
    text = "the mixnet, remembered: nym for a client in this process, or a nym-client as ws://127.0.0.1:1978"
    shared.add_argument("--mixnet", metavar="MIXNET", help=text)
    shared.add_argument("--node", metavar="CARD", help="the node's card: its text, a file, or - to read it")
    text = "whether a stranger's first message makes them a contact at once (default), or waits as a request"
    shared.add_argument("--accept-strangers", action=argparse.BooleanOptionalAction, help=text)
    text = "another node that must sign the heads of the node's log: its card, or a file; may be given several times"
    shared.add_argument("--witness", dest="witnesses", action="append", metavar="CARD", help=text)
    text = "how many of these must sign a head; default: all, but at most 3"
    shared.add_argument("--witnesses-needed", type=number(1, WITNESSES_MAX), metavar="N", help=text)


# -- help and mistakes ------------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """An argument parser that suggests what was meant, and whose error ends with the way to the help."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)
        self.typed: Sequence[str] = ()
        """What a group's parser is given: without a command, argparse says nothing of options that do not exist."""

    def _print_message(self, message: str, file: Any = None) -> None:
        """Print help, or what is wrong; the base class hides it when that fails."""
        if file is sys.stdout:
            print_whole(message)
        elif message:
            print_err(message.removesuffix("\n"))

    @property
    def group(self) -> str:
        """The first word of its commands; empty for the program's own parser."""
        return self.prog.removeprefix("usernym").strip()

    @property
    def arguments(self) -> list[argparse.Action]:
        """All arguments and options, in the order of the help."""
        return list(self._actions)

    def listed(self, title: str | None) -> list[argparse.Action]:
        """What the help lists under this title; with None, a command's own arguments and options."""
        wanted = (self._positionals, self._optionals) if title is None else [
            group for group in self._action_groups if group.title == title
        ]  # fmt: skip
        return [action for group in wanted for action in group._group_actions]  # noqa: SLF001 - not public in argparse

    def error(self, message: str) -> NoReturn:
        """Print the usage and the mistake, and end the program with 2."""
        options = [option for action in self.arguments for option in action.option_strings]
        if message.endswith("required: command, rest"):
            slips = [each for each in self.typed if each[:1] == "-" and each.partition("=")[0] not in [*options, "-"]]
            if not slips:
                self.exit(2, help_text(self, self.group))
            message = f"unrecognized arguments: {' '.join(slips)}"
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            message = f"no such option or argument: {unknown}{did_you_mean(unknown.split()[0], options)}"
        if len(message) > MISTAKE_MAX:
            message = f"{message[:MISTAKE_MAX]} …"
        self.exit(2, f"{self.format_usage()}{self.prog}: {message}\n(`{self.prog} --help` says more)\n")


class _GroupHelp(argparse.Action):
    """Prints the help of the program, or of a group of commands, with its commands by topic."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:  # noqa: A002 - the base's name
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        assert isinstance(parser, Parser), "only its own class adds it"
        print_whole(help_text(parser, parser.group))
        parser.exit(0)


def help_text(parser: Parser, prefix: str) -> str:
    """The help of the program (`prefix` is empty), or of the commands whose first word is `prefix`."""
    parts = [f"usage: {parser.usage}", str(parser.description)]
    for title, commands in by_topic(prefix):
        shown = "\n".join(_row(each.name, each.summary) for each in commands)
        parts.append(f"{title}:\n{shown}")
    options = parser.format_help().partition(f"{COMMON}:\n")[2]
    parts.append(f"{COMMON}:\n{options.rstrip()}")
    parts.append(textwrap.fill(f"`usernym COMMAND --help` says what a command does. {SETTINGS_NOTE}", 100))
    codes = "\n".join(_row(str(int(code)), meaning) for code, meaning in MEANINGS.items())
    parts.append(f"exit codes:\n{codes}")
    return "\n\n".join(parts) + "\n"


def by_topic(prefix: str = "") -> Iterator[tuple[str, list[Entry]]]:
    """The commands whose names begin with the word `prefix`, by topic."""
    found: dict[str, list[Entry]] = {}
    for topic in TOPICS:
        for name in topic.names:
            if not prefix or name.startswith(f"{prefix} "):
                found.setdefault(topic.title, []).append(entry(name))
    yield from found.items()


def first_words() -> list[str]:
    """What may stand first after `usernym`."""
    return list(dict.fromkeys(name.split()[0] for name in names()))


def words_after(group: str) -> list[tuple[str, str]]:
    """What may stand after `usernym`, or after the first word of a group, each with a summary."""
    commands = [(each, entry(each).summary) for each in names() if each.rpartition(" ")[0] == group]
    groups = [(each, text) for each, text in GROUPS.items() if each and each.rpartition(" ")[0] == group]
    return [(each.split()[-1], text) for each, text in commands + groups]


def sentence(text: str) -> str:
    """A summary as a sentence of its own."""
    return f"{text[:1].upper()}{text[1:]}."


def did_you_mean(typed: str, known: Sequence[str]) -> str:
    """A suggestion for an unknown word, or nothing."""
    close = difflib.get_close_matches(typed, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _row(name: str, summary: str) -> str:
    return textwrap.fill(summary, 100, initial_indent=f"  {name:<17} ", subsequent_indent=" " * 20)
