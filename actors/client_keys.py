"""The user's own keys and record in the store: made once, rotated weekly, destroyed when nothing can need them.

docs/protocol.md, "Message keys". A new key is on disk, with the record that announces it, before it is published; the
same record is published again until the node has it; only then is its predecessor superseded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from usernym.actors.runtime import logger
from usernym.protocol.limits import DAY_S, HPKE_KEEP_S, HPKE_ROTATION_S
from usernym.protocol.records import (
    NO_PREVIOUS,
    KeyRecord,
    day_of,
    decode_record,
    record_hash,
    sign_record,
)
from usernym.protocol.sealing import MessageKey
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.storage.client import IdentityState
from usernym.storage.errors import StoreBusy

if TYPE_CHECKING:
    from usernym.actors.client_context import ClientContext

_PENDING: Final = "pending_record"
SEED_BYTES: Final = 32


def first_record(
    key: SigningKey, recovery_public: bytes, node: bytes, name: str, seed: bytes, unix_s: int
) -> KeyRecord:
    """A name's first record, with message key number 1 made from `seed` (32 bytes)."""
    public = MessageKey.from_seed(seed).public
    record = KeyRecord(1, 0, key.public, recovery_public, public, 1, day_of(unix_s), NO_PREVIOUS, b"")
    return sign_record(key, node, name, record)


class KeyRing:
    """The registration actor's hold on the user's record and message keys."""

    def __init__(self, context: ClientContext) -> None:
        self._context = context
        self._store = context.store
        self.pending: KeyRecord | None = None
        self.record: KeyRecord
        self._first: KeyRecord
        self._link: bytes

    def load(self) -> None:
        """Read the record, and the one that may be on its way to the node."""
        identity = self._store.identity()
        self.record = decode_record(identity.record)
        me = self._context.me
        self._first = decode_record(identity.link)
        self._link = record_hash(me.node, me.name, self._first.stub())
        pending = self._store.setting(_PENDING)
        self.pending = None if pending is None else decode_record(pending)

    @property
    def to_register(self) -> KeyRecord:
        """What a name begins with: its first record. A node that has forgotten the name takes no later one; the newest
        is published at the login that follows."""
        return self._first if self._first.number == 1 else self.record

    def registered(self) -> None:
        """The node has the name: the first key can be sealed to from now on."""
        with self._store.transaction():
            self._store.set_identity_state(IdentityState.REGISTERED)
            self._store.confirm_hpke_key(self.record.hpke_number, self._context.runtime.unix_s())

    def deleted(self) -> None:
        """The node has deleted the account."""
        self._store.set_identity_state(IdentityState.DELETED)

    def rotate_if_due(self) -> bool:
        """Make the next key and its record, if the current one is old enough. True if there is one to publish."""
        now = self._context.runtime.unix_s()
        if self.pending is not None:
            return False
        current = self._store.hpke_key(self.record.hpke_number)
        if current is not None and now - current.created_at < HPKE_ROTATION_S:
            return False
        self._make_next(now)
        return True

    def _make_next(self, now: int) -> None:
        me = self._context.me
        seed = self._context.runtime.random_bytes(SEED_BYTES)
        number = self.record.hpke_number + 1
        record = sign_record(
            me.key,
            me.node,
            me.name,
            msgspec.structs.replace(
                self.record,
                number=self.record.number + 1,
                hpke_key=MessageKey.from_seed(seed).public,
                hpke_number=number,
                made_on=now // DAY_S,
                previous=self._link,
            ),
        )
        with self._store.transaction():
            self._store.add_hpke_key(number, seed, now)
            self._store.set_setting(_PENDING, pack(record))
        self.pending = record

    def published(self, record: KeyRecord) -> None:
        """The node answers lookups with `record` from now on."""
        if self.pending is not None and record == self.pending:
            with self._store.transaction():
                self._store.save_record(pack(record), record.number)
                self._store.confirm_hpke_key(record.hpke_number, self._context.runtime.unix_s())
                self._store.set_setting(_PENDING, None)
            self.record, self.pending = record, None

    def destroy_due(self) -> None:
        """Destroy the private keys that no message can need any more, and the ids remembered for them."""
        try:
            self._store.destroy_hpke_keys(self._context.runtime.unix_s() - HPKE_KEEP_S)
        except StoreBusy:
            logger.info("old message keys are not gone from the disk yet: the next check tries again")
