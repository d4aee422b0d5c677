"""`make bench-nym`: one node on a real Nym network in this process, beside what the one client under it can send.

Needs `nym_python_sdk`. Network, node and load share one process, and so Python's lock. Hops wait for nothing, clients
have no cover traffic: what is measured is the work.
"""

from __future__ import annotations

import threading
import time

from nym_python_sdk.testing import LocalNetwork

from bench.load import opened
from bench.run import load_node
from usernym.mixnet.nym_sdk import NymSdkTransport
from usernym.mixnet.transport import Incoming, TransportEvent, TransportUp

LOOKUPS, FORWARDS_EACH, ONE_PACKET, SENT = 1_000, 25, bytes(1_400), 2_000


def one_client_sends(network: LocalNetwork) -> float:
    """One-packet messages a second that one client can send, through the transport that a node uses."""
    came, addresses = threading.Semaphore(0), []

    def on_event(event: TransportEvent) -> None:
        if isinstance(event, Incoming):
            came.release()
        elif isinstance(event, TransportUp):
            addresses.append(event.address)

    receiver = opened(NymSdkTransport(None, network.client_config()), on_event)
    sender = opened(NymSdkTransport(None, network.client_config()), lambda _event: None)
    began = time.perf_counter()
    for _ in range(SENT):
        sender.send(addresses[0], ONE_PACKET, 0)
    for _ in range(SENT):
        assert came.acquire(timeout=60.0), "a message is missing"
    took = time.perf_counter() - began
    sender.close()
    receiver.close()
    return SENT / took


def main() -> None:
    """Print the table."""
    with LocalNetwork(delay_scale=0.0) as network:
        base = one_client_sends(network)
        lookups, accepted = load_node(lambda: NymSdkTransport(None, network.client_config()), LOOKUPS, FORWARDS_EACH)
    print(f"\nOne node on a Nym network, beside {base:,.0f} one-packet messages a second that its client can send\n")
    print(f"  {'lookups answered':<32} {lookups:>8,.0f} /s   {lookups / base:6.1%} of that rate")
    print(f"  {'forwards on disk and accepted':<32} {accepted:>8,.0f} /s   {accepted / base:6.1%} of that rate")


if __name__ == "__main__":
    main()
