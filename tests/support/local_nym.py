"""A real Nym network in this process for the tests that run over every network. Needs `nym_python_sdk`."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from mixnet_members import JoiningNetwork

from usernym.mixnet.addresses import format_address
from usernym.mixnet.nym_client import NymClientTransport
from usernym.mixnet.nym_sdk import NymSdkTransport
from usernym.mixnet.transport import Transport

DELAY_SCALE: Final = 0.05
"""Hops wait a twentieth of what packets ask for: under a millisecond each."""


def local_network() -> Any:
    """A started `LocalNetwork`. The package is looked for only here."""
    from nym_python_sdk.testing import LocalNetwork

    return LocalNetwork(delay_scale=DELAY_SCALE, seed=1).__enter__()


class _LocalNetwork(JoiningNetwork):
    """What both have in common: the network, and its faults."""

    def __init__(self) -> None:
        super().__init__()
        self.network = local_network()
        self.folder = Path(tempfile.mkdtemp(prefix="usernym-nym-"))
        self._names: list[str] = []

    def gateway_of(self, name: str) -> str:
        """Clients take the gateways in turn, so that neighbours have different ones."""
        if name not in self._names:
            self._names.append(name)
        gateways: tuple[str, ...] = self.network.gateways
        return gateways[self._names.index(name) % len(gateways)]

    def set_loss(self, share: float) -> None:
        self.network.set_loss(share)

    def packets(self, address: bytes) -> int:
        counters = self.network.counters()
        return int(counters.clients[format_address(address)].injected.data)

    def rotate_keys(self) -> None:
        self.network.rotate_keys()
        self.network.retire_old_keys()

    def cut(self, address: bytes) -> None:
        self.network.cut_client(format_address(address))

    def gateways_down(self) -> None:
        for gateway in self.network.gateways:
            self.network.stop_gateway(gateway)

    def gateways_up(self) -> None:
        for gateway in self.network.gateways:
            self.network.start_gateway(gateway)

    def close(self) -> None:
        self.close_members()
        self.network.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class LocalSdkNetwork(_LocalNetwork):
    """`NymSdkTransport`s over a `LocalNetwork`."""

    def transport(self, name: str) -> Transport:
        config = self.network.client_config(gateway=self.gateway_of(name))
        return NymSdkTransport(self.folder / name, config)


class LocalWebsocketNetwork(_LocalNetwork):
    """`NymClientTransport`s over the websockets that a `LocalNetwork` serves, one for each client."""

    def __init__(self) -> None:
        super().__init__()
        self._served: dict[str, Any] = {}

    def transport(self, name: str) -> Transport:
        if name not in self._served:
            self._served[name] = self.network.serve_websocket(name, gateway=self.gateway_of(name))
        return NymClientTransport(self._served[name].url)
