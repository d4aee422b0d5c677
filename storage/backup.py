"""A copy of a store while it is in use, and back: complete, checked, owner-only, on request encrypted as a whole.

A backup is a folder: the database, and, if a passphrase protects it, the file with the wrapped key (see `keyfile`);
without one the database lies there as it is. The copy is one moment of the store: SQLite's backup API makes it, or
SQLCipher's export inside one read transaction. Both may run beside the process that holds the store, **but not inside
it where a passphrase is given**: two SQLite libraries in one process would drop each other's locks on the file.

Nothing here overwrites anything: a copy is made under another name, checked, and only then renamed.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import sqlcipher3.dbapi2

from usernym.storage.errors import (
    DRIVER_ERRORS,
    NotAStore,
    StorageError,
    StoreCorrupt,
    StoreFull,
    StoreInaccessible,
    translate,
)
from usernym.storage.files import check_private, create_private_file, file_errors, new_folder, sync_folder
from usernym.storage.integrity import ReadOnlyStore, file_problems
from usernym.storage.keyfile import Argon2Cost, Protection, RandomBytes, create_key, protection, read_key
from usernym.storage.migrations import Schema

KEY_NAME: Final = "backup.key"
_SIDE_FILES: Final = ("-wal", "-shm", "-journal")


def protection_of(folder: Path) -> Protection:
    """How the backup in `folder` is protected; without a key file it is not. Raises as `keyfile.protection`."""
    found = protection(folder / KEY_NAME)
    return Protection.NONE if found is Protection.ABSENT else found


def back_up(
    source: Path,
    folder: Path,
    schema: Schema,
    passphrase: str | None,
    *,
    cost: Argon2Cost | None = None,
    random_bytes: RandomBytes = os.urandom,
) -> None:
    """Copy the store at `source` into the new folder `folder`; encrypted, if there is a passphrase.

    Raises `StoreInaccessible` if `folder` exists, or its parent does not; `StoreCorrupt` if the copy is not sound,
    which is then not kept; what opening `source` raises; and `StoreFull`.
    """
    _check_source(source, schema)
    with new_folder(folder) as partial:
        key = None
        if passphrase is not None:
            unlocked = create_key(
                partial / KEY_NAME, passphrase, unprotected=False, cost=cost or Argon2Cost(), random_bytes=random_bytes
            )
            key = unlocked.key
        copy = partial / source.name
        _copy(source, None, copy, key)
        _check_copy(copy, key, schema)


def restore(
    folder: Path, target: Path, schema: Schema, passphrase: str | None, prepare: Callable[[Path], None]
) -> None:
    """Put the backup in `folder` at `target`, where nothing may be; the caller holds the home.

    `prepare` gets the path of the copy before it is in its place, to change what an older state must not say again.
    Raises `StoreInaccessible` if something is at `target`, `WrongPassphrase`, `PassphraseNeeded` or
    `StoreUnprotected`, and what `back_up` raises.
    """
    for taken in (target, *(Path(f"{target}{side}") for side in _SIDE_FILES)):
        if taken.exists() or taken.is_symlink():
            raise StoreInaccessible(f"{taken} exists: a restored node never replaces another; use an empty home")
    source = folder / target.name
    key = None
    if protection_of(folder) is not Protection.NONE:
        key = read_key(folder / KEY_NAME, passphrase).key
    _check_source(source, schema, key)
    copy = target.with_name(f".{target.name}.restored")
    _remove(copy)
    try:
        _copy(source, key, copy, None)
        _check_copy(copy, None, schema)
        prepare(copy)
        if left := [side for side in _SIDE_FILES if Path(f"{copy}{side}").exists()]:
            raise StoreInaccessible(f"{copy} is still in use ({', '.join(left)}): nothing was restored")
        with file_errors(target):
            target.hardlink_to(copy)  # unlike a rename, fails if something has come there meanwhile
            copy.unlink()
            sync_folder(target.parent)
    except BaseException:
        _remove(copy)
        raise


def _remove(path: Path) -> None:
    with file_errors(path):
        for each in (path, *(Path(f"{path}{side}") for side in _SIDE_FILES)):
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
    driver: Any = sqlcipher3.dbapi2
    with contextlib.closing(driver.connect(f"{copy.absolute().as_uri()}", uri=True, isolation_level=None)) as writing:
        if copy_key is not None:
            writing.execute(f'PRAGMA key = "{_key_literal(copy_key)}"')
            writing.execute("PRAGMA cipher_compatibility = 4")
        writing.execute("PRAGMA temp_store = MEMORY")
        writing.execute(
            "ATTACH DATABASE ? AS source KEY ?",
            (f"{source.absolute().as_uri()}?mode=ro", _key_literal(source_key) if source_key is not None else ""),
        )
        writing.execute("BEGIN")
        writing.execute("SELECT count(*) FROM source.sqlite_master").fetchone()  # the moment that is copied
        writing.execute("SELECT sqlcipher_export('main', 'source')").fetchone()
        for mark in ("application_id", "user_version"):
            (value,) = writing.execute(f"PRAGMA source.{mark}").fetchone()
            writing.execute(f"PRAGMA main.{mark} = {int(value)}")
        writing.execute("COMMIT")
        writing.execute("DETACH DATABASE source")


def _key_literal(key: bytes) -> str:
    return f"x'{key.hex()}'"
