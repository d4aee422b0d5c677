"""The examples of the pages run as they stand: the first one on a local network in mainnet's place."""

import re
from pathlib import Path
from typing import Any

import pytest

import nym_python_sdk
from nym_python_sdk import BlockingMixnetClient, ClientConfig
from nym_python_sdk.testing import LocalNetwork

ROOT = Path(__file__).parents[1]


def blocks(page: str) -> list[str]:
    found: list[str] = re.findall(r"```python\n(.+?)```", (ROOT / page).read_text(), re.DOTALL)
    return found


def test_the_first_example(
    config: ClientConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Here(nym_python_sdk.MixnetClient):
        def __init__(self) -> None:
            super().__init__(config)

    monkeypatch.setattr(nym_python_sdk, "MixnetClient", Here)
    exec(blocks("README.md")[0], {"__name__": "__main__"})
    address, came, answered = capsys.readouterr().out.splitlines()
    assert address.startswith("my address is ")
    assert (came, answered) == ("b'hello, me'", "b'over a single-use reply block'")


@pytest.mark.parametrize(("page", "number"), [("README.md", 1), ("docs/local-network.md", 0)])
def test_the_network_examples(page: str, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    exec(blocks(page)[number], {"__name__": "__main__"})
    assert capsys.readouterr().out.splitlines()[0] == "b'hello'"


def test_the_fixtures_example(nym_local_network: LocalNetwork) -> None:
    names: dict[str, Any] = {"BlockingMixnetClient": BlockingMixnetClient}
    exec(blocks("docs/local-network.md")[1], names)
    names["test_it"](nym_local_network)
