"""Hints at other commands, which name the home that was named: typed as they stand, they must do what they say."""

from __future__ import annotations

import re
import shlex
from argparse import Namespace
from dataclasses import dataclass
from typing import Final, Self

_OF_NODES: Final = re.compile(r"`usernym node (?:log )?[a-z]+")
_OF_CLIENTS: Final = re.compile(
    r"`usernym (?!(?:node|mixnet|demo|check-name|completion|simulate|help|audit)\b)[a-z][a-z-]*"
)
"""Commands in hints, on the home of a node and on that of a client."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What is put into hints: the home, if it was typed. The default home and USERNYM_HOME hold without."""

    option: str
    kind: str = "client"

    @classmethod
    def of(cls, given: Namespace, kind: str = "client") -> Self:
        """For what was typed."""
        home = getattr(given, "home", None)
        return cls("" if home is None else f" --home {shlex.quote(str(home))}", kind)

    def put_in(self, text: str) -> str:
        """The text, with the home in each command in backticks that is on such a home."""
        commands = _OF_NODES if self.kind == "node" else _OF_CLIENTS
        return commands.sub(lambda found: f"{found[0]}{self.option}", text)

    def command(self, rest: str) -> str:
        """A command that may be typed next."""
        return f"usernym {rest}{self.option}"
