"""The directory's log: what waits for the next epoch, the map, the epochs, and the signed heads.

An epoch is one transaction: the map's changes, the log's entry and its signed head are on the disk together, or not at
all. A head is given out only when it is there, and when the mark outside the store has it, too (`head_mark.py`): a
store that was put back to an older state signs nothing. docs/directory.md, "The node".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from types import MappingProxyType
from typing import Any, Final

from usernym.protocol.directory.checkpoints import LogHead, SignedHead, read_checkpoint
from usernym.protocol.directory.epochs import (
    EVENTS_AT_ONCE_MAX,
    EpochEntry,
    MapChange,
    encode_changes,
    joined,
)
from usernym.protocol.directory.events import DirectoryEvent, commitment, label_of
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.log_tree import Frontier, completed, entry_hash, hashes_in
from usernym.protocol.directory.name_map import ROOT_PLACE, MapLeaf, bucket_of, bucket_start, raised
from usernym.protocol.directory.vrf import VrfKey
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import HASH_BYTES
from usernym.protocol.records import decode_succession, record_hash
from usernym.protocol.signing import Context, SigningKey
from usernym.storage.database import marks, parts
from usernym.storage.engine import Engine
from usernym.storage.errors import LogRolledBack, StoreCorrupt
from usernym.storage.node.head_mark import HeadMark
from usernym.storage.node.schema import DirectoryChangeRow, DirectoryEpochRow, DirectoryLeafRow, DirectoryLogRow
from usernym.storage.node.workers import Membership
from usernym.storage.tables import Table

EVENTS_MAX: Final = 1_000
"""Events in one epoch: a transaction of half a second at most. What is more has the next epoch at once."""
EPOCHS_AT_ONCE: Final = 256
TREE_LEVEL_MIN: Final = 6
"""Roots of the log's subtrees are stored from this level on: those of 64 entries. That is a row for each 32 epochs, and
no more than 126 entries have to be hashed to show how the log continues."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """An epoch as it is stored and exported."""

    number: int
    entry: bytes
    changes: bytes
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class _Pending:
    id: int
    name: str = field(repr=False)
    event: int
    link: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _LogState:
    size: int
    peaks: bytes | None
    names: int
    made_at: int
    restored: int


@dataclass(frozen=True, slots=True)
class EpochSigner:
    """The two keys with which a node makes its directory."""

    key: SigningKey
    vrf: VrfKey

    @classmethod
    def of(cls, key: SigningKey) -> EpochSigner:
        """Those of the node with this key: the second is made from it, so a backup of the first has both."""
        return cls(key, VrfKey.from_seed(key.derived_seed(Context.VRF_KEY)))


_PENDING: Final = Table(DirectoryChangeRow, _Pending)
_LEAVES: Final = Table(DirectoryLeafRow, MapLeaf)
_IN_BUCKET: Final = _LEAVES.select("WHERE label >= ? AND label <= ? ORDER BY label")
_EPOCHS: Final = Table(DirectoryEpochRow, Epoch)
_STATE: Final = Table(DirectoryLogRow, _LogState)
_NOTE: Final = (
    "INSERT INTO directory_change (name, event, link)"
    " SELECT name, ?2, blob FROM link WHERE name = ?1 ORDER BY generation DESC LIMIT 1"
)


def tree_place(level: int, place: int) -> int:
    """Where the root of a subtree of the log is stored."""
    return level << 40 | place


def stored_roots(size: int, peaks: Sequence[bytes], leaf: bytes) -> list[tuple[int, bytes]]:
    """What is stored of the log's tree when a log of `size` entries gets another one: places and roots."""
    completed_now = enumerate(completed(size, peaks, leaf))
    return [(tree_place(level, size >> level), root) for level, root in completed_now if level >= TREE_LEVEL_MIN]


_STANDS: Final = "SELECT size, EXISTS (SELECT 1 FROM directory_change) FROM directory_log"


def note_event(database: Engine, name: str, event: DirectoryEvent) -> None:
    """Let the next epoch have this event about the identity that the name has now; a part of the caller's commit."""
    database.run(_NOTE, (name, int(event)))


