"""The one client behind all windows of the page: opened once; every window gets its events.

Calls that take time (disk, node) run on threads; windows live in the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Coroutine
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
    DirectoryDoubted,
    DirectoryUnwitnessed,
    Event,
    NodeAddressChanged,
    NodeCaught,
    NodeRefused,
    NodeSilent,
    NotReady,
    Restore,
    RotationStalled,
)
from usernym.account_home import discard, is_protected, remove_empty, remove_unfinished
from usernym.chat.problems import PageRefused, connection_problem, problem_of
from usernym.chat.wire import Problem
from usernym.errors import AccountStays
from usernym.finder import Finder, NameState
from usernym.logger import logger
from usernym.passphrases import check_new_passphrase
from usernym.protocol.cards import parse_card
from usernym.protocol.names import canonical
from usernym.views import is_emulated_card

T = TypeVar("T")

NONCES_MAX: Final = 1_000
"""Presses of "Send" that are remembered, so that a text is not sent twice when a browser repeats one."""
SEND_S: Final = 60.0
"""Limit in seconds until a text is on this machine's disk; a changed contact may have to be looked up first."""

TRY_S: Final = 4.0
"""How long a mixnet that was just chosen may take to answer before the page says that it does not."""
NAME_S: Final = 20.0
"""Limit in seconds for the question whether a name is free."""


