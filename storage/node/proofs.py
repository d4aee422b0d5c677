"""What the newest epoch of the directory says of a name, with its proof. docs/directory.md, "Lookups with proof"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from usernym.protocol.directory.checkpoints import LogHead, SignedHead
from usernym.protocol.directory.epochs import EpochEntry, decode_entry
from usernym.protocol.directory.events import label_of, prove_label
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.log_tree import entry_hash, hashes_in, root_of, root_with, spans
from usernym.protocol.directory.name_map import MapLeaf, MapPath, path_to, root_above
from usernym.protocol.directory.proofs import DEPTHS_MAX, HASHES_MAX, PROOF_ROOM_BYTES, MapProof
from usernym.protocol.directory.shown import (
    SHOWN_HASHES_MAX,
    SHOWN_ROOM_BYTES,
    LabelShown,
    LogAsked,
    LogShown,
    OwnLeaf,
)
from usernym.protocol.directory.witnesses import COSIGNATURE_BYTES
from usernym.protocol.limits import HASH_BYTES
from usernym.storage.database import marks
from usernym.storage.engine import Engine
from usernym.storage.errors import StoreCorrupt
from usernym.storage.node.epochs import TREE_LEVEL_MIN, DirectoryLog, EpochSigner, tree_place
from usernym.storage.node.head_mark import HeadMark
from usernym.storage.node.witnesses import Witnesses

_NEWEST: Final = (
    "SELECT size, former_peaks, restored, entry, checkpoint FROM directory_log, directory_epoch"
    " WHERE directory_log.id = 1 AND number = size - 1"
)
_ENTRIES: Final = (
    "SELECT number, entry FROM directory_epoch WHERE (number >= ? AND number < ?) OR (number >= ? AND number < ?)"
)
_OWN: Final = "SELECT former, deleted FROM directory_leaf WHERE label = ?"


@dataclass(frozen=True, slots=True)
class ProvedPlace:
    """Where a name is in the map, or would be."""

    proof: MapProof
    cosignatures: bytes
    """Those of other nodes to the proof's head, as many as have room beside it."""
    leaf: MapLeaf
    """The leaf there."""
    former: bytes | None
    """The head of the name's chain before its newest event; None if the leaf is another's."""
    deleted: bytes | None = field(repr=False)
    """The hash of the record that had made the identity which was deleted; None if it was not, or is not known."""


@dataclass(frozen=True, slots=True)
class _Newest:
    """The newest epoch, as it is stored."""

    size: int
    peaks: tuple[bytes, ...]
    """Those before its entry."""
    restored: int
    entry_data: bytes
    checkpoint: bytes
    entry: EpochEntry
    head: LogHead


