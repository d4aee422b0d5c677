"""Safety numbers: sixty digits that two people compare to know that no node swapped their keys.

docs/protocol.md, "Safety numbers".
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.signing import Context, labelled, prefixed

ROUNDS: Final = 5_200
"""Hashes for one fingerprint: a search for a key whose thirty digits collide costs 2^12 times more. As Signal's."""
CODE_PREFIX: Final = "usernym-safety:"
"""What a safety number's QR code begins with: so that no other scanned number is taken for one."""
_GROUPS: Final = 6
_GROUP_DIGITS: Final = 5


@lru_cache(maxsize=1024)
def fingerprint(node: bytes, name: str, identity_key: bytes) -> str:
    """Thirty digits for one user's identity at one node."""
    content = labelled(Context.SAFETY, node, prefixed(name), identity_key)
    value = content
    for _ in range(ROUNDS):
        value = hashlib.sha512(value + identity_key).digest()
    groups = (int.from_bytes(value[at : at + 5], "big") % 10**_GROUP_DIGITS for at in range(0, 5 * _GROUPS, 5))
    return "".join(f"{group:05d}" for group in groups)


def safety_number(node: bytes, mine: tuple[str, bytes], theirs: tuple[str, bytes]) -> str:
    """Sixty digits in twelve groups, the same for both sides. Each side is (name, identity key)."""
    digits = "".join(sorted(fingerprint(node, name, key) for name, key in (mine, theirs)))
    return " ".join(digits[at : at + _GROUP_DIGITS] for at in range(0, len(digits), _GROUP_DIGITS))


def number_code(number: str) -> str:
    """What the QR code of a safety number holds; the same on both sides."""
    return CODE_PREFIX + "".join(number.split())


def parse_number(text: str) -> str:
    """The sixty digits of a safety number that someone typed, or scanned off the other's screen.

    Raises `RemoteProtocolError(MALFORMED)` if it is not a safety number. The caller compares it with the right one.
    """
    digits = "".join(text.split())
    if digits[: len(CODE_PREFIX)].lower() == CODE_PREFIX:
        digits = digits[len(CODE_PREFIX) :]
    if len(digits) != 2 * _GROUPS * _GROUP_DIGITS or not (digits.isascii() and digits.isdecimal()):
        raise RemoteProtocolError(Code.MALFORMED, "a safety number has sixty digits")
    return digits
