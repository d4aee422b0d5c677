"""A structure as one line of text that people pass on: a prefix, and the encoding in unpadded base64url."""

from __future__ import annotations

import base64
import binascii


def to_line(prefix: str, data: bytes) -> str:
    """The one line for `data`."""
    return prefix + base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def of_line(text: str, prefix: str, letters_max: int) -> bytes:
    """The data of a line, with or without white space around it. Raises ValueError, which says what is wrong with it.

    Data has one line: another spelling of the same bytes is refused, too.
    """
    line = text.strip()
    if len(line) > letters_max or not line.isascii() or not line.startswith(prefix):
        raise ValueError(f"that is one line, and starts with {prefix}")
    encoded = line.removeprefix(prefix)
    try:
        data = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("the line is damaged") from None
    if to_line(prefix, data) != line:
        raise ValueError("it is not in its canonical form")
    return data
