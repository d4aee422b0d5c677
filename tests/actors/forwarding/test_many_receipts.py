"""More receipts than the node tells at once: they follow each other, and do not wait for a client to be idle."""

from __future__ import annotations

import pytest

from usernym.protocol.limits import NOTICES_MAX
from usernym.storage.client.types import DeliveryState
from usernym.testing.world import World

TEXTS = 3 * NOTICES_MAX + 7


@pytest.mark.seconds
def test_a_hundred_texts_to_somebody_who_was_away_are_soon_known_to_be_delivered() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    bob.send_and_wait("alice", "write to me")  # who is no stranger to bob may have so many waiting
    bob.kill()
    ids = [alice.send("bob", f"text {number}") for number in range(TEXTS)]
    for message_id in ids:
        alice.wait_for_state(message_id, DeliveryState.ACCEPTED)
    bob.start()
    bob.connect()
    world.settle(30)
    delivered = sum(alice.states(message_id)[-1] is DeliveryState.DELIVERED for message_id in ids)
    assert delivered == TEXTS, "without waiting for heartbeats, a minute each"
    assert sorted(bob.texts()) == sorted(f"text {number}" for number in range(TEXTS))
    world.check()
