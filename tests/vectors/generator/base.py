"""The vector generator's own tools: MessagePack, labels, keys and signatures, sharing nothing with the package.

Written from docs/protocol.md alone, so that a slip in the package and a slip here would have to be the same slip.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

VERSION: Final = b"\x01"

CODES: Final = {
    "MALFORMED": 1,
    "UNSUPPORTED_VERSION": 2,
    "TOO_LARGE": 3,
    "UNEXPECTED": 4,
    "NAME_TOO_SHORT": 10,
    "NAME_TOO_LONG": 11,
    "NAME_BAD_CHARACTER": 12,
    "NAME_BAD_START": 13,
    "NAME_RESERVED": 14,
    "NAME_LOOKS_ALIKE": 15,
    "NAME_TAKEN": 16,
    "NAME_HELD": 17,
    "NO_SUCH_USER": 20,
    "NOT_REGISTERED": 21,
    "SIGNATURE_INVALID": 30,
    "RECORD_INVALID": 31,
    "RECORD_STALE": 32,
    "SUCCESSION_INVALID": 33,
    "CARD_INVALID": 34,
    "CARD_STALE": 35,
    "LINK_INVALID": 36,
    "EVIDENCE_INVALID": 37,
    "PROOF_INVALID": 38,
    "CHALLENGE_INVALID": 40,
    "CHALLENGE_EXPIRED": 41,
    "CHALLENGE_USED": 42,
    "WORK_INSUFFICIENT": 43,
    "CLOCK_SKEW": 50,
    "NOT_LOGGED_IN": 51,
    "REPLAYED": 52,
    "STALE_KEY": 60,
    "UNKNOWN_KEY": 61,
    "MAILBOX_FULL": 62,
    "SENDER_SHARE_FULL": 63,
    "UNOPENABLE": 64,
    "BUSY": 70,
    "WORK_WANTED": 71,
}
"""The list of docs/protocol.md, "Refusals", a second time."""

PRIME: Final = 2**255 - 19
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_EIGHTH: Final = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
_OTHER_EIGHTH: Final = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
SMALL_ORDER: Final = {
    "order 4": bytes(32),
    "order 4, sign bit": bytes(31) + b"\x80",
    "order 1": b"\x01" + bytes(31),
    "order 1, sign bit": b"\x01" + bytes(30) + b"\x80",
    "order 2": (PRIME - 1).to_bytes(32, "little"),
    "order 2, sign bit": (PRIME - 1 + 2**255).to_bytes(32, "little"),
    "order 4, not reduced": PRIME.to_bytes(32, "little"),
    "order 4, not reduced, sign bit": (PRIME + 2**255).to_bytes(32, "little"),
    "order 1, not reduced": (PRIME + 1).to_bytes(32, "little"),
    "order 1, not reduced, sign bit": (PRIME + 1 + 2**255).to_bytes(32, "little"),
    "order 8": bytes.fromhex(_EIGHTH),
    "order 8, sign bit": bytes.fromhex(_EIGHTH[:-2] + "85"),
    "order 8, other": bytes.fromhex(_OTHER_EIGHTH),
    "order 8, other, sign bit": bytes.fromhex(_OTHER_EIGHTH[:-2] + "fa"),
}
"""Every encoding of a point of small order."""

Vector = dict[str, Any]


@dataclass(frozen=True)
class Raw:
    """Bytes that stand in a structure as they are."""

    data: bytes


def pack_uint(value: int) -> bytes:
    """The shortest encoding of a number that is not negative."""
    if value < 0x80:
        return bytes((value,))
    for head, size in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
        if value < 1 << 8 * size:
            return bytes((head,)) + value.to_bytes(size, "big")
    raise ValueError("no such integer in MessagePack")


def _header(size: int, fix: tuple[int, int] | None, heads: Sequence[tuple[int, int]]) -> bytes:
    if fix is not None and size < fix[1]:
        return bytes((fix[0] | size,))
    for head, width in heads:
        if size < 1 << 8 * width:
            return bytes((head,)) + size.to_bytes(width, "big")
    raise ValueError("too long for MessagePack")


def array_header(size: int) -> bytes:
    """The shortest header of an array."""
    return _header(size, (0x90, 16), ((0xDC, 2), (0xDD, 4)))


def pack(value: object) -> bytes:
    """The canonical encoding of None, integers, str, bytes and sequences of them; `Raw` goes in untouched."""
    match value:
        case Raw(data):
            return data
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return pack_uint(value) if value >= 0 else struct.pack("b", value)
        case str():
            raw = value.encode()
            return _header(len(raw), (0xA0, 32), ((0xD9, 1), (0xDA, 2), (0xDB, 4))) + raw
        case bytes():
            return _header(len(value), None, ((0xC4, 1), (0xC5, 2), (0xC6, 4))) + value
        case list() | tuple():
            return array_header(len(value)) + b"".join(pack(item) for item in value)
        case _:
            raise TypeError(type(value).__name__)


_RUN: Final = re.compile(rb"(.{1,4}?)\1{99,}", re.DOTALL)


def hexed(data: bytes) -> str | list[object]:
    """Hex for JSON; data with long runs becomes a list of hex strings and of `[hex, times]`."""
    pieces: list[object] = []
    at = 0
    for run in _RUN.finditer(data):
        pieces += [data[at : run.start()].hex(), [run[1].hex(), len(run[0]) // len(run[1])]]
        at = run.end()
    pieces.append(data[at:].hex())
    return pieces if len(pieces) > 1 else data.hex()


def plain(value: object) -> object:
    """A value for JSON: bytes become `{"bin": hex}`, long texts `{"text": hex of their UTF-8}`."""
    match value:
        case bytes():
            return {"bin": hexed(value)}
        case str() if len(value) > 500:
            return {"text": hexed(value.encode())}
        case list() | tuple():
            return [plain(item) for item in value]
        case _:
            return value


def prefixed(text: str) -> bytes:
    """A text behind one byte with its length."""
    return bytes((len(text.encode()),)) + text.encode()


def labelled(context: str, *parts: bytes) -> bytes:
    """The bytes that are signed, hashed or bound for a context."""
    return f"usernym/1 {context}".encode() + b"\0" + VERSION + b"".join(parts)


def fixed(what: str, size: int = 32) -> bytes:
    """Bytes that are always the same for `what`, and look random."""
    return hashlib.shake_256(b"usernym test vectors: " + what.encode()).digest(size)


def message_key_pair(seed: bytes) -> tuple[hpke.MLKEM768X25519PrivateKey, bytes]:
    """X-Wing's key pair of a 32-byte seed."""
    expanded = hashlib.shake_256(seed).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
    public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
    return hpke.MLKEM768X25519PrivateKey(mlkem, x25519), public


