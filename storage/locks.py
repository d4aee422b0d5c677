"""Who holds what: one process to a home folder, one node to a database file.

Both locks are `flock`, so the kernel lets go of one when its holder dies, however it dies.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from usernym.storage.errors import HomeInUse, StorageError, StoreInUse
from usernym.storage.files import FILE_MODE, create_private_file, file_errors, make_private_folder

LOCK_NAME: Final = "lock"
_CONTENT_BYTES_MAX: Final = 200


class Home:
    """A home folder, held by this process from `__enter__` to `__exit__`.

    `purpose` is what a second process shows its user ("node", "chat page"): a short line without secrets. Entering
    creates the folder owner-only if need be, and raises `HomeInUse`, `StoreInaccessible` or `StoreFull`.

    The lock is on the file `lock` in the folder. The file stays (removing it would let two processes lock two files of
    one name); its content, "pid purpose", is only there for the second process to read.
    """

    def __init__(self, folder: Path, purpose: str) -> None:
        self.folder = folder
        self.purpose = " ".join(purpose.split())
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        make_private_folder(self.folder)
        descriptor = _lock(
            self.folder / LOCK_NAME,
            os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW,
            lambda taken: HomeInUse(self.folder, *_holder(taken)),
        )
        self._descriptor = descriptor
        # On a full disk there is no room for it: a second process then learns no more than that the home is held.
        with suppress(OSError):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} {self.purpose}\n".encode()[:_CONTENT_BYTES_MAX], 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with suppress(OSError):  # nothing depends on it
                os.ftruncate(descriptor, 0)
            os.close(descriptor)


@contextmanager
def hold_file(path: Path) -> Iterator[None]:
    """Hold a database file within the block, whatever home it is opened from: a link may lead two homes to one file.

    The file is made, owner-only, if it is not there. The store must be opened and closed inside: SQLite uses the other
    kind of lock (POSIX), which `flock` does not meet on Linux, but closing a descriptor drops all the process's POSIX
    locks on the file. Raises `StoreInUse`, `StoreInaccessible` or `StoreFull`.
    """
    make_private_folder(path.parent)
    create_private_file(path)
    in_use = StoreInUse(f"{path} is in use by another process, from another home: two nodes can't share a store")
    descriptor = _lock(path, os.O_RDONLY, lambda _taken: in_use)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path, flags: int, in_use: Callable[[int], StorageError]) -> int:
    """Open and lock a file; its descriptor. Raises what `in_use` makes of the descriptor if it is locked already."""
    with file_errors(path):
        descriptor = os.open(path, flags | os.O_CLOEXEC, FILE_MODE)
    with ExitStack() as undo:
        undo.callback(os.close, descriptor)
        with file_errors(path):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise in_use(descriptor) from None
        undo.pop_all()
    return descriptor


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
