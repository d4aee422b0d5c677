"""The chat page's server: loopback only, one person, until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

import uvicorn

from usernym import Client, SettingsError
from usernym.chat.app import ChatPage
from usernym.chat.guard import Guard
from usernym.chat.keys import Keys
from usernym.chat.person import HomeSettings, Person
from usernym.chat.requests import FRAME_BYTES_MAX
from usernym.chat.windows import Windows

ADDRESS: Final = "127.0.0.1"
CLOSE_S: Final = 2
"""How long windows may take to disconnect when the server ends."""
FRAMES_AHEAD_MAX: Final = 4
"""Frames of a window that are read ahead: with their size, a bound on memory."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The running server. Its methods may be called from any thread."""

    host: str
    _keys: Keys
    _server: uvicorn.Server

    def new_address(self) -> str:
        """An address that opens the page once. The browser that used it can then open the page without it."""
        return f"http://{self.host}/#{self._keys.new_token()}"

    def stop(self) -> None:
        """Shut down in order; may be called from a signal handler."""
        self._server.should_exit = True


class _PageServer(uvicorn.Server):
    """Leaves signals to the program around it, and has the windows emptied before their sockets close."""

    def __init__(self, page: ChatPage, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._page = page

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._page.close()
        await super().shutdown(sockets)


def bound(port: int) -> socket.socket:
    """A socket of loopback at this port; 0 takes any free one. Raises `SettingsError` if it is not available."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Head and body of an answer are two writes. asyncio sets this only where a socket names its protocol.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listening.bind((ADDRESS, port))
    except OSError as error:
        listening.close()
        raise SettingsError(f"port {port} of {ADDRESS} can't be used: {error.strerror}") from None
    return listening


def page_server(page: ChatPage, host: str) -> uvicorn.Server:
    """A server for the page; `host` is what the browser's address bar has."""
    config = uvicorn.Config(
        Guard(page.application, host),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=FRAME_BYTES_MAX,
        ws_max_queue=FRAMES_AHEAD_MAX,
        timeout_graceful_shutdown=CLOSE_S,
    )
    return _PageServer(page, config)


def serve(
    settings: HomeSettings,
    *,
    port: int,
    held: Callable[[Client], AbstractContextManager[Any]],
    on_ready: Callable[[Serving], None],
) -> None:
    """Serve the page until `Serving.stop`. `port` 0 takes any free one; `held` is entered while the home is open.

    Raises `SettingsError` if the port is not available.
    """
    with bound(port) as listening:
        asyncio.run(_serve(listening, Person(settings, held), on_ready))


async def _serve(listening: socket.socket, person: Person, on_ready: Callable[[Serving], None]) -> None:
    host, keys = f"{ADDRESS}:{listening.getsockname()[1]}", Keys()
    server = page_server(ChatPage(person, Windows(keys)), host)
    try:
        await person.begin()
        listening.listen()
        on_ready(Serving(host, keys, server))
        await server.serve(sockets=[listening])
    finally:
        await person.close()
