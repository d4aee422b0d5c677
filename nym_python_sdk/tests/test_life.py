"""How clients begin and end: errors, death, cancellation, garbage, forks, Ctrl-C. Nothing may stay behind."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nym_python_sdk import (
    BlockingMixnetClient,
    ClientClosed,
    ClientConfig,
    ClientDied,
    ConfigError,
    MixnetClient,
    NetworkUnreachable,
    StorageError,
)
from nym_python_sdk.testing import LocalNetwork

WAIT = 30.0


def sockets() -> int:
    """Open sockets of this process."""
    links = []
    for name in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue
    return sum(link.startswith("socket:") for link in links)


def eventually(check: Callable[[], bool]) -> bool:
    end = time.monotonic() + WAIT
    while not check():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize(
    "wrong",
    [
        {"directory_url": ""},
        {"directory_url": "ftp://example.org"},
        {"gateway": ""},
        {"packet_delay": -1},
        {"packet_delay": float("nan")},
        {"ack_wait": 100_000},
        {"cover_delay": 0},
        {"connect_timeout": "soon"},
        {"cover_traffic": 1},
        {"queue_messages": 0},
        {"surbs_withheld": 201},
        {"surbs_on_request": 501},
        {"surbs_kept": 0},
        {"retransmissions": -1},
        {"keepalive": 0},
    ],
)
def test_wrong_configuration_is_refused_when_it_is_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        ClientConfig(**wrong)  # type: ignore[arg-type]


async def test_what_cannot_work_says_why(config: ClientConfig, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        await MixnetClient(replace(config, gateway="nosuchgateway")).connect()
    with pytest.raises(ConfigError, match="topology"):
        await MixnetClient(replace(config, topology="{}")).connect()
    with pytest.raises(NetworkUnreachable):
        await MixnetClient(replace(config, directory_url="http://127.0.0.1:9/")).connect()
    file = tmp_path / "file"
    file.write_text("no folder")
    with pytest.raises(StorageError):
        await MixnetClient(config, storage=file).connect()


async def test_damaged_storage_is_refused_and_left_as_it_is(config: ClientConfig, tmp_path: Path) -> None:
    async with MixnetClient(config, storage=tmp_path):
        pass
    key = next(path for path in tmp_path.iterdir() if "private_identity" in path.name)
    key.write_text("damaged")
    with pytest.raises(StorageError, match="keys"):
        await MixnetClient(config, storage=tmp_path).connect()
    assert key.read_text() == "damaged"


async def test_damaged_registrations_are_refused(config: ClientConfig, tmp_path: Path) -> None:
    async with MixnetClient(config, storage=tmp_path):
        pass
    store = next(path for path in tmp_path.iterdir() if "gateway" in path.name and path.suffix == ".sqlite")
    store.write_bytes(b"damaged" * 1000)
    with pytest.raises(StorageError):
        await MixnetClient(config, storage=tmp_path).connect()
    assert store.read_bytes() == b"damaged" * 1000


async def test_damaged_surbs_cost_the_surbs_only(config: ClientConfig, tmp_path: Path) -> None:
    async with MixnetClient(config, storage=tmp_path) as client:
        address = client.address
    store = next(path for path in tmp_path.iterdir() if "reply" in path.name and path.suffix == ".sqlite")
    store.write_bytes(b"damaged" * 1000)
    async with MixnetClient(config, storage=tmp_path) as client:
        assert client.address == address


async def test_half_written_first_keys_are_made_anew(config: ClientConfig, tmp_path: Path) -> None:
    """A process killed while it made its first identity: no one ever saw that one."""
    (tmp_path / "private_identity.pem").write_text("-----BEGIN")
    async with MixnetClient(config, storage=tmp_path) as client:
        assert client.address


async def test_one_storage_serves_one_client(config: ClientConfig, tmp_path: Path) -> None:
    async with MixnetClient(config, storage=tmp_path):
        with pytest.raises(StorageError, match="another client"):
            await MixnetClient(config, storage=tmp_path).connect()
    async with MixnetClient(config, storage=tmp_path):
        pass


async def test_connecting_takes_no_longer_than_it_may(config: ClientConfig) -> None:
    server = await asyncio.start_server(lambda _reader, _writer: asyncio.sleep(60), "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    silent = replace(config, directory_url=f"http://127.0.0.1:{port}/", connect_timeout=0.3)
    began = time.monotonic()
    with pytest.raises(NetworkUnreachable):
        await MixnetClient(silent).connect()
    assert time.monotonic() - began < 10
    server.close()


async def test_before_and_after_its_time_a_client_says_so(config: ClientConfig) -> None:
    client = MixnetClient(config)
    assert not client.alive
    with pytest.raises(ClientClosed):
        _ = client.address
    await client.disconnect()
    async with client:
        assert client.alive
    assert not client.alive
    await client.disconnect()
    with pytest.raises(ClientClosed):
        await client.send_plain(client.address, b"x")
    with pytest.raises(ClientClosed):
        client.raise_if_ended()
    with pytest.raises(ClientClosed):
        await client.connect()


async def test_client_whose_gateway_stays_away_dies_and_says_so(tmp_path: Path) -> None:
    with LocalNetwork(delay_scale=0.05) as network:
        config = network.client_config(gateway=network.gateways[0])
        client = MixnetClient(config, storage=tmp_path)
        await client.connect()
        address = client.address
        network.stop_gateway(network.gateways[0])
        with pytest.raises(ClientDied):
            for _ in range(2000):
                await client.send_plain(address, b"x")
                await asyncio.sleep(0.01)
        with pytest.raises(ClientDied):
            async for _ in client:
                pass
        assert not client.alive
        await client.disconnect()
        network.start_gateway(network.gateways[0])
        async with MixnetClient(config, storage=tmp_path) as again:
            assert again.address == address
            await again.send_plain(address, b"back")
            assert b"back" in {(await again.receive(WAIT)).data for _ in range(1)} or again.alive


async def test_listener_without_cover_notices_its_lost_connection(network: LocalNetwork) -> None:
    config = network.client_config(keepalive=0.5)
    async with MixnetClient(config) as listener, MixnetClient(network.client_config()) as writer:
        network.cut_client(listener.address)
        await asyncio.sleep(2)
        await writer.send_plain(listener.address, b"anyone there?")
        assert (await listener.receive(WAIT)).data == b"anyone there?"


async def test_cancelled_connecting_leaves_nothing(network: LocalNetwork, tmp_path: Path) -> None:
    config = network.client_config()
    async with MixnetClient(config):
        pass
    before = sockets()
    for delay in (0, 0.001, 0.003, 0.01, 0.03):
        connecting = asyncio.create_task(MixnetClient(config, storage=tmp_path).connect())
        await asyncio.sleep(delay)
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        del connecting
        gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    assert await asyncio.to_thread(eventually, lambda: sockets() <= before)
    async with asyncio.timeout(WAIT):
        while True:
            try:
                async with MixnetClient(config, storage=tmp_path):
                    break
            except StorageError:
                await asyncio.sleep(0.05)  # the last cancelled one is still ending


def test_forgotten_client_ends_with_a_warning(config: ClientConfig) -> None:
    BlockingMixnetClient(config).connect().disconnect()
    before = sockets()
    client = BlockingMixnetClient(config).connect()
    assert sockets() > before
    holder = [client]
    del client
    with pytest.warns(ResourceWarning, match="never disconnected"):
        holder.clear()
    assert eventually(lambda: sockets() <= before)


def test_many_lives_leave_no_thread_and_no_socket(config: ClientConfig) -> None:
    for _ in range(3):
        with BlockingMixnetClient(config):
            pass
    before = sockets(), len(os.listdir("/proc/self/task"))
    for _ in range(30):
        with BlockingMixnetClient(config) as client:
            client.send_plain(client.address, b"x")
    assert eventually(lambda: sockets() <= before[0])
    assert eventually(lambda: len(os.listdir("/proc/self/task")) <= before[1] + 8)  # the pool for blocking calls is 8


def test_waiting_lets_other_threads_run(config: ClientConfig) -> None:
    with BlockingMixnetClient(config) as client:
        ticks = 0
        done = threading.Event()

        def tick() -> None:
            nonlocal ticks
            while not done.is_set():
                ticks += 1
                time.sleep(0.001)

        thread = threading.Thread(target=tick)
        thread.start()
        with pytest.raises(TimeoutError):
            client.receive(0.5)
        done.set()
        thread.join()
    assert ticks > 50


FORK = """
import os, sys
from nym_python_sdk import BlockingMixnetClient, ForkError
from nym_python_sdk.testing import LocalNetwork
with LocalNetwork() as network:
    with BlockingMixnetClient(network.client_config()) as client:
        pid = os.fork()
        if pid == 0:
            refused = 0
            for use in (lambda: client.send_plain(client.address, b"x"), lambda: client.receive(1), client.disconnect,
                        lambda: BlockingMixnetClient(network.client_config()).connect(), lambda: LocalNetwork().__enter__()):
                try:
                    use()
                except ForkError:
                    refused += 1
            del client, network
            os._exit(refused)
        _, status = os.waitpid(pid, 0)
        client.send_plain(client.address, b"the parent continues")
        assert client.receive(20).data == b"the parent continues"
        print("refused", os.waitstatus_to_exitcode(status))
