"""The user's profile: settings, identity, and the last login at the node."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from usernym.protocol.limits import KEY_BYTES
from usernym.protocol.records import decode_record, decode_succession
from usernym.protocol.wire import pack
from usernym.storage.client.schema import IdentityRow
from usernym.storage.client.types import Identity, IdentityState, PendingRecord, RecoveryWords
from usernym.storage.database import StoreDatabase
from usernym.storage.errors import NoIdentity
from usernym.storage.tables import Table, insertion, stored, update_one

_IDENTITY: Final = Table(IdentityRow, Identity)
_THE_ONE: Final = _IDENTITY.select("")
_REPLACE: Final = insertion(IdentityRow).replace("INSERT", "INSERT OR REPLACE", 1)

SET_SETTING: Final = "INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)"

_PENDING: Final = "pending_record"
_SUCCESSION: Final = "pending_succession"
_BEFORE_LOGIN: Final = "publish_first"
_WORDS: Final = "recovery_words"
_FORMER: Final = "former_identities"


class Profile:
    """The user: settings, identity, the login at the node."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    # -- settings --

    def setting(self, key: str) -> bytes | None:
        return self._db.value(bytes, "SELECT value FROM setting WHERE key = ?", (key,))

    def set_setting(self, key: str, value: bytes | None) -> None:
        if value is None:
            self._db.run("DELETE FROM setting WHERE key = ?", (key,))
        else:
            self._db.run(SET_SETTING, (key, value))

    # -- identity --

    def has_identity(self) -> bool:
        return self._db.row("SELECT 1 FROM identity") is not None

    def identity(self) -> Identity:
        """The user's identity. Raises `NoIdentity` before the first `save_identity`."""
        found = _IDENTITY.first(self._db, _THE_ONE)
        if found is None:
            raise NoIdentity("there is no identity in this store yet")
        return found

    def save_identity(self, identity: Identity) -> None:
        self._db.run(_REPLACE, {"id": 1, **{name: stored(getattr(identity, name)) for name in _IDENTITY.names}})

    def words(self) -> RecoveryWords:
        """Whether the recovery words of the identity that was made here have been shown."""
        word = self.setting(_WORDS)
        return RecoveryWords.SHOWN if word is None else RecoveryWords(word.decode())

    def set_words(self, words: RecoveryWords) -> None:
        self.set_setting(_WORDS, words.value.encode())

    def set_identity_state(self, state: IdentityState) -> None:
        self._update_identity(state=state)

    def save_record(self, record: bytes, record_number: int) -> None:
        self._update_identity(record=record, record_number=record_number)

    def _update_identity(self, **columns: Any) -> None:
        if not update_one(self._db, IdentityRow, 1, columns):
            raise NoIdentity("there is no identity in this store yet")

    def former_identities(self) -> list[bytes]:
        """The identity keys that the user's name had before, also those of a thief, 32 bytes each: who does not know of
        the change seals to them."""
        keys = self.setting(_FORMER) or b""
        return [keys[at : at + KEY_BYTES] for at in range(0, len(keys), KEY_BYTES)]

    def set_former_identities(self, keys: Iterable[bytes]) -> None:
        self.set_setting(_FORMER, b"".join(keys) or None)

    def pending_record(self) -> PendingRecord | None:
        """The record that is on its way to the node."""
        record, succession = self.setting(_PENDING), self.setting(_SUCCESSION)
        if record is None:
            return None
        change = None if succession is None else decode_succession(succession)
        return PendingRecord(decode_record(record), change, self.setting(_BEFORE_LOGIN) is not None)

    def set_pending_record(self, pending: PendingRecord | None) -> None:
        """Store it, replacing the previous one, or remove it with None."""
        record, succession = (None, None) if pending is None else (pending.record, pending.succession)
        with self._db.one_commit():
            self.set_setting(_PENDING, None if record is None else pack(record))
            self.set_setting(_SUCCESSION, None if succession is None else pack(succession))
            self.set_setting(_BEFORE_LOGIN, b"1" if pending is not None and pending.before_login else None)

    # -- the login at the node --

    def login_id(self) -> bytes | None:
        return self._db.value(bytes, "SELECT login_id FROM login")

    def save_login(self, login_id: bytes) -> None:
        self._db.run("INSERT OR REPLACE INTO login (id, login_id) VALUES (1, ?)", (login_id,))
