"""The files that lie beside a store and belong to it, as one small database in its backup.

A database, since SQLCipher then encrypts it as it does the store, under the same key. It also has hashes of the
store's copy and of the files: two backups can't be mixed, and a part that is damaged or missing shows.

A SQLite file among them is copied as one moment of it, by SQLite itself, so another process may be writing to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from usernym.storage.drivers import connect
from usernym.storage.errors import DRIVER_ERRORS, StoreCorrupt, StoreInaccessible, translate
from usernym.storage.files import (
    FOLDER_MODE,
    create_private_file,
    file_errors,
    make_private_folder,
    sync_folder,
    write_private,
)
from usernym.storage.integrity import ReadOnlyStore, file_problems
from usernym.storage.migrations import Schema

FILES_NAME: Final = "files.db"
SIDE_FILES: Final = ("-wal", "-shm", "-journal")
"""What SQLite may put beside a database while it is open."""
BYTES_MAX: Final = 256 * 1024 * 1024
"""Of all files together, which are read into memory: a Nym client's folder has a few hundred KiB."""
_TRIES: Final = 5
"""A file may come or go while its folder is read; a Nym client makes its files once, at its first start."""
_SQLITE: Final = b"SQLite format 3\0"
_FILES_SCHEMA: Final = Schema(
    application_id=int.from_bytes(b"UNyB", "big"),
    tables=("file", "hashes"),
    creation=(
        "CREATE TABLE file (name TEXT NOT NULL PRIMARY KEY, content BLOB NOT NULL)",
        "CREATE TABLE hashes (store BLOB NOT NULL, files BLOB NOT NULL)",
    ),
)

Files = Mapping[str, bytes]
"""Contents by the path from the home, with slashes."""
IsPart = Callable[[str], bool]
"""Whether an entry of the home, by its name, is a part of the backup."""


def parts_of(files: Files) -> list[str]:
    """The entries of the home that these files make up, sorted."""
    return sorted({PurePosixPath(name).parts[0] for name in files})


def parts_in(home: Path, is_part: IsPart) -> list[str]:
    """The entries of `home` that are parts of a backup, sorted."""
    if not home.is_dir():
        return []
    with file_errors(home):
        return sorted(entry.name for entry in home.iterdir() if is_part(entry.name))


def read_home(home: Path, is_part: IsPart, left_out: frozenset[str]) -> Files:
    """The files of the parts in `home`, but for what is named in `left_out`, and what SQLite has beside a database.

    Raises `StoreInaccessible` for what can't be read, or is no file, or keeps changing; `StoreCorrupt` for a damaged
    database.
    """
    for _ in range(_TRIES):
        found = _listed(home, is_part, left_out)
        files = {name: content for name, path in found.items() if (content := _content(path)) is not None}
        if sum(map(len, files.values())) > BYTES_MAX:
            raise StoreInaccessible(f"{home}: the files beside the store have more than {BYTES_MAX} bytes")
        if files.keys() == _listed(home, is_part, left_out).keys():
            return files
    raise StoreInaccessible(f"{home}: files come and go while they are copied: try again; no copy was kept")


