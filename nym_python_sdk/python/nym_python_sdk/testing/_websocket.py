"""A client of the network with nym-client's websocket in front of it."""

import json
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from nym_python_sdk._native import NativeWebsocket


@dataclass(frozen=True)
class WebsocketStatus:
    """How it is now.

    - `alive`: False when the client ended by itself, as after a long outage of its gateway; nym-client's process ends then,
      and here the port is closed;
    - `connected`: a program is connected;
    - `waiting`: messages that wait for the program, at most 10,000 and 64 MiB;
    - `received`: messages from the mixnet so far, `dropped` of them since too many waited.
    """

    alive: bool
    connected: bool
    waiting: int
    received: int
    dropped: int


class WebsocketClient:
    """Made by `LocalNetwork.serve_websocket`. It ends with `close`, with its network, or with the last reference to it."""

    def __init__(self, name: str, native: NativeWebsocket) -> None:
        self.name = name
        self._native = native
        #: ``ws://127.0.0.1:PORT``
        self.url: str = native.url
        #: The client's Nym address.
        self.address: str = native.address

    def status(self) -> WebsocketStatus:
        return WebsocketStatus(**json.loads(self._native.status()))

    def close(self) -> None:
        """Ends the websocket and the client; its SURBs are saved and the port is free. Again: does nothing."""
        self._native.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._native.close_async()

    def __repr__(self) -> str:
        return f"<WebsocketClient {self.name} {self.url} {self.address}>"
