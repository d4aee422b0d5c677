"""A client's home from outside: what it has, and removing an account that was never registered."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Final

from usernym.client import Client
from usernym.errors import AccountStays
from usernym.storage.client.store import DATABASE_NAME, KEY_NAME, ClientStore
from usernym.storage.client.types import IdentityState
from usernym.storage.keyfile import Protection
from usernym.storage.locks import Home


class HomeKind(Enum):
    """What a folder has of a client."""

    ABSENT = "no account"
    OPEN = "an account without a passphrase"
    PROTECTED = "an account behind a passphrase"


_KINDS: Final = {
    Protection.ABSENT: HomeKind.ABSENT,
    Protection.NONE: HomeKind.OPEN,
    Protection.PASSPHRASE: HomeKind.PROTECTED,
}


def home_kind(home: Path) -> HomeKind:
    """What the folder has. Raises `StorageError` if it is damaged, or if other users may read it."""
    return _KINDS[ClientStore.protection(home)]


def discard(client: Client, home: Path) -> None:
    """Close a client whose name was never registered, and remove its store. Raises `AccountStays` for any other."""
    known = client.whoami()
    if known.registered or known.deleted:
        raise AccountStays("this account is registered, or was: it is not removed")
    client.close()
    with Home(home, "making room"):
        _remove(home)


def remove_empty(home: Path, passphrase: str | None) -> bool:
    """Remove a store that has no identity yet; False if there is one. Raises `StorageError` if that can't be
    determined."""
    with Home(home, "making room"):
        store = ClientStore.open(home, passphrase, unprotected=passphrase is None)
        try:
            if store.profile.has_identity():
                return False
        finally:
            store.close()
        _remove(home)
        return True


def remove_unfinished(home: Path, passphrase: str | None) -> None:
    """Remove a store without an identity, or with one that was never registered: what a failed beginning leaves.

    Raises `AccountStays` if there is more, `StorageError` if that can't be determined.
    """
    with Home(home, "making room"):
        if ClientStore.protection(home) is Protection.ABSENT:
            return
        store = ClientStore.open(home, passphrase, unprotected=passphrase is None)
        try:
            if store.profile.has_identity() and store.profile.identity().state is not IdentityState.CREATING:
                raise AccountStays("this account is registered: it is not removed")
        finally:
            store.close()
        _remove(home)


def _remove(home: Path) -> None:
    """Remove a store whose home is held: the database first, the key last.

    If it is interrupted, what is left opens with the same passphrase, as the whole store or as an empty one. The other
    order would leave a database without its key, which no command can open or replace. SQLite deletes a journal that is
    left without its database.
    """
    for name in (DATABASE_NAME, f"{DATABASE_NAME}-wal", f"{DATABASE_NAME}-shm", KEY_NAME):
        (home / name).unlink(missing_ok=True)
