"""What a terminal shows, made safe: nothing that a peer or a node wrote may steer the terminal or fake a line."""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from typing import Any, Final

_JOINERS: Final = frozenset("\u200c\u200d")
"""Invisible, harmless, and needed by emoji and by several scripts."""
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, formats (the ones that turn text around are among them), lone surrogates, line and paragraph separators."""
_SPANS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
CONTINUED: Final = "    | "
"""What precedes the second and later lines of a text: a line without it is this program's own."""


def printable(text: str) -> str:
    """`text` on one line, with every character that could do more than be seen written as an escape."""
    return "".join(_shown(character) for character in text)


def printable_text(text: str) -> str:
    """As `printable`, but line breaks stay: what follows one is marked as a continuation."""
    lines = text.replace("\r\n", "\n").split("\n")
    return ("\n" + CONTINUED).join(printable(line) for line in lines)


def _shown(character: str) -> str:
    if character in _JOINERS:
        return character
    if character == "\t":
        return "    "
    if unicodedata.category(character) not in _UNSAFE:
        return character
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def clock(unix_s: int) -> str:
    """A moment in local time; the number may be anything that a peer wrote."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(unix_s))
    except (OverflowError, ValueError, OSError):
        return "at no possible time"


def span(seconds: int) -> str:
    """A duration as it is typed: in the greatest unit that it is a whole number of."""
    return next(f"{seconds // unit}{name}" for name, unit in _SPANS.items() if seconds % unit == 0)


def say(text: str) -> None:
    """A line of result: on the standard output, at once."""
    print(text, flush=True)


def say_json(value: dict[str, Any]) -> None:
    """One JSON object on a line of its own, in printable ASCII, at once."""
    # DEL is the one control character that JSON lets pass.
    print(json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f"), flush=True)


def note(text: str) -> None:
    """A line for the person only: on the standard error."""
    print(text, file=sys.stderr, flush=True)


def prepare_streams() -> None:
    """Let no character that the terminal's encoding lacks end the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def table(rows: list[tuple[str, str]]) -> str:
    """Names and values in two columns."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)