class DirectoryLog:
    """The log of the directory."""

    def __init__(self, database: Engine) -> None:
        self._db = database
        self._giving_out = Lock()
        """The mark never goes back: one thread reads the newest head and writes it there."""
        self._given: Epoch | None = None

    def make_epoch(
        self, signer: EpochSigner, mark: HeadMark, workers: Membership, now: int, events_max: int = EVENTS_MAX
    ) -> bool:
        """Make an epoch of what waits, at most `events_max` events; whether there may be more.

        Nothing waits, or another worker leads: nothing is made. The mark has the newest head then, too. Raises
        `LogRolledBack`, and signs nothing, if the store is older than the mark.
        """
        (size, waits), given = self._db.rows(_STANDS)[0], self._given
        if not waits and given is not None and given.number + 1 == size and given.checkpoint == mark.read():
            return False  # as in most minutes of most nodes
        node = signer.key.public
        waiting = self._pending(events_max) if workers.leads() else []
        # Before the transaction: others wait for its end, and a label takes half a millisecond.
        labels = {name: label_of(signer.vrf, node, name) for name in {each.name for each in waiting}}

        def make() -> bool:
            state, _ = self._checked(mark, self._db.locked)
            # Who led when it began may have been taken for dead since.
            taken, events, deleted = self._taken(events_max, labels, node) if workers.leads() else ([], {}, {})
            if taken:
                self.append(signer, events, max(now, state.made_at), deleted)
                for some in parts(taken):
                    self._db.run(f"DELETE FROM directory_change WHERE id IN ({marks(len(some))})", some)  # noqa: S608
            return bool(taken) and len(waiting) == events_max

        more = False
        if waiting:
            self._checked(mark)  # what is refused should not cost the work above each time
            more = self._db.commit(make)
        self.give_out(mark)
        return more

    def is_given_out(self, checkpoint: bytes) -> bool:
        """Whether `give_out` has returned this head last."""
        given = self._given
        return given is not None and checkpoint == given.checkpoint

    def give_out(self, mark: HeadMark) -> bytes | None:
        """The newest signed head, for others to see: the mark has it, or a newer one, from now on. None before the
        first epoch. Raises `LogRolledBack`."""
        with self._giving_out:
            _, newest = self._checked(mark)
            if newest is None:
                return None
            if newest.checkpoint != mark.read():
                mark.write(newest.checkpoint)
            self._given = newest
            return newest.checkpoint

    def note_signed(self, node: bytes, head: SignedHead, mark: HeadMark) -> None:
        """Note a head that someone shows, and that this node has signed: if the store has another one of that size, or
        none, the store is older than it, and the mark has it from now on."""
        with self._giving_out:
            there = self._epoch(head.size - 1)
            shown = LogHead(node, head.size, head.root)
            if head.is_signed(node) and (there is None or not there.checkpoint.startswith(shown.text())):
                mark.write(shown.note(head.signature))

    def epochs(self, size: int) -> Iterator[Epoch]:
        """The first `size` epochs, in their order."""
        for start in range(0, size, EPOCHS_AT_ONCE):
            rest = "WHERE number >= ? AND number < ? ORDER BY number"
            yield from _EPOCHS.all(self._db, _EPOCHS.select(rest), (start, min(size, start + EPOCHS_AT_ONCE)))

    def part(self, size: int, number: int, offset: int, most: int) -> bytes:
        """At most so many bytes of the first `size` epochs, joined, from a byte of an epoch on."""
        data = b""
        while number < size and len(data) < offset + most and (epoch := self._epoch(number)) is not None:
            data += joined(epoch.entry, epoch.changes)
            number += 1
            if offset >= len(data):
                return b""  # an epoch has no such byte
        return data[offset : offset + most]

    def hold_back(self) -> None:
        """Note that the store came from a backup: what the node has signed since is not in it."""
        self._db.run("UPDATE directory_log SET restored = 1")

    def let_sign(self) -> None:
        """Note that all that the node has signed is in the store (again)."""
        self._db.run("UPDATE directory_log SET restored = 0")

    def size(self) -> int:
        """How many epochs there are; the log does not grow before the end of the caller's commit."""
        return self._state(self._db.locked).size

    # -- reading --

    def _state(self, locked: str = "") -> _LogState:
        found = _STATE.first(self._db, _STATE.select("WHERE id = 1" + locked))
        assert found is not None, "the schema fills it"
        return found

    def _epoch(self, number: int) -> Epoch | None:
        return _EPOCHS.first(self._db, _EPOCHS.select("WHERE number = ?"), (number,))

    def _pending(self, events_max: int) -> list[_Pending]:
        return _PENDING.all(self._db, _PENDING.select("ORDER BY id LIMIT ?"), (events_max,))

    def _checked(self, mark: HeadMark, locked: str = "") -> tuple[_LogState, Epoch | None]:
        """Where the log stands, and its newest epoch; None before the first. Raises `LogRolledBack` unless a further
        head would continue all that the node has given out."""
        note = mark.read()  # first: what others make and give out meanwhile is in the store by then
        state = self._state(locked)
        if state.restored:
            raise LogRolledBack(
                "this node's store came from a backup, and does not know which heads the node has signed since:"
                " `usernym node log recover FOLDER` takes them from the newest export of its log"
            )
        newest = self._epoch(state.size - 1)
        if note is None or (newest is not None and note == newest.checkpoint):
            return state, newest
        try:
            marked = read_checkpoint(note)
        except DirectoryInvalid as error:
            raise StoreCorrupt(f"the mark of the newest signed head is damaged ({error})") from None
        there = self._epoch(marked.size - 1) if 0 < marked.size <= state.size else None
        if there is None or read_checkpoint(there.checkpoint).root != marked.root:
            raise LogRolledBack(
                f"this node has signed a head of {marked.size} epochs, and its store has {state.size} or others: put"
                " the newest store back, or take what is missing from the newest export of the log"
                " (`usernym node log recover FOLDER`)"
            )
        return state, newest

    def _taken(
        self, events_max: int, labels: Mapping[str, bytes], node: bytes
    ) -> tuple[list[int], dict[bytes, list[bytes]], dict[bytes, bytes]]:
        """Which pending events are in the epoch; their commitments by label; and the labels that end deleted, with the
        identities that they had."""
        taken, events, deleted = [], defaultdict[bytes, list[bytes]](list), dict[bytes, bytes]()
        for each in self._pending(events_max):
            label = labels.get(each.name)
            if label is None or len(events.get(label, ())) == EVENTS_AT_ONCE_MAX:
                continue
            try:
                identity = record_hash(node, each.name, decode_succession(each.link).stub)
            except RemoteProtocolError:
                # A damaged row costs itself: it stays, and `usernym node check` finds it.
                continue
            events[label].append(commitment(DirectoryEvent(each.event), identity))
            deleted.pop(label, None)
            if each.event == DirectoryEvent.DELETED:
                deleted[label] = identity
            taken.append(each.id)
        return taken, events, deleted

    # -- writing --

    def append(
        self,
        signer: EpochSigner,
        events: Mapping[bytes, Sequence[bytes]],
        at: int,
        deleted: Mapping[bytes, bytes] = MappingProxyType({}),
    ) -> bytes:
        """Make an epoch of these events, by label, and sign its head; returns its entry. A part of the caller's commit.

        `deleted` are the identities of labels whose newest event is a deletion, where they are known. Only for who
        knows that it continues all that was given out.
        """
        state = self._state(self._db.locked)
        changes, new_names, root = self._change_map(events, deleted)
        names = state.names + new_names
        entry = EpochEntry(signer.key.public, signer.vrf.public, state.size, at, names, root).encoded()
        leaf, peaks = entry_hash(entry), hashes_in(state.peaks)
        frontier = Frontier(state.size, peaks).with_leaf(leaf)
        checkpoint = LogHead(signer.key.public, frontier.size, frontier.root()).signed(signer.key)
        self._db.run(
            "INSERT INTO directory_epoch (number, entry, changes, checkpoint) VALUES (?, ?, ?, ?)",
            (state.size, entry, encode_changes(changes), checkpoint),
        )
        self._put("directory_tree", "place", ("hash",), stored_roots(state.size, peaks, leaf))
        self._db.run(
            "UPDATE directory_log SET size = ?, peaks = ?, former_peaks = ?, names = ?, made_at = ?",
            (frontier.size, b"".join(frontier.peaks), state.peaks, names, at),
        )
        return entry

    def _change_map(
        self, events: Mapping[bytes, Sequence[bytes]], deleted: Mapping[bytes, bytes]
    ) -> tuple[list[MapChange], int, bytes]:
        """Append the events to the chains: the changes, how many labels are new, and the map's new root."""
        changes, new_names, rows = [], 0, []
        buckets: dict[int, dict[bytes, MapLeaf]] = {}
        for label in sorted(events):
            bucket = buckets.get(bucket_of(label)) or self._bucket(bucket_of(label))
            buckets[bucket_of(label)] = bucket
            before = bucket.get(label)
            change = MapChange(label, 0 if before is None else before.events, tuple(events[label]))
            bucket[label] = leaf = change.applied(before)
            rows.append((label, leaf.events, leaf.head, change.former_head(before), deleted.get(label)))
            changes.append(change)
            new_names += before is None
        self._put("directory_leaf", "label", ("events", "head", "former", "deleted"), rows)
        hashes = raised({number: sorted(each.values()) for number, each in buckets.items()}, self.hashes)
        self._put("directory_node", "place", ("hash",), list(hashes.items()))
        return changes, new_names, hashes[ROOT_PLACE]

    def _bucket(self, number: int) -> dict[bytes, MapLeaf]:
        return {leaf.label: leaf for leaf in self.bucket(number)}

    def bucket(self, number: int) -> Sequence[MapLeaf]:
        """The leaves of a bucket, in the order of their labels."""
        start = bucket_start(number)
        return _LEAVES.all(self._db, _IN_BUCKET, (start, start[:2] + b"\xff" * (HASH_BYTES - 2)))

    def hashes(self, places: Collection[int]) -> dict[int, bytes]:
        """The stored hashes at these places of the map; places without one are left out."""
        found: dict[int, bytes] = {}
        for some in parts(places):
            sql = f"SELECT place, hash FROM directory_node WHERE place IN ({marks(len(some))})"  # noqa: S608 - marks
            found |= dict(self._db.rows(sql, some))
        return found

    def _put(self, table: str, key: str, others: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert these rows; they replace those with the same key."""
        columns = ", ".join((key, *others))
        one = f"({marks(1 + len(others))})"
        new = ", ".join(f"{name} = excluded.{name}" for name in others)
        for some in parts(rows, 1 + len(others)):
            self._db.run(
                f"INSERT INTO {table} ({columns}) VALUES {', '.join([one] * len(some))}"  # noqa: S608 - constants
                f" ON CONFLICT ({key}) DO UPDATE SET {new}",
                [value for row in some for value in row],
            )
