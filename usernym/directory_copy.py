"""A node's log, read from the node itself into a folder: the same files as the node's export has.

The head comes first: it says how many epochs belong to it, and which. A copy is never given up for another log: what
does not continue it goes into a folder of its own. docs/directory.md, "The audit".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

from usernym.actors.failures import NodeRefused
from usernym.directory_audit import FolderLog
from usernym.directory_export import checkpoint_in, put_file, write_new
from usernym.finder import Finder, HeadShown
from usernym.protocol.directory.checkpoints import LogHead, read_checkpoint
from usernym.protocol.directory.epochs import ENTRY_BYTES, decode_entry, parted
from usernym.protocol.directory.faults import DirectoryInvalid, LogForked
from usernym.protocol.directory.log_tree import entry_hash, root_of
from usernym.protocol.directory.tiles import CHECKPOINT, changes_path, tile_files
from usernym.protocol.directory.witnesses import COSIGNATURE_BYTES, is_cosigned, note_line, signers_of
from usernym.protocol.errors import Code
from usernym.storage.files import file_errors

HEAD_TRIES: Final = 2
"""A node that left requests unanswered gets one SURB with the next, which is too few for a proof. When it has answered
that one it gets enough."""


class LogCopy:
    """Reads the log of the finder's node; `timeout` is for each answer. `say` gets how many epochs have been read,
    and how many there are."""

    def __init__(self, finder: Finder, timeout: float, say: Callable[[int, int], None]) -> None:
        self._finder = finder
        self._timeout = timeout
        self._say = say

    def bring_up(self, folder: Path, witnesses: Collection[bytes]) -> None:
        """Make `folder` a copy of the node's log as it is now, with the signatures of those of these nodes that have
        signed its head.

        Raises `LogForked` if the node signed both the copy's head and one that does not continue it: the second is in
        `fork_of(folder)` then, and the copy stays as it was. `DirectoryInvalid` if there is no log, an older one, or
        not the one of the head; or if the folder has another node's. `NodeSilent`, `NodeRefused`, `StoreInaccessible`,
        `StoreFull`.
        """
        with file_errors(folder):
            there = None if checkpoint_in(folder) is None else FolderLog(folder)
            fork = checkpoint_in(fork_of(folder))
        if there is not None and fork is not None:
            raise _forked(there, fork)
        shown = self._head()
        head = shown.head
        checkpoint = _signed(head.note(shown.signature), shown, witnesses)
        entries = [] if there is None else list(there.entries)
        if there is None or (there.head.node == head.node and there.head.size < head.size):
            if self._read(folder, entries, head):
                _keep(folder, entries, checkpoint)
            elif there is not None:
                self._look_for_fork(folder, there, head, checkpoint)
            else:
                raise _not_of_its_head()
        elif there.head.node != head.node:
            raise DirectoryInvalid(f"{folder} has the log of another node: name another folder")
        elif _root(entries[: head.size]) != head.root:
            _keep(fork_of(folder), [], checkpoint)
            raise _forked(there, checkpoint)
        elif head.size < there.head.size:
            raise DirectoryInvalid(f"the node shows {head.size} epochs, and had {there.head.size} before")
        else:
            _keep(folder, entries, _signed(there.checkpoint, shown, witnesses))

    def _head(self) -> HeadShown:
        for _ in range(HEAD_TRIES):
            try:
                return self._finder.log_head(self._timeout)
            except NodeRefused as refused:
                if refused.code is not Code.NO_SUCH_USER:
                    raise
        raise DirectoryInvalid("the node shows no log: it has no epoch yet, or its log is refused")

    def _read(self, folder: Path, entries: list[bytes], head: LogHead) -> bool:
        """Read what comes after these entries, and add it to them; whether they are the log of the head then. The
        folder gets the changes, which mean nothing before it has a head that has their epochs. A reading that was
        interrupted continues."""
        half_read = folder / f".entries-{len(entries)}.new"
        with file_errors(folder):
            if half_read.exists():
                read = half_read.read_bytes()[: (head.size - len(entries)) * ENTRY_BYTES]
                read = read[: len(read) // ENTRY_BYTES * ENTRY_BYTES]  # the last one may be half written
                put_file(half_read, read)
                entries += (read[at : at + ENTRY_BYTES] for at in range(0, len(read), ENTRY_BYTES))
        for entry, changes in self._epochs(head, len(entries)):
            with file_errors(folder):
                put_file(folder / changes_path(len(entries)), changes)
                with half_read.open("ab") as file:
                    file.write(entry)
            entries.append(entry)
        with file_errors(folder):
            half_read.unlink(missing_ok=True)
        return _root(entries) == head.root

    def _look_for_fork(self, folder: Path, there: FolderLog, head: LogHead, checkpoint: bytes) -> None:
        """The new epochs do not give the head: read all of its log, which shows whether it is another one."""
        entries: list[bytes] = []
        if not self._read(fork_of(folder), entries, head) or entries[: there.head.size] == there.entries:
            raise _not_of_its_head()
        _keep(fork_of(folder), entries, checkpoint)
        raise _forked(there, checkpoint)

    def _epochs(self, head: LogHead, start: int) -> Iterator[tuple[bytes, bytes]]:
        """Entries and changes of the head's epochs from this one on, as the node gives them."""
        number, data = start, b""
        while number < head.size:
            part = self._finder.log_part(number, len(data), self._timeout)
            if not part:
                raise DirectoryInvalid(f"the node does not give epoch {number}, which its newest head has")
            data += part
            while number < head.size and (whole := parted(data)) is not None:
                entry, changes, data = whole
                found = decode_entry(entry)
                if (found.node, found.number) != (head.node, number):
                    raise DirectoryInvalid(f"epoch {number}: its entry is another one's")
                yield entry, changes
                number += 1
            self._say(number, head.size)


def fork_of(folder: Path) -> Path:
    """Where the log goes that does not continue the one of this folder."""
    return folder.with_name(f"{folder.name}.fork")


def _root(entries: list[bytes]) -> bytes:
    return root_of([entry_hash(entry) for entry in entries])


def _signed(checkpoint: bytes, shown: HeadShown, witnesses: Collection[bytes]) -> bytes:
    """The checkpoint with the signatures of these nodes that were shown with the head, and are not in it yet."""
    lines = [
        note_line(witness, cosignature)
        for witness in sorted(set(witnesses) - signers_of(checkpoint, shown.head))
        for at in range(0, len(shown.cosignatures), COSIGNATURE_BYTES)
        if is_cosigned(witness, shown.head, cosignature := shown.cosignatures[at : at + COSIGNATURE_BYTES])
    ]
    return checkpoint + b"".join(lines)


def _keep(folder: Path, entries: list[bytes], checkpoint: bytes) -> None:
    """Write what the folder does not have yet of the log of a head, whose changes are there; the checkpoint last."""
    with file_errors(folder):
        for path, content in tile_files(entries):
            write_new(folder / path, content)
        if checkpoint != checkpoint_in(folder):
            put_file(folder / CHECKPOINT, checkpoint)


def _not_of_its_head() -> DirectoryInvalid:
    return DirectoryInvalid("the epochs that the node gives are not those of its signed head")


def _forked(there: FolderLog, checkpoint: bytes) -> LogForked:
    text = (
        f"the node has signed two histories: of the log of {there.head.size} epochs that was copied before and that of"
        f" {read_checkpoint(checkpoint).size}, neither continues the other"
    )
    return LogForked(text, there.checkpoint, checkpoint)
