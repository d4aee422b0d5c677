"""Signatures under simulation: real ones, each computed once.

All processes of a world are in this one, and each of them verifies what another one signed just before. Ed25519 says
of a signature that it made itself that it is valid; so one that was made here, over exactly these bytes and with
exactly this key, need not be verified. Every other one is verified as in the product.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from usernym.protocol import signing

REMEMBERED_MAX: Final = 20_000
"""Signatures that are remembered, the newest: 20 MB, and more than are under way at any time."""

_made: dict[bytes, tuple[bytes, bytes]] = {}
"""The key and the bytes of each signature."""


class _PrivateKey:
    """What `signing` uses of a private key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public = key.public_key().public_bytes_raw()

    @classmethod
    def from_private_bytes(cls, seed: bytes) -> _PrivateKey:
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    def public_key(self) -> Ed25519PublicKey:
        return self._key.public_key()

    def private_bytes_raw(self) -> bytes:
        return self._key.private_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        signature = self._key.sign(message)
        if len(_made) >= REMEMBERED_MAX:
            del _made[next(iter(_made))]
        _made[signature] = self._public, message
        return signature


class _PublicKey:
    """What `signing` uses of a public key."""

    def __init__(self, public: bytes) -> None:
        self._public = public

    @classmethod
    def from_public_bytes(cls, public: bytes) -> _PublicKey:
        return cls(public)

    def verify(self, signature: bytes, message: bytes) -> None:
        if _made.get(signature) != (self._public, message):
            Ed25519PublicKey.from_public_bytes(self._public).verify(signature, message)


class Remembered:
    """Within the block, signatures are remembered."""

    _signing: Any = signing

    def __enter__(self) -> Self:
        self._before = self._signing.Ed25519PrivateKey, self._signing.Ed25519PublicKey
        self._signing.Ed25519PrivateKey, self._signing.Ed25519PublicKey = _PrivateKey, _PublicKey
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._signing.Ed25519PrivateKey, self._signing.Ed25519PublicKey = self._before
        _made.clear()
