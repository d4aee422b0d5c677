"""Files and folders that are their owner's alone from the moment they exist."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from usernym.storage.errors import StoreExposed, StoreFull, StoreInaccessible

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
_OTHERS: Final = 0o077
_HERE: Final = -100
"""`AT_FDCWD`, from Linux's `fcntl.h`."""
_NO_REPLACE: Final = 1
"""`RENAME_NOREPLACE`, from Linux's `fs.h`."""
_UNSUPPORTED: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
"""What file systems say that have no such operation."""


@contextlib.contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into the `StorageError` that it means for `path`."""
    try:
        yield
    except OSError as error:
        kind = StoreFull if error.errno in {errno.EFBIG, errno.ENOSPC, errno.EDQUOT} else StoreInaccessible
        raise kind(f"{path}: {os.strerror(error.errno or 0).lower()}") from error


def make_private_folder(folder: Path) -> None:
    """Create `folder` and its missing parents, owner-only. An existing folder stays as it is.

    Raises `StoreInaccessible` or `StoreFull`.
    """
    with file_errors(folder):
        missing = [part for part in (folder, *folder.parents) if not part.exists()]
        for part in reversed(missing):
            # Someone may have made it since; whether it is a folder shows at the next step.
            with contextlib.suppress(FileExistsError):
                part.mkdir(mode=FOLDER_MODE)
                sync_folder(part.parent)
        if not folder.is_dir():
            raise NotADirectoryError(20, "not a folder")


def create_private_file(path: Path) -> bool:
    """Create an empty owner-only file; False if something is there already, which is left alone."""
    with file_errors(path):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        except FileExistsError:
            return False
        os.close(descriptor)
        sync_folder(path.parent)
        return True


def check_private(path: Path) -> None:
    """Raise `StoreExposed` if others may read or write the file, as a restored backup may let them."""
    with file_errors(path):
        mode = path.stat().st_mode
    if mode & _OTHERS:
        raise StoreExposed(f"{path} can be read or written by others: chmod 600 it, on a file system with permissions")


def read_private(path: Path, size_max: int) -> bytes:
    """The file's bytes, at most `size_max` + 1 of them (so that one too long shows). Raises like `check_private`."""
    check_private(path)
    with file_errors(path), path.open("rb") as file:
        return file.read(size_max + 1)


def write_private(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a small file so that after a crash either the old or the whole new content is there, on the disk.

    Raises `StoreInaccessible` (also when `replace` is false and the file exists) or `StoreFull`.
    """
    temporary = path.with_name(f".{path.name}.new")
    with file_errors(path):
        temporary.unlink(missing_ok=True)  # left by a crash
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                temporary.replace(path)
            else:
                move_new(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)


def move_new(source: Path, target: Path) -> None:
    """Give a file the name `target`, in its folder. Raises `FileExistsError` if something has this name already.

    Needs no hard links: there are none on USB sticks (FAT, exFAT), nor on many shares.
    """
    if _rename_new(source, target):
        return
    # Here no rename can refuse to replace. The name is taken first: another process can't have it any more, and a
    # crash leaves an empty file at most.
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
    try:
        source.replace(target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _rename_new(source: Path, target: Path) -> bool:
    """Rename unless the target exists, in one step; False where the system or the file system can't."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    if rename(_HERE, os.fsencode(source), _HERE, os.fsencode(target), _NO_REPLACE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _UNSUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(source), None, str(target))


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable, where the file system can do that for a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A new owner-only folder that gets its name, on disk, when the block has ended well; else nothing is left of it.

    The block is given it under the name it has meanwhile. Raises `StoreInaccessible` if something is at `folder`, or
    `StoreFull`.
    """
    if folder.exists() or folder.is_symlink():
        raise StoreInaccessible(f"{folder} exists already: a backup is made in a new folder")
    with file_errors(folder.parent):
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        yield partial
        with file_errors(folder):
            sync_folder(partial)
            partial.rename(folder)
            sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
