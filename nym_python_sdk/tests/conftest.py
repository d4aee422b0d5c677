"""A Nym network for the whole run, and the settings that make its clients fast."""

from collections.abc import Iterator

import pytest

from nym_python_sdk import ClientConfig
from nym_python_sdk.testing import LocalNetwork


@pytest.fixture(scope="session")
def network() -> Iterator[LocalNetwork]:
    with LocalNetwork(delay_scale=0.05) as network:
        yield network


@pytest.fixture
def config(network: LocalNetwork) -> ClientConfig:
    return network.client_config()
