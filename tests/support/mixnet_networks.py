"""Mixnets for tests that run over every transport: each gives transports, and records what they report.

A new kind of network implements `Network` and is added to `NETWORKS`; the conformance suite then runs on it too.
"""

from __future__ import annotations

import asyncio
import queue
import random
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from usernym.mixnet.emulator import Emulator
from usernym.mixnet.emulator_state import Faults
from usernym.mixnet.inprocess import InProcessMixnet, InProcessTransport, ThreadTimers
from usernym.mixnet.nym_client import NymClientTransport
from usernym.mixnet.server import EmulatorServer, Ready, ServerSettings
from usernym.mixnet.server_control import ask
from usernym.mixnet.transport import Incoming, Transport, TransportDown, TransportEvent, TransportUp

WAIT_S: Final = 20.0
"""No event takes this long on any network here; a test that waits longer has failed."""

E = TypeVar("E", Incoming, TransportUp, TransportDown)


class Recorder:
    """Takes a transport's events and hands them to the test's thread."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[TransportEvent] = queue.SimpleQueue()
        self.on_incoming: Callable[[Incoming], None] | None = None
        """Called in the transport's thread instead of keeping the message."""

    def __call__(self, event: TransportEvent) -> None:
        if self.on_incoming is not None and isinstance(event, Incoming):
            self.on_incoming(event)
        else:
            self.events.put(event)

    def wait_for(self, kind: type[E], timeout_s: float = WAIT_S) -> E:
        """The next event, which must be of that kind."""
        try:
            event = self.events.get(timeout=timeout_s)
        except queue.Empty:
            raise AssertionError(f"no {kind.__name__} within {timeout_s} s") from None
        assert isinstance(event, kind), f"expected {kind.__name__}, got {event!r}"
        return event

    def skip_to(self, kind: type[E], timeout_s: float = WAIT_S) -> E:
        """The next event of that kind; others before it are thrown away."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                event = self.events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {kind.__name__} within {timeout_s} s") from None
            if isinstance(event, kind):
                return event

    def nothing_more(self) -> bool:
        """Whether no event waits."""
        return self.events.empty()


class Member:
    """A transport that is open and up."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.recorder = Recorder()
        transport.open(self.recorder)
        self.address = self.recorder.wait_for(TransportUp).address

    def receive(self) -> Incoming:
        """The next message."""
        return self.recorder.wait_for(Incoming)


class Network(Protocol):
    """A mixnet to test transports on. Clients keep no SURBs back, and nothing is lost."""

    def join(self) -> Member:
        """A new client, up."""

    def close(self) -> None:
        """Close everything."""


class InProcessNetwork:
    """The emulator in this process, in real time."""

    def __init__(self) -> None:
        self.timers = ThreadTimers()
        self.core = Emulator(random.Random(1), Faults(hop_delay_s=0.001))
        self.mixnet = InProcessMixnet(self.core, self.timers)
        self._transports: list[InProcessTransport] = []

    def join(self) -> Member:
        transport = self.mixnet.transport()
        self._transports.append(transport)
        return Member(transport)

    def close(self) -> None:
        for transport in self._transports:
            transport.close()
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


class ServerNetwork:
    """`NymClientTransport`s over the emulator's server."""

    def __init__(self) -> None:
        self.server = ServerThread(ServerSettings(first_port=0, clients=4, faults=Faults(hop_delay_s=0.001)))
        self._transports: list[NymClientTransport] = []

    def join(self) -> Member:
        transport = NymClientTransport(self.server.url(len(self._transports)))
        self._transports.append(transport)
        return Member(transport)

    def close(self) -> None:
        for transport in self._transports:
            transport.close()
        self.server.close()


NETWORKS: Final[dict[str, Callable[[], Network]]] = {
    "in process": InProcessNetwork,
    "nym-client's API": ServerNetwork,
}
