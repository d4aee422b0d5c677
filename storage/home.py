"""One process to a home folder: an advisory lock that says who holds it.

The lock is `flock` on the file `lock` in the folder, so the kernel lets go of it when its holder dies, however it
dies. The file stays (removing it would let two processes lock two files of one name); its content, "pid purpose", is
only there for the second process to read.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from usernym.storage.errors import HomeInUse, StoreInaccessible
from usernym.storage.files import FILE_MODE, make_private_folder

LOCK_NAME: Final = "lock"
_CONTENT_BYTES_MAX: Final = 200


class Home:
    """A home folder, held by this process from `__enter__` to `__exit__`.

    `purpose` is what a second process shows its user ("node", "chat page"): a short line without secrets. Entering
    creates the folder owner-only if need be, and raises `HomeInUse` or `StoreInaccessible`.
    """

    def __init__(self, folder: Path, purpose: str) -> None:
        self.folder = folder
        self.purpose = " ".join(purpose.split())
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        make_private_folder(self.folder)
        path = self.folder / LOCK_NAME
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        except OSError as error:
            raise StoreInaccessible(f"{path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise HomeInUse(self.folder, *holder) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {self.purpose}\n".encode()[:_CONTENT_BYTES_MAX], 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.ftruncate(descriptor, 0)
            os.close(descriptor)


def _holder(descriptor: int) -> tuple[int | None, str | None]:
    """Who says to hold the lock; no one if what stands there was left by a process that is gone."""
    pid, _, purpose = os.pread(descriptor, _CONTENT_BYTES_MAX, 0).decode(errors="replace").strip().partition(" ")
    if not (pid.isascii() and pid.isdigit()) or not _alive(int(pid)):
        return None, None
    return int(pid), purpose


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
