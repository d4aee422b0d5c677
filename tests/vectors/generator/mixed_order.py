"""Signatures on which verifiers disagree: made with points of small order added, by arithmetic on Ed25519's curve.

A verifier that multiplies by the cofactor 8 takes all of them. One that does not takes only those in which the small
part happens to vanish, and that is what docs/protocol.md requires. When it does depends on whether the hash is reduced
modulo the order of the base point first; the vectors are chosen so that a verifier that does not reduce it fails both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Final

from tests.vectors.generator import frames as f
from tests.vectors.generator.base import (
    ALICE,
    NODE,
    ORDER,
    SMALL_ORDER,
    VERSION,
    Signer,
    Vector,
    bad,
    fixed,
    good,
    labelled,
    plain,
)
from tests.vectors.generator.curve import BASE, added, encoded, point_of, times
from tests.vectors.generator.frames import Message, frame_input

_EIGHTH: Final = point_of(SMALL_ORDER["order 8"])


def _hash(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def _secret(seed: bytes) -> int:
    raw = bytearray(hashlib.sha512(seed).digest()[:32])
    raw[0] &= 248
    raw[31] = raw[31] & 127 | 64
    return int.from_bytes(raw, "little")


def _signed(secret: int, public: bytes, nonce: int, commitment: bytes, data: bytes) -> bytes:
    return commitment + ((nonce + _hash(commitment, public, data) * secret) % ORDER).to_bytes(32, "little")


def _commitments() -> Iterator[tuple[int, bytes]]:
    """Nonces, and the R of each."""
    for number in count():
        nonce = _hash(fixed(f"nonce {number}")) % ORDER
        yield nonce, encoded(times(nonce, BASE))


def vectors() -> Sequence[Vector]:
    """All of them, on one frame."""
    return list(_vectors())


def _vectors() -> Iterator[Vector]:
    message = f.HEARTBEAT
    data = labelled("request", NODE.public, message.body)
    secret = _secret(ALICE.seed)
    pure = times(secret, BASE)
    assert encoded(pure) == ALICE.public
    mixed = Signer(b"", encoded(added(pure, _EIGHTH)))
    by_mixed = Message(message.kind, message.tag, message.fields, "request", mixed)
    for taken, what in ((True, "its small part vanishes"), (False, "its small part stays")):
        nonce, commitment = next(
            (nonce, commitment)
            for nonce, commitment in _commitments()
            if [_hash(commitment, mixed.public, data) % ORDER % 8 == 0, _hash(commitment, mixed.public, data) % 8 == 0]
            == [taken, not taken]
        )
        signature = _signed(secret, mixed.public, nonce, commitment, data)
        given = frame_input(VERSION + message.body + signature, by_mixed)
        name = f"a key of mixed order, {what}"
        if taken:
            yield good(name, "frame", given, {"kind": message.kind, "fields": plain(message.fields)})
        else:
            yield bad(name, "frame", given, "SIGNATURE_INVALID")
    nonce, _ = next(_commitments())
    commitment = encoded(added(times(nonce, BASE), _EIGHTH))
    signature = _signed(secret, ALICE.public, nonce, commitment, data)
    yield bad(
        "an R of mixed order", "frame", frame_input(VERSION + message.body + signature, message), "SIGNATURE_INVALID"
    )
