"""The whole story, with a node and people in this process, over every mixnet: and through what goes wrong on them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.helpers.fast_clock import speed_up
from tests.helpers.mixnet_members import Network
from tests.helpers.mixnet_networks import NETWORKS, network_parameters
from tests.helpers.postgres import PostgresServer, needs_postgres
from usernym import Client, DeliveryState, HandshakeState, Node, NodeRefused, Route
from usernym.mixnet import nym_client
from usernym.protocol.errors import Code

pytestmark = pytest.mark.seconds

WAIT_S: Final = 150.0
"""No step takes this long, on any network, whatever happens there: a route that died is found at a heartbeat."""


class Story:
    """A node and its people on one network."""

    def __init__(self, network: Network, folder: Path, store: str | None = None) -> None:
        self.network = network
        self.folder = folder
        self.node = Node.open(folder / "node", mixnet=network.transport("node"), store=store)
        self.card = self.node.card(timeout=60.0)
        self.people: dict[str, Client] = {}

    def come(self, name: str) -> Client:
        """Someone starts their client, and registers the first time."""
        first = not (self.folder / name).exists()
        client = Client.open(
            self.folder / name,
            name=name if first else None,
            node=self.card if first else None,
            mixnet=self.network.transport(name),
            unprotected=first,
        )
        self.people[name] = client
        if first:
            client.register(timeout=WAIT_S)
        client.go_online(timeout=WAIT_S)
        return client

    def go(self, name: str) -> None:
        """They leave."""
        self.people.pop(name).close()

    def write(self, sender: str, recipient: str, text: str, route: Route = Route.NODE) -> None:
        """One writes and the other reads it, once; and the writer learns that."""
        sent = self.people[sender].send(recipient, text, wait="delivered", timeout=WAIT_S)
        assert (sent.state, sent.route) == (DeliveryState.DELIVERED, route)
        assert self.texts(recipient, sender).count(text) == 1

    def texts(self, reader: str, other: str) -> list[str]:
        """What came from the other."""
        return [each.text for each in self.people[reader].conversation(other, 1000) if not each.outgoing]

    def until(self, check: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + WAIT_S
        while not check():
            assert time.monotonic() < end, f"not within {WAIT_S:g} s: {what}"
            time.sleep(0.05)

    def shake_hands(self, one: str, other: str) -> None:
        """They show each other their addresses."""
        self.people[one].offer_handshake(other)
        self.until(lambda: self.handshake(other, one) == HandshakeState.OFFER_RECEIVED, "the offer")
        self.people[other].accept_handshake(one)
        both = ((one, other), (other, one))
        self.until(lambda: {self.handshake(*pair) for pair in both} == {HandshakeState.ACTIVE}, "the handshake")

    def handshake(self, who: str, whom: str) -> HandshakeState:
        return self.people[who].contact(whom).handshake

    def close(self) -> None:
        for name in list(self.people):
            self.go(name)
        self.node.close()


@pytest.fixture(params=network_parameters())
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    network = NETWORKS[request.param]()
    yield network
    network.close()


@pytest.fixture
def story(network: Network, tmp_path: Path) -> Iterator[Story]:
    story = Story(network, tmp_path)
    yield story
    story.close()


def play(story: Story) -> None:
    """Register, refuse, look up, write both ways, write to someone away, shake hands, write directly, and back."""
    alice, bob = story.come("alice"), story.come("bob")
    thief = Client.open(
        story.folder / "thief", name="bob", node=story.card, mixnet=story.network.transport("thief"), unprotected=True
    )
    with contextlib.closing(thief), pytest.raises(NodeRefused) as refused:
        thief.register(timeout=WAIT_S)
    assert refused.value.code == Code.NAME_TAKEN
    with pytest.raises(NodeRefused) as unknown:
        alice.look_up("nobody", timeout=WAIT_S)
    assert unknown.value.code == Code.NO_SUCH_USER
    found = alice.look_up("bob", timeout=WAIT_S)
    assert found.identity_key == bob.whoami().identity_key
    story.write("alice", "bob", "hello")
    story.write("bob", "alice", "and to you")
    story.write("alice", "bob", "long " * 4000)
    assert alice.contact("bob").safety_number == bob.contact("alice").safety_number

    story.go("bob")
    waiting = [alice.send("bob", f"while you were away {number}", timeout=WAIT_S) for number in range(5)]
    assert {sent.state for sent in waiting} == {DeliveryState.ACCEPTED}
    bob = story.come("bob")
    story.until(lambda: len(story.texts("bob", "alice")) == 7, "what waited")
    assert sorted(story.texts("bob", "alice"))[-5:] == [f"while you were away {number}" for number in range(5)]

    story.shake_hands("alice", "bob")
    story.write("alice", "bob", "between us", Route.DIRECT)
    story.write("bob", "alice", "yes", Route.DIRECT)
    bob.revoke_handshake("alice")
    story.until(lambda: story.handshake("alice", "bob") == HandshakeState.ENDED_BY_PEER, "the end")
    story.write("alice", "bob", "through the node again")


def test_the_story(story: Story) -> None:
    play(story)


@needs_postgres
@pytest.mark.parametrize("network", ["emulator in process"], indirect=True)
def test_the_story_with_the_node_on_postgresql(network: Network, tmp_path: Path, postgres: PostgresServer) -> None:
    story = Story(network, tmp_path, postgres.new_database())
    with contextlib.closing(story):
        play(story)
        assert story.node.status().store_bytes > 0


def test_the_story_at_five_percent_loss_a_hop(story: Story) -> None:
    story.network.set_loss(0.05)
    play(story)


@pytest.fixture
def fast_story(network: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Story]:
    """Routes that die are found at a heartbeat, which is a minute: not of real time."""
    speed_up(monkeypatch, network.speed_up)
    story = Story(network, tmp_path)
    yield story
    story.close()


def test_a_key_rotation_kills_the_surbs_and_the_routes_heal(fast_story: Story) -> None:
    story = fast_story
    story.come("alice")
    story.come("bob")
    story.write("alice", "bob", "before")
    story.network.rotate_keys()
    story.write("alice", "bob", "after")
    story.write("bob", "alice", "and back")


def test_a_connection_lost_in_silence_is_found_by_a_client_that_only_listens(
    fast_story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = fast_story
    monkeypatch.setattr(nym_client, "SILENCE_S", 2.0)
    story.come("alice")
    bob = story.come("bob")
    story.write("alice", "bob", "before")
    story.network.cut(story.network.address_of("bob"))
    story.write("alice", "bob", "after")
    assert bob.contact("alice").state == "accepted"
    story.network.cut(story.network.address_of("node"))
    story.write("bob", "alice", "the node's, too")


@pytest.mark.parametrize("away_s", [5.0, pytest.param(120.0, marks=(pytest.mark.slow, pytest.mark.timeout(600)))])
def test_gateways_go_away_and_come_back(story: Story, away_s: float) -> None:
    alice = story.come("alice")
    story.come("bob")
    story.write("alice", "bob", "before")
    story.network.gateways_down()
    with contextlib.suppress(TimeoutError):
        alice.send("bob", "meanwhile", timeout=2.0)
    time.sleep(away_s)
    story.network.gateways_up()
    story.until(lambda: story.texts("bob", "alice") == ["before", "meanwhile"], "what was written meanwhile")
    story.write("bob", "alice", "after")
    story.write("alice", "bob", "and on")
