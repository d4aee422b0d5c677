"""What all transports over a real mixnet client have in common: a queue, a thread, and reconnecting.

A *link* is one connection to, or one lifetime of, a mixnet client. The transport makes a link, works with it until it
is lost, reports that, and makes the next one, for as long as it is open. One thread with an event loop of its own does
it all. A bug ends a link, as a loss does; a bug that keeps coming back ends the transport for good.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from usernym.logger import logger
from usernym.mixnet.nym_api import Reply, SendAnonymous
from usernym.mixnet.transport import (
    ADDRESS_BYTES,
    MESSAGE_BYTES_MAX,
    SENDER_TAG_BYTES,
    SURBS_MAX,
    Incoming,
    MixnetDown,
    MixnetError,
    TransportDown,
    TransportEvent,
    TransportUp,
)
from usernym.protocol.packets import SURB_BYTES

QUEUE_MESSAGES_MAX: Final = 4_096
"""Messages that wait to be handed to the mixnet client: over a minute's worth at its 50 packets a second."""
QUEUE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Their bytes; 64 of the largest messages."""
MESSAGE_OVERHEAD_BYTES: Final = 128
"""Bytes counted for each queued message besides its data: its address or tag, and its place in the queue."""
BACKOFF_S_MIN: Final = 0.1
BACKOFF_S_MAX: Final = 5.0
"""Pauses between attempts, in seconds, double from the first value to the second: quick after a restart, and never a
burden."""
FLUSH_S: Final = 2.0
"""How many seconds `close` waits for the queue to be sent."""
BUGS_MAX: Final = 3
"""Links that may end by a bug within `BUGS_WINDOW_S` before the transport ends for good: a bug that comes back will not
go away, and each new mixnet client costs the network a login at its gateway."""
BUGS_WINDOW_S: Final = 60.0
_BUG: Final = "the connection to the mixnet client failed by a bug"


class LinkLost(Exception):
    """The link is gone, or could not be made; the text says what a person can do about it."""


@dataclass(frozen=True, slots=True)
class SendUnlinked:
    """Send with reply SURBs, at least one, and a sender tag that is this message's alone."""

    recipient: bytes = field(repr=False)
    data: bytes = field(repr=False)
    surbs: int


Outgoing = SendAnonymous | SendUnlinked | Reply


class MixnetLink(Protocol):
    """One lifetime of a mixnet client. Everything raises `LinkLost` once it is over."""

    @property
    def address(self) -> bytes:
        """The client's address, 96 bytes."""

    async def send(self, request: Outgoing) -> None:
        """Hand over one message; waits while the client can't take it."""

    async def receive(self) -> Incoming:
        """The next message."""

    async def close(self) -> None:
        """End it. Bounded in time; raises nothing."""


