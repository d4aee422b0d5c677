"""Message keys: rotated weekly, destroyed when due, and what senders with old ones see."""

from __future__ import annotations

import pytest

from usernym.actors.events import NodeCaught
from usernym.actors.failures import NodeRefused
from usernym.protocol.errors import Code
from usernym.protocol.limits import DAY_S, EPOCH_S, HPKE_KEEP_S, HPKE_ROTATION_S
from usernym.protocol.records import decode_record
from usernym.storage.client.types import DeliveryState
from usernym.testing.world import SimClient, World


def pass_days_away(world: World, days: int, *clients: SimClient) -> None:
    """These processes are not running for a while."""
    for client in clients:
        client.kill()
    world.sim.run_for(days * DAY_S)
    for client in clients:
        client.start()


def rotate(world: World, client: SimClient) -> int:
    """Be online long enough for a rotation that is due; returns the current key's number."""
    client.go_online()
    world.settle(60)
    return decode_record(client.store.profile.identity().record).hpke_number


@pytest.mark.seconds
def test_a_key_is_rotated_after_a_week_and_published() -> None:
    world = World()
    bob = world.client("bob")
    assert rotate(world, bob) == 1
    pass_days_away(world, 6, bob)
    assert rotate(world, bob) == 1
    pass_days_away(world, 2, bob)
    assert rotate(world, bob) == 2
    account = world.node.store.directory.account("bob")
    assert account is not None
    assert (account.hpke_number, account.record_number) == (2, 2)
    assert [key.superseded_at is None for key in bob.store.keys.all()] == [False, True]
    world.check()


@pytest.mark.seconds
def test_a_message_sealed_to_yesterdays_key_is_opened() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    world.settle(EPOCH_S + 1)
    alice.look_up("bob")  # in the public directory: there is nothing that would be looked up again
    pass_days_away(world, 8, alice, bob)
    assert rotate(world, bob) == 2
    pass_days_away(world, 1, bob)
    bob.go_online()
    alice.go_online()
    message_id = alice.send_and_wait("bob", "to the old key")
    sent = alice.store.messages.get("bob", message_id)
    assert sent is not None
    assert sent.key_number == 1, "the sender has not heard of the new key, and need not"
    assert bob.texts() == ["to the old key"]
    world.check()


@pytest.mark.seconds
def test_a_key_two_months_old_is_refused_as_stale_looked_up_and_sealed_again() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    for _ in range(8):
        pass_days_away(world, 8, alice, bob)
        rotate(world, bob)
    alice.go_online()
    message_id = alice.send_and_wait("bob", "after two months")
    assert world.node.counters()["forwarding"]["refused_stale_key"] == 1
    sent = alice.store.messages.get("bob", message_id)
    assert sent is not None
    assert sent.key_number == 9
    assert bob.texts() == ["after two months"]
    assert alice.states(message_id) == [DeliveryState.ACCEPTED, DeliveryState.DELIVERED]
    world.check()


@pytest.mark.seconds
def test_old_private_keys_are_destroyed_when_nothing_can_need_them() -> None:
    world = World()
    bob = world.client("bob")
    days = 0
    while days * DAY_S <= HPKE_ROTATION_S + HPKE_KEEP_S:
        pass_days_away(world, 8, bob)
        days += 8
        rotate(world, bob)
    numbers = [key.number for key in bob.store.keys.all()]
    assert 1 not in numbers
    current = decode_record(bob.store.profile.identity().record).hpke_number
    assert numbers[-1] == current
    held_for_s = [current - number for number in numbers]
    assert max(held_for_s) * 8 * DAY_S <= HPKE_KEEP_S + 2 * 8 * DAY_S
    world.check()


@pytest.mark.seconds
def test_a_rotation_cut_off_before_its_answer_goes_on_with_the_same_record() -> None:
    world = World()
    bob = world.client("bob")
    pass_days_away(world, 8, bob)
    bob.go_online()
    world.sim.run_until(lambda: bob.store.profile.setting("pending_record") is not None)
    pending = bob.store.profile.setting("pending_record")
    bob.restart()
    assert rotate(world, bob) == 2
    assert bob.store.profile.identity().record == pending
    assert bob.store.profile.setting("pending_record") is None
    world.check()


@pytest.mark.seconds
def test_what_no_key_opens_is_sealed_again_to_the_newest() -> None:
    """A recipient who lost a private key says so, signed; the sender looks up and seals again, by itself."""
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    pass_days_away(world, 8, alice, bob)
    assert rotate(world, bob) == 2
    alice.go_online()
    with bob.store.transaction():
        bob.store.database.run("DELETE FROM hpke_key WHERE number = 1")
    message_id = alice.send_and_wait("bob", "sealed twice")
    assert bob.texts() == ["sealed twice"]
    assert world.node.counters()["forwarding"]["not_opened"] == 1
    sent = alice.store.messages.get("bob", message_id)
    assert sent is not None
    assert sent.key_number == 2
    world.check()


@pytest.mark.seconds
def test_a_node_restored_from_an_older_copy_gets_the_newest_record_again() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    first = world.node.store.directory.account("bob")
    assert first is not None
    pass_days_away(world, 8, alice, bob)
    assert rotate(world, bob) == 2
    alice.look_up("bob")
    with world.node.store.transaction():
        columns = "record = ?, record_number = 1, hpke_number = 1"
        world.node.store.database.run(f"UPDATE account SET {columns} WHERE name = 'bob'", (first.record,))
        world.node.store.database.run("DELETE FROM hpke_number WHERE name = 'bob' AND number = 2")
        world.node.store.database.run("UPDATE hpke_number SET superseded_at = NULL WHERE name = 'bob'")
    with pytest.raises(NodeRefused) as refusal:
        alice.look_up("bob")
    assert refusal.value.code is Code.RECORD_STALE
    assert not alice.of_kind(NodeCaught), "it looks like a node that rolls records back, and proves nothing"
    bob.restart()
    assert rotate(world, bob) == 2
    restored = world.node.store.directory.account("bob")
    assert restored is not None
    assert restored.record_number == 2
    alice.look_up("bob")
    world.check()
