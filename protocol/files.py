"""Files: how one is cut into chunks, when it is whole, and what to do with the name that its sender gave it.

docs/protocol.md, "Files". Pure functions: both sides of a transfer, and their tests, use the same.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import FILE_NAME_LETTERS_MAX
from usernym.protocol.payloads import CHUNK_BYTES
from usernym.protocol.signing import Context, digest

PLAIN_FILE: Final = 0
PICTURE: Final = 1
"""What its sender says that a file is: a hint. Before anything is shown as a picture it is looked into."""

_UNNAMED: Final = "file"
_FORBIDDEN: Final = frozenset('/\\:*?"<>|')
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
)
"""Names that Windows takes for a device, whatever follows behind a dot."""


def chunks_of(size: int) -> int:
    """How many chunks a file of `size` bytes has."""
    return -(-size // CHUNK_BYTES)


def bytes_of_chunk(size: int, number: int) -> int:
    """How many bytes the chunk of this number has, of a file of `size` bytes; 0 if there is no such chunk."""
    return max(0, min(CHUNK_BYTES, size - number * CHUNK_BYTES))


def cut(content: bytes) -> list[bytes]:
    """A file's chunks, in order."""
    return [content[at : at + CHUNK_BYTES] for at in range(0, len(content), CHUNK_BYTES)]


def check_chunk(size: int, number: int, content: bytes) -> None:
    """Raise `RemoteProtocolError(MALFORMED)` unless a file of `size` bytes can have this chunk."""
    if len(content) != bytes_of_chunk(size, number):
        raise RemoteProtocolError(Code.MALFORMED, "not a chunk of this file")


def digest_of(content: bytes) -> bytes:
    """What a manifest says of the file's bytes: 32 bytes."""
    return digest(Context.FILE, content)


def is_whole(content: bytes, size: int, expected: bytes) -> bool:
    """Whether these are the bytes that the manifest describes. Nothing else of a file may be shown or saved."""
    return len(content) == size and digest_of(content) == expected


def safe_name(name: str) -> str:
    """A name that is one file's in a folder, on any system, whatever the sender wrote: never a path.

    Letters that separate folders, that mean something to a shell or to Windows, that are invisible or change the
    direction of what follows become `_`; what would hide the file or name a device is changed. Never empty, at most
    64 letters and 200 bytes in UTF-8; the ending stays.
    """
    shown = "".join("_" if _is_unsafe(letter) else letter for letter in unicodedata.normalize("NFC", name))
    shown = shown.strip(" .") or _UNNAMED
    if shown.partition(".")[0].strip().lower() in _DEVICES:
        shown = f"_{shown}"
    stem, dot, ending = shown.rpartition(".")
    if not dot or len(ending) > _ENDING_LETTERS_MAX:
        stem, dot, ending = shown, "", ""
    while len(stem) > 1 and (
        len(stem + dot + ending) > FILE_NAME_LETTERS_MAX or len((stem + dot + ending).encode()) > _NAME_BYTES_MAX
    ):
        stem = stem[:-1]
    return stem.rstrip(" .") + dot + ending if stem.rstrip(" .") else _UNNAMED + dot + ending


_ENDING_LETTERS_MAX: Final = 10
_NAME_BYTES_MAX: Final = 200
"""File systems take 255 bytes; a number may be added."""


def _is_unsafe(letter: str) -> bool:
    return letter in _FORBIDDEN or unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def is_name(name: str) -> bool:
    """Whether a file may be offered under this name: 1 to 64 letters that need no change."""
    return 0 < len(name) <= FILE_NAME_LETTERS_MAX and safe_name(name) == name