"""

INTERRUPT = """
import sys
from nym_python_sdk import BlockingMixnetClient
from nym_python_sdk.testing import LocalNetwork
with LocalNetwork() as network, BlockingMixnetClient(network.client_config()) as client:
    print("waiting", flush=True)
    try:
        client.receive()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    client.send_plain(client.address, b"x")
    print(client.receive(20).data, flush=True)
"""

EXIT = """
import sys
from nym_python_sdk import BlockingMixnetClient
from nym_python_sdk.testing import LocalNetwork
network = LocalNetwork().__enter__()
client = BlockingMixnetClient(network.client_config(), storage=sys.argv[1]).connect()
import threading
threading.Thread(target=client.receive, daemon=True).start()
print("leaving", flush=True)
"""


def run(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-I", "-X", "dev", "-c", code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_forked_child_is_refused_and_the_parent_goes_on() -> None:
    out, errors = run(FORK).communicate(timeout=60)
    assert out.split() == ["refused", "5"], errors


def test_ctrl_c_ends_a_wait_and_the_client_lives_on() -> None:
    process = run(INTERRUPT)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert out.splitlines() == ["interrupted", "b'x'"], errors


def test_interpreter_that_ends_takes_its_clients_along(tmp_path: Path) -> None:
    process = run(EXIT, str(tmp_path / "client"))
    out, errors = process.communicate(timeout=60)
    assert (out, process.returncode) == ("leaving\n", 0), errors
    assert "panicked" not in errors


AWAITING = """
import asyncio, sys, threading
from nym_python_sdk import ClientConfig, MixnetClient

