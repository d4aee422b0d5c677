"""A client's backup: contacts with their pins, and the history; no identity, no message key, no file's content,
nothing that waits.

It is a client's store of its own in a new folder, encrypted as a whole under a passphrase (see `client` and `keyfile`),
with the name and node that it belongs to among its settings. So it opens nothing that was sealed to its owner, and the
recovery words are what brings the identity back.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from usernym.protocol.records import decode_record
from usernym.storage.client.contacts import STEP_KINDS
from usernym.storage.client.files import PASSING_KINDS
from usernym.storage.client.schema import ContactRow, MessageRow
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import ERASED, Consent, DeliveryState, Direction, Trust
from usernym.storage.database import StoreDatabase
from usernym.storage.errors import NotAStore
from usernym.storage.files import new_folder
from usernym.storage.keyfile import Argon2Cost, Protection, RandomBytes
from usernym.storage.tables import columns_of, insertion, selection

_OF: Final = "backup_of"
_HOME: Final = "backup_home"
"""Which identity key the owner had when the backup was made, in which home: with those direct routes were agreed."""
_CONTACT: Final = columns_of(ContactRow)
_ALL_CONTACTS: Final = selection(ContactRow, "")
_ADD_CONTACT: Final = insertion(ContactRow)
_MESSAGES: Final = selection(
    MessageRow, f"WHERE id > ? AND id <= ? AND kind NOT IN {PASSING_KINDS} ORDER BY id LIMIT ?"
)
_ADD_MESSAGE: Final = insertion(MessageRow)
_MESSAGE: Final = columns_of(MessageRow)
_ORDERED: Final = """
    UPDATE contact SET last_row = coalesce((SELECT max(id) FROM message WHERE contact = contact.name), 0)
"""
_STRICTNESS: Final = (Consent.PENDING, Consent.ACCEPTED, Consent.DECLINED, Consent.BLOCKED)
"""Of two words about one contact the one that stands later here counts: which is the later one is not known, and a
contact who is blocked by mistake is accepted again in a moment."""
_CHUNK: Final = 500
"""Messages held in memory at a time: 33 MB at most."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a backup: what was not there before."""

    contacts: int
    messages: int


def export_archive(
    store: ClientStore,
    folder: Path,
    passphrase: str,
    owner: bytes,
    *,
    cost: Argon2Cost | None = None,
    random_bytes: RandomBytes = os.urandom,
) -> None:
    """Write a backup into the new folder `folder`; `owner` says whose it is. The store may be in use.

    Raises `StoreInaccessible` if `folder` exists or its parent does not, `StoreFull`, and what opening a store raises.
    Nothing half-made stays.
    """
    with (
        new_folder(folder) as partial,
        contextlib.closing(ClientStore.open(partial, passphrase, cost=cost, random_bytes=random_bytes)) as copy,
        copy.transaction(),
    ):
        copy.profile.set_setting(_OF, owner)
        copy.profile.set_setting(_HOME, _own_home(store))
        last = _last_id(store.database)  # first: the writer of one of these is a contact by then
        for row in store.database.rows(_ALL_CONTACTS):
            copy.database.run(_ADD_CONTACT, dict(zip(_CONTACT, row, strict=True)))
        _copy_messages(store.database, copy.database, last, _ADD_MESSAGE)


