"""A node's log as a folder of files, which any web server serves: the layout of c2sp.org/tlog-tiles.

Files never change once they are there, but for the checkpoint, which comes after all that belongs to it. A day's head
comes after the checkpoint: who reads it finds a log that has it. docs/directory.md, "The export".
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from usernym.protocol.directory.checkpoints import CHECKPOINT_BYTES_MAX, read_checkpoint
from usernym.protocol.directory.days import day_files
from usernym.protocol.directory.epochs import decode_entry
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.tiles import CHECKPOINT, changes_path, tile_files
from usernym.protocol.directory.witnesses import note_line
from usernym.protocol.signing import SigningKey
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
    seed = store.profile.stored_seed()
    assert seed is not None, "it has signed the head"
    checkpoint += b"".join(note_line(witness, cosignature) for witness, cosignature in signed)
    with file_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        before = checkpoint_in(folder)
        if before is not None:
            _check_older(folder, before, head.node, head.size)
        written, entries = 0, []
        for epoch in store.log.epochs(head.size):
            entries.append(epoch.entry)
            written += write_new(folder / changes_path(epoch.number), epoch.changes)
        written += _all_written(folder, tile_files(entries))
        if before != checkpoint:
            put_file(folder / CHECKPOINT, checkpoint)
            written += 1
        made_at = decode_entry(entries[-1]).made_at
        written += _all_written(folder, day_files(SigningKey.from_seed(seed), head, made_at))
    return ExportedLog(head.size, written)


def _all_written(folder: Path, files: Iterable[tuple[str, bytes]]) -> int:
    return sum(write_new(folder / path, content) for path, content in files)


def checkpoint_in(folder: Path) -> bytes | None:
    """The checkpoint of a folder, unchecked; None if there is none."""
    path = folder / CHECKPOINT
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


def write_new(path: Path, content: bytes) -> bool:
    """Write the file unless it is there; whether it was written. A part of a tile goes when the whole tile is there."""
    if path.exists():
        return False
    put_file(path, content)
    shutil.rmtree(path.with_name(f"{path.name}.p"), ignore_errors=True)
    return True


def put_file(path: Path, content: bytes) -> None:
    """Write a file of a log, whole and lasting, also over another one. Its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    with new.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)
