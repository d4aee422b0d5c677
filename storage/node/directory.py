"""The directory: who holds which name, with which keys.

A deleted name keeps its row until its hold ends: its owner, who still has the identity key, may register it again;
for everyone else it is taken until then. What happens to a name's identity is noted, in the same commit, for the next
epoch of the directory's log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from usernym.protocol.directory.events import DirectoryEvent
from usernym.storage.engine import Engine
from usernym.storage.errors import StoreConflict
from usernym.storage.node.epochs import note_event
from usernym.storage.node.schema import AccountRow, HpkeNumberRow, LinkRow
from usernym.storage.tables import Table, insertion

FORMER_KEYS_MAX: Final = 16
"""Former key numbers that are known of a name: a key is replaced each week, and messages for it are taken for one more.
Publishing costs no work: with all that a name ever had, one name could fill the disk."""


@dataclass(frozen=True, slots=True)
class Account:
    """A name in the directory. `deleted_until` is set while a deleted name is held back (Unix seconds)."""

    name: str = field(repr=False)
    skeleton: str = field(repr=False)
    skeleton_version: int
    identity_key: bytes = field(repr=False)
    record: bytes = field(repr=False)
    record_number: int
    hpke_number: int
    created_at: int
    updated_at: int
    deleted_until: int | None


@dataclass(frozen=True, slots=True)
class ChainLink:
    """A link of a name's chain of identities; generation 0 is the first."""

    generation: int
    blob: bytes = field(repr=False)


class Registration(Enum):
    """What came of a registration."""

    CREATED = "created"
    SAME_IDENTITY = "same identity again: nothing was changed"
    REVIVED = "the owner took a deleted name back"
    NAME_TAKEN = "name taken, or held back"
    LOOKS_ALIKE = "a name that looks alike is taken, or held back"


@dataclass(frozen=True, slots=True)
class _NewRecord:
    identity_key: bytes = field(repr=False)
    record: bytes = field(repr=False)
    record_number: int
    hpke_number: int
    now: int


_ACCOUNTS: Final = Table(AccountRow, Account)
_BY_NAME: Final = _ACCOUNTS.select("WHERE name = ?")
_IN_THE_WAY: Final = _ACCOUNTS.select("WHERE name = ? OR skeleton = ?")
_INSERT_LINK: Final = "INSERT INTO link (name, generation, blob) VALUES (?, ?, ?)"
_INSERT_NUMBER: Final = "INSERT INTO hpke_number (name, number) VALUES (?, ?)"
_FORGET_NUMBERS: Final = """
    DELETE FROM hpke_number WHERE name = ?1 AND superseded_at IS NOT NULL AND number NOT IN (
        SELECT number FROM hpke_number WHERE name = ?1 AND superseded_at IS NOT NULL
        ORDER BY superseded_at DESC, number DESC LIMIT ?2)
"""
_INSERT: Final = f"{insertion(AccountRow)} ON CONFLICT DO NOTHING"
_LINKS: Final = Table(LinkRow, ChainLink)
_LINKS_FROM: Final = _LINKS.select("WHERE name = ? AND generation >= ? ORDER BY generation")
_LAST_LINK: Final = _LINKS.select("WHERE name = ? ORDER BY generation DESC LIMIT 1")