class Stage(Enum):
    """How far a home has come."""

    NETWORK = auto()
    """Which node, and which mixnet, is not known."""
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
    witnesses: tuple[str, ...] = ()
    witnesses_needed: int | None = None
    passphrase: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A text that is being put on disk here."""

    nonce: str
    name: str = field(repr=False)
    text: str = field(repr=False)
    window: object = field(repr=False)


Listener = Callable[[Event | None], None]
"""Called in the event loop with each event; with None when the stage or the connection changed."""


class Person:
    """The client, its stage and its listeners. `held` is entered with the client as long as it is open: it serves the
    control socket."""

    def __init__(self, settings: HomeSettings, held: Callable[[Client], AbstractContextManager[Any]]) -> None:
        self.settings = settings
        self.node = settings.node
        self.mixnet = settings.mixnet
        self.stage = self._first_stage()
        self.known: usernym.Whoami | None = None
        """The account, as it was when the home was opened, or when it last changed."""
        self.problem: Problem | None = None
        self.caught: list[str] = []
        """What a dishonest node did; shown in every window, also in one that is opened later."""
        self.doubted_since: int | None = None
        self.unwitnessed_since: int | None = None
        self.stalled_since: int | None = None
        self.node_moved = False
        self.online = False
        self.offline: Problem | None = None
        """Why the client is not connected; None while it tries for the first time."""
        self.words: list[str] = []
        """The recovery words of an identity that is not registered yet: they can be shown again until it is."""
        self.outgoing: dict[str, Outgoing] = {}
        """By nonce: texts that are being stored. A window that is loaded meanwhile shows them, so that the user does
        not send them again."""
        self.differed: set[tuple[str, str]] = set()
        """Names and identity keys for which another safety number was read than the right one."""
        self._held = held
        self._stack = contextlib.AsyncExitStack()
        self._threads: AsyncClient | None = None
        """The client that was opened last: calls run on its threads."""
        self._client: Client | None = None
        self._finder: Finder | None = None
        self._listeners: list[Listener] = []
        self._orders: dict[str, asyncio.Lock] = {}
        self._nonces: OrderedDict[str, asyncio.Future[usernym.Sent]] = OrderedDict()
        self._opening = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def _first_stage(self) -> Stage:
        return Stage.NETWORK if self.node is None or self.mixnet is None else Stage.NEW

    # -- for pages --

    @property
    def busy(self) -> bool:
        """Whether the home is being opened, made or registered."""
        return self._opening.locked()

    @property
    def can_change_network(self) -> bool:
        """Whether the user may choose node and mixnet: not where the command line did."""
        return self.settings.node is None or self.settings.mixnet is None

    @property
    def emulated(self) -> bool:
        """Whether the mixnet is the emulator, as far as is known before a home is open."""
        if self.known is not None:
            return self.known.emulated
        return self.node is not None and is_emulated_card(self.node)

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

    def _tell(self, event: Event | None) -> None:
        if isinstance(event, ConnectionChanged):
            self.online = event.online
            self.offline = None if event.online else connection_problem(event.reason)
        elif isinstance(event, NodeCaught):
            if event.fault not in self.caught:
                self.caught.append(event.fault)
        elif isinstance(event, DirectoryDoubted):
            self.doubted_since = event.since
        elif isinstance(event, DirectoryUnwitnessed):
            self.unwitnessed_since = event.since
        elif isinstance(event, RotationStalled):
            self.stalled_since = event.since
        elif isinstance(event, NodeAddressChanged):
            self.node_moved = True
        for listener in list(self._listeners):
            listener(event)

    def order(self, name: str) -> asyncio.Lock:
        """Held while something is stored for a person whose order matters: texts, and drafts. First come, first
        served."""
        return self._orders.setdefault(name, asyncio.Lock())

    async def send(
        self, nonce: str, name: str, text: str, *, window: object, on_begin: Callable[[Outgoing], None]
    ) -> usernym.Sent:
        """Send a text, once for each nonce. When this returns, the text is on this machine's disk.

        The same text that another window is sending at this moment is that one: that window was loaded again.
        `on_begin` is called when the text is sent by this call.
        """
        result = self._nonces.get(nonce)
        if result is None:
            for other in self.outgoing.values():
                if (other.name, other.text) == (name, text) and other.window is not window:
                    result = self._nonces[other.nonce]
            if result is None:
                result = asyncio.ensure_future(self._store(name, text))
                out = self.outgoing[nonce] = Outgoing(nonce, name, text, window)
                result.add_done_callback(lambda done: self._on_stored(nonce, done))
                on_begin(out)
            self._nonces[nonce] = result
            if len(self._nonces) > NONCES_MAX:
                self._nonces.popitem(last=False)
        return await asyncio.shield(result)

    async def _store(self, name: str, text: str) -> usernym.Sent:
        async with self.order(name):
            return await self.run(self.client.send, name, text, wait="queued", timeout=SEND_S)

    def _on_stored(self, nonce: str, result: asyncio.Future[usernym.Sent]) -> None:
        del self.outgoing[nonce]
        if result.cancelled() or result.exception() is not None:
            for each in [nonce for nonce, other in self._nonces.items() if other is result]:
                del self._nonces[each]  # it was not stored: the same press may be tried again

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
        async with self._alone():
            if self.stage is not Stage.LOCKED:
                return
            try:
                await self._open(passphrase=passphrase, unprotected=passphrase is None)
            except usernym.SettingsError:
                if not await self.run(remove_empty, self.settings.home, passphrase):
                    raise
                self._set_stage(self._first_stage())  # a first run that was interrupted before an identity was made
                return
            known = await self._learn()
            if known.deleted:
                self.offline = Problem("account_deleted")
                self._set_stage(Stage.READY)
            elif known.registered:
                self._go_online()
                self._set_stage(Stage.READY)
            else:
                self._set_stage(Stage.UNREGISTERED)

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """One thing at a time; all windows show that it is under way."""
        async with self._opening:
            self._tell(None)
            try:
                yield
            finally:
                asyncio.get_running_loop().call_soon(self._tell, None)  # when the lock is free

    async def _learn(self) -> usernym.Whoami:
        """Read the account again."""
        self.known = known = await self.run(self.client.whoami)
        self.caught, self.doubted_since = list(known.faults), known.directory_doubted_since
        self.unwitnessed_since = None if known.witnesses is None else known.witnesses.unmet_since
        return known

    async def account_changed(self) -> None:
        """The passphrase, the identity or the account itself is another one now."""
        if (await self._learn()).deleted:
            self.online, self.offline = False, Problem("account_deleted")
        self._tell(None)

    async def _open(self, **more: Any) -> Client:
        await self._close_finder()
        settings = self.settings
        opened = AsyncClient(
            settings.home,
            node=self.node,
            mixnet=self.mixnet,
            accept_strangers=settings.accept_strangers,
            witnesses=settings.witnesses,
            witnesses_needed=settings.witnesses_needed,
            **more,
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
        problem = Problem("closed")
        try:
            async for event in events:
                asyncio.get_running_loop().call_soon(self._tell, event)
        except usernym.GraphFailed as error:
            problem = problem_of(error)
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
                    self.offline = problem_of(error)
                    self._tell(None)
            except NodeRefused as error:
                self.offline = problem_of(error)
                self._tell(None)
            except usernym.GraphFailed:
                pass  # the events report its end

        self._begin_task(go())

    # -- the first run --

    async def set_network(self, card: str, mixnet: str) -> None:
        """Take node and mixnet, if they can work: both are tried. Raises `PageRefused`, `RemoteProtocolError`."""
        if self.stage is not Stage.NETWORK or self._opening.locked():
            raise PageRefused("elsewhere")
        async with self._alone():
            parse_card(card)
            try:
                chosen = usernym.parse_mixnet(mixnet)
            except usernym.SettingsError:
                raise PageRefused("mixnet_unknown") from None
            try:
                await self.run(chosen.check)
            except usernym.SettingsError as error:
                logger.warning("Nym's network can't be used: %s", error)
                raise PageRefused("sdk_missing") from None
            finder = await self.run(Finder.open, node=card, mixnet=mixnet)
            try:
                await self.run(finder.name_state, "usernym_test", TRY_S)
            except (NodeSilent, NodeRefused) as error:
                # A Nym client takes longer to start; a node that is silent may be down for a moment.
                if mixnet.startswith("ws") and isinstance(error, NodeSilent) and error.failure.name == "NO_MIXNET":
                    await self.run(finder.close)
                    raise PageRefused("mixnet_silent") from None
            except BaseException:
                await self.run(finder.close)
                raise
            self._finder, self.node, self.mixnet = finder, card, mixnet
        self._set_stage(Stage.NEW)

    async def forget_network(self) -> None:
        """Back to the choice of node and mixnet."""
        if self.stage is not Stage.NEW or not self.can_change_network:
            raise PageRefused("not_possible_now")
        async with self._alone():
            await self._close_finder()
        self._set_stage(Stage.NETWORK)

    async def name_state(self, name: str) -> NameState:
        """Whether the node says that a name is free. Raises `NodeSilent`, `SettingsError`, …"""
        if self.stage is not Stage.NEW or self.node is None or self.mixnet is None:
            raise PageRefused("elsewhere")
        if self._finder is None and self._client is None:
            finder = await self.run(Finder.open, node=self.node, mixnet=self.mixnet)
            if self._finder is None and self._client is None and not self._opening.locked():
                self._finder = finder
            else:
                await self.run(finder.close)
        if self._finder is None:
            raise PageRefused("elsewhere")
        return await self.run(self._finder.name_state, name, NAME_S)

    async def _close_finder(self) -> None:
        """Let go of the mixnet: a Nym client's websocket takes one connection only."""
        finder, self._finder = self._finder, None
        if finder is not None:
            await self.run(finder.close)

    async def create(self, name: str, passphrase: str | None) -> list[str]:
        """Make a home and an identity that is not registered yet. Returns the recovery words, which are stored
        nowhere."""
        async with self._alone():
            client = await self._open_new(name, passphrase)
            await self._learn()
            self.words = (client.take_recovery_words() or "").split()
        self._set_stage(Stage.UNREGISTERED)
        return self.words

    async def _open_new(self, name: str, passphrase: str | None, **more: Any) -> Client:
        if self.stage is not Stage.NEW:
            raise PageRefused("elsewhere")
        if passphrase is not None:
            check_new_passphrase(passphrase)
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
        async with self._alone():
            if self.stage is not Stage.UNREGISTERED:
                return
            await self.run(self.client.register)
            await self._learn()
            self.words = []
        self._go_online()
        self._set_stage(Stage.READY)

    async def restore(self, name: str, words: str, passphrase: str | None, *, replace: bool) -> None:
        """Make a home for an identity that exists. Raises `WordsInvalid`, `WordsUnfit`, `NodeRefused`, `NodeSilent`."""
        async with self._alone():
            await self._open_new(name, passphrase, restore=Restore(words, replace=replace))
            await self._learn()
        self._go_online()
        self._set_stage(Stage.READY)

    async def start_over(self) -> None:
        """Forget an identity that was never registered."""
        async with self._alone():
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
            self.words = []
        self._set_stage(self._first_stage())

    # -- the end --

    async def _close_client(self) -> None:
        self._client = self.known = None
        stack, self._stack = self._stack, contextlib.AsyncExitStack()
        await stack.aclose()
        self._threads = None

    async def close(self) -> None:
        self._listeners.clear()
        async with self._opening:  # what is being opened is closed as well
            await self._close_client()
            await self._close_finder()
