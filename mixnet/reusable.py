"""A transport that outlives its users: one mixnet client, lent to one graph of actors after another.

A Nym client's address belongs to its process. When a graph is made again (the user's identity was replaced, say), the
client behind it stays.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from usernym.mixnet.transport import MixnetDown, MixnetError, Transport, TransportDown, TransportEvent, TransportUp


class KeptTransport:
    """Lends `inner`, which it opens for the first borrower and closes at `close`."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._opened = False
        self._state: TransportUp | TransportDown | None = None
        self._borrower: LentTransport | None = None

    def lend(self) -> LentTransport:
        """The transport, for someone who closes it before it is lent again."""
        return LentTransport(self)

    @property
    def surb_bytes(self) -> int:
        """See `Transport`."""
        return self._inner.surb_bytes

    @property
    def fresh_tags(self) -> bool:
        """See `Transport`."""
        return self._inner.fresh_tags

    def close(self) -> None:
        self._inner.close()

    def begin(self, borrower: LentTransport) -> None:
        """For `LentTransport`: from now on events are this one's."""
        with self._lock:
            if self._borrower is not None:
                raise MixnetError("this transport is in use")
            self._borrower = borrower
            if self._state is not None:
                borrower.on_event(self._state)
            opened, self._opened = self._opened, True
        if not opened:
            self._inner.open(self._on_event)

    def end(self, borrower: LentTransport) -> None:
        """For `LentTransport`: no event comes to it any more."""
        with self._lock:
            if self._borrower is borrower:
                self._borrower = None

    def inner_of(self, borrower: LentTransport) -> Transport:
        """For `LentTransport`: the transport that it uses, while it has it."""
        if self._borrower is not borrower:
            raise MixnetDown("this transport was given back")
        return self._inner

    def _on_event(self, event: TransportEvent) -> None:
        with self._lock:
            if isinstance(event, TransportUp | TransportDown):
                self._state = event
            if self._borrower is not None:
                self._borrower.on_event(event)


class LentTransport:
    """See `Transport`."""

    def __init__(self, kept: KeptTransport) -> None:
        self._kept = kept
        self.on_event: Callable[[TransportEvent], None] = _nobody

    def open(self, on_event: Callable[[TransportEvent], None]) -> None:
        """See `Transport`. Raises `MixnetError` while someone else has it."""
        self.on_event = on_event
        self._kept.begin(self)

    @property
    def fresh_tags(self) -> bool:
        """See `Transport`."""
        return self._kept.fresh_tags

    def send(self, recipient: bytes, data: bytes, surbs: int, *, fresh_tag: bool = False) -> None:
        self._kept.inner_of(self).send(recipient, data, surbs, fresh_tag=fresh_tag)

    def reply(self, sender_tag: bytes, data: bytes) -> None:
        self._kept.inner_of(self).reply(sender_tag, data)

    @property
    def surb_bytes(self) -> int:
        """See `Transport`."""
        return self._kept.surb_bytes

    def surbs_out(self) -> int | None:
        """See `Transport`."""
        return self._kept.inner_of(self).surbs_out()

    def renew(self, *, keep_address: bool = False) -> bool:
        """See `Transport`."""
        return self._kept.inner_of(self).renew(keep_address=keep_address)

    def close(self) -> None:
        """Give it back. What was handed over still leaves."""
        self._kept.end(self)


def _nobody(_event: TransportEvent) -> None:
    """Before it is opened."""