class DirectoryProofs:
    """Proofs from the log's newest epoch."""

    def __init__(self, database: Engine, log: DirectoryLog, witnesses: Witnesses) -> None:
        self._db = database
        self._log = log
        self._witnesses = witnesses

    def place_of(self, signer: EpochSigner, mark: HeadMark, name: str) -> ProvedPlace | None:
        """The place of a name, proved; None before the first epoch, or if the proof would be too long.

        Its head is given out (`DirectoryLog.give_out`). Raises `LogRolledBack` where none may be; `StoreCorrupt` if the
        map is not the log's: a node signs no proof that it has not checked itself.
        """
        label, vrf_proof = prove_label(signer.vrf, signer.key.public, name)
        with self._db.one_moment():
            newest = self._newest(signer)
            if newest is None:
                return None
            path, own = self._path(newest, label), self._db.row(_OWN, (label,))
        if len(path.depths) > DEPTHS_MAX or len(path.depths) + len(newest.peaks) > HASHES_MAX:
            return None
        self._give_out(newest, mark)
        proof = MapProof(
            vrf_proof,
            signer.vrf.public,
            newest.size,
            newest.entry.made_at,
            newest.entry.names,
            signer.key.sign_text(newest.head.text()),
            path.depths,
            b"".join((*path.siblings, *newest.peaks)),
        )
        former, deleted = own or (None, None)
        cosignatures = self._cosignatures(newest.size, PROOF_ROOM_BYTES - len(proof.hashes))
        return ProvedPlace(proof, cosignatures, path.leaf, former, deleted)

    def continuing(self, signer: EpochSigner, mark: HeadMark, known: int) -> tuple[SignedHead, bytes] | None:
        """The newest head, and the hashes which show that its log continues that of `known` epochs; None before the
        first epoch, or if there are fewer. Raises as `place_of`."""
        with self._db.one_moment():
            newest = self._newest(signer)
            if newest is None or newest.size < known:
                return None
            hashes: list[bytes] = []
            if newest.size > known:
                hashes = [*self._roots(known, newest.size - 1), entry_hash(newest.entry_data)]
        self._give_out(newest, mark)
        return SignedHead(newest.size, newest.head.root, signer.key.sign_text(newest.head.text())), b"".join(hashes)

    def shown(self, signer: EpochSigner, mark: HeadMark, name: str, asked: LogAsked) -> LogShown | None:
        """What a client that has proved to be `name` wants to see of the log; None before the first epoch, or if the
        client knows a longer one. What does not fit beside the rest is left out. Raises as `place_of`."""
        with self._db.one_moment():
            newest = self._newest(signer)
            if newest is None or asked.known > newest.size:
                return None
            hashes: list[bytes] = []
            if newest.size > asked.known:
                hashes = [*self._roots(asked.known, newest.size - 1), entry_hash(newest.entry_data)]
            leaf = None
            if not asked.other:
                leaf, siblings = self._own_leaf(newest, signer, name, asked, SHOWN_HASHES_MAX - len(hashes))
                hashes += siblings
            elif asked.other <= asked.known:
                earlier = [*self._roots(0, asked.other), *self._roots(asked.other, asked.known)]
                hashes += earlier if len(hashes) + len(earlier) <= SHOWN_HASHES_MAX else ()
        if len(hashes) > SHOWN_HASHES_MAX:
            return None
        self._give_out(newest, mark)
        cosignatures = self._cosignatures(newest.size, SHOWN_ROOM_BYTES - len(hashes) * HASH_BYTES)
        signature = signer.key.sign_text(newest.head.text())
        return LogShown(newest.size, signature, leaf, b"".join(hashes), cosignatures)

    def _cosignatures(self, size: int, room: int) -> bytes:
        """As many as have room."""
        return b"".join(each for _, each in self._witnesses.cosignatures(size)[: room // COSIGNATURE_BYTES])

    def _own_leaf(
        self, newest: _Newest, signer: EpochSigner, name: str, asked: LogAsked, room: int
    ) -> tuple[OwnLeaf | None, tuple[bytes, ...]]:
        node = signer.key.public
        label, vrf_proof = (
            prove_label(signer.vrf, node, name) if asked.label else (label_of(signer.vrf, node, name), b"")
        )
        path, own = self._path(newest, label), self._db.row(_OWN, (label,))
        if own is None or path.leaf.label != label or len(path.depths) > min(room, DEPTHS_MAX):
            return None, ()
        shown = LabelShown(signer.vrf.public, vrf_proof, own[0]) if asked.label else None
        entry, leaf = newest.entry, path.leaf
        return OwnLeaf(entry.made_at, entry.names, leaf.events, leaf.head, path.depths, shown), path.siblings

    def _newest(self, signer: EpochSigner) -> _Newest | None:
        row = self._db.row(_NEWEST)
        if row is None:
            return None
        size, former_peaks, restored, entry_data, checkpoint = row
        peaks = hashes_in(former_peaks)
        head = LogHead(signer.key.public, size, root_with(size, peaks, entry_hash(entry_data)) or b"")
        try:
            entry = decode_entry(entry_data)
        except DirectoryInvalid as error:
            raise StoreCorrupt(f"{self._db.path}: {error}") from None
        if not checkpoint.startswith(head.text() + b"\n"):
            raise StoreCorrupt(f"{self._db.path}: the directory's log is not that of its head")
        return _Newest(size, peaks, restored, entry_data, checkpoint, entry, head)

    def _path(self, newest: _Newest, label: bytes) -> MapPath:
        """The way to a label in the newest map."""
        try:
            path = path_to(label, self._log.hashes, self._log.bucket)
        except DirectoryInvalid as error:
            raise StoreCorrupt(f"{self._db.path}: {error}") from None
        if root_above(label, path.leaf.hash(), path.depths, path.siblings) != newest.entry.root:
            raise StoreCorrupt(f"{self._db.path}: the directory's map is not that of its log")
        return path

    def _roots(self, start: int, end: int) -> list[bytes]:
        """The roots of `spans(start, end)` in the log's tree."""
        wanted = list(spans(start, end))
        stored = [tree_place(*each) for each in wanted if each[0] >= TREE_LEVEL_MIN]
        first = next((place << level for level, place in wanted if level >= TREE_LEVEL_MIN), end)
        last = next((place + 1 << level for level, place in reversed(wanted) if level >= TREE_LEVEL_MIN), end)
        leaves = {number: entry_hash(entry) for number, entry in self._db.rows(_ENTRIES, (start, first, last, end))}
        sql = f"SELECT place, hash FROM directory_tree WHERE place IN ({marks(len(stored))})"  # noqa: S608 - marks
        roots = dict(self._db.rows(sql, stored)) if stored else {}
        try:
            return [
                roots[tree_place(level, place)]
                if level >= TREE_LEVEL_MIN
                else root_of([leaves[number] for number in range(place << level, place + 1 << level)])
                for level, place in wanted
            ]
        except KeyError:
            raise StoreCorrupt(f"{self._db.path}: the directory's log lacks an entry") from None

    def _give_out(self, newest: _Newest, mark: HeadMark) -> None:
        if newest.restored or not self._log.is_given_out(newest.checkpoint):
            self._log.give_out(mark)
