"""A node's store moves: from the file in its home to PostgreSQL, or back. The node must not run meanwhile.

The copy is compared with its source. The source is kept, and can't be opened as a node's store any more: two of them
would be two nodes with one key. A move that is cut short leaves a home in which the node starts as before, or in which
it does not start, and says what to remove.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from usernym.node import STORE_NAME, check_store, check_url, opened_store
from usernym.settings import NODE_STORE_NAME
from usernym.storage.errors import StoreInaccessible
from usernym.storage.files import file_errors, sync_folder, write_private
from usernym.storage.locks import Home
from usernym.storage.node.moving import CopiedTable, copy_store
from usernym.storage.node.store import NodeStore

_UNFINISHED_NAME: Final = f"{STORE_NAME}.moving"


def move_to_database(home: Path, url: str) -> list[CopiedTable]:
    """Move the store of the node in `home` into the new database at `url`; the file gets the ending `.moved`.

    Raises `SettingsError`, `StorageError`s.
    """
    check_url(url)
    with Home(home, "node move"):
        if not (home / STORE_NAME).exists():
            raise StoreInaccessible(f"{home} has no {STORE_NAME}: nothing was moved")
        with opened_store(home, None) as source:
            with contextlib.closing(NodeStore.connect(url, alone=True)) as target:
                copied = copy_store(source, target)
            # The home names both now, and no node starts in it; then only the new one.
            write_private(home / NODE_STORE_NAME, f"{url}\n".encode(), replace=True)
            source.retire()
    return copied


def move_to_file(home: Path, url: str) -> list[CopiedTable]:
    """Move the store of the node in `home` from the database at `url` into a file in it. Raises as above."""
    check_store(home, url)
    with Home(home, "node move"), opened_store(home, url, alone=True) as source:
        unfinished = home / _UNFINISHED_NAME
        with file_errors(home):
            for side in ("", "-wal", "-shm"):
                Path(f"{unfinished}{side}").unlink(missing_ok=True)  # what a move that was killed has left
        with contextlib.closing(NodeStore.open(unfinished)) as target:
            copied = copy_store(source, target)
        with file_errors(home):
            unfinished.rename(home / STORE_NAME)
            sync_folder(home)
        source.retire()
        with file_errors(home):
            (home / NODE_STORE_NAME).unlink(missing_ok=True)
            sync_folder(home)
    return copied
