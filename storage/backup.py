"""A copy of a store while it is in use, and back: complete, checked, owner-only, on request encrypted as a whole.

A backup is a folder: the database, the files that belong to it (see `backup_files`), and, if a passphrase protects it,
the file with the wrapped key (see `keyfile`); without one nothing in it is encrypted. The copy is one moment of the
store: SQLite's backup API makes it, or
SQLCipher's export inside one read transaction. Both may run beside the process that holds the store, **but not inside
it where a passphrase is given**: two SQLite libraries in one process would drop each other's locks on the file.

Nothing here overwrites anything: a copy is made under another name, checked, and only then renamed.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlcipher3.dbapi2

from usernym.storage.backup_files import (
    SIDE_FILES,
    IsPart,
    parts_in,
    parts_of,
    place,
    read_files,
    read_home,
    remove_parts,
    write_files,
)
from usernym.storage.drivers import key_literal, unlock
from usernym.storage.errors import (
    DRIVER_ERRORS,
    NotAStore,
    StorageError,
    StoreCorrupt,
    StoreFull,
    StoreInaccessible,
    translate,
)
from usernym.storage.files import check_private, create_private_file, file_errors, move_new, new_folder, sync_folder
from usernym.storage.integrity import ReadOnlyStore, file_problems
from usernym.storage.keyfile import Argon2Cost, Protection, RandomBytes, create_key, protection, read_key
from usernym.storage.migrations import Schema

KEY_NAME: Final = "backup.key"


@dataclass(frozen=True, slots=True)
class Beside:
    """What belongs to a store and lies beside it, in the home."""

    is_part: IsPart
    left_out: frozenset[str] = frozenset()
    """Names of files and folders in these parts that no backup has."""


def protection_of(folder: Path) -> Protection:
    """How the backup in `folder` is protected; without a key file it is not. Raises as `keyfile.protection`."""
    found = protection(folder / KEY_NAME)
    return Protection.NONE if found is Protection.ABSENT else found


def back_up(
    source: Path,
    folder: Path,
    schema: Schema,
    passphrase: str | None,
    beside: Beside,
    *,
    home: Path | None = None,
    cost: Argon2Cost | None = None,
    random_bytes: RandomBytes = os.urandom,
) -> list[str]:
    """Copy the store at `source` and what is `beside` it into the new folder `folder`; encrypted, with a passphrase.

    `home` is where it would be, and where the rest is, if that is not the folder of `source`.

    Returns the names of the parts beside the store. Raises `StoreInaccessible` if `folder` exists, or its parent does
    not, or a part can't be read; `StoreCorrupt` if the copy is not sound, which is then not kept; what opening `source`
    raises; and `StoreFull`.
    """
    _check_source(source, schema)
    with new_folder(folder) as partial:
        key = None
        if passphrase is not None:
            unlocked = create_key(
                partial / KEY_NAME, passphrase, unprotected=False, cost=cost, random_bytes=random_bytes
            )
            key = unlocked.key
        copy = partial / source.name
        _copy(source, None, copy, key)
        _check_copy(copy, key, schema)
        files = read_home(home or source.parent, beside.is_part, beside.left_out)
        write_files(partial, key, files, copy)
    return parts_of(files)


def restore(
    folder: Path,
    target: Path,
    schema: Schema,
    passphrase: str | None,
    beside: Beside,
    prepare: Callable[[Path], None],
) -> list[str]:
    """Put the backup in `folder` at `target` and beside it, where nothing may be; the caller holds the home.

    Returns the names of the parts that came beside the store, which gets its name last. A restore that was killed
    before that leaves a home that `check_finished` refuses, and that another restore may use.

    `prepare` gets the path of the copy before it is in its place, to change what an older state must not say again.
    Raises `StoreInaccessible` if something is at `target`, `WrongPassphrase`, `PassphraseNeeded` or
    `StoreUnprotected`, and what `back_up` raises.
    """
    home, copy = target.parent, _unfinished(target)
    _check_nothing_there(target, *(Path(f"{target}{side}") for side in SIDE_FILES))
    left = parts_in(home, beside.is_part)
    if not copy.exists():
        _check_nothing_there(*(home / part for part in left))
        left = []
    source = folder / target.name
    key = read_backup_key(folder, passphrase)
    _check_source(source, schema, key)
    files = read_files(folder, key, source, beside.is_part)
    remove_parts(home, left)  # of the restore that was killed
    _remove(copy)
    try:
        _copy(source, key, copy, None)
        _check_copy(copy, None, schema)
        prepare(copy)
        if open_still := [side for side in SIDE_FILES if Path(f"{copy}{side}").exists()]:
            raise StoreInaccessible(f"{copy} is still in use ({', '.join(open_still)}): nothing was restored")
        place(home, files)
        with file_errors(target):
            move_new(copy, target)  # fails if something has come there meanwhile
            sync_folder(home)
    except BaseException:
        remove_parts(home, parts_of(files))
        _remove(copy)
        raise
    return parts_of(files)


def check_finished(target: Path) -> None:
    """Raise `StoreInaccessible` if a restore to `target` was killed: what is there is not whole."""
    if _unfinished(target).exists() and not target.exists():
        raise StoreInaccessible(f"{target.parent}: a restore was interrupted here; restore the backup again")


def check_backup_files(folder: Path, store_name: str, key: bytes | None, beside: Beside) -> list[str]:
    """The names of the parts beside the store in a backup. Raises as `backup_files.read_files`."""
    return parts_of(read_files(folder, key, folder / store_name, beside.is_part))


def read_backup_key(folder: Path, passphrase: str | None) -> bytes | None:
    """The key of the backup in `folder`; None if it is not encrypted. Raises as `keyfile.read_key`."""
    if protection_of(folder) is Protection.NONE:
        return None
    return read_key(folder / KEY_NAME, passphrase).key


def _unfinished(target: Path) -> Path:
    """The store's name while it is being restored."""
    return target.with_name(f".{target.name}.restored")


