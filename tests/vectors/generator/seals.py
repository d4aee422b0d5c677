"""Vectors of seals, inner signatures and statements."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from tests.vectors.generator.base import (
    ALICE,
    BOB,
    NODE,
    OTHER_NODE,
    THIEF,
    Signer,
    Vector,
    bad,
    fixed,
    good,
    hexed,
    labelled,
    message_key_pair,
    prefixed,
    unusable,
)
from tests.vectors.generator.payloads import MESSAGE_ID, TEXT, TOKEN, padded

SUITE: Final = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


# -- seals -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Envelope:
    """What a seal is bound to."""

    node: bytes = NODE.public
    sender: str = "alice"
    recipient: str = "bob"
    sender_key: bytes = ALICE.public
    recipient_key: bytes = BOB.public
    key_number: int = 3
    message_id: bytes = MESSAGE_ID

    @property
    def context(self) -> bytes:
        """The bytes that every use of it begins with, behind the label."""
        names = prefixed(self.sender) + prefixed(self.recipient)
        return (
            self.node
            + names
            + self.sender_key
            + self.recipient_key
            + self.key_number.to_bytes(4, "big")
            + self.message_id
        )

    @property
    def info(self) -> bytes:
        """HPKE's info."""
        return labelled("hpke", self.context)

    @property
    def given(self) -> dict[str, object]:
        """For JSON."""
        return {
            "node": self.node.hex(),
            "sender": self.sender,
            "recipient": self.recipient,
            "sender_key": self.sender_key.hex(),
            "recipient_key": self.recipient_key.hex(),
            "key_number": self.key_number,
            "message_id": self.message_id.hex(),
        }


WRITTEN: Final = Envelope()
CHANGED: Final = {
    "node": replace(WRITTEN, node=OTHER_NODE.public),
    "sender": replace(WRITTEN, sender="alicf"),
    "recipient": replace(WRITTEN, recipient="bab"),
    "names' border": replace(WRITTEN, sender="aliceb", recipient="ob"),
    "names exchanged": replace(WRITTEN, sender="bob", recipient="alice"),
    "sender's key": replace(WRITTEN, sender_key=THIEF.public),
    "recipient's key": replace(WRITTEN, recipient_key=THIEF.public),
    "keys exchanged": replace(WRITTEN, sender_key=BOB.public, recipient_key=ALICE.public),
    "key number": replace(WRITTEN, key_number=4),
    "message id": replace(WRITTEN, message_id=TOKEN),
}


def _of(public: bytes, info: bytes, plaintext: bytes) -> str:
    """What a seal seals, for whom and bound to what, as a hash."""
    return hashlib.sha256(public + info + plaintext).hexdigest()


def _seal(public: bytes, plaintext: bytes, info: bytes, kept: dict[str, str]) -> bytes:
    """Seal, or take what was sealed before from the same input."""
    what = _of(public, info, plaintext)
    if what in kept:
        return bytes.fromhex(kept[what])
    key = hpke.MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(public[:1184]), X25519PublicKey.from_public_bytes(public[1184:])
    )
    return SUITE.encrypt(plaintext, key, info=info)


def kept_from(path: Path) -> dict[str, str]:
    """The seals in a file from before, by what they seal."""
    if not path.exists():
        return {}
    vectors = json.loads(path.read_text())["vectors"]
    return {each["of"]: each["in"]["sealed"] for each in vectors if "of" in each}


