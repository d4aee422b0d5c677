"""Where a client's mixnet I/O sends what comes unasked, by the wiring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from usernym.actors.base import Tellable
from usernym.actors.messages import AddressChanged, DirectArrived, EvidenceFound, NodeHeard, TellArrived
from usernym.actors.mixnet_io.endpoint import Watcher
from usernym.protocol import messages as m


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Where what comes unasked is sent, by its type. What has no place here is refused."""

    tells: Mapping[type[m.Tell], Tellable[TellArrived]] = field(default_factory=dict)
    direct: Tellable[DirectArrived] | None = None
    heard: Tellable[NodeHeard | AddressChanged] | None = None
    """Learns that the node sent something over the route, at most every `HEARD_EVERY_S` seconds, and that the node is
    asked at another of its addresses."""
    watchers: Sequence[Watcher] = ()
    on_mixnet: Callable[[str | None], None] = lambda _problem: None
    """Called with the reason each time that there is no mixnet client, and with None when there is one."""
    evidence: Tellable[EvidenceFound] | None = None
    """Keeps what proves that the node is not honest."""
