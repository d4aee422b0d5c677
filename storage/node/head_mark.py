"""The newest head of the log that the node has given out, kept apart from its store.

A store that was put back to an older state does not know what the node has signed since. The mark does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from usernym.protocol.directory.checkpoints import CHECKPOINT_BYTES_MAX
from usernym.storage.files import read_private, write_private

MARK_NAME: Final = "directory.mark"


class HeadMark(Protocol):
    """Where the newest head is kept."""

    def read(self) -> bytes | None:
        """The newest head, signed; None before the first."""

    def write(self, checkpoint: bytes) -> None:
        """Keep this head in its place: it is on the disk on return."""


class FileMark:
    """A file in the node's home. It is in no backup: from a backup comes an older state."""

    def __init__(self, home: Path) -> None:
        self._path = home / MARK_NAME

    def read(self) -> bytes | None:
        """The file's content; None if there is no file. Raises `StorageError`s."""
        return read_private(self._path, CHECKPOINT_BYTES_MAX) if self._path.exists() else None

    def write(self, checkpoint: bytes) -> None:
        """Raises `StorageError`s."""
        write_private(self._path, checkpoint, replace=True)
