"""A deadline that protects the user waits for no one: message keys are made and destroyed by the user's own clock."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from tests.actors.registration.test_rotation import pass_days_away
from tests.helpers.hostile import HostileWorld, ScriptedNode
from usernym.actors.events import RotationStalled
from usernym.actors.forwarding.inbox import Inbox
from usernym.actors.registration.keys import KeyRing, stalled_since
from usernym.actors.sound_clock import CLOCK_SETTLES_S
from usernym.protocol import messages as m
from usernym.protocol.limits import DAY_S, HPKE_LIFE_S
from usernym.protocol.records import decode_record
from usernym.storage.client.types import DeliveryState
from usernym.testing.world import SimClient, World

A_WHILE_S = CLOCK_SETTLES_S + 700


def frozen(seed: int) -> tuple[HostileWorld, ScriptedNode, SimClient, list[Any]]:
    """A user whose node takes logins, and never answers `Publish`; with the records that it swallowed."""
    world = HostileWorld(seed)
    swallowed: list[Any] = []

    def swallow(request: m.Publish) -> list[m.Message]:
        swallowed.append(request.record)
        return []

    world.scripted.lies[m.Publish] = swallow
    return world, world.scripted, world.client("alice"), swallowed


def days_pass(world: World, client: SimClient, days: int, *, online: bool = True) -> None:
    pass_days_away(world, days, client)
    if online:
        client.connect()
    world.settle(A_WHILE_S)


def a_node_that_freezes_rotation() -> None:
    world, node, alice, swallowed = frozen(8)
    first = decode_record(alice.store.profile.identity().record).hpke_number
    for day in range(5, 50, 5):
        days_pass(world, alice, 5)
        stalled = stalled_since(alice.store, world.sim.unix_s()) is not None
        assert stalled is (day > 24), day
        assert bool(alice.of_kind(RotationStalled)) is (day > 24), "the user is notified, and not before"
        ages = [world.sim.unix_s() - key.created_at for key in alice.store.keys.all()]
        assert max(ages) < HPKE_LIFE_S
        assert min(ages) < 11 * DAY_S, "there is a fresh key all the time"
    assert node.records["alice"].hpke_number == first, "the node still hands it out"
    assert alice.store.keys.get(first) is None, "and no one opens what is sealed to it"
    numbers = [record.hpke_number for record in swallowed]
    assert set(numbers) == {2, 3, 4, 5}
    keys = {(record.number, record.hpke_number): record.hpke_key for record in swallowed}
    assert all(keys[record.number, record.hpke_number] == record.hpke_key for record in swallowed), "no number twice"

    del node.lies[m.Publish]
    node.lies[m.Publish] = lambda request: [m.Published(request.request_id, request.record.number)]
    alice.go_online()
    world.settle(A_WHILE_S)
    assert alice.of_kind(RotationStalled)[-1] == RotationStalled(None)
    assert stalled_since(alice.store, world.sim.unix_s()) is None
    assert alice.store.profile.pending_record() is None
    world.check()


@pytest.mark.seconds
def test_a_node_that_publishes_no_key_does_not_keep_the_private_one_alive() -> None:
    a_node_that_freezes_rotation()


@pytest.mark.seconds
def test_the_check_above_notices_keys_that_wait_for_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    destroy_due = KeyRing.destroy_due
    monkeypatch.setattr(KeyRing, "destroy_due", lambda self, **_settled: destroy_due(self, overdue=False))
    with pytest.raises(AssertionError):
        a_node_that_freezes_rotation()


@pytest.mark.seconds
def test_keys_are_destroyed_where_there_is_no_node_at_all() -> None:
    with World() as world:
        bob = world.client("bob")
        world.mixnet.offline(bob.client_number)
        for _ in range(6):
            days_pass(world, bob, 8, online=False)
        assert 1 not in [key.number for key in bob.store.keys.all()]
        world.check()


@pytest.mark.seconds
def test_a_home_that_is_never_open_for_long_destroys_them_when_it_is_closed() -> None:
    with World() as world:
        bob = world.client("bob")
        pass_days_away(world, 45, bob)
        world.settle(60)
        assert bob.store.keys.get(1) is not None, "what waits at the node may need it"
        for ref in bob.graph.refs().values():
            ref.stop()
        world.settle(1)
        assert bob.store.keys.get(1) is None


@pytest.mark.seconds
def test_what_waits_for_a_user_who_was_away_is_fetched_before_the_key_goes() -> None:
    with World() as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.look_up("bob")
        pass_days_away(world, 30, alice, bob)
        bob.kill()
        alice.go_online()
        message_id = alice.send_and_wait("bob", "while you were away", DeliveryState.ACCEPTED)
        pass_days_away(world, 20, alice)
        bob.start()
        bob.go_online()
        world.settle(60)
        assert bob.texts() == ["while you were away"]
        assert bob.store.keys.get(1) is not None
        world.settle(A_WHILE_S)
        assert bob.store.keys.get(1) is None
        assert not bob.of_kind(RotationStalled), "no one withheld anything"
        alice.go_online()
        alice.wait_for_state(message_id, DeliveryState.DELIVERED)
        world.check()


@pytest.mark.parametrize("days", [100, -40])
def test_a_clock_that_is_wrong_for_a_moment_destroys_no_key(days: int) -> None:
    with World() as world:
        bob = world.client("bob")
        world.settle(A_WHILE_S)
        world.sim.clock_error_s += days * DAY_S
        world.settle(CLOCK_SETTLES_S - 60)
        world.sim.clock_error_s -= days * DAY_S
        world.settle(2 * A_WHILE_S)
        assert bob.store.keys.get(1) is not None
        world.check()


@pytest.mark.seconds
def test_a_key_that_a_clock_dated_ahead_is_replaced_and_destroyed_in_its_time() -> None:
    with World() as world:
        bob = world.client("bob")
        world.settle(A_WHILE_S)
        bob.runtime.clock_error_s += 4_000 * DAY_S
        world.settle(A_WHILE_S)
        ahead = [key.number for key in bob.store.keys.all()]
        assert max(ahead) > 1
        bob.runtime.clock_error_s = 0
        world.settle(A_WHILE_S)
        assert max(key.number for key in bob.store.keys.all()) == max(ahead) + 1
        for _ in range(6):
            days_pass(world, bob, 8)
        assert not set(ahead) & {key.number for key in bob.store.keys.all()}
        assert len(bob.store.keys.all()) <= 7, "one a week"
        world.check()


def test_an_expanded_key_does_not_outlive_its_destruction() -> None:
    with World() as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "hi")
        inboxes = [each for each in gc.get_objects() if isinstance(each, Inbox) and each._user is bob.user]
        assert [len(each._keys) for each in inboxes] == [1]
        world.settle(10)
        assert [len(each._keys) for each in inboxes] == [0]
