"""The one client behind all windows of the page: opened once; every window gets its events.

Calls that take time (disk, node) run on threads; windows live in the event loop. Drafts are kept here, in memory
only: a browser would store them on its disk.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final, TypeVar

import usernym
from usernym import (
    AsyncClient,
    AsyncSubscription,
    Client,
    ConnectionChanged,
    Event,
    NodeCaught,
    NodeRefused,
    NodeSilent,
    NotReady,
    Restore,
    RotationStalled,
)
from usernym.account_home import discard, is_protected, remove_empty, remove_unfinished
from usernym.chat.texts import refusal
from usernym.errors import AccountStays
from usernym.finder import Finder, NameState
from usernym.protocol.names import canonical

T = TypeVar("T")

NONCES_MAX: Final = 1_000
"""Presses of "Send" that are remembered, so that a text is not sent twice when a browser repeats one."""
SEND_S: Final = 60.0
"""Limit in seconds until a text is on this machine's disk; a changed contact may have to be looked up first."""

_ELSEWHERE: Final = "this account was begun in another window: continue there"


class Stage(Enum):
    """How far a home has come."""

    NEW = auto()
    LOCKED = auto()
    UNREGISTERED = auto()
    READY = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class HomeSettings:
    """The home and how to open it. `node` is a card, `mixnet` as on the command line; None: as stored in the home, or
    asked for."""

    home: Path
    node: str | None = None
    mixnet: str | None = None
    accept_strangers: bool = False
    passphrase: str | None = field(default=None, repr=False)
    is_emulated: bool = False
    """Whether the mixnet is known to be an emulated one: the page then warns that it gives no anonymity."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A text that is being put on disk here."""

    nonce: str
    text: str = field(repr=False)
    result: asyncio.Future[usernym.Sent] = field(repr=False)


Listener = Callable[[Event | None], None]
"""Called in the event loop with each event; with None when the stage or the connection changed."""


