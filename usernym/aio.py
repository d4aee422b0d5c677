"""The client for asyncio: `async with usernym.AsyncClient(home, ...) as alice: await alice.send("bob", "hi")`.

Nothing here blocks the event loop. Calls run on threads; a subscription needs none.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, Final, Generic, ParamSpec, Protocol, Self, TypeVar, Unpack

from usernym.client import Client
from usernym.contact_list import ContactList
from usernym.entries import Entries
from usernym.errors import Closed
from usernym.running import ClientOptions, RunningClient
from usernym.subscriptions import AsyncSubscription
from usernym.transfers import Transfers

H = TypeVar("H")
H_co = TypeVar("H_co", covariant=True)
P = ParamSpec("P")
T = TypeVar("T")

WORKERS: Final = 16
"""Calls of one client that may be under way at once; further ones wait. `subscribe` and `close` need none of these."""


class _Twin(Protocol[H_co]):
    """What awaits the methods of a handle."""

    @property
    def _handle(self) -> H_co: ...

    async def call(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Call a function on a thread."""
        ...


def _awaited(method: Callable[Concatenate[H, P], T]) -> Callable[Concatenate[_Twin[H], P], Coroutine[Any, Any, T]]:
    """A method of a handle as a coroutine function: same name, arguments, result, errors and docstring."""

    @functools.wraps(method)
    async def call(self: _Twin[H], /, *arguments: P.args, **keywords: P.kwargs) -> T:
        return await self.call(method, self._handle, *arguments, **keywords)

    return call


