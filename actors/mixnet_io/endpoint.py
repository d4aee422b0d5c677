"""What mixnet I/O does alike in every graph: bytes on the side of the mixnet, typed messages on the other.

docs/protocol.md, "Frames". It never reads a store, and never decides about a name.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, assert_never

from usernym.actors.base import Actor, Tellable
from usernym.actors.failures import MixnetLost
from usernym.actors.messages import MixnetConnected, MixnetDisconnected, TransportReported
from usernym.actors.runtime import Runtime
from usernym.logger import logger
from usernym.mixnet.transport import Incoming, MixnetError, Transport, TransportDown, TransportEvent, TransportUp
from usernym.protocol import messages as m
from usernym.protocol.codec import Unsigned, encode_signed, encode_unsigned, is_signed
from usernym.protocol.errors import LocalProtocolError
from usernym.protocol.limits import BOOT_ID_BYTES
from usernym.protocol.signing import SigningKey

FRAMES_WAITING_MAX: Final = 4_000
"""Frames in the inbox; at Nym's 50 packets a second, more than a minute of them. More are dropped."""
BYTES_WAITING_MAX: Final = 16 * 1024 * 1024
"""Their bytes: two and a half times as many full packets as that, or 250 of the largest frames."""

Watcher = Tellable[MixnetConnected | MixnetDisconnected]
"""An actor that learns of the mixnet client's coming and going."""


class InboxLimit:
    """Counts bytes in and out. `admit` is called on the transport's threads, `taken` on the actor's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = 0

    def admit(self, size: int, frames_waiting: int) -> bool:
        """Whether a frame of `size` bytes may join the `frames_waiting` that wait; then its bytes count."""
        with self._lock:
            if frames_waiting >= FRAMES_WAITING_MAX or self._bytes + size > BYTES_WAITING_MAX:
                return False
            self._bytes += size
            return True

    def taken(self, size: int) -> None:
        """A frame that was admitted is out of the inbox."""
        with self._lock:
            self._bytes -= size


class MixnetEndpoint:
    """The graph's end of the mixnet. Owned by `actor`, and used in its thread, but for what the transport reports.

    signer: the node's or the user's key. node: the node's identity key (32 bytes). on_mixnet: called with the reason
    each time that there is no mixnet client, and with None when there is one.
    """

    def __init__(
        self,
        actor: Actor[Any],
        runtime: Runtime,
        transport: Transport,
        signer: SigningKey,
        node: bytes,
        watchers: Sequence[Watcher],
        on_mixnet: Callable[[str | None], None],
    ) -> None:
        self._actor = actor
        self._runtime = runtime
        self._transport = transport
        self._signer = signer
        self._node = node
        self._watchers = watchers
        self._on_mixnet = on_mixnet
        self._counts = actor.counts
        self._opened = False
        self._inbox_limit = InboxLimit()
        self.address: bytes | None = None
        """The mixnet client's, or the last one's; None: there has been none."""
        self._left: bytes | None = None
        """The address that was given up by a renewal."""
        self.up = False
        """Whether there is a mixnet client."""

    def open(self) -> None:
        """Open the transport, once: it outlives a bug of the actor."""
        if not self._opened:
            self._opened = True
            self._transport.open(self._on_event)

    def _on_event(self, event: TransportEvent) -> None:
        """Called on the transport's thread. A flood is dropped here, before it takes memory."""
        if isinstance(event, Incoming) and not self._inbox_limit.admit(len(event.data), self._actor.backlog()):
            self._counts["frames_dropped"] += 1
        else:
            self._actor.tell_self(TransportReported(event))

    def take(self, event: TransportEvent) -> Incoming | None:
        """Act on what the transport reports; returns what came over it.

        A transport that ended for good has tried new clients already: its graph has to end, so that the program gets a
        clear error instead of silence.
        """
        match event:
            case Incoming(data):
                self._inbox_limit.taken(len(data))
                self._counts["frames_received"] += 1
                return event
            case TransportUp(address) if address == self._left:
                pass  # reported before the renewal, and over by now
            case TransportUp(address, older):
                self.address = address
                self._set_up(
                    None, MixnetConnected(address, self._runtime.random_bytes(BOOT_ID_BYTES), older, self.fresh_tags)
                )
            case TransportDown(reason, final):
                self._set_up(reason, MixnetDisconnected(reason))
                if final:
                    self._actor.give_up(MixnetLost(reason))
            case _:
                assert_never(event)
        return None

    def _set_up(self, problem: str | None, news: MixnetConnected | MixnetDisconnected) -> None:
        self.up = problem is None
        self._counts["mixnet_up"] = int(self.up)
        self._on_mixnet(problem)
        if problem is None:
            logger.info("the mixnet client is there")
        else:
            logger.warning("the mixnet client is not there")
        for watcher in self._watchers:
            watcher.tell(news)

    def renew(self, *, keep_address: bool) -> bool:
        """See `Transport`. Nothing is sent until the new mixnet client is there: what was given from one must not count
        for the other."""
        if not self._transport.renew(keep_address=keep_address):
            return False
        self._left, self.up = None if keep_address else self.address, False
        return True

    def surbs_out(self) -> int | None:
        """See `Transport`."""
        return self._transport.surbs_out()

    @property
    def surb_bytes(self) -> int:
        """What one SURB takes in a message."""
        return self._transport.surb_bytes

    def encode(self, message: m.Message) -> bytes:
        """The frame of a message, signed if its kind is."""
        if is_signed(message):
            return encode_signed(message, self._signer, self._node)
        return encode_unsigned(message)

    @property
    def fresh_tags(self) -> bool:
        """See `Transport`."""
        return self._transport.fresh_tags

    def send(self, address: bytes, message: m.Message, surbs: int, counter: str, *, fresh_tag: bool = False) -> None:
        self.send_frame(address, lambda: self.encode(message), surbs, counter, fresh_tag=fresh_tag)

    def send_frame(
        self, address: bytes, frame: Callable[[], bytes], surbs: int, counter: str, *, fresh_tag: bool = False
    ) -> None:
        """Send a frame to an address, if there is a mixnet client."""
        if self.up:
            self._hand_over(lambda: self._transport.send(address, frame(), surbs, fresh_tag=fresh_tag), counter)
        else:
            self._counts["unsent"] += 1

    def reply(self, tag: bytes, reply: Unsigned) -> None:
        """Send a signed frame over SURBs that came with the tag."""
        self._hand_over(lambda: self._transport.reply(tag, reply.sign(self._signer, self._node)), "replies_sent")

    def _hand_over(self, send: Callable[[], None], counter: str) -> None:
        """Encode and send one frame. One that can't be encoded costs itself alone: a peer may have brought it about."""
        try:
            send()
            self._counts[counter] += 1
        except MixnetError as error:
            self._counts["unsent"] += 1
            logger.debug("not handed to the mixnet: %s", type(error).__name__)
        except LocalProtocolError as error:
            self._actor.drop_bug(error, "a frame of ours")
