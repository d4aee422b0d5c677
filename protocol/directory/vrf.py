"""A verifiable random function: RFC 9381's ECVRF-EDWARDS25519-SHA512-TAI. The group's arithmetic is libsodium's.

Only the holder of the secret key can compute the output for an input, and there is one output only, which a proof can
show. Outputs for other inputs look random.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from nacl import bindings, exceptions

from usernym.protocol.limits import KEY_BYTES, SEED_BYTES

_SUITE: Final = b"\x03"
_SCALAR_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class VrfKey:
    """A secret key, made from its 32-byte seed as an Ed25519 key is, and its public half."""

    _scalar: bytes = field(repr=False)
    public: bytes = field(repr=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> VrfKey:
        """The key of a 32-byte seed."""
        if len(seed) != SEED_BYTES:
            raise ValueError("a seed has 32 bytes")
        expanded = hashlib.sha512(seed).digest()
        clamped = bytes((expanded[0] & 0xF8,)) + expanded[1:31] + bytes((expanded[31] & 0x7F | 0x40,))
        scalar = bindings.crypto_core_ed25519_scalar_reduce(clamped + bytes(_SCALAR_BYTES))
        return cls(scalar, bindings.crypto_scalarmult_ed25519_base_noclamp(scalar))

    def output(self, alpha: bytes) -> bytes:
        """The 64-byte output for the input `alpha`."""
        gamma = bindings.crypto_scalarmult_ed25519_noclamp(self._scalar, _point_of(self.public, alpha))
        return hashlib.sha512(_SUITE + b"\x03" + _times_cofactor(gamma) + b"\0").digest()


def _point_of(public: bytes, alpha: bytes) -> bytes:
    """RFC 9381, section 5.4.1.1: hashes with a counter until one is a point; each is one with probability 1/2."""
    for counter in range(256):
        hashed = hashlib.sha512(_SUITE + b"\x01" + public + alpha + bytes((counter, 0))).digest()[:KEY_BYTES]
        try:
            return _times_cofactor(hashed)
        except exceptions.CryptoError:
            continue  # not on the curve
    raise AssertionError("256 hashes in a row were no points")


def _times_cofactor(point: bytes) -> bytes:
    for _ in range(3):
        point = bindings.crypto_core_ed25519_add(point, point)
    return point
