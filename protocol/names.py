"""Usernames: the one canonical form, what is refused and why, and the skeleton that detects look-alikes.

docs/protocol.md, "Names". 3 to 32 of `a-z`, `0-9` and `_`, starting with a letter. Upper case is folded where a person
types; on the wire only the canonical form is valid.
"""

from __future__ import annotations

import string
from typing import Final

from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import NAME_LETTERS_MAX, NAME_LETTERS_MIN

_LETTERS: Final = frozenset(string.ascii_lowercase)
_ALLOWED: Final = frozenset(string.ascii_lowercase + string.digits + "_")

RESERVED: Final = frozenset(
    {
        "abuse",
        "admin",
        "administrator",
        "anonymous",
        "api",
        "bot",
        "everyone",
        "help",
        "hostmaster",
        "info",
        "moderator",
        "nobody",
        "node",
        "node_operator",
        "nym",
        "nymtech",
        "official",
        "operator",
        "owner",
        "postmaster",
        "root",
        "security",
        "self",
        "service",
        "staff",
        "status",
        "support",
        "system",
        "team",
        "usernym",
        "webmaster",
        "you",
    }
)
"""Names that would let their holder speak for the node, the project or no one in particular."""

SKELETON_VERSION: Final = 1
"""The version of the list below. A store keeps it beside each skeleton, so that the list can grow."""

_LOOK_ALIKES_V1: Final = str.maketrans({"0": "o", "1": "l", "i": "l"})


def canonical(typed: str) -> str:
    """The canonical form of what a person typed. Raises `RemoteProtocolError` with the reason why it is not a name."""
    folded = typed.strip()
    if folded.isascii():
        folded = folded.lower()
    check(folded)
    return folded


def check(name: str) -> None:
    """Raise `RemoteProtocolError` with the reason unless `name` is in canonical form (reserved names pass)."""
    if any(letter not in _ALLOWED for letter in name):
        raise RemoteProtocolError(Code.NAME_BAD_CHARACTER, "a name has only a-z, 0-9 and _")
    if len(name) < NAME_LETTERS_MIN:
        raise RemoteProtocolError(Code.NAME_TOO_SHORT, f"a name has at least {NAME_LETTERS_MIN} letters")
    if len(name) > NAME_LETTERS_MAX:
        raise RemoteProtocolError(Code.NAME_TOO_LONG, f"a name has at most {NAME_LETTERS_MAX} letters")
    if name[0] not in _LETTERS:
        raise RemoteProtocolError(Code.NAME_BAD_START, "a name starts with a letter")


def check_registrable(name: str) -> None:
    """As `check`, and raise for a reserved name or one that looks like a reserved one."""
    check(name)
    if skeleton(name) in _RESERVED_SKELETONS:
        raise RemoteProtocolError(Code.NAME_RESERVED, "this name is reserved")


def skeleton(name: str) -> str:
    """What `name` looks like: two names with one skeleton can be mistaken for each other."""
    return name.translate(_LOOK_ALIKES_V1)


_RESERVED_SKELETONS: Final = frozenset(skeleton(name) for name in RESERVED)
