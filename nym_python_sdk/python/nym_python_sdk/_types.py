"""Small values that both clients hand out, and what they do alike."""

import contextlib
import os
import threading
import warnings
import weakref
from typing import NamedTuple

from nym_python_sdk._native import NativeClient, quiesce
from nym_python_sdk.config import ClientConfig
from nym_python_sdk.errors import ClientClosed, ClientDied, ForkError

#: Messages taken from the native queue at a time: enough to hide the cost of crossing, too few to hold memory.
BATCH = 64


class ReceivedMessage(NamedTuple):
    """One message. `sender_tag` (16 bytes) answers an anonymous sender by `reply`; None where there is no one to answer."""

    data: bytes
    sender_tag: bytes | None


class ClientCounts(NamedTuple):
    """Messages since the client connected, and what waits for the program now.

    `dropped` did not fit into the queue (`ClientConfig.queue_messages`, `queue_bytes`).
    """

    received: int
    dropped: int
    waiting: int
    waiting_bytes: int


#: Clients that are still connected; they end with the interpreter, so that their SURBs are saved.
_living: weakref.WeakSet["Base"] = weakref.WeakSet()


class Base:
    """What the asyncio client and the blocking client share: the state, never a wait."""

    def __init__(self, config: ClientConfig | None = None, *, storage: str | os.PathLike[str] | None = None) -> None:
        """With `storage`, a folder, the identity and its SURBs outlive the process; without, they are in memory only."""
        self._config = config if config is not None else ClientConfig()
        self._storage = None if storage is None else os.fspath(storage)
        self._native: NativeClient | None = None
        self._taken: list[ReceivedMessage] = []
        self._taking = threading.Lock()

    def _started(self, native: NativeClient) -> None:
        self._native = native
        _living.add(self)

    def _client(self) -> NativeClient:
        if self._native is None:
            raise ClientClosed("the client is not connected; use `with`, or call connect() first")
        return self._native

    def _next(self) -> ReceivedMessage | None:
        """The next message that is here already, in the order of arrival."""
        with self._taking:
            if not self._taken:
                self._taken = [ReceivedMessage(*message) for message in reversed(self._client().take(BATCH))]
            return self._taken.pop() if self._taken else None

    @property
    def address(self) -> str:
        """The client's Nym address. Anyone who knows it can write to it, and sees which gateway it uses."""
        return self._client().address

    @property
    def alive(self) -> bool:
        """False once the client was disconnected or died; a lost connection still counts as alive until it is noticed."""
        return self._native is not None and self._native.state()[0] == "running"

    @property
    def counts(self) -> ClientCounts:
        """Counts of the receive queue."""
        received, dropped, waiting, size = self._client().counts()
        kept = sum(len(message.data) for message in self._taken)
        return ClientCounts(received, dropped, waiting + len(self._taken), size + kept)

    def surbs_given(self) -> list[float]:
        """Ages in seconds of the reply SURBs that this client gave, to anyone, over which no packet has come back.

        It is the SDK's own account: what the SDK gives on request is in it (`ClientConfig.surbs_on_request`), and so are
        those that a stored client gave before, unless its process was killed. What was sent a moment ago may be missing.
        A packet that was lost on its way leaves its SURB in it, until its age is `ClientConfig.surb_age`.
        """
        return self._client().surbs_given()

    def surbs_held(self, sender_tag: bytes) -> int:
        """Reply SURBs of that sender which this client holds, those included that it withholds.

        The SDK spends them without notice, also on lost packets. Those that came with a message are counted a moment after
        the message. Raises `InvalidSenderTag`.
        """
        return self._client().surbs_held(sender_tag)

    def senders_held(self) -> int:
        """Senders whose reply SURBs this client holds, by their tags."""
        return self._client().senders_held()

    def raise_if_ended(self) -> None:
        """Raises `ClientDied` or `ClientClosed` when that is so."""
        state, reason = self._client().state()
        if state == "died":
            raise ClientDied(reason)
        if state != "running":
            raise ClientClosed("the client was disconnected")

    def __del__(self) -> None:
        # The native client ends itself when it is dropped, in the background; its SURBs may be saved too late.
        with contextlib.suppress(ForkError):
            if getattr(self, "_native", None) is not None and self.alive:
                warnings.warn(
                    f"{type(self).__name__} was never disconnected", ResourceWarning, stacklevel=2, source=self
                )


def end_all() -> None:
    """Disconnects all clients that are alive, in parallel; the interpreter calls it at its end."""
    living = [client._native for client in list(_living)]
    with contextlib.suppress(ForkError):
        for native in living:
            if native is not None:
                native.end()
        for native in living:
            if native is not None:
                native.disconnect()
    quiesce()
