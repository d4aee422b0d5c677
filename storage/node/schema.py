"""The node's tables.

The models are bound to no database: every query is run on a store's own. Times are Unix seconds, sizes bytes. The
protocol encodes what is called `record` or `answer`, `mail` what is called `blob`.
"""

# ruff: noqa: D106 - `Meta` is where peewee looks for a table's name and keys
from __future__ import annotations

from typing import Final

from peewee import AutoField, BlobField, CompositeKey, IntegerField, Model, TextField

from usernym.storage.migrations import Schema
from usernym.storage.tables import NEVER_AGAIN, ONLY_ROW, creation, length, part_of, table_name


class NodeIdentityRow(Model):
    """The node's secret seed; one row."""

    id = IntegerField(primary_key=True, constraints=[ONLY_ROW])
    seed = BlobField()

    class Meta:
        table_name = "node_identity"


class NodeCardRow(Model):
    """The node's current card; one row."""

    id = IntegerField(primary_key=True, constraints=[ONLY_ROW])
    sequence = IntegerField()
    blob = BlobField()

    class Meta:
        table_name = "node_card"


class AccountRow(Model):
    """A registered name, or one that its owner deleted and that is still held back."""

    name = TextField(primary_key=True)
    skeleton = TextField(unique=True)
    skeleton_version = IntegerField()
    identity_key = BlobField(constraints=[length("identity_key", 32)])
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

    name = TextField(constraints=[part_of("account")])
    generation = IntegerField()
    blob = BlobField()

    class Meta:
        table_name = "link"
        primary_key = CompositeKey("name", "generation")


class HpkeNumberRow(Model):
    """A key number that a name has published."""

    name = TextField(constraints=[part_of("account")])
    number = IntegerField()
    superseded_at = IntegerField(null=True)

    class Meta:
        table_name = "hpke_number"
        primary_key = CompositeKey("name", "number")


class MailRow(Model):
    """An undelivered message."""

    id = AutoField(constraints=[NEVER_AGAIN])
    sender = TextField()
    recipient = TextField()
    message_id = BlobField(constraints=[length("message_id", 16)])
    blob = BlobField()
    size = IntegerField()
    accepted_at = IntegerField()
    expires_at = IntegerField(index=True)
    attempts = IntegerField()
    attempted_at = IntegerField()

    class Meta:
        table_name = "mail"
        indexes = (
            (("sender", "message_id"), True),
            # The first serves a recipient's messages in order; the others, alone, tell whose turn it is to be delivered
            # and who fills a mailbox.
            (("recipient",), False),
            (("recipient", "sender", "attempted_at", "attempts"), False),
            (("recipient", "sender", "size"), False),
        )


class NoticeRow(Model):
    """Word of a message's fate, for its sender."""

    id = AutoField(constraints=[NEVER_AGAIN])
    account = TextField(index=True)
    kind = IntegerField()
    blob = BlobField()
    created_at = IntegerField()
    expires_at = IntegerField(index=True)

    class Meta:
        table_name = "notice"


class RememberedRow(Model):
    """A request that was carried out, with its answer."""

    digest = BlobField(primary_key=True, constraints=[length("digest", 32)])
    answer = BlobField()
    expires_at = IntegerField(index=True)

    class Meta:
        table_name = "remembered"


class RememberedCountRow(Model):
    """How many rows `remembered` has, kept by triggers: counting a million rows at every insert would not do."""

    id = IntegerField(primary_key=True, constraints=[ONLY_ROW])
    rows = IntegerField()

    class Meta:
        table_name = "remembered_count"


class ClockRow(Model):
    """The latest time by which anything was deleted; one row."""

    id = IntegerField(primary_key=True, constraints=[ONLY_ROW])
    floor = IntegerField()

    class Meta:
        table_name = "clock"


_MODELS: Final[tuple[type[Model], ...]] = (
    NodeIdentityRow,
    NodeCardRow,
    AccountRow,
    LinkRow,
    HpkeNumberRow,
    MailRow,
    NoticeRow,
    RememberedRow,
    RememberedCountRow,
    ClockRow,
)

_COUNTED: Final = (
    "INSERT INTO remembered_count (id, rows) VALUES (1, 0)",
    """CREATE TRIGGER remembered_more AFTER INSERT ON remembered BEGIN
        UPDATE remembered_count SET rows = rows + 1; END""",
    """CREATE TRIGGER remembered_fewer AFTER DELETE ON remembered BEGIN
        UPDATE remembered_count SET rows = rows - 1; END""",
)

NODE_SCHEMA: Final = Schema(
    application_id=int.from_bytes(b"UNyN", "big"),
    tables=tuple(table_name(model) for model in _MODELS),
    creation=(*creation(*_MODELS), *_COUNTED, "INSERT INTO clock (id, floor) VALUES (1, 0)"),
)
