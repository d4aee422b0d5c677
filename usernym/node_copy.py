"""A node's store as a file, wherever it is: for what looks at a whole store, or copies it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from usernym.node import STORE_NAME, check_url
from usernym.storage.files import file_errors
from usernym.storage.locks import Home
from usernym.storage.node.moving import copy_store
from usernym.storage.node.store import NodeStore

FOLDER: Final = "copy"
"""In the node's home: where a database is copied to. It is as secret as the node, and goes when it has been used."""


@contextlib.contextmanager
def store_file(home: Path, url: str | None) -> Iterator[Path]:
    """The file with the store of the node in `home`; if that is in the database at `url`, a copy of it as it is at one
    moment, which goes at the end. The node may run.

    Raises `SettingsError`, `StorageError`s.
    """
    if url is None:
        yield home / STORE_NAME
        return
    check_url(url)
    folder = home / FOLDER
    path = folder / STORE_NAME
    with Home(folder, "copy of a database"):
        _remove(path)  # of a process that was killed
        try:
            with (
                contextlib.closing(NodeStore.connect(url, to_copy=True)) as source,
                contextlib.closing(NodeStore.open(path, synchronous="OFF")) as copy,
            ):
                copy_store(source, copy)
            yield path
        finally:
            _remove(path)


def _remove(path: Path) -> None:
    with file_errors(path):
        for side in ("", "-wal", "-shm"):
            Path(f"{path}{side}").unlink(missing_ok=True)
