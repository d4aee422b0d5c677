"""The key file of a client's store: the random storage key, wrapped by the user's passphrase.

The file `store.key` is owner-only, and is replaced as a whole. Version 1, integers big-endian:

    offset  size
         0     8   "UNymKEY" and the version, 1
         8     1   protection: 0 none, 1 passphrase

    protection 0: 9, 32: the storage key as it is. End at 41.

    protection 1:
         9     4   Argon2id memory in KiB
        13     4   Argon2id passes
        17     4   Argon2id lanes
        21    16   salt
        37    12   nonce
        49    48   the storage key under ChaCha20-Poly1305, with bytes 0-48 as associated data. End at 97.

The wrapping key is Argon2id (version 1.3, 32 bytes) of the passphrase in Unicode normal form C, UTF-8. Changing the
passphrase wraps the same storage key again: the database is not rewritten, and a copy of the old key file still opens
it with the old passphrase.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from usernym.storage.errors import (
    NotAStore,
    PassphraseNeeded,
    StoreCorrupt,
    StoreInaccessible,
    StoreUnprotected,
    WrongPassphrase,
)
from usernym.storage.files import read_private, write_private

RandomBytes = Callable[[int], bytes]
"""A source of secret random bytes: `os.urandom`, but in a simulation."""

KEY_BYTES: Final = 32
SALT_BYTES: Final = 16
NONCE_BYTES: Final = 12
_MAGIC: Final = b"UNymKEY\x01"
_RAW: Final = b"\x00"
_WRAPPED: Final = b"\x01"
_COST: Final = struct.Struct(">III")
_HEADER_BYTES: Final = len(_MAGIC) + 1 + _COST.size + SALT_BYTES + NONCE_BYTES
_RAW_BYTES: Final = len(_MAGIC) + 1 + KEY_BYTES
_WRAPPED_BYTES: Final = _HEADER_BYTES + KEY_BYTES + 16

_MEMORY_KIB_MAX: Final = 2**20
_PASSES_MAX: Final = 64
_LANES_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """What a guess at the passphrase costs: memory in KiB, passes over it, lanes.

    One lane, because more hang when two threads derive at once.
    """

    memory_kib: int = 64 * 1024
    passes: int = 3
    lanes: int = 1

    @property
    def sane(self) -> bool:
        """Whether Argon2id can do it, and a damaged file is not asking for all of the machine's memory."""
        return (
            1 <= self.lanes <= _LANES_MAX
            and 8 * self.lanes <= self.memory_kib <= _MEMORY_KIB_MAX
            and 1 <= self.passes <= _PASSES_MAX
        )


DEFAULT_COST: Final = Argon2Cost()


class Protection(Enum):
    """How a store is protected at rest."""

    ABSENT = "there is no store yet"
    NONE = "the storage key lies beside the store, by the user's choice"
    PASSPHRASE = "the storage key is wrapped by a passphrase"  # noqa: S105 - not a password


@dataclass(frozen=True, slots=True)
class UnlockedKey:
    """A storage key, and whether a passphrase protects it."""

    key: bytes = field(repr=False)
    protected: bool


def protection(path: Path) -> Protection:
    """How the key file at `path` protects its key, by its marker alone. Raises like `read_key`, but for passphrases."""
    if not path.exists():
        return Protection.ABSENT
    return Protection.PASSPHRASE if _read(path)[len(_MAGIC) :].startswith(_WRAPPED) else Protection.NONE


def create_key(
    path: Path, passphrase: str | None, *, unprotected: bool, cost: Argon2Cost | None, random_bytes: RandomBytes
) -> UnlockedKey:
    """Make a storage key and its file, which must not exist. A guess costs `DEFAULT_COST`, if not said otherwise.

    Raises `PassphraseNeeded` if there is no passphrase and `unprotected` does not say that this is meant; ValueError
    if there is a passphrase and `unprotected` is set, or the passphrase is empty.
    """
    if unprotected and passphrase is not None:
        raise ValueError("a store is either unprotected or has a passphrase")
    if passphrase is None and not unprotected:
        raise PassphraseNeeded("a new store needs a passphrase, or the explicit choice to have none")
    key = random_bytes(KEY_BYTES)
    write_private(path, _content(key, passphrase, cost, random_bytes), replace=False)
    return UnlockedKey(key, passphrase is not None)