def message_key(what: str) -> bytes:
    """A message key that is always the same for `what`."""
    return message_key_pair(fixed(what))[1]


def unusable(public: bytes) -> dict[str, bytes]:
    """Bytes of a message key's length to which no one can seal, each by what is wrong with them."""
    return {
        "whose ML-KEM part is out of range": b"\xff" * 1184 + public[1184:],
        "whose X25519 part is zeros": public[:1184] + bytes(32),
    }


@dataclass(frozen=True)
class Signer:
    """An Ed25519 key with its seed."""

    seed: bytes
    public: bytes

    def sign(self, context: str, *parts: bytes) -> bytes:
        """A signature over the labelled parts."""
        return self.sign_bare(labelled(context, *parts))

    def sign_bare(self, data: bytes) -> bytes:
        """A signature over nothing but `data`."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(data)


def signer(what: str) -> Signer:
    """The key that is always the same for `what`."""
    seed = fixed(f"seed of {what}")
    return Signer(seed, Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())


NODE: Final = signer("the node")
OTHER_NODE: Final = signer("another node")
ALICE: Final = signer("alice's identity 0")
ALICE_2: Final = signer("alice's identity 1")
ALICE_3: Final = signer("alice's identity 2")
ALICE_RECOVERY: Final = signer("alice's recovery key")
ALICE_RECOVERY_2: Final = signer("alice's second recovery key")
BOB: Final = signer("bob's identity 0")
BOB_RECOVERY: Final = signer("bob's recovery key")
THIEF: Final = signer("the thief's key")

DAY: Final = 20_500
NOW: Final = DAY * 86_400 + 3_600


def good(name: str, operation: str, given: Mapping[str, object], expect: object) -> Vector:
    """A vector that must succeed with `expect`."""
    return {"id": name, "op": operation, "in": dict(given), "expect": expect}


def bad(name: str, operation: str, given: Mapping[str, object], code: str) -> Vector:
    """A vector with one failure, which must be refused with exactly this code. Its id says what is wrong."""
    return {"id": name, "op": operation, "in": dict(given), "error": {"name": code, "code": CODES[code]}}
