"""A Nym network for the whole run, and the settings that make its clients fast."""

import signal
from collections.abc import Iterator

import pytest

from nym_python_sdk import ClientConfig
from nym_python_sdk.testing import LocalNetwork

# A shell starts background jobs with SIGINT ignored, and the processes of the tests inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def network() -> Iterator[LocalNetwork]:
    with LocalNetwork(delay_scale=0.05) as network:
        yield network


@pytest.fixture
def config(network: LocalNetwork) -> ClientConfig:
    return network.client_config()
