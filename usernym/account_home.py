"""A client's home from outside: whether it has an account, and removing an account that was never registered."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from usernym.client import Client
from usernym.errors import AccountStays
from usernym.storage.client.store import DATABASE_NAME, KEY_NAME, ClientStore
from usernym.storage.client.types import IdentityState
from usernym.storage.keyfile import Protection
from usernym.storage.locks import Home


def is_protected(home: Path) -> bool | None:
    """Whether a passphrase protects the account in this folder; None if it has none.

    Raises `StorageError` if it is damaged, or if other users may read it.
    """
    protection = ClientStore.protection(home)
    return None if protection is Protection.ABSENT else protection is Protection.PASSPHRASE


def discard(client: Client, home: Path) -> None:
    """Close a client whose name was never registered, and remove its store. Raises `AccountStays` for any other."""
    known = client.whoami()
    if known.registered or known.deleted:
        raise AccountStays("this account is registered, or was: it is not removed")
    client.close()
    with Home(home, "making room"):
        _remove(home)


def remove_empty(home: Path, passphrase: str | None) -> bool:
    """Remove a store that has no identity yet; False if there is one. Raises `StorageError` if that is not known."""
    return _remove_if(home, passphrase, lambda store: not store.profile.has_identity())


def remove_unfinished(home: Path, passphrase: str | None) -> None:
    """Remove a store without an identity, or with one that was never registered: what a failed beginning leaves.

    Raises `AccountStays` if there is more, `StorageError` if that is not known.
    """

    def is_unfinished(store: ClientStore) -> bool:
        return not store.profile.has_identity() or store.profile.identity().state is IdentityState.CREATING

    if is_protected(home) is not None and not _remove_if(home, passphrase, is_unfinished):
        raise AccountStays("this account is registered: it is not removed")


def _remove_if(home: Path, passphrase: str | None, wanted: Callable[[ClientStore], bool]) -> bool:
    with Home(home, "making room"):
        with contextlib.closing(ClientStore.open(home, passphrase, unprotected=passphrase is None)) as store:
            if not wanted(store):
                return False
        _remove(home)
        return True


def _remove(home: Path) -> None:
    """Remove a store whose home is held: the database first, the key last.

    If it is interrupted, what is left opens with the same passphrase, as the whole store or as an empty one. The other
    order would leave a database without its key, which no command can open or replace. SQLite deletes a journal that is
    left without its database.
    """
    for name in (DATABASE_NAME, f"{DATABASE_NAME}-wal", f"{DATABASE_NAME}-shm", KEY_NAME):
        (home / name).unlink(missing_ok=True)
