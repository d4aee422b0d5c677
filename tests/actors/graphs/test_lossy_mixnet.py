"""Where packets get lost, no step of a story waits longer than a heartbeat and a request take.

A reply's packet that is lost is sent again over another SURB, of which neither side's account knows. Without the two
that the node's mixnet client withholds, what the node sent waited there for minutes: texts were not accepted, or not
delivered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from tests.helpers.mixnet_networks import loss_on_the_way
from usernym.actors.events import HandshakeChanged
from usernym.actors.mixnet_io.in_flight import ATTEMPTS_S
from usernym.actors.registration.client import TICK_S
from usernym.actors.registration.login import HEARTBEAT_S
from usernym.mixnet.emulator.state import Faults
from usernym.storage.client.types import DeliveryState, HandshakeState
from usernym.testing.world import SimClient, World

STEP_S: Final = HEARTBEAT_S + TICK_S + sum(ATTEMPTS_S)
"""No step takes longer. What is stuck at the node is freed by a heartbeat, which is due after a minute's silence, at
the next tick, and sent up to three times."""
LATE_S: Final = 30.0
"""A step that took so long has waited for a heartbeat."""
LATE_SHARE_MAX: Final = 0.01
"""Of all steps: at this loss both questions for SURBs are lost once in thirty times that they are needed."""
PAUSE_S: Final = 20.0
"""Between the texts of the second half: long enough to be alone, too short for a heartbeat."""


class Stopwatch:
    """How long each step of a story took."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.steps: list[float] = []

    def __call__(self, step: Callable[[], object]) -> None:
        began = self._world.sim.now()
        step()
        self.steps.append(self._world.sim.now() - began)

    def until(self, condition: Callable[[], bool]) -> None:
        self(lambda: self._world.sim.run_until(condition, 2 * STEP_S))

    def write(self, sender: SimClient, recipient: str, text: str, state: DeliveryState) -> None:
        self(lambda: sender.wait_for_state(sender.send(recipient, text), state, 2 * STEP_S))


def play(seed: int, loss: float) -> list[float]:
    """Meet, write both ways, to someone away too, shake hands, write directly, part, write on; each step's seconds."""
    delivered = DeliveryState.DELIVERED
    with World(seed, faults=Faults(loss=loss)) as world:
        step = Stopwatch(world)
        step(lambda: world.client("alice"))
        step(lambda: world.client("bob"))
        alice, bob = world.clients["alice"], world.clients["bob"]
        step(lambda: alice.look_up("bob"))
        step.write(alice, "bob", "hello", delivered)
        step.write(bob, "alice", "and to you", delivered)
        step.write(alice, "bob", "long " * 4000, delivered)
        bob.kill()
        for number in range(5):
            step.write(alice, "bob", f"while you were away {number}", DeliveryState.ACCEPTED)
        bob.start()
        step(bob.go_online)
        step.until(lambda: len(bob.texts()) == 7)
        alice.offer("bob")
        step.until(lambda: HandshakeChanged("alice", HandshakeState.OFFER_RECEIVED) in bob.events)
        bob.accept("alice")
        step.until(lambda: HandshakeChanged("bob", HandshakeState.ACTIVE) in alice.events)
        step.write(alice, "bob", "between us", delivered)
        bob.revoke("alice")
        step.until(lambda: HandshakeChanged("bob", HandshakeState.ENDED_BY_PEER) in alice.events)
        for number in range(10):
            world.settle(PAUSE_S)
            step.write(alice, "bob", f"{number}", delivered)
            world.settle(PAUSE_S)
            step.write(bob, "alice", f"{number}", delivered)
        world.check()
        return step.steps


@pytest.mark.seconds
@pytest.mark.parametrize("loss_a_hop", [0.01, 0.05])
def test_no_step_waits_long_where_packets_are_lost(loss_a_hop: float) -> None:
    steps = [step for seed in range(20) for step in play(seed, loss_on_the_way(loss_a_hop))]
    assert max(steps) <= STEP_S
    assert sum(step > LATE_S for step in steps) <= LATE_SHARE_MAX * len(steps)
