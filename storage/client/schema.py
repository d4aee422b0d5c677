"""The client's tables as peewee models, and the SQL that makes them. All of the file is encrypted.

The models are unbound: every query is run on a store's own database. Times are Unix seconds; what is called `record`,
`link`, `sealed` or `counters` is encoded by the protocol and opaque here; the numbers of states are in `client_types`.
"""

# ruff: noqa: D106 - `Meta` is where peewee looks for a table's name and keys
from __future__ import annotations

from typing import Final

from peewee import AutoField, BlobField, CompositeKey, IntegerField, Model, TextField

from usernym.storage.migrations import Schema


class SettingRow(Model):
    """A setting, such as the node's card."""

    key = TextField(primary_key=True)
    value = BlobField()

    class Meta:
        table_name = "setting"


class IdentityRow(Model):
    """Who the user is; one row."""

    id = IntegerField(primary_key=True)
    name = TextField()
    seed = BlobField()
    number = IntegerField()
    recovery_key = BlobField()
    link = BlobField()
    record = BlobField()
    record_number = IntegerField()
    state = IntegerField()
    created_at = IntegerField()

    class Meta:
        table_name = "identity"


class HpkeKeyRow(Model):
    """A private message key, by its seed."""

    number = IntegerField(primary_key=True)
    seed = BlobField()
    created_at = IntegerField()
    confirmed_at = IntegerField(null=True)
    superseded_at = IntegerField(null=True)

    class Meta:
        table_name = "hpke_key"


class ContactRow(Model):
    """A person the user knows, or who wrote to the user."""

    name = TextField(primary_key=True)
    identity_key = BlobField()
    record = BlobField()
    links = BlobField()
    trust = IntegerField()
    consent = IntegerField()
    fetched_at = IntegerField()
    next_out_counter = IntegerField()
    highest_in_counter = IntegerField()
    has_met = IntegerField()
    told_record_number = IntegerField()
    handshake = IntegerField()
    peer_address = BlobField(null=True)
    address_revealed_at = IntegerField(null=True)
    fallback = IntegerField()
    direct_silent_since = IntegerField(null=True)
    disappears_after = IntegerField(null=True, index=True)

    class Meta:
        table_name = "contact"


class GapRow(Model):
    """Counters of a contact's messages, `first` to `last`, that have not come (yet)."""

    contact = TextField()
    first = IntegerField()
    last = IntegerField()

    class Meta:
        table_name = "gap"
        primary_key = CompositeKey("contact", "last")


class MessageRow(Model):
    """A message of a conversation."""

    id = AutoField()
    contact = TextField()
    direction = IntegerField()
    message_id = BlobField()
    counter = IntegerField()
    kind = IntegerField()
    body = BlobField()
    sent_at = IntegerField()
    stored_at = IntegerField()
    state = IntegerField()
    reason = IntegerField(null=True)
    route = IntegerField()
    token = BlobField(null=True)
    key_number = IntegerField(null=True)
    shown = IntegerField(index=True)
    late = IntegerField()
    shown_at = IntegerField(null=True)

    class Meta:
        table_name = "message"
        indexes = (
            (("contact", "direction", "message_id"), True),
            (("contact", "direction", "counter"), False),
            (("message_id",), False),
            (("contact", "kind"), False),
            (("contact", "kind", "stored_at"), False),
        )


class OutboxEntry(Model):
    """A message of ours whose fate is not known."""

    message_id = BlobField(primary_key=True)
    contact = TextField(index=True)
    key_number = IntegerField(null=True)
    sealed = BlobField(null=True)
    attempts = IntegerField()
    next_attempt_at = IntegerField(null=True, index=True)
    created_at = IntegerField()

    class Meta:
        table_name = "outbox"


class SeenRow(Model):
    """A message that was received, remembered as long as a key exists that opens it."""

    contact = TextField()
    message_id = BlobField()
    key_number = IntegerField(index=True)
    seen_at = IntegerField()

    class Meta:
        table_name = "seen"
        primary_key = CompositeKey("contact", "message_id")


class AckRow(Model):
    """An acknowledgement that the node has not got yet."""

    sender = TextField()
    message_id = BlobField()
    token = BlobField(null=True)
    kind = IntegerField()
    created_at = IntegerField()

    class Meta:
        table_name = "ack"
        primary_key = CompositeKey("sender", "message_id")


class RouteRow(Model):
    """The client's login at the node; one row."""

    id = IntegerField(primary_key=True)
    login_id = BlobField()
    previous_login_id = BlobField(null=True)
    boot_id = BlobField()
    counters = BlobField()
    updated_at = IntegerField()

    class Meta:
        table_name = "route"


class NoticeToConfirm(Model):
    """A notice of the node's that was taken in, and is to be confirmed."""

    id = IntegerField(primary_key=True)

    class Meta:
        table_name = "notice_to_confirm"


MODELS: Final[tuple[type[Model], ...]] = (
    SettingRow,
    IdentityRow,
    HpkeKeyRow,
    ContactRow,
    GapRow,
    MessageRow,
    OutboxEntry,
    SeenRow,
    AckRow,
    RouteRow,
    NoticeToConfirm,
)

