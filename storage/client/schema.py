"""The client's tables. All of the file is encrypted.

The models are bound to no database: every query is run on a store's own. Times are Unix seconds. The protocol encodes
what is called `record`, `link` or `sealed`.
"""

# ruff: noqa: D106 - `Meta` is where peewee looks for a table's name and keys
from __future__ import annotations

from typing import Final

from peewee import SQL, AutoField, BlobField, BooleanField, CompositeKey, IntegerField, TextField

from usernym.storage.client.types import (
    Consent,
    DeliveryState,
    Direction,
    Fallback,
    FileState,
    HandshakeState,
    IdentityState,
    Route,
    Trust,
)
from usernym.storage.tables import NEVER_AGAIN, ONLY_ROW, Row, WordField, length, part_of, schema_of


class ClientRow(Row):
    """A row of one of the client's tables."""


class SettingRow(ClientRow):
    """A setting, such as the node's card."""

    key = TextField(primary_key=True)
    value = BlobField()


class IdentityRow(ClientRow):
    """Who the user is; one row."""

    id = IntegerField(primary_key=True, constraints=[ONLY_ROW])
    name = TextField()
    seed = BlobField(constraints=[length("seed", 32)])
    recovery_key = BlobField(constraints=[length("recovery_key", 32)])
    link = BlobField()
    record = BlobField()
    record_number = IntegerField()
    state = WordField(IdentityState)
    created_at = IntegerField()
    restored_at = IntegerField(default=0)


class HpkeKeyRow(ClientRow):
    """A private message key, by its seed."""

    number = IntegerField(primary_key=True)
    seed = BlobField()
    created_at = IntegerField()
    confirmed_at = IntegerField(null=True)
    superseded_at = IntegerField(null=True)


class ContactRow(ClientRow):
    """A person the user knows, or who wrote to the user."""

    name = TextField(primary_key=True)
    identity_key = BlobField(constraints=[length("identity_key", 32)])
    record = BlobField()
    direct_record = BlobField(null=True)
    trust = WordField(Trust)
    consent = WordField(Consent)
    next_out_counter = IntegerField(default=1)
    highest_in_counter = IntegerField(default=0)
    heard_home = IntegerField(default=0)
    has_met = BooleanField(default=False)
    told_record_number = IntegerField(default=0)
    handshake = WordField(HandshakeState, default=HandshakeState.NONE)
    peer_address = BlobField(null=True)
    fallback = WordField(Fallback, default=Fallback.NODE)
    direct_silent_since = IntegerField(null=True)
    disappears_after = IntegerField(null=True, index=True)
    asked_at = IntegerField()
    log_size = IntegerField(null=True)
    lacks_witnesses = BooleanField(default=False)
    nickname = TextField(default="")
    is_muted = BooleanField(default=False)
    is_pinned = BooleanField(default=False)
    is_archived = BooleanField(default=False)
    draft = TextField(default="")
    last_row = IntegerField(default=0)


ContactRow.add_index(
    # The list's order: peewee's own indices have no direction.
    SQL(
        'CREATE INDEX "contact_list" ON "contact"'
        ' ("consent", "is_archived", "is_pinned" DESC, "last_row" DESC, "name", "nickname")'
    )
)


class GapRow(ClientRow):
    """Counters of a contact's messages, `first` to `last`, that have not come (yet)."""

    contact = TextField(constraints=[part_of("contact")])
    first = IntegerField()
    last = IntegerField()

    class Meta:
        primary_key = CompositeKey("contact", "last")


class MessageRow(ClientRow):
    """A message of a conversation."""

    id = AutoField(constraints=[NEVER_AGAIN])
    contact = TextField(constraints=[part_of("contact")])
    direction = WordField(Direction)
    message_id = BlobField(constraints=[length("message_id", 16)])
    counter = IntegerField()
    kind = IntegerField()
    body = BlobField()
    sent_at = IntegerField()
    stored_at = IntegerField()
    state = WordField(DeliveryState)
    reason = IntegerField(null=True)
    route = WordField(Route)
    token = BlobField(null=True)
    key_number = IntegerField(null=True)
    shown = BooleanField()
    late = BooleanField()
    place = IntegerField()
    shown_at = IntegerField(null=True)

    class Meta:
        indexes = (
            (("contact", "direction", "message_id"), True),
            (("contact", "direction", "counter"), False),
            (("message_id",), False),
            # The row's id is the last column of every index: these have texts in their order.
            (("contact", "kind", "place", "counter"), False),
            (("shown", "place", "counter"), False),
            (("contact", "kind", "stored_at"), False),
        )