SEED: Final = fixed("seed of bob's message key")
OTHER_SEED: Final = fixed("seed of bob's other message key")
PUBLISHED_SEED: Final = bytes.fromhex("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
"""The seed of the first test vector of X-Wing's specification."""


def _seal_vectors(kept: dict[str, str]) -> Iterator[Vector]:
    for what, seed in {"bob's": SEED, "X-Wing's first test vector": PUBLISHED_SEED, "zeros": bytes(32)}.items():
        yield good(
            f"message key, {what}", "message_key", {"seed": seed.hex()}, {"public": message_key_pair(seed)[1].hex()}
        )
    public = message_key_pair(SEED)[1]

    def given(sealed: bytes, envelope: Envelope = WRITTEN, seed: bytes = SEED) -> dict[str, object]:
        return {"seed": seed.hex(), "envelope": envelope.given, "sealed": sealed.hex()}

    def sealed_vector(what: str, plaintext: bytes, envelope: Envelope) -> Vector:
        sealed = _seal(public, plaintext, envelope.info, kept)
        expect = {"plaintext": hexed(plaintext), "info": envelope.info.hex()}
        return good(f"seal, {what}", "seal", given(sealed, envelope), expect) | {
            "of": _of(public, envelope.info, plaintext)
        }

    main = sealed_vector("a text", padded(TEXT.data, False), WRITTEN)
    yield main
    yield sealed_vector("first contact", padded(TEXT.data, True), WRITTEN)
    yield sealed_vector(
        "longest names, largest number",
        b"any",
        replace(WRITTEN, sender="a" * 32, recipient="b" * 32, key_number=2**32 - 1),
    )
    yield sealed_vector("nothing", b"", WRITTEN)
    sealed = bytes.fromhex(main["in"]["sealed"])
    for what, envelope in CHANGED.items():
        yield bad(f"seal, {what} changed", "seal", given(sealed, envelope), "UNOPENABLE")
    yield bad("seal, another key", "seal", given(sealed, seed=OTHER_SEED), "UNOPENABLE")
    for what, at in {"ML-KEM ciphertext": 5, "X25519 share": 1088 + 5, "ciphertext": 1120 + 5, "tag": -1}.items():
        flipped = bytearray(sealed)
        flipped[at] ^= 1
        yield bad(f"seal, a flipped bit in the {what}", "seal", given(bytes(flipped)), "UNOPENABLE")
    for what, damaged in {
        "empty": b"",
        "one byte": b"\0",
        "encapsulated key cut": sealed[:1119],
        "no ciphertext": sealed[:1120],
        "tag cut": sealed[:1135],
        "a byte behind it": sealed + b"\0",
        "its last byte cut": sealed[:-1],
        "X25519 share of zeros": sealed[:1088] + bytes(32) + sealed[1120:],
    }.items():
        yield bad(f"seal, {what}", "seal", given(damaged), "UNOPENABLE")
    for what, label in {"another label": "sealed", "the label of another version": "hpke"}.items():
        info = labelled(label, WRITTEN.context)
        info = info.replace(b"/1 ", b"/2 ") if label == "hpke" else info
        yield bad(f"seal, bound under {what}", "seal", given(_seal(public, b"any", info, kept)), "UNOPENABLE") | {
            "of": _of(public, info, b"any")
        }
    for what, key in {
        "of 1,215 bytes": public[:-1],
        "of 1,217 bytes": public + b"\0",
        "empty": b"",
        **unusable(public),
    }.items():
        yield bad(
            f"a message key {what}", "seal_to", {"public": key.hex(), "envelope": WRITTEN.given}, "RECORD_INVALID"
        )


# -- inner signatures and statements ---------------------------------------------------------------------------------


def _signed(operation: str, context: str, signer: Signer, sealed: bytes) -> Iterator[Vector]:
    """Vectors of a signature over the envelope (and, for inner signatures, the sealed bytes)."""

    def given(signature: bytes, envelope: Envelope = WRITTEN, data: bytes = sealed) -> dict[str, object]:
        shown: dict[str, object] = {"envelope": envelope.given, "signature": signature.hex()}
        return shown | {"sealed": data.hex()} if sealed else shown

    signature = signer.sign(context, WRITTEN.context, sealed)
    yield good(operation, operation, given(signature) | {"seed": signer.seed.hex()}, {})
    for what, envelope in CHANGED.items():
        yield bad(f"{operation}, {what} changed", operation, given(signature, envelope), "SIGNATURE_INVALID")
    others = {"sealed", "unopenable", "hpke", "request", "record"} - {context}
    for other in sorted(others):
        yield bad(
            f"{operation}, signed as {other}",
            operation,
            given(signer.sign(other, WRITTEN.context, sealed)),
            "SIGNATURE_INVALID",
        )
    for what, damaged in {
        "by another": THIEF.sign(context, WRITTEN.context, sealed),
        "bare": signer.sign_bare(WRITTEN.context + sealed),
        "cut": signature[:-1],
        "a byte behind it": signature + b"\0",
        "empty": b"",
        "a flipped bit": signature[:10] + bytes((signature[10] ^ 4,)) + signature[11:],
    }.items():
        yield bad(f"{operation}, {what}", operation, given(damaged), "SIGNATURE_INVALID")
    if sealed:
        for what, data in {
            "a flipped bit in the sealed bytes": bytes((sealed[0] ^ 1,)) + sealed[1:],
            "sealed bytes cut": sealed[:-1],
            "nothing sealed": b"",
        }.items():
            yield bad(f"{operation}, {what}", operation, given(signature, data=data), "SIGNATURE_INVALID")


def vectors(kept: dict[str, str]) -> Sequence[Vector]:
    """All of them; `kept` holds sealed bytes from before."""
    return [
        *_seal_vectors(kept),
        *_signed("inner signature", "sealed", ALICE, fixed("sealed bytes", 100)),
        *_signed("statement", "unopenable", BOB, b""),
    ]
