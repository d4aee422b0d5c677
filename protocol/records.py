"""Key records: what a lookup returns and a contact list stores; successions: the links from one identity to the next.

docs/protocol.md, "Key records". A record is signed by its identity key, over the HPKE key's hash, so that the short
form (`RecordStub`) proves as much. The node's identity and the username are signed and not sent: both sides know them.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from itertools import pairwise
from typing import Annotated, Final

import msgspec

from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import DAY_S, HASH_BYTES, SIGNATURE_BYTES, SUCCESSIONS_MAX
from usernym.protocol.sealing import MessageKey, check_message_key
from usernym.protocol.signing import Context, SigningKey, digest, is_public_key, prefixed, verify
from usernym.protocol.wire import U8, U32, Hash, HpkeKey, Key, Number, Signature, Wire, decoder_of, pack, unpack

NO_PREVIOUS: Final = bytes(HASH_BYTES)
"""`previous` of a name's first record."""


class RecordStub(Wire, frozen=True):
    """A key record with the hash in the HPKE key's place; at most 220 bytes."""

    number: Number
    recoveries: U8
    identity_key: Key
    recovery_key: Key
    hpke_hash: Hash
    hpke_number: Number
    made_on: U32
    previous: Hash
    signature: Signature


class KeyRecord(Wire, frozen=True):
    """The keys of one username, signed by its identity key; at most 1,405 bytes.

    `number` grows by one with every record of the name; `recoveries` counts the successions that the recovery key has
    signed; `hpke_number` is the number of the HPKE key; `made_on` is in days since 1970 (a finer date would show when
    its owner is awake); `previous` is the hash of the last record that changed the identity (zeros for the first).
    """

    number: Number
    recoveries: U8
    identity_key: Key
    recovery_key: Key
    hpke_key: HpkeKey
    hpke_number: Number
    made_on: U32
    previous: Hash
    signature: Signature

    def stub(self) -> RecordStub:
        """The short form, with the same signature."""
        return RecordStub(
            self.number,
            self.recoveries,
            self.identity_key,
            self.recovery_key,
            hashlib.sha256(self.hpke_key).digest(),
            self.hpke_number,
            self.made_on,
            self.previous,
            self.signature,
        )


class Authority(IntEnum):
    """Who authorised a record that changed the identity."""

    FIRST = 0
    IDENTITY = 1
    RECOVERY = 2


class Succession(Wire, frozen=True):
    """A record that changed the identity, with the signature of the key that allowed it (empty for a name's first)."""

    stub: RecordStub
    authority: Authority
    authority_signature: Annotated[bytes, msgspec.Meta(max_length=SIGNATURE_BYTES)]


_record_decoder: Final = decoder_of(KeyRecord)
_stub_decoder: Final = decoder_of(RecordStub)
_succession_decoder: Final = decoder_of(Succession)


def decode_record(data: bytes) -> KeyRecord:
    """A record from its canonical encoding; its signature is not checked here."""
    record: KeyRecord = unpack(_record_decoder, data)
    return record


def decode_stub(data: bytes) -> RecordStub:
    """A record's short form from its canonical encoding; its signature is not checked here."""
    stub: RecordStub = unpack(_stub_decoder, data)
    return stub


def decode_succession(data: bytes) -> Succession:
    """A succession from its canonical encoding; no signature is checked here."""
    succession: Succession = unpack(_succession_decoder, data)
    return succession


def _signed_part(node: bytes, name: str, stub: RecordStub) -> bytes:
    unsigned = msgspec.structs.replace(stub, signature=b"")
    return node + prefixed(name) + pack(unsigned)


def record_hash(node: bytes, name: str, stub: RecordStub) -> bytes:
    """The 32-byte hash by which later records name this one."""
    return digest(Context.RECORD_HASH, _signed_part(node, name, stub))


def sign_record(key: SigningKey, node: bytes, name: str, record: KeyRecord) -> KeyRecord:
    """The record with `key`'s signature; its `identity_key` must be `key`'s."""
    signature = key.sign(Context.RECORD, _signed_part(node, name, record.stub()))
    return msgspec.structs.replace(record, signature=signature)


