"""The user's side of the client's store: settings, identity, message keys, the login at the node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from usernym.storage.client.schema import HpkeKeyRow, IdentityRow, NoticeToConfirm, RouteRow, SeenRow, SettingRow
from usernym.storage.client.types import HpkeKey, Identity, IdentityState, RouteState
from usernym.storage.database import Store, parts
from usernym.storage.errors import NoIdentity, StoreBusy

# Plain SQL for what is asked at every message and every lookup.
_IDENTITY: Final = """
    SELECT name, seed, number, recovery_key, link, record, record_number, state, created_at FROM identity
"""
_HPKE_KEY: Final = """
    SELECT number, seed, created_at, confirmed_at, superseded_at FROM hpke_key WHERE number = ?
"""


class Own(Store):
    """The part of `ClientStore` that is about the user."""

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
        """Store the identity, in the place of the one of before."""
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
        """Put the user's newer record in the place of the one of before."""
        self._update_identity(record=record, record_number=record_number)

    def _update_identity(self, **columns: Any) -> None:
        if not self._db.change(IdentityRow.update(**columns)):
            raise NoIdentity("there is no identity in this store yet")

    # -- message keys --

    def add_hpke_key(self, number: int, seed: bytes, now: int) -> None:
        """Keep a new private key. Raises `RowConflict` if the number is taken: a key is never replaced."""
        self._db.change(HpkeKeyRow.insert(number=number, seed=seed, created_at=now))

    def confirm_hpke_key(self, number: int, now: int) -> bool:
        """The node hands out this key now: those before it are superseded. False if there is no such key.

        The first confirmation counts; a repeated one moves no date.
        """
        with self._db.one_commit():
            if self.hpke_key(number) is None:
                return False
            self._db.change(
                HpkeKeyRow.update(confirmed_at=now).where(
                    (HpkeKeyRow.number == number) & HpkeKeyRow.confirmed_at.is_null()
                )
            )
            self._db.change(
                HpkeKeyRow.update(superseded_at=now).where(
                    (HpkeKeyRow.number < number) & HpkeKeyRow.superseded_at.is_null()
                )
            )
            return True

    def hpke_keys(self) -> Sequence[HpkeKey]:
        """All private keys, by number."""
        return [HpkeKey(**row) for row in self._db.fetch_dicts(HpkeKeyRow.select().order_by(HpkeKeyRow.number))]

    def hpke_key(self, number: int) -> HpkeKey | None:
        """One private key, while it exists."""
        row = self._db.row(_HPKE_KEY, (number,))
        return None if row is None else HpkeKey(*row)

    def current_hpke_key(self) -> HpkeKey | None:
        """The confirmed key with the highest number: the one that lookups return."""
        query = HpkeKeyRow.select().where(HpkeKeyRow.confirmed_at.is_null(is_null=False))
        found = self._db.fetch_dicts(query.order_by(HpkeKeyRow.number.desc()).limit(1))
        return HpkeKey(**found[0]) if found else None

    def destroy_hpke_keys(self, superseded_before: int) -> list[int]:
        """Destroy the keys superseded before this time, with the ids remembered for them; returns their numbers.

        When this returns, the database and its WAL no longer contain them; what the file system or the disk keeps of
        overwritten blocks is out of reach. Raises `StoreBusy` if readers keep the WAL from being emptied: the keys are
        gone from the database then, and the next call empties the WAL. Not to be called inside `transaction()`.
        """
        if self._db.writing:
            raise ValueError("keys cannot be destroyed inside a transaction")
        with self._db.one_commit():
            due = HpkeKeyRow.select(HpkeKeyRow.number).where(HpkeKeyRow.superseded_at < superseded_before)
            numbers = [int(row[0]) for row in self._db.fetch(due.order_by(HpkeKeyRow.number))]
            self.forget_for_keys(numbers)
            for some in parts(numbers):
                self._db.change(HpkeKeyRow.delete().where(HpkeKeyRow.number.in_(some)))
        if not self._db.checkpoint():
            raise StoreBusy(f"{self.path}: old keys are deleted, but readers keep their last copy alive: try again")
        return numbers

    def forget_for_keys(self, numbers: Iterable[int]) -> None:
        """Forget the ids of messages sealed to these keys, which nothing opens any more."""
        with self._db.one_commit():
            for some in parts(numbers):
                self._db.change(SeenRow.delete().where(SeenRow.key_number.in_(some)))

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
        """Store a new login; the one of before becomes the previous one, and the counters start anew."""
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
        """Store what the node has told under the current login."""
        self._db.change(RouteRow.update(counters=counters, updated_at=now))

    # -- notices that the node wants confirmed --

    def note_notices(self, ids: Iterable[int]) -> None:
        """Remember to confirm these notices; a known one is passed over."""
        with self._db.one_commit():
            for some in parts(ids):
                rows = [(number,) for number in some]
                self._db.change(NoticeToConfirm.insert_many(rows, fields=[NoticeToConfirm.id]).on_conflict_ignore())

    def notices_to_confirm(self, limit: int) -> list[int]:
        """At most `limit` notices to confirm, the oldest first."""
        query = NoticeToConfirm.select(NoticeToConfirm.id).order_by(NoticeToConfirm.id).limit(limit)
        return [int(row[0]) for row in self._db.fetch(query)]

    def clear_notices(self, ids: Iterable[int]) -> None:
        """Forget these notices: the node has the confirmation."""
        with self._db.one_commit():
            for some in parts(ids):
                self._db.change(NoticeToConfirm.delete().where(NoticeToConfirm.id.in_(some)))
