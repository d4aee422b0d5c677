"""The node's tables.

The models are bound to no database: every query is run on a store's own. Times are Unix seconds, sizes bytes. The
protocol encodes what is called `record` or `answer`, `mail` what is called `blob`.
"""

# ruff: noqa: D106 - `Meta` is where peewee looks for a table's name and keys
from __future__ import annotations

from typing import Final

from peewee import AutoField, BlobField, CompositeKey, IntegerField, TextField

from usernym.storage.tables import NEVER_AGAIN, ONLY_ROW, Row, length, part_of, schema_of


class NodeRow(Row):
    """A row of one of the node's tables."""


class NodeIdentityRow(NodeRow):
    """The node's secret seed; one row."""

    id = IntegerField(primary_key=True, constraints=[ONLY_ROW])
    seed = BlobField()


class NodeCardRow(NodeRow):
    """The node's current card; one row."""

    id = IntegerField(primary_key=True, constraints=[ONLY_ROW])
    sequence = IntegerField()
    blob = BlobField()


class AccountRow(NodeRow):
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


class LinkRow(NodeRow):
    """One link of a name's chain of identities."""

    name = TextField(constraints=[part_of("account")])
    generation = IntegerField()
    blob = BlobField()

    class Meta:
        primary_key = CompositeKey("name", "generation")


class HpkeNumberRow(NodeRow):
    """A key number that a name has published."""

    name = TextField(constraints=[part_of("account")])
    number = IntegerField()
    superseded_at = IntegerField(null=True)

    class Meta:
        primary_key = CompositeKey("name", "number")


class MailRow(NodeRow):
    """An undelivered message."""

    recipient = TextField()
    number = IntegerField()
    sender = TextField()
    message_id = BlobField(constraints=[length("message_id", 16)])
    blob = BlobField()
    size = IntegerField()
    accepted_at = IntegerField()
    expires_at = IntegerField(index=True)
    attempts = IntegerField()
    attempted_at = IntegerField()

    class Meta:
        primary_key = CompositeKey("recipient", "number")
        indexes = (
            (("sender", "message_id", "recipient"), True),
            # These, alone, tell whose turn it is to be delivered, and who fills a mailbox.
            (("recipient", "sender", "attempted_at", "number", "attempts"), False),
            (("recipient", "sender", "size"), False),
        )


class MailboxRow(NodeRow):
    """A mailbox in which something waits: how much, and how many messages it has had since it was empty.

    Who changes a mailbox locks its row first, until the commit. When the mailbox is empty the row goes, so that nothing
    is left that says who gets how many messages.
    """

    id = AutoField(constraints=[NEVER_AGAIN])
    name = TextField(unique=True)
    last = IntegerField()
    messages = IntegerField()
    size = IntegerField()


class NoticeRow(NodeRow):
    """Word of a message's fate, for its sender."""

    id = AutoField(constraints=[NEVER_AGAIN])
    account = TextField(index=True)
    kind = IntegerField()
    blob = BlobField()
    created_at = IntegerField()
    expires_at = IntegerField(index=True)


class RememberedRow(NodeRow):
    """A request that was carried out, with its answer."""

    digest = BlobField(primary_key=True, constraints=[length("digest", 32)])
    answer = BlobField()
    expires_at = IntegerField(index=True)


class RememberedCountRow(NodeRow):
    """How many rows `remembered` has: counting a million rows at every insert would not do."""

    id = IntegerField(primary_key=True, constraints=[ONLY_ROW])
    rows = IntegerField()


class ClockRow(NodeRow):
    """The latest time by which anything was deleted; one row."""

    id = IntegerField(primary_key=True, constraints=[ONLY_ROW])
    floor = IntegerField()


class WorkerRow(NodeRow):
    """A process of a node that has several: at which address it is, and how often it has shown that it lives."""

    number = AutoField(constraints=[NEVER_AGAIN])
    address = BlobField()
    beats = IntegerField()
    draining = IntegerField()


class RouteRow(NodeRow):
    """By which worker a user was served last (0: by none), and how often the route was taken."""

    name = TextField(primary_key=True, constraints=[part_of("account")])
    worker = IntegerField()
    fence = IntegerField()


class HintRow(NodeRow):
    """A worker is to look at a name again."""

    worker = IntegerField()
    name = TextField()

    class Meta:
        primary_key = CompositeKey("worker", "name")


