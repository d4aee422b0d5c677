"""SURBs that lie at several workers of a node: a client that comes back claims them, and so is never starved."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from usernym.actors.mixnet_io.client import ClientIO
from usernym.actors.mixnet_io.held_surbs import CLAIMED_S, HeldSurbs
from usernym.actors.mixnet_io.surb_account import ON_DEMAND_BELOW
from usernym.actors.simulation import Simulation
from usernym.protocol.limits import MINUTE_S, SURBS_GIVEN_MAX, SURBS_OF_LOGIN, SURBS_REQUEST
from usernym.storage.client.types import DeliveryState
from usernym.testing.world import SimClient, SimNode, World

HERE, THERE = bytes(96), bytes(range(96))
MOVES = 12
"""Twice as many as it took to fill an account whose SURBs lay at workers that were left."""
PATIENCE_S = 5 * MINUTE_S


def io_of(client: SimClient) -> ClientIO:
    (io,) = [actor for actor in client.runtime.actors if isinstance(actor, ClientIO)]
    return io


def worker_of(client: SimClient) -> SimNode:
    address = io_of(client)._to.own.address
    return next(worker for worker in client.world.workers if worker.address == address)


def is_silent_for_a_while(client: SimClient) -> None:
    """The client's worker is; it goes to the next one."""
    world, left = client.world, worker_of(client)
    assert left.address is not None
    world.silence(left.address)
    world.sim.run_until(lambda: worker_of(client) is not left, PATIENCE_S)
    world.silence()


def is_killed(client: SimClient) -> None:
    """The client's worker is, and starts again beside its nym-client; the client goes to the next one."""
    world, left = client.world, worker_of(client)
    left.mixnet_lives = True
    left.kill()
    world.sim.run_until(lambda: worker_of(client) is not left, PATIENCE_S)
    left.start_and_wait()


def its_client_is_killed(client: SimClient) -> None:
    """The client is, and starts again beside its nym-client."""
    client.mixnet_lives = True
    client.restart()
    client.connect()


@pytest.mark.seconds
@pytest.mark.parametrize("happens", [is_silent_for_a_while, is_killed, its_client_is_killed])
@pytest.mark.parametrize("seed", range(2))
def test_a_client_beside_a_nym_client_that_is_sent_to_and_fro_can_always_be_reached(
    seed: int, happens: Callable[[SimClient], None]
) -> None:
    """Its account lasts a day, and what lay at the workers that it left filled it within an hour."""
    world = World(seed, workers=3, disks=True, nym_clients=("alice",))
    alice, bob = world.client("alice"), world.client("bob")
    for number in range(MOVES):
        happens(alice)
        world.settle(30)
        message_id = bob.send("alice", f"text {number} " + "long " * 100)
        bob.wait_for_state(message_id, DeliveryState.DELIVERED, MINUTE_S)
        there = [
            world.core.surbs_of(each.client_number, alice.client_number, on_request=False) for each in world.workers
        ]
        assert sum(there) <= SURBS_GIVEN_MAX
        assert io_of(alice)._account.alive() < ON_DEMAND_BELOW, "it can give what its worker needs"
    world.check()


# -- by itself --


def test_what_lies_at_an_address_is_claimed_there_and_nowhere_else_while_it_is_young() -> None:
    sim, where = Simulation(0), [HERE]
    held = HeldSurbs(sim, lambda: where[0])
    held.here.add(12, sim.now())
    claim = {"brings": SURBS_REQUEST, "alive": 20}
    held.at(HERE).add(SURBS_REQUEST - 1, sim.now())
    assert held.claim(HERE, **claim) == 12, "with what the ask left there, and the proof brings"
    where[0] = THERE
    assert held.claim(THERE, **claim) == 0
    held.here.add(5, sim.now())
    assert [at for at, _ in held.lots()] == [THERE, HERE]
    assert held.claim(HERE, brings=1, alive=20) == 12 + 2 + 1 - 1 - SURBS_OF_LOGIN
    assert held.claim(HERE, brings=1, alive=10) == 10 - SURBS_OF_LOGIN, "no more than are alive at all"
    sim.run_for(CLAIMED_S + 1)
    assert held.claim(HERE, **claim) == 0
    held.clear()
    assert held.lots() == [(THERE, [])]


def test_what_another_process_gave_is_claimed_once_at_each_address() -> None:
    sim, where = Simulation(0), [HERE]
    held = HeldSurbs(sim, lambda: where[0])
    held.inherit([(HERE, [(0.0, 7)]), (THERE, [(0.0, 3)])])
    assert [held.claim_inherited(alive=20) for _ in range(2)] == [7, 0]
    assert held.here.left(sim.now()) == 7
    where[0] = THERE
    assert [held.claim_inherited(alive=20) for _ in range(2)] == [3, 0]
