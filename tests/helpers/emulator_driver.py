"""Drives the emulated mixnet's core with a clock of its own, for its tests."""

from __future__ import annotations

import random

from usernym.mixnet.emulator.core import Delivery, Emulator
from usernym.mixnet.emulator.state import Faults


class Driver:
    """A core with three clients, of whom Bob keeps `surb_minimum` SURBs back."""

    def __init__(self, faults: Faults | None = None, surb_minimum: int = 0, seed: int = 1) -> None:
        self.core = Emulator(random.Random(seed), faults)
        self.alice = self.core.add_client()
        self.bob = self.core.add_client(surb_minimum=surb_minimum)
        self.carol = self.core.add_client()
        self.now = 0.0

    def address(self, client: int) -> bytes:
        return self.core.address(client)

    def settle(self, within_s: float = 1000.0) -> list[Delivery]:
        """Let happen what happens by itself within that time; the clock stops at the last event."""
        deliveries = []
        end = self.now + within_s
        while (at := self.core.next_event_at()) is not None and at <= end:
            self.now = max(self.now, at)
            deliveries += self.core.advance(self.now)
        return deliveries

    def send(self, data: bytes, surbs: int) -> list[Delivery]:
        """Alice writes to Bob, and all that follows happens."""
        self.core.send(self.now, self.alice, self.address(self.bob), data, surbs)
        return self.settle()

    def tag_of(self, data: bytes | str, surbs: int) -> bytes:
        """Alice writes to Bob, who gets it; the tag he sees."""
        [delivery] = self.send(data.encode() if isinstance(data, str) else data, surbs)
        assert delivery.client == self.bob
        assert delivery.tag is not None
        return delivery.tag

    def reply(self, tag: bytes, data: bytes) -> list[bytes]:
        """Bob replies, and all that follows happens; what Alice gets."""
        self.core.reply(self.now, self.bob, tag, data)
        deliveries = self.settle()
        assert all(delivery.client == self.alice and delivery.tag is None for delivery in deliveries)
        return [delivery.data for delivery in deliveries]
