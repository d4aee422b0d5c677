"""More receipts than the node tells at once: they follow each other, and do not wait for a client to be idle."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.hostile import RawClient
from usernym.actors.forwarding.routes import NOTICES_SENT_MAX
from usernym.protocol import messages as m
from usernym.protocol.limits import NOTICES_MAX
from usernym.storage.client.types import DeliveryState
from usernym.storage.node.mail import NoticeKind, delivered_blob
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


def test_notices_that_nobody_confirms_take_bounded_memory() -> None:
    with World(3) as world:
        mallory = RawClient(world)
        assert isinstance(mallory.register(), m.Registered)
        mallory.log_in()
        notices = world.node.store.notices
        forwarding: Any = next(actor for actor in world.node.runtime.actors if actor.name == "forwarding")
        proof = delivered_blob(bytes(16), bytes(16))
        for _ in range(10):
            numbers = [notices.add("mallory", NoticeKind.DELIVERED, proof, 1, 2**31) for _ in range(NOTICES_MAX)]
            mallory.throw(mallory.encode(m.TopUp(2, "mallory", mallory.login_id)), 2)
            world.settle(1)
            notices.confirm("mallory", numbers)  # as newer ones push them out
        assert len(mallory.received(m.Delivered)) == 10
        route = forwarding._routes.get("mallory")
        assert len(route.notices_at) <= NOTICES_SENT_MAX + NOTICES_MAX
        world.check()
