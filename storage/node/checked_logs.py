"""Other nodes' logs that this one checks before it signs them: chains only grow, and entries say what the map is.

docs/directory.md, "Witnesses". A witness that checks keeps the map of the other log: what changed in an epoch gives the
new map, whose root the epoch's entry must have.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from usernym.protocol.directory.epochs import decode_changes, decode_entry
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.log_tree import Frontier, entry_hash, hashes_in
from usernym.protocol.directory.name_map import ROOT_PLACE, MapLeaf, bucket_of, bucket_start, raised
from usernym.protocol.limits import HASH_BYTES
from usernym.protocol.wire import U32, Wire, decoder_of, unpack
from usernym.storage.database import marks, parts
from usernym.storage.engine import Engine
from usernym.storage.node.schema import CheckedLeafRow
from usernym.storage.tables import Table

_LEAVES: Final = Table(CheckedLeafRow, MapLeaf)
_BUCKET: Final = _LEAVES.select("WHERE witness = ? AND label >= ? AND label <= ? ORDER BY label")
_PUT_LEAF: Final = (
    "INSERT INTO checked_leaf (witness, label, events, head) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (witness, label) DO UPDATE SET events = excluded.events, head = excluded.head"
)
_PUT_NODE: Final = (
    "INSERT INTO checked_node (witness, place, hash) VALUES (?, ?, ?)"
    " ON CONFLICT (witness, place) DO UPDATE SET hash = excluded.hash"
)


class CheckedLog(Wire, frozen=True):
    """How far a log was checked: so many epochs, `peaks` of its tree, the newest entry, empty before the first."""

    size: U32
    peaks: bytes
    newest: bytes

    @property
    def root(self) -> bytes:
        """The root of the log's tree."""
        return Frontier(self.size, hashes_in(self.peaks)).root()


NOTHING_CHECKED: Final = CheckedLog(0, b"", b"")
_decoder: Final = decoder_of(CheckedLog)


def checked_log(packed: bytes | None) -> CheckedLog:
    """What a row has."""
    return NOTHING_CHECKED if packed is None else unpack(_decoder, packed)


class LogCheck:
    """The check of one log, within the caller's commit. `row` is the number of its node's row, `node` its key."""

    def __init__(self, database: Engine, row: int, node: bytes, checked: CheckedLog) -> None:
        self._db = database
        self._row = row
        self._node = node
        self.checked = checked

    def take(self, entry: bytes, changes: bytes) -> None:
        """Check the next epoch. Raises `DirectoryInvalid` if it does not follow from those before."""
        last = decode_entry(self.checked.newest) if self.checked.newest else None
        found = decode_entry(entry)
        if found.node != self._node or found.number != self.checked.size:
            raise DirectoryInvalid("an entry is another one's")
        if last is not None and (found.vrf != last.vrf or found.made_at < last.made_at):
            raise DirectoryInvalid("an entry can't follow the one before it")
        new_names, root = self._change_map(changes)
        if root != found.root or found.names != new_names + (0 if last is None else last.names):
            raise DirectoryInvalid("what changed does not give the map that the log has")
        tree = Frontier(self.checked.size, hashes_in(self.checked.peaks)).with_leaf(entry_hash(entry))
        self.checked = CheckedLog(tree.size, b"".join(tree.peaks), entry)

    def _change_map(self, changes: bytes) -> tuple[int, bytes | None]:
        """Append to the chains: how many are new, and the map's root."""
        buckets: dict[int, dict[bytes, MapLeaf]] = {}
        new_names = 0
        for change in decode_changes(changes):
            number = bucket_of(change.label)
            bucket = buckets[number] if number in buckets else self._bucket(number)
            buckets[number] = bucket
            before = bucket.get(change.label)
            bucket[change.label] = leaf = change.applied(before)
            new_names += before is None
            self._db.run(_PUT_LEAF, (self._row, leaf.label, leaf.events, leaf.head))
        if not buckets:
            raise DirectoryInvalid("an epoch changes nothing")
        hashes = raised({number: sorted(each.values()) for number, each in buckets.items()}, self._hashes)
        for place, value in hashes.items():
            self._db.run(_PUT_NODE, (self._row, place, value))
        return new_names, hashes.get(ROOT_PLACE)

    def _bucket(self, number: int) -> dict[bytes, MapLeaf]:
        start = bucket_start(number)
        end = start[:2] + b"\xff" * (HASH_BYTES - 2)
        return {leaf.label: leaf for leaf in _LEAVES.all(self._db, _BUCKET, (self._row, start, end))}

    def _hashes(self, places: Collection[int]) -> Mapping[int, bytes]:
        found: dict[int, bytes] = {}
        for some in parts(list(places)):
            sql = f"SELECT place, hash FROM checked_node WHERE witness = ? AND place IN ({marks(len(some))})"  # noqa: S608 - marks
            found |= dict(self._db.rows(sql, (self._row, *some)))
        return found
