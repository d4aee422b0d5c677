from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.postgres import ON_POSTGRES
from usernym.storage.client.store import ClientStore
from usernym.storage.keyfile import Argon2Cost
from usernym.storage.node.store import NodeStore

CHEAP = Argon2Cost(memory_kib=64, passes=1)


@pytest.fixture
def cost() -> Argon2Cost:
    """Argon2 in a fraction of a millisecond."""
    return CHEAP


@pytest.fixture(params=["sqlite", ON_POSTGRES])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NodeStore]:
    """A node's store, on each engine."""
    if request.param == "sqlite":
        store = NodeStore.open(tmp_path / "node.db", synchronous="OFF")
    else:
        store = NodeStore.connect(request.getfixturevalue("postgres").new_database())
    yield store
    store.close()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[ClientStore]:
    store = ClientStore.open(tmp_path / "home", "correct horse", cost=CHEAP, synchronous="OFF")
    yield store
    store.close()


Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts Python processes that run a text with arguments; whatever still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()
