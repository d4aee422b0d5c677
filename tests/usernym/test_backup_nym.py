"""A node on a real Nym network, backed up while it runs and restored elsewhere: the same address, the same users."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import usernym
from tests.helpers.local_nym import LocalSdkNetwork
from tests.usernym.conftest import clean_environment
from usernym.mixnet.nym_sdk import NymSdkTransport, installed
from usernym.mixnets import STORAGE_FOLDER
from usernym.protocol.cards import parse_card

pytestmark = [
    pytest.mark.nym,
    pytest.mark.processes,
    pytest.mark.skipif(not installed(), reason="needs nym_python_sdk: `make nym`"),
]

PATIENCE_S = 90.0


@pytest.fixture
def network() -> Iterator[LocalSdkNetwork]:
    network = LocalSdkNetwork()
    yield network
    network.close()


def nym(network: LocalSdkNetwork, home: Path) -> NymSdkTransport:
    """A Nym client with its identity in that home, as with `--mixnet nym`."""
    gateway = network.gateway_of("node" if home.name in ("old", "new") else home.name)
    return NymSdkTransport(home / STORAGE_FOLDER, network.network.client_config(traffic="fast", gateway=gateway))


def come(network: LocalSdkNetwork, home: Path, card: str) -> usernym.Client:
    """Someone registers, or comes again with the card that they had."""
    first = not home.exists()
    options: dict[str, Any] = {"name": home.name, "node": card, "unprotected": True} if first else {}
    client = usernym.Client.open(home, mixnet=nym(network, home), **options)
    if first:
        client.register(PATIENCE_S)
    client.go_online(PATIENCE_S)
    return client


def command(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "usernym.cli", "--json", *arguments],
        env=clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_the_restored_node_has_the_address_and_serves_the_clients_that_it_had(
    tmp_path: Path, network: LocalSdkNetwork
) -> None:
    old, new, copy = tmp_path / "old", tmp_path / "new", str(tmp_path / "copy")
    with usernym.Node.open(old, mixnet=nym(network, old)) as node:
        card = node.card(PATIENCE_S)
        come(network, tmp_path / "bob", card).close()
        with come(network, tmp_path / "alice", card) as alice:
            alice.send("bob", "waits at the node", timeout=PATIENCE_S)
            assert command("--home", str(old), "node", "backup", copy)["holds"] == ["node.db", STORAGE_FOLDER]
    shutil.rmtree(old)
    command("--home", str(new), "node", "restore", copy)
    with usernym.Node.open(new, mixnet=nym(network, new)) as node:
        before, after = parse_card(card), parse_card(node.card(PATIENCE_S))
        assert (after.node, after.addresses) == (before.node, before.addresses)
        with come(network, tmp_path / "bob", card) as bob, come(network, tmp_path / "alice", card) as alice:
            sent = alice.send("bob", "through the restored node", wait="delivered", timeout=PATIENCE_S)
            assert sent.state is usernym.DeliveryState.DELIVERED
            texts = {each.text for each in bob.conversation("alice")}
    assert texts == {"waits at the node", "through the restored node"}