class Directory:
    """Accounts, their chains of identities and their key numbers."""

    def __init__(self, database: Engine) -> None:
        self._db = database

    def account(self, name: str) -> Account | None:
        """The account of this name, deleted or not."""
        return _ACCOUNTS.first(self._db, _BY_NAME, (name,))

    def in_the_way(self, name: str, skeleton: str) -> list[Account]:
        """The account of this name, and one whose name looks like it, deleted or not."""
        return _ACCOUNTS.all(self._db, _IN_THE_WAY, (name, skeleton))

    def register(
        self,
        *,
        name: str,
        skeleton: str,
        skeleton_version: int,
        identity_key: bytes,
        record: bytes,
        record_number: int,
        hpke_number: int,
        link: bytes,
        now: int,
    ) -> Registration:
        """Create an account with the first link of its chain, unless someone has the name or one that looks alike.

        The same identity key again changes nothing; on its own deleted name it takes the name back, with the chain
        and the previous record, or the given record if that is newer. A name whose hold has ended is free.
        """
        new = _NewRecord(identity_key, record, record_number, hpke_number, now)

        def register() -> Registration:
            db = self._db
            held = []
            for account in _ACCOUNTS.all(db, _IN_THE_WAY + db.locked, (name, skeleton)):
                if account.identity_key != identity_key and _free_again(account, now):
                    db.change(AccountRow.delete().where(AccountRow.name == account.name))
                else:
                    held.append(account)
            existing = next((account for account in held if account.name == name), None)
            if existing is not None:
                if existing.identity_key != identity_key:
                    return Registration.NAME_TAKEN
                if existing.deleted_until is None:
                    return Registration.SAME_IDENTITY
                _revive(db, existing, new)
                note_event(db, name, DirectoryEvent.RETURNED)
                return Registration.REVIVED
            if held:
                return Registration.LOOKS_ALIKE
            added = {
                "name": name, "skeleton": skeleton, "skeleton_version": skeleton_version, "identity_key": identity_key,
                "record": record, "record_number": record_number, "hpke_number": hpke_number, "created_at": now,
                "updated_at": now, "deleted_until": None,
            }  # fmt: skip
            if not db.run(_INSERT, added):
                raise StoreConflict(f"{db.path}: another registration came in between")
            db.run(_INSERT_LINK, (name, 0, link))
            db.run(_INSERT_NUMBER, (name, hpke_number))
            note_event(db, name, DirectoryEvent.REGISTERED)
            return Registration.CREATED

        return self._db.commit(register)

    def replace_record(
        self,
        name: str,
        *,
        expected: bytes,
        identity_key: bytes,
        record: bytes,
        record_number: int,
        hpke_number: int,
        now: int,
        new_link: tuple[int, bytes] | None = None,
    ) -> bool:
        """Put a newer record in place of the record `expected`; False if that is not the current one (any more). By its
        number one could not tell: a recovery may use numbers again that a thief has used.

        `new_link` is (generation, blob): the chain is cut before that generation and continues with this link. A new
        HPKE key number supersedes the current one at `now`. Only with a new link may the key number go back (a thief
        may have used up the numbers); else that raises ValueError. With one, a deleted name is taken back.
        """
        new = _NewRecord(identity_key, record, record_number, hpke_number, now)

        def replace() -> bool:
            db = self._db
            current = _ACCOUNTS.first(db, _BY_NAME + db.locked, (name,))
            if current is None:
                return False
            held = current.deleted_until is not None
            if current.record == record and not held:
                return True
            if (held and new_link is None) or current.record != expected:
                return False
            if hpke_number < current.hpke_number and new_link is None:
                raise ValueError("a key number never goes back")
            _write_record(db, current, new)
            if new_link is not None:
                generation, blob = new_link
                db.change(AccountRow.update(deleted_until=None).where(AccountRow.name == name))
                # No one is to seal to a former identity's keys any more: a thief may have them.
                former = (HpkeNumberRow.name == name) & (HpkeNumberRow.number != hpke_number)
                db.change(HpkeNumberRow.update(superseded_at=0).where(former))
                db.change(LinkRow.delete().where((LinkRow.name == name) & (LinkRow.generation >= generation)))
                db.run(_INSERT_LINK, (name, generation, blob))
                note_event(db, name, DirectoryEvent.SUCCEEDED)
            return True

        return self._db.commit(replace)

    def is_empty(self) -> bool:
        """Whether no name was ever registered, or none is left."""
        return self._db.row("SELECT 1 FROM account LIMIT 1") is None

    def links(self, name: str, from_generation: int) -> Sequence[ChainLink]:
        """The chain of identities of a name from this generation on, in order; empty for an unknown name."""
        return _LINKS.all(self._db, _LINKS_FROM, (name, from_generation))

    def last_link(self, name: str) -> ChainLink | None:
        """The link of the name's newest identity; None for an unknown name."""
        return _LINKS.first(self._db, _LAST_LINK, (name,))

    def key_superseded_at(self, name: str, number: int) -> int | None:
        """When this HPKE key number of a name was superseded; None if it is the current one, or is not known: of the
        former ones the newest `FORMER_KEYS_MAX` are."""
        return self._db.value(
            int, "SELECT superseded_at FROM hpke_number WHERE name = ? AND number = ?", (name, number)
        )

    def has_identity(self, name: str, identity_key: bytes) -> bool:
        """Whether the name has this identity; no other transaction changes that before the commit. Only inside one."""
        sql = "SELECT 1 FROM account WHERE name = ? AND identity_key = ?"
        return self._db.row(sql + self._db.locked, (name, identity_key)) is not None

    def delete_account(self, name: str, held_until: int) -> bool:
        """Delete an account with its notices, and hold its name back until `held_until`; False if there is none.

        What waits for it is the mailbox's (`Mailbox.remove_all`); what it has sent stays with its recipients.
        """

        def delete() -> bool:
            mark = AccountRow.update(deleted_until=held_until).where(
                (AccountRow.name == name) & AccountRow.deleted_until.is_null()
            )
            if not self._db.change(mark):
                return False
            self._db.run("DELETE FROM notice WHERE account = ?", (name,))
            note_event(self._db, name, DirectoryEvent.DELETED)
            return True

        return self._db.commit(delete)

    def release_names(self, now: int, limit: int) -> int:
        """Forget at most `limit` deleted names whose hold has ended, with all that belongs to them; how many."""
        # The outer condition is looked at again when the row is had: its owner may have taken the name back meanwhile.
        ended = "SELECT name FROM account WHERE deleted_until <= ?1 LIMIT ?2"
        sql = f"DELETE FROM account WHERE deleted_until <= ?1 AND name IN ({ended})"  # noqa: S608 - constants
        return self._db.run(sql, (now, limit))


def _free_again(account: Account, now: int) -> bool:
    return account.deleted_until is not None and account.deleted_until <= now


def _write_record(db: Engine, account: Account, new: _NewRecord) -> None:
    """Replace the account's record by `new`; a new key number supersedes the previous one."""
    fields: dict[Any, Any] = {
        AccountRow.identity_key: new.identity_key,
        AccountRow.record: new.record,
        AccountRow.record_number: new.record_number,
        AccountRow.hpke_number: new.hpke_number,
        AccountRow.updated_at: new.now,
    }
    db.change(AccountRow.update(fields).where(AccountRow.name == account.name))
    if new.hpke_number != account.hpke_number:
        old = (HpkeNumberRow.name == account.name) & HpkeNumberRow.superseded_at.is_null()
        db.change(HpkeNumberRow.update(superseded_at=new.now).where(old))
        same = (HpkeNumberRow.name == account.name) & (HpkeNumberRow.number == new.hpke_number)
        db.change(HpkeNumberRow.delete().where(same))
        db.run(_INSERT_NUMBER, (account.name, new.hpke_number))
        db.run(_FORGET_NUMBERS, (account.name, FORMER_KEYS_MAX))


def _revive(db: Engine, account: Account, new: _NewRecord) -> None:
    db.change(AccountRow.update(deleted_until=None, updated_at=new.now).where(AccountRow.name == account.name))
    if new.record_number > account.record_number and new.hpke_number >= account.hpke_number:
        _write_record(db, account, new)
