"""Ed25519 signatures, each over a context label, so that no signature can be taken for one of another kind.

docs/protocol.md, "Signatures". What is signed starts with `usernym/1 <context>` and a zero byte; nothing that a peer
chose is signed without such a label.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import KEY_BYTES, VERSION


class Context(StrEnum):
    """What a signature, hash or MAC is for."""

    REQUEST = "request"
    ANSWER = "answer"
    TELL = "tell"
    RECORD = "record"
    RECORD_HASH = "record hash"
    SUCCESSION = "succession"
    CARD = "card"
    SEALED = "sealed"
    UNOPENABLE = "unopenable"
    HPKE = "hpke"
    CHALLENGE = "challenge"
    WORK = "work"
    LOOKUP_WORK = "lookup work"
    IDENTITY = "identity"
    RECOVERY = "recovery"
    SAFETY = "safety number"
    LINK_NODE = "link node"
    LINK_IDENTITY = "link identity"
    LINK_CHECK = "link check"
    FILE = "file"
    VRF_KEY = "directory vrf key"
    LABEL = "directory label"
    EVENT = "directory event"
    CHAIN = "directory chain"
    MAP_LEAF = "directory map leaf"
    MAP_NODE = "directory map node"
    EPOCH = "directory epoch"
    DAY_KEY = "directory day key"
    NOT_ORDERED = "not ordered"


def labelled(context: Context, *parts: bytes) -> bytes:
    """`usernym/1 <context> 00 ‖ version ‖ parts`. The caller makes the parts unambiguous (fixed or prefixed length)."""
    return b"usernym/1 " + context.encode() + b"\0" + bytes((VERSION,)) + b"".join(parts)


def prefixed(text: str) -> bytes:
    """A short text behind one byte that holds its length in bytes."""
    raw = text.encode()
    return bytes((len(raw),)) + raw


def digest(context: Context, *parts: bytes) -> bytes:
    """SHA-256 over the labelled parts, 32 bytes."""
    return hashlib.sha256(labelled(context, *parts)).digest()


NOTE_START: Final = b"usernym/directory/"
"""How the text of a node's own head begins. What is signed with a label begins with `usernym/1 `."""
COSIGNED_START: Final = b"cosignature/v1\n"
"""The same of another node's head, as a witness signs it."""
_TEXT_STARTS: Final = (NOTE_START, COSIGNED_START)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 private key (RFC 8032), made from its 32-byte seed."""

    _key: Ed25519PrivateKey = field(repr=False)
    public: bytes = field(repr=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """The key of a 32-byte seed."""
        key = Ed25519PrivateKey.from_private_bytes(seed)
        return cls(key, key.public_key().public_bytes_raw())

    def sign(self, context: Context, *parts: bytes) -> bytes:
        """A 64-byte signature over the labelled parts."""
        return self._key.sign(labelled(context, *parts))

    def sign_text(self, text: bytes) -> bytes:
        """A 64-byte signature over a text of a C2SP signed note, which has no label: it begins otherwise than one."""
        if not text.startswith(_TEXT_STARTS):
            raise ValueError("not a text that can't be taken for a labelled one")
        return self._key.sign(text)

    def derived_seed(self, context: Context) -> bytes:
        """A 32-byte seed of another key, which only the holder of this one can make."""
        return digest(context, self._key.private_bytes_raw())


_FIELD_PRIME: Final = 2**255 - 19
_SMALL_ORDER_Y: Final = frozenset(
    y.to_bytes(32, "little")
    for y in (
        0,
        1,
        _FIELD_PRIME - 1,
        _FIELD_PRIME,
        _FIELD_PRIME + 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    )
)
"""The y coordinates of the points of order 1, 2, 4 and 8, canonical or not. A signature for such a key is valid for
almost any message, and the library's verification (RFC 8032, section 5.1.7) does not refuse them."""


def is_public_key(public: bytes) -> bool:
    """Whether these 32 bytes can be someone's Ed25519 key: not a point of small order."""
    return len(public) == KEY_BYTES and public[:31] + bytes((public[31] & 0x7F,)) not in _SMALL_ORDER_Y


def verify(public: bytes, signature: bytes, context: Context, *parts: bytes) -> None:
    """Raise `RemoteProtocolError(SIGNATURE_INVALID)` unless `signature` is `public`'s over the labelled parts."""
    if not is_signed(public, signature, context, *parts):
        raise RemoteProtocolError(Code.SIGNATURE_INVALID, f"not a valid {context} signature")


def is_signed(public: bytes, signature: bytes, context: Context, *parts: bytes) -> bool:
    """Whether `signature` is `public`'s over the labelled parts."""
    return _holds(public, signature, labelled(context, *parts))


def text_is_signed(public: bytes, signature: bytes, text: bytes) -> bool:
    """Whether `signature` is `public`'s over the text of a signed note."""
    return text.startswith(_TEXT_STARTS) and _holds(public, signature, text)


def _holds(public: bytes, signature: bytes, data: bytes) -> bool:
    try:
        if not is_public_key(public):
            return False
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
