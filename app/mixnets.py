"""From what a person writes for a mixnet to the transport that speaks to it."""

from __future__ import annotations

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
