"""The windows that show the page: each a websocket with a bounded queue, and all of them together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from usernym._version import __version__
from usernym.chat.deletions import UNDO_S
from usernym.chat.keys import Keys
from usernym.chat.problems import PageRefused, problem_of
from usernym.chat.requests import Ask, FromWindow, HelloAsk, read
from usernym.chat.wire import (
    TEXT_BYTES_MAX,
    AdmittedWire,
    AnswerWire,
    EndedWire,
    FailedWire,
    NotAdmittedWire,
    PushWire,
    ToWindow,
    written,
)
from usernym.passphrases import DIFFERENT_MIN, PASSPHRASE_LETTERS_MIN
from usernym.protocol.limits import FILE_BYTES_MAX

WINDOWS_MAX: Final = 32
"""Windows that are admitted at once: each costs memory, and a share of every change."""
TABS_MAX: Final = 256
"""Tabs whose conversation is remembered for when they are loaded again."""
CALLERS_MAX: Final = 32
"""Connections that have not shown a key yet: any user of this machine can open one."""
HELLO_S: Final = 10.0
"""Until a connection has to show a token or a key; the page does it at once."""
QUEUE_MAX: Final = 1_000
"""Messages that wait for a window's browser: a page of texts is one. A window that falls further behind reads all
again."""
QUEUE_LETTERS_MAX: Final = 32_000_000
"""Their letters: two pages of the longest texts."""
REQUESTS_MAX: Final = 32
"""Requests of one window that are under way; each may wait for the node."""
END_S: Final = 1.0
"""How long the windows have to hear of the program's end."""

_NOT_ADMITTED: Final = 4403
_BEHIND: Final = 4409
_TOO_MANY: Final = 4429
_POLICY: Final = 1008
_GOING: Final = 1001

Answering = Callable[["Window", FromWindow], Awaitable[AnswerWire]]
"""Carries a request out. Raises what `problem_of` has a code for."""


