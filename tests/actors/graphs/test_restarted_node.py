"""A node's process that is killed while its mixnet client lives on costs its users no SURBs.

The mixnet client still has what they gave. A node that did not count on it after the next login would be given others
at each of its deaths, until its users' accounts are full, and they are without it for a day.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from usernym.actors.mixnet_io.surb_account import PLENTY_BELOW
from usernym.storage.client.types import DeliveryState
from usernym.testing.world import SimClient, World

DEATHS: Final = 20
BURST: Final = 12


def alive(client: SimClient) -> int:
    io: Any = next(actor for actor in client.runtime.actors if actor.name == "mixnet-io")
    count: int = io._account.alive()
    return count


def burst(world: World, sender: SimClient, recipient: str, number: int) -> list[bytes]:
    return [sender.send(recipient, f"{number}.{each}") for each in range(BURST)]


@pytest.mark.seconds
@pytest.mark.parametrize("seed", range(3))
def test_a_node_that_is_killed_again_and_again_is_given_no_more_surbs(seed: int) -> None:
    with World(seed) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.look_up("bob")
        bob.look_up("alice")
        sent = []
        for number in range(DEATHS):
            sent += [(alice, each) for each in burst(world, alice, "bob", number)]
            sent += [(bob, each) for each in burst(world, bob, "alice", number)]
            world.sim.run_for(world.chance.uniform(0.0, 3.0))
            world.node.mixnet_lives = True
            world.node.kill()
            world.sim.run_for(world.chance.uniform(0.0, 5.0))
            world.node.start()
            world.sim.run_for(90.0)
            assert max(alive(alice), alive(bob)) < 2 * PLENTY_BELOW
        for sender, message_id in sent:
            sender.wait_for_state(message_id, DeliveryState.DELIVERED, 300.0)
        world.check()
