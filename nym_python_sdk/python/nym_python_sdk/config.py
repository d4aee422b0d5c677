"""How a client behaves: one frozen dataclass, checked when it is made."""

import math
from dataclasses import dataclass

from nym_python_sdk._native import MAX_SURBS
from nym_python_sdk.errors import ConfigError

#: Any duration is below this (seconds, a day): a larger one is a mistaken unit.
MAX_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True)
class ClientConfig:
    """Settings of one client. The defaults are the SDK's own, except that it never reports statistics about itself.

    Network:

    - `directory_url`: the directory (nym-api) of a network; None is Nym's mainnet.
    - `topology`: JSON of a fixed topology (the format of nym-client's ``--custom-mixnet``), used instead of the directory's.
    - `gateway`: identity key (base58) of the gateway to register with; None takes a random one. A stored identity keeps the
      gateway it has, and gets a new address when another is asked for.
    - `topology_refresh`: seconds between two readings of the directory.
    - `connect_timeout`: seconds after which connecting fails with `NetworkUnreachable`.
    - `keepalive`: after so many seconds without a message the client writes to itself (one packet). Without it a client that
      has no cover traffic and only listens never notices that its gateway's connection is lost; with it the SDK reconnects,
      and after two echoes that never come back (40 seconds more) the client ends with `ClientDied`. None switches it off.
    - `flush_timeout`: `disconnect` waits until what was sent has left, at most so many seconds.

    Traffic. Switching off cover traffic or Poisson sending makes the client faster and shows its gateway when it sends:

    - `cover_traffic`: packets to itself, on average every `cover_delay` seconds.
    - `poisson_sending`: real packets leave in a Poisson stream, on average every `sending_delay` seconds, filled with cover.
    - `packet_delay`, `ack_delay`: mean seconds that a packet, or its acknowledgement, waits at each hop.
    - `ack_wait`: seconds added to the expected round trip before a packet is sent again.
    - `retransmissions`: the most times a packet is sent again; None: without limit for messages, ten times for replies.

    SURBs. `surbs_withheld` of each sender's are never spent on replies: below it the client asks the sender for more first,
    which costs packets and a round trip, and fails if one of the two restarts meanwhile. With 0 it can answer the only SURB
    it has. It is fixed when a storage is created. At most `surbs_kept` of one sender are kept. A receiver that
    withholds asks this client for more, and gets at most `surbs_on_request` each time; the program is not asked:
    with 0 none. `surb_age` (seconds) is how
    long the keys to the client's own SURBs are remembered. What came under a fresh tag (`send_anonymous`) can be answered
    for `fresh_tag_kept` seconds; then the tag is forgotten.

    Receiving: at most `queue_messages` messages of together at most `queue_bytes` bytes wait for the program. A message that
    does not fit is dropped and counted (`ClientCounts.dropped`): it was acknowledged to the network before.
    """

    directory_url: str | None = None
    topology: str | None = None
    gateway: str | None = None
    topology_refresh: float = 300.0
    connect_timeout: float = 60.0
    keepalive: float | None = 30.0
    flush_timeout: float = 10.0

    cover_traffic: bool = True
    cover_delay: float = 0.2
    poisson_sending: bool = True
    sending_delay: float = 0.02
    packet_delay: float = 0.015
    ack_delay: float = 0.015
    ack_wait: float = 1.5
    retransmissions: int | None = None

    surbs_withheld: int = 10
    surbs_kept: int = MAX_SURBS
    surbs_on_request: int = 500
    surb_age: float = MAX_SECONDS
    fresh_tag_kept: float = 60.0

    queue_messages: int = 10_000
    queue_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        for name in ("directory_url", "topology", "gateway"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value):
                raise ConfigError(f"{name} is a text that is not empty, or None")
        if self.directory_url is not None and not self.directory_url.startswith(("http://", "https://")):
            raise ConfigError("directory_url begins with http:// or https://")
        for name in (
            "topology_refresh",
            "connect_timeout",
            "cover_delay",
            "sending_delay",
            "surb_age",
            "fresh_tag_kept",
        ):
            self._seconds(name, above_zero=True)
        for name in ("packet_delay", "ack_delay", "ack_wait", "flush_timeout"):
            self._seconds(name, above_zero=False)
        if self.keepalive is not None:
            self._seconds("keepalive", above_zero=True)
        for name in ("cover_traffic", "poisson_sending"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} is True or False")
        self._count("queue_messages", 1, 2**31)
        self._count("queue_bytes", 1, 2**40)
        self._count("surbs_kept", 1, 10_000)
        self._count("surbs_withheld", 0, self.surbs_kept)
        self._count("surbs_on_request", 0, 500)
        if self.retransmissions is not None:
            self._count("retransmissions", 0, 1_000)

    def _seconds(self, name: str, *, above_zero: bool) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ConfigError(f"{name} is a number of seconds")
        if value < 0 or value > MAX_SECONDS or (above_zero and value == 0):
            raise ConfigError(f"{name} = {value} is not {'above 0' if above_zero else '0 or more'} and at most a day")

    def _count(self, name: str, least: int, most: int) -> None:
        value = getattr(self, name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ConfigError(f"{name} is a whole number from {least} to {most}")
