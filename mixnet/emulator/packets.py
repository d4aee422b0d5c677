"""How the emulated mixnet's packets travel: delay, loss, acknowledgement, retransmission, and the gateways' storage.

Nothing is kept for a single packet. Where none is lost, a message is one event at the time its last packet arrives;
otherwise, one more event for each round of retransmissions.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from usernym.mixnet.emulator import state
from usernym.mixnet.emulator.state import EmulatedClient, Faults, Flight, Kind, Waiting


class PacketNetwork:
    """Carries flights between clients. `on_whole` takes what a connected client has received completely;
    `on_send_again` decides about packets that travel over SURBs and went unacknowledged."""

    def __init__(
        self,
        rng: random.Random,
        faults: Faults,
        clients: list[EmulatedClient],
        on_whole: Callable[[float, Flight], None],
        on_send_again: Callable[[float, Waiting], None],
    ) -> None:
        self.faults = faults
        self.lost: Counter[str] = Counter()
        self._rng = rng
        self._clients = clients
        self._on_whole = on_whole
        self._on_send_again = on_send_again
        self._events: list[tuple[float, int, Callable[[float, Any], None], Any]] = []
        self._serial = 0
        self._messages = 0
        self._message_bytes = 0

    # -- time --

    def schedule(self, at: float, action: Callable[[float, Any], None], subject: Any) -> None:
        """Let `action(at, subject)` happen at that time. What is due at the same time happens in this order."""
        self._serial += 1
        heapq.heappush(self._events, (at, self._serial, action, subject))

    def next_event_at(self) -> float | None:
        return self._events[0][0] if self._events else None

    def run_until(self, now: float) -> None:
        events = self._events
        while events and events[0][0] <= now:
            at, _, action, subject = heapq.heappop(events)
            action(at, subject)

    # -- the life of a message --

    def has_room(self, size: int) -> bool:
        """Whether one more message of that many bytes may be sent."""
        return self._messages < state.MESSAGES_MAX and self._message_bytes + size <= state.MESSAGE_BYTES_SUM_MAX

    def reserve(self, size: int) -> None:
        """Count a message of that many bytes against the bounds."""
        self._messages += 1
        self._message_bytes += size

    def release(self, size: int) -> None:
        self._messages -= 1
        self._message_bytes -= size

    def begin(self, flight: Flight) -> None:
        """A message sets out; none of its packets has been sent."""
        flight.missing = flight.packets
        flight.vanishes = self.faults.silent_loss > 0.0 and self._rng.random() < self.faults.silent_loss
        self.reserve(len(flight.data))

    def end(self, flight: Flight) -> None:
        """It was delivered, or lost: drop its data."""
        if not flight.ended:
            flight.ended = True
            self.release(len(flight.data))
            flight.data = b""

    def lose(self, flight: Flight, reason: str) -> None:
        if not flight.ended:
            self.end(flight)
            self.lost[reason] += 1

    def transmit(self, now: float, waiting: Waiting) -> None:
        """Send packets, for the first time or again; their SURBs, if they need any, are spent."""
        flight = waiting.flight
        counts = self._clients[flight.sender].counts
        if waiting.attempt:
            counts.sent_retransmissions += waiting.packets()
        else:
            counts.count_sent(flight.kind, waiting.missing)
        if self.faults.partition and self.faults.separated(flight.sender, flight.recipient):
            again = Waiting(flight, now, waiting.missing, waiting.repeats, waiting.attempt + 1)
            self.schedule(now + state.ACK_TIMEOUT_S, self._retransmit, again)
            return
        if self.faults.loss == 0.0:
            # Nothing is lost: what had arrived before is acknowledged now, the rest arrives.
            self._clients[flight.recipient].counts.received_retransmissions += waiting.repeats
            self._take_back(flight, waiting.packets())
            self._arrive(now, waiting, waiting.missing)
            return
        arrived = self._survivors(waiting.missing)
        repeated = self._survivors(waiting.repeats)
        unacknowledged = arrived + waiting.repeats - self._survivors(arrived + repeated)
        self._clients[flight.recipient].counts.received_retransmissions += repeated
        self._take_back(flight, arrived + repeated)
        self._arrive(now, waiting, arrived)
        missing = waiting.missing - arrived
        if missing or unacknowledged:
            again = Waiting(flight, now, missing, unacknowledged, waiting.attempt + 1)
            self.schedule(now + state.ACK_TIMEOUT_S, self._retransmit, again)

    def hand_over_stored(self, now: float, it: EmulatedClient) -> None:
        """The client is back: its gateway hands over what it kept, in no order, if it isn't too old."""
        stored, it.gateway = it.gateway, []
        for stored_at, flight in stored:
            if now - stored_at >= state.GATEWAY_S:
                self.lose(flight, "gateway storage expired")
            else:
                self.schedule(now + self._rng.random() * state.CATCH_UP_S, self._deliver, flight)

    # -- packets --

    def _survivors(self, packets: int) -> int:
        loss, draw = self.faults.loss, self._rng.random
        return sum(draw() >= loss for _ in range(packets))

    def _delay(self) -> float:
        """The sum of an exponential delay for each of the three hops."""
        mean, draw = self.faults.hop_delay_s, self._rng.random
        return -mean * math.log((1.0 - draw()) * (1.0 - draw()) * (1.0 - draw())) if mean else 0.0

    def _arrive(self, now: float, waiting: Waiting, arrived: int) -> None:
        """`arrived` of the missing packets reach the recipient's gateway, each after its own delay."""
        flight = waiting.flight
        if not arrived:
            return
        far = self.faults.link_delay_s(flight.sender, flight.recipient) if self.faults.links else 0.0
        delays = [far + self._delay() for _ in range(arrived)]
        flight.first_at = min(flight.first_at, now + min(delays))
        flight.last_at = max(flight.last_at, now + max(delays))
        flight.missing -= arrived
        if waiting.attempt:
            flight.retransmitted += arrived
        if not flight.missing and not flight.ended:
            self._schedule_delivery(flight)
            self._duplicate(flight)

    def _take_back(self, flight: Flight, packets: int) -> None:
        """Packets reach the gateway of the client whose SURBs they travel over: those SURBs are used."""
        recipient = self._clients[flight.recipient]
        if flight.stock is not None and flight.stock.keys == recipient.keys:
            recipient.take_back(packets)

    def _schedule_delivery(self, flight: Flight) -> None:
        at = flight.last_at
        if not self.faults.reorder:
            recipient = self._clients[flight.recipient]
            at = recipient.last_at = max(at, recipient.last_at)
        self.schedule(at, self._deliver, flight)

    def _duplicate(self, flight: Flight) -> None:
        """The fault: now and then the application gets a message twice. The SURBs come once."""
        if self.faults.duplication == 0.0 or flight.kind in (Kind.SURB_REQUEST, Kind.SURB_ANSWER):
            return
        if self._rng.random() >= self.faults.duplication or not self.has_room(len(flight.data)):
            return
        copy = Flight(
            flight.kind, flight.sender, flight.process, flight.keys, flight.recipient, flight.packets, flight.data,
            flight.tag, 0, flight.made_at, flight.stock,
        )  # fmt: skip
        copy.fresh_tag = flight.fresh_tag
        self.begin(copy)
        copy.missing = 0
        copy.first_at, copy.last_at = flight.first_at, flight.last_at + self._delay()
        self._schedule_delivery(copy)

    def _retransmit(self, now: float, waiting: Waiting) -> None:
        """Packets went unacknowledged. The process that sent them sends them again, as long as it lives."""
        flight = waiting.flight
        sender = self._clients[flight.sender]
        if sender.process != flight.process or (waiting.missing and flight.ended):
            if waiting.missing:
                self.lose(flight, "sender's process ended")
        elif not sender.connected:
            self.schedule(now + state.ACK_TIMEOUT_S, self._retransmit, waiting)
        elif flight.stock is None:
            self.transmit(now, waiting)
        elif waiting.attempt <= state.REPLY_RETRANSMISSIONS_MAX:
            waiting.since = now
            self._on_send_again(now, waiting)
        elif waiting.missing:
            self.lose(flight, "reply retransmitted too often")

    def _deliver(self, now: float, flight: Flight) -> None:
        it = self._clients[flight.recipient]
        if not it.connected:
            if len(it.gateway) < state.GATEWAY_MESSAGES_MAX:
                it.gateway.append((now, flight))
            else:
                self.lose(flight, "gateway storage full")
            return
        if flight.packets > 1 and flight.first_at <= it.forgotten_until:
            self.lose(flight, "recipient's process ended")
            return
        it.counts.count_received(flight.kind, flight.packets, flight.retransmitted)
        if flight.vanishes:
            self.lose(flight, "silent loss")
        else:
            self._on_whole(now, flight)