def read_key(path: Path, passphrase: str | None) -> UnlockedKey:
    """The storage key in the file.

    Raises `WrongPassphrase`, `PassphraseNeeded`, `StoreUnprotected` (a passphrase where there is none to check),
    `NotAStore`, `StoreCorrupt`, `StoreExposed` or `StoreInaccessible`.
    """
    content = _read(path)
    if content[len(_MAGIC) :].startswith(_RAW):
        if passphrase is not None:
            raise StoreUnprotected(f"{path} has no passphrase: open the store without one, then set one")
        return UnlockedKey(content[-KEY_BYTES:], protected=False)
    if passphrase is None:
        raise PassphraseNeeded(f"{path} needs its passphrase")
    cost, salt, nonce = _cost(content), content[21:37], content[37:_HEADER_BYTES]
    if not cost.sane:
        raise StoreCorrupt(f"{path} is damaged: restore it from a backup")
    wrapping = ChaCha20Poly1305(_derive(passphrase, salt, cost))
    try:
        key = wrapping.decrypt(nonce, content[_HEADER_BYTES:], content[:_HEADER_BYTES])
    except InvalidTag:
        raise WrongPassphrase("the passphrase is wrong (or the key file was altered)") from None
    return UnlockedKey(key, protected=True)


def rewrap_key(
    path: Path, key: bytes, passphrase: str | None, cost: Argon2Cost | None, random_bytes: RandomBytes
) -> None:
    """Replace the file by one with the same key under another passphrase, or under none; the cost as `create_key`."""
    write_private(path, _content(key, passphrase, cost, random_bytes), replace=True)


def _read(path: Path) -> bytes:
    content = read_private(path, _WRAPPED_BYTES)
    if not content.startswith(_MAGIC):
        raise NotAStore(f"{path} is not a key file of this program's version: it is left as it is")
    marker, size = content[len(_MAGIC) : len(_MAGIC) + 1], len(content)
    if (marker, size) not in {(_RAW, _RAW_BYTES), (_WRAPPED, _WRAPPED_BYTES)}:
        raise StoreCorrupt(f"{path} is damaged: restore it from a backup")
    return content


def _cost(content: bytes) -> Argon2Cost:
    return Argon2Cost(*_COST.unpack_from(content, len(_MAGIC) + 1))


def _content(key: bytes, passphrase: str | None, cost: Argon2Cost | None, random_bytes: RandomBytes) -> bytes:
    if passphrase is None:
        return _MAGIC + _RAW + key
    cost = cost or DEFAULT_COST
    if not cost.sane:
        raise ValueError("the Argon2id cost is out of bounds")
    salt, nonce = random_bytes(SALT_BYTES), random_bytes(NONCE_BYTES)
    header = _MAGIC + _WRAPPED + _COST.pack(cost.memory_kib, cost.passes, cost.lanes) + salt + nonce
    return header + ChaCha20Poly1305(_derive(passphrase, salt, cost)).encrypt(nonce, key, header)


def _derive(passphrase: str, salt: bytes, cost: Argon2Cost) -> bytes:
    if not passphrase:
        raise ValueError("a passphrase has at least one character")
    # Two keyboards may compose the same letter differently.
    secret = unicodedata.normalize("NFC", passphrase).encode()
    try:
        return hash_secret_raw(secret, salt, cost.passes, cost.memory_kib, cost.lanes, KEY_BYTES, Type.ID)
    except HashingError:
        needed = f"{cost.memory_kib // 1024} MiB of memory"
        raise StoreInaccessible(
            f"the passphrase can't be tried: that needs {needed}, and there is not as much"
        ) from None