def first_record(
    key: SigningKey, recovery_public: bytes, node: bytes, name: str, seed: bytes, unix_s: int
) -> KeyRecord:
    """A name's first record, with message key number 1 made from `seed` (32 bytes)."""
    public = MessageKey.from_seed(seed).public
    record = KeyRecord(1, 0, key.public, recovery_public, public, 1, day_of(unix_s), NO_PREVIOUS, b"")
    return sign_record(key, node, name, record)


def verify_stub(node: bytes, name: str, stub: RecordStub) -> None:
    """Raise `RemoteProtocolError(RECORD_INVALID)` unless the record's own identity signed it for this node and name."""
    if not is_public_key(stub.recovery_key) or stub.recovery_key == stub.identity_key:
        raise RemoteProtocolError(Code.RECORD_INVALID, "identity and recovery key must be two different keys")
    try:
        verify(stub.identity_key, stub.signature, Context.RECORD, _signed_part(node, name, stub))
    except RemoteProtocolError:
        raise RemoteProtocolError(Code.RECORD_INVALID, "the record's signature does not hold") from None


def verify_record(node: bytes, name: str, record: KeyRecord) -> None:
    """As `verify_stub`, and unless messages can be sealed to the record's message key."""
    verify_stub(node, name, record.stub())
    check_message_key(record.hpke_key)


def authorise(key: SigningKey, node: bytes, name: str, stub: RecordStub, authority: Authority) -> Succession:
    """`stub` as a succession that the old identity's key, or the recovery key, allows."""
    signature = b"" if authority is Authority.FIRST else key.sign(Context.SUCCESSION, _signed_part(node, name, stub))
    return Succession(stub, authority, signature)


def first_succession(record: KeyRecord) -> Succession:
    """The start of a name's chain."""
    return Succession(record.stub(), Authority.FIRST, b"")


def verify_succession(node: bytes, name: str, before: RecordStub, succession: Succession) -> None:
    """Raise `RemoteProtocolError(SUCCESSION_INVALID)` unless `succession` may follow the identity of `before`.

    Only the recovery key may change the recovery key, and only its successions raise `recoveries`.
    """
    stub = succession.stub
    by_recovery = succession.authority is Authority.RECOVERY
    verify_stub(node, name, stub)
    if succession.authority is Authority.FIRST or stub.identity_key == before.identity_key:
        raise RemoteProtocolError(Code.SUCCESSION_INVALID, "not a change of identity")
    if stub.number <= before.number or stub.previous != record_hash(node, name, before):
        raise RemoteProtocolError(Code.SUCCESSION_INVALID, "does not follow the identity before it")
    if stub.recoveries != before.recoveries + by_recovery:
        raise RemoteProtocolError(Code.SUCCESSION_INVALID, "wrong count of recoveries")
    if not by_recovery and stub.recovery_key != before.recovery_key:
        raise RemoteProtocolError(Code.SUCCESSION_INVALID, "only the recovery key may change the recovery key")
    authority = before.recovery_key if by_recovery else before.identity_key
    try:
        verify(authority, succession.authority_signature, Context.SUCCESSION, _signed_part(node, name, stub))
    except RemoteProtocolError:
        raise RemoteProtocolError(Code.SUCCESSION_INVALID, "not authorised by the identity before it") from None


def verify_chain(node: bytes, name: str, chain: tuple[Succession, ...]) -> None:
    """Raise unless `chain` is a whole chain of identities, from the name's first one on."""
    if not 1 <= len(chain) <= SUCCESSIONS_MAX:
        raise RemoteProtocolError(Code.SUCCESSION_INVALID, f"a chain has 1 to {SUCCESSIONS_MAX} links")
    first = chain[0]
    if first.authority is not Authority.FIRST or first.authority_signature or first.stub.previous != NO_PREVIOUS:
        raise RemoteProtocolError(Code.SUCCESSION_INVALID, "the chain does not start at the name's first record")
    if first.stub.recoveries or first.stub.number != 1:
        raise RemoteProtocolError(Code.SUCCESSION_INVALID, "the first record has number 1 and no recoveries")
    verify_stub(node, name, first.stub)
    for before, succession in pairwise(chain):
        verify_succession(node, name, before.stub, succession)


