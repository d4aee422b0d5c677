"""The two SQLite libraries: Python's own, and SQLCipher for a database that is encrypted under a key."""

from __future__ import annotations

import sqlite3
from typing import Any

import sqlcipher3.dbapi2


def connect(name: str, key: bytes | None, **options: Any) -> Any:
    """A new connection to the database at a path or URI, each of whose statements is a transaction of its own.

    With a key the database is encrypted, or becomes so if it is new. A wrong one shows at the first read.
    """
    driver: Any = sqlite3 if key is None else sqlcipher3.dbapi2
    connection = driver.connect(name, isolation_level=None, **options)
    if key is not None:
        unlock(connection, key)
    return connection


def unlock(connection: Any, key: bytes) -> None:
    """Give a connection of SQLCipher its key. Nothing is read from the file yet."""
    connection.execute(f'PRAGMA key = "{key_literal(key)}"')
    connection.execute("PRAGMA cipher_compatibility = 4")


def key_literal(key: bytes) -> str:
    """A key as SQLCipher takes it: these bytes, instead of a passphrase to derive some from."""
    return f"x'{key.hex()}'"
