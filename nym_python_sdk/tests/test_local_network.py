"""The local network from Python: its life, its faults on real clients, its counters."""

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from nym_python_sdk import BlockingMixnetClient, ClientConfig, ConfigError, MixnetClient, NymError, StorageError
from nym_python_sdk.testing import Counters, LocalNetwork, PacketCount

WAIT = 20.0


@pytest.fixture
def net(nym_local_network: LocalNetwork) -> LocalNetwork:
    return nym_local_network


def until(so: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not so():
        assert time.monotonic() < end
        time.sleep(0.01)


def quiet(network: LocalNetwork) -> Counters:
    """The counters once nothing has moved for a while."""
    last = network.counters()
    while True:
        time.sleep(0.05)
        now = network.counters()
        if now.in_flight == 0 and now.hops == last.hops:
            return now
        last = now


def clients(network: LocalNetwork) -> tuple[BlockingMixnetClient, BlockingMixnetClient]:
    """One at each gateway, answering with any SURB they have."""
    # Some faults leave a client with something that never gets through: its end waits for no more than a second.
    first, second = (
        network.client_config(gateway=gateway, surbs_withheld=0, flush_timeout=1.0) for gateway in network.gateways
    )
    return BlockingMixnetClient(first), BlockingMixnetClient(second)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def tasks() -> int:
    return len(os.listdir("/proc/self/task"))


def test_each_message_costs_what_the_formulas_say(net: LocalNetwork) -> None:
    alice, bob = clients(net)
    with alice, bob:
        bob.send_anonymous(alice.address, b"SURBs", surbs=20)
        tag = alice.receive(WAIT).sender_tag
        assert tag is not None
        for size, surbs in ((1602, None), (1603, None), (661, 2), (662, 2), (1601, "reply"), (1602, "reply")):
            quiet(net)
            net.reset_counters()
            if surbs is None:
                alice.send_plain(bob.address, bytes(size))
                expected = -(-(size + 2) // 1604)
            elif surbs == "reply":
                alice.reply(tag, bytes(size))
                expected = -(-(size + 3) // 1604)
            else:
                assert isinstance(surbs, int)
                alice.send_anonymous(bob.address, bytes(size), surbs=surbs)
                expected = -(-(size + 23 + 460 * surbs) // 1604)
            assert bob.receive(WAIT).data == bytes(size)
            counters = quiet(net)
            count = PacketCount(data=expected, acks=expected)
            assert [counters.received(layer) for layer in range(4)] == [count] * 4
            assert counters.clients[alice.address].injected.data == expected
            assert counters.clients[alice.address].delivered.acks == expected
            assert counters.clients[bob.address].delivered.data == expected


def test_counters_are_frozen_and_found_by_address(net: LocalNetwork) -> None:
    alice, bob = clients(net)
    with alice, bob:
        counters = net.counters()
        assert len(counters.clients) == 2
        identity, gateway = alice.address.partition(".")[0], alice.address.partition("@")[2]
        assert counters.clients[alice.address] is counters.clients[f"{identity}@{gateway}"]
        assert alice.address in counters.clients
        assert set(counters.clients) == {
            f"{client.address.partition('.')[0]}@{client.address.partition('@')[2]}" for client in (alice, bob)
        }
        assert counters.clients[alice.address].connected
        with pytest.raises(KeyError):
            counters.clients[alice.address.replace(gateway, bob.address.partition("@")[2])]
        with pytest.raises(FrozenInstanceError):
            counters.in_flight = 3  # type: ignore[misc]
        assert [hop.name for hop in counters.hops][:3] == ["gateway-1", "gateway-2", "mix-1-1"]
        assert counters.hop("mix-3-2").layer == 3
        with pytest.raises(KeyError):
            counters.hop("mix-4-1")


def test_messages_arrive_through_loss(net: LocalNetwork) -> None:
    net.set_loss(0.1)
    net.set_loss(0.3, hops="layer2", packets="acks")
    alice, bob = clients(net)
    with alice, bob:
        for number in range(30):
            alice.send_plain(bob.address, bytes([number]))
        assert {bob.receive(WAIT).data[0] for _ in range(30)} == set(range(30))
        counters = net.counters()
        assert sum(hop.dropped.all for hop in counters.hops) > 0
        assert counters.clients[alice.address].injected.data > 30


def test_exact_drop_costs_one_packet_more(net: LocalNetwork) -> None:
    alice, bob = clients(net)
    with alice, bob:
        net.drop_next(1, client=alice.address)
        alice.send_plain(bob.address, b"x")
        assert bob.receive(WAIT).data == b"x"
        counters = quiet(net)
        assert net.drops_left == 0
        assert counters.clients[alice.address].injected.data == 2
        assert counters.hop("gateway-1").dropped == PacketCount(data=1, acks=0)
        net.drop_next(3, packets="acks")
        assert net.drops_left == 3
        net.clear_faults()
        assert net.drops_left == 0


def test_delay_is_added_at_one_hop(net: LocalNetwork) -> None:
    alice, bob = clients(net)
    with alice, bob:
        net.set_delay(0.2, jitter=0.05, hops=net.gateways[1], packets="data")
        begin = time.monotonic()
        alice.send_plain(bob.address, b"x")
        bob.receive(WAIT)
        assert time.monotonic() - begin >= 0.2


def test_absent_clients_packets_wait_and_can_be_forgotten(net: LocalNetwork, tmp_path: Path) -> None:
    alice, _ = clients(net)
    config = net.client_config(gateway=net.gateways[1])
    with alice:
        with BlockingMixnetClient(config, storage=tmp_path) as bob:
            address = bob.address
        alice.send_plain(address, b"first")
        assert quiet(net).clients[address].held == 1
        assert net.forget_packets("gateway-2") == 1
        alice.send_plain(address, b"second")
        quiet(net)
        with BlockingMixnetClient(config, storage=tmp_path) as bob:
            assert bob.receive(WAIT).data == b"second"
            with pytest.raises(TimeoutError):
                bob.receive(0.5)
        count = net.counters().clients[address]
        assert (count.stored.data, count.forgotten.data, count.held) == (2, 1, 0)


def test_gateway_goes_and_comes_back(net: LocalNetwork, tmp_path: Path) -> None:
    config = replace(net.client_config(gateway=net.gateways[1]), connect_timeout=10.0)
    with BlockingMixnetClient(config, storage=tmp_path) as bob:
        address = bob.address
    net.stop_gateway(net.gateways[1])
    with pytest.raises(NymError):
        BlockingMixnetClient(config, storage=tmp_path).connect()
    net.start_gateway(net.gateways[1])
    with BlockingMixnetClient(config, storage=tmp_path) as bob:
        assert bob.address == address
        bob.send_plain(address, b"to myself")
        assert bob.receive(WAIT).data == b"to myself"
    net.stop_gateway("gateway-2")
    net.start_gateway("gateway-2", registrations=False, packets=False)
    with pytest.raises(NymError):
        BlockingMixnetClient(config, storage=tmp_path).connect()


def test_gateway_that_is_up_can_lose_its_memory(net: LocalNetwork) -> None:
    alice, bob = clients(net)
    with alice, bob:
        net.start_gateway("gateway-1")
        assert net.counters().clients[alice.address].connected
        net.start_gateway("gateway-1", registrations=False)
        assert list(net.counters().clients) == [
            f"{bob.address.partition('.')[0]}@{bob.address.partition('@')[2]}",
        ]


def test_cut_client_heals_with_its_next_send(net: LocalNetwork) -> None:
    alice, bob = clients(net)
    with alice, bob:
        assert net.cut_client(bob.address)
        until(lambda: not net.counters().clients[bob.address].connected)
        assert not net.cut_client(bob.address)
        alice.send_plain(bob.address, b"waits")
        quiet(net)
        bob.send_plain(alice.address, b"connects again")
        assert bob.receive(WAIT).data == b"waits"


def test_surbs_die_with_the_keys_they_were_made_for(net: LocalNetwork) -> None:
    alice, bob = clients(net)
    with alice, bob:
        alice.send_anonymous(bob.address, b"SURBs", surbs=10)
        tag = bob.receive(WAIT).sender_tag
        assert tag is not None
        assert net.rotation_id == 1
        assert net.rotate_keys() == net.rotation_id == 2
        bob.reply(tag, b"the keys before are still accepted")
        alice.receive(WAIT)
        net.retire_old_keys()
        bob.reply(tag, b"dead")
        until(lambda: any(hop.expired.data for hop in net.counters().hops))
        with pytest.raises(TimeoutError):
            alice.receive(0.3)
        # Two rotations later the header names a key that there is, but not the one it was made for.
        net.rotate_keys()
        bob.reply(tag, b"dead too")
        until(lambda: any(hop.undecodable.data for hop in net.counters().hops))


def test_clients_follow_a_rotation_by_the_directory(net: LocalNetwork) -> None:
    config = net.client_config(topology_refresh=0.1)
    with BlockingMixnetClient(config) as client:
        net.rotate_keys()
        net.retire_old_keys()
        time.sleep(0.5)
        net.reset_counters()
        client.send_plain(client.address, b"new keys")
        assert client.receive(WAIT).data == b"new keys"
        assert all(hop.expired == PacketCount(0, 0) for hop in net.counters().hops)


def test_fixed_topology(net: LocalNetwork) -> None:
    with BlockingMixnetClient(net.client_config(topology=net.topology_json())) as client:
        client.send_plain(client.address, b"x")
        assert client.receive(WAIT).data == b"x"


def test_default_traffic_has_cover(net: LocalNetwork) -> None:
    config = net.client_config(traffic="default")
    assert config == ClientConfig(directory_url=net.directory_url)
    with BlockingMixnetClient(config) as client:
        until(lambda: net.counters().clients[client.address].delivered.data > 5)


@pytest.mark.parametrize(
    "arguments",
    [
        {"gateways": 0},
        {"gateways": 65},
        {"mixes_per_layer": -1},
        {"seed": -1},
        {"seed": 2**64},
        {"delay_scale": -1.0},
        {"delay_scale": float("nan")},
        {"epoch": 0.0},
        {"epoch": -1.0},
        {"epoch": float("inf")},
        {"rotation_epochs": 0},
        {"directory_port": 70000},
    ],
)
def test_network_that_cannot_be(arguments: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        LocalNetwork(**arguments).start()  # type: ignore[arg-type]


def test_wrong_arguments_change_nothing(net: LocalNetwork) -> None:
    wrong: list[Callable[[], object]] = [
        lambda: net.set_loss(1.5),
        lambda: net.set_loss(float("nan")),
        lambda: net.set_loss(0.5, hops="layer4"),
        lambda: net.set_loss(0.5, packets="cover"),  # type: ignore[arg-type]
        lambda: net.set_delay(-1.0),
        lambda: net.set_delay(float("inf")),
        lambda: net.set_delay(1e9),
        lambda: net.drop_next(-1),
        lambda: net.drop_next(1, packets="all"),  # type: ignore[arg-type]
        lambda: net.drop_next(1, client="nobody"),
        lambda: net.stop_gateway("mix-1-1"),
        lambda: net.start_gateway("gateway-3"),
        lambda: net.forget_packets(""),
        lambda: net.cut_client("nobody"),
        lambda: net.client_config(traffic="slow"),  # type: ignore[arg-type]
        lambda: net.serve_websocket("x", traffic="slow"),  # type: ignore[arg-type]
        lambda: net.serve_websocket("x", port=-1),
        lambda: net.serve_websocket("x", surbs_withheld=201),
        lambda: net.serve_websocket("x", topology_refresh=0.0),
    ]
    for attempt in wrong:
        with pytest.raises(ConfigError):
            attempt()
    alice, bob = clients(net)
    with alice, bob:
        alice.send_plain(bob.address, b"untouched")
        bob.receive(WAIT)
        assert quiet(net).received(0).data == 1


def test_network_runs_once_and_says_when_it_does_not() -> None:
    network = LocalNetwork()
    with pytest.raises(NymError, match="not started"):
        network.counters()
    with network:
        url = network.directory_url
        with pytest.raises(NymError, match="before"):
            network.start()
        assert url in repr(network)
    network.close()
    with pytest.raises(NymError, match="closed"):
        network.client_config()
    with pytest.raises(NymError, match="before"):
        network.start()
    host, port = url.removeprefix("http://").rstrip("/").split(":")
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0


async def test_async_with() -> None:
    async with LocalNetwork() as network, MixnetClient(network.client_config()) as client:
        await client.send_plain(client.address, b"x")
        assert (await client.receive(WAIT)).data == b"x"
        async with network.serve_websocket("a") as websocket:
            assert websocket.status().alive
        assert not websocket.status().alive
    await asyncio.sleep(0)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with LocalNetwork() as network, BlockingMixnetClient(network.client_config()):
        network.serve_websocket("a", storage=tmp_path / "a").close()
    gc.collect()
    before = (descriptors(), threading.active_count())
    for number in range(20):
        network = LocalNetwork(gateways=4)
        network.start()
        network.serve_websocket("a", storage=tmp_path / str(number))
        if number % 2:
            network.close()
        del network
        gc.collect()
        until(lambda: descriptors() <= before[0])
    assert threading.active_count() == before[1]
    assert tasks() < 32


def test_seed_fixes_the_gateways() -> None:
    with LocalNetwork(seed=3) as one, LocalNetwork(seed=3) as two, LocalNetwork(seed=None) as other:
        assert one.gateways == two.gateways
        assert one.gateways != other.gateways
        assert one.directory_url != two.directory_url


def test_state_makes_a_later_network_the_same(tmp_path: Path) -> None:
    state, storage = tmp_path / "network", tmp_path / "client"
    with LocalNetwork(state=state) as network:
        config = network.client_config()
        with BlockingMixnetClient(config, storage=storage) as client:
            address = client.address
        with pytest.raises(StorageError):
            LocalNetwork(state=state).start()
    with LocalNetwork(state=state) as network, BlockingMixnetClient(config, storage=storage) as client:
        assert client.address == address
        client.send_plain(address, b"x")
        assert client.receive(WAIT).data == b"x"
    with pytest.raises(StorageError):
        LocalNetwork(state=state, gateways=3).start()


PLUGIN_TEST = """
def test_it(nym_local_network):
    assert nym_local_network.seed == 7
    assert nym_local_network.rotation_id == 2
"""


def test_fixture_shows_its_seed_when_a_test_fails(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(PLUGIN_TEST)
    command = [sys.executable, "-Im", "pytest", "-q", "--nym-seed", "7", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "--nym-seed 7 brings" in done.stdout
    assert "assert 1 == 2" in done.stdout
