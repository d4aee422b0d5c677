"""What the newest epoch of the directory says of a name, with its proof. docs/directory.md, "Lookups with proof"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from usernym.protocol.directory.checkpoints import LogHead
from usernym.protocol.directory.epochs import decode_entry
from usernym.protocol.directory.events import prove_label
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.log_tree import entry_hash, hashes_in, root_with
from usernym.protocol.directory.name_map import MapLeaf, path_to, root_above
from usernym.protocol.directory.proofs import DEPTHS_MAX, HASHES_MAX, MapProof
from usernym.storage.engine import Engine
from usernym.storage.errors import StoreCorrupt
from usernym.storage.node.epochs import DirectoryLog, EpochSigner
from usernym.storage.node.head_mark import HeadMark

_NEWEST: Final = (
    "SELECT size, former_peaks, restored, entry, checkpoint FROM directory_log, directory_epoch"
    " WHERE directory_log.id = 1 AND number = size - 1"
)
_OWN: Final = "SELECT former, deleted FROM directory_leaf WHERE label = ?"


@dataclass(frozen=True, slots=True)
class ProvedPlace:
    """Where a name is in the map, or would be."""

    proof: MapProof
    leaf: MapLeaf
    """The leaf there."""
    former: bytes | None
    """The head of the name's chain before its newest event; None if the leaf is another's."""
    deleted: bytes | None = field(repr=False)
    """The hash of the record that had made the identity which was deleted; None if it was not, or is not known."""


class DirectoryProofs:
    """Proofs from the log's newest epoch."""

    def __init__(self, database: Engine, log: DirectoryLog) -> None:
        self._db = database
        self._log = log

    def place_of(self, signer: EpochSigner, mark: HeadMark, name: str) -> ProvedPlace | None:
        """The place of a name, proved; None before the first epoch, or if the proof would be too long.

        Its head is given out (`DirectoryLog.give_out`). Raises `LogRolledBack` where none may be; `StoreCorrupt` if the
        map is not the log's: a node signs no proof that it has not checked itself.
        """
        node = signer.key.public
        label, vrf_proof = prove_label(signer.vrf, node, name)
        with self._db.one_moment():
            newest = self._db.row(_NEWEST)
            if newest is None:
                return None
            size, former_peaks, restored, entry_data, checkpoint = newest
            own = self._db.row(_OWN, (label,))
            try:
                path = path_to(label, self._log.hashes, self._log.bucket)
                entry = decode_entry(entry_data)
            except DirectoryInvalid as error:
                raise StoreCorrupt(f"{self._db.path}: {error}") from None
        peaks = hashes_in(former_peaks)
        map_root = root_above(label, path.leaf.hash(), path.depths, path.siblings)
        head = LogHead(node, size, root_with(size, peaks, entry_hash(entry_data)) or b"")
        if map_root != entry.root or not checkpoint.startswith(head.text() + b"\n"):
            raise StoreCorrupt(f"{self._db.path}: the directory's map is not that of its log")
        if len(path.depths) > DEPTHS_MAX or len(path.depths) + len(peaks) > HASHES_MAX:
            return None
        if restored or not self._log.is_given_out(checkpoint):
            self._log.give_out(mark)
        proof = MapProof(
            vrf_proof,
            signer.vrf.public,
            size,
            entry.made_at,
            entry.names,
            signer.key.sign_text(head.text()),
            path.depths,
            b"".join((*path.siblings, *peaks)),
        )
        former, deleted = own or (None, None)
        return ProvedPlace(proof, path.leaf, former, deleted)
