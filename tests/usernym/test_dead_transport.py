"""A transport that ends for good ends its program, with an error that says why; one bug alone does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import usernym
from tests.helpers.handles import Handles
from tests.helpers.mixnet_networks import ServerNetwork
from usernym.mixnet import nym_client
from usernym.mixnet.transport import Transport, TransportDown, TransportEvent

REASON = "the mixnet client failed by a bug again and again"


class MortalTransport:
    """A transport that can end for good."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.send, self.reply, self.renew, self.close = inner.send, inner.reply, inner.renew, inner.close
        self.surb_bytes = inner.surb_bytes
        self.surbs_out, self.fresh_tags = inner.surbs_out, inner.fresh_tags

    def open(self, on_event: Callable[[TransportEvent], None]) -> None:
        self._on_event = on_event
        self._inner.open(on_event)

    def die(self) -> None:
        self._on_event(TransportDown(REASON, final=True))


@pytest.fixture
def handles(tmp_path: Path) -> Iterator[Handles]:
    handles = Handles(tmp_path)
    yield handles
    handles.close()


def test_a_node_whose_transport_is_dead_ends_with_its_reason(handles: Handles, tmp_path: Path) -> None:
    transport = MortalTransport(handles.mixnet.transport())
    with usernym.Node.open(tmp_path / "another node", mixnet=transport) as node:
        node.card(30)
        transport.die()
        with pytest.raises(usernym.GraphFailed, match=REASON):
            node.wait()


@pytest.mark.seconds
def test_a_client_whose_transport_is_dead_says_so_to_every_call(handles: Handles) -> None:
    transport = MortalTransport(handles.mixnet.transport())
    alice = handles.client("alice", mixnet=transport)
    transport.die()

    def fails() -> bool:
        try:
            alice.go_online(30)
        except usernym.GraphFailed as error:
            return REASON in str(error)
        return False

    handles.wait_for(fails)


@pytest.mark.seconds
def test_who_waits_for_an_answer_hears_at_once_that_none_comes(handles: Handles) -> None:
    transport = MortalTransport(handles.mixnet.transport())
    alice = handles.client("alice", mixnet=transport, online=False)
    handles.node.close()
    threading.Timer(0.5, transport.die).start()
    began = time.monotonic()
    with pytest.raises(usernym.GraphFailed, match=REASON):
        alice.register(60)
    assert time.monotonic() - began < 20


def _failing(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let so many links to nym-client's websocket fail by a bug when they wait for a message."""
    receive, left = nym_client._NymClientLink.receive, [times]

    async def fails(self: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise ValueError("a bug")
        return await receive(self)

    monkeypatch.setattr(nym_client._NymClientLink, "receive", fails)


@pytest.mark.seconds
def test_over_a_websocket_a_bug_that_comes_back_ends_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = ServerNetwork()
    try:
        _failing(monkeypatch, 1_000)
        with (
            usernym.Node.open(tmp_path / "node", mixnet=network.transport("node")) as node,
            pytest.raises(usernym.GraphFailed, match="bug"),
        ):
            node.wait()
    finally:
        network.close()


@pytest.mark.seconds
def test_over_a_websocket_one_bug_costs_one_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = ServerNetwork()
    try:
        _failing(monkeypatch, 1)
        with usernym.Node.open(tmp_path / "node", mixnet=network.transport("node")) as node:
            card = node.card(30)
            mixnet = network.transport("alice")
            with usernym.Client.open(
                tmp_path / "alice", name="alice", node=card, mixnet=mixnet, unprotected=True
            ) as alice:
                alice.register(60)
                alice.go_online(60)
    finally:
        network.close()
