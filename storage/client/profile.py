"""The user's profile: settings, identity, and the last login at the node."""

from __future__ import annotations

from typing import Any, Final

from usernym.storage.client.schema import IdentityRow, RouteRow, SettingRow
from usernym.storage.client.types import Identity, IdentityState, RouteState
from usernym.storage.database import StoreDatabase
from usernym.storage.errors import NoIdentity

# Plain SQL for what is asked at every message and every lookup.
_IDENTITY: Final = """
    SELECT name, seed, number, recovery_key, link, record, record_number, state, created_at FROM identity
"""


class Profile:
    """The user: settings, identity, the login at the node."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    # -- settings --

    def setting(self, key: str) -> bytes | None:
        """A setting's value."""
        row = self._db.fetch_one(SettingRow.select(SettingRow.value).where(SettingRow.key == key))
        return None if row is None else row[0]

    def set_setting(self, key: str, value: bytes | None) -> None:
        """Set a setting, or remove it with None."""
        if value is None:
            self._db.change(SettingRow.delete().where(SettingRow.key == key))
        else:
            self._db.change(SettingRow.insert(key=key, value=value).on_conflict_replace())

    # -- identity --

    def has_identity(self) -> bool:
        """Whether there is an identity."""
        return self._db.fetch_one(IdentityRow.select(IdentityRow.id)) is not None

    def identity(self) -> Identity:
        """The user's identity. Raises `NoIdentity` before the first `save_identity`."""
        row = self._db.row(_IDENTITY)
        if row is None:
            raise NoIdentity("there is no identity in this store yet")
        name, seed, number, recovery_key, link, record, record_number, state, created_at = row
        state = IdentityState(state)
        return Identity(name, seed, number, recovery_key, link, record, record_number, state, created_at)

    def save_identity(self, identity: Identity) -> None:
        """Store the identity, replacing the previous one."""
        self._db.change(
            IdentityRow.insert(
                id=1,
                name=identity.name,
                seed=identity.seed,
                number=identity.number,
                recovery_key=identity.recovery_key,
                link=identity.link,
                record=identity.record,
                record_number=identity.record_number,
                state=int(identity.state),
                created_at=identity.created_at,
            ).on_conflict_replace()
        )

    def set_identity_state(self, state: IdentityState) -> None:
        """Note how far the registration has come."""
        self._update_identity(state=int(state))

    def save_record(self, record: bytes, record_number: int) -> None:
        """Store the user's newer record, replacing the previous one."""
        self._update_identity(record=record, record_number=record_number)

    def _update_identity(self, **columns: Any) -> None:
        if not self._db.change(IdentityRow.update(**columns)):
            raise NoIdentity("there is no identity in this store yet")

    # -- the login at the node --

    def route_state(self) -> RouteState | None:
        """The last login."""
        found = self._db.fetch_dicts(RouteRow.select())
        if not found:
            return None
        del found[0]["id"]
        return RouteState(**found[0])

    def login_id(self) -> bytes | None:
        """The last login's id."""
        row = self._db.row("SELECT login_id FROM route")
        return None if row is None else row[0]

    def save_login(self, login_id: bytes, boot_id: bytes, now: int) -> None:
        """Store a new login; the current one becomes the previous one, and the counters start again."""
        with self._db.one_commit():
            before = self.route_state()
            previous = None if before is None else before.login_id
            if previous == login_id and before is not None:
                previous = before.previous_login_id
            self._db.change(
                RouteRow.insert(
                    id=1,
                    login_id=login_id,
                    previous_login_id=previous,
                    boot_id=boot_id,
                    counters=b"",
                    updated_at=now,
                ).on_conflict_replace()
            )

    def save_counters(self, counters: bytes, now: int) -> None:
        """Store what the node has sent under the current login."""
        self._db.change(RouteRow.update(counters=counters, updated_at=now))
