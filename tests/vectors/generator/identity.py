"""Key records, successions, chains and node cards for the vectors."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import Final

from tests.vectors.generator.base import (
    ALICE,
    ALICE_2,
    ALICE_3,
    ALICE_RECOVERY,
    ALICE_RECOVERY_2,
    DAY,
    NODE,
    THIEF,
    Signer,
    fixed,
    labelled,
    message_key,
    pack,
    prefixed,
)

ZEROS: Final = bytes(32)
NAME: Final = "alice"


@dataclass(frozen=True)
class Rec:
    """A record before it is signed, with the keys of its owner."""

    key: Signer
    number: int = 1
    recoveries: int = 0
    recovery: bytes = ALICE_RECOVERY.public
    hpke: bytes = message_key("message key 1")
    hpke_number: int = 1
    made_on: int = DAY
    previous: bytes = ZEROS
    node: bytes = NODE.public
    name: str = NAME
    signer: Signer | None = None
    context: str = "record"
    identity: bytes | None = None

    def _stub(self, signature: bytes) -> tuple[object, ...]:
        identity = self.identity or self.key.public
        hpke_hash = hashlib.sha256(self.hpke).digest()
        head = (self.number, self.recoveries, identity, self.recovery, hpke_hash)
        return (*head, self.hpke_number, self.made_on, self.previous, signature)

    @property
    def signed_part(self) -> bytes:
        """What record and succession signatures cover, and what the record's hash is made of."""
        return self.node + prefixed(self.name) + pack(self._stub(b""))

    @property
    def hash(self) -> bytes:
        """By which later records name this one."""
        return hashlib.sha256(labelled("record hash", self.signed_part)).digest()

    @property
    def signature(self) -> bytes:
        """The record's own signature."""
        return (self.signer or self.key).sign(self.context, self.signed_part)

    @property
    def stub(self) -> tuple[object, ...]:
        """The short form's fields."""
        return self._stub(self.signature)

    @property
    def fields(self) -> tuple[object, ...]:
        """The whole record's fields."""
        stub = self.stub
        return (*stub[:4], self.hpke, *stub[5:])

    def then(self, key: Signer, **changes: object) -> Rec:
        """A record of another identity that follows this one."""
        return replace(self, key=key, number=self.number + 1, previous=self.hash, **changes)  # type: ignore[arg-type]

    def renewed(self, number: int, hpke: int) -> Rec:
        """A later record of the same identity, with another message key."""
        previous = self.hash
        return replace(
            self, number=number, hpke=message_key(f"message key {hpke}"), hpke_number=hpke, previous=previous
        )


def first(rec: Rec) -> tuple[object, ...]:
    """The start of a chain."""
    return (rec.stub, 0, b"")


def by_identity(rec: Rec, authority: Signer) -> tuple[object, ...]:
    """A succession that the old identity's key allows."""
    return (rec.stub, 1, authority.sign("succession", rec.signed_part))


def by_recovery(rec: Rec, authority: Signer) -> tuple[object, ...]:
    """A succession that the recovery key allows."""
    return (rec.stub, 2, authority.sign("succession", rec.signed_part))


A: Final = Rec(ALICE)
"""Alice's first record."""
A_LATER: Final = A.renewed(5, 4)
B: Final = A.then(ALICE_2, hpke=message_key("message key 2"), hpke_number=2)
"""Alice's second identity, which her first allowed."""
C: Final = B.then(ALICE_3, hpke_number=3, recoveries=1, recovery=ALICE_RECOVERY_2.public)
"""Alice's third identity: her recovery key allowed it, and replaced itself."""
C_LATER: Final = C.renewed(9, 8)
T: Final = A.then(THIEF)
"""The thief of Alice's first identity key names himself her successor."""

RECORD: Final = C_LATER.fields
CHANGED: Final = B.fields
SUCCESSION: Final = by_identity(B, ALICE)
CHAIN: Final = (first(A), SUCCESSION, by_recovery(C, ALICE_RECOVERY))


ADDRESSES: Final = tuple(sorted(fixed(f"address {number}", 96) for number in range(9)))
"""One more than a card may hold."""


def card(
    key: Signer = NODE,
    *,
    addresses: object = (fixed("address", 96),),
    versions: object = (1,),
    sequence: int = 3,
    made_on: int = DAY,
    signer: Signer | None = None,
    context: str = "card",
) -> tuple[object, ...]:
    """A node card's fields."""
    unsigned = (key.public, addresses, versions, sequence, made_on, b"")
    return (*unsigned[:5], (signer or key).sign(context, pack(unsigned)))


def card_line(encoded: bytes) -> str:
    """A card's line of text."""
    return "usernym-node:" + base64.urlsafe_b64encode(encoded).rstrip(b"=").decode()


CARD: Final = card()
