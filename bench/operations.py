"""Packets per operation, counted by the emulator in a simulated world."""

from __future__ import annotations

from usernym.actors import messages as msg
from usernym.actors.events import HandshakeChanged
from usernym.storage.client.types import DeliveryState, HandshakeState
from usernym.testing.world import SimClient, World

ALICE, BOB = "alice_" + "a" * 26, "bobby_" + "b" * 26
QUIET_S = 5.0
TEXTS = 50


class _Meter:
    def __init__(self, world: World, *clients: SimClient) -> None:
        self._world, self._clients = world, clients
        self._start = self._now()

    def _now(self) -> list[int]:
        self._world.settle(QUIET_S)
        counts = [self._world.mixnet.counts(client.client_number) for client in self._clients]
        return [number for count in counts for number in (count.sent(), count.received())]

    def read(self) -> str:
        moved = [now - start for now, start in zip(self._now(), self._start, strict=True)]
        pairs = [f"{up} up, {down} down" for up, down in zip(moved[::2], moved[1::2], strict=True)]
        return "; ".join(pairs)

    def total(self) -> int:
        return sum(self._now()) - sum(self._start)


def packets_table() -> list[tuple[str, str]]:
    """Rows of (operation, packets); where two people are involved, the sender's come first."""
    world = World()
    alice = world.client(ALICE, register=False, online=False)
    bob = world.client(BOB)
    rows: list[tuple[str, str]] = []

    def measure(operation: str, action: object, *clients: SimClient) -> None:
        meter = _Meter(world, *clients)
        assert callable(action)
        action()
        rows.append((operation, meter.read()))

    measure("look a name up", lambda: alice.look_up(BOB), alice)
    measure("register", alice.register, alice)
    measure("log in, and bring SURBs", alice.go_online, alice)
    measure("first contact, 131 bytes", lambda: alice.send_and_wait(BOB, "x" * 131), alice, bob)
    measure("text of 140 bytes", lambda: alice.send_and_wait(BOB, "x" * 140), alice, bob)
    measure("text of 64 KiB", lambda: alice.send_and_wait(BOB, "x" * 65536), alice, bob)
    rows.append(_fifty(world, alice, bob))
    measure("handshake, offered and accepted", lambda: _shake(world, alice, bob), alice, bob)
    measure("first direct text (with the sender's record)", lambda: alice.send_and_wait(BOB, "x" * 140), alice, bob)
    measure("direct text of 140 bytes", lambda: alice.send_and_wait(BOB, "x" * 140), alice, bob)
    return rows


def _fifty(world: World, alice: SimClient, bob: SimClient) -> tuple[str, str]:
    meter = _Meter(world, alice, bob)
    for _ in range(TEXTS):
        alice.wait_for_state(alice.send(BOB, "x" * 140), DeliveryState.ACCEPTED)
    return f"{TEXTS} texts of 140 bytes in a row, each, with all top-ups", f"{meter.total() / TEXTS:.2f} in all"


def _shake(world: World, alice: SimClient, bob: SimClient) -> None:
    alice.do(alice.graph.handshake, lambda answer: msg.OfferHandshake(BOB, answer))
    world.sim.run_until(lambda: HandshakeChanged(ALICE, HandshakeState.OFFER_RECEIVED) in bob.events)
    bob.do(bob.graph.handshake, lambda answer: msg.AcceptHandshake(ALICE, answer))
    world.sim.run_until(lambda: HandshakeChanged(BOB, HandshakeState.ACTIVE) in alice.events)
