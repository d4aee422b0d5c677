"""Mixnets for tests that run over every transport: each gives transports, and records what they report.

A new kind of network implements `mixnet_members.Network` and is added to `NETWORKS`; the conformance suite and the
story then run on it too.
"""

from __future__ import annotations

import asyncio
import dataclasses
import queue
import random
import threading
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.helpers.local_nym import LocalSdkNetwork, LocalWebsocketNetwork
from tests.helpers.mixnet_members import WAIT_S, JoiningNetwork, Network
from usernym.mixnet.addresses import format_address, parse_address
from usernym.mixnet.emulator.control import ask
from usernym.mixnet.emulator.core import Emulator
from usernym.mixnet.emulator.in_process import InProcessMixnet, InProcessTransport
from usernym.mixnet.emulator.server import EmulatorServer, Ready, ServerSettings
from usernym.mixnet.emulator.state import Faults
from usernym.mixnet.nym_client import NymClientTransport
from usernym.mixnet.nym_sdk import installed
from usernym.mixnet.transport import Transport
from usernym.timers import ThreadTimers

HOPS: Final = 4
"""Nodes that a packet passes: a mix of each layer, and its recipient's gateway. Each may lose it."""


def loss_on_the_way(share: float) -> float:
    """What the emulator's `loss` is, where every hop loses this share: it decides once for the whole way."""
    return 1 - (1 - share) ** HOPS


class InProcessNetwork(JoiningNetwork):
    """The emulator in this process, in real time."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = ThreadTimers()
        self.core = Emulator(random.Random(1), Faults(hop_delay_s=0.001))
        self.mixnet = InProcessMixnet(self.core, self.timers)
        self._transports: dict[str, InProcessTransport] = {}

    def transport(self, name: str) -> Transport:
        former = self._transports.get(name)
        transport = self.mixnet.transport(None if former is None else former.address)
        self._transports[name] = transport
        return transport

    def address_of(self, name: str) -> bytes:
        return self._transports[name].address

    def set_loss(self, share: float) -> None:
        self.mixnet.faults = dataclasses.replace(self.mixnet.faults, loss=loss_on_the_way(share))

    def packets(self, address: bytes) -> int:
        return self.mixnet.counts(self._client_at(address)).sent()

    def rotate_keys(self) -> None:
        self.mixnet.rotate_keys()

    def cut(self, address: bytes) -> None:
        client = self._client_at(address)
        self.mixnet.offline(client)
        self.mixnet.online(client)

    def gateways_down(self) -> None:
        for transport in self._transports.values():
            self.mixnet.offline(transport.client)

    def gateways_up(self) -> None:
        for transport in self._transports.values():
            self.mixnet.online(transport.client)

    def _client_at(self, address: bytes) -> int:
        client = self.core.client_at(address)
        assert client is not None
        return client

    def close(self) -> None:
        self.close_members()
        self.timers.close()


class ServerThread:
    """The emulator's server on a thread of its own."""

    def __init__(self, settings: ServerSettings) -> None:
        self._answers: queue.SimpleQueue[Ready | BaseException] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(settings,), name="emulator", daemon=True)
        self._thread.start()
        answer = self._answers.get(timeout=WAIT_S)
        if isinstance(answer, BaseException):
            self._thread.join(WAIT_S)
            raise answer
        self.ready = answer

    def _run(self, settings: ServerSettings) -> None:
        self._loop.run_until_complete(self._serve(settings))
        self._loop.close()

    async def _serve(self, settings: ServerSettings) -> None:
        self._stop = asyncio.Event()
        server = EmulatorServer(settings)
        try:
            self._answers.put(await server.start())
        except Exception as error:  # noqa: BLE001 - raised again in the test's thread
            self._answers.put(error)
            return
        await self._stop.wait()
        await server.stop()

    def url(self, client: int) -> str:
        """The websocket of an emulated client."""
        return f"ws://127.0.0.1:{self.ready.endpoints[client].port}"

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Give a command over the control port."""
        return ask(self.ready.control_port, {"do": do, **arguments})

    def close(self) -> None:
        """Stop the server, and wait till it is gone."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(WAIT_S)
            assert not self._thread.is_alive(), "the server does not stop"


class ServerNetwork(JoiningNetwork):
    """`NymClientTransport`s over the emulator's server."""

    def __init__(self) -> None:
        super().__init__()
        self.server = ServerThread(ServerSettings(first_port=0, clients=4, faults=Faults(hop_delay_s=0.001)))
        self._clients: dict[str, int] = {}

    def transport(self, name: str) -> Transport:
        return NymClientTransport(self.server.url(self._clients.setdefault(name, len(self._clients))))

    def address_of(self, name: str) -> bytes:
        return parse_address(self.server.ready.endpoints[self._clients[name]].address)

    def set_loss(self, share: float) -> None:
        self.server.ask("faults", loss=loss_on_the_way(share))

    def packets(self, address: bytes) -> int:
        counts = self.server.ask("counters")["clients"][self._client_at(address)]["packets"]
        return sum(count for name, count in counts.items() if name.startswith("sent_"))

    def rotate_keys(self) -> None:
        self.server.ask("rotate_keys")

    def cut(self, address: bytes) -> None:
        client = self._client_at(address)
        self.server.ask("offline", client=client)
        self.server.ask("online", client=client)

    def gateways_down(self) -> None:
        for client in range(len(self.server.ready.endpoints)):
            self.server.ask("offline", client=client)

    def gateways_up(self) -> None:
        for client in range(len(self.server.ready.endpoints)):
            self.server.ask("online", client=client)

    def _client_at(self, address: bytes) -> int:
        addresses = [endpoint.address for endpoint in self.server.ready.endpoints]
        return addresses.index(format_address(address))

    def close(self) -> None:
        self.close_members()
        self.server.close()


NETWORKS: Final[dict[str, Callable[[], Network]]] = {
    "emulator in process": InProcessNetwork,
    "emulator by websocket": ServerNetwork,
    "LocalNetwork by nym_python_sdk": LocalSdkNetwork,
    "LocalNetwork by websocket": LocalWebsocketNetwork,
}


def network_parameters() -> list[Any]:
    """For `pytest.fixture(params=...)`: every network; those that need `nym_python_sdk` are skipped without it."""
    missing = pytest.mark.skipif(not installed(), reason="needs nym_python_sdk: `make nym`")
    local = (pytest.mark.nym, missing)
    return [pytest.param(name, marks=local if "Local" in name else ()) for name in NETWORKS]