class Window:
    """One window, from `Hello` to its end."""

    def __init__(self, socket: WebSocket, tab: str) -> None:
        self.open_name: str | None = None
        """Whose conversation it shows."""
        self.tab = tab
        self._socket = socket
        self._waiting: asyncio.Queue[str | int] = asyncio.Queue()
        """Messages; a number is the code to close with."""
        self._letters = 0
        self._is_behind = False
        self._tasks: set[asyncio.Task[None]] = set()

    def tell(self, message: ToWindow) -> None:
        """Queue a message. A window that has too many waiting is closed instead."""
        if self._is_behind:
            return
        text = written(message)
        if self._waiting.qsize() >= QUEUE_MAX or self._letters + len(text) > QUEUE_LETTERS_MAX:
            self._is_behind = True
            while not self._waiting.empty():
                self._waiting.get_nowait()
            self.close(_BEHIND)
            return
        self._letters += len(text)
        self._waiting.put_nowait(text)

    def close(self, code: int) -> None:
        """Close it when what was queued has been sent."""
        self._waiting.put_nowait(code)

    async def run(self, answering: Answering) -> None:
        """Read and write until the window goes."""
        writing = asyncio.create_task(self._write())
        reading = asyncio.create_task(self._read(answering))
        try:
            await asyncio.wait((writing, reading), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((reading,), timeout=END_S)  # what came before the window went is still carried out
        finally:
            for task in (writing, reading, *self._tasks):
                task.cancel()
            await asyncio.gather(writing, reading, *self._tasks, return_exceptions=True)

    async def _write(self) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it has gone
            while True:
                message = await self._waiting.get()
                if isinstance(message, int):
                    await self._socket.close(message)
                    return
                self._letters -= len(message)
                await self._socket.send_text(message)

    async def _read(self, answering: Answering) -> None:
        while True:
            try:
                message = await read_from(self._socket)
            except (ValueError, WebSocketDisconnect) as error:
                if isinstance(error, ValueError):
                    self.close(_POLICY)
                    await asyncio.sleep(END_S)
                return
            if not isinstance(message, Ask):
                self.close(_POLICY)
                await asyncio.sleep(END_S)
                return
            if len(self._tasks) >= REQUESTS_MAX:
                self.tell(FailedWire(id=message.id, problem=PageRefused("too_many").problem))
                continue
            task = asyncio.create_task(self._answer(answering, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, answering: Answering, ask: Ask) -> None:
        try:
            self.tell(await answering(self, ask))  # type: ignore[arg-type]  # what is read is one of the union
        except Exception as error:  # noqa: BLE001 - any error is shown in the window
            self.tell(FailedWire(id=ask.id, problem=problem_of(error)))


class Windows:
    """All windows."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._shown: set[Window] = set()
        self._tabs: dict[str, str] = {}
        """By a browser's tab: whose conversation it shows, in memory only."""
        self._callers = 0
        self._ended = False

    def __len__(self) -> int:
        return len(self._shown)

    def tell(self, message: PushWire, *, but: Window | None = None, only_open: str | None = None) -> None:
        """Tell all windows; all but one; or those that show this conversation."""
        for window in tuple(self._shown):
            if window is not but and only_open in (None, window.open_name):
                window.tell(message)

    def admits(self, key: str) -> bool:
        """Whether this is the key of a browser that may show the page."""
        return self._keys.knows(key)

    def show(self, window: Window, name: str | None) -> None:
        """A window shows this conversation now."""
        window.open_name = name
        if window.tab:
            self._tabs.pop(window.tab, None)
            if name is not None:
                self._tabs[window.tab] = name
            while len(self._tabs) > TABS_MAX:
                del self._tabs[next(iter(self._tabs))]

    def is_open(self, name: str) -> bool:
        """Whether a window shows this conversation."""
        return any(window.open_name == name for window in self._shown)

    async def serve(self, socket: WebSocket, begin: Callable[[Window], None], answering: Answering) -> None:
        """Serve one connection until it ends. `begin` tells an admitted window what is shown now."""
        await socket.accept()
        if self._callers >= CALLERS_MAX or self._ended:
            await socket.close(_TOO_MANY)
            return
        self._callers += 1
        try:
            admitted = await self._admit(socket)
        finally:
            self._callers -= 1
        if admitted is None:
            return
        key, tab = admitted
        if len(self._shown) >= WINDOWS_MAX or self._ended:
            await socket.close(_TOO_MANY)
            return
        window = Window(socket, tab)
        self._shown.add(window)
        try:
            window.tell(
                AdmittedWire(
                    key=key,
                    version=__version__,
                    passphrase_min=PASSPHRASE_LETTERS_MIN,
                    passphrase_different=DIFFERENT_MIN,
                    text_bytes_max=TEXT_BYTES_MAX,
                    file_bytes_max=FILE_BYTES_MAX,
                    undo_s=UNDO_S,
                    open_name=self._tabs.get(tab, "") if tab else "",
                )
            )
            begin(window)
            await window.run(answering)
        finally:
            self._shown.discard(window)

    async def _admit(self, socket: WebSocket) -> tuple[str, str] | None:
        """The window's key and tab; None if it has shown no key, and is closed."""
        with contextlib.suppress(WebSocketDisconnect):
            try:
                hello = await asyncio.wait_for(read_from(socket), HELLO_S)
            except (ValueError, TimeoutError):
                await socket.close(_POLICY)
                return None
            if not isinstance(hello, HelloAsk):
                await socket.close(_POLICY)
                return None
            key = self._keys.admit(hello.token) or self._keys.admit(hello.key)
            if key is None:
                await socket.send_text(written(NotAdmittedWire()))
                await socket.close(_NOT_ADMITTED)
                return None
            return key, hello.tab
        return None

    async def end(self) -> None:
        """Have all windows forget what they show, and close them."""
        self._ended = True
        for window in tuple(self._shown):
            window.tell(EndedWire())
            window.close(_GOING)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                while self._shown:
                    await asyncio.sleep(0.02)


async def read_from(socket: WebSocket) -> FromWindow:
    """The next message of a window. Raises `ValueError` for what is none, `WebSocketDisconnect`."""
    received = await socket.receive()
    if received["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(received.get("code", 1005))
    return read(received.get("text") or received.get("bytes") or b"")
