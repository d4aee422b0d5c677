"""Links: one line that identifies a person, so that a friend's client can verify them at once.

docs/protocol.md, "Links". A link carries a name and two fingerprints, the node's and the identity's; not the keys: a
client compares it with what a lookup returns, and takes nothing else from it.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final

from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import NAME_LETTERS_MAX, VERSION
from usernym.protocol.names import check
from usernym.protocol.signing import Context, digest, prefixed

SCHEME: Final = "usernym:"
FINGERPRINT_BYTES: Final = 16
"""Of SHA-256: another key that fits costs 2^128 tries. The name and the node are hashed too, so that no work is shared
between victims."""
_CHECK_BYTES: Final = 2
_DATA_BYTES: Final = 1 + 2 * FINGERPRINT_BYTES + _CHECK_BYTES
"""Version, two fingerprints, check: 35 bytes are 56 letters of base32, with no bit to spare, so there is one form."""
LINK_LETTERS_MAX: Final = len(SCHEME) + NAME_LETTERS_MAX + 1 + _DATA_BYTES * 8 // 5
"""97: scheme, the longest name, a slash, the letters."""
_LATER_LETTERS_MAX: Final = 512
"""How much of a later version's link is read, to recognise it as one."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says: the identity key of `name`, at the node with that key, has this fingerprint (16 bytes each)."""

    name: str = field(repr=False)
    node_fingerprint: bytes = field(repr=False)
    identity_fingerprint: bytes = field(repr=False)

    def is_of_node(self, node: bytes) -> bool:
        """Whether it names the node with this identity key."""
        return self.node_fingerprint == _node_fingerprint(node)

    def matches(self, node: bytes, identity_key: bytes) -> bool:
        """Whether its name has this identity key at this node, as far as the link says."""
        return self.is_of_node(node) and self.identity_fingerprint == _identity_fingerprint(
            node, self.name, identity_key
        )


def _node_fingerprint(node: bytes) -> bytes:
    return digest(Context.LINK_NODE, node)[:FINGERPRINT_BYTES]


def _identity_fingerprint(node: bytes, name: str, identity_key: bytes) -> bytes:
    return digest(Context.LINK_IDENTITY, node, prefixed(name), identity_key)[:FINGERPRINT_BYTES]


def _check(name: str, data: bytes) -> bytes:
    """Detects typing and scanning errors, so that they are not taken for another key."""
    return digest(Context.LINK_CHECK, prefixed(name), data)[:_CHECK_BYTES]


def make_link(node: bytes, name: str, identity_key: bytes) -> Link:
    """The link to a name in canonical form; both keys have 32 bytes."""
    return Link(name, _node_fingerprint(node), _identity_fingerprint(node, name, identity_key))


def link_text(link: Link) -> str:
    """The link's one form: `usernym:NAME/` and 56 letters of base32 (RFC 4648), in lower case."""
    data = bytes((VERSION,)) + link.node_fingerprint + link.identity_fingerprint
    return f"{SCHEME}{link.name}/{_letters(data + _check(link.name, data))}"


def _letters(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=").lower()


def is_link(text: str) -> bool:
    """Whether this is meant as a link, and not as a name."""
    return text.strip()[: len(SCHEME)].lower() == SCHEME


def parse_link(text: str) -> Link:
    """A link as someone typed, pasted or scanned it: in upper case too, and with white space around it.

    Raises `RemoteProtocolError`: `UNSUPPORTED_VERSION` for a later version's, `LINK_INVALID` for everything else that
    is not exactly one link, also for a link with parameters: this version has none.
    """
    line = text.strip()
    if len(line) > _LATER_LETTERS_MAX or not line.isascii() or not is_link(line):
        raise RemoteProtocolError(Code.LINK_INVALID, f"a link is one line that starts with {SCHEME}")
    name, _, letters = line.lower().removeprefix(SCHEME).partition("/")
    try:
        check(name)
        data = base64.b32decode(letters.upper() + "=" * (-len(letters) % 8))
    except (RemoteProtocolError, binascii.Error):
        raise RemoteProtocolError(Code.LINK_INVALID, "the link is damaged") from None
    body, found = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
    if not body or found != _check(name, body) or _letters(data) != letters:
        raise RemoteProtocolError(Code.LINK_INVALID, "the link is damaged")
    if body[0] != VERSION:
        raise RemoteProtocolError(Code.UNSUPPORTED_VERSION, "a link of another version")
    if len(data) != _DATA_BYTES:
        raise RemoteProtocolError(Code.LINK_INVALID, "the link is damaged")
    return Link(name, body[1 : 1 + FINGERPRINT_BYTES], body[1 + FINGERPRINT_BYTES :])
