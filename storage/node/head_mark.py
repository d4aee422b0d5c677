"""The newest heads that the node has given out, of its own log and of others', kept apart from its store.

A store that was put back to an older state does not know what the node has signed since. The marks do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from usernym.protocol.directory.checkpoints import CHECKPOINT_BYTES_MAX
from usernym.storage.files import read_private, write_private

MARK_NAME: Final = "directory.mark"


class HeadMark(Protocol):
    """Where what is newest is kept."""

    def read(self) -> bytes | None:
        """What was written last; None before the first time."""

    def write(self, newest: bytes) -> None:
        """Keep this in its place: it is on the disk on return."""


class FileMark:
    """A file in the node's home. It is in no backup: from a backup comes an older state."""

    def __init__(self, home: Path, name: str = MARK_NAME) -> None:
        self._path = home / name

    def read(self) -> bytes | None:
        """The file's content; None if there is no file. Raises `StorageError`s."""
        return read_private(self._path, CHECKPOINT_BYTES_MAX) if self._path.exists() else None

    def write(self, newest: bytes) -> None:
        """Raises `StorageError`s."""
        write_private(self._path, newest, replace=True)