_SCHEMA_1: Final = (
    "CREATE TABLE setting (key TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL)",
    """CREATE TABLE identity (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        name TEXT NOT NULL,
        seed BLOB NOT NULL CHECK (length(seed) = 32),
        number INTEGER NOT NULL,
        recovery_key BLOB NOT NULL CHECK (length(recovery_key) = 32),
        link BLOB NOT NULL,
        record BLOB NOT NULL,
        record_number INTEGER NOT NULL,
        state INTEGER NOT NULL,
        created_at INTEGER NOT NULL)""",
    """CREATE TABLE hpke_key (
        number INTEGER NOT NULL PRIMARY KEY,
        seed BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        confirmed_at INTEGER,
        superseded_at INTEGER)""",
    """CREATE TABLE contact (
        name TEXT NOT NULL PRIMARY KEY,
        identity_key BLOB NOT NULL CHECK (length(identity_key) = 32),
        record BLOB NOT NULL,
        links BLOB NOT NULL,
        trust INTEGER NOT NULL,
        consent INTEGER NOT NULL,
        fetched_at INTEGER NOT NULL,
        next_out_counter INTEGER NOT NULL,
        highest_in_counter INTEGER NOT NULL,
        has_met INTEGER NOT NULL,
        told_record_number INTEGER NOT NULL,
        handshake INTEGER NOT NULL,
        peer_address BLOB,
        address_revealed_at INTEGER,
        fallback INTEGER NOT NULL,
        direct_silent_since INTEGER)""",
    """CREATE TABLE message (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        contact TEXT NOT NULL REFERENCES contact (name) ON DELETE CASCADE,
        direction INTEGER NOT NULL,
        message_id BLOB NOT NULL CHECK (length(message_id) = 16),
        counter INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        body BLOB NOT NULL,
        sent_at INTEGER NOT NULL,
        stored_at INTEGER NOT NULL,
        state INTEGER NOT NULL,
        reason INTEGER,
        route INTEGER NOT NULL,
        token BLOB,
        key_number INTEGER,
        shown INTEGER NOT NULL)""",
    "CREATE UNIQUE INDEX message_contact_direction_message_id ON message (contact, direction, message_id)",
    "CREATE INDEX message_contact_direction_counter ON message (contact, direction, counter)",
    "CREATE INDEX message_message_id ON message (message_id)",
    "CREATE INDEX message_shown ON message (shown)",
    """CREATE TABLE outbox (
        message_id BLOB NOT NULL PRIMARY KEY,
        contact TEXT NOT NULL REFERENCES contact (name) ON DELETE CASCADE,
        key_number INTEGER,
        sealed BLOB,
        attempts INTEGER NOT NULL,
        next_attempt_at INTEGER,
        created_at INTEGER NOT NULL)""",
    "CREATE INDEX outbox_contact ON outbox (contact)",
    "CREATE INDEX outbox_next_attempt_at ON outbox (next_attempt_at)",
    # No reference to contacts: a repetition must be known for one even after its sender was removed.
    """CREATE TABLE seen (
        contact TEXT NOT NULL,
        message_id BLOB NOT NULL,
        key_number INTEGER NOT NULL,
        seen_at INTEGER NOT NULL,
        PRIMARY KEY (contact, message_id))""",
    "CREATE INDEX seen_key_number ON seen (key_number)",
    """CREATE TABLE ack (
        sender TEXT NOT NULL,
        message_id BLOB NOT NULL,
        token BLOB,
        kind INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        PRIMARY KEY (sender, message_id))""",
    """CREATE TABLE route (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
        login_id BLOB NOT NULL,
        previous_login_id BLOB,
        boot_id BLOB NOT NULL,
        counters BLOB NOT NULL,
        updated_at INTEGER NOT NULL)""",
    "CREATE TABLE notice_to_confirm (id INTEGER NOT NULL PRIMARY KEY)",
)

FIND_GAPS: Final = """
    INSERT INTO gap (contact, first, last)
    SELECT contact, previous + 1, counter - 1 FROM (
        SELECT contact, counter, lag(counter, 1, 0) OVER (PARTITION BY contact ORDER BY counter) AS previous FROM (
            SELECT contact, counter FROM message WHERE direction = 2
            UNION SELECT name, highest_in_counter + 1 FROM contact))
    WHERE counter > previous + 1
"""
"""All gaps, from the messages that are there and the highest counter known; a migration, so never edited."""

# Disappearing texts; gaps and late arrivals, which were counted again for each message that was shown.
_SCHEMA_2: Final = (
    "ALTER TABLE contact ADD COLUMN disappears_after INTEGER",
    "CREATE INDEX contact_disappears_after ON contact (disappears_after)",
    "ALTER TABLE message ADD COLUMN late INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE message ADD COLUMN shown_at INTEGER",
    """UPDATE message SET late = 1 WHERE id IN (
        SELECT id FROM (
            SELECT id, counter, max(counter) OVER (
                PARTITION BY contact ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS highest
            FROM message WHERE direction = 2)
        WHERE counter < highest)""",
    """CREATE TABLE gap (
        contact TEXT NOT NULL REFERENCES contact (name) ON DELETE CASCADE,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (contact, last))""",
    FIND_GAPS,
    # The row's id is the last column of every index: this one has a conversation's texts in their order.
    "CREATE INDEX message_contact_kind ON message (contact, kind)",
    "CREATE INDEX message_contact_kind_stored_at ON message (contact, kind, stored_at)",
)

CLIENT_SCHEMA: Final = Schema(
    application_id=int.from_bytes(b"UNyC", "big"),
    tables=tuple(model._meta.table_name for model in MODELS),  # noqa: SLF001 - peewee's documented place for it
    migrations=(_SCHEMA_1, _SCHEMA_2),
)
