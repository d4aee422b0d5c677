"""Bytes that are almost right: the test vectors, altered. And how long to continue with them.

In `make test` each fuzzer runs so many examples as it names; with FUZZ_MINUTES in the environment (`make fuzz`) all of
them together run so long. A failure prints the FUZZ_SEED that brings it back, and Hypothesis the smallest example.
"""

from __future__ import annotations

import os
import random
import re
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import hypothesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.helpers.examples import scaled
from tests.helpers.vector_runs import load

_HEX: Final = re.compile(r"(?:[0-9a-f]{2})+")
SEED_BYTES_MAX: Final = 4_096
"""Vectors longer than this are altered in their beginning only."""


# -- what to begin with -----------------------------------------------------------------------------------------------


def _strings(value: Any) -> Iterable[str]:
    match value:
        case str():
            yield value
        case dict():
            for each in value.values():
                yield from _strings(each)
        case list():
            for each in value:
                yield from _strings(each)


@cache
def pool() -> tuple[bytes, ...]:
    """All byte strings in the vectors, good and bad."""
    found = {text for good in (True, False) for vector in load(good) for text in _strings(vector.given)}
    return tuple(sorted({bytes.fromhex(text) for text in found if len(text) >= 4 and _HEX.fullmatch(text)}))


@cache
def texts() -> tuple[str, ...]:
    """All strings in the vectors that are not hex."""
    found = {text for good in (True, False) for vector in load(good) for text in _strings(vector.given)}
    return tuple(sorted(text for text in found if text and not _HEX.fullmatch(text)))


def seeds_for(accepts: Callable[[bytes], object], errors: type[BaseException] | tuple[type[BaseException], ...]) -> list[bytes]:  # fmt: skip  # noqa: E501
    """The byte strings of the vectors that a decoder takes; it must take some, or it is fuzzed with noise."""
    taken = []
    for data in pool():
        try:
            accepts(data)
        except errors:
            continue
        taken.append(data)
    assert taken, "no vector is taken by this decoder"
    return taken


# -- altering ---------------------------------------------------------------------------------------------------------

_INTERESTING: Final = (
    0x00,
    0x01,
    0x7F,
    0x80,
    0x8F,
    0x90,
    0x9F,
    0xA0,
    0xC0,
    0xC1,
    0xC4,
    0xC6,
    0xCC,
    0xCF,
    0xD9,
    0xDD,
    0xFF,
)
"""Bytes at which MessagePack changes its mind."""


@dataclass(frozen=True)
class Change:
    """One alteration, at a place given as a share of the length."""

    how: str
    at: float
    value: int
    size: int

    def apply(self, data: bytes, other: bytes) -> bytes:
        """The altered bytes; `other` is another seed, to take parts from."""
        place = int(self.at * len(data))
        end = place + self.size
        match self.how:
            case "flip":
                return data[:place] + bytes(byte ^ (1 << self.value % 8) for byte in data[place : place + 1]) + data[place + 1 :]  # fmt: skip  # noqa: E501
            case "set":
                return data[:place] + bytes((_INTERESTING[self.value % len(_INTERESTING)],)) + data[place + 1 :]
            case "insert":
                return data[:place] + bytes((self.value,)) * self.size + data[place:]
            case "delete":
                return data[:place] + data[end:]
            case "repeat":
                return data[:end] + data[place:end] * 2 + data[end:]
            case "cut":
                return data[:place]
            case "splice":
                return data[:place] + other[int(self.at * len(other)) :]
            case _:
                return data[:place] + (self.value << 24 | self.size).to_bytes(4, "big") + data[place + 4 :]


_CHANGES: Final = st.builds(
    Change,
    st.sampled_from(("flip", "set", "insert", "delete", "repeat", "cut", "splice", "length")),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 255),
    st.integers(1, 40),
)


def altered(seeds: Iterable[bytes]) -> st.SearchStrategy[bytes]:
    """A seed after up to five alterations; now and then one as it is, or bytes of no origin."""
    chosen = st.sampled_from([seed[:SEED_BYTES_MAX] for seed in seeds])

    def apply(seed: bytes, other: bytes, changes: list[Change]) -> bytes:
        for change in changes:
            seed = change.apply(seed, other)
        return seed

    return st.builds(apply, chosen, chosen, st.lists(_CHANGES, max_size=5)) | st.binary(max_size=200)


def altered_text(seeds: Iterable[str]) -> st.SearchStrategy[str]:
    """As `altered`, for texts: whatever is no UTF-8 after it is replaced."""
    return altered([seed.encode() for seed in seeds]).map(lambda data: data.decode(errors="replace")) | st.text()


# -- running ----------------------------------------------------------------------------------------------------------


class Fuzzer:
    """Runs a body on examples: once in `make test`, for `share_s` seconds in `make fuzz`."""

    def __init__(self, name: str, share_s: float | None) -> None:
        self._name = name
        self._share_s = share_s
        self.examples = 0

    def __call__(self, strategy: st.SearchStrategy[Any], body: Callable[[Any], None], examples: int = 300) -> None:
        """Call `body` with examples of `strategy`; it raises for what must not be."""
        seed = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(2**32))
        end = time.monotonic() + (self._share_s or 0.0)

        def counted(example: Any) -> None:
            self.examples += 1
            body(example)

        while True:
            test = hypothesis.given(strategy)(counted)
            test = settings(
                max_examples=scaled(examples), deadline=None, database=None, suppress_health_check=list(HealthCheck)
            )(test)
            try:
                hypothesis.seed(seed)(test)()
            except BaseException:
                sys.stdout.write(f"\nagain: FUZZ_SEED={seed} pytest {self._name}\n")
                raise
            seed += 1
            if time.monotonic() >= end:
                return
