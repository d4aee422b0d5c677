"""Signatures of other nodes to a log's heads: cosignatures of c2sp.org/tlog-cosignature, of the version with Ed25519.

docs/directory.md, "Witnesses". Pure. A witness signs the head's own text behind two lines of its own, one of which has
the time: so its signature can't be taken for that of the log's node.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from usernym.protocol.directory.checkpoints import LogHead
from usernym.protocol.limits import KEY_BYTES, SIGNATURE_BYTES, WITNESSES_MAX
from usernym.protocol.signing import COSIGNED_START, SigningKey, text_is_signed

COSIGNATURE_BYTES: Final = 4 + 8 + SIGNATURE_BYTES
"""The key's id, the time in Unix seconds, and the signature: what a signed note has behind a witness's name."""
Cosignatures = Annotated[bytes, msgspec.Meta(max_length=WITNESSES_MAX * COSIGNATURE_BYTES)]
"""Those of several witnesses to one head, without anything between them."""
_TIMED_ED25519: Final = b"\x04"
_TIME_MAX: Final = 2**63 - 1
_LINE: Final = re.compile("^— usernym/witness/([0-9a-f]{64}) ([A-Za-z0-9+/=]+)$".encode(), re.MULTILINE)


def key_name(witness: bytes) -> str:
    """The name of a witness's key in a signed note."""
    return f"usernym/witness/{witness.hex()}"


def cosign(key: SigningKey, head: LogHead, at: int) -> bytes:
    """A witness's cosignature of a head, 76 bytes. `at` is the time, in Unix seconds from 1 on."""
    return _key_id(key.public) + at.to_bytes(8, "big") + key.sign_text(_text(head, at))


def is_cosigned(witness: bytes, head: LogHead, cosignature: bytes) -> bool:
    """Whether this is the witness's cosignature of this head."""
    at = int.from_bytes(cosignature[4:12], "big")
    return (
        len(cosignature) == COSIGNATURE_BYTES
        and cosignature[:4] == _key_id(witness)
        and 0 < at <= _TIME_MAX
        and text_is_signed(witness, cosignature[12:], _text(head, at))
    )


def each_of(cosignatures: bytes) -> Iterator[bytes]:
    """The single ones; what is no whole one at the end is left out."""
    for at in range(0, len(cosignatures) - COSIGNATURE_BYTES + 1, COSIGNATURE_BYTES):
        yield cosignatures[at : at + COSIGNATURE_BYTES]


def note_line(witness: bytes, cosignature: bytes) -> bytes:
    """The line of a signed note with it."""
    return f"— {key_name(witness)} {base64.b64encode(cosignature).decode()}\n".encode()


def signers_of(note: bytes, head: LogHead) -> frozenset[bytes]:
    """The keys of the witnesses whose signatures to this head are in a signed note, and hold."""
    found = ((bytes.fromhex(key.decode()), _decoded(line)) for key, line in _LINE.findall(note))
    return frozenset(witness for witness, cosignature in found if is_cosigned(witness, head, cosignature))


def _decoded(line: bytes) -> bytes:
    try:
        return base64.b64decode(line, validate=True)
    except binascii.Error:
        return b""


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """Of which witnesses, by their nodes' keys, a user wants at least how many to have signed a head."""

    witnesses: Collection[bytes] = ()
    needed: int = 0

    def signers(self, head: LogHead, cosignatures: bytes) -> int:
        """How many of them have signed this head."""
        return sum(
            any(is_cosigned(witness, head, each) for each in each_of(cosignatures)) for witness in set(self.witnesses)
        )

    def is_met(self, head: LogHead, cosignatures: bytes) -> bool:
        """Whether enough of them have."""
        return self.signers(head, cosignatures) >= self.needed


NO_WITNESSES: Final = WitnessPolicy()
"""The policy of a user who wants no signatures: each head meets it."""


def _text(head: LogHead, at: int) -> bytes:
    return COSIGNED_START + f"time {at}\n".encode() + head.text()


def _key_id(witness: bytes) -> bytes:
    assert len(witness) == KEY_BYTES
    return hashlib.sha256(key_name(witness).encode() + b"\n" + _TIMED_ED25519 + witness).digest()[:4]
