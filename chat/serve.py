"""The chat page's server: loopback only, one person, until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

os.environ.setdefault("NICEGUI_STORAGE_PATH", f"{os.devnull}/nicegui")  # NiceGUI must store nothing

import uvicorn
from fastapi import FastAPI
from nicegui import Client as Window
from nicegui import app as pages
from nicegui import ui

from usernym import Client, SettingsError
from usernym.chat.elements import STATIC
from usernym.chat.guard import Guard
from usernym.chat.keys import Keys
from usernym.chat.page import Page
from usernym.chat.person import HomeSettings, Person

ADDRESS: Final = "127.0.0.1"
RECONNECT_S: Final = 60.0
"""How long a window may be disconnected (a sleeping machine, for example) and continue; after that it reloads."""
CLOSE_S: Final = 2
"""How long windows may take to disconnect when the server ends."""
WS_BYTES_MAX: Final = 1_000_000
"""One message of a window; a text of 64 KiB, each byte of it escaped, is less than half of this."""
_ICON: Final = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='8' fill='#2b4fbf'/>"
    "<path d='M9 8v9a7 7 0 0 0 14 0V8' fill='none' stroke='white' stroke-width='4' stroke-linecap='round'/></svg>"
)


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
    """Leaves signals to the program around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def serve(
    settings: HomeSettings,
    *,
    port: int,
    held: Callable[[Client], AbstractContextManager[Any]],
    on_ready: Callable[[Serving], None],
) -> None:
    """Serve the page until `Serving.stop`. `port` 0 takes any free one; `held` is entered while the home is open.

    Raises `SettingsError` if the port is not available. Call it once in a process: NiceGUI has one page table.
    """
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((ADDRESS, port))
        except OSError as error:
            raise SettingsError(f"port {port} of {ADDRESS} can't be used: {error.strerror}") from None
        host = f"{ADDRESS}:{listening.getsockname()[1]}"
        keys, person = Keys(), Person(settings, held)
        server = _PageServer(
            uvicorn.Config(
                Guard(_application(person, keys), host),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws_max_size=WS_BYTES_MAX,
                timeout_graceful_shutdown=CLOSE_S,
            )
        )
        asyncio.run(_serve(server, listening, person, lambda: on_ready(Serving(host, keys, server))))


async def _serve(server: _PageServer, listening: socket.socket, person: Person, on_ready: Callable[[], None]) -> None:
    try:
        await person.begin()
        listening.listen()
        on_ready()
        await server.serve(sockets=[listening])
    finally:
        await person.close()


def _application(person: Person, keys: Keys) -> Any:
    @ui.page("/", title="usernym", favicon=_ICON)
    def _page(client: Window) -> None:
        Page(client, person, keys)

    pages.add_static_files("/static", STATIC, max_cache_age=0)
    ui.add_head_html(
        '<meta name="google" content="notranslate"><link rel="stylesheet" href="/static/chat.css">', shared=True
    )
    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    ui.run_with(
        application,
        title="usernym",
        language="en-US",
        tailwind=False,
        reconnect_timeout=RECONNECT_S,
        binding_refresh_interval=None,
        gzip_middleware_factory=None,
        show_welcome_message=False,
    )
    return application
