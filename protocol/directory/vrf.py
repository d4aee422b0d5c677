"""A verifiable random function: RFC 9381's ECVRF-EDWARDS25519-SHA512-TAI. The group's arithmetic is libsodium's.

Only the holder of the secret key can compute the output for an input, and there is one output only, which a proof can
show. Outputs for other inputs look random.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from nacl import bindings, exceptions

from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.limits import KEY_BYTES, SEED_BYTES

VRF_PROOF_BYTES: Final = 80
_SUITE: Final = b"\x03"
_SCALAR_BYTES: Final = 32
_CHALLENGE_BYTES: Final = 16
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""That of the group: a scalar is less."""


@dataclass(frozen=True, slots=True)
class VrfKey:
    """A secret key, made from its 32-byte seed as an Ed25519 key is, and its public half."""

    _scalar: bytes = field(repr=False)
    _nonce_key: bytes = field(repr=False)
    public: bytes = field(repr=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> VrfKey:
        """The key of a 32-byte seed."""
        if len(seed) != SEED_BYTES:
            raise ValueError("a seed has 32 bytes")
        expanded = hashlib.sha512(seed).digest()
        clamped = bytes((expanded[0] & 0xF8,)) + expanded[1:31] + bytes((expanded[31] & 0x7F | 0x40,))
        scalar = bindings.crypto_core_ed25519_scalar_reduce(clamped + bytes(_SCALAR_BYTES))
        return cls(scalar, expanded[32:], bindings.crypto_scalarmult_ed25519_base_noclamp(scalar))

    def output(self, alpha: bytes) -> bytes:
        """The 64-byte output for the input `alpha`."""
        return _output(bindings.crypto_scalarmult_ed25519_noclamp(self._scalar, _point_of(self.public, alpha)))

    def prove(self, alpha: bytes) -> tuple[bytes, bytes]:
        """The output for `alpha`, and the proof of 80 bytes that it is: the same one each time."""
        point = _point_of(self.public, alpha)
        gamma = bindings.crypto_scalarmult_ed25519_noclamp(self._scalar, point)
        nonce = bindings.crypto_core_ed25519_scalar_reduce(hashlib.sha512(self._nonce_key + point).digest())
        challenge = _challenge(
            self.public,
            point,
            gamma,
            bindings.crypto_scalarmult_ed25519_base_noclamp(nonce),
            bindings.crypto_scalarmult_ed25519_noclamp(nonce, point),
        )
        times = bindings.crypto_core_ed25519_scalar_mul(_scalar_of(challenge), self._scalar)
        return _output(gamma), gamma + challenge + bindings.crypto_core_ed25519_scalar_add(nonce, times)


def proved_output(public: bytes, alpha: bytes, proof: bytes) -> bytes:
    """The 64-byte output for `alpha` by the holder of `public`, as the proof shows. Raises `DirectoryInvalid`.

    A point with a part of small order is refused, where RFC 9381 would clear it: no prover makes one.
    """
    gamma, challenge, response = proof[:KEY_BYTES], proof[KEY_BYTES:-_SCALAR_BYTES], proof[-_SCALAR_BYTES:]
    if len(proof) != VRF_PROOF_BYTES or int.from_bytes(response, "little") >= _ORDER:
        raise DirectoryInvalid("the label's proof is malformed")
    point, scalar = _point_of(public, alpha), _scalar_of(challenge)
    times, base_times = bindings.crypto_scalarmult_ed25519_noclamp, bindings.crypto_scalarmult_ed25519_base_noclamp
    minus = bindings.crypto_core_ed25519_sub
    try:
        left = minus(base_times(response), times(scalar, public))
        right = minus(times(response, point), times(scalar, gamma))
    except exceptions.CryptoError:  # not a point, one of small order, or a scalar that is zero
        raise DirectoryInvalid("the label's proof does not hold") from None
    if _challenge(public, point, gamma, left, right) != challenge:
        raise DirectoryInvalid("the label's proof does not hold")
    return _output(gamma)


def _output(gamma: bytes) -> bytes:
    return hashlib.sha512(_SUITE + b"\x03" + _times_cofactor(gamma) + b"\0").digest()


def _challenge(*points: bytes) -> bytes:
    """RFC 9381, section 5.4.3."""
    return hashlib.sha512(_SUITE + b"\x02" + b"".join(points) + b"\0").digest()[:_CHALLENGE_BYTES]


def _scalar_of(challenge: bytes) -> bytes:
    return challenge + bytes(_SCALAR_BYTES - _CHALLENGE_BYTES)


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
