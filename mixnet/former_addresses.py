"""A mixnet client, and those that were used before it, as one `Transport`: how a program moves to another address.

Its address is the current client's. What arrives at a former client's address arrives here too, and is answered from
there: a reply needs the SURBs that were given to that client. Former clients only answer. Losing one is logged and not
reported: its senders find out by timeout.

A sender's tag gets one byte in front, which names the client it came to.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Final

from usernym.logger import logger
from usernym.mixnet.transport import Incoming, MixnetError, Transport, TransportEvent

FORMER_MAX: Final = 8
"""Former clients kept up at once; each is a program beside this one, or a whole mixnet client inside it."""
_CURRENT: Final = 0


class JoinedTransport:
    """A `Transport` over the current and the former mixnet clients. Raises `ValueError` for more than `FORMER_MAX`
    former ones."""

    def __init__(self, current: Transport, former: Sequence[Transport]) -> None:
        if len(former) > FORMER_MAX:
            raise ValueError(f"at most {FORMER_MAX} former mixnet clients")
        self._transports = (current, *former)

    def open(self, on_event: Callable[[TransportEvent], None]) -> None:
        """See `Transport`; the first event other than a message is the current client's."""
        for number, transport in enumerate(self._transports):
            transport.open(functools.partial(_report, number, on_event))

    @property
    def fresh_tags(self) -> bool:
        """See `Transport`: whether all of them do."""
        return all(transport.fresh_tags for transport in self._transports)

    def send(self, recipient: bytes, data: bytes, surbs: int, *, fresh_tag: bool = False) -> None:
        """See `Transport`: from the current client."""
        self._transports[_CURRENT].send(recipient, data, surbs, fresh_tag=fresh_tag)

    def reply(self, sender_tag: bytes, data: bytes) -> None:
        """See `Transport`: from the client to which the sender wrote."""
        if not sender_tag or sender_tag[0] >= len(self._transports):
            raise MixnetError("this tag came from none of these mixnet clients")
        self._transports[sender_tag[0]].reply(sender_tag[1:], data)

    @property
    def surb_bytes(self) -> int:
        """See `Transport`."""
        return self._transports[_CURRENT].surb_bytes

    def surbs_out(self) -> int | None:
        """See `Transport`: those of the current client."""
        return self._transports[_CURRENT].surbs_out()

    def renew(self, *, keep_address: bool = False) -> bool:  # noqa: ARG002 - see `Transport`
        """See `Transport`. A node stays as it is."""
        return False

    def close(self) -> None:
        """See `Transport`. All are closed, also if one of them fails to."""
        with contextlib.ExitStack() as stack:
            for transport in self._transports:
                stack.callback(transport.close)


def _report(number: int, on_event: Callable[[TransportEvent], None], event: TransportEvent) -> None:
    """What one of the clients reports."""
    if isinstance(event, Incoming):
        on_event(Incoming(event.data, None if event.sender_tag is None else bytes((number,)) + event.sender_tag))
    elif number == _CURRENT:
        on_event(event)
    else:
        logger.info("former mixnet client %d: %s", number, type(event).__name__)