MessageRow.add_index(
    # What a badge counts: small, since nearly all texts were shown.
    SQL('CREATE INDEX "message_unread" ON "message" ("contact", "kind") WHERE "shown" = 0')
)


class QueuedRow(ClientRow):
    """A message of ours whose fate is not known."""

    message_id = BlobField(primary_key=True)
    contact = TextField(index=True, constraints=[part_of("contact")])
    key_number = IntegerField(null=True)
    sealed = BlobField(null=True)
    attempts = IntegerField()
    next_attempt_at = IntegerField(null=True, index=True)
    awaited_since = IntegerField(null=True)
    created_at = IntegerField()

    class Meta:
        table_name = "outbox"


class SeenRow(ClientRow):
    """A message that was received, remembered as long as a key exists that opens it.

    `token` proves that it was: of a message that is kept nowhere else, in case its sender needs the proof again.

    No reference to contacts: a repetition must be known even after its sender was removed.
    """

    contact = TextField()
    message_id = BlobField()
    key_number = IntegerField(index=True)
    token = BlobField(null=True)

    class Meta:
        primary_key = CompositeKey("contact", "message_id")


class FileRow(ClientRow):
    """A file that was offered, by the user or by a contact."""

    id = AutoField()
    contact = TextField(constraints=[part_of("contact")])
    direction = WordField(Direction)
    message_id = BlobField(constraints=[length("message_id", 16)])
    name = TextField()
    size = IntegerField()
    kind = IntegerField()
    digest = BlobField(constraints=[length("digest", 32)])
    state = WordField(FileState)
    next = IntegerField(default=0)
    done = IntegerField(default=0)
    created_at = IntegerField()
    wanted_at = IntegerField(null=True)
    moved_at = IntegerField()

    class Meta:
        indexes = (
            (("contact", "direction", "message_id"), True),
            (("state", "direction"), False),
        )


class FileChunkRow(ClientRow):
    """A part of a file's content, as it travels."""

    file = IntegerField(constraints=[SQL("REFERENCES file (id) ON DELETE CASCADE")])
    number = IntegerField()
    content = BlobField()

    class Meta:
        primary_key = CompositeKey("file", "number")


class LoginRow(ClientRow):
    """The client's last login at the node; one row."""

    id = IntegerField(primary_key=True, constraints=[ONLY_ROW])
    login_id = BlobField()


class NoticeToConfirmRow(ClientRow):
    """A notice of the node's that was taken in, and is to be confirmed."""

    id = IntegerField(primary_key=True)


class PromiseRow(ClientRow):
    """The node's promise that a contact's identity will be in its public directory, as the frame that it signed."""

    contact = TextField(primary_key=True, constraints=[part_of("contact")])
    frame = BlobField()
    is_promise = BooleanField()
    check_at = IntegerField()
    checks = IntegerField(constraints=[SQL("DEFAULT 0")])


class EvidenceRow(ClientRow):
    """Evidence against the node."""

    id = AutoField()
    packed = BlobField()
    found_at = IntegerField()


class HeadRow(ClientRow):
    """A head of the directory's log to compare with what this client knows: one that a contact was shown, or that came
    with a lookup (then `name` is empty)."""

    name = TextField()
    size = IntegerField()
    root = BlobField(constraints=[length("root", 32)])
    signature = BlobField(null=True)
    differs = BooleanField(default=False)

    class Meta:
        primary_key = CompositeKey("name", "size", "root")


CLIENT_SCHEMA: Final = schema_of(b"UNyC", ClientRow)
