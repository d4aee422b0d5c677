"""What a command is: its place on the command line, what the process that holds a home performs, and what it prints.

A command is an `Entry` in the module of its group, and a name in the table of `usernym.cli.grammar`. What it wants of a
client or a node is a `ClientCommand` or a `NodeCommand`: a typed value that the process which holds the home performs,
either this one or another that gets it over the control socket. The answer is a typed value, too. `session.asks` makes
the entry of a command that is no more than that.

Modules of commands import nothing heavy at their top, so that `usernym --help` is quick.
"""

from __future__ import annotations

import math
import re
import time
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

import msgspec

from usernym.cli.hints import Hint
from usernym.cli.terminal import print_json, print_line
from usernym.settings import INTEGER_MAX, CommonSettings, duration, whole_number

if TYPE_CHECKING:
    from usernym import Client, Node

Answer = TypeVar("Answer")
SettingsT_co = TypeVar("SettingsT_co", bound=CommonSettings, covariant=True)

Kind = Literal["client", "node", "none"]
"""Whose home and settings a command works on."""
Said = str | Callable[[Any, Namespace], None]
"""What a person reads of a reply: a text with `{reply.…}` and `{given.…}` in it, or a function that prints it."""
Option = Callable[[Any], object]
"""Adds an option or an argument to a parser, or to a group of one."""
PAUSE_S: Final = 0.2
"""Between tries while something is still starting."""
CALL_S_MIN: Final = 0.1
_DECIMAL: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{0,12})?")
TEXTS_SHOWN_MAX: Final = 1000
"""Texts of one answer: more fit neither a terminal nor the control socket."""


@dataclass(frozen=True, slots=True)
class Invocation(Generic[SettingsT_co]):
    """A command as it was typed, with its settings."""

    home: Path
    settings: SettingsT_co
    given: Namespace
    """The command's own options and arguments; `name` in its canonical form."""
    json: bool = False

    def show(self, reply: msgspec.Struct, said: Said) -> None:
        """Print a reply: as JSON with --json, else in words."""
        if self.json:
            print_json(reply)
        elif isinstance(said, str):
            print_line(Hint.of(self.given).put_in(said.format(reply=reply, given=self.given)))
        else:
            said(reply, self.given)


@dataclass(frozen=True, slots=True)
class Entry:
    """A command on the command line. Its name has two words in a group, as `node run`."""

    name: str
    summary: str
    run: Callable[[Invocation[Any]], None]
    options: tuple[Option, ...] = ()
    kind: Kind = "client"
    prints: tuple[type[msgspec.Struct], ...] = ()
    """The objects that it prints with --json; docs/json.md is checked against them."""


class ClientCommand(msgspec.Struct, Generic[Answer], frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """What the process that holds a client's home performs. The type parameter is the answer's type."""

    def perform(self, client: Client, deadline: Deadline, /) -> Answer:
        """Do it. Any exception is passed on to the command's user by `failure_of`."""
        raise NotImplementedError


class NodeCommand(msgspec.Struct, Generic[Answer], frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """What the process that runs a node performs. The type parameter is the answer's type."""

    def perform(self, node: Node, deadline: Deadline, /) -> Answer:
        """Do it, as a `ClientCommand` does."""
        raise NotImplementedError


Command = ClientCommand[Answer] | NodeCommand[Answer]


def answer_type(command: type[Command[Answer]]) -> type[Answer]:
    """The type of a command's answer, as its class says it."""
    (base,) = vars(command)["__orig_bases__"]
    answer: type[Answer] = base.__args__[0]
    return answer


class Deadline:
    """When to stop waiting."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._end = time.monotonic() + timeout

    def left(self) -> float:
        """Seconds left; never less than `CALL_S_MIN`, so that an answer that is ready is still taken."""
        return max(CALL_S_MIN, self._end - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._end

    def pause(self, seconds: float = PAUSE_S) -> None:
        """Wait before the next try."""
        time.sleep(min(seconds, self.left()))


# -- options and arguments --------------------------------------------------------------------------------------------


def option(*names: str, **keywords: Any) -> Option:
    """An option or an argument, as `ArgumentParser.add_argument` takes it."""
    return lambda parser: parser.add_argument(*names, **keywords)


def switch(name: str, text: str) -> Option:
    """An option that is given or not."""
    return option(name, action="store_true", help=text)


def one_of(*options: Option) -> Option:
    """Options of which one may be given."""

    def add(parser: Any) -> None:
        group = parser.add_mutually_exclusive_group()
        for each in options:
            each(group)

    return add


NAME: Final = option("name", metavar="NAME")
YES: Final = switch("--yes", "do not ask")


def seconds(text: str) -> float:
    """A duration such as 10s."""
    try:
        return duration(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def number(low: int, high: int = INTEGER_MAX) -> Callable[[str], int]:
    """What makes a whole number from `low` to `high` of a text: the one type for all numbers that are typed."""

    def parse(text: str) -> int:
        try:
            return whole_number(text, low, high)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    return parse


def decimal(low: float, high: float) -> Callable[[str], float]:
    """What makes a number from `low` to `high` of a text."""

    def parse(text: str) -> float:
        value = float(text) if _DECIMAL.fullmatch(text) else math.nan
        if not low <= value <= high:
            raise ArgumentTypeError(f"expected a number from {low:g} to {high:g}")
        return value

    return parse
