"""The client's store: identity, contacts, conversations, outbox, routes, in one file encrypted as a whole.

SQLCipher encrypts every page under a random storage key, which the key file beside it keeps (see `keyfile`). One
`ClientStore` serves all of the client's actor threads. Every method that writes is one transaction, durable on return;
inside `transaction()` it becomes part of that one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Self

from usernym.storage.client.contacts import Contacts
from usernym.storage.client.evidence import EvidenceKept
from usernym.storage.client.files import Files
from usernym.storage.client.gaps import Gaps
from usernym.storage.client.given_surbs import GivenSurbs
from usernym.storage.client.history import ConversationHistory
from usernym.storage.client.listing import Listing
from usernym.storage.client.message_keys import MessageKeys
from usernym.storage.client.messages import Messages
from usernym.storage.client.notices import TakenNotices
from usernym.storage.client.profile import Profile
from usernym.storage.client.promises import KeptPromises
from usernym.storage.client.schema import CLIENT_SCHEMA
from usernym.storage.client.seen_log import SeenLog
from usernym.storage.client.witnessed import WitnessedHeads
from usernym.storage.database import BUSY_TIMEOUT_S, IN_MEMORY, Store, StoreDatabase, Synchronous, open_database
from usernym.storage.errors import PassphraseNeeded, StoreCorrupt
from usernym.storage.files import make_private_folder
from usernym.storage.keyfile import (
    Argon2Cost,
    Protection,
    RandomBytes,
    UnlockedKey,
    create_key,
    protection,
    read_key,
    rewrap_key,
)

DATABASE_NAME: Final = "client.db"
KEY_NAME: Final = "store.key"


class ClientStore(Store):
    """The client's store. Each part that holds rows is a field."""

    database: StoreDatabase

    def __init__(self, database: StoreDatabase, *, protected: bool, key_path: Path | None = None) -> None:
        super().__init__(database)
        self.profile = Profile(database)
        self.keys = MessageKeys(database)
        self.contacts = Contacts(database)
        self.gaps = Gaps(database)
        self.messages = Messages(database, self.contacts, self.gaps)
        self.history = ConversationHistory(database)
        self.files = Files(database)
        self.listing = Listing(database)
        self.notices = TakenNotices(database)
        self.promises = KeptPromises(database)
        self.evidence = EvidenceKept(database)
        self.given_surbs = GivenSurbs(database)
        self.seen_log = SeenLog(database, self.profile)
        self.witnessed = WitnessedHeads(database, self.profile)
        self._protected = protected
        self._key_path = key_path

    @staticmethod
    def protection(folder: Path) -> Protection:
        """How the store in `folder` is protected: whether to ask for a passphrase, or for a new one.

        Raises `NotAStore`, `StoreCorrupt`, `StoreExposed` or `StoreInaccessible` if its key file is not one.
        """
        return protection(folder / KEY_NAME)

    @classmethod
    def open(
        cls,
        folder: Path,
        passphrase: str | None,
        *,
        unprotected: bool = False,
        cost: Argon2Cost | None = None,
        random_bytes: RandomBytes = os.urandom,
        synchronous: Synchronous = "FULL",
        timeout_s: float = BUSY_TIMEOUT_S,
    ) -> Self:
        """Open the store in `folder`, or create it there.

        A new store is protected by `passphrase`; one without needs `unprotected=True` besides None. `protected` tells
        afterwards. `cost` and `random_bytes` matter for a new store only. Deriving the key takes a good part of a
        second and 64 MiB.

        Raises `WrongPassphrase`, `PassphraseNeeded`, `StoreUnprotected`, and what `open_database` raises.
        """
        make_private_folder(folder)
        path, key_path = folder / DATABASE_NAME, folder / KEY_NAME
        unlocked: UnlockedKey
        if key_path.exists():
            unlocked = read_key(key_path, passphrase)
        elif path.exists():
            raise StoreCorrupt(f"{key_path} is gone, and nothing opens {path} without it: restore it from a backup")
        else:
            unlocked = create_key(key_path, passphrase, unprotected=unprotected, cost=cost, random_bytes=random_bytes)
        database = open_database(path, CLIENT_SCHEMA, key=unlocked.key, synchronous=synchronous, timeout_s=timeout_s)
        return cls(database, protected=unlocked.protected, key_path=key_path)

    @classmethod
    def open_plain(cls, path: Path = IN_MEMORY, *, synchronous: Synchronous = "OFF") -> Self:
        """An unencrypted store, for simulations and tests only; in memory if not said otherwise.

        One in memory serves the thread that opened it.
        """
        return cls(open_database(path, CLIENT_SCHEMA, synchronous=synchronous), protected=False)

    @property
    def protected(self) -> bool:
        """Whether the store's key is kept away from anyone who reads the user's files."""
        return self._protected

    def empty_journal(self) -> bool:
        """Have what was erased gone from the WAL too; False if readers are in the way. Not inside `transaction()`."""
        return self.database.erase_traces()

    def change_passphrase(
        self,
        old: str | None,
        new: str | None,
        *,
        unprotected: bool = False,
        cost: Argon2Cost | None = None,
        random_bytes: RandomBytes = os.urandom,
    ) -> None:
        """Wrap the storage key by another passphrase; by none, if `unprotected` says that this is meant.

        A copy of the old key file still opens the store with the old passphrase. Raises `WrongPassphrase`,
        `PassphraseNeeded` or `StoreUnprotected` if `old` is not what opens the store, and changes nothing then.
        """
        if self._key_path is None:
            raise ValueError("this store was opened without a key file")
        if unprotected and new is not None:
            raise ValueError("a store is either unprotected or has a passphrase")
        if new is None and not unprotected:
            raise PassphraseNeeded("a new passphrase is needed, or the explicit choice to have none")
        unlocked = read_key(self._key_path, old)
        rewrap_key(self._key_path, unlocked.key, new, cost, random_bytes)
        self._protected = new is not None
