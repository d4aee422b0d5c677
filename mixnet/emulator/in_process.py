"""The emulated mixnet inside one process: a `Transport` for each client, under real time or a simulation's.

Under a simulation's timers everything happens in the scheduler's calls, and the same seed gives the same run. Under
`ThreadTimers` all methods may be called from any thread.
"""

from __future__ import annotations

import dataclasses
import threading
from collections import deque
from collections.abc import Callable

from usernym.mixnet.emulator.core import Emulator
from usernym.mixnet.emulator.state import Faults, PacketCounts
from usernym.mixnet.transport import Incoming, MixnetDown, MixnetError, TransportDown, TransportEvent, TransportUp
from usernym.protocol.limits import SURBS_ON_REQUEST, SURBS_WITHHELD
from usernym.protocol.packets import SURB_BYTES
from usernym.timers import Timers


class InProcessMixnet:
    """An emulated mixnet running on `timers`. `core` must not be used directly, except to read counters.

    Two locks. `_lock` guards the core and is never held while an application's callback runs, so a callback may send.
    `_dispatch` is held while events are handed over: they come one at a time and in order, and `close` waits for them.
    """

    def __init__(self, core: Emulator, timers: Timers) -> None:
        self._core = core
        self._timers = timers
        self._lock = threading.RLock()
        self._dispatch = threading.RLock()
        self._dispatching = False
        self._events: deque[tuple[InProcessTransport, TransportEvent]] = deque()
        self._open: dict[int, InProcessTransport] = {}
        self._wake_at: float | None = None

    # -- clients --

    def transport(
        self,
        address: bytes | None = None,
        surb_minimum: int = SURBS_WITHHELD,
        surbs_on_request: int = SURBS_ON_REQUEST,
        *,
        own_process: bool = False,
        fresh_tags: bool = True,
    ) -> InProcessTransport:
        """A transport for a new client; or, with the address of one, for that client, whose transport was closed.

        `surbs_on_request`: how many SURBs it gives at most to a replier that asks. `own_process`: as a nym-client, it
        keeps its address, does not say which SURBs have not come back, and has no tags of single messages, as without
        `fresh_tags`.

        A new client is away from the mixnet until its transport is opened. Raises `MixnetError` for bad arguments.
        """
        with self._lock:
            client = None if address is None else self._core.client_at(address)
            if client is None:
                client = self._core.add_client(
                    address, surb_minimum, False, surbs_on_request, fresh_tags and not own_process
                )
            return InProcessTransport(self, client, self._core.address(client), own_process=own_process)

    def fresh_tags(self, client: int) -> bool:
        """See `Transport`."""
        return self._core.fresh_tags(client)

    def counts(self, client: int) -> PacketCounts:
        with self._lock:
            return dataclasses.replace(self._core.counts(client))

    @property
    def faults(self) -> Faults:
        return self._core.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        with self._lock:
            self._core.faults = faults

    # -- what happens to clients: the client's open transport is notified --

    def kill(self, client: int) -> None:
        """End the client's process as `kill -9` does, and start it again: down, and up with its memory lost."""
        self._end_process(client, self._core.kill, "the emulated mixnet client was killed")

    def restart(self, client: int) -> None:
        """Restart the client in order: down, and up with new tags."""
        self._end_process(client, self._core.restart, "the emulated mixnet client restarts")

    def lose_reply_keys(self, client: int) -> None:
        """Restart the client in order, without the reply keys of what it gave: down, and up."""
        self._end_process(client, self._core.lose_reply_keys, "the emulated mixnet client is renewed")

    def forget(self, client: int) -> None:
        """Let the client lose all SURBs, tags and reply keys without notice: what a real one does when it is replaced
        without its owner's knowledge. Replies to it and from it vanish, and nothing reports it."""
        with self._lock:
            self._core.kill(self._advance(), client)
        self._hand_over()

    def offline(self, client: int) -> None:
        """Cut the client off the mixnet: down, until `online`."""
        with self._lock:
            now = self._advance()
            if self._core.connected(client):
                self._core.offline(now, client)
                self._report_gateway(client, TransportDown("the emulated mixnet client has lost its gateway"))
        self._hand_over()

    def online(self, client: int) -> None:
        """Connect the client again: up. A client without an open transport stays away."""
        with self._lock:
            now = self._advance()
            if client in self._open and not self._core.connected(client):
                self._core.online(now, client)
                self._report_gateway(client, TransportUp(self._core.address(client)))
                self._plan(now)
        self._hand_over()

    def rotate_keys(self) -> None:
        with self._lock:
            self._core.rotate_keys(self._advance())
        self._hand_over()

    def _end_process(self, client: int, end: Callable[[float, int], None], reason: str) -> None:
        with self._lock:
            end(self._advance(), client)
            if self._core.connected(client):
                self._report(client, TransportDown(reason))
                self._report(client, TransportUp(self._core.address(client)))
        self._hand_over()

    # -- for those who drive clients: transports, and the emulator's server --

    def send(self, client: int, recipient: bytes, data: bytes, surbs: int | None, *, fresh_tag: bool = False) -> None:
        """Send for a client, also while it is offline (it holds the message then); plainly if `surbs` is None."""
        with self._lock:
            now = self._timers.now()
            self._core.send(now, client, recipient, data, surbs, fresh_tag=fresh_tag)
            self._plan(now)

    def reply(self, client: int, tag: bytes, data: bytes) -> None:
        with self._lock:
            now = self._timers.now()
            self._core.reply(now, client, tag, data)
            self._plan(now)

    def surbs_out(self, client: int) -> int:
        """See `Transport`."""
        with self._lock:
            return self._core.surbs_out(self._timers.now(), client)

    def attach(self, transport: InProcessTransport, client: int) -> None:
        """Connect the client, unless it is, and report what happens to it to this transport."""
        with self._lock:
            if client in self._open:
                raise MixnetError("this emulated client has an open transport already")
            self._open[client] = transport
            if self._core.connected(client):
                self._report(client, TransportUp(self._core.address(client), older=True))
        self.online(client)
        self._hand_over()

    def leave(self, transport: InProcessTransport, client: int) -> None:
        """The program that held the client is gone without notice, and the client runs on, as a nym-client does."""
        with self._lock:
            if self._open.get(client) is transport:
                self._advance()
                del self._open[client]
        self._hand_over()

    def detach(self, transport: InProcessTransport, client: int) -> None:
        """End the client's process in order, and report nothing more; waits for an event that is being handed over."""
        with self._lock:
            if self._open.get(client) is transport:
                now = self._advance()
                del self._open[client]
                self._core.offline(now, client)
                self._core.restart(now, client)
        self._hand_over()

    def replace(self, transport: InProcessTransport, client: int) -> int:
        """End the client's process, and give its transport a new client; its number. Raises `MixnetError` if there are
        too many."""
        with self._lock:
            now = self._advance()
            new = self._core.add_client(connected=False, surbs_on_request=self._core.surbs_on_request(client))
            del self._open[client]
            self._core.offline(now, client)
            self._core.restart(now, client)
            self._open[new] = transport
            self._report(new, TransportDown("the emulated mixnet client is renewed"))
        self.online(new)
        return new

    def address_of(self, client: int) -> bytes:
        """The client's address, 96 bytes."""
        with self._lock:
            return self._core.address(client)

    def is_up(self, client: int) -> bool:
        """Whether a transport is open on the client, and the client connected."""
        with self._lock:
            return client in self._open and self._core.connected(client)

    # -- time and events --

    def _advance(self, until: float | None = None) -> float:
        """Let the core catch up with the clock, or with the moment that was planned."""
        now = self._timers.now() if until is None else max(until, self._timers.now())
        for client, data, tag in self._core.advance(now):
            self._report(client, Incoming(data, tag))
        return now

    def _report(self, client: int, event: TransportEvent) -> None:
        transport = self._open.get(client)
        if transport is not None:
            self._events.append((transport, event))

    def _report_gateway(self, client: int, event: TransportEvent) -> None:
        """A client lost its gateway, or has it again. A nym-client says nothing of that, only that it is there."""
        transport = self._open.get(client)
        if transport is not None and not (transport.own_process and transport.seen):
            self._report(client, event)

    def _plan(self, now: float) -> None:
        """Make sure that `_wake` is called when the core's next event is due. An older plan is dropped."""
        at = self._core.next_event_at()
        if at is not None and (self._wake_at is None or at < self._wake_at):
            self._wake_at = at
            self._timers.call_later(max(0.0, at - now), lambda: self._wake(at))

    def _wake(self, at: float) -> None:
        with self._lock:
            if at != self._wake_at:
                return
            self._wake_at = None
            # Up to `at`, even if the clock is a rounding error short of it: else this could loop without end.
            self._plan(self._advance(at))
        self._hand_over()

    def _hand_over(self) -> None:
        """Give the events to the applications. A callback that causes more events leaves them to this loop."""
        with self._dispatch:
            if self._dispatching:
                return
            self._dispatching = True
            try:
                while self._events:
                    transport, event = self._events.popleft()
                    transport.hand_over(event)
            finally:
                self._dispatching = False


