"""The node's tables as peewee models, and the SQL that makes them.

The models are unbound: every query is run on a store's own database. Times are Unix seconds, sizes bytes; what is
called `blob`, `record` or `answer` is encoded by the protocol and opaque here.
"""

# ruff: noqa: D106 - `Meta` is where peewee looks for a table's name and keys
from __future__ import annotations

from typing import Final

from peewee import AutoField, BlobField, CompositeKey, IntegerField, Model, TextField

from usernym.storage.migrations import Schema


class NodeIdentity(Model):
    """The node's secret seed; one row."""

    id = IntegerField(primary_key=True)
    seed = BlobField()

    class Meta:
        table_name = "node_identity"


class NodeCardRow(Model):
    """The node's current card; one row."""

    id = IntegerField(primary_key=True)
    sequence = IntegerField()
    blob = BlobField()

    class Meta:
        table_name = "node_card"


class AccountRow(Model):
    """A registered name, or one that its owner deleted and that is still held back."""

    name = TextField(primary_key=True)
    skeleton = TextField(unique=True)
    skeleton_version = IntegerField()
    identity_key = BlobField()
    record = BlobField()
    record_number = IntegerField()
    hpke_number = IntegerField()
    created_at = IntegerField()
    updated_at = IntegerField()
    deleted_until = IntegerField(null=True)

    class Meta:
        table_name = "account"


class LinkRow(Model):
    """One link of a name's chain of identities."""

    name = TextField()
    generation = IntegerField()
    blob = BlobField()

    class Meta:
        table_name = "link"
        primary_key = CompositeKey("name", "generation")


class HpkeNumber(Model):
    """A key number that a name has published."""

    name = TextField()
    number = IntegerField()
    superseded_at = IntegerField(null=True)

    class Meta:
        table_name = "hpke_number"
        primary_key = CompositeKey("name", "number")


class MailRow(Model):
    """An undelivered message."""

    id = AutoField()
    sender = TextField()
    recipient = TextField()
    message_id = BlobField()
    blob = BlobField()
    size = IntegerField()
    accepted_at = IntegerField()
    expires_at = IntegerField(index=True)
    attempts = IntegerField()
    last_attempt_at = IntegerField(null=True)

    class Meta:
        table_name = "mail"
        indexes = (
            (("sender", "message_id"), True),
            (("recipient",), False),
            (("recipient", "sender", "size"), False),
        )


class NoticeRow(Model):
    """Word of a message's fate, for its sender."""

    id = AutoField()
    account = TextField(index=True)
    kind = IntegerField()
    blob = BlobField()
    created_at = IntegerField()
    expires_at = IntegerField(index=True)

    class Meta:
        table_name = "notice"


class Remembered(Model):
    """A request that was carried out, with its answer."""

    digest = BlobField(primary_key=True)
    answer = BlobField()
    expires_at = IntegerField(index=True)

    class Meta:
        table_name = "remembered"


class RememberedCount(Model):
    """How many rows `remembered` has, kept by triggers: counting a million rows at every insert would not do."""

    id = IntegerField(primary_key=True)
    rows = IntegerField()

    class Meta:
        table_name = "remembered_count"


class Clock(Model):
    """The latest time by which anything was deleted; one row."""

    id = IntegerField(primary_key=True)
    floor = IntegerField()

    class Meta:
        table_name = "clock"


MODELS: Final[tuple[type[Model], ...]] = (
    NodeIdentity,
    NodeCardRow,
    AccountRow,
    LinkRow,
    HpkeNumber,
    MailRow,
    NoticeRow,
    Remembered,
    RememberedCount,
    Clock,
)

_SCHEMA_1: Final = (
    "CREATE TABLE node_identity (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), seed BLOB NOT NULL)",
    """CREATE TABLE node_card (
        id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), sequence INTEGER NOT NULL, blob BLOB NOT NULL)""",
    """CREATE TABLE account (
        name TEXT NOT NULL PRIMARY KEY,
        skeleton TEXT NOT NULL,
        skeleton_version INTEGER NOT NULL,
        identity_key BLOB NOT NULL CHECK (length(identity_key) = 32),
        record BLOB NOT NULL,
        record_number INTEGER NOT NULL,
        hpke_number INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        deleted_until INTEGER)""",
    "CREATE UNIQUE INDEX account_skeleton ON account (skeleton)",
    """CREATE TABLE link (
        name TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
        generation INTEGER NOT NULL,
        blob BLOB NOT NULL,
        PRIMARY KEY (name, generation))""",
    """CREATE TABLE hpke_number (
        name TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        superseded_at INTEGER,
        PRIMARY KEY (name, number))""",
    # AUTOINCREMENT: a number must never come back for another message or notice.
    """CREATE TABLE mail (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        sender TEXT NOT NULL,
        recipient TEXT NOT NULL,
        message_id BLOB NOT NULL CHECK (length(message_id) = 16),
        blob BLOB NOT NULL,
        size INTEGER NOT NULL,
        accepted_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        last_attempt_at INTEGER)""",
    "CREATE UNIQUE INDEX mail_sender_message_id ON mail (sender, message_id)",
    # The first serves a recipient's messages in their order, the second alone answers what a mailbox holds of whom.
    "CREATE INDEX mail_recipient ON mail (recipient)",
    "CREATE INDEX mail_recipient_sender_size ON mail (recipient, sender, size)",
    "CREATE INDEX mail_expires_at ON mail (expires_at)",
    """CREATE TABLE notice (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
        account TEXT NOT NULL,
        kind INTEGER NOT NULL,
        blob BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL)""",
    "CREATE INDEX notice_account ON notice (account)",
    "CREATE INDEX notice_expires_at ON notice (expires_at)",
    """CREATE TABLE remembered (
        digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
        answer BLOB NOT NULL,
        expires_at INTEGER NOT NULL)""",
    "CREATE INDEX remembered_expires_at ON remembered (expires_at)",
    "CREATE TABLE remembered_count (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), rows INTEGER NOT NULL)",
    "INSERT INTO remembered_count (id, rows) VALUES (1, 0)",
    """CREATE TRIGGER remembered_more AFTER INSERT ON remembered BEGIN
        UPDATE remembered_count SET rows = rows + 1; END""",
    """CREATE TRIGGER remembered_fewer AFTER DELETE ON remembered BEGIN
        UPDATE remembered_count SET rows = rows - 1; END""",
)

_SCHEMA_2: Final = (
    "CREATE TABLE clock (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), floor INTEGER NOT NULL)",
    "INSERT INTO clock (id, floor) VALUES (1, 0)",
)

NODE_SCHEMA: Final = Schema(
    application_id=int.from_bytes(b"UNyN", "big"),
    tables=tuple(model._meta.table_name for model in MODELS),  # noqa: SLF001 - peewee's documented place for it
    migrations=(_SCHEMA_1, _SCHEMA_2),
)
