"""A real Nym network in this process for the tests that run over every network. Needs `nym_python_sdk`."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.helpers.mixnet_members import JoiningNetwork
from usernym.mixnet.addresses import format_address
from usernym.mixnet.nym_client import NymClientTransport
from usernym.mixnet.nym_sdk import NymSdkTransport
from usernym.mixnet.transport import Transport, TransportEvent, TransportUp
from usernym.protocol.limits import SURBS_WITHHELD

DELAY_SCALE: Final = 0.05
"""Hops wait a twentieth of what packets ask for: under a millisecond each."""


TOPOLOGY_REFRESH_S: Final = 1.0
"""How often clients read the directory; by default five minutes."""


class _Noted:
    """A transport whose address someone wants to know."""

    def __init__(self, transport: Transport, note: Callable[[bytes], None]) -> None:
        self._transport = transport
        self._note = note
        self.send = transport.send
        self.reply = transport.reply
        self.renew = transport.renew
        self.surb_bytes = transport.surb_bytes
        self.surbs_out = transport.surbs_out
        self.fresh_tags = transport.fresh_tags
        self.close = transport.close

    def open(self, on_event: Callable[[TransportEvent], None]) -> None:
        """See `Transport`."""

        def handle(event: TransportEvent) -> None:
            if isinstance(event, TransportUp):
                self._note(event.address)
            on_event(event)

        self._transport.open(handle)


def local_network() -> Any:
    """A started `LocalNetwork`. The package is looked for only here."""
    from nym_python_sdk.testing import LocalNetwork

    return LocalNetwork(delay_scale=DELAY_SCALE, seed=1).__enter__()


class _LocalNetwork(JoiningNetwork):
    """What both have in common: the network, and its faults."""

    speed_up = 4.0

    def __init__(self) -> None:
        super().__init__()
        self.network = local_network()
        self.folder = Path(tempfile.mkdtemp(prefix="usernym-nym-"))
        self._names: list[str] = []
        self._addresses: dict[str, bytes] = {}
        self.traffic = "fast"
        """How clients send. What is lost comes again after 0.3 s, or with "no-cover" after 1.5 s."""

    def gateway_of(self, name: str) -> str:
        """Clients take the gateways in turn, so that neighbours have different ones."""
        if name not in self._names:
            self._names.append(name)
        gateways: tuple[str, ...] = self.network.gateways
        return gateways[self._names.index(name) % len(gateways)]

    def set_loss(self, share: float) -> None:
        self.network.set_loss(share)

    def address_of(self, name: str) -> bytes:
        return self._addresses[name]

    def noted(self, name: str, transport: Transport) -> Transport:
        """The same, but what address it has is known here once it is up."""
        return _Noted(transport, lambda address: self._addresses.update({name: address}))

    def packets(self, address: bytes) -> int:
        counters = self.network.counters()
        return int(counters.clients[format_address(address)].injected.data)

    def rotate_keys(self) -> None:
        """Old and new keys hold for a while, in which clients read the directory: seconds here, an epoch else."""
        self.network.rotate_keys()
        time.sleep(3 * TOPOLOGY_REFRESH_S)
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
        config = self.network.client_config(
            traffic=self.traffic, gateway=self.gateway_of(name), topology_refresh=TOPOLOGY_REFRESH_S
        )
        return self.noted(name, NymSdkTransport(self.folder / name, config))


class LocalWebsocketNetwork(_LocalNetwork):
    """`NymClientTransport`s over the websockets that a `LocalNetwork` serves, one for each client."""

    def __init__(self) -> None:
        super().__init__()
        self._served: dict[str, Any] = {}

    def transport(self, name: str) -> Transport:
        if name not in self._served:
            self._served[name] = self._serve(name, 0)
        return self.noted(name, NymClientTransport(self._served[name].url))

    def _serve(self, name: str, port: int) -> Any:
        return self.network.serve_websocket(
            name,
            traffic=self.traffic,
            gateway=self.gateway_of(name),
            surbs_withheld=SURBS_WITHHELD,
            topology_refresh=TOPOLOGY_REFRESH_S,
            storage=self.folder / name,
            port=port,
        )

    def gateways_up(self) -> None:
        """A nym-client's process ends when its gateway stays away; anyone who runs one lets it be started again."""
        super().gateways_up()
        for name, served in self._served.items():
            if not served.status().alive:
                served.close()
                self._served[name] = self._serve(name, int(served.url.rpartition(":")[2]))
