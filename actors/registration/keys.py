"""The user's own keys and record in the store: made once, rotated weekly, destroyed when nothing can need them.

docs/protocol.md, "Message keys". A new key is on disk, with the record that announces it, before it is published; the
same record is published again until the node has it; only then is its predecessor superseded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import msgspec

from usernym.logger import logger
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import DAY_S, HPKE_KEEP_S, HPKE_ROTATION_S, KEY_BYTES, MINUTE_S
from usernym.protocol.records import (
    NO_PREVIOUS,
    KeyRecord,
    RecordStub,
    Succession,
    day_of,
    decode_record,
    decode_stub,
    decode_succession,
    record_hash,
    sign_record,
)
from usernym.protocol.sealing import MessageKey
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import IdentityState
from usernym.storage.errors import StoreBusy

if TYPE_CHECKING:
    from usernym.actors.context import ClientContext

_PENDING: Final = "pending_record"
_SUCCESSION: Final = "pending_succession"
_PUBLISH_FIRST: Final = "publish_first"
_FORMER: Final = "former_identities"
SEED_BYTES: Final = 32
LOOK_AFTER_S: Final = 10 * MINUTE_S
"""Between two looks at the message keys' age: they change weekly."""


def former_identities(store: ClientStore) -> list[bytes]:
    """The identity keys that the user had before, 32 bytes each: who does not know of the change seals to them."""
    keys = store.profile.setting(_FORMER) or b""
    return [keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)]


def save_replacement(
    store: ClientStore, pending: KeyRecord, succession: Succession | None, former: Iterable[bytes]
) -> None:
    """Keep what must be published before the next login, with the former identities. To be called in a transaction.

    Without a succession it is a newer record of the same identity.
    """
    store.profile.set_setting(_PENDING, pack(pending))
    store.profile.set_setting(_SUCCESSION, None if succession is None else pack(succession))
    store.profile.set_setting(_PUBLISH_FIRST, b"1")
    store.profile.set_setting(_FORMER, b"".join(former) or None)


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
        self.succession: Succession | None = None
        self.publish_first = False
        """Whether the node must have the pending record before a login: no message may come for keys that are lost."""
        self.record: KeyRecord
        self._first: KeyRecord | None
        self._link: bytes
        self._looked_at = float("-inf")

    def load(self) -> None:
        """Read the record, and the one that may be on its way to the node."""
        identity = self._store.profile.identity()
        self.record = decode_record(identity.record)
        me = self._context.user
        link, self._first = _link_of(identity.link)
        self._link = record_hash(me.node, me.name, link)
        pending, succession = self._store.profile.setting(_PENDING), self._store.profile.setting(_SUCCESSION)
        self.pending = None if pending is None else decode_record(pending)
        self.succession = None if succession is None else decode_succession(succession)
        self.publish_first = self._store.profile.setting(_PUBLISH_FIRST) is not None

    @property
    def to_register(self) -> KeyRecord:
        """What a name begins with: its first record. A node that has forgotten the name takes no later one; the newest
        is published at the login that follows."""
        return self._first if self._first is not None and self._first.number == 1 else self.record

    def registered(self) -> None:
        """The node has the name: the first key can be sealed to from now on."""
        with self._store.transaction():
            self._store.profile.set_identity_state(IdentityState.REGISTERED)
            self._store.keys.confirm(self.record.hpke_number, self._context.runtime.unix_s())

    def deleted(self) -> None:
        """The node has deleted the account."""
        self._store.profile.set_identity_state(IdentityState.DELETED)

    def look_after(self) -> bool:
        """Destroy and rotate what is due, at most every `LOOK_AFTER_S`. True if a record is to be published now."""
        now = self._context.runtime.now()
        if now - self._looked_at < LOOK_AFTER_S:
            return False
        self._looked_at = now
        self.destroy_due()
        return self.rotate_if_due() or self.pending is not None

    def rotate_if_due(self) -> bool:
        """Make the next key and its record, if the current one is old enough. True if there is one to publish."""
        now = self._context.runtime.unix_s()
        if self.pending is not None:
            return False
        current = self._store.keys.get(self.record.hpke_number)
        if current is not None and now - current.created_at < HPKE_ROTATION_S:
            return False
        self._make_next(now)
        return True

    def _make_next(self, now: int) -> None:
        me = self._context.user
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
            self._store.keys.add(number, seed, now)
            self._store.profile.set_setting(_PENDING, pack(record))
        self.pending = record

    def published(self, record: KeyRecord) -> None:
        """The node answers lookups with `record` from now on."""
        if self.pending is not None and record == self.pending:
            with self._store.transaction():
                self._store.profile.save_record(pack(record), record.number)
                self._store.keys.confirm(record.hpke_number, self._context.runtime.unix_s())
                for setting in (_PENDING, _SUCCESSION, _PUBLISH_FIRST):
                    self._store.profile.set_setting(setting, None)
            self.record, self.pending = record, None
            self.succession, self.publish_first = None, False

    def destroy_due(self) -> None:
        """Destroy the private keys that no message can need any more, and the ids remembered for them."""
        try:
            self._store.keys.destroy(self._context.runtime.unix_s() - HPKE_KEEP_S)
        except StoreBusy:
            logger.info("old message keys are not gone from the disk yet: the next check tries again")


def _link_of(stored: bytes) -> tuple[RecordStub, KeyRecord | None]:
    """The identity's link of the chain; the whole record of it where it was made here."""
    try:
        whole = decode_record(stored)
    except RemoteProtocolError:
        return decode_stub(stored), None
    return whole.stub(), whole
