"""What a node on a real Nym network can link of the lookups of a user who is logged in: nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.helpers.local_nym import local_network
from usernym import Client, InDirectory, Node
from usernym.actors.directory import node as directory
from usernym.actors.mixnet_io import blur
from usernym.mixnet.nym_sdk import NymSdkTransport, installed
from usernym.mixnet.transport import Incoming, TransportEvent
from usernym.protocol import messages as m
from usernym.protocol.codec import decode
from usernym.protocol.limits import SURBS_GIVEN_MAX

pytestmark = [
    pytest.mark.nym,
    pytest.mark.seconds,
    pytest.mark.skipif(not installed(), reason="needs nym_python_sdk: `make nym`"),
]

LOOKUPS: Final = int(os.environ.get("LOOKUPS", "200"))
"""How many; docs/testing.md says what came of more."""
WAIT_S: Final = 60.0


@pytest.fixture
def network() -> Iterator[Any]:
    network = local_network()
    yield network
    network.close()


class Curious(NymSdkTransport):
    """A node's transport that notes under which tag each request comes."""

    def __init__(self, config: Any) -> None:
        super().__init__(None, config)
        self.came: list[tuple[type[Any], bytes | None]] = []

    def open(self, on_event: Callable[[TransportEvent], None]) -> None:
        """See `Transport`."""

        def handle(event: TransportEvent) -> None:
            if isinstance(event, Incoming):
                self.came.append((type(decode(event.data).message), event.sender_tag))
            on_event(event)

        super().open(handle)

    def senders(self) -> int:
        """Sender tags that its mixnet client remembers."""
        assert self._client is not None
        return self._client.senders_held()


def test_of_many_lookups_the_node_links_none(network: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "EPOCH_S", 0.5)
    monkeypatch.setattr(blur, "ANONYMOUS_BLUR_S", 0.0)  # times are not what this is about
    at_node = Curious(network.client_config(fresh_tag_kept=2.0))
    with Node.open(tmp_path / "node", mixnet=at_node) as node:
        card = node.card(timeout=WAIT_S)
        alice_at, bob_at = (NymSdkTransport(None, network.client_config()) for _ in range(2))
        with (
            Client.open(tmp_path / "bob", name="bob", node=card, mixnet=bob_at, unprotected=True) as bob,
            Client.open(tmp_path / "alice", name="alice", node=card, mixnet=alice_at, unprotected=True) as alice,
        ):
            for person in (bob, alice):
                person.register(timeout=WAIT_S)
            alice.go_online(timeout=WAIT_S)
            ends = time.monotonic() + WAIT_S
            while alice.look_up("bob", timeout=WAIT_S).directory is not InDirectory.SHOWN:
                assert time.monotonic() < ends, "no epoch"
                time.sleep(0.1)
            before, most_held = len(at_node.came), 0
            for _ in range(LOOKUPS):
                alice.look_up("bob", timeout=WAIT_S)
                most_held = max(most_held, at_node.senders())
            looked = [tag for kind, tag in at_node.came[before:] if kind is m.Lookup]
            assert len(looked) >= LOOKUPS
            assert len(set(looked)) == len(looked)
            assert None not in looked
            usual = {tag for kind, tag in at_node.came if kind not in (m.Lookup, m.History)}
            assert not usual & set(looked)
            assert (alice_at.surbs_out() or 0) <= SURBS_GIVEN_MAX // 2
            ends = time.monotonic() + WAIT_S
            while at_node.senders() > len(usual):
                assert time.monotonic() < ends, "its mixnet client forgets them"
                time.sleep(0.1)
