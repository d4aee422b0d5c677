"""One node to a database file, whatever home it is opened from: a link may lead two homes to one file.

The lock is `flock` on the file itself. SQLite uses the other kind of lock (POSIX), which `flock` does not meet on
Linux; but closing a descriptor drops all the process's POSIX locks on the file, so this one is closed after the last
connection.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from usernym.storage.errors import StorageError, StoreInaccessible
from usernym.storage.files import create_private_file, make_private_folder


class StoreInUse(StorageError):
    """Another process has this very file open as its store, from another home."""


class FileHold:
    """A database file, held by this process from `__enter__` to `__exit__`; made, owner-only, if it is not there.

    Enter it before the store is opened, and leave it after the store was closed. Raises `StoreInUse`,
    `StoreInaccessible` or `StoreFull`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        make_private_folder(self._path.parent)
        create_private_file(self._path)
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise StoreInaccessible(f"{self._path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise StoreInUse(
                f"{self._path} is in use by another process, from another home: two nodes can't share a store"
            ) from None
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)