def _check_nothing_there(*paths: Path) -> None:
    for path in paths:
        if path.exists() or path.is_symlink():
            raise StoreInaccessible(f"{path} exists: a restored node never replaces another; use an empty home")


def _remove(path: Path) -> None:
    with file_errors(path):
        for each in (path, *(Path(f"{path}{side}") for side in SIDE_FILES)):
            each.unlink(missing_ok=True)


def _check_source(source: Path, schema: Schema, key: bytes | None = None) -> None:
    if not source.is_file():
        raise StoreInaccessible(f"{source}: there is no store to copy")
    check_private(source)
    with ReadOnlyStore(source, key) as store:
        if store.number("PRAGMA application_id") != schema.application_id:
            raise NotAStore(f"{source} is not a store of this program")


def _check_copy(copy: Path, key: bytes | None, schema: Schema) -> None:
    with ReadOnlyStore(copy, key) as store:
        problems = file_problems(store, schema)
    if problems:
        raise StoreCorrupt(f"the copy is not sound ({problems[0]}): check the store and the disk; no copy was kept")


@contextlib.contextmanager
def _driver_errors(source: Path, copy: Path) -> Iterator[None]:
    try:
        yield
    except DRIVER_ERRORS as error:
        known = translate(error, str(copy))
        if isinstance(known, StorageError):
            raise known from error
        # SQLCipher's export tells what went wrong by its text only.
        if "full" in str(error):
            raise StoreFull(f"no room to write {copy}: free some space, then try again") from error
        raise StoreCorrupt(f"{source} could not be copied: it is damaged; no copy was kept") from error


def _copy(source: Path, source_key: bytes | None, copy: Path, copy_key: bytes | None) -> None:
    """Make `copy`, a file of its own without a write-ahead log."""
    create_private_file(copy)
    with _driver_errors(source, copy):
        if source_key is None and copy_key is None:
            _copy_pages(source, copy)
        else:
            _export(source, source_key, copy, copy_key)


def _copy_pages(source: Path, copy: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
        contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as writing,
    ):
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode = DELETE")


def _export(source: Path, source_key: bytes | None, copy: Path, copy_key: bytes | None) -> None:
    driver: Any = sqlcipher3.dbapi2  # it opens both, encrypted or not
    with contextlib.closing(driver.connect(copy.absolute().as_uri(), uri=True, isolation_level=None)) as writing:
        if copy_key is not None:
            unlock(writing, copy_key)
        writing.execute("PRAGMA temp_store = MEMORY")
        writing.execute(
            "ATTACH DATABASE ? AS source KEY ?",
            (f"{source.absolute().as_uri()}?mode=ro", key_literal(source_key) if source_key is not None else ""),
        )
        writing.execute("BEGIN")
        writing.execute("SELECT count(*) FROM source.sqlite_master").fetchone()  # the moment that is copied
        writing.execute("SELECT sqlcipher_export('main', 'source')").fetchone()
        for mark in ("application_id", "user_version"):
            (value,) = writing.execute(f"PRAGMA source.{mark}").fetchone()
            writing.execute(f"PRAGMA main.{mark} = {int(value)}")
        writing.execute("COMMIT")
        writing.execute("DETACH DATABASE source")
