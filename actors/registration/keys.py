"""The user's own keys and record in the store: made once, rotated weekly, destroyed when nothing can need them.

docs/protocol.md, "Message keys". A new key is on disk, with the record that announces it, before it is published; the
same record is published again until the node has it, or the next key is due; only then is its predecessor superseded.
No deadline waits for the node: keys are made, and destroyed, by this machine's clock, online or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from usernym.actors.events import RotationStalled
from usernym.actors.sound_clock import SoundClock
from usernym.logger import logger
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import (
    DAY_S,
    HPKE_KEEP_S,
    HPKE_LIFE_S,
    HPKE_ROTATION_S,
    HPKE_STALLED_S,
    MINUTE_S,
    SEED_BYTES,
)
from usernym.protocol.records import KeyRecord, RecordStub, decode_record, decode_stub, record_hash, sign_record
from usernym.protocol.sealing import MessageKey
from usernym.protocol.wire import pack
from usernym.storage.client.types import IdentityState, PendingRecord
from usernym.storage.errors import StoreBusy

if TYPE_CHECKING:
    from usernym.actors.context import ClientContext
    from usernym.storage.client.store import ClientStore

LOOK_AFTER_S: Final = 10 * MINUTE_S
"""Between two looks at the message keys' age: they change weekly."""


class KeyRing:
    """The registration actor's hold on the user's record and message keys."""

    def __init__(self, context: ClientContext) -> None:
        self._context = context
        self._store = context.store
        self.pending: PendingRecord | None = None
        self.record: KeyRecord
        self._first: KeyRecord | None
        self.origin: RecordStub
        """Of the record that has made the identity."""
        self._link: bytes
        self._looked_at = float("-inf")
        self._clock = SoundClock(context.runtime)
        self._stalled = False

    def load(self) -> None:
        """Read the record, and the one that may be on its way to the node."""
        identity = self._store.profile.identity()
        self.record = decode_record(identity.record)
        me = self._context.user
        self.origin, self._first = _link_of(identity.link)
        self._link = record_hash(me.node, me.name, self.origin)
        self.pending = self._store.profile.pending_record()

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
        self._store.profile.set_identity_state(IdentityState.DELETED)

    def look_after(self) -> bool:
        """Destroy and rotate what is due, at most every `LOOK_AFTER_S`. True if a record is to be published now."""
        now = self._context.runtime.now()
        if now - self._looked_at < LOOK_AFTER_S:
            return False
        self._looked_at = now
        settled = self._clock.is_sound() and self._clock.has_settled
        self.destroy_due(overdue=settled)
        self._rotate_if_due(settled=settled)
        if settled:
            self._report_stall()
        return self.pending is not None

    def _rotate_if_due(self, *, settled: bool) -> None:
        """Make the next key and its record, if the newest one is old enough or gone.

        `settled`: the clock is trusted. One that is behind for a moment would date the end of the former key too early.
        """
        now = self._context.runtime.unix_s()
        if self._store.profile.identity().state is not IdentityState.REGISTERED:
            return
        if self.pending is not None and self.pending.succession is not None:
            return  # this record alone can begin the new identity
        newest = self._store.keys.get((self.record if self.pending is None else self.pending.record).hpke_number)
        # A key of a time that is still to come was made by a clock that was ahead: it would be the newest until then.
        is_ahead = settled and newest is not None and newest.created_at > now + DAY_S
        if newest is None or is_ahead or now - newest.created_at >= HPKE_ROTATION_S:
            self._make_next(now)

    def _report_stall(self) -> None:
        """Notify the user that a new key has waited too long for the node, or waits no more."""
        since = stalled_since(self._store, self._context.runtime.unix_s())
        if (since is not None) is not self._stalled:
            self._stalled = since is not None
            self._context.on_event(RotationStalled(since))

    def _make_next(self, now: int) -> None:
        me = self._context.user
        seed = self._context.runtime.random_bytes(SEED_BYTES)
        newest = self.record if self.pending is None else self.pending.record
        number = newest.hpke_number + 1
        record = sign_record(
            me.key,
            me.node,
            me.name,
            msgspec.structs.replace(
                self.record,
                number=newest.number + 1,
                hpke_key=MessageKey.from_seed(seed).public,
                hpke_number=number,
                made_on=now // DAY_S,
                previous=self._link,
            ),
        )
        pending = PendingRecord(record, before_login=self.pending is not None and self.pending.before_login)
        with self._store.transaction():
            self._store.keys.add(number, seed, now)
            self._store.profile.set_pending_record(pending)
        self.pending = pending

    def published(self, record: KeyRecord) -> None:
        """The node answers lookups with `record` from now on."""
        if self.pending is not None and record == self.pending.record:
            with self._store.transaction():
                self._store.profile.save_record(pack(record), record.number)
                self._store.keys.confirm(record.hpke_number, self._context.runtime.unix_s())
                self._store.profile.set_pending_record(None)
            self.record, self.pending = record, None
            if self._stalled:
                self._stalled = False
                self._context.on_event(RotationStalled(None))

    def destroy_due(self, *, overdue: bool) -> None:
        """Destroy the private keys that no message can need any more, and the ids remembered for them.

        `overdue`: also those that are too old although no successor was published in time. Messages may still wait for
        them, since their user was away or the node withholds the successor; so a process first has ten minutes to
        fetch those. Afterwards they are called unopenable, and their senders seal them again.
        """
        now = self._context.runtime.unix_s()
        try:
            self._store.keys.destroy(now - HPKE_KEEP_S, now - HPKE_LIFE_S if overdue else 0)
        except StoreBusy:
            logger.info("old message keys are not gone from the disk yet: the next check tries again")


def stalled_since(store: ClientStore, unix_s: int) -> int | None:
    """Since when a new message key has waited to be published, if that is too long (Unix seconds); else None."""
    since = store.keys.waiting_since()
    stalled = since is not None and unix_s - since >= HPKE_STALLED_S
    return since if stalled and store.profile.identity().state is IdentityState.REGISTERED else None


def _link_of(stored: bytes) -> tuple[RecordStub, KeyRecord | None]:
    """The identity's link of the chain; the whole record of it where it was made here."""
    try:
        whole = decode_record(stored)
    except RemoteProtocolError:
        return decode_stub(stored), None
    return whole.stub(), whole
