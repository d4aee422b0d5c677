"""One port of the emulator's server: a websocket that behaves like a nym-client's, over one emulated client."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Final, cast

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as HttpRequest
from websockets.http11 import Response as HttpResponse

from usernym.logger import logger
from usernym.mixnet.emulator.in_process import InProcessMixnet, InProcessTransport
from usernym.mixnet.emulator.json_api import decode_text_request, encode_text_response
from usernym.mixnet.nym_api import (
    NO_CONNECTION,
    ApiError,
    ErrorKind,
    ErrorResponse,
    GetLaneQueueLength,
    LaneQueueLength,
    ReceivedResponse,
    Reply,
    Request,
    Response,
    SelfAddress,
    SelfAddressResponse,
    Send,
    SendAnonymous,
    decode_request,
    encode_response,
)
from usernym.mixnet.transport import Incoming, MixnetError, TransportEvent

PUSHES_MAX: Final = 10_000
"""Messages held for a program that is not connected, or reads slowly."""
PUSH_BYTES_MAX: Final = 64 * 1024 * 1024
"""Their bytes. What comes when either bound is reached is dropped, and counted."""


def refuse_browsers(connection: ServerConnection, request: HttpRequest) -> HttpResponse | None:
    """Answer 403 to a handshake with an `Origin`. Every browser sends one: no web page may reach a mixnet client."""
    if request.headers.get_all("Origin"):
        return connection.respond(403, "Web pages may not use a mixnet client.\n")
    return None


class ServerPort:
    """One emulated nym-client. It lives as long as the server; programs connect to it one at a time.

    A single queue holds what was received. A connected program is sent from it no faster than it reads.
    """

    def __init__(self, mixnet: InProcessMixnet, transport: InProcessTransport) -> None:
        self._mixnet = mixnet
        self._transport = transport
        self._holder: ServerConnection | None = None
        self._pushes: deque[ReceivedResponse] = deque()
        self._push_bytes = 0
        self._pushed = asyncio.Event()
        self._as_text = False
        self._lifetime = 0
        self.dropped = 0
        """Messages dropped because no one read them."""

    @property
    def client(self) -> int:
        return self._transport.client

    @property
    def address(self) -> bytes:
        return self._transport.address

    def open(self) -> None:
        self._transport.open(self._on_event)

    def close(self) -> None:
        self._transport.close()

    def process_ended(self) -> None:
        """The emulated process ended: what was in its memory is lost, and so is the connection to it."""
        self._lifetime += 1
        self._pushes.clear()
        self._push_bytes = 0
        if self._holder is not None:
            self._holder.transport.abort()

    def connection_class(self) -> type[ServerConnection]:
        """Connections of this port: while there is one, another one is closed before its handshake, as nym-client
        does."""
        port = self

        class OneAtATime(ServerConnection):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                if port._holder is None:
                    port._holder = self
                else:
                    cast(asyncio.Transport, transport).abort()

            def connection_lost(self, exc: Exception | None) -> None:
                if port._holder is self:
                    port._holder = None
                super().connection_lost(exc)

        return OneAtATime

    # -- a connection --

    async def handle(self, connection: ServerConnection) -> None:
        self._as_text = False
        pusher = asyncio.create_task(self._push(connection))
        try:
            async for frame in connection:
                response = self._answer(frame)
                if response is not None:
                    await connection.send(self._encode(response))
        except ConnectionClosed:
            pass  # the program is gone; the next one may come
        except Exception:
            logger.exception("the emulated nym-client failed on a request")
        finally:
            pusher.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await pusher

    def _answer(self, frame: str | bytes) -> Response | None:
        self._as_text = isinstance(frame, str)
        try:
            request = decode_text_request(frame) if isinstance(frame, str) else decode_request(frame)
            return self._carry_out(request)
        except ApiError as error:
            return ErrorResponse(error.kind, str(error))
        except MixnetError as error:
            return ErrorResponse(ErrorKind.OTHER, str(error))

    def _carry_out(self, request: Request) -> Response | None:
        match request:
            case SelfAddress():
                return SelfAddressResponse(self.address)
            case Send(recipient, data, connection_id):
                self._mixnet.send(self.client, recipient, data, None)
            case SendAnonymous(recipient, data, surbs, connection_id):
                self._mixnet.send(self.client, recipient, data, surbs)
            case Reply(sender_tag, data, connection_id):
                self._mixnet.reply(self.client, sender_tag, data)
            case GetLaneQueueLength(connection_id):
                return LaneQueueLength(connection_id, 0)
            case _:
                return None
        # The emulator sends at once, so no lane has a queue.
        return None if connection_id == NO_CONNECTION else LaneQueueLength(connection_id, 0)

    def _encode(self, response: Response) -> str | bytes:
        return encode_text_response(response) if self._as_text else encode_response(response)

    # -- what was received --

    def _on_event(self, event: TransportEvent) -> None:
        if not isinstance(event, Incoming):
            return
        if len(self._pushes) >= PUSHES_MAX or self._push_bytes + len(event.data) > PUSH_BYTES_MAX:
            self.dropped += 1
            return
        self._pushes.append(ReceivedResponse(event.data, event.sender_tag))
        self._push_bytes += len(event.data)
        self._pushed.set()

    async def _push(self, connection: ServerConnection) -> None:
        while True:
            while self._pushes:
                received, lifetime = self._pushes.popleft(), self._lifetime
                self._push_bytes -= len(received.data)
                try:
                    await connection.send(self._encode(received))
                except (ConnectionClosed, asyncio.CancelledError):
                    # Perhaps it arrived, perhaps not: the next connection gets it, unless its process has ended.
                    if lifetime == self._lifetime:
                        self._pushes.appendleft(received)
                        self._push_bytes += len(received.data)
                    raise
            self._pushed.clear()
            await self._pushed.wait()
