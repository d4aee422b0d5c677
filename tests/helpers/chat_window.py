"""The chat page's server without a browser: served on a port, and windows that speak its messages by hand."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from usernym.chat.app import ChatPage
from usernym.chat.keys import Keys
from usernym.chat.person import HomeSettings, Person
from usernym.chat.serve import bound, page_server
from usernym.chat.windows import Windows

PATIENCE_S: Final = 30.0

Told = dict[str, Any]


@dataclass(frozen=True)
class ServedPage:
    """A page that is served in this event loop."""

    host: str
    keys: Keys
    page: ChatPage
    person: Person
    server: uvicorn.Server

    @contextlib.asynccontextmanager
    async def window(self, **hello: str) -> AsyncIterator[WireWindow]:
        """A window; admitted, if not said otherwise."""
        async with WireWindow(self.host, **(hello or {"token": self.keys.new_token()})) as window:
            yield window


class WireWindow:
    """A window without a page. What the server sends is kept."""

    def __init__(self, host: str, **hello: str) -> None:
        self.told: list[Told] = []
        self.answers: dict[int, Told] = {}
        self.closed: int | None = None
        self.key = ""
        self._host = host
        self._hello = hello
        self._numbers = itertools.count(1)
        self._news = asyncio.Condition()
        self._reading: asyncio.Task[None] | None = None
        self.socket: ClientConnection

    async def __aenter__(self) -> Self:
        self.socket = await connect(f"ws://{self._host}/wire", origin=f"http://{self._host}", max_size=None)  # type: ignore[arg-type]  # a NewType of str
        await self.say({"type": "hello"} | self._hello)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()
        assert self._reading is not None
        await self._reading

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = json.loads(await self.socket.recv())
                async with self._news:
                    if "id" in message:
                        assert message["id"] not in self.answers, "one answer for each request"
                        self.answers[message["id"]] = message
                    else:
                        self.told.append(message)
                    self._news.notify_all()
        async with self._news:
            self.closed = self.socket.close_code
            self._news.notify_all()

    async def say(self, message: Any) -> None:
        """Send anything."""
        await self.socket.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def ask(self, kind: str, **fields: Any) -> Told:
        """Send a request, and wait for its answer."""
        number = next(self._numbers)
        await self.say({"type": kind, "id": number} | fields)
        await self.until(lambda: number in self.answers or self.closed is not None)
        assert self.closed is None, f"closed with {self.closed}"
        return self.answers.pop(number)

    async def done(self, kind: str, **fields: Any) -> None:
        """Send a request that succeeds without content."""
        answer = await self.ask(kind, **fields)
        assert answer["type"] == "done", answer

    async def refused(self, kind: str, **fields: Any) -> str:
        """Send a request that fails; its code."""
        answer = await self.ask(kind, **fields)
        assert answer["type"] == "failed", answer
        return str(answer["problem"]["code"])

    async def until(self, holds: Callable[[], Any]) -> Any:
        """Wait until something holds; what it gives."""
        async with self._news, asyncio.timeout(PATIENCE_S):
            await self._news.wait_for(holds)
            return holds()

    async def hears(self, kind: str, **fields: Any) -> Told:
        """Wait until a push of this kind with these fields has come; the newest."""

        def found() -> Told | None:
            for message in reversed(self.told):
                if message["type"] == kind and all(message.get(name) == value for name, value in fields.items()):
                    return message
            return None

        found_one: Told = await self.until(found)
        return found_one

    async def hears_text(self, name: str, text: str, **fields: Any) -> Told:
        """Wait until a text has come, with these fields."""

        def found() -> Told | None:
            for message in reversed(self.told):
                if message["type"] == "text_changed" and message["name"] == name and message["text"]["text"] == text:
                    return message["text"] if fields.items() <= message["text"].items() else None
            return None

        found_one: Told = await self.until(found)
        return found_one

    async def is_closed(self) -> int:
        """Wait for the end; its code."""
        await self.until(lambda: self.closed is not None)
        assert self.closed is not None
        return self.closed


@contextlib.asynccontextmanager
async def served(home: Path, **settings: Any) -> AsyncIterator[ServedPage]:
    """Serve the page of a home, as `serve` does."""
    person = Person(HomeSettings(home, **settings), lambda _: contextlib.nullcontext())
    with bound(0) as listening:
        listening.listen()
        host, keys = f"127.0.0.1:{listening.getsockname()[1]}", Keys()
        page = ChatPage(person, Windows(keys))
        server = page_server(page, host)
        await person.begin()
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            while not server.started:
                await asyncio.sleep(0.01)
            yield ServedPage(host, keys, page, person, server)
        finally:
            server.should_exit = True
            await serving
            await person.close()
