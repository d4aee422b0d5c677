"""A whole Nym network on loopback, inside the calling process, to test programs on without the internet.

    with LocalNetwork(seed=1) as network, BlockingMixnetClient(network.client_config()) as client:
        ...

See ``docs/local-network.md``.
"""

from nym_python_sdk.testing._counters import ClientCounters, Clients, Counters, HopCounters, PacketCount
from nym_python_sdk.testing._network import LocalNetwork, Packets, Traffic
from nym_python_sdk.testing._websocket import WebsocketClient, WebsocketStatus

__all__ = [
    "ClientCounters",
    "Clients",
    "Counters",
    "HopCounters",
    "LocalNetwork",
    "PacketCount",
    "Packets",
    "Traffic",
    "WebsocketClient",
    "WebsocketStatus",
]