def import_archive(store: ClientStore, folder: Path, passphrase: str, owner: bytes) -> Imported:
    """Add a backup's contacts and messages to a store, in one commit; what is there already stays.

    Of a contact that is there: counters continue from the higher; the user's word about it (accepted, verified, …)
    comes back, except that no one who is declined or blocked becomes less so; and one whose identity the two know
    differently is marked as changed. What was agreed with another identity, of theirs or of the user, or in another
    home, does not come back. A message of ours that was still to be sent when the backup was made becomes *cancelled*:
    no one can know whether it was sent since. Of one that the node had word is awaited again.

    Raises `NotAStore` if it is no backup of this owner, and what opening a store raises.
    """
    if ClientStore.protection(folder) is Protection.ABSENT:
        raise NotAStore(f"{folder} is no backup")
    with contextlib.closing(ClientStore.open(folder, passphrase)) as backup:
        whose = backup.profile.setting(_OF)
        if whose is None:
            raise NotAStore(f"{folder} is no backup, but a home")
        if whose != owner:
            raise NotAStore(f"{folder} is the backup of another account")
        source, target = backup.database, store.database
        with store.transaction():
            former = _of_former_identities(backup, store)
            contacts = sum(_take_contact(store, row, former) for row in source.rows(_ALL_CONTACTS))
            before = target.row("SELECT count(*) FROM message")
            last = _last_id(source)
            if last:
                # What came since goes behind what is older: conversations are read in this order.
                target.run("UPDATE message SET id = -(id + ?), place = place + ?", (last, last))
                target.run("UPDATE message SET id = -id WHERE id < 0")
            _copy_messages(source, target, last, f"{_ADD_MESSAGE} ON CONFLICT DO NOTHING", former)
            store.gaps.find()
            target.run(_ORDERED)
            target.run(
                "UPDATE message SET state = ? WHERE direction = ? AND state = ? AND message_id NOT IN"
                " (SELECT message_id FROM outbox)",
                (DeliveryState.CANCELLED.number, Direction.OUT.number, DeliveryState.WAITING.number),
            )
            target.run(
                "INSERT INTO outbox (message_id, contact, attempts, created_at)"
                " SELECT message_id, contact, 0, stored_at FROM message WHERE direction = ? AND state = ?"
                " ON CONFLICT DO NOTHING",
                (Direction.OUT.number, DeliveryState.ACCEPTED.number),
            )
            after = target.row("SELECT count(*) FROM message")
        return Imported(contacts, (after or (0,))[0] - (before or (0,))[0])


def _own_home(store: ClientStore) -> bytes:
    if not store.profile.has_identity():
        return b""
    identity = store.profile.identity()
    return decode_record(identity.record).identity_key + identity.restored_at.to_bytes(8)


def _of_former_identities(backup: ClientStore, store: ClientStore) -> frozenset[str]:
    """Contacts whose agreements in the backup are of another identity than those in the store, on either side, or of
    another home of the owner's."""
    same_owner = backup.profile.setting(_HOME) == _own_home(store)
    here = {contact.name: contact.identity_key for contact in store.contacts.all()}
    return frozenset(
        contact.name
        for contact in backup.contacts.all()
        if not same_owner or here.get(contact.name, contact.identity_key) != contact.identity_key
    )


def _take_contact(store: ClientStore, row: tuple[Any, ...], former: Collection[str]) -> bool:
    """Add a contact, or bring together what the two know of it; whether it is new."""
    theirs = dict(zip(_CONTACT, row, strict=True))
    ours = store.contacts.get(theirs["name"])
    if ours is None:
        # Which witnesses that home wanted is not in the backup.
        store.database.run(_ADD_CONTACT, theirs | {"lacks_witnesses": store.witnessed.wanted() != (0, 0)})
        if theirs["name"] in former:
            store.contacts.end_agreements(theirs["name"])
        return True
    trust = ours.trust
    if ours.identity_key != theirs["identity_key"]:
        trust = Trust.CHANGED
    elif ours.trust is Trust.CONFIRMED:
        trust = Trust.of_number(theirs["trust"])
    store.contacts.set_trust(ours.name, trust)
    store.contacts.set_consent(
        ours.name, max(ours.consent, Consent.of_number(theirs["consent"]), key=_STRICTNESS.index)
    )
    store.database.run(
        "UPDATE contact SET next_out_counter = max(next_out_counter, ?),"
        " highest_in_counter = max(highest_in_counter, ?), heard_home = max(heard_home, ?),"
        " has_met = max(has_met, ?), fallback = ?,"
        " disappears_after = coalesce(disappears_after, ?) WHERE name = ?",
        (
            theirs["next_out_counter"],
            theirs["highest_in_counter"],
            theirs["heard_home"] if ours.identity_key == theirs["identity_key"] else 0,
            theirs["has_met"],
            theirs["fallback"],
            theirs["disappears_after"],
            ours.name,
        ),
    )
    return False


def _last_id(database: StoreDatabase) -> int:
    return database.value(int, "SELECT max(id) FROM message") or 0


def _copy_messages(
    source: StoreDatabase, target: StoreDatabase, last: int, insert: str, former: Collection[str] = ()
) -> None:
    """Copy messages up to row `last`; of contacts in `former` no step of a handshake, but the places of theirs."""
    at = 0
    while rows := source.rows(_MESSAGES, (at, last, _CHUNK)):
        for row in rows:
            message = dict(zip(_MESSAGE, row, strict=True))
            if message["kind"] in STEP_KINDS and message["contact"] in former:
                if message["direction"] == Direction.OUT.number:
                    continue
                message |= {"kind": ERASED, "body": b"", "shown": True}
            target.run(insert, message)
        at = rows[-1][_MESSAGE.index("id")]
