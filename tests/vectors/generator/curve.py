"""Arithmetic on Ed25519's curve, as RFC 8032 defines it; slow, and for vectors only."""

from __future__ import annotations

from typing import Final

from tests.vectors.generator.base import PRIME

Point = tuple[int, int]

_D: Final = -121665 * pow(121666, -1, PRIME) % PRIME
_BASE_Y: Final = 4 * pow(5, -1, PRIME) % PRIME


def added(one: Point, other: Point) -> Point:
    """The sum of two points."""
    (x, y), (u, v) = one, other
    product = _D * x * u * y * v
    return (
        (x * v + y * u) * pow(1 + product, -1, PRIME) % PRIME,
        (y * v + x * u) * pow(1 - product, -1, PRIME) % PRIME,
    )


def times(number: int, point: Point) -> Point:
    """A point, so many times."""
    found: Point = (0, 1)
    while number:
        if number & 1:
            found = added(found, point)
        number, point = number >> 1, added(point, point)
    return found


def point_of(data: bytes) -> Point:
    """The point with this encoding, if there is one; else something that is not on the curve."""
    y = int.from_bytes(data, "little") & (2**255 - 1)
    square = (y * y - 1) * pow(_D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if x * x % PRIME != square:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    return (PRIME - x if x & 1 != data[31] >> 7 else x, y)


def encoded(point: Point) -> bytes:
    """The point's 32 bytes."""
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


BASE: Final = point_of(_BASE_Y.to_bytes(32, "little"))
