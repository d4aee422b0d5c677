"""Vectors of files: what a manifest says of the content, and how it is cut into chunks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from tests.vectors.generator.base import Vector, bad, good, hexed, labelled

CHUNK: Final = 30_616
CONTENTS: Final = {
    "one byte": b"x",
    "text": b"usernym\n",
    "a whole chunk": b"c" * CHUNK,
    "a chunk and a byte": b"d" * (CHUNK + 1),
    "three chunks less a byte": b"e" * (3 * CHUNK - 1),
    "the longest": bytes(10 * 1024 * 1024),
}


def vectors() -> Sequence[Vector]:
    """All of them."""
    return [*_whole(), *_not_whole(), *_chunks()]


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(labelled("file", content)).digest()


def _manifest(content: bytes) -> dict[str, object]:
    return {"size": len(content), "digest": _digest(content).hex()}


def _whole() -> list[Vector]:
    return [
        good(
            f"file of {what}",
            "file",
            {"content": hexed(content)},
            _manifest(content) | {"chunks": [min(CHUNK, len(content) - at) for at in range(0, len(content), CHUNK)]},
        )
        for what, content in CONTENTS.items()
    ]


def _not_whole() -> list[Vector]:
    content = CONTENTS["text"]
    offered = _manifest(content)
    return [
        good(f"not whole: {what}", "is_whole", {"content": hexed(given)} | offered, {"whole": given == content})
        for what, given in {
            "it is": content,
            "a byte less": content[:-1],
            "a byte more": content + b"\0",
            "another bit": bytes([content[0] ^ 1]) + content[1:],
        }.items()
    ]


def _chunks() -> list[Vector]:
    size = 2 * CHUNK + 5
    cases = {"first": (0, CHUNK), "second": (1, CHUNK), "last": (2, 5)}
    wrong = {
        "first, a byte less": (0, CHUNK - 1),
        "last, a byte less": (2, 4),
        "last, a byte more": (2, 6),
        "last, as long as the others": (2, CHUNK),
        "behind the last": (3, 1),
        "number 2^32 - 1": (2**32 - 1, 5),
    }
    return [
        *(good(f"chunk: {what}", "chunk", _chunk(size, *case), {}) for what, case in cases.items()),
        *(bad(f"chunk: {what}", "chunk", _chunk(size, *case), "MALFORMED") for what, case in wrong.items()),
    ]


def _chunk(size: int, number: int, length: int) -> dict[str, object]:
    return {"size": size, "number": number, "content": hexed(bytes(length))}
