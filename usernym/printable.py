"""Text made safe for a terminal or a log: nothing that a peer or a node wrote may steer the terminal or fake a line."""

from __future__ import annotations

import unicodedata
from typing import Final

CONTINUED: Final = "    | "
"""Starts the second and later lines of a text: a line without it is the program's own."""
_JOINERS: Final = frozenset("\u200c\u200d")
"""Invisible, harmless, and needed by emoji and by several scripts."""
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, formats (some reverse the direction of text), lone surrogates, line and paragraph separators."""


def printable(text: str) -> str:
    """`text` on one line; each character that could do more than be seen becomes an escape."""
    return "".join(_shown(character) for character in text)


def printable_text(text: str) -> str:
    """As `printable`, but line breaks stay, and each line after the first starts with `CONTINUED`."""
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
