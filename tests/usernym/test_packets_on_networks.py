"""What operations cost in Sphinx packets is the same on every network, counted where clients hand packets in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.helpers.mixnet_members import Network
from tests.helpers.mixnet_networks import NETWORKS, network_parameters
from tests.helpers.postgres import PostgresServer, needs_postgres
from usernym import Client, Node

pytestmark = pytest.mark.seconds

WAIT_S: Final = 60.0
REST_S: Final = 1.5
"""Acknowledgements and receipts are gathered for less than this."""

NAMES: Final = ("alice", "bob", "node")


@pytest.fixture(params=network_parameters())
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    network = NETWORKS[request.param]()
    if hasattr(network, "traffic"):
        network.traffic = "no-cover"  # a busy machine must not make packets count as lost
    yield network
    network.close()


class Counted:
    """What each has sent since the last look, once all is at rest."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._before = self._at_rest()

    def _now(self) -> tuple[int, ...]:
        return tuple(self._network.packets(self._network.address_of(name)) for name in NAMES)

    def _at_rest(self) -> tuple[int, ...]:
        while True:
            seen = self._now()
            time.sleep(REST_S)
            if self._now() == seen:
                return seen

    def since(self) -> dict[str, int]:
        """Packets of each who sent any."""
        before, self._before = self._before, self._at_rest()
        moved = (now - then for now, then in zip(self._before, before, strict=True))
        return {name: count for name, count in zip(NAMES, moved, strict=True) if count}


def test_operations_cost_the_same_packets_on_every_network(network: Network, tmp_path: Path) -> None:
    count_packets(network, tmp_path, None)


@needs_postgres
@pytest.mark.parametrize("network", ["emulator in process"], indirect=True)
def test_and_with_the_node_on_postgresql(network: Network, tmp_path: Path, postgres: PostgresServer) -> None:
    count_packets(network, tmp_path, postgres.new_database())


def count_packets(network: Network, tmp_path: Path, store: str | None) -> None:
    with Node.open(tmp_path / "node", mixnet=network.transport("node"), store=store) as node:
        card = node.card(timeout=WAIT_S)
        people = {}
        for name in ("alice", "bob"):
            mixnet = network.transport(name)
            people[name] = Client.open(tmp_path / name, name=name, node=card, mixnet=mixnet, unprotected=True)
            people[name].register(timeout=WAIT_S)
            people[name].go_online(timeout=WAIT_S)
        alice, bob = people["alice"], people["bob"]
        counted = Counted(network)
        try:
            alice.look_up("bob", timeout=WAIT_S)
            assert counted.since() == {"alice": 1, "node": 1}, "a lookup and its answer"
            alice.send("bob", "x" * 100, wait="delivered", timeout=WAIT_S)
            first = {"alice": 1, "bob": 2, "node": 4}
            assert counted.since() == first, "a text as below; and its recipient looks the sender up"
            alice.send("bob", "y" * 140, wait="delivered", timeout=WAIT_S)
            assert counted.since() == {"alice": 1, "bob": 1, "node": 3}, "one up, one on, one back; accepted, delivered"
            bob.send("alice", "z" * 140, wait="delivered", timeout=WAIT_S)
            assert counted.since() == {"alice": 1, "bob": 1, "node": 3}
            alice.send("bob", "w" * 3000, wait="delivered", timeout=WAIT_S)
            assert counted.since() == {"alice": 3, "bob": 1, "node": 5}, "three packets up and three on"
        finally:
            for person in people.values():
                person.close()
