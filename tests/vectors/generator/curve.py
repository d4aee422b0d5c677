"""Arithmetic on Ed25519's curve, as RFC 8032 defines it; slow, and for vectors only."""

from __future__ import annotations

from typing import Final

from tests.vectors.generator.base import PRIME

Point = tuple[int, int]

_D: Final = -121665 * pow(121666, -1, PRIME) % PRIME
_BASE_Y: Final = 4 * pow(5, -1, PRIME) % PRIME


def added(one: Point, other: Point) -> Point:
    """The sum of two points."""
    return _affine(_sum(_extended(one), _extended(other)))


def times(number: int, point: Point) -> Point:
    """A point, so many times."""
    found, power = _extended((0, 1)), _extended(point)
    while number:
        if number & 1:
            found = _sum(found, power)
        number, power = number >> 1, _sum(power, power)
    return _affine(found)


def _extended(point: Point) -> tuple[int, int, int, int]:
    """X, Y, Z, T of RFC 8032, section 5.1.4: so that a sum needs no inverse."""
    x, y = point
    return x, y, 1, x * y % PRIME


def _affine(point: tuple[int, int, int, int]) -> Point:
    x, y, z, _ = point
    inverse = pow(z, -1, PRIME)
    return x * inverse % PRIME, y * inverse % PRIME


def _sum(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    (x, y, z, t), (u, v, w, s) = one, other
    a, b, c, d = (y - x) * (v - u) % PRIME, (y + x) * (v + u) % PRIME, 2 * t * s * _D % PRIME, 2 * z * w % PRIME
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % PRIME, g * h % PRIME, f * g % PRIME, e * h % PRIME


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