class LinkedTransport:
    """See `Transport`. `connect` makes a link, and raises `LinkLost` when it can't; `name` is the thread's.

    `forget`, `forget_reply_keys`: called between two links, have the next one be a client with another address, or with
    the same one and no reply keys; may raise `OSError`. None: it can't be renewed so. `outlives`: whether the client is
    a process of its own, which may have run before this one.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[MixnetLink]],
        name: str,
        *,
        forget: Callable[[], None] | None = None,
        forget_reply_keys: Callable[[], None] | None = None,
        outlives: bool = False,
    ) -> None:
        self._connect = connect
        self._name = name
        self._lock = threading.Lock()
        self._queue: deque[Outgoing] = deque()
        self._queue_bytes = 0
        self._up = False
        self._closed = False
        self._down_reason: str | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._idle = asyncio.Event()
        self._forget = forget
        self._forget_reply_keys = forget_reply_keys
        self._to_forget: Callable[[], None] | None = None
        self._older = outlives
        self._renewal = asyncio.Event()

    def open(self, on_event: Callable[[TransportEvent], None]) -> None:
        """See `Transport`. Raises `MixnetError` the second time."""
        with self._lock:
            if self._thread is not None or self._closed:
                raise MixnetError("a transport can be opened once")
            self._on_event = on_event
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the system has no thread for it: there is nothing for `close` to wait for
                self._loop.close()
                self._loop = self._thread = None
                raise

    @property
    def fresh_tags(self) -> bool:
        """See `Transport`. A nym-client has one tag for each recipient."""
        return False

    def send(self, recipient: bytes, data: bytes, surbs: int, *, fresh_tag: bool = False) -> None:
        if len(recipient) != ADDRESS_BYTES:
            raise MixnetError(f"an address has {ADDRESS_BYTES} bytes")
        if not 0 <= surbs <= SURBS_MAX:
            raise MixnetError(f"a message carries 0 to {SURBS_MAX} SURBs")
        if not fresh_tag:
            self._enqueue(SendAnonymous(recipient, _checked(data), surbs))
        elif self.fresh_tags and surbs:
            self._enqueue(SendUnlinked(recipient, _checked(data), surbs))
        else:
            raise MixnetError("a fresh tag needs a SURB, and a mixnet client that can make such tags")

    def reply(self, sender_tag: bytes, data: bytes) -> None:
        if len(sender_tag) != SENDER_TAG_BYTES:
            raise MixnetError(f"a sender tag has {SENDER_TAG_BYTES} bytes")
        if not data:
            raise MixnetError("a reply must have at least one byte: an empty one can't be decoded")
        self._enqueue(Reply(sender_tag, _checked(data)))

    @property
    def surb_bytes(self) -> int:
        """See `Transport`. nym-client's websocket tells nothing of it."""
        return SURB_BYTES

    def surbs_out(self) -> int | None:
        """See `Transport`. nym-client's websocket tells nothing of it."""
        return None

    def renew(self, *, keep_address: bool = False) -> bool:
        forget = self._forget_reply_keys if keep_address else self._forget
        with self._lock:
            if forget is None or not self._up or self._closed or self._loop is None:
                return False
            self._to_forget = forget
            self._loop.call_soon_threadsafe(self._renewal.set)
            return True

    def close(self) -> None:
        """See `Transport`. What was queued is handed over first, within `FLUSH_S` seconds."""
        with self._lock:
            first, self._closed = not self._closed, True
            thread, loop = self._thread, self._loop
            if thread is None or loop is None:
                return
            if first:
                loop.call_soon_threadsafe(self._stop.set)
        if thread is not threading.current_thread():
            thread.join()

    # -- the queue: any thread --

    def _enqueue(self, request: Outgoing) -> None:
        size = len(request.data) + MESSAGE_OVERHEAD_BYTES
        with self._lock:
            if not self._up or self._closed or self._loop is None:
                raise MixnetDown(self._down_reason or "the mixnet client is not connected yet")
            if len(self._queue) >= QUEUE_MESSAGES_MAX or self._queue_bytes + size > QUEUE_BYTES_MAX:
                raise MixnetError("the mixnet client can't keep up: send less at once")
            self._queue.append(request)
            self._queue_bytes += size
            self._loop.call_soon_threadsafe(self._wake.set)

    def _dequeue(self) -> Outgoing | None:
        with self._lock:
            if not self._queue:
                return None
            request = self._queue.popleft()
            self._queue_bytes -= len(request.data) + MESSAGE_OVERHEAD_BYTES
            return request

    # -- the thread --

    def _run(self) -> None:
        assert self._loop is not None
        try:
            self._loop.run_until_complete(self._main())
        except Exception:
            logger.exception(_BUG)
            self._went_down(f"{_BUG} again and again; the log has it", final=True)
        finally:
            with self._lock:
                self._closed = True  # nothing may be handed to the loop from now on
            self._loop.close()

    async def _main(self) -> None:
        backoff_s = BACKOFF_S_MIN
        bugs: deque[float] = deque(maxlen=BUGS_MAX)
        while not self._stop.is_set():
            try:
                reason, was_up = await self._lifetime()
            except Exception:
                if len(bugs) == BUGS_MAX and time.monotonic() - bugs[0] < BUGS_WINDOW_S:
                    raise
                bugs.append(time.monotonic())
                logger.exception(_BUG)
                reason, was_up = _BUG, False
            if self._stop.is_set():
                break
            self._went_down(reason)
            backoff_s = BACKOFF_S_MIN if was_up else min(2 * backoff_s, BACKOFF_S_MAX)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), backoff_s)

    def _went_down(self, reason: str, *, final: bool = False) -> None:
        """Report an outage once, and again when its reason changes. What was queued is lost: tags may be dead."""
        with self._lock:
            news = self._up or final or reason != self._down_reason
            self._up = False
            self._down_reason = reason
            self._queue.clear()
            self._queue_bytes = 0
        if news:
            self._on_event(TransportDown(reason, final))

    async def _lifetime(self) -> tuple[str, bool]:
        """Make a link and work until it is lost. Returns why it was, and whether it had been up."""
        if self._to_forget is not None and self._renewal.is_set():
            try:
                self._to_forget()
            except OSError as error:
                return f"the mixnet client can't be renewed: {error.strerror}", False
            self._renewal.clear()
        connecting = asyncio.ensure_future(self._connect())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((connecting, stopping), return_when=asyncio.FIRST_COMPLETED)
            if self._stop.is_set():
                connecting.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await (await connecting).close()  # made at the last moment
                return "closed", False
            try:
                link = connecting.result()
            except LinkLost as error:
                return str(error), False
            try:
                return await self._work(link, stopping), True
            finally:
                await link.close()
        finally:
            stopping.cancel()

    async def _work(self, link: MixnetLink, stopping: asyncio.Task[bool]) -> str:
        """Send and receive until the link is lost or `close` is called. Returns why it was lost."""
        with self._lock:
            self._up = True
            self._down_reason = None
        # After a lost connection the client may be a new process.
        older, self._older = self._older, False
        self._on_event(TransportUp(link.address, older))
        sender = asyncio.create_task(self._send_queued(link))
        receiver = asyncio.create_task(self._receive(link))
        renewal = asyncio.create_task(self._renewal.wait())
        await asyncio.wait((sender, receiver, stopping, renewal), return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            await self._flush(sender, receiver)
        reason = "the mixnet client is renewed" if renewal.done() else "the mixnet client is gone"
        for task in (sender, receiver, renewal):
            task.cancel()
        for outcome in await asyncio.gather(sender, receiver, return_exceptions=True):
            if isinstance(outcome, LinkLost):
                reason = str(outcome)
            elif isinstance(outcome, Exception):
                raise outcome
        return reason

    async def _send_queued(self, link: MixnetLink) -> None:
        while True:
            self._wake.clear()
            self._idle.clear()
            while (request := self._dequeue()) is not None:
                await link.send(request)
            self._idle.set()
            await self._wake.wait()

    async def _receive(self, link: MixnetLink) -> None:
        while True:
            incoming = await link.receive()
            if len(incoming.data) > MESSAGE_BYTES_MAX:
                logger.warning("a message beyond the bound on size was dropped")
            else:
                self._on_event(incoming)

    async def _flush(self, sender: asyncio.Task[None], receiver: asyncio.Task[None]) -> None:
        """Wait until the sender has sent all that was queued; no longer than the bound, and only while it can send."""
        self._idle.clear()
        self._wake.set()
        idle = asyncio.create_task(self._idle.wait())
        await asyncio.wait((idle, sender, receiver), timeout=FLUSH_S, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()


def _checked(data: bytes) -> bytes:
    if len(data) > MESSAGE_BYTES_MAX:
        raise MixnetError(f"a message has at most {MESSAGE_BYTES_MAX} bytes; this one has {len(data)}")
    return data
