"""An emulated mixnet with listeners: they get every message as it was sent and as it arrived, and notes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from usernym.mixnet.emulator.in_process import InProcessMixnet, InProcessTransport
from usernym.mixnet.transport import Incoming, TransportEvent


@dataclass(frozen=True, slots=True)
class Heard:
    """Something happened at a process: a message was `sent` or `arrived`, or (`note`) a remark about it."""

    at: float
    who: str
    what: str
    data: bytes = field(default=b"", repr=False)
    text: str = ""
    client: int = -1
    """The mixnet client of `who`."""
    to: bytes = field(default=b"", repr=False)
    """Where it was sent: an address, or a sender tag."""
    is_reply: bool = False


class TappedMixnet(InProcessMixnet):
    """A mixnet that reports all that it carries. `names` maps clients to their users' names."""

    def __init__(self, core: Any, timers: Any) -> None:
        super().__init__(core, timers)
        self.names: dict[int, str] = {}
        self.listeners: list[Callable[[Heard], None]] = []

    def send(self, client: int, recipient: bytes, data: bytes, surbs: int | None, *, fresh_tag: bool = False) -> None:
        self._hear(client, "sent", data, recipient)
        super().send(client, recipient, data, surbs, fresh_tag=fresh_tag)

    def reply(self, client: int, tag: bytes, data: bytes) -> None:
        self._hear(client, "sent", data, tag, is_reply=True)
        super().reply(client, tag, data)

    def replace(self, transport: InProcessTransport, client: int) -> int:
        new = super().replace(transport, client)
        self.names[new] = self.names.get(client, f"client {client}")
        return new

    def _report(self, client: int, event: TransportEvent) -> None:
        if self.listeners and isinstance(event, Incoming):
            self._hear(client, "arrived", event.data)
        super()._report(client, event)

    def _hear(self, client: int, what: str, data: bytes, to: bytes = b"", *, is_reply: bool = False) -> None:
        if self.listeners:
            name = self.names.get(client, f"client {client}")
            self.tell(Heard(self._timers.now(), name, what, data, "", client, to, is_reply))

    def note(self, who: str, text: str) -> None:
        if self.listeners:
            self.tell(Heard(self._timers.now(), who, "note", text=text))

    def note_event(self, who: str, event: Any) -> None:
        if self.listeners:
            self.note(who, f"shows {event}")

    def tell(self, heard: Heard) -> None:
        for listener in self.listeners:
            listener(heard)