async def live(url):
    config = ClientConfig(directory_url=url, cover_traffic=False, poisson_sending=False)
    client = await MixnetClient(config).connect()
    waiting = [asyncio.create_task(client.receive()) for _ in range(20)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    asyncio.get_running_loop().stop()

loop = asyncio.new_event_loop()
thread = threading.Thread(target=lambda: (loop.create_task(live(sys.argv[1])), loop.run_forever()))
thread.start()
thread.join()
"""


def test_what_asyncio_left_behind_does_not_crash_the_end(network: LocalNetwork) -> None:
    codes = []
    for _ in range(15):
        process = run(AWAITING, network.directory_url)
        _, errors = process.communicate(timeout=60)
        codes.append(process.returncode)
        assert "Fatal" not in errors
    assert codes == [0] * 15


MANY = """
import sys
from nym_python_sdk import BlockingMixnetClient
from nym_python_sdk.testing import LocalNetwork
network = LocalNetwork().__enter__()
clients = [BlockingMixnetClient(network.client_config(flush_timeout=3.0)).connect() for _ in range(10)]
for client in clients:
    client.send_plain(client.address, b"x")
network.set_loss(1.0)
for client in clients:
    client.send_plain(client.address, b"never arrives")
"""


def test_clients_that_cannot_flush_end_together() -> None:
    """Ten of them wait three seconds, not thirty."""
    process = run(MANY)
    began = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert time.monotonic() - began < 20
