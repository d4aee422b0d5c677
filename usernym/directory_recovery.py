"""A node's log continues after its store was put back to an older state: what is missing comes from an export."""

from __future__ import annotations

from pathlib import Path

from usernym.directory_audit import FolderLog, audit_log
from usernym.node import opened_store
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.signing import SigningKey
from usernym.storage.errors import StoreInaccessible
from usernym.storage.locks import Home
from usernym.storage.node.epochs import EpochSigner
from usernym.storage.node.head_mark import FileMark
from usernym.storage.node.log_recovery import recover_log


def recover_from(folder: Path, home: Path, url: str | None) -> tuple[int, int]:
    """Take the epochs that the node in `home` lacks from the export in `folder`: how many it had, and has now.

    Raises `StorageError`s and `DirectoryInvalid`; then nothing was changed.
    """
    with Home(home, "node log recover"), opened_store(home, url, alone=True) as store:
        seed = store.profile.stored_seed()
        if seed is None:
            raise StoreInaccessible(f"there is no node in {home}")
        signer = EpochSigner.of(SigningKey.from_seed(seed))
        mark = FileMark(home)
        log = FolderLog(folder)
        if log.head.node != signer.key.public:
            raise DirectoryInvalid(f"{folder} has the log of another node")
        audit_log(folder, mark.read())
        before = recover_log(store, signer, log.entries, log.changes)
        store.log.give_out(mark)
        return before, log.head.size
