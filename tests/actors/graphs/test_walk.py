"""The walks in docs/architecture.md are what runs, in that order. (That of `send` is the command line's.)"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.helpers.walk import documented_walk, walking
from usernym.storage.client.types import DeliveryState
from usernym.testing.world import World

SIMULATED: Final = ("testing/", "mixnet/emulator/", "actors/simulation.py")
"""What stands for threads, disks and the mixnet here."""
AN_EPOCH_S: Final = 90
"""After this long what happened is in the directory's log."""


@pytest.fixture(params=(1, 2))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Alice and Bob know each other, Alice knows Bob's key to be in the public directory, and nothing is under way."""
    with World(seed=request.param) as world:
        alice, _ = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "first")
        world.sim.run_for(AN_EPOCH_S)
        alice.look_up("bob")
        world.settle(100)
        yield world


def test_a_frame_arrives_at_the_node(world: World) -> None:
    with walking(without=SIMULATED, actors=world.node.runtime.actors) as files:
        world.clients["alice"].send_and_wait("bob", "hi", DeliveryState.ACCEPTED)
    assert files == documented_walk("Walk: a frame arrives at the node")


def test_a_lookup(world: World) -> None:
    # Others may have something to do before it is answered.
    both = (*world.clients["alice"].runtime.actors, *world.node.runtime.actors)
    concerned = [actor for actor in both if actor.name in ("lookup", "mixnet-io")]
    with walking(without=SIMULATED, actors=concerned) as files:
        world.clients["alice"].look_up("bob")
    assert files == documented_walk("Walk: a lookup")
