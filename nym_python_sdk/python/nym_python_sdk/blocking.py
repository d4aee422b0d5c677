"""The client for plain threads."""

import time
from types import TracebackType
from typing import Self

from nym_python_sdk._native import NativeClient
from nym_python_sdk._types import Base, ReceivedMessage
from nym_python_sdk.errors import ClientClosed


class BlockingMixnetClient(Base):
    """A client of the Nym mixnet for programs without asyncio; any number of threads may use it at once.

    Every wait lets other threads run, and Ctrl-C ends it. Methods, errors and meanings are those of `MixnetClient`.
    """

    def connect(self) -> Self:
        """Connects; `with` does it by itself."""
        if self._native is not None:
            raise ClientClosed("the client was connected before; make a new one")
        self._started(NativeClient.connect(self._config, self._storage))
        return self

    def disconnect(self) -> None:
        """Ends the client once what was sent has left; its SURBs are saved, its storage is free. A second call does nothing."""
        if self._native is not None:
            self._native.disconnect()

    def send_plain(self, recipient: str, data: bytes) -> None:
        """Sends without SURBs and without the sender's address."""
        self._client().send(recipient, data, None)

    def send_anonymous(self, recipient: str, data: bytes, *, surbs: int, fresh_tag: bool = False) -> None:
        """Sends with a sender tag and `surbs` reply SURBs."""
        self._client().send(recipient, data, surbs, fresh_tag)

    def reply(self, sender_tag: bytes, data: bytes) -> None:
        """Answers an anonymous sender with the SURBs it gave."""
        self._client().reply(sender_tag, data)

    def receive(self, timeout: float | None = None) -> ReceivedMessage:
        """The next message, or `TimeoutError` after `timeout` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            message = self._next()
            if message is not None:
                return message
            left = None if end is None else max(0.0, end - time.monotonic())
            if not self._client().ready(left):
                raise TimeoutError(f"no message within {timeout} s")

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ReceivedMessage:
        """As `receive`; the loop ends when the client is disconnected and raises `ClientDied` when it died."""
        try:
            return self.receive()
        except ClientClosed:
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self.connect()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()