class ReportRow(NodeRow):
    """For a worker: so many messages, and bytes, of a sender were acknowledged or given up. It goes within seconds."""

    id = AutoField(constraints=[NEVER_AGAIN])
    worker = IntegerField(index=True)
    sender = TextField()
    recipient = TextField()
    messages = IntegerField()
    size = IntegerField()
    receipt = IntegerField()


OF_PROCESSES: Final = (WorkerRow, RouteRow, HintRow, ReportRow)
"""Tables about processes that run: they say nothing where the node is somewhere else."""


class DirectoryChangeRow(NodeRow):
    """Something that happened to a name's identity, and that no epoch has yet. `link` is the identity's, as stored."""

    id = AutoField(constraints=[NEVER_AGAIN])
    name = TextField()
    event = IntegerField()
    link = BlobField()


class DirectoryLeafRow(NodeRow):
    """A leaf of the directory's map: it stays when a name is forgotten, since chains only grow.

    `former` is the chain's head before the newest event. If that is a deletion, `deleted` is the hash of the record
    that had made the identity: it proves later that no one has the name, also when the name is forgotten.
    """

    label = BlobField(primary_key=True, constraints=[length("label", 32)])
    events = IntegerField()
    head = BlobField(constraints=[length("head", 32)])
    former = BlobField(constraints=[length("former", 32)])
    deleted = BlobField(null=True)


class DirectoryNodeRow(NodeRow):
    """A hash of the map's upper levels (`protocol/directory/name_map.py`)."""

    place = IntegerField(primary_key=True)
    hash = BlobField(constraints=[length("hash", 32)])


class DirectoryEpochRow(NodeRow):
    """An epoch: the log's entry, what changed in the map, and the signed head of the log that ends with it."""

    number = IntegerField(primary_key=True)
    entry = BlobField()
    changes = BlobField()
    checkpoint = BlobField()


class DirectoryTreeRow(NodeRow):
    """The root of a complete subtree of the log's tree: its place is `tree_place` of its level and place there. Those
    of a few entries are not stored."""

    place = IntegerField(primary_key=True)
    hash = BlobField(constraints=[length("hash", 32)])


class WitnessRow(NodeRow):
    """Another node with which this one exchanges signatures to heads, or has, where `active` is 0.

    `signed` is what this one has signed of its log, `fork` the proof that it has signed two histories; `cosignature` is
    its newest signature to a head of this node's log, the one with `size` epochs. `checks` is 1 if its log is checked
    before it is signed, and `checked` says how far it is.
    """

    number = AutoField(constraints=[NEVER_AGAIN])
    node = BlobField(unique=True, constraints=[length("node", 32)])
    card = BlobField()
    active = IntegerField()
    signed = BlobField(null=True)
    fork = BlobField(null=True)
    size = IntegerField()
    cosignature = BlobField(null=True)
    checks = IntegerField()
    checked = BlobField(null=True)


class CheckedLeafRow(NodeRow):
    """A leaf of the map in another node's log: as `directory_leaf`. `witness` is the number of that node's row."""

    witness = IntegerField()
    label = BlobField(constraints=[length("label", 32)])
    events = IntegerField()
    head = BlobField(constraints=[length("head", 32)])

    class Meta:
        primary_key = CompositeKey("witness", "label")


class CheckedNodeRow(NodeRow):
    """A hash of the map's upper levels in another node's log: as `directory_node`."""

    witness = IntegerField()
    place = IntegerField()
    hash = BlobField(constraints=[length("hash", 32)])

    class Meta:
        primary_key = CompositeKey("witness", "place")


class DirectoryLogRow(NodeRow):
    """How far the log is; one row. Who makes an epoch locks it first, until the commit. `former_peaks` are those before
    the newest entry. `cosigns` is 0 if the store may lack heads of other nodes that this one has signed."""

    id = IntegerField(primary_key=True, constraints=[ONLY_ROW])
    size = IntegerField()
    peaks = BlobField(null=True)
    former_peaks = BlobField(null=True)
    names = IntegerField()
    made_at = IntegerField()
    restored = IntegerField()
    cosigns = IntegerField()


NODE_SCHEMA: Final = schema_of(
    b"UNyN",
    NodeRow,
    "INSERT INTO remembered_count (id, rows) VALUES (1, 0)",
    "INSERT INTO clock (id, floor) VALUES (1, 0)",
    "INSERT INTO directory_log (id, size, peaks, former_peaks, names, made_at, restored, cosigns)"
    " VALUES (1, 0, NULL, NULL, 0, 0, 0, 1)",
)
