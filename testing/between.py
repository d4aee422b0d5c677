"""What stands between a node and the mixnet in a simulation, and may alter what the node says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from usernym.mixnet.transport import Incoming, TransportEvent
from usernym.protocol import messages as m
from usernym.protocol.codec import decode, encode_signed
from usernym.protocol.errors import RemoteProtocolError
from usernym.testing.process import NodeProcess


class BetweenTransport:
    """A node's transport that hears what users ask. A subclass has `reply`."""

    def __init__(self, transport: Any, node: NodeProcess) -> None:
        self._transport = transport
        self._node = node
        self.address, self.client, self.renew = transport.address, transport.client, transport.renew
        self.surb_bytes, self.surbs_out = transport.surb_bytes, transport.surbs_out
        self.send, self.fresh_tags = transport.send, transport.fresh_tags

    def open(self, on_event: Callable[[TransportEvent], None]) -> None:
        """See `Transport`."""

        def watch(event: TransportEvent) -> None:
            if isinstance(event, Incoming) and event.sender_tag is not None:
                with suppress(RemoteProtocolError):
                    if not self.hears(decode(event.data).message, event.sender_tag):
                        return
            on_event(event)

        self._transport.open(watch)

    def close(self) -> None:
        """See `Transport`."""
        self._transport.close()

    def hears(self, _message: m.Message, _tag: bytes) -> bool:
        """Take note of what comes from a sender tag; whether the node gets it."""
        return True

    def sign(self, message: m.Message) -> bytes:
        """The frame of a message, signed by the node."""
        return encode_signed(message, self._node.key, self._node.key.public)
