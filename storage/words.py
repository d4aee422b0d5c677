"""Words for people and programs, each with the number that stands for it in the database.

A released number keeps its meaning.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self


class StoredWord(StrEnum):
    """A word that people and programs are shown, with its number in the database: `NODE = "node", 1`."""

    number: int

    def __new__(cls, word: str, number: int | None = None) -> Self:
        """A member, remembered by its number too. `Route("node")` finds a member by its word, and needs no number."""
        assert number is not None, "a member needs a number"
        member = str.__new__(cls, word)
        member._value_ = word
        member.number = number
        _BY_NUMBER[cls, number] = member
        return member

    @classmethod
    def of_number(cls, number: int) -> Self:
        word: Self = _BY_NUMBER[cls, number]
        return word


_BY_NUMBER: dict[tuple[type[StoredWord], int], Any] = {}
