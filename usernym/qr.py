"""QR codes of links and safety numbers, for a page and for a terminal. What they hold: docs/protocol.md, "Links"."""

from __future__ import annotations

import io
from typing import Final

import segno

_ERROR: Final = "m"
"""About 15 % of a code may be covered or glare: ISO/IEC 18004's middle level, meant for screens and paper."""
_BORDER: Final = 4
"""Modules of quiet zone: what ISO/IEC 18004 asks for."""
_WHITE_ON_BLACK: Final = "\x1b[97;40m"
_RESET: Final = "\x1b[0m"


def rows(text: str) -> list[str]:
    """`text` as the code's modules, row by row: "1" is dark. Without the quiet zone of four modules around it."""
    return ["".join("1" if module else "0" for module in row) for row in _code(text).matrix]


def terminal(text: str) -> str:
    """`text` as lines of half blocks in colours of their own, to be scanned off a dark terminal or a light one.

    A link takes at most 49 columns and 25 lines. Needs a terminal with UTF-8 and ANSI colours.
    """
    out = io.StringIO()
    _code(text).terminal(out, border=_BORDER, compact=True)
    return "\n".join(f"{_WHITE_ON_BLACK}{line}{_RESET}" for line in out.getvalue().splitlines())


def _code(text: str) -> segno.QRCode:
    return segno.make_qr(text, error=_ERROR, boost_error=False)
