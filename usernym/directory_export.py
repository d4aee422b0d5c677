"""A node's log as a folder of files, which any web server serves: the layout of c2sp.org/tlog-tiles.

Files never change once they are there, but for the checkpoint, which comes last: who reads it finds all that
belongs to it. docs/directory.md, "The export".
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from usernym.protocol.directory.checkpoints import CHECKPOINT_BYTES_MAX, read_checkpoint
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.tiles import CHECKPOINT, changes_path, tile_files
from usernym.protocol.directory.witnesses import note_line
from usernym.storage.errors import StoreInaccessible
from usernym.storage.files import file_errors, sync_folder
from usernym.storage.node.head_mark import HeadMark
from usernym.storage.node.store import NodeStore
from usernym.storage.node.witnesses import PEERS_MAX


@dataclass(frozen=True, slots=True)
class ExportedLog:
    """What is in the folder now."""

    epochs: int
    files_written: int


def export_log(store: NodeStore, mark: HeadMark, folder: Path) -> ExportedLog:
    """Write what the folder does not have yet of the node's log. It is made if need be.

    Raises `LogRolledBack`, and `StoreInaccessible` if another log is there, or a newer one, or if there are no epochs.
    """
    checkpoint = store.log.give_out(mark)
    if checkpoint is None:
        raise StoreInaccessible(
            "the log has no epoch yet: the first one comes within a minute of the first registration"
        )
    head = read_checkpoint(checkpoint)
    signed = store.witnesses.cosignatures(head.size, PEERS_MAX)
    checkpoint += b"".join(note_line(witness, cosignature) for witness, cosignature in signed)
    with file_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        before = _read(folder / CHECKPOINT)
        if before is not None:
            _check_older(folder, before, head.node, head.size)
        written = sum(_written(folder / path, content) for path, content in _files(store, head.size))
        if before != checkpoint:
            _replace(folder / CHECKPOINT, checkpoint)
            written += 1
    return ExportedLog(head.size, written)


def _files(store: NodeStore, size: int) -> Iterator[tuple[str, bytes]]:
    entries = []
    for epoch in store.log.epochs(size):
        entries.append(epoch.entry)
        yield changes_path(epoch.number), epoch.changes
    yield from tile_files(entries)


def _read(path: Path) -> bytes | None:
    if not path.exists():
        return None
    with path.open("rb") as file:
        return file.read(CHECKPOINT_BYTES_MAX + 1)


def _check_older(folder: Path, checkpoint: bytes, node: bytes, size: int) -> None:
    try:
        there = read_checkpoint(checkpoint)
    except DirectoryInvalid as error:
        raise StoreInaccessible(
            f"{folder} has a checkpoint that is damaged ({error}): export to a new folder"
        ) from None
    if there.node != node:
        raise StoreInaccessible(f"{folder} has the log of another node: export to another folder")
    if there.size > size:
        raise StoreInaccessible(f"{folder} has {there.size} epochs, and this node's log {size}: nothing was written")


def _written(path: Path, content: bytes) -> bool:
    """Write the file unless it is there; whether it was written. A part of a tile goes when the whole tile is there."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, content)
    shutil.rmtree(path.with_name(f"{path.name}.p"), ignore_errors=True)
    return True


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)