class Person:
    """The client, its stage and its listeners. `held` is entered with the client as long as it is open: it serves the
    control socket."""

    def __init__(self, settings: HomeSettings, held: Callable[[Client], AbstractContextManager[Any]]) -> None:
        self.settings = settings
        self.node = settings.node
        self.mixnet = settings.mixnet
        self.stage = Stage.NEW
        self.problem = ""
        self.caught = ""
        self.stalled_since: int | None = None
        """What a dishonest node did; shown in every window, also in one that is opened later."""
        self.online = False
        self.connection = "connecting"
        self.beginnings = 0
        """How often an unfinished home was discarded: windows must not show the first run of an earlier one."""
        self.drafts: dict[str, str] = {}
        self.last_open: dict[str, str] = {}
        self.outgoing: dict[str, Outgoing] = {}
        """By name: a window that is loaded meanwhile shows the text as under way, so that the user does not send it
        again."""
        self._held = held
        self._stack = contextlib.AsyncExitStack()
        self._threads: AsyncClient | None = None
        """The client that was opened last: calls run on its threads."""
        self._client: Client | None = None
        self._finder: Finder | None = None
        self._listeners: list[Listener] = []
        self._change_listeners: list[Callable[[], None]] = []
        self._nonces: OrderedDict[str, asyncio.Future[usernym.Sent]] = OrderedDict()
        self._opening = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    # -- for pages --

    @property
    def client(self) -> Client:
        if self._client is None:
            raise RuntimeError("the home is not open")
        return self._client

    async def run(self, call: Callable[..., T], *arguments: Any, **keywords: Any) -> T:
        """Make a call that may wait, on a thread."""
        if self._threads is None:
            return await asyncio.to_thread(call, *arguments, **keywords)
        return await self._threads.call(call, *arguments, **keywords)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every event from now on. Returns a function that stops it."""
        self._listeners.append(listener)

        def stop() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return stop

    def listen_changes(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` when a window has changed what is shown without an event. Returns a function that stops
        it."""
        self._change_listeners.append(listener)
        return lambda: self._change_listeners.remove(listener)

    def note_change(self) -> None:
        """Something was changed from a window: a contact is new, or verified, or their texts have been seen."""
        for listener in list(self._change_listeners):
            listener()

    def _tell(self, event: Event | None) -> None:
        if isinstance(event, ConnectionChanged):
            self.online, self.connection = event.online, event.reason
        elif isinstance(event, NodeCaught):
            self.caught = event.what
        elif isinstance(event, RotationStalled):
            self.stalled_since = event.since
        for listener in list(self._listeners):
            listener(event)

    async def send(self, nonce: str, name: str, text: str) -> usernym.Sent:
        """Send a text, once for each nonce. When this returns, the text is on this machine's disk."""
        result = self._nonces.get(nonce)
        if result is None:
            other = self.outgoing.get(name)
            if other is not None and other.text == text:
                result = other.result  # sent before, from a window that has been reloaded since
            else:
                call = self.run(self.client.send, name, text, wait="queued", timeout=SEND_S)
                result = asyncio.ensure_future(call)
                self.outgoing[name] = Outgoing(nonce, text, result)
                result.add_done_callback(lambda done: self._on_sent(name, done))
                self.note_change()
            self._nonces[nonce] = result
            if len(self._nonces) > NONCES_MAX:
                self._nonces.popitem(last=False)
        return await asyncio.shield(result)

    def _on_sent(self, name: str, result: asyncio.Future[usernym.Sent]) -> None:
        out = self.outgoing.get(name)
        if out is None or out.result is not result:
            return
        del self.outgoing[name]
        if not result.cancelled() and result.exception() is None and self.drafts.get(name) == out.text:
            del self.drafts[name]
        self.note_change()

    # -- opening --

    async def begin(self) -> None:
        """Look at the home, and open it if that needs no passphrase from the user."""
        settings = self.settings
        protected = await self.run(is_protected, settings.home)
        if protected is None:
            return
        self.stage = Stage.LOCKED
        if not protected or settings.passphrase is not None:
            await self.unlock(settings.passphrase if protected else None)

    async def unlock(self, passphrase: str | None) -> None:
        """Open an existing home. Raises `StorageError`, among other reasons for a wrong passphrase."""
        async with self._opening:
            if self.stage is not Stage.LOCKED:
                return
            try:
                await self._open(passphrase=passphrase, unprotected=passphrase is None)
            except usernym.SettingsError:
                if not await self.run(remove_empty, self.settings.home, passphrase):
                    raise
                self._set_stage(Stage.NEW)  # a first run that was interrupted before an identity was made
                return
            known = await self.run(self.client.whoami)
            if known.deleted:
                self.connection = "the account is deleted"
                self._set_stage(Stage.READY)
            elif known.registered:
                self._go_online()
                self._set_stage(Stage.READY)
            else:
                self._set_stage(Stage.UNREGISTERED)

    async def _open(self, **more: Any) -> Client:
        await self._close_finder()
        settings = self.settings
        opened = AsyncClient(
            settings.home, node=self.node, mixnet=self.mixnet, accept_strangers=settings.accept_strangers, **more
        )
        try:
            self._threads = await self._stack.enter_async_context(opened)
            self._client = client = opened.client
            held = self._held(client)
            await self.run(held.__enter__)
            self._stack.push_async_callback(self.run, held.__exit__, None, None, None)
        except BaseException:
            await self._close_client()
            raise
        self._begin_task(self._follow(client, opened.subscribe()))
        return client

    async def _follow(self, client: Client, events: AsyncSubscription) -> None:
        """Pass events to all pages until the client ends."""
        problem = ""
        try:
            async for event in events:
                asyncio.get_running_loop().call_soon(self._tell, event)
        except usernym.GraphFailed as error:
            problem = str(error)
        if client is self._client:
            self.problem = problem
            asyncio.get_running_loop().call_soon(self._set_stage, Stage.ENDED)  # after the last events

    def _begin_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _set_stage(self, stage: Stage) -> None:
        self.stage = stage
        self._tell(None)

    def _go_online(self) -> None:
        async def go() -> None:
            try:
                await self.run(self.client.go_online)
            except (NodeSilent, NotReady) as error:
                # The client tries again by itself.
                if not self.online:
                    self.connection = str(error.failure if isinstance(error, NodeSilent) else error)
                    self._tell(None)
            except NodeRefused as error:
                self.connection = refusal(error.code, error.detail)
                self._tell(None)
            except usernym.GraphFailed:
                pass  # the events report its end

        self._begin_task(go())

    # -- the first run --

    async def name_state(self, name: str) -> NameState:
        """Whether the node says that a name is free. Raises `NodeSilent`, `SettingsError`, …"""
        assert self.node is not None, "asked for before"
        assert self.mixnet is not None, "asked for before"
        if self._finder is None and self._client is None:
            finder = await self.run(Finder.open, node=self.node, mixnet=self.mixnet)
            if self._finder is None and self._client is None and not self._opening.locked():
                self._finder = finder
            else:
                await self.run(finder.close)
        if self._finder is None:
            raise usernym.SettingsError(_ELSEWHERE)
        return await self.run(self._finder.name_state, name, 20.0)

    async def _close_finder(self) -> None:
        """Let go of the mixnet: a Nym client's websocket takes one connection only."""
        finder, self._finder = self._finder, None
        if finder is not None:
            await self.run(finder.close)

    async def create(self, name: str, passphrase: str | None) -> str:
        """Make a home and an identity that is not registered yet. Returns the recovery words, which are stored
        nowhere."""
        async with self._opening:
            client = await self._open_new(name, passphrase)
            self.stage = Stage.UNREGISTERED  # no listener is called yet: this window shows the words next
            return client.take_recovery_words() or ""

    async def _open_new(self, name: str, passphrase: str | None, **more: Any) -> Client:
        if self.stage is not Stage.NEW:
            raise usernym.SettingsError(_ELSEWHERE)
        try:
            return await self._open(name=canonical(name), passphrase=passphrase, unprotected=passphrase is None, **more)
        except BaseException:
            await self._clear_away(passphrase)
            raise

    async def _clear_away(self, passphrase: str | None) -> None:
        """Clean up after a failed first run: remove an incomplete home; a complete one stays and can be opened."""
        with contextlib.suppress(Exception):  # the first error is the one to report
            await self.run(remove_unfinished, self.settings.home, passphrase)
        with contextlib.suppress(Exception):
            if await self.run(is_protected, self.settings.home) is not None:
                self._set_stage(Stage.LOCKED)

    async def register(self) -> None:
        """Register the name, and go online. Raises `NodeRefused`, `NodeSilent`, `NotReady`."""
        async with self._opening:
            if self.stage is not Stage.UNREGISTERED:
                return
            await self.run(self.client.register)
        self._go_online()
        self._set_stage(Stage.READY)

    async def restore(self, name: str, words: str, passphrase: str | None, *, replace: bool) -> None:
        """Make a home for an identity that exists. Raises `WordsInvalid`, `WordsUnfit`, `NodeRefused`, `NodeSilent`."""
        async with self._opening:
            await self._open_new(name, passphrase, restore=Restore(words, replace=replace))
        self._go_online()
        self._set_stage(Stage.READY)

    async def start_over(self) -> None:
        """Forget an identity that was never registered."""
        async with self._opening:
            if self.stage is not Stage.UNREGISTERED:
                return
            client, self._client = self.client, None  # no listener hears of its end
            try:
                await self.run(discard, client, self.settings.home)
            except AccountStays:  # registered meanwhile, by a command
                self._client = client
                self._go_online()
                self._set_stage(Stage.READY)
                return
            await self._close_client()
            self.beginnings += 1
            self._set_stage(Stage.NEW)

    # -- the end --

    async def _close_client(self) -> None:
        self._client = None
        stack, self._stack = self._stack, contextlib.AsyncExitStack()
        await stack.aclose()
        self._threads = None

    async def close(self) -> None:
        self._listeners.clear()
        async with self._opening:  # what is being opened is closed as well
            await self._close_client()
            await self._close_finder()