def extend_chain(
    node: bytes, name: str, chain: tuple[Succession, ...], succession: Succession
) -> tuple[Succession, ...]:
    """The verified `chain` with `succession` at its end. Raises `RemoteProtocolError` if that may not be.

    An identity key's succession follows the last link. A recovery key's may follow an earlier one: the links behind it
    no longer count, if identity keys alone allowed them. Otherwise a thief could fill the chain, or use up the numbers,
    and so keep the owner from recovering.
    """
    if succession.authority is Authority.RECOVERY:
        while (
            chain[-1].authority is Authority.IDENTITY
            and record_hash(node, name, chain[-1].stub) != succession.stub.previous
        ):
            chain = chain[:-1]
    if len(chain) >= SUCCESSIONS_MAX:
        raise RemoteProtocolError(Code.SUCCESSION_INVALID, "this name has changed its identity too often")
    verify_succession(node, name, chain[-1].stub, succession)
    return (*chain, succession)


def _owner(record: KeyRecord | RecordStub) -> tuple[bytes, bytes, int]:
    """Whose record it is: anyone who holds the identity key alone can't change the other two."""
    return record.identity_key, record.recovery_key, record.recoveries


def verify_record_in_chain(node: bytes, name: str, chain: tuple[Succession, ...], record: KeyRecord) -> None:
    """Raise unless the verified `chain` ends in the identity of `record`, and `record` is that identity's."""
    verify_record(node, name, record)
    last = chain[-1].stub
    is_last = record.stub() == last
    follows = record.number > last.number and record.previous == record_hash(node, name, last)
    if _owner(record) != _owner(last) or not (is_last or follows):
        raise RemoteProtocolError(Code.SUCCESSION_INVALID, "the record does not belong to the chain's last identity")


def accepts_change(pinned: KeyRecord, chain: tuple[Succession, ...]) -> bool:
    """Whether a contact who pinned `pinned` should take the verified `chain`'s last identity for the same person's.

    Yes if the chain continues from the pinned identity; and yes if it holds a succession that the pinned recovery key
    signed after more recoveries than the pinned record knows of: what a recovery key says beats any succession that an
    identity key signed, also one already accepted, and the count keeps an old recovery from being shown again
    (`RecoveriesNeverFall` in docs/models/Succession.tla).
    """
    if any(_owner(link.stub) == _owner(pinned) for link in chain):
        return True
    return any(
        link.authority is Authority.RECOVERY
        and before.stub.recovery_key == pinned.recovery_key
        and link.stub.recoveries > pinned.recoveries
        for before, link in pairwise(chain)
    )


def is_update(pinned: KeyRecord, found: KeyRecord) -> bool:
    """Whether the verified `found` is the pinned identity's record, the same or newer; False if the identity differs.

    Raises `RemoteProtocolError(RECORD_STALE)` for an older record, or another one with the number of the pinned, and
    `SUCCESSION_INVALID` if the identity key alone changed what only the recovery key may change.
    """
    if found.identity_key != pinned.identity_key:
        return False
    if _owner(found) != _owner(pinned):
        raise RemoteProtocolError(Code.SUCCESSION_INVALID, "only the recovery key may change the recovery key")
    if found.number < pinned.number or (found.number == pinned.number and found != pinned):
        raise RemoteProtocolError(Code.RECORD_STALE, "older than the record already known")
    same_number = found.hpke_number == pinned.hpke_number
    if found.hpke_number < pinned.hpke_number or (same_number and found.hpke_key != pinned.hpke_key):
        raise RemoteProtocolError(Code.RECORD_STALE, "a message key may only be replaced under a new number")
    return True


def day_of(unix_s: int) -> int:
    """The day since 1970 of a time in Unix seconds, as `made_on` has it."""
    return unix_s // DAY_S
