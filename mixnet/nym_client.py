"""A `Transport` over a running nym-client (or the emulator's server), by its binary websocket API.

The API takes one program at a time and answers no send; delivery is for whoever uses the transport to confirm. One
thread with an event loop of its own does all the network's work. nym-client dies of a TCP connection that does not
complete a websocket handshake, so the port is never probed: every connection is a real one.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

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
from usernym.mixnet.websocket_api import (
    ApiError,
    ErrorResponse,
    Received,
    Reply,
    SelfAddress,
    SelfAddressResponse,
    SendAnonymous,
    decode_response,
    encode_request,
)
from usernym.mixnet.websocket_logging import silent_logger

logger = logging.getLogger("usernym")

QUEUE_MESSAGES_MAX: Final = 4_096
"""Messages that wait to be handed to nym-client: over a minute's worth at its 50 packets a second."""
QUEUE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Their bytes; 64 of the largest messages."""
HELD_MESSAGES_MAX: Final = 4_096
"""Messages that come before nym-client has told its address, as it flushes what it kept; more are dropped."""
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
"""The largest frame taken from nym-client. Far above the largest message, so that a peer who sends a message beyond
our bound costs us that message, not the connection; a frame above this one does cost the connection."""
FRAMES_AHEAD_MAX: Final = 4
"""Frames read ahead: with the size above, a bound on memory."""
CONNECT_S: Final = 10.0
"""How long connecting, and then the question for the address, may take."""
BACKOFF_S_MIN: Final = 0.1
BACKOFF_S_MAX: Final = 5.0
"""Waits between attempts double from the first to the second: soon back after a restart, never a burden."""
CLOSE_S: Final = 2.0
"""How long `close` lets the queue be flushed, and then nym-client agree to the end of the connection."""


class _ConnectHere(connect):
    """Connects to the URL that was checked, and follows no redirect to another."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class NymClientTransport:
    """See `Transport`. `url` is nym-client's, e.g. ``ws://127.0.0.1:1977``.

    The API is neither encrypted nor authenticated, so only a loopback address is taken; with `allow_remote`, any.
    Raises `ValueError` for another URL.
    """

    def __init__(self, url: str, *, allow_remote: bool = False) -> None:
        _check_url(url, allow_remote)
        self._url = url
        self._lock = threading.Lock()
        self._queue: deque[bytes] = deque()
        self._queue_bytes = 0
        self._up = False
        self._closed = False
        self._down_reason: str | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._idle = asyncio.Event()

    def open(self, on_event: Callable[[TransportEvent], None]) -> None:
        """See `Transport`. Raises `MixnetError` the second time."""
        with self._lock:
            if self._thread is not None or self._closed:
                raise MixnetError("a transport can be opened once")
            self._on_event = on_event
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._run, name="usernym-nym-client", daemon=True)
            self._thread.start()

    def send(self, recipient: bytes, data: bytes, surbs: int) -> None:
        """See `Transport`."""
        if len(recipient) != ADDRESS_BYTES:
            raise MixnetError(f"an address has {ADDRESS_BYTES} bytes")
        if not 0 <= surbs <= SURBS_MAX:
            raise MixnetError(f"a message carries 0 to {SURBS_MAX} SURBs")
        _check_size(data)
        self._enqueue(encode_request(SendAnonymous(recipient, data, surbs)))

    def reply(self, sender_tag: bytes, data: bytes) -> None:
        """See `Transport`."""
        if len(sender_tag) != SENDER_TAG_BYTES:
            raise MixnetError(f"a sender tag has {SENDER_TAG_BYTES} bytes")
        if not data:
            raise MixnetError("a reply must have at least one byte: an empty one can't be decoded")
        _check_size(data)
        self._enqueue(encode_request(Reply(sender_tag, data)))

    def close(self) -> None:
        """See `Transport`. What was queued is flushed first, within `CLOSE_S` seconds."""
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

    def _enqueue(self, frame: bytes) -> None:
        with self._lock:
            if not self._up or self._closed or self._loop is None:
                raise MixnetDown(self._down_reason or f"not connected to {self._url} yet")
            if len(self._queue) >= QUEUE_MESSAGES_MAX or self._queue_bytes + len(frame) > QUEUE_BYTES_MAX:
                raise MixnetError("the mixnet client can't keep up: send less at once")
            self._queue.append(frame)
            self._queue_bytes += len(frame)
            self._loop.call_soon_threadsafe(self._wake.set)

    def _dequeue(self) -> bytes | None:
        with self._lock:
            if not self._queue:
                return None
            frame = self._queue.popleft()
            self._queue_bytes -= len(frame)
            return frame

    # -- the thread --

    def _run(self) -> None:
        assert self._loop is not None
        try:
            self._loop.run_until_complete(self._main())
        except Exception:
            logger.exception("the connection to the mixnet client failed by a bug")
            self._went_down("the connection to the mixnet client failed by a bug", final=True)
        finally:
            with self._lock:
                self._closed = True  # nothing may be handed to the loop from now on
            self._loop.close()

    async def _main(self) -> None:
        backoff_s = BACKOFF_S_MIN
        while not self._stop.is_set():
            reason, was_up = await self._connection()
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

    async def _connection(self) -> tuple[str, bool]:
        """Connect and work until the connection ends. Returns why it ended, and whether it had been up."""
        held: deque[Incoming] = deque()
        establishing = asyncio.create_task(self._establish(held))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((establishing, stopping), return_when=asyncio.FIRST_COMPLETED)
            if self._stop.is_set():
                establishing.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    (await establishing)[0].transport.abort()  # connected at the last moment
                return "closed", False
            try:
                connection, address = establishing.result()
            except (OSError, InvalidHandshake, ConnectionClosed, EOFError, TimeoutError) as error:
                return self._explain(error), False
            try:
                await self._work(connection, address, held, stopping)
            finally:
                # `close` alone waits without bound for a nym-client that does not read.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(connection.close(), CLOSE_S)
                connection.transport.abort()
            return f"the connection to {self._url} was lost: did nym-client stop?", True
        finally:
            stopping.cancel()

    async def _establish(self, held: deque[Incoming]) -> tuple[ClientConnection, bytes]:
        """Connect and ask for the address. Messages that come before it are held."""
        connection = await _ConnectHere(
            self._url,
            compression=None,
            proxy=None,
            open_timeout=CONNECT_S,
            close_timeout=CLOSE_S,
            ping_interval=None,
            max_size=FRAME_BYTES_MAX,
            max_queue=FRAMES_AHEAD_MAX,
            logger=silent_logger(),
        )
        try:
            async with asyncio.timeout(CONNECT_S):
                await connection.send(encode_request(SelfAddress()))
                while True:
                    response = _decode(await connection.recv())
                    if isinstance(response, SelfAddressResponse):
                        return connection, response.address
                    incoming = _as_incoming(response)
                    if incoming is not None and len(held) < HELD_MESSAGES_MAX:
                        held.append(incoming)
        except BaseException:
            connection.transport.abort()
            raise

    def _explain(self, error: Exception) -> str:
        """What a person can do about a failed attempt."""
        if isinstance(error, InvalidStatus):
            return f"what answers at {self._url} is no nym-client (HTTP status {error.response.status_code})"
        if isinstance(error, (InvalidMessage, EOFError, ConnectionResetError, ConnectionClosed)):
            return f"{self._url} hangs up: nym-client takes one program at a time; is another one connected to it?"
        if isinstance(error, InvalidHandshake):
            return f"what answers at {self._url} is no nym-client"
        if isinstance(error, TimeoutError):
            return f"{self._url} takes connections but does not answer: is it a nym-client, and does it hang?"
        return f"nothing answers at {self._url}: is nym-client (or `usernym mixnet`) running?"

    async def _work(
        self, connection: ClientConnection, address: bytes, held: deque[Incoming], stopping: asyncio.Task[bool]
    ) -> None:
        """Send and receive until the connection ends or `close` is called."""
        with self._lock:
            self._up = True
            self._down_reason = None
        self._on_event(TransportUp(address))
        while held:
            self._on_event(held.popleft())
        sender = asyncio.create_task(self._send_queued(connection))
        receiver = asyncio.create_task(self._receive(connection))
        await asyncio.wait((sender, receiver, stopping), return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            await self._flush(sender, receiver)
        for task in (sender, receiver):
            task.cancel()
        for outcome in await asyncio.gather(sender, receiver, return_exceptions=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionClosed):
                raise outcome

    async def _send_queued(self, connection: ClientConnection) -> None:
        while True:
            self._wake.clear()
            self._idle.clear()
            while (frame := self._dequeue()) is not None:
                await connection.send(frame)
            self._idle.set()
            await self._wake.wait()

    async def _receive(self, connection: ClientConnection) -> None:
        async for frame in connection:
            incoming = _as_incoming(_decode(frame))
            if incoming is not None:
                self._on_event(incoming)

    async def _flush(self, sender: asyncio.Task[None], receiver: asyncio.Task[None]) -> None:
        """Wait until the sender has written all that was queued; not longer than the bound, nor than it can."""
        self._idle.clear()
        self._wake.set()
        idle = asyncio.create_task(self._idle.wait())
        await asyncio.wait((idle, sender, receiver), timeout=CLOSE_S, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()


def _check_url(url: str, allow_remote: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.username is not None:
        raise ValueError("nym-client's URL looks like ws://127.0.0.1:1977")
    if allow_remote or parts.hostname == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(
            "nym-client's API is neither encrypted nor authenticated: it must be on this machine (127.0.0.1)"
        )


def _check_size(data: bytes) -> None:
    if len(data) > MESSAGE_BYTES_MAX:
        raise MixnetError(f"a message has at most {MESSAGE_BYTES_MAX} bytes; this one has {len(data)}")


def _decode(frame: str | bytes) -> Received | SelfAddressResponse | None:
    """What matters of a frame. What can't be read is logged by its kind and skipped: the next one may be sound."""
    if isinstance(frame, str):
        logger.warning("the mixnet client sent a text frame, which was not asked for")
        return None
    try:
        response = decode_response(frame)
    except ApiError as error:
        logger.warning("the mixnet client sent a frame that can't be read (%s)", error.kind.name)
        return None
    if isinstance(response, ErrorResponse):
        logger.warning("the mixnet client refused a request (error %#x)", response.kind)
        return None
    return response if isinstance(response, (Received, SelfAddressResponse)) else None


def _as_incoming(response: Received | SelfAddressResponse | None) -> Incoming | None:
    if not isinstance(response, Received):
        return None
    if len(response.data) > MESSAGE_BYTES_MAX:
        logger.warning("a message beyond the bound on size was dropped")
        return None
    return Incoming(response.data, response.sender_tag)
