"""What tests over a mixnet hold: open transports, what they reported, and what a network must be able to do."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

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
        """The next event of that kind; others before it are discarded."""
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
    """A mixnet to test transports on. Clients keep no SURBs back, and nothing is lost unless a test says so."""

    speed_up: float
    """How much faster than real time the graphs' clock may run: a message and its answer take less than 5 seconds by
    that clock."""

    def transport(self, name: str) -> Transport:
        """A transport, not yet open, of the client with that name; after a close, the next has the same identity."""

    def join(self) -> Member:
        """A new client, up."""

    def address_of(self, name: str) -> bytes:
        """The address of the client with that name, once a transport of it was made."""

    def set_loss(self, share: float) -> None:
        """Lose this share of packets at every hop from now on."""

    def packets(self, address: bytes) -> int:
        """Data packets that this client has given its gateway, without acknowledgements. There is no cover traffic."""

    def rotate_keys(self) -> None:
        """Let the mix nodes change their keys: SURBs made until now are dead."""

    def cut(self, address: bytes) -> None:
        """Cut this client's connection to its gateway, without notice; it may connect again."""

    def gateways_down(self) -> None:
        """Take the gateways away: all connections are lost, and no new one is made, until `gateways_up`."""

    def gateways_up(self) -> None:
        """Bring the gateways back, with what they have stored."""

    def close(self) -> None:
        """Close everything."""


class JoiningNetwork:
    """What every network does alike: name its new clients, and close their transports."""

    speed_up = 20.0

    def __init__(self) -> None:
        self._opened: list[Transport] = []
        self._serial = 0

    def transport(self, name: str) -> Transport:
        raise NotImplementedError

    def join(self) -> Member:
        self._serial += 1
        transport = self.transport(f"member{self._serial}")
        self._opened.append(transport)
        return Member(transport)

    def close_members(self) -> None:
        for transport in self._opened:
            transport.close()
