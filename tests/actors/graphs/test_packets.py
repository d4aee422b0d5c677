"""What operations cost in Sphinx packets, counted by the emulator, with the longest names."""

from __future__ import annotations

from contextlib import suppress

import pytest

from usernym.actors.failures import NodeRefused
from usernym.protocol.limits import EPOCH_S
from usernym.storage.client.types import DeliveryState
from usernym.testing.world import SimClient, World

ALICE, BOB = "alice_" + "a" * 26, "bobby_" + "b" * 26
QUIET_S = 30.0
"""Long enough for batched notices, and short of a heartbeat."""


def counts(world: World, client: SimClient) -> tuple[int, int]:
    """Packets sent and received so far."""
    now = world.mixnet.counts(client.client_number)
    return now.sent(), now.received()


def node_counts(world: World) -> tuple[int, int]:
    now = world.mixnet.counts(world.node.client_number)
    return now.sent(), now.received()


def lookup_cost(world: World, client: SimClient, name: str) -> tuple[int, int]:
    """Packets up and down that a lookup costs, whatever comes of it."""
    before = counts(world, client)
    with suppress(NodeRefused):
        client.look_up(name)
    world.settle(5)  # three of them between two heartbeats
    after = counts(world, client)
    return after[0] - before[0], after[1] - before[1]


@pytest.mark.parametrize(
    ("online", "nym_clients", "first"),
    [(False, (ALICE,), (2, 2)), (False, (), (1, 2)), (True, (ALICE,), (1, 2)), (True, (), (1, 2))],
)
def test_a_lookup_is_one_packet_each_way_once_a_name_has_been_proved(
    online: bool, nym_clients: tuple[str, ...], first: tuple[int, int]
) -> None:
    """Over a nym-client the proof costs a packet more before a login: two of the SURBs that a request brings are
    withheld. Of a request with a tag of its own none is."""
    world = World(nym_clients=nym_clients)
    world.client(BOB, online=False)
    alice = world.client(ALICE, register=online, online=online)
    world.settle(EPOCH_S + 15)
    assert lookup_cost(world, alice, BOB) == first
    assert lookup_cost(world, alice, BOB) == (1, 1)
    assert lookup_cost(world, alice, "nobody") == (first[0], 1)
    world.check()


def met_pair() -> tuple[World, SimClient, SimClient]:
    """Two with the longest names who know each other, all SURBs in place."""
    world = World()
    alice, bob = world.client(ALICE), world.client(BOB)
    assert len(ALICE) == len(BOB) == 32
    alice.send_and_wait(BOB, "first contact")
    world.settle(QUIET_S)
    return world, alice, bob


def test_a_short_text_is_one_packet_each_way() -> None:
    world, alice, bob = met_pair()
    start_alice, start_bob = counts(world, alice), counts(world, bob)
    alice.send_and_wait(BOB, "x" * 140)
    world.settle(QUIET_S)
    now_alice, now_bob = counts(world, alice), counts(world, bob)
    up, answers = now_alice[0] - start_alice[0], now_alice[1] - start_alice[1]
    on, acknowledgement = now_bob[1] - start_bob[1], now_bob[0] - start_bob[0]
    assert (up, on, acknowledgement) == (1, 1, 1)
    assert answers == 2, "one `Accepted`, one `Delivered`"
    world.check()


def test_the_longest_one_packet_texts() -> None:
    world, alice, bob = met_pair()
    # A small counter takes eight bytes less than the longest, for which the documented sizes hold.
    for size, packets in ((164, 1), (164 + 9, 2), (1767, 2), (1767 + 9, 3)):
        before_up, before_on = counts(world, alice)[0], counts(world, bob)[1]
        top_ups = alice.counters()["io"].get("top_ups_sent", 0)
        alice.send_and_wait(BOB, "x" * size)
        if alice.counters()["io"].get("top_ups_sent", 0) == top_ups:
            assert counts(world, alice)[0] - before_up == packets
        assert counts(world, bob)[1] - before_on == packets


def test_fifty_texts_in_a_row_cost_little_more_than_their_own_packets() -> None:
    """All top-ups included, a text costs fewer than 6 packets; five if nothing were shared or topped up."""
    world, alice, bob = met_pair()
    start = (*counts(world, alice), *counts(world, bob))
    for number in range(50):
        message_id = alice.send(BOB, f"{number:03d}" + "x" * 137)
        alice.wait_for_state(message_id, DeliveryState.ACCEPTED)
    world.settle(QUIET_S)
    assert len(bob.texts()) == 51
    total = sum((*counts(world, alice), *counts(world, bob))) - sum(start)
    assert total / 50 < 6
    world.check()
