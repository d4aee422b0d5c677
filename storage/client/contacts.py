"""The contacts: their keys as pinned, how far they are trusted, and the direct route to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args

from usernym.protocol.limits import ADDRESS_BYTES
from usernym.protocol.payloads import COUNTERS_A_HOME, Handshake, counters_of_home
from usernym.storage.client.schema import ContactRow
from usernym.storage.client.types import (
    ERASED,
    Consent,
    Contact,
    Direction,
    Fallback,
    HandshakeState,
    InDirectory,
    Trust,
)
from usernym.storage.database import StoreDatabase
from usernym.storage.tables import Table, defaults_of, insertion, update_one

CONTACTS: Final = Table(ContactRow, Contact)
_ADD: Final = f"{insertion(ContactRow)} ON CONFLICT DO NOTHING"
_UNSAID: Final = defaults_of(ContactRow)
_ONE: Final = CONTACTS.select("WHERE name = ?")
_ALL: Final = CONTACTS.select("WHERE (?1 IS NULL OR consent = ?1) AND name > ?2 ORDER BY name LIMIT ?3")
STEP_KINDS: Final = tuple(kind.__struct_config__.tag for kind in get_args(Handshake))
"""The kinds of a handshake's messages."""
_STEPS: Final = f"({', '.join(map(str, STEP_KINDS))})"
_ADDRESS_AGREED: Final = f"""
    SELECT 1 FROM contact WHERE handshake IN ({HandshakeState.OFFERED.number}, {HandshakeState.ACTIVE.number})
        AND EXISTS (SELECT 1 FROM message WHERE contact = name AND kind IN {_STEPS}
            AND direction = {Direction.OUT.number} AND substr(body, 1, {ADDRESS_BYTES}) = ?) LIMIT 1
"""  # noqa: S608 - constants
_OF: Final = "(?1 IS NULL OR contact = ?1)"
_SENT: Final = f"{_OF} AND kind IN {_STEPS} AND direction = {Direction.OUT.number}"
_EXPIRED: Final = f"""
    SELECT name, (SELECT count(*) FROM message WHERE contact = name)
    FROM contact WHERE consent = {Consent.PENDING.number} AND asked_at < ?1
        AND NOT EXISTS (SELECT 1 FROM message WHERE contact = name AND stored_at >= ?1) ORDER BY name
"""  # noqa: S608 - constants
_END_AGREEMENTS: Final = f"""
    UPDATE contact SET handshake = {HandshakeState.NONE.number}, peer_address = NULL, direct_silent_since = NULL,
        direct_record = NULL, told_record_number = 0, has_met = 0 WHERE ?1 IS NULL OR name = ?1;
    DELETE FROM outbox WHERE message_id IN (SELECT message_id FROM message WHERE {_SENT});
    DELETE FROM message WHERE {_SENT};
    UPDATE message SET kind = {ERASED}, body = x'', shown = 1 WHERE {_OF} AND kind IN {_STEPS};
    UPDATE outbox SET sealed = NULL, key_number = NULL WHERE {_OF}
"""  # noqa: S608 - constants
"""For one contact, or for all where the name is null."""
_TAKE_COUNTER: Final = f"""
    UPDATE contact SET next_out_counter = 1 + max(next_out_counter, 1 + {COUNTERS_A_HOME} * (
        SELECT coalesce(max(restored_at), 0) FROM identity)) WHERE name = ? RETURNING next_out_counter - 1
"""  # noqa: S608 - a constant

_LAST_COUNTER: Final = f"""
    SELECT max(coalesce((SELECT next_out_counter FROM contact WHERE name = ?), 1) - 1,
               {COUNTERS_A_HOME} * (SELECT coalesce(max(restored_at), 0) FROM identity))
"""  # noqa: S608 - a constant


