"""What can go wrong with a store, each with a text that a person can act on.

"Not found", "taken", "full mailbox" are answers, not errors. A bug in a caller's SQL is not disguised: it surfaces as
the database library's own exception. No text here carries a value that was to be stored.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

import peewee
import sqlcipher3.dbapi2


class StorageError(Exception):
    """A store could not do what was asked; nothing was changed unless the subclass says otherwise."""


class StoreBusy(StorageError):
    """Another connection held the database for longer than the busy timeout. Trying again may help."""


class StoreConflict(StoreBusy):
    """Two transactions got in each other's way, and this one was undone. Trying again helps."""


class StoreUnreachable(StoreBusy):
    """The database server does not answer. Whether the last commit happened is not known. Trying again may help."""


class UnsafeServer(StorageError):
    """The database server may lose what it has committed, as it is set up."""


class HomeInUse(StorageError):
    """Another process holds the home folder. `pid` and `purpose` are None when the holder has not written them yet."""

    def __init__(self, folder: Path, pid: int | None, purpose: str | None) -> None:
        holder = "another process" if pid is None else f"process {pid} ({purpose})"
        super().__init__(f"{folder} is in use by {holder}; stop it, or use another home folder")
        self.folder = folder
        self.pid = pid
        self.purpose = purpose


class WrongPassphrase(StorageError):
    """The passphrase does not open the store (or its key file was altered: the two look the same)."""


class PassphraseNeeded(StorageError):
    """The store is, or is to be, protected by a passphrase, and none was given."""


class StoreUnprotected(StorageError):
    """A passphrase was given for a store that has none: it would be accepted without being checked."""


class StoreCorrupt(StorageError):
    """The file is damaged. It is left as it is."""


class NotAStore(StoreCorrupt):
    """The file is something else than the store expected there. It is left as it is."""


class LogRolledBack(StorageError):
    """The store is older than what the node has signed, or may be: another head would contradict the newest one."""


class SchemaTooNew(StorageError):
    """A newer version of this program has written the store."""

    def __init__(self, path: str, found: int, known: int) -> None:
        super().__init__(f"{path} has schema {found}, this version knows up to {known}: use the newer version again")
        self.found = found
        self.known = known


class StoreFull(StorageError):
    """The disk, a quota or a file size limit does not let the file grow. What was being written was rolled back."""


class StoreInaccessible(StorageError):
    """The file or its folder cannot be opened, read or written."""


class StoreInUse(StorageError):
    """Another process has this very file open as its store, from another home."""


class StoreExposed(StorageError):
    """Others can read or write a file that must be its owner's alone."""


class StoreClosed(StorageError):
    """The store was closed before this call."""


class RowLimitReached(StorageError):
    """A bounded table is full; its rows have to expire first."""


class RouteLost(StorageError):
    """Another worker of the node holds the route, or took this one for dead: nothing was written."""


class NoIdentity(StorageError):
    """The client's store has no identity yet: no one has registered with it."""


class RowConflict(StorageError):
    """A row breaks a rule of the schema (a repeated key, a missing contact): a mistake of the caller."""


DRIVER_ERRORS: Final = (sqlite3.Error, sqlcipher3.dbapi2.Error, peewee.PeeweeException)
"""Whatever the two drivers and peewee raise."""

_PRIMARY: Final[dict[int, tuple[type[StorageError], str]]] = {
    3: (StoreInaccessible, "access to {path} is not permitted: check who owns it"),
    5: (StoreBusy, "{path} is locked by another connection: try again"),
    6: (StoreBusy, "{path} is locked by another statement: try again"),
    8: (StoreInaccessible, "{path} cannot be written: check its permissions and the file system's"),
    10: (StoreInaccessible, "reading or writing {path} failed: check the disk"),
    11: (StoreCorrupt, "{path} is damaged: restore it from a backup"),
    13: (StoreFull, "no room to write {path}: free some space, then try again"),
    14: (StoreInaccessible, "{path} cannot be opened: check that its folder exists and is yours"),
    19: (RowConflict, "a row for {path} breaks a rule of its schema"),
    26: (NotAStore, "{path} is not a store of this program, or is damaged"),
}
"""SQLite's primary result codes (https://sqlite.org/rescode.html) that mean something to a person."""

_NO_ROOM: Final = frozenset({778, 4874})
"""SQLITE_IOERR_WRITE and _SHMSIZE, reported for a quota or a file size limit: to SQLite only ENOSPC is "full"."""


_MAY_LACK_ROOM: Final = frozenset({10, 14})
"""SQLITE_IOERR and _CANTOPEN: what a full disk is called where SQLite first makes its side files."""
_ROOM_BYTES_MIN: Final = 64 * 1024
"""Two of the pieces by which SQLite's shared-memory file grows."""


def _has_room(path: str) -> bool:
    """Whether the disk at this path has any; True if that is not known."""
    try:
        disk = os.statvfs(Path(path).parent)
    except OSError:
        return True
    return disk.f_bavail * disk.f_frsize >= _ROOM_BYTES_MIN and (disk.f_files == 0 or disk.f_favail > 0)


def result_code(error: BaseException) -> int | None:
    """SQLite's extended result code behind an exception of a driver or of peewee; None if there is none."""
    for candidate in (error, *error.args[:1], error.__context__):
        code = getattr(candidate, "sqlite_errorcode", None)
        if isinstance(code, int):
            return code
    return None


def translate(error: Exception, path: str) -> Exception:
    """The `StorageError` that `error` means for the store at `path`; `error` itself if it is someone's bug."""
    code = result_code(error)
    if code is None:
        return error
    if code in _NO_ROOM or (code & 0xFF in _MAY_LACK_ROOM and not _has_room(path)):
        code = 13
    known = _PRIMARY.get(code & 0xFF)
    return error if known is None else known[0](known[1].format(path=path))
