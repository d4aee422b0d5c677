"""The handles for embedding, on threads: a real node and two real clients in one process, with stores on disk."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import usernym
from tests.helpers.handles import QUICK_HOPS
from usernym.cli.account import LoginCommand
from usernym.cli.command import Deadline
from usernym.mixnet.emulator.core import Emulator
from usernym.mixnet.emulator.in_process import InProcessMixnet
from usernym.timers import ThreadTimers

PATIENCE_S = 30.0


@pytest.fixture
def mixnet() -> Iterator[InProcessMixnet]:
    timers = ThreadTimers()
    yield InProcessMixnet(Emulator(random.Random(1), QUICK_HOPS), timers)
    timers.close()


@pytest.fixture
def node(tmp_path: Path, mixnet: InProcessMixnet) -> Iterator[usernym.Node]:
    with usernym.Node.open(tmp_path / "node", mixnet=mixnet.transport()) as node:
        yield node


def client(tmp_path: Path, mixnet: InProcessMixnet, node: usernym.Node, name: str) -> usernym.Client:
    return usernym.Client.open(
        tmp_path / name, name=name, node=node.card(PATIENCE_S), mixnet=mixnet.transport(), unprotected=True
    )


@pytest.mark.seconds
def test_two_clients_on_threads(tmp_path: Path, mixnet: InProcessMixnet, node: usernym.Node) -> None:
    with client(tmp_path, mixnet, node, "alice") as alice, client(tmp_path, mixnet, node, "bob") as bob:
        words = alice.take_recovery_words()
        assert words is not None
        assert len(words.split()) == 12
        assert alice.take_recovery_words() is None, "they are forgotten"
        for user in (alice, bob):
            user.register(PATIENCE_S)
            user.go_online(PATIENCE_S)
        events = bob.subscribe()
        sent = alice.send("bob", "hi", wait="delivered", timeout=PATIENCE_S)
        assert sent.state is usernym.DeliveryState.DELIVERED
        arrived = next(event for event in events if isinstance(event, usernym.MessageArrived))
        assert (arrived.sender, arrived.text) == ("alice", "hi")
        assert [text.text for text in bob.conversation("alice")] == ["hi"]
        assert [(name, text.text) for name, text in bob.unread()] == [("alice", "hi")]
        bob.mark_read(text for _, text in bob.unread())
        assert bob.unread() == []
        assert alice.contact("bob").safety_number == bob.contact("alice").safety_number
        with pytest.raises(usernym.NodeRefused) as refusal:
            alice.look_up("nobody_here", PATIENCE_S)
        assert refusal.value.code is usernym.Code.NO_SUCH_USER
        status = node.status()
        assert (status.accounts, status.mixnet_up) == (2, True)


def test_a_node_without_its_mixnet_client_says_so(mixnet: InProcessMixnet, tmp_path: Path) -> None:
    transport = mixnet.transport()
    told: list[str | None] = []
    with usernym.Node.open(tmp_path / "node", mixnet=transport, on_mixnet=told.append) as node:
        node.card(PATIENCE_S)
        assert (node.status().mixnet_up, node.status().mixnet_problem, told) == (True, "", [])
        mixnet.offline(transport.client)
        assert not node.status().mixnet_up
        assert [node.status().mixnet_problem] == told != [""]
        mixnet.online(transport.client)
        assert (node.status().mixnet_up, node.status().mixnet_problem, told[1:]) == (True, "", [None])


def test_a_closed_client_says_so(tmp_path: Path, mixnet: InProcessMixnet, node: usernym.Node) -> None:
    with client(tmp_path, mixnet, node, "alice") as alice:
        events = alice.subscribe()
    assert list(events) == []
    with pytest.raises(usernym.Closed):
        alice.register()


@pytest.mark.seconds
def test_whoever_waits_for_a_client_that_is_closed_is_told_at_once(tmp_path: Path, mixnet: InProcessMixnet) -> None:
    """They waited out their patience, and kept the process from ending."""
    transport = mixnet.transport()
    with usernym.Node.open(tmp_path / "node", mixnet=transport) as node:
        alice = client(tmp_path, mixnet, node, "alice")
        alice.register(PATIENCE_S)
        mixnet.offline(transport.client)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(alice.go_online, 600.0)
            while not alice.counters()["io"].get("requests_sent", 0):
                time.sleep(0.01)
            alice.close()
            with pytest.raises(usernym.Closed):
                waiting.result(PATIENCE_S)


def test_a_home_is_one_persons_at_one_node(tmp_path: Path, mixnet: InProcessMixnet, node: usernym.Node) -> None:
    with client(tmp_path, mixnet, node, "alice"):
        pass
    with pytest.raises(usernym.SettingsError, match="another name"):
        usernym.Client.open(tmp_path / "alice", name="carol", mixnet=mixnet.transport(), unprotected=True)
    with pytest.raises(usernym.SettingsError, match="needs a name"):
        usernym.Client.open(tmp_path / "new", mixnet=mixnet.transport(), unprotected=True)


@pytest.mark.seconds
def test_the_same_for_asyncio(tmp_path: Path, mixnet: InProcessMixnet, node: usernym.Node) -> None:
    card = node.card(PATIENCE_S)

    async def story() -> list[str]:
        def settings(name: str) -> usernym.ClientOptions:
            return {"name": name, "node": card, "mixnet": mixnet.transport(), "unprotected": True}

        async with (
            usernym.AsyncClient(tmp_path / "alice", **settings("alice")) as alice,
            usernym.AsyncClient(tmp_path / "bob", **settings("bob")) as bob,
        ):
            await asyncio.gather(alice.register(PATIENCE_S), bob.register(PATIENCE_S))
            await asyncio.gather(alice.go_online(PATIENCE_S), bob.go_online(PATIENCE_S))
            events = bob.subscribe()
            await alice.send("bob", "from a coroutine", timeout=PATIENCE_S)
            async for event in events:
                if isinstance(event, usernym.MessageArrived):
                    return [event.text, *[view.text for view in await bob.conversation("alice")]]
        return []

    assert asyncio.run(story()) == ["from a coroutine", "from a coroutine"]


@pytest.mark.seconds
def test_a_node_keeps_its_identity_and_its_users(tmp_path: Path, mixnet: InProcessMixnet) -> None:
    transport = mixnet.transport()
    address = transport.address
    with usernym.Node.open(tmp_path / "node", mixnet=transport) as node:
        card = node.card(PATIENCE_S)
        with client(tmp_path, mixnet, node, "alice") as alice:
            alice.register(PATIENCE_S)
    with usernym.Node.open(tmp_path / "node", mixnet=mixnet.transport(address)) as node:
        assert node.card(PATIENCE_S) == card
        with client(tmp_path, mixnet, node, "bob") as bob:
            assert bob.look_up("alice", PATIENCE_S).trust == "confirmed by the node"


@pytest.mark.seconds
def test_a_node_moves_and_its_clients_go_with_it(tmp_path: Path, mixnet: InProcessMixnet) -> None:
    """As an operator does it: the same home at a new mixnet client, the old one beside it for a while."""
    old, new = mixnet.transport(), mixnet.transport()
    with usernym.Node.open(tmp_path / "node", mixnet=old) as node:
        first = node.card(PATIENCE_S)
        alice, bob = client(tmp_path, mixnet, node, "alice"), client(tmp_path, mixnet, node, "bob")
        for user in (alice, bob):
            user.register(PATIENCE_S)
            user.go_online(PATIENCE_S)
        alice.send("bob", "before", wait="delivered", timeout=PATIENCE_S)
    with alice:
        bob.close()
        former = mixnet.transport(old.address)
        with usernym.Node.open(tmp_path / "node", mixnet=new, former_mixnets=[former]) as node:
            card = node.card(PATIENCE_S)
            assert card != first
            alice.send("bob", "while it moves", timeout=PATIENCE_S)
            assert alice.take_card(card, PATIENCE_S) is True, "what the node sent serves the login alone"
            assert alice.take_card(card, PATIENCE_S) is False
            LoginCommand(card).perform(alice, Deadline(PATIENCE_S))
            with pytest.raises(usernym.RemoteProtocolError):
                alice.take_card(other_nodes_card(tmp_path, mixnet), PATIENCE_S)
        with usernym.Node.open(tmp_path / "node", mixnet=mixnet.transport(new.address)) as node:
            assert node.card(PATIENCE_S) == card
            with usernym.Client.open(tmp_path / "bob", node=card, mixnet=mixnet.transport(), unprotected=True) as bob:
                events = bob.subscribe()
                bob.go_online(PATIENCE_S)
                arrived = next(event for event in events if isinstance(event, usernym.MessageArrived))
                assert arrived.text == "while it moves"


def other_nodes_card(tmp_path: Path, mixnet: InProcessMixnet) -> str:
    with usernym.Node.open(tmp_path / "other", mixnet=mixnet.transport()) as other:
        return other.card(PATIENCE_S)
