"""The client for asyncio: the same methods, awaited. Nothing here blocks the event loop."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from usernym.actors.events import Event
from usernym.client import Client, Wait
from usernym.protocol.cards import NodeCard
from usernym.running import TIMEOUT_S
from usernym.storage.client.archive import Imported
from usernym.views import ContactView, MessageView, RequestView, Sent, Whoami

T = TypeVar("T")

WORKERS: Final = 16
"""Calls of one client that may wait at the same time."""


class AsyncClient:
    """`async with AsyncClient(home, ...) as alice: await alice.send("bob", "hi")`. Arguments are those of `Client`."""

    def __init__(self, home: Any, **settings: Any) -> None:
        self._make: Callable[[], Client] = functools.partial(Client, home, **settings)
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="usernym")
        self._client: Client | None = None

    async def _run(self, call: Callable[..., T], *arguments: Any, **keywords: Any) -> T:
        bound = functools.partial(call, *arguments, **keywords)
        return await asyncio.get_running_loop().run_in_executor(self._pool, bound)

    @property
    def client(self) -> Client:
        """The client behind this one."""
        if self._client is None:
            raise RuntimeError("use `async with`")
        return self._client

    async def __aenter__(self) -> Self:
        self._client = await self._run(self._make)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
        self._pool.shutdown(wait=False)

    @property
    def name(self) -> str:
        """The username."""
        return self.client.name

    @property
    def recovery_words(self) -> str | None:
        """See `Client`."""
        return self.client.recovery_words

    async def close(self) -> None:
        """See `Client.close`. Leaving the context does so, too."""
        await self._run(self.client.close)

    async def register(self, timeout: float = TIMEOUT_S) -> None:
        """See `Client.register`."""
        await self._run(self.client.register, timeout)

    async def go_online(self, timeout: float = TIMEOUT_S) -> None:
        """See `Client.go_online`."""
        await self._run(self.client.go_online, timeout)

    async def replace_identity(self, words: str, timeout: float = TIMEOUT_S) -> None:
        """See `Client.replace_identity`."""
        await self._run(self.client.replace_identity, words, timeout)

    async def delete_account(self, timeout: float = TIMEOUT_S) -> int:
        """See `Client.delete_account`."""
        return await self._run(self.client.delete_account, timeout)

    async def change_passphrase(self, old: str | None, new: str | None, *, unprotected: bool = False) -> None:
        """See `Client.change_passphrase`."""
        await self._run(self.client.change_passphrase, old, new, unprotected=unprotected)

    async def export_backup(self, folder: str | os.PathLike[str], passphrase: str) -> None:
        """See `Client.export_backup`."""
        await self._run(self.client.export_backup, folder, passphrase)

    async def import_backup(self, folder: str | os.PathLike[str], passphrase: str) -> Imported:
        """See `Client.import_backup`."""
        return await self._run(self.client.import_backup, folder, passphrase)

    async def take_card(self, card: str | NodeCard, timeout: float = TIMEOUT_S) -> bool:
        """See `Client.take_card`."""
        return await self._run(self.client.take_card, card, timeout)

    async def look_up(self, name: str, timeout: float = TIMEOUT_S) -> ContactView:
        """See `Client.look_up`."""
        return await self._run(self.client.look_up, name, timeout)

    async def link(self) -> str:
        """See `Client.link`."""
        return await self._run(self.client.link)

    async def add_link(self, text: str, timeout: float = TIMEOUT_S) -> ContactView:
        """See `Client.add_link`."""
        return await self._run(self.client.add_link, text, timeout)

    async def send(self, name: str, text: str, *, wait: Wait = "accepted", timeout: float = TIMEOUT_S) -> Sent:
        """See `Client.send`."""
        return await self._run(self.client.send, name, text, wait=wait, timeout=timeout)

    async def cancel(self, message_id: str, timeout: float = TIMEOUT_S) -> bool:
        """See `Client.cancel`."""
        return await self._run(self.client.cancel, message_id, timeout)

    async def retry(self, name: str, message_id: str, timeout: float = TIMEOUT_S, *, wait: Wait = "queued") -> Sent:
        """See `Client.retry`."""
        return await self._run(self.client.retry, name, message_id, timeout, wait=wait)

    def events(self, timeout: float | None = None) -> AsyncIterator[Event]:
        """See `Client.events`: subscribed when this is called, which does not block."""
        iterator = self.client.events(timeout)

        async def generate() -> AsyncIterator[Event]:
            while (event := await self._run(next, iterator, None)) is not None:
                yield event

        return generate()

    async def conversation(
        self, name: str, limit: int = 100, before: MessageView | int | None = None
    ) -> list[MessageView]:
        """See `Client.conversation`."""
        return await self._run(self.client.conversation, name, limit, before)

    async def search(
        self, text: str, *, name: str | None = None, limit: int = 100, before: MessageView | None = None
    ) -> list[tuple[str, MessageView]]:
        """See `Client.search`."""
        return await self._run(self.client.search, text, name=name, limit=limit, before=before)

    async def erase(self, messages: Iterable[MessageView]) -> int:
        """See `Client.erase`."""
        return await self._run(self.client.erase, messages)

    async def erase_conversation(self, name: str) -> int:
        """See `Client.erase_conversation`."""
        return await self._run(self.client.erase_conversation, name)

    async def set_disappearing(self, name: str, seconds: int | None) -> None:
        """See `Client.set_disappearing`."""
        await self._run(self.client.set_disappearing, name, seconds)

    async def unread(self, limit: int = 1000) -> list[tuple[str, MessageView]]:
        """See `Client.unread`."""
        return await self._run(self.client.unread, limit)

    async def mark_read(self, messages: Iterable[MessageView]) -> None:
        """See `Client.mark_read`."""
        await self._run(self.client.mark_read, messages)

    async def contacts(self) -> list[ContactView]:
        """See `Client.contacts`."""
        return await self._run(self.client.contacts)

    async def contact(self, name: str) -> ContactView:
        """See `Client.contact`."""
        return await self._run(self.client.contact, name)

    async def set_verified(self, name: str, verified: bool, *, identity_key: str | None = None) -> None:
        """See `Client.set_verified`."""
        await self._run(self.client.set_verified, name, verified, identity_key=identity_key)

    async def requests(self, *, declined: bool = False) -> list[RequestView]:
        """See `Client.requests`."""
        return await self._run(self.client.requests, declined=declined)

    async def accept(self, name: str) -> None:
        """See `Client.accept`."""
        await self._run(self.client.accept, name)

    async def decline(self, name: str) -> None:
        """See `Client.decline`."""
        await self._run(self.client.decline, name)

    async def block(self, name: str) -> None:
        """See `Client.block`."""
        await self._run(self.client.block, name)

    async def offer_handshake(self, name: str, timeout: float = TIMEOUT_S) -> None:
        """See `Client.offer_handshake`."""
        await self._run(self.client.offer_handshake, name, timeout)

    async def accept_handshake(self, name: str, timeout: float = TIMEOUT_S) -> None:
        """See `Client.accept_handshake`."""
        await self._run(self.client.accept_handshake, name, timeout)

    async def revoke_handshake(self, name: str, timeout: float = TIMEOUT_S) -> None:
        """See `Client.revoke_handshake`."""
        await self._run(self.client.revoke_handshake, name, timeout)

    async def set_direct_only(self, name: str, direct_only: bool) -> None:
        """See `Client.set_direct_only`."""
        await self._run(self.client.set_direct_only, name, direct_only)

    async def whoami(self) -> Whoami:
        """See `Client.whoami`."""
        return await self._run(self.client.whoami)

    async def counters(self, timeout: float = 5.0) -> dict[str, dict[str, int]]:
        """See `Client.counters`."""
        return await self._run(self.client.counters, timeout)
