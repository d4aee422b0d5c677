"""A `Transport` over a running nym-client (or the emulator's server), by its binary websocket API.

The API takes one program at a time and answers no send; confirming delivery is left to the program that uses the
transport. nym-client dies of a TCP connection that does not complete a websocket handshake, so the port is never
probed: every connection is a real one.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import secrets
from collections import deque
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from usernym.logger import logger
from usernym.mixnet.nym_api import (
    ApiError,
    ErrorResponse,
    ReceivedResponse,
    SelfAddress,
    SelfAddressResponse,
    SendAnonymous,
    decode_response,
    encode_request,
)
from usernym.mixnet.reconnecting import LinkedTransport, LinkLost, Outgoing, SendUnlinked
from usernym.mixnet.transport import Incoming
from usernym.mixnet.websocket_logging import silent_logger

HELD_MESSAGES_MAX: Final = 4_096
"""Messages that come before nym-client has reported its address, as it flushes what it kept; more are dropped."""
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
"""The largest frame taken from nym-client. Far above the largest message, so that a peer who sends a message beyond
our bound costs us that message, not the connection; a frame above this one does cost the connection."""
FRAMES_AHEAD_MAX: Final = 4
"""Frames read ahead: with the size above, a bound on memory."""
CONNECT_S: Final = 10.0
"""How long connecting, and then the question for the address, may take."""
CLOSE_S: Final = 2.0
"""How long nym-client may take to close the connection."""
SILENCE_S: Final = 30.0
"""After so long without a message the transport writes to itself, one packet. A nym-client that has no cover traffic
and only listens does not notice that its gateway's connection is lost; sending makes it look, and connect again."""
ECHO_BYTES: Final = 32


class NymClientTransport(LinkedTransport):
    """See `Transport`. `url` is nym-client's, e.g. ``ws://127.0.0.1:1977``.

    The API is neither encrypted nor authenticated, so only a loopback address is taken; with `allow_remote`, any.
    Raises `ValueError` for another URL.
    """

    def __init__(self, url: str, *, allow_remote: bool = False) -> None:
        check_url(url, allow_remote=allow_remote)
        super().__init__(lambda: _establish(url), "usernym-nym-client", outlives=True)


class _ConnectHere(connect):
    """Connects to the URL that was checked, and follows no redirect to another."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def _establish(url: str) -> _NymClientLink:
    """Connect and ask for the address. Messages that come before it are held."""
    try:
        connection = await _ConnectHere(
            url,
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
            held, address = await _ask_address(connection)
        except BaseException:
            connection.transport.abort()
            raise
    except (OSError, InvalidHandshake, ConnectionClosed, EOFError, TimeoutError) as error:
        raise LinkLost(_explain(url, error)) from error
    return _NymClientLink(url, connection, address, held)


async def _ask_address(connection: ClientConnection) -> tuple[deque[Incoming], bytes]:
    held: deque[Incoming] = deque()
    async with asyncio.timeout(CONNECT_S):
        await connection.send(encode_request(SelfAddress()))
        while True:
            response = _decode(await connection.recv())
            if isinstance(response, SelfAddressResponse):
                return held, response.address
            if response is not None and len(held) < HELD_MESSAGES_MAX:
                held.append(Incoming(response.data, response.sender_tag))


class _NymClientLink:
    """See `MixnetLink`."""

    def __init__(self, url: str, connection: ClientConnection, address: bytes, held: deque[Incoming]) -> None:
        self._url = url
        self._connection = connection
        self._address = address
        self._held = held
        self._echo = secrets.token_bytes(ECHO_BYTES)

    @property
    def address(self) -> bytes:
        return self._address

    async def send(self, request: Outgoing) -> None:
        assert not isinstance(request, SendUnlinked), "the transport has no fresh tags"
        try:
            await self._connection.send(encode_request(request))
        except ConnectionClosed:
            raise self._lost() from None

    async def receive(self) -> Incoming:
        if self._held:
            return self._held.popleft()
        while True:
            try:
                async with asyncio.timeout(SILENCE_S):
                    response = _decode(await self._connection.recv())
            except TimeoutError:
                await self.send(SendAnonymous(self._address, self._echo, 0))
                continue
            except ConnectionClosed:
                raise self._lost() from None
            if isinstance(response, ReceivedResponse) and response.data != self._echo:
                return Incoming(response.data, response.sender_tag)

    async def close(self) -> None:
        # `close` alone waits without bound for a nym-client that does not read.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._connection.close(), CLOSE_S)
        self._connection.transport.abort()

    def _lost(self) -> LinkLost:
        return LinkLost(f"the connection to {self._url} was lost: did nym-client stop?")


def _explain(url: str, error: Exception) -> str:
    """What a person can do about a failed attempt."""
    if isinstance(error, InvalidStatus):
        return f"what answers at {url} is no nym-client (HTTP status {error.response.status_code})"
    if isinstance(error, (InvalidMessage, EOFError, ConnectionResetError, ConnectionClosed)):
        return f"{url} hangs up: nym-client takes one program at a time; is another one connected to it?"
    if isinstance(error, InvalidHandshake):
        return f"what answers at {url} is no nym-client"
    if isinstance(error, TimeoutError):
        return f"{url} takes connections but does not answer: is it a nym-client, and does it hang?"
    return f"nothing answers at {url}: is nym-client (or `usernym mixnet`) running?"


def check_url(url: str, *, allow_remote: bool = False) -> None:
    """Raise `ValueError` unless this is a nym-client's URL, on a loopback address if no remote one is allowed."""
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


def _decode(frame: str | bytes) -> ReceivedResponse | SelfAddressResponse | None:
    """The part of a frame that matters. A frame that can't be read is logged by its kind and skipped: the next one may
    be valid."""
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
    return response if isinstance(response, (ReceivedResponse, SelfAddressResponse)) else None
