"""The client for asyncio."""

import asyncio
from types import TracebackType
from typing import Self

from nym_python_sdk._native import NativeClient
from nym_python_sdk._types import Base, ReceivedMessage
from nym_python_sdk.errors import ClientClosed


class MixnetClient(Base):
    """A client of the Nym mixnet for asyncio.

    ::

        async with MixnetClient() as client:
            await client.send_anonymous(address, b"hello", surbs=2)
            async for message in client:
                ...

    Any coroutine may be cancelled: a cancelled send was either taken whole or not at all, a cancelled receive loses nothing.
    """

    async def connect(self) -> Self:
        """Connects (registering with a gateway the first time). `async with` does it by itself.

        Raises `ConfigError`, `NetworkUnreachable`, `StorageError`.
        """
        if self._native is not None:
            raise ClientClosed("the client was connected before; make a new one")
        self._started(await NativeClient.connect_async(self._config, self._storage))
        return self

    async def disconnect(self) -> None:
        """Ends the client once what was sent has left; its SURBs are saved, its storage is free. A second call does nothing.

        What was received before can still be read. A cancelled wait does not stop the disconnecting.
        """
        if self._native is not None:
            await self._native.disconnect_async()

    async def send_plain(self, recipient: str, data: bytes) -> None:
        """Sends without SURBs and without the sender's address: the recipient cannot answer.

        Returns when the SDK has taken the message; when that takes long, the client is sending as fast as its settings permit.
        Nothing confirms arrival. Raises `InvalidRecipient`, `MessageError`, `ClientDied`, `ClientClosed`.
        """
        await self._client().send_async(recipient, data, None)

    async def send_anonymous(self, recipient: str, data: bytes, *, surbs: int, fresh_tag: bool = False) -> None:
        """As `send_plain`, with a sender tag and `surbs` reply SURBs (0 to `MAX_SURBS`), by which the recipient can answer.

        One SURB brings one packet (about 1,600 bytes) back, and is 460 bytes of the message. The tag is the same in all that
        this client sends to this recipient. With `fresh_tag` it stands for this message alone, and has one SURB at least. The
        recipient has to use this package, too: else it gets bytes that it can't read. It withholds none of these SURBs, asks
        for no others, and forgets them and the tag after `ClientConfig.fresh_tag_kept`.
        """
        await self._client().send_async(recipient, data, surbs, fresh_tag)

    async def reply(self, sender_tag: bytes, data: bytes) -> None:
        """Answers an anonymous sender with the SURBs it gave (`data` has at least one byte).

        A reply to a tag without SURBs is dropped by the SDK without notice. Raises `InvalidSenderTag`, `MessageError`,
        `ClientDied`, `ClientClosed`.
        """
        await self._client().reply_async(sender_tag, data)

    async def receive(self, timeout: float | None = None) -> ReceivedMessage:
        """The next message, or `TimeoutError` after `timeout` seconds. The mixnet does not keep the order of messages.

        Once the client has ended and everything received was read: `ClientClosed` or `ClientDied`.
        """
        async with asyncio.timeout(timeout):
            while True:
                message = self._next()
                if message is not None:
                    return message
                await self._client().ready_async()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ReceivedMessage:
        """As `receive`; the loop ends when the client is disconnected and raises `ClientDied` when it died."""
        try:
            return await self.receive()
        except ClientClosed:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()
