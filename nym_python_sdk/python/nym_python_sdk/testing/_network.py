"""The network, from Python."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, Literal, Self

from nym_python_sdk._native import NativeNetwork
from nym_python_sdk.config import ClientConfig
from nym_python_sdk.errors import ConfigError, NymError
from nym_python_sdk.testing._counters import Counters
from nym_python_sdk.testing._websocket import WebsocketClient

#: How clients send: "fast" for tests (no cover traffic, no delays, a lost packet is sent again after 0.3 s), "no-cover"
#: (delays stay, as nym-client's ``--no-cover``), "default" (as on mainnet).
Traffic = Literal["fast", "no-cover", "default"]
#: Which packets a fault is for.
Packets = Literal["all", "data", "acks"]

_TRAFFIC: dict[str, dict[str, Any]] = {
    "fast": {
        "cover_traffic": False,
        "poisson_sending": False,
        "packet_delay": 0.0,
        "ack_delay": 0.0,
        "ack_wait": 0.3,
    },
    "no-cover": {"cover_traffic": False, "poisson_sending": False},
    "default": {},
}
_MAX_SEED = 2**64


class LocalNetwork:
    """Gateways, three layers of mixes and a directory on 127.0.0.1, in this process, for real clients.

    `with` (or `async with`, or `start` and `close`) runs it. Any thread may use it.

    - `gateways`, `mixes_per_layer`: how many, 1 to 64 each;
    - `seed`: of the nodes' keys and of all fault decisions; None takes a random one (see `seed`). The clients' keys, routes
      and delays come from the system's randomness: the same seed does not make a run the same, only the losses that each
      hop deals out, one packet after another;
    - `delay_scale`: factor on the delay that each packet asks for at each hop; with 0 each waits a millisecond;
    - `epoch`: seconds; every `rotation_epochs` of them the nodes' Sphinx keys rotate (see `rotate_keys`);
    - `directory_port`: 0 lets the system choose;
    - `state`: folder for what makes a later network the same to its clients (seed, ports, registrations, age of the keys);
      the packets that wait for clients are not kept.

    A *hop* is an arrival at a node: a message passes four (a mix of each layer, the recipient's gateway), its acknowledgement
    four more. Faults name hops by "all", "mixes", "layer1" to "layer3", "gateways", a node ("mix-2-1": layer 2, the first;
    "gateway-1") or a gateway's identity key. `ConfigError` for anything that names nothing or is out of its range; then
    nothing has changed.
    """

    def __init__(
        self,
        gateways: int = 2,
        mixes_per_layer: int = 2,
        seed: int | None = 1,
        delay_scale: float = 1.0,
        epoch: float = 3600.0,
        *,
        rotation_epochs: int = 24,
        directory_port: int = 0,
        state: str | os.PathLike[str] | None = None,
    ) -> None:
        if seed is not None and not 0 <= seed < _MAX_SEED:
            raise ConfigError(f"seed = {seed}: must be from 0 to 2**64 - 1")
        for name, value in (("gateways", gateways), ("mixes_per_layer", mixes_per_layer)):
            if not 1 <= value <= 64:
                raise ConfigError(f"{name} = {value}: must be from 1 to 64")
        if not 1 <= rotation_epochs <= 1000:
            raise ConfigError(f"rotation_epochs = {rotation_epochs}: must be from 1 to 1000")
        if not 0 <= directory_port < 65536:
            raise ConfigError(f"directory_port = {directory_port}: must be from 0 to 65535")
        self._settings: dict[str, Any] = {
            "gateways": gateways,
            "mixes_per_layer": mixes_per_layer,
            "seed": seed,
            "delay_scale": delay_scale,
            "epoch": epoch,
            "rotation_epochs": rotation_epochs,
            "directory_port": directory_port,
            "state": None if state is None else os.fspath(state),
        }
        self._native: NativeNetwork | None = None
        self._closed = False

    def start(self) -> Self:
        """Starts it; when this returns, clients can connect. `with` does it by itself."""
        if self._native is not None or self._closed:
            raise NymError("the network was started before; make a new one")
        self._native = NativeNetwork.start(**self._settings)
        return self

    def close(self) -> None:
        """Ends everything of it and waits for that; websockets it serves are closed too. Again: does nothing.

        Disconnect clients before: one that loses its gateway tries for a while to get it back.
        """
        native = self._end()
        if native is not None:
            native.close()

    def _end(self) -> NativeNetwork | None:
        native, self._native, self._closed = self._native, None, True
        return native

    def _network(self) -> NativeNetwork:
        if self._native is None:
            raise NymError("the network is closed" if self._closed else "the network is not started; use `with`")
        return self._native

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        native = self._end()
        if native is not None:
            await native.close_async()

    @property
    def seed(self) -> int:
        """Brings the same keys and losses back."""
        return self._network().seed

    @property
    def gateways(self) -> tuple[str, ...]:
        """The gateways' identity keys, base58: what `ClientConfig.gateway` takes and addresses end with."""
        return tuple(self._network().gateways)

    @property
    def directory_url(self) -> str:
        """All that a client needs to know of the network."""
        return self._network().directory_url

    @property
    def rotation_id(self) -> int:
        """Number of the present key rotation; the first is 1."""
        return self._network().rotation_id

    def topology_json(self) -> str:
        """The network as it is now, for `ClientConfig.topology` and nym-client's ``--custom-mixnet``.

        A client with a fixed topology does not follow a key rotation.
        """
        return self._network().topology_json()

    def client_config(self, *, traffic: Traffic = "fast", **overrides: Any) -> ClientConfig:
        """Settings of a client for this network; `overrides` are fields of `ClientConfig`."""
        if traffic not in _TRAFFIC:
            raise ConfigError(f"traffic = {traffic!r}: must be one of {', '.join(_TRAFFIC)}")
        fields = {"directory_url": self.directory_url, **_TRAFFIC[traffic], **overrides}
        return ClientConfig(**fields)

    def serve_websocket(
        self,
        name: str,
        *,
        gateway: str | None = None,
        storage: str | os.PathLike[str] | None = None,
        port: int = 0,
        traffic: Traffic = "fast",
        surbs_withheld: int = 10,
        topology_refresh: float = 300.0,
    ) -> WebsocketClient:
        """Connects a client and serves nym-client's websocket interface for it, on 127.0.0.1.

        `gateway`, `surbs_withheld`, `topology_refresh` (seconds): as in `ClientConfig`, with nym-client's defaults. With
        `storage`, a folder, the identity and its SURBs outlive the client. `port` 0 lets the system choose. `name` is for
        people only.
        """
        if not 0 <= port < 65536:
            raise ConfigError(f"port = {port}: must be from 0 to 65535")
        if surbs_withheld < 0:
            raise ConfigError(f"surbs_withheld = {surbs_withheld}: must be 0 or more")
        native = self._network().serve_websocket(
            traffic=traffic,
            surbs_withheld=surbs_withheld,
            topology_refresh=topology_refresh,
            gateway=gateway,
            storage=None if storage is None else os.fspath(storage),
            port=port,
        )
        return WebsocketClient(name, native)

    def set_loss(self, probability: float, *, hops: str = "all", packets: Packets = "all") -> None:
        """From now on each of these packets is lost at each of these hops with this probability, 0 to 1."""
        self._network().set_loss(probability, hops, packets)

    def set_delay(self, delay: float, *, jitter: float = 0.0, hops: str = "all", packets: Packets = "all") -> None:
        """From now on each packet waits `delay` seconds, and up to `jitter` seconds more, on top of its own delay."""
        self._network().set_delay(delay, jitter, hops, packets)

    def drop_next(self, count: int, *, packets: Literal["data", "acks"] = "data", client: str | None = None) -> None:
        """Drops exactly the next `count` packets: data where a client hands them to its gateway, acknowledgements where the
        recipient's gateway releases them.

        `client`, an address, narrows it to one sender (data), or to one recipient whose gateway acknowledges (acks). It
        replaces an earlier count for the same; 0 ends it. A dropped data packet is one that its client sends again.
        """
        if packets not in ("data", "acks"):
            raise ConfigError(f'packets = {packets!r}: must be "data" or "acks"')
        if not 0 <= count < 2**32:
            raise ConfigError(f"count = {count}: must be from 0 to 2**32 - 1")
        self._network().drop_next(packets == "acks", count, client)

    @property
    def drops_left(self) -> int:
        """How many packets `drop_next` has still to drop."""
        return self._network().drops_left

    def clear_faults(self) -> None:
        """Takes loss, delays and exact drops away. A gateway that is down stays down."""
        self._network().clear_faults()

    def stop_gateway(self, gateway: str) -> None:
        """Takes a gateway down: open connections are cut, new ones reset, packets that reach it dropped."""
        self._network().stop_gateway(gateway)

    def start_gateway(self, gateway: str, *, registrations: bool = True, packets: bool = True) -> None:
        """Brings it back, as it was. Without `registrations` its clients are strangers: those with a stored identity are
        refused. Without `packets` those that waited for clients are lost. One that is up loses them, and its connections,
        anyway."""
        self._network().start_gateway(gateway, registrations, packets)

    def forget_packets(self, gateway: str) -> int:
        """The gateway loses the packets that wait for its clients, though they were acknowledged; how many those were."""
        return self._network().forget_packets(gateway)

    def cut_client(self, address: str) -> bool:
        """Cuts a client's connection to its gateway without notice. False: it had none.

        A client that only listens, without cover traffic, does not notice by itself.
        """
        return self._network().cut_client(address)

    def rotate_keys(self) -> int:
        """Begins the next key rotation: new Sphinx keys in all nodes. The keys before, and SURBs made with them, are
        accepted for one epoch more, or until the next rotation or `retire_old_keys`. The rotation's number.

        Clients see it when they read the directory next (`ClientConfig.topology_refresh`).
        """
        return self._network().rotate_keys()

    def retire_old_keys(self) -> None:
        """Ends the acceptance of the previous rotation's keys: packets and SURBs made with them are dead."""
        self._network().retire_old_keys()

    def counters(self) -> Counters:
        """What was counted since the start, or the last `reset_counters`."""
        return Counters._from_json(self._network().counters())

    def reset_counters(self) -> None:
        """Sets every count to zero; what waits or is under way stays."""
        self._network().reset_counters()

    def __repr__(self) -> str:
        if self._native is None:
            return f"<LocalNetwork {'closed' if self._closed else 'not started'}>"
        return f"<LocalNetwork {self.directory_url} seed {self.seed}>"
