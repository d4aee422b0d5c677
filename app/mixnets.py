"""From what a person writes for a mixnet to the transport that speaks to it."""

from __future__ import annotations

from collections.abc import Sequence

from usernym.mixnet.joined import JoinedTransport
from usernym.mixnet.nym_client import NymClientTransport
from usernym.mixnet.transport import Transport
from usernym.settings import SettingsError


def transport_to(mixnet: str) -> Transport:
    """A transport for `ws://host:port` (a nym-client, real or emulated). Raises `SettingsError` for anything else."""
    if mixnet.startswith("ws://"):
        try:
            return NymClientTransport(mixnet)
        except ValueError as error:
            raise SettingsError(str(error)) from None
    raise SettingsError(f"no such mixnet: {mixnet!r}; give the websocket of a nym-client, as ws://127.0.0.1:1977")


def moving_transport(mixnet: str | Transport, former: Sequence[str | Transport]) -> Transport:
    """A transport for `mixnet` at which the `former` ones are heard, too. Raises `SettingsError` as `transport_to`."""
    everywhere = (mixnet, *former)
    if len({each if isinstance(each, str) else id(each) for each in everywhere}) < len(everywhere):
        raise SettingsError("a former mixnet client is another one than the current")
    current, *others = (transport_to(each) if isinstance(each, str) else each for each in everywhere)
    try:
        return JoinedTransport(current, others) if others else current
    except ValueError as error:
        raise SettingsError(str(error)) from None
