"""Sealing: HPKE to the recipient's key, then the sender's signature over the ciphertext.

docs/protocol.md, "Sealing". HPKE (RFC 9180) in base mode with ML-KEM-768 + X25519 (X-Wing), HKDF-SHA256 and
ChaCha20-Poly1305; its `info`, and what the inner signature covers, bind node, names, identities, key number and message
id, so that a sealed message can be neither re-addressed, nor relabelled, nor claimed by another signer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import HPKE_KEY_BYTES
from usernym.protocol.signing import Context, SigningKey, labelled, prefixed, verify

_SUITE: Final = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
_MLKEM_BYTES: Final = 1184
_MLKEM_SEED_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class MessageKey:
    """A user's HPKE key pair, made from a 32-byte seed as X-Wing expands it (SHAKE-256)."""

    _private: hpke.MLKEM768X25519PrivateKey = field(repr=False)
    public: bytes = field(repr=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> MessageKey:
        """The key pair of a 32-byte seed."""
        expanded = hashlib.shake_256(seed).digest(_MLKEM_SEED_BYTES + 32)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:_MLKEM_SEED_BYTES])
        x25519 = X25519PrivateKey.from_private_bytes(expanded[_MLKEM_SEED_BYTES:])
        public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        return cls(hpke.MLKEM768X25519PrivateKey(mlkem, x25519), public)

    def open(self, sealed: bytes, envelope: Envelope) -> bytes:
        """The plaintext. Raises `RemoteProtocolError(UNOPENABLE)` if not sealed to this key for this envelope."""
        try:
            return _SUITE.decrypt(sealed, self._private, info=envelope.info())
        except (InvalidTag, ValueError):
            raise RemoteProtocolError(Code.UNOPENABLE, "the seal does not open") from None


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a seal is bound to: who writes to whom, at which node, to which key, as which message."""

    node: bytes = field(repr=False)
    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    sender_key: bytes = field(repr=False)
    recipient_key: bytes = field(repr=False)
    key_number: int
    message_id: bytes = field(repr=False)

    def _context(self) -> bytes:
        return (
            self.node
            + prefixed(self.sender)
            + prefixed(self.recipient)
            + self.sender_key
            + self.recipient_key
            + self.key_number.to_bytes(4, "big")
            + self.message_id
        )

    def info(self) -> bytes:
        """HPKE's `info`."""
        return labelled(Context.HPKE, self._context())

    def sign(self, key: SigningKey, sealed: bytes) -> bytes:
        """The inner signature: the sender's, over the ciphertext and everything it is bound to."""
        return key.sign(Context.SEALED, self._context(), sealed)

    def verify(self, sealed: bytes, signature: bytes) -> None:
        """Raise `RemoteProtocolError(SIGNATURE_INVALID)` unless the sender's identity signed this ciphertext."""
        verify(self.sender_key, signature, Context.SEALED, self._context(), sealed)

    def sign_unopenable(self, key: SigningKey) -> bytes:
        """The recipient's statement for the sender that no key of theirs opens this message."""
        return key.sign(Context.UNOPENABLE, self._context())

    def verify_unopenable(self, statement: bytes) -> None:
        """Raise unless the recipient's identity made that statement."""
        verify(self.recipient_key, statement, Context.UNOPENABLE, self._context())


def seal(public: bytes, plaintext: bytes, envelope: Envelope) -> bytes:
    """Seal to a user's HPKE public key (1,216 bytes). Raises `RemoteProtocolError(RECORD_INVALID)` if that is not a
    valid key: see `check_message_key`."""
    return _encrypt(public, plaintext, envelope.info())


def check_message_key(public: bytes) -> None:
    """Raise `RemoteProtocolError(RECORD_INVALID)` unless messages can be sealed to this HPKE public key.

    Of ML-KEM's 1,184 bytes not all are a key (FIPS 203, 7.2), and for some of X25519's points every shared secret is
    zero (RFC 7748, 6.1). Who signs such a key makes others fail when they seal, which may be much later.
    """
    _encrypt(public, b"", b"")


def _encrypt(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    if len(public) != HPKE_KEY_BYTES:
        raise RemoteProtocolError(Code.RECORD_INVALID, "not a message key")
    try:
        key = hpke.MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_BYTES]),
            X25519PublicKey.from_public_bytes(public[_MLKEM_BYTES:]),
        )
        return _SUITE.encrypt(plaintext, key, info=info)
    except (ValueError, InvalidTag, UnsupportedAlgorithm):
        raise RemoteProtocolError(Code.RECORD_INVALID, "not a usable message key") from None
