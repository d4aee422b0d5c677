"""What a network has counted, as frozen values."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class PacketCount:
    """Packets by size: acknowledgements, and data (everything larger).

    A hop cannot tell cover packets, retransmissions and the clients' own SURB requests from messages: all are `data`.
    """

    data: int
    acks: int

    @property
    def all(self) -> int:
        return self.data + self.acks


def _counts(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Every nested object is a count."""
    return {name: PacketCount(**value) if isinstance(value, dict) else value for name, value in raw.items()}


@dataclass(frozen=True)
class HopCounters:
    """One node.

    - `injected`: handed in by clients of this gateway, before any fault;
    - `received`: arrived from another node, before any fault; `forwarded`: processed and sent on to the next;
    - `delivered`: given to, or kept for, a client of this gateway;
    - `dropped`: lost to a fault (loss, an exact drop, a gateway that is down);
    - `expired`: made for a key that is not accepted any more; `undecodable`: for none of this node's keys;
    - `refused`: for a client that is not registered here or whose store is full, or too many packets under way.
    """

    name: str
    layer: int
    identity: str
    injected: PacketCount
    received: PacketCount
    forwarded: PacketCount
    delivered: PacketCount
    dropped: PacketCount
    expired: PacketCount
    undecodable: PacketCount
    refused: PacketCount


@dataclass(frozen=True)
class ClientCounters:
    """One client, as its gateway sees it.

    - `injected`: handed to its gateway; `delivered`: written to its connection;
    - `stored`: came while it was not connected; `held` of all that came wait at the gateway now;
    - `refused`: its store was full; `forgotten`: kept for more than a day, or discarded by a fault;
    - `connections`: so far; the first client of an identity makes two, one to register and one to stay.
    """

    identity: str
    gateway: str
    connected: bool
    held: int
    connections: int
    injected: PacketCount
    delivered: PacketCount
    stored: PacketCount
    refused: PacketCount
    forgotten: PacketCount


class Clients(Mapping[str, ClientCounters]):
    """The clients by their Nym address (``identity.encryption@gateway``), or by the part that gateways know of it
    (``identity@gateway``), which is also what iteration gives."""

    def __init__(self, clients: Mapping[str, ClientCounters]) -> None:
        self._clients = dict(clients)

    def __getitem__(self, address: str) -> ClientCounters:
        client, _, gateway = address.partition("@")
        try:
            return self._clients[f"{client.partition('.')[0]}@{gateway}"]
        except KeyError:
            raise KeyError(address) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._clients)

    def __len__(self) -> int:
        return len(self._clients)

    def __repr__(self) -> str:
        return f"Clients({self._clients!r})"


@dataclass(frozen=True)
class Counters:
    """A snapshot. Each number is exact; with packets under way (`in_flight`) they are of slightly different moments.

    `hops` has the gateways first, then the layers.
    """

    hops: tuple[HopCounters, ...]
    clients: Clients
    in_flight: int
    rotation_id: int

    @classmethod
    def _from_json(cls, text: str) -> Self:
        raw = json.loads(text)
        clients = (ClientCounters(**_counts(client)) for client in raw["clients"])
        return cls(
            hops=tuple(HopCounters(**_counts(hop)) for hop in raw["hops"]),
            clients=Clients({f"{client.identity}@{client.gateway}": client for client in clients}),
            in_flight=raw["in_flight"],
            rotation_id=raw["rotation_id"],
        )

    def hop(self, name: str) -> HopCounters:
        """The node of this name (``gateway-1``, ``mix-2-1``); `KeyError` where there is none."""
        for hop in self.hops:
            if hop.name == name:
                return hop
        raise KeyError(name)

    def received(self, layer: int) -> PacketCount:
        """What arrived at all nodes of a layer, 1 to 3; 0 is the gateways, each packet's last hop."""
        hops = [hop.received for hop in self.hops if hop.layer == layer]
        return PacketCount(data=sum(hop.data for hop in hops), acks=sum(hop.acks for hop in hops))
