"""The one interface behind which every mixnet client stands.

A transport is a mixnet client as an application sees it: it has an address, sends messages to addresses with single-use
reply blocks (SURBs) attached, replies to sender tags, and reports what happens as events. It promises little, because
mixnet clients do: a message may be lost silently, arrive twice or out of order, and a reply to a dead tag vanishes
without notice. Anything more has to be built on top, end to end.

Events arrive on whatever thread the transport runs on; the receiver hands them to its own inbox at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

ADDRESS_BYTES: Final = 96
"""A Nym recipient: Ed25519 identity ‖ X25519 encryption key ‖ the gateway's Ed25519 identity."""

SENDER_TAG_BYTES: Final = 16
"""An anonymous sender tag: random, one per sender's process lifetime and recipient, or per message where that is asked
for (`Transport.fresh_tags`); not authenticated."""

MESSAGE_BYTES_MAX: Final = 256 * 1024
"""The largest message a transport takes, either way. Far above the largest protocol frame; it bounds allocation."""

SURBS_MAX: Final = 200
"""The most SURBs attached to one message: Nym's default cap on the stock kept for one sender."""


class MixnetError(Exception):
    """The mixnet client cannot do this now, or lies outside what it can do; the text says what to do about it."""


class MixnetDown(MixnetError):
    """There is no mixnet client to hand the message to; a `TransportUp` will say when there is one again."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message arrived. `sender_tag` is None when it came over a SURB, or carried no tag."""

    data: bytes = field(repr=False)
    sender_tag: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class TransportUp:
    """The mixnet client can be used. Every `TransportUp` may be a new lifetime: tags and SURB stocks may be gone."""

    address: bytes = field(repr=False)
    older: bool = False
    """Whether the mixnet client may have run before this process, and still have what others gave to it then."""


@dataclass(frozen=True, slots=True)
class TransportDown:
    """The mixnet client went away; the transport tries to come back by itself unless `final`."""

    reason: str
    final: bool = False


TransportEvent = Incoming | TransportUp | TransportDown


class Transport(Protocol):
    """A mixnet client. All methods may be called from any thread and return without waiting for the network."""

    @property
    def surb_bytes(self) -> int:
        """What one SURB takes in a message, by the library at hand; `SURB_BYTES` where it does not tell."""

    @property
    def fresh_tags(self) -> bool:
        """Whether it can send under tags of single messages, and takes what others sent so. It spends all SURBs of such
        a message, if need be, asks for no others, and forgets them with the tag after a minute."""

    def open(self, on_event: Callable[[TransportEvent], None]) -> None:
        """Start, and report to `on_event` from now on; the first event is `TransportUp` or `TransportDown`."""

    def send(self, recipient: bytes, data: bytes, surbs: int, *, fresh_tag: bool = False) -> None:
        """Send to an address, anonymously, with `surbs` reply SURBs. Queued, not delivered, on return.

        With `fresh_tag`, only where `fresh_tags` says so, its sender tag is this message's alone. It has a SURB at
        least, and can't be read where the recipient's transport does not take such tags.
        Raises `MixnetDown` when there is no client, `MixnetError` when the message is out of bounds.
        """

    def reply(self, sender_tag: bytes, data: bytes) -> None:
        """Reply to a sender over the SURBs it gave: one for each packet. Lost silently if the tag is unknown.

        Raises as `send` does. `data` must not be empty: receivers cannot decode an empty reply.
        """

    def surbs_out(self) -> int | None:
        """SURBs that this mixnet client gave, also by itself, and over which nothing has come back; None: it does not
        tell. What was handed over a moment ago may be missing."""

    def renew(self, *, keep_address: bool = False) -> bool:
        """Replace the mixnet client by a new one: with another address, or, with `keep_address`, with the same one and
        none of the keys of the SURBs that it gave. False, and nothing done, where that is not possible.

        `TransportDown` and `TransportUp` follow. Nothing comes over what was given before, and nothing to an address
        that is not kept.
        """

    def close(self) -> None:
        """Stop and wait until nothing runs any more; no event comes after. Closing twice is harmless."""