class InProcessTransport:
    """One client of an `InProcessMixnet`, as a `Transport`. Made by `InProcessMixnet.transport`."""

    surb_bytes = SURB_BYTES

    def __init__(self, mixnet: InProcessMixnet, client: int, address: bytes, *, own_process: bool = False) -> None:
        self._mixnet = mixnet
        self.own_process = own_process
        self.seen = False
        """Whether the application knows that the client is there."""
        self.client = client
        """The client's number in the mixnet: for faults and counters."""
        self.address = address
        self._on_event: Callable[[TransportEvent], None] | None = None
        self._closed = False

    def open(self, on_event: Callable[[TransportEvent], None]) -> None:
        """See `Transport`. Raises `MixnetError` if the client has an open transport, or this one was open before."""
        if self._on_event is not None or self._closed:
            raise MixnetError("a transport can be opened once")
        self._on_event = on_event
        self._mixnet.attach(self, self.client)

    @property
    def fresh_tags(self) -> bool:
        """See `Transport`."""
        return self._mixnet.fresh_tags(self.client)

    def send(self, recipient: bytes, data: bytes, surbs: int, *, fresh_tag: bool = False) -> None:
        self._check_up()
        if fresh_tag and not self.fresh_tags:
            raise MixnetError("this mixnet client has no tags of single messages")
        self._mixnet.send(self.client, recipient, data, surbs, fresh_tag=fresh_tag)

    def reply(self, sender_tag: bytes, data: bytes) -> None:
        self._check_up()
        self._mixnet.reply(self.client, sender_tag, data)

    def surbs_out(self) -> int | None:
        """See `Transport`."""
        return None if self.own_process else self._mixnet.surbs_out(self.client)

    def renew(self, *, keep_address: bool = False) -> bool:
        """See `Transport`."""
        if self.own_process or self._on_event is None or not self._mixnet.is_up(self.client):
            return False
        if keep_address:
            self._mixnet.lose_reply_keys(self.client)
            return True
        self.client = self._mixnet.replace(self, self.client)
        self.address = self._mixnet.address_of(self.client)
        return True

    def close(self) -> None:
        """See `Transport`. The client's process ends in order: its gateway keeps what comes, its SURBs are kept."""
        self._closed = True
        self._mixnet.detach(self, self.client)

    def abandon(self) -> None:
        """The program is gone, and its mixnet client runs on; another transport may be opened on it."""
        self._closed = True
        self._mixnet.leave(self, self.client)

    def hand_over(self, event: TransportEvent) -> None:
        """Called by the mixnet, one event at a time."""
        if self._on_event is not None and not self._closed:
            self.seen = self.seen or isinstance(event, TransportUp)
            self._on_event(event)

    def _check_up(self) -> None:
        if self._closed or not (self.own_process or self._mixnet.is_up(self.client)):
            raise MixnetDown("the emulated mixnet client is not connected")
