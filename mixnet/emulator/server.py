"""The emulator as a program: a port on loopback for each emulated nym-client, and one to control them.

The emulated clients live as long as the server; their addresses follow from seed and port, so they are the same after
a restart, while all else is lost as by `kill -9`. docs/emulator.md describes the control port.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from websockets.asyncio.server import Server
from websockets.asyncio.server import serve as serve_websocket

from usernym.mixnet.addresses import EMULATED_GATEWAY, KEY_BYTES, format_address
from usernym.mixnet.emulator.control import ControlPort
from usernym.mixnet.emulator.core import Emulator
from usernym.mixnet.emulator.in_process import InProcessMixnet
from usernym.mixnet.emulator.port import ServerPort, refuse_browsers
from usernym.mixnet.emulator.state import SURB_REQUEST_MAX, Faults
from usernym.mixnet.nym_api import REQUEST_BYTES_MAX
from usernym.mixnet.transport import SENDER_TAG_BYTES, MixnetError
from usernym.mixnet.websocket_logging import silent_logger
from usernym.protocol.limits import SURBS_WITHHELD

HOST: Final = "127.0.0.1"
"""The API has no authentication: it is never offered beyond loopback."""
PORTS_MAX: Final = 256
"""Emulated clients of one server; simulations with more run in one process."""
HANDSHAKE_S: Final = 5.0
"""A connection that has not completed its handshake by now is closed, since it keeps others out."""
CLOSE_S: Final = 1.0
"""How long the server waits for a program to close its connection."""
INCOMING_FRAMES_MAX: Final = 16
"""Frames read ahead of the one that is being handled; then the program is not read from."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What to emulate. Raises `ValueError` for what is out of bounds."""

    first_port: int = 1977
    """The first client's port; the others follow. 0 takes any free ports."""
    clients: int = 3
    seed: int | None = None
    """Determines addresses, delays and faults (not sender tags, which are always new). None: addresses as for 0."""
    faults: Faults = field(default_factory=Faults)
    surb_minimum: int = SURBS_WITHHELD
    """SURBs of each sender that the clients keep back; nym-client's own default is 10."""
    control_port: int | None = None
    """None: the port below the first (any free port if that is 0)."""

    def __post_init__(self) -> None:
        if not 1 <= self.clients <= PORTS_MAX:
            raise ValueError(f"the emulator serves 1 to {PORTS_MAX} clients")
        if not 0 <= self.first_port <= 65536 - self.clients or self.first_port == 1:
            raise ValueError("the clients' ports must lie between 2 and 65535")
        if self.control_port is not None and not 0 <= self.control_port <= 65535:
            raise ValueError("the control port must lie between 0 and 65535")
        if not 0 <= self.surb_minimum <= 200:
            raise ValueError("the SURB minimum must lie between 0 and 200")


class Endpoint(NamedTuple):
    """Where an emulated nym-client listens, and its Nym address as text."""

    port: int
    address: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The server accepts connections."""

    endpoints: tuple[Endpoint, ...]
    control_port: int


def emulated_address(seed: int, port: int) -> bytes:
    """The address of the client at a port: 64 bytes of SHA-512 for it, and 32 for the gateway that all share."""
    client = hashlib.sha512(f"usernym emulated client {seed} {port}".encode()).digest()
    which = hashlib.sha512(f"usernym emulated gateway {seed}".encode()).digest()
    return client + (EMULATED_GATEWAY + which)[:KEY_BYTES]


class LoopTimers:
    """An event loop's clock and timers, as `Timers`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return self._loop.time()

    def call_later(self, delay_s: float, action: Callable[[], None]) -> None:
        self._loop.call_later(delay_s, action)


class EmulatorServer:
    """The server, on the running event loop."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._servers: list[Server] = []
        self._ports: list[ServerPort] = []

    async def start(self) -> Ready:
        """Bind all ports, then serve. Raises `MixnetError` if one is taken; then none stays bound."""
        settings = self._settings
        sockets = _bind_all(settings)
        control_socket, client_sockets = sockets[0], sockets[1:]
        core = Emulator(random.Random(settings.seed), settings.faults, lambda: os.urandom(SENDER_TAG_BYTES))  # noqa: S311
        mixnet = InProcessMixnet(core, LoopTimers(asyncio.get_running_loop()))
        endpoints = []
        for listener in client_sockets:
            number = listener.getsockname()[1]
            address = emulated_address(settings.seed or 0, number)
            port = ServerPort(
                mixnet, mixnet.transport(address, settings.surb_minimum, SURB_REQUEST_MAX, fresh_tags=False)
            )
            port.open()
            self._ports.append(port)
            endpoints.append(Endpoint(number, format_address(address)))
        control = ControlPort(mixnet, core, endpoints, self._ports)
        # One above the largest message's frame, so that a message a little too large is answered with an error.
        for listener, port in zip(client_sockets, self._ports, strict=True):
            self._servers.append(
                await serve_websocket(
                    port.handle,
                    sock=listener,
                    create_connection=port.connection_class(),
                    process_request=refuse_browsers,
                    max_size=REQUEST_BYTES_MAX + 1,
                    max_queue=INCOMING_FRAMES_MAX,
                    compression=None,
                    ping_interval=None,
                    open_timeout=HANDSHAKE_S,
                    close_timeout=CLOSE_S,
                    logger=silent_logger(),
                )
            )
        self._servers.append(
            await serve_websocket(
                control.handle,
                sock=control_socket,
                process_request=refuse_browsers,
                max_size=control.COMMAND_BYTES_MAX,
                compression=None,
                ping_interval=None,
                open_timeout=HANDSHAKE_S,
                close_timeout=CLOSE_S,
                logger=silent_logger(),
            )
        )
        return Ready(tuple(endpoints), control_socket.getsockname()[1])

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        for server in self._servers:
            try:
                await asyncio.wait_for(server.wait_closed(), 2 * CLOSE_S)
            except TimeoutError:  # a program that does not read would hold up the end forever
                for connection in list(server.all_connections):
                    connection.transport.abort()
                await server.wait_closed()
        for port in self._ports:
            port.close()


def _bind_all(settings: ServerSettings) -> list[socket.socket]:
    """The sockets of the control port and of all clients, in this order."""
    first = settings.first_port
    control_port = settings.control_port
    if control_port is None:
        control_port = first - 1 if first else 0
    numbers = [control_port, *((first + index if first else 0) for index in range(settings.clients))]
    sockets: list[socket.socket] = []
    for number in numbers:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sockets.append(listener)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, number))
        except OSError as error:
            for bound in sockets:
                bound.close()
            raise MixnetError(f"port {number} can't be used ({error.strerror}): is something running there?") from None
    return sockets


async def serve(settings: ServerSettings, on_ready: Callable[[Ready], None], stop: asyncio.Event) -> None:
    """Serve until `stop` is set; `on_ready` is called once all ports accept connections.

    Raises `MixnetError` if a port is taken.
    """
    server = EmulatorServer(settings)
    try:
        on_ready(await server.start())
        await stop.wait()
    finally:
        await server.stop()


def run(settings: ServerSettings, on_ready: Callable[[Ready], None]) -> None:
    """Serve in this thread, the main one, until SIGINT, SIGTERM or SIGHUP comes. Prints nothing.

    A signal that the process was started to ignore stays ignored. Raises as `serve` does.
    """

    async def until_signalled() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, stop.set)
        await serve(settings, on_ready, stop)

    asyncio.run(until_signalled())