class Contacts:
    """The user's contacts. Changing an unknown contact returns False."""

    def __init__(self, database: StoreDatabase) -> None:
        self._db = database

    def get(self, name: str) -> Contact | None:
        return CONTACTS.first(self._db, _ONE, (name,))

    def all(self, consent: Consent | None = None, *, after: str = "", limit: int | None = None) -> Sequence[Contact]:
        """Contacts by name: all, or those with this consent; at most `limit` with names behind `after`."""
        wanted = None if consent is None else consent.number
        return CONTACTS.all(self._db, _ALL, (wanted, after, -1 if limit is None else limit))

    def add(
        self,
        name: str,
        identity_key: bytes,
        record: bytes,
        trust: Trust,
        consent: Consent,
        *,
        asked_at: int = 0,
        log_size: int | None = None,
        lacks_witnesses: bool = False,
    ) -> bool:
        """Add a contact; False, and nothing changed, if there is one. `asked_at`: when a stranger first wrote.
        `log_size` and `lacks_witnesses` are as in `Contact`."""
        said = {
            "name": name, "identity_key": identity_key, "record": record, "trust": trust.number,
            "consent": consent.number, "asked_at": asked_at, "log_size": log_size,
            "lacks_witnesses": lacks_witnesses,
        }  # fmt: skip
        return self._db.run(_ADD, _UNSAID | said) > 0

    def pin(
        self,
        name: str,
        identity_key: bytes,
        record: bytes,
        log_size: int | None = None,
        *,
        lacks_witnesses: bool = False,
    ) -> bool:
        """Replace a contact's record by a newer one. `log_size` and `lacks_witnesses` are as in `Contact`; None leaves
        what is known. What witnesses have signed once of an identity stays signed.

        One of another identity is `CHANGED` until the user has looked at it, and ends in the same commit all that was
        agreed with the former one. Which homes that one wrote from says nothing of this one's: a thief may have claimed
        the last home of all.
        """
        with self._db.one_commit():
            before = self.get(name)
            if before is None:
                return False
            same = before.identity_key == identity_key
            if same and log_size is None:
                log_size, lacks_witnesses = before.log_size, before.lacks_witnesses
            elif same and before.directory is InDirectory.SHOWN:
                lacks_witnesses = False
            self._update(
                name, identity_key=identity_key, record=record, log_size=log_size, lacks_witnesses=lacks_witnesses
            )
            if not same:
                self.set_trust(name, Trust.CHANGED)
                self.end_agreements(name)
                self._update(name, heard_home=0)
            return True

    def call_not_shown(self, name: str) -> bool:
        """Forget that the contact's identity was shown to be in the public directory; False if it was not."""
        return self._db.run("UPDATE contact SET log_size = NULL WHERE name = ? AND log_size IS NOT NULL", (name,)) > 0

    def note_home(self, name: str, counter: int) -> None:
        """A message with this counter came. The first of a newer home of the contact ends the direct route.

        That home has another address, and does not know what the former one said.
        """
        contact, home = self.get(name), counters_of_home(counter)
        if contact is None:
            return
        if contact.begins_again_with(counter):
            self.set_handshake(name, HandshakeState.NONE, None)
            self._update(name, direct_record=None, told_record_number=0)
        if home > contact.heard_home:
            self._update(name, heard_home=home)

    def end_agreements(self, name: str | None = None) -> None:
        """End what two identities had agreed on, and take back what is sealed or said by one to the other.

        Of this contact; of all, where the user's own identity is another one. No direct route and no address is left.
        The handshake's messages go (of those that came the place stays, so that no gap shows): so the counters in them
        are compared within one identity, and an offer that waits reveals the user's address to no other. What waits is
        sealed again, as for someone who has not met the user.
        """
        with self._db.one_commit():
            for statement in _END_AGREEMENTS.split(";"):
                self._db.run(statement, (name,))

    def set_direct_record(self, name: str, record: bytes) -> bool:
        """Keep a record that the contact sent directly."""
        return self._update(name, direct_record=record)

    def set_trust(self, name: str, trust: Trust) -> bool:
        """Note what speaks for the contact's key."""
        return self._update(name, trust=trust)

    def look_at(self, name: str, identity_key: bytes, trust: Trust) -> bool:
        """Note what the user decided about the identity that they looked at; False, and nothing changed, if the contact
        has another one by now."""
        of_this = "UPDATE contact SET trust = ? WHERE name = ? AND identity_key = ?"
        return self._db.run(of_this, (trust.number, name, identity_key)) > 0

    def set_consent(self, name: str, consent: Consent) -> bool:
        return self._update(name, consent=consent)

    def set_handshake(self, name: str, state: HandshakeState, peer_address: bytes | None) -> bool:
        """Move the handshake, with the peer's address if it may be kept; a direct route that was silent is not now."""
        return self._update(name, handshake=state, peer_address=peer_address, direct_silent_since=None)

    def is_agreed(self, address: bytes) -> bool:
        """Whether a contact was given this Nym address of ours, by an offer or an acceptance that holds."""
        return self._db.value(int, _ADDRESS_AGREED, (address,)) is not None

    def set_direct_silent(self, name: str, since: int | None) -> bool:
        """Note since when the direct way has been silent; None: it is not."""
        return self._update(name, direct_silent_since=since)

    def set_fallback(self, name: str, fallback: Fallback) -> bool:
        """Choose what happens when the direct way is silent."""
        return self._update(name, fallback=fallback)

    def set_disappearing(self, name: str, seconds: int | None) -> bool:
        """Choose after how long texts with a contact are erased here; None: never."""
        return self._update(name, disappears_after=seconds)

    def expire_requests(self, before: int) -> Sequence[tuple[str, int]]:
        """Delete requests of which nothing came since `before` (Unix seconds), with their messages.

        Returns the name of each, and how many messages it was.

        The ids of their messages stay remembered. A request that was declined or blocked is a decision, and stays.
        """
        if not self._db.row(_EXPIRED, (before,)):
            return []  # as nearly always: no commit
        with self._db.one_commit():
            found = self._db.rows(_EXPIRED, (before,))
            for name, _ in found:
                self._db.run("DELETE FROM contact WHERE name = ?", (name,))
            return [(name, count) for name, count in found]

    def disappearing(self) -> Sequence[tuple[str, int]]:
        """The contacts whose texts disappear, and after how many seconds."""
        found = self._db.rows("SELECT name, disappears_after FROM contact WHERE disappears_after > 0 ORDER BY name")
        return [(name, int(seconds)) for name, seconds in found]

    def set_told_record(self, name: str, record_number: int) -> bool:
        """Note that the contact was sent the user's own record of this number."""
        return self._update(name, told_record_number=record_number)

    def set_met(self, name: str) -> bool:
        """Note that the contact's client knows the user's key."""
        return self._update(name, has_met=True)

    def take_out_counter(self, name: str) -> int | None:
        """The next counter for a message to this contact, used up by this call. None if unknown.

        The first is 1, or the one behind those of all former homes of this identity.
        """
        return self._db.value(int, _TAKE_COUNTER, (name,))

    def last_out_counter(self, name: str) -> int:
        """The counter of the last message to a contact: none that is higher can have been seen."""
        return self._db.value(int, _LAST_COUNTER, (name,)) or 0

    def _update(self, name: str, **columns: Any) -> bool:
        return update_one(self._db, ContactRow, name, columns)
