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


def svg(text: str) -> str:
    """`text` as an SVG element, always black on white, and as large as its container.

    It holds no script, no style, no reference and nothing of `text` but its modules: a page with a strict content
    security policy can embed it as it is.
    """
    out = io.BytesIO()
    _code(text).save(
        out, kind="svg", xmldecl=False, border=_BORDER, dark="#000", light="#fff", omitsize=True, svgclass=None,
        lineclass=None, nl=False,
    )  # fmt: skip
    return out.getvalue().decode()


def terminal(text: str) -> str:
    """`text` as lines of half blocks in colours of their own, to be scanned off a dark terminal or a light one.

    A link takes at most 49 columns and 25 lines. Needs a terminal with UTF-8 and ANSI colours.
    """
    out = io.StringIO()
    _code(text).terminal(out, border=_BORDER, compact=True)
    return "\n".join(f"{_WHITE_ON_BLACK}{line}{_RESET}" for line in out.getvalue().splitlines())


def _code(text: str) -> segno.QRCode:
    return segno.make_qr(text, error=_ERROR, boost_error=False)
