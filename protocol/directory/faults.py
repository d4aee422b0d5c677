"""What can be wrong with a directory's log, its heads and its proofs: sentences for a person."""

from __future__ import annotations


class DirectoryInvalid(Exception):
    """A log, a head or a proof that does not hold. Nothing was taken from it."""


class LogForked(DirectoryInvalid):
    """Two heads that the node signed, of which neither log continues the other: it shows different histories."""

    def __init__(self, text: str, first: bytes, second: bytes) -> None:
        super().__init__(text)
        self.first = first
        self.second = second
