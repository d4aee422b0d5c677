"""Reads the QR codes that are drawn here (ISO/IEC 18004, byte mode, error level M, versions 2 to 6), from their pixels.

Written from the standard and sharing nothing with the library that draws: what a scanner would read, but for damage,
which it does not correct.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Matrix = list[list[bool]]
"""Rows of modules without the quiet zone; True is dark."""

_BLOCKS = {2: (1, 28), 3: (1, 44), 4: (2, 32), 5: (2, 43), 6: (4, 27)}
"""By version, at level M: blocks, and data codewords in each (table 9)."""
_MASKS: tuple[Callable[[int, int], int], ...] = (
    lambda row, column: (row + column) % 2,
    lambda row, _column: row % 2,
    lambda _row, column: column % 3,
    lambda row, column: (row + column) % 3,
    lambda row, column: (row // 2 + column // 3) % 2,
    lambda row, column: row * column % 2 + row * column % 3,
    lambda row, column: (row * column % 2 + row * column % 3) % 2,
    lambda row, column: ((row + column) % 2 + row * column % 3) % 2,
)
_FORMAT_MASK = 0b10101
_LEVEL_M = 0b00
_BYTE_MODE = 0b0100


def from_rows(rows: list[str]) -> Matrix:
    """The modules of a code that is written as rows of "0" and "1"."""
    return [[module == "1" for module in row] for row in rows]


def from_terminal(text: str) -> Matrix:
    """The modules of a code of half blocks, in white on black."""
    dark: Matrix = []
    for line in text.splitlines():
        found = re.fullmatch("\x1b\\[97;40m([ ▀▄█]+)\x1b\\[0m", line)
        assert found is not None, f"not a line of white on black: {line!r}"
        dark.append([block not in "▀█" for block in found[1]])
        dark.append([block not in "▄█" for block in found[1]])
    return _without_border(dark[: len(dark[0])])


def _without_border(dark: Matrix, border: int = 4) -> Matrix:
    inner = [row[border:-border] for row in dark[border:-border]]
    assert sum(map(sum, dark)) == sum(map(sum, inner)), "the quiet zone is not quiet"
    return inner


def read(dark: Matrix) -> str:
    """The text of a code."""
    version = (len(dark) - 17) // 4
    bits = [dark[8][column] for column in (0, 1, 2, 3, 4)]
    head = int("".join(str(int(bit)) for bit in bits), 2) ^ _FORMAT_MASK
    assert head >> 3 == _LEVEL_M, "another level of error correction"
    mask = _MASKS[head & 7]
    stream = [dark[row][column] ^ (mask(row, column) == 0) for row, column in _data_modules(len(dark))]
    codewords = [int("".join(str(int(bit)) for bit in stream[at : at + 8]), 2) for at in range(0, len(stream) - 7, 8)]
    blocks, size = _BLOCKS[version]
    data = bytes(codewords[at * blocks + block] for block in range(blocks) for at in range(size))
    number = int.from_bytes(data, "big")
    total = 8 * len(data)

    def take(at: int, count: int) -> int:
        return number >> (total - at - count) & ((1 << count) - 1)

    assert take(0, 4) == _BYTE_MODE, "another mode"
    return bytes(take(12 + 8 * at, 8) for at in range(take(4, 8))).decode()


def _data_modules(size: int) -> Iterator[tuple[int, int]]:
    """Where the bits of the codewords stand, in their order (section 7.7.3)."""
    upward = True
    for right in (column for column in range(size - 1, 0, -2)):
        # Column 6 is the timing pattern: what is left of it is paired again.
        pair = right if right > 6 else right - 1
        rows = range(size - 1, -1, -1) if upward else range(size)
        for row in rows:
            for column in (pair, pair - 1):
                if not _is_function(row, column, size):
                    yield row, column
        upward = not upward


def _is_function(row: int, column: int, size: int) -> bool:
    finder = (row < 9 and column < 9) or (row < 9 and column >= size - 8) or (row >= size - 8 and column < 9)
    alignment = abs(row - (size - 7)) <= 2 and abs(column - (size - 7)) <= 2
    return finder or alignment or row == 6 or column == 6
