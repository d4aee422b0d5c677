"""How long each fuzzer runs: its examples, or its part of FUZZ_MINUTES."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from tests.helpers.fuzzing import Fuzzer

_fuzzers = 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    global _fuzzers  # noqa: PLW0603 - pytest's hooks have no other place
    mine = [item for item in items if "fuzz" in getattr(item, "fixturenames", ())]
    _fuzzers = len(mine)
    if "FUZZ_MINUTES" in os.environ:
        for item in mine:
            item.add_marker(pytest.mark.timeout(0))


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Iterator[Fuzzer]:
    minutes = os.environ.get("FUZZ_MINUTES")
    fuzzer = Fuzzer(request.node.nodeid, None if minutes is None else 60 * float(minutes) / _fuzzers)
    yield fuzzer
    assert fuzzer.examples, "nothing was tried"
    if minutes is not None:
        sys.stdout.write(f"{request.node.name}: {fuzzer.examples} examples\n")
