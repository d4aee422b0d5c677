"""Challenges that the node need not remember, and the proof of work.

docs/protocol.md, "Registration and login". A challenge's MAC binds it to one request until it expires; only nonces that
have been used are remembered, by the node's store.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import CHALLENGE_S, MAC_BYTES
from usernym.protocol.messages import Challenge, LoginAsk, LoginProof, RegisterAsk, RegisterProof
from usernym.protocol.records import KeyRecord
from usernym.protocol.signing import Context, labelled, prefixed
from usernym.protocol.wire import pack

WORK_SLICE: Final = 20_000
"""Hashes that a search does in one go: some 20 ms, after which others have their turn."""


def whole_record_hash(record: KeyRecord) -> bytes:
    """SHA-256 of a record's encoding, signature and all: what `RegisterAsk` announces."""
    return hashlib.sha256(pack(record)).digest()


def _subject(request: RegisterAsk | RegisterProof | LoginAsk | LoginProof) -> bytes:
    match request:
        case RegisterAsk():
            return b"R" + prefixed(request.name) + request.identity_key + request.record_hash
        case RegisterProof():
            record = request.record
            return b"R" + prefixed(request.name) + record.identity_key + whole_record_hash(record)
        case LoginAsk() | LoginProof():
            return b"L" + prefixed(request.name)


@dataclass(frozen=True, slots=True)
class Challenger:
    """Makes and checks challenges under a secret (32 bytes) that lives as long as the node's process."""

    secret: bytes = field(repr=False)

    def _mac(self, subject: bytes, nonce: bytes, expires_at: int, difficulty: int) -> bytes:
        content = subject + nonce + expires_at.to_bytes(4, "big") + bytes((difficulty,))
        return hmac.digest(self.secret, labelled(Context.CHALLENGE, content), "sha256")[:MAC_BYTES]

    def challenge(self, ask: RegisterAsk | LoginAsk, nonce: bytes, now: int, difficulty: int) -> Challenge:
        """A challenge for `ask`, valid for `CHALLENGE_S` seconds from `now` (Unix seconds)."""
        expires_at = now + CHALLENGE_S
        mac = self._mac(_subject(ask), nonce, expires_at, difficulty)
        return Challenge(ask.request_id, nonce, expires_at, difficulty, mac)

    def check(self, proof: RegisterProof | LoginProof, now: int) -> None:
        """Raise unless `proof` answers a challenge that was made here, for the same request, and has not expired."""
        difficulty = proof.difficulty if isinstance(proof, RegisterProof) else 0
        expected = self._mac(_subject(proof), proof.nonce, proof.expires_at, difficulty)
        if not hmac.compare_digest(expected, proof.mac):
            raise RemoteProtocolError(Code.CHALLENGE_INVALID, "not a challenge of this node for this request")
        if now > proof.expires_at:
            raise RemoteProtocolError(Code.CHALLENGE_EXPIRED, "the challenge has expired")


@dataclass(frozen=True, slots=True)
class LoginNonces:
    """Nonces of login challenges. Only the node that made one can read it: in which order, and for which sender tag.

    The order is a count, not a time, so a clock that jumps does not change the order of logins. The tag binds the proof
    to the mixnet client that asked: the same proof, sent again from elsewhere, opens no route there. `secret` (32
    bytes, not the challenger's) lives as long as the node's process.
    """

    secret: bytes = field(repr=False)

    def make(self, number: int, tag: bytes) -> bytes:
        """The nonce (16 bytes) of the challenge with this number (below 2**64, each used once), asked for by `tag`."""
        seal = self._seal(number, tag)
        return seal + self._mask(seal, number.to_bytes(8, "big"))

    def number(self, nonce: bytes, tag: bytes) -> int:
        """The number of a nonce made here. Raises CHALLENGE_INVALID if another sender tag asked for it.

        `RouteIsTheUsers` in docs/models/Login.tla rests on this.
        """
        seal, masked = nonce[:8], nonce[8:]
        number = int.from_bytes(self._mask(seal, masked), "big")
        if not hmac.compare_digest(seal, self._seal(number, tag)):
            raise RemoteProtocolError(Code.CHALLENGE_INVALID, "another mixnet client asked for it")
        return number

    def _seal(self, number: int, tag: bytes) -> bytes:
        return hmac.digest(self.secret, b"seal" + number.to_bytes(8, "big") + tag, "sha256")[:8]

    def _mask(self, seal: bytes, number: bytes) -> bytes:
        mask = hmac.digest(self.secret, b"mask" + seal, "sha256")
        return bytes(a ^ b for a, b in zip(number, mask, strict=False))


def work_holds(node: bytes, nonce: bytes, counter: int, bits: int) -> bool:
    """Whether the digest of `counter` starts with `bits` zero bits."""
    return zeros_lead(labelled(Context.WORK, node, nonce), counter, bits)


def search_work(node: bytes, nonce: bytes, bits: int, start: int, tries: int) -> int | None:
    """The first counter that suffices, of `tries` from `start` on; None if there is none: call again from there."""
    return search_leading_zeros(labelled(Context.WORK, node, nonce), bits, start, tries)


def zeros_lead(subject: bytes, counter: int, bits: int) -> bool:
    """Whether SHA-256 over what the work is for, and `counter`, starts with `bits` zero bits."""
    found = hashlib.sha256(subject + counter.to_bytes(8, "big")).digest()
    return int.from_bytes(found, "big") >> (256 - bits) == 0


def search_leading_zeros(subject: bytes, bits: int, start: int, tries: int) -> int | None:
    """The first counter of `tries` from `start` on for which `zeros_lead`, or None."""
    prefix = hashlib.sha256(subject)
    for counter in range(start, start + tries):
        attempt = prefix.copy()
        attempt.update(counter.to_bytes(8, "big"))
        if int.from_bytes(attempt.digest(), "big") >> (256 - bits) == 0:
            return counter
    return None
