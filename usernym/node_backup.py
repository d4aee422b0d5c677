"""A node's backup and its restoration: all that a node is, and what a restored node must not repeat.

It has the store, with the node's key, as a file, wherever the store is; the identities of its Nym clients, and with
them its addresses; and its settings.
docs/backup.md says what comes back and what does not. A backup is as secret as the node: it is encrypted under a
passphrase, unless the operator chooses to have none.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from usernym.control import SOCKET_NAME
from usernym.mixnets import STORAGE_FOLDER, STORAGE_NAME
from usernym.node import STORE_NAME
from usernym.node_copy import FOLDER as COPY_FOLDER
from usernym.node_copy import store_file
from usernym.passphrases import check_new_passphrase
from usernym.protocol.cards import decode_card, make_card
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import SEED_BYTES, UINT32_MAX
from usernym.protocol.records import day_of
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.settings import FILE_NAME as SETTINGS_NAME
from usernym.settings import NODE_MIXNET_NAME, NODE_STORE_NAME, WORKERS_FOLDER
from usernym.storage import backup
from usernym.storage.backup import Beside
from usernym.storage.errors import StoreCorrupt
from usernym.storage.locks import LOCK_NAME, Home
from usernym.storage.node.head_mark import MARK_NAME
from usernym.storage.node.schema import NODE_SCHEMA
from usernym.storage.node.store import NodeStore
from usernym.storage.node.witnesses import WITNESS_MARK_NAME

NUMBERS_SKIPPED: Final = 2**24
"""Notice numbers that a restored node skips. It may have used them after its backup was made: an old confirmation must
not remove a new notice. 190 a second for a day; there are 2³²."""


_NYM: Final = re.compile(rf"{STORAGE_FOLDER}(-{STORAGE_NAME.pattern})?")
BESIDE: Final = Beside(
    is_part=lambda name: name in (NODE_MIXNET_NAME, SETTINGS_NAME, WORKERS_FOLDER) or _NYM.fullmatch(name) is not None,
    # A reply block serves once, and the node may use these after its backup was made. They would be of no use either:
    # a restored node's users log in again. Locks, sockets and copies are of processes. Where the database was is of no
    # use where the store is a file, and may have a password in it. The marks are newer than a backup.
    left_out=frozenset(
        {
            "persistent_reply_store.sqlite",
            "nym_python_sdk.lock",
            LOCK_NAME,
            SOCKET_NAME,
            COPY_FOLDER,
            NODE_STORE_NAME,
            MARK_NAME,
            WITNESS_MARK_NAME,
        }
    ),
)
"""What of a node's home belongs in its backup beside the store."""


def parts_held(folder: Path, key: bytes | None) -> list[str]:
    """The names of the parts that the backup in `folder` has beside the store.

    Raises `StorageError`s if it is not whole.
    """
    return backup.check_backup_files(folder, STORE_NAME, key, BESIDE)


def back_up(home: Path, folder: Path, passphrase: str | None, url: str | None = None) -> list[str]:
    """Copy the node in `home`, whether it runs or not, into the new folder `folder`; `url` is its database, if any.

    Without a passphrase the copy is not encrypted. Returns the names of the parts that it has beside the store. Not for
    the process that runs the node. Raises `PassphraseWeak` and `StorageError`s.
    """
    if passphrase is not None:
        check_new_passphrase(passphrase)
    with store_file(home, url) as path:
        return backup.back_up(path, folder, NODE_SCHEMA, passphrase, BESIDE, home=home)


def restore(folder: Path, home: Path, passphrase: str | None) -> list[str]:
    """Make a node in `home` from the backup in `folder`. Returns the names of the parts that came beside the store.

    Raises `HomeInUse`, and other `StorageError`s.

    Its next card has a higher sequence than any that the node has given out since, and its notices get numbers that it
    has not used, whatever happened after the backup.
    """
    with Home(home, "node restore"):
        return backup.restore(folder, home / STORE_NAME, NODE_SCHEMA, passphrase, BESIDE, _prepare)


def _prepare(path: Path) -> None:
    store = NodeStore.open(path)
    try:
        _renew_card(store)
        store.log.hold_back()
        store.witnesses.hold_back()
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
    store.profile.save_card(
        sequence, pack(make_card(key, old.addresses, sequence, day_of(now), fresh_tags=old.fresh_tags))
    )