def _listed(home: Path, is_part: IsPart, left_out: frozenset[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for part in parts_in(home, is_part):
        for path in _files_under(home / part, left_out):
            if not path.name.endswith(SIDE_FILES):
                found[path.relative_to(home).as_posix()] = path
    return found


def _files_under(path: Path, left_out: frozenset[str]) -> Iterator[Path]:
    if path.name in left_out:
        return
    with file_errors(path):
        if path.is_dir():
            for entry in sorted(path.iterdir()):
                yield from _files_under(entry, left_out)
        elif path.is_file():
            yield path
        elif path.exists() or path.is_symlink():
            raise StoreInaccessible(f"{path} is neither a file nor a folder: move it away; no copy was kept")


def _content(path: Path) -> bytes | None:
    """What is in a file; None if it is gone meanwhile."""
    with file_errors(path):
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size > BYTES_MAX:
                    raise StoreInaccessible(f"{path} has more than {BYTES_MAX} bytes")
                content = file.read()
        except FileNotFoundError:
            return None
    return _moment_of(path) if content.startswith(_SQLITE) else content


def _moment_of(path: Path) -> bytes:
    """A database as it is at one moment, whatever is in its write-ahead log."""
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as reading,
            contextlib.closing(sqlite3.connect(":memory:")) as copy,
        ):
            reading.backup(copy)
            if (said := copy.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise StoreCorrupt(f"{path} is damaged ({said}); no copy was kept")
            return copy.serialize()
    except DRIVER_ERRORS as error:
        raise translate(error, str(path)) from error


# -- in the backup's folder -------------------------------------------------------------------------------------------


def write_files(folder: Path, key: bytes | None, files: Files, store: Path) -> None:
    """Put the files into the backup in `folder`, encrypted under `key` if there is one, beside the copy `store`."""
    path = folder / FILES_NAME
    create_private_file(path)
    try:
        with contextlib.closing(connect(str(path), key)) as writing:
            writing.execute("PRAGMA synchronous = FULL")
            writing.execute("BEGIN")
            for statement in _FILES_SCHEMA.creation:
                writing.execute(statement)
            writing.executemany("INSERT INTO file VALUES (?, ?)", sorted(files.items()))
            writing.execute("INSERT INTO hashes VALUES (?, ?)", (_hash(store), _hash_of(files)))
            writing.execute(f"PRAGMA application_id = {_FILES_SCHEMA.application_id}")
            writing.execute(f"PRAGMA user_version = {_FILES_SCHEMA.version}")
            writing.execute("COMMIT")
    except DRIVER_ERRORS as error:
        raise translate(error, str(path)) from error
    if read_files(folder, key, store, lambda _name: True) != files:
        raise StoreCorrupt(f"{path} is not as it was written: check the disk; no copy was kept")


def read_files(folder: Path, key: bytes | None, store: Path, is_part: IsPart) -> Files:
    """The files in a backup that is whole: `store` is the copy that they were backed up with.

    Raises `StoreInaccessible` if a part is missing; `StoreCorrupt` if one is damaged, is of another backup, or would
    not be a part of a home.
    """
    path = folder / FILES_NAME
    if not path.is_file():
        raise StoreInaccessible(f"{path} is missing: this backup is not whole, use another one")
    with ReadOnlyStore(path, key) as reading:
        if problems := file_problems(reading, _FILES_SCHEMA):
            raise StoreCorrupt(f"{path} is damaged ({problems[0]}): use another backup")
        files = dict(reading.rows("SELECT name, content FROM file"))
        hashes = list(reading.rows("SELECT store, files FROM hashes"))
    if [each for _, each in hashes] != [_hash_of(files)]:
        raise StoreCorrupt(f"{path} is damaged: use another backup")
    if [each for each, _ in hashes] != [_hash(store)]:
        raise StoreCorrupt(f"{store} is damaged, or of another backup than {path}: use another backup")
    for name in files:
        steps = name.split("/")
        if not is_part(steps[0]) or {"", ".", ".."} & set(steps) or "\0" in name:
            raise StoreCorrupt(f"{path} has a file that does not belong in a home: use another backup")
    return files


def _hash(path: Path) -> bytes:
    with file_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _hash_of(files: Files) -> bytes:
    parts = (f"{len(name)} {name} {len(files[name])} ".encode() + files[name] for name in sorted(files))
    return hashlib.sha256(b"".join(parts)).digest()


# -- in a restored home -----------------------------------------------------------------------------------------------


def place(home: Path, files: Files) -> None:
    """Write the files into `home`, on disk, readable by their owner only. Nothing of that name may be there."""
    folders: set[Path] = set()
    for name, content in files.items():
        path = home / name
        make_private_folder(path.parent)
        write_private(path, content, replace=False)
        folders |= {path.parent, *path.parent.parents} - {home, *home.parents}
    for folder in folders:
        with file_errors(folder):
            folder.chmod(FOLDER_MODE)
            sync_folder(folder)


def remove_parts(home: Path, parts: list[str]) -> None:
    """Remove these entries of `home`."""
    for part in parts:
        path = home / part
        with file_errors(path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
