"""Sealing to a contact: the one place where a client does it, behind the one question whether it may.

docs/protocol.md, "Sealing". A thief may sign for a name whose identity has changed: until the user has looked at the
new one, nothing is sealed to it, whatever kind of message it is.
"""

from __future__ import annotations

from usernym.actors.context import User
from usernym.protocol.errors import Code, LocalProtocolError
from usernym.protocol.sealing import seal
from usernym.storage.client.types import Contact, Route, Trust


def may_seal(contact: Contact) -> bool:
    """Whether anything may be sealed to this contact now: not to a changed identity that the user has not looked at."""
    return contact.trust is not Trust.CHANGED


def seal_to(contact: Contact, way: Route, user: User, padded: bytes, message_id: bytes) -> tuple[bytes, int]:
    """`padded` as a message from the user, sealed to the contact's message key for this way; and that key's number.

    Raises `RemoteProtocolError(RECORD_INVALID)` if it is no key, and `LocalProtocolError` where nothing may be sealed
    to the contact: callers ask `may_seal` before.
    """
    if not may_seal(contact):
        raise LocalProtocolError(Code.UNEXPECTED, "the user has not looked at this identity")
    record = contact.record_for(way)
    envelope = user.envelope_to(contact.name, contact.identity_key, record.hpke_number, message_id)
    return seal(record.hpke_key, padded, envelope), record.hpke_number