class AsyncClient:
    """A `Client` whose methods are awaited. Entering its context opens the home, leaving it closes the client.

    The arguments are those of `Client.open`, and so are the errors of entering. If entering is cancelled, what was
    opened so far is closed before the cancellation continues, so the home is free again. A call that is cancelled
    continues on its thread, as after `NotReady`; its result is dropped.
    """

    def __init__(self, home: str | os.PathLike[str], **options: Unpack[ClientOptions]) -> None:
        self._home = Path(home)
        self._options = options
        self._running = RunningClient()
        self._client: Client | None = None
        self.files = AsyncTransfers(self, lambda client: client.files)
        """Its files and pictures."""
        self.entries = AsyncEntries(self, lambda client: client.entries)
        """Its conversations with the files among the texts."""
        self.contact_list = AsyncContactList(self, lambda client: client.contact_list)
        """Its contacts in the order of their newest texts."""
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="usernym")

    async def __aenter__(self) -> Self:
        opening = self._submit(self._threads, self._running.start, self._home, **self._options)
        try:
            words = await asyncio.shield(opening)
        except BaseException:
            opening.add_done_callback(_forget)
            await self.close()  # ends the opening: at once if it is waiting for the node
            raise
        self._client = Client(self._running, words)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop the actors, close the store, release the home. Closing twice is harmless.

        Calls that are under way raise `Closed`; subscriptions end. If this is cancelled, it closes anyway before
        the cancellation continues.
        """
        # On a thread of its own: it must not wait for one that only closing would free.
        alone = ThreadPoolExecutor(1, thread_name_prefix="usernym-close")
        stopping = self._submit(alone, self._running.stop)
        alone.shutdown(wait=False)
        self._threads.shutdown(wait=False)
        await _whole(stopping)

    @property
    def client(self) -> Client:
        """The open client. Its methods block: call them on threads only, as `call` does."""
        if self._client is None:
            raise RuntimeError("use `async with`")
        return self._client

    @property
    def _handle(self) -> Client:
        return self.client

    @property
    def name(self) -> str:
        """The user's name."""
        return self.client.name

    def take_recovery_words(self) -> str | None:
        """The twelve recovery words of an identity that this client made when it was opened; None otherwise.

        Show them to the person: they are stored nowhere, this object forgets them now, and the home notes that they
        have been shown. What ends the program before that must not lose them: `words_to_show` first, then this.
        """
        return self.client.take_recovery_words()

    def subscribe(self) -> AsyncSubscription:
        """Events from now on: `async with me.subscribe() as events: async for event in events: …`.

        As `Client.subscribe`, for the running event loop. Any number may be open, and waiting may be cancelled.
        """
        return AsyncSubscription(self._running.events)

    async def call(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Call a function that may wait on one of this client's threads, e.g. one that calls several methods."""
        try:
            work = self._submit(self._threads, function, *arguments, **keywords)
        except RuntimeError:
            raise Closed("the client is closed") from None
        return await work

    def _submit(
        self, threads: Executor, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs
    ) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(threads, functools.partial(function, *arguments, **keywords))

    whoami = _awaited(Client.whoami)
    words_to_show = _awaited(Client.words_to_show)
    register = _awaited(Client.register)
    go_online = _awaited(Client.go_online)
    take_card = _awaited(Client.take_card)
    replace_identity = _awaited(Client.replace_identity)
    delete_account = _awaited(Client.delete_account)

    send = _awaited(Client.send)
    follow = _awaited(Client.follow)
    retry = _awaited(Client.retry)
    cancel = _awaited(Client.cancel)
    message = _awaited(Client.message)
    messages_by_id = _awaited(Client.messages_by_id)
    conversation = _awaited(Client.conversation)
    search = _awaited(Client.search)
    search_part = _awaited(Client.search_part)
    unread = _awaited(Client.unread)
    mark_read = _awaited(Client.mark_read)
    erase = _awaited(Client.erase)
    erase_conversation = _awaited(Client.erase_conversation)
    set_disappearing = _awaited(Client.set_disappearing)

    contacts = _awaited(Client.contacts)
    contact = _awaited(Client.contact)
    look_up = _awaited(Client.look_up)
    link = _awaited(Client.link)
    add_link = _awaited(Client.add_link)
    set_verified = _awaited(Client.set_verified)
    requests = _awaited(Client.requests)
    accept = _awaited(Client.accept)
    decline = _awaited(Client.decline)
    block = _awaited(Client.block)

    offer_handshake = _awaited(Client.offer_handshake)
    accept_handshake = _awaited(Client.accept_handshake)
    revoke_handshake = _awaited(Client.revoke_handshake)
    set_direct_only = _awaited(Client.set_direct_only)

    change_passphrase = _awaited(Client.change_passphrase)
    export_backup = _awaited(Client.export_backup)
    import_backup = _awaited(Client.import_backup)
    evidence = _awaited(Client.evidence)
    counters = _awaited(Client.counters)


class _AsyncHandle(Generic[H]):
    """A handle of an `AsyncClient`: the `Client`'s handle of the same name, awaited."""

    def __init__(self, client: AsyncClient, of: Callable[[Client], H]) -> None:
        self._client = client
        self._of = of
        self.call = client.call

    @property
    def _handle(self) -> H:
        return self._of(self._client.client)


class AsyncTransfers(_AsyncHandle[Transfers]):
    """The `Transfers` of an `AsyncClient`, as `client.files`: `await client.files.send("bob", "report.pdf")`."""

    send = _awaited(Transfers.send)
    page = _awaited(Transfers.page)
    get = _awaited(Transfers.get)
    content = _awaited(Transfers.content)
    picture = _awaited(Transfers.picture)
    save = _awaited(Transfers.save)
    cancel = _awaited(Transfers.cancel)
    erase = _awaited(Transfers.erase)
    mark_read = _awaited(Transfers.mark_read)


class AsyncEntries(_AsyncHandle[Entries]):
    """The `Entries` of an `AsyncClient`, as `client.entries`."""

    page = _awaited(Entries.page)
    one = _awaited(Entries.one)
    waiting = _awaited(Entries.waiting)
    files_at = _awaited(Entries.files_at)


class AsyncContactList(_AsyncHandle[ContactList]):
    """The `ContactList` of an `AsyncClient`, as `client.contact_list`."""

    page = _awaited(ContactList.page)
    one = _awaited(ContactList.one)
    find = _awaited(ContactList.find)
    counts = _awaited(ContactList.counts)
    unread = _awaited(ContactList.unread)
    mark_read = _awaited(ContactList.mark_read)
    set = _awaited(ContactList.set)
    draft = _awaited(ContactList.draft)
    set_draft = _awaited(ContactList.set_draft)


async def _whole(work: asyncio.Future[T]) -> T:
    """Wait for work that must be done to its end; a cancellation that comes meanwhile is raised after it."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:  # noqa: BLE001 - raised by `result` below
            break
    if cancelled is not None:
        raise cancelled
    return work.result()


def _forget(work: asyncio.Future[Any]) -> None:
    """Take the outcome of work that is no longer wanted, so that asyncio does not log it."""
    if not work.cancelled():
        work.exception()
