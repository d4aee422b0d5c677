"""What a command is: its place on the command line, what the process that holds a home performs, and what it prints.

A command is an `Entry` in the module of its group, and a name in the table of `usernym.cli.grammar`. What it wants of a
client or a node is a `ClientCommand` or a `NodeCommand`: a typed value that the process which holds the home performs,
either this one or another that gets it over the control socket. The answer is a typed value, too.

Modules of commands import nothing heavy at their top, so that `usernym --help` is quick.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

import msgspec

from usernym.settings import CommonSettings, duration

if TYPE_CHECKING:
    from usernym import Client, Node

Answer = TypeVar("Answer")
SettingsT_co = TypeVar("SettingsT_co", bound=CommonSettings, covariant=True)

Kind = Literal["client", "node", "none"]
"""Whose home and settings a command works on."""
PAUSE_S: Final = 0.2
"""Between tries while something is still starting."""
CALL_S_MIN: Final = 0.1
TEXTS_SHOWN_MAX: Final = 1000
"""Texts of one answer: more fit neither a terminal nor the control socket."""


@dataclass(frozen=True, slots=True)
class Invocation(Generic[SettingsT_co]):
    """A command as it was typed, with its settings."""

    home: Path
    settings: SettingsT_co
    given: Namespace
    """The command's own options and arguments."""
    json: bool = False


def no_options(_parser: ArgumentParser) -> None:
    """For a command without options of its own."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A command on the command line. Its name has two words in a group, as `node run`."""

    name: str
    summary: str
    run: Callable[[Invocation[Any]], None]
    options: Callable[[ArgumentParser], None] = no_options
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
        """Do it. Any exception is passed on to the command's user by `failure_of`."""
        raise NotImplementedError


def answer_type(command: ClientCommand[Answer] | NodeCommand[Answer]) -> type[Answer]:
    """The type of a command's answer, as its class says it."""
    (base,) = vars(type(command))["__orig_bases__"]
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


# -- types of arguments -----------------------------------------------------------------------------------------------


def seconds(text: str) -> float:
    """A duration such as 10s."""
    try:
        return duration(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def probability(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise ArgumentTypeError("expected a probability from 0 to 1")
    return value


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError("expected a number above 0")
    return int(text)


def count(text: str) -> int:
    """How many texts to show."""
    if not text.isdecimal() or not 1 <= int(text) <= TEXTS_SHOWN_MAX:
        raise ArgumentTypeError(f"expected a number from 1 to {TEXTS_SHOWN_MAX}")
    return int(text)
