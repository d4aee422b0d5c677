"""Text made safe for a terminal or a log: nothing that a peer or a node wrote may steer the terminal or fake a line.

A terminal wraps a line that is longer than its width, and what follows begins at its left edge, where the program's
own lines begin. So a long line is broken here, before the terminal does it, and each further line begins with a mark.
"""

from __future__ import annotations

import unicodedata
from typing import Final

CONTINUED: Final = "    | "
"""Starts the second and later lines of a text: a line without it is the program's own."""
_LEFT: Final = "\u200e"
"""Invisible, and written from left to right: behind the mark it keeps the mark on the left. A terminal may begin a line
of Hebrew or Arabic on the right; the Latin end of that line would then stand on the left."""
COLUMNS_MIN: Final = len(CONTINUED) + 2
"""The mark, and one wide character. On a narrower terminal nothing can be marked."""
_JOINERS: Final = frozenset("\u200c\u200d")
"""Invisible, harmless, and needed by emoji and by several scripts."""
_WIDENER: Final = "\ufe0f"
"""Asks for the wide form of the character before it. Some terminals do it."""
_EAST_ASIAN_FROM: Final = 0x3000
"""From here on, a character of ambiguous width is drawn with the East Asian ones; before are the European letters."""
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, formats (some reverse the direction of text), lone surrogates, line and paragraph separators."""


def printable(text: str) -> str:
    """`text` on one line; each character that could do more than be seen becomes an escape."""
    return "".join(_shown(character) for character in text)


def marked(text: str, columns: int | None, *, ambiguous: int = 1) -> str:
    """As `printable`, but line breaks stay, no line is wider than `columns`, and all after the first are marked.

    `columns` is the terminal's width, `COLUMNS_MIN` at least; with None only the line breaks of `text` make new lines.
    `ambiguous` is the width of characters that are wide on some terminals for East Asian languages.
    """
    given = [printable(line) for line in text.replace("\r\n", "\n").split("\n")]
    if columns is not None:
        first, *others = given
        given = _broken(first, columns, len(CONTINUED), ambiguous)
        for other in others:
            given += _broken(other, columns - len(CONTINUED), 0, ambiguous)
    first, *others = given
    return "\n".join([first, *(CONTINUED + (_LEFT if _turns(line) else "") + line for line in others)])


def _turns(line: str) -> bool:
    """Whether some of it is written from right to left."""
    return not line.isascii() and any(unicodedata.bidirectional(letter) in {"R", "AL", "AN"} for letter in line)


def width_of(character: str, ambiguous: int = 1) -> int:
    """The columns that a printable character takes on a terminal: 0, 1 or 2.

    Terminals differ. Where they may, this is the higher number: a line that is broken too early has its mark, one that
    the terminal breaks has none. What newer versions of Unicode have made wide is among the symbols, the unassigned,
    and the characters beyond the 16-bit plane, which are all counted as wide.
    """
    number = ord(character)
    category = unicodedata.category(character)
    east_asian = unicodedata.east_asian_width(character)
    if number > 0xFFFF or category in {"So", "Cn"} or east_asian in {"W", "F"}:
        return 2
    if character == _WIDENER:
        return 1
    if category in {"Mn", "Me"} or character in _JOINERS:
        return 0
    if east_asian == "A":
        return ambiguous if number < _EAST_ASIAN_FROM else 2
    return 1


def _broken(line: str, columns: int, less: int, ambiguous: int) -> list[str]:
    """`line` in pieces: the first of at most `columns`, the others `less` narrower; between words if possible."""
    pieces = []
    start = after_blank = used = 0
    room = max(columns, COLUMNS_MIN - len(CONTINUED))
    at = 0
    while at < len(line):
        wide = width_of(line[at], ambiguous)
        if used + wide > room:
            end = after_blank if after_blank > start else at
            pieces.append(line[start:end])
            start = after_blank = at = end
            room = max(columns - less, COLUMNS_MIN - len(CONTINUED))
            used = 0
            continue
        used += wide
        at += 1
        if line[at - 1] == " ":
            after_blank = at
    return [*pieces, line[start:]]


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
