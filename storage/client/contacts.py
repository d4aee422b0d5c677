"""The contacts: their keys as pinned, how far they are trusted, and the direct route to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from usernym.storage.client.schema import ContactRow
from usernym.storage.client.types import Consent, Contact, Fallback, HandshakeState, Trust
from usernym.storage.database import StoreDatabase

_COLUMNS: Final = tuple(ContactRow._meta.columns)  # noqa: SLF001 - peewee's documented way to a model's columns
_CONTACT: Final = f"SELECT {', '.join(_COLUMNS)} FROM contact WHERE name = ?"  # noqa: S608 - asked for each message
_CONTACTS: Final = f"SELECT {', '.join(_COLUMNS)} FROM contact WHERE ?1 IS NULL OR consent = ?1 ORDER BY name"  # noqa: S608 - as above


class Contacts:
    """The user's contacts. Changing an unknown contact returns False."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    def get(self, name: str) -> Contact | None:
        """The contact of this name."""
        row = self._db.row(_CONTACT, (name,))
        return None if row is None else _contact(dict(zip(_COLUMNS, row, strict=True)))

    def all(self, consent: Consent | None = None) -> Sequence[Contact]:
        """All contacts, or those with this consent, by name."""
        wanted = None if consent is None else consent.number
        rows = self._db.rows(_CONTACTS, (wanted,))
        return [_contact(dict(zip(_COLUMNS, row, strict=True))) for row in rows]

    def add(
        self,
        name: str,
        identity_key: bytes,
        record: bytes,
        trust: Trust,
        consent: Consent,
        now: int,
        *,
        links: bytes = b"",
    ) -> bool:
        """Add a contact whose record was looked up at `now`; False, and nothing changed, if it is there already."""
        added = self._db.change(
            ContactRow.insert(
                name=name,
                identity_key=identity_key,
                record=record,
                links=links,
                trust=trust.number,
                consent=consent.number,
                fetched_at=now,
                next_out_counter=1,
                highest_in_counter=0,
                has_met=0,
                told_record_number=0,
                handshake=HandshakeState.NONE.number,
                fallback=int(Fallback.NODE),
            ).on_conflict_ignore()
        )
        return added > 0

    def update_record(
        self, name: str, identity_key: bytes, record: bytes, now: int, *, links: bytes | None = None
    ) -> bool:
        """Put a newer record of a contact instead of the previous one; `links` only if given.

        Trust stays as it is: whether an identity changed is the caller's to see (`set_trust`, in one transaction).
        """
        columns: dict[str, Any] = {"identity_key": identity_key, "record": record, "fetched_at": now}
        if links is not None:
            columns["links"] = links
        return self._update(name, **columns)

    def remove(self, name: str) -> bool:
        """Remove a contact with its conversation and what waits to be sent to it. Seen ids stay remembered."""
        return self._db.change(ContactRow.delete().where(ContactRow.name == name)) > 0

    def set_trust(self, name: str, trust: Trust) -> bool:
        """Note what speaks for the contact's key."""
        return self._update(name, trust=trust.number)

    def set_consent(self, name: str, consent: Consent) -> bool:
        """Accept, decline or block."""
        return self._update(name, consent=consent.number)

    def set_handshake(
        self, name: str, state: HandshakeState, peer_address: bytes | None, revealed_at: int | None
    ) -> bool:
        """Move the handshake: the peer's address (None: none any more), and when ours was sent, if it was sent now.

        A date of revealing that is there stays: the first one counts. A silence that was noted ends.
        """
        with self._db.one_commit():
            if revealed_at is not None:
                never = (ContactRow.name == name) & ContactRow.address_revealed_at.is_null()
                self._db.change(ContactRow.update(address_revealed_at=revealed_at).where(never))
            return self._update(name, handshake=state.number, peer_address=peer_address, direct_silent_since=None)

    def set_direct_silent(self, name: str, since: int | None) -> bool:
        """Note since when the direct way has been silent; None: it is not."""
        return self._update(name, direct_silent_since=since)

    def set_fallback(self, name: str, fallback: Fallback) -> bool:
        """Choose what happens when the direct way is silent."""
        return self._update(name, fallback=int(fallback))

    def set_disappearing(self, name: str, seconds: int | None) -> bool:
        """Choose after how long texts with a contact are erased here; None: never."""
        return self._update(name, disappears_after=seconds)

    def disappearing(self) -> Sequence[tuple[str, int]]:
        """The contacts whose texts disappear, and after how many seconds."""
        found = self._db.rows("SELECT name, disappears_after FROM contact WHERE disappears_after > 0 ORDER BY name")
        return [(name, int(seconds)) for name, seconds in found]

    def set_told_record(self, name: str, record_number: int) -> bool:
        """Note that the contact was sent the user's own record of this number."""
        return self._update(name, told_record_number=record_number)

    def set_met(self, name: str) -> bool:
        """Note that the contact's client knows the user's key."""
        return self._update(name, has_met=1)

    def take_out_counter(self, name: str) -> int | None:
        """The next counter for a message to this contact, used up by this call; the first is 1. None if unknown."""
        row = self._db.row(
            "UPDATE contact SET next_out_counter = next_out_counter + 1 WHERE name = ? RETURNING next_out_counter - 1",
            (name,),
        )
        return None if row is None else int(row[0])

    def _update(self, name: str, **columns: Any) -> bool:
        return self._db.change(ContactRow.update(**columns).where(ContactRow.name == name)) > 0


def _contact(row: dict[str, Any]) -> Contact:
    return Contact(
        **{
            **row,
            "trust": Trust.of_number(row["trust"]),
            "consent": Consent.of_number(row["consent"]),
            "has_met": bool(row["has_met"]),
            "handshake": HandshakeState.of_number(row["handshake"]),
            "fallback": Fallback(row["fallback"]),
        }
    )
