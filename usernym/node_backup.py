"""A node's backup and its restoration: the store itself, and what a restored node must not repeat.

docs/operations.md, "Backup", says what comes back and what does not. The node's key is in the store, so a backup is as
secret as the node: it is encrypted under a passphrase, unless the operator chooses to have none.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from usernym.node import STORE_NAME
from usernym.protocol.cards import decode_card, make_card
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import SEED_BYTES, UINT32_MAX
from usernym.protocol.records import day_of
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.storage import backup
from usernym.storage.errors import StoreCorrupt
from usernym.storage.keyfile import Protection
from usernym.storage.locks import Home
from usernym.storage.node.schema import NODE_SCHEMA
from usernym.storage.node.store import NodeStore

NUMBERS_SKIPPED: Final = 2**24
"""Notice numbers that a restored node skips. It may have used them after its backup was made: an old confirmation must
not remove a new notice. 190 a second for a day; there are 2³²."""


def protection_of(folder: Path) -> Protection:
    """How the backup in `folder` is protected."""
    return backup.protection_of(folder)


def back_up(home: Path, folder: Path, passphrase: str | None) -> None:
    """Copy the store of the node in `home`, whether it runs or not, into the new folder `folder`.

    Without a passphrase the copy is not encrypted. Not for the process that runs the node. Raises `StorageError`s.
    """
    backup.back_up(home / STORE_NAME, folder, NODE_SCHEMA, passphrase)


def restore(folder: Path, home: Path, passphrase: str | None) -> None:
    """Make a node in `home` from the backup in `folder`. Raises `HomeInUse`, and other `StorageError`s.

    Its next card has a higher sequence than any that the node has given out since, and its notices get numbers that it
    has not used, whatever happened after the backup.
    """
    with Home(home, "node restore"):
        backup.restore(folder, home / STORE_NAME, NODE_SCHEMA, passphrase, _prepare)


def _prepare(path: Path) -> None:
    store = NodeStore.open(path)
    try:
        _renew_card(store)
    finally:
        store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'notice'").fetchone()
        number = min(UINT32_MAX // 2, (row[0] if row else 0) + NUMBERS_SKIPPED)
        connection.execute("DELETE FROM sqlite_sequence WHERE name = 'notice'")
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('notice', ?)", (number,))
        connection.execute("COMMIT")


def _renew_card(store: NodeStore) -> None:
    stored = store.profile.card()
    if stored is None:
        return  # it never was on a mixnet: no one has a card of it
    seed = store.profile.identity_seed(os.urandom(SEED_BYTES))
    key = SigningKey.from_seed(seed)
    try:
        old = decode_card(stored.blob)
    except RemoteProtocolError:
        raise StoreCorrupt("the backup's node card is damaged: use another backup") from None
    if old.node != key.public:
        raise StoreCorrupt("the backup's node card is another node's: use another backup")
    now = int(time.time())
    sequence = min(UINT32_MAX, max(stored.sequence + 1, now))
    store.profile.save_card(sequence, pack(make_card(key, old.address, sequence, day_of(now))))
