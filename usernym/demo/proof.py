"""The demo's proof: a search of all that the node keeps, for what must be absent and for what must be there."""

from __future__ import annotations

import base64
import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from usernym.demo.processes import demo_failed
from usernym.mixnet.addresses import parse_address


@dataclass(frozen=True, slots=True)
class Haystack:
    """Bytes that the node keeps, and where."""

    where: str
    content: bytes


def node_keeps(home: Path, *logs: Path) -> list[Haystack]:
    """All the node's files as they lie on the disk, its database's values one by one, and its logs."""
    found = [Haystack(path.name, path.read_bytes()) for path in sorted(home.iterdir()) if path.is_file()]
    found += [Haystack(path.name, path.read_bytes()) for path in logs]
    # A long value is spread over pages in the file; as the database reads it, it is whole.
    found += [Haystack("node.db, by value", b"\n".join(_values(home / "node.db")))]
    return found


def _values(path: Path) -> Iterator[bytes]:
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - the database's own names
                for value in row:
                    yield value if isinstance(value, bytes) else str(value).encode()


def forms_of_text(text: str) -> dict[str, bytes]:
    """The encodings in which a text could be stored."""
    plain = text.encode()
    # Base64 of a part depends on where it begins; the middle of each of the three shifts is certain.
    shifted = {f"base64, shift {n}": base64.b64encode(b"\0" * n + plain)[4:-4] for n in range(3)}
    wide = text.encode("utf-16-le")
    return {"as it is": plain, "as UTF-16": wide, "as hexadecimal": plain.hex().encode(), **shifted}


def forms_of_address(address: str) -> dict[str, bytes]:
    """The encodings in which an address could be stored: whole, or one of its own keys (its gateway's is public)."""
    raw = parse_address(address)
    identity, encryption = address.partition("@")[0].split(".")
    return {
        "as 96 bytes": raw,
        "as base58": address.encode(),
        "as its identity key": raw[:32],
        "as its encryption key": raw[32:64],
        "as its identity in base58": identity.encode(),
        "as its encryption key in base58": encryption.encode(),
        "as hexadecimal": raw[:64].hex().encode(),
    }


def must_be_absent(haystacks: list[Haystack], what: str, forms: dict[str, bytes]) -> None:
    """Raise `CommandFailed` if any form is found."""
    for form, needle in forms.items():
        for haystack in haystacks:
            if needle in haystack.content:
                raise demo_failed(f"the node has {what} {form}, in {haystack.where}")


def must_be_found(haystacks: list[Haystack], what: str, needle: bytes) -> None:
    """Raise `CommandFailed` if it is not found: then the search would prove nothing."""
    if not any(needle in haystack.content for haystack in haystacks):
        raise demo_failed(f"the search does not even find {what}, which the node must have")
