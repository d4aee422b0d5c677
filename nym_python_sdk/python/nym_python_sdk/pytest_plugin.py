"""pytest plugin: the fixture `nym_local_network`, a `LocalNetwork` for each test, and the option ``--nym-seed``."""

import random
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from nym_python_sdk.testing import LocalNetwork

_SEED: pytest.StashKey[int] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--nym-seed``."""
    parser.getgroup("nym").addoption(
        "--nym-seed",
        type=int,
        default=None,
        metavar="N",
        help="seed of the fixture nym_local_network (default: random)",
    )


@pytest.fixture
def nym_local_network(request: pytest.FixtureRequest) -> "Iterator[LocalNetwork]":
    """A running `LocalNetwork` for this test only. Its seed is ``--nym-seed`` or random, and shown when the test fails."""
    # Here, so that runs without this fixture load nothing more.
    from nym_python_sdk.testing import LocalNetwork

    seed = request.config.getoption("--nym-seed")
    if seed is None:
        seed = random.SystemRandom().getrandbits(32)
    request.node.stash[_SEED] = seed
    with LocalNetwork(seed=seed) as network:
        yield network


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Shows the seed of a test that failed."""
    report = yield
    if report.failed and _SEED in item.stash:
        report.sections.append(("Nym network", f"--nym-seed {item.stash[_SEED]} brings its losses back"))
    return report
