"""Worlds as scenarios of one's own see them: several nodes, apps, troubles, and errors that say what is missing."""

from __future__ import annotations

import gc
import weakref

import pykka
import pytest

from usernym.actors.failures import NodeRefused
from usernym.testing import (
    Crash,
    Inject,
    Liars,
    Moment,
    NodeLies,
    Pause,
    ScenarioFailed,
    Troubles,
    Weather,
    World,
    Write,
    check,
)
from usernym.testing import faults as f
from usernym.testing.process import WAKES_S


def test_a_users_worker_sleeps_and_its_user_goes_to_another_one() -> None:
    with World(3, workers=3) as world:
        assert world.server is not None
        alice, bob = world.client("alice"), world.client("bob")
        left = world.server.worker_of("bob")
        Troubles(world).apply(f.Sleep("bob", 60.0))
        bob.send("alice", "from elsewhere")
        world.sim.run_until(lambda: world.server is not None and world.server.worker_of("bob") != left, 30)
        world.sim.run_until(lambda: alice.texts() == ["from elsewhere"], 90)
        world.check()


def test_what_is_due_while_a_process_sleeps_happens_when_it_wakes() -> None:
    with World(3) as world:
        happened: list[float] = []
        began = world.sim.now()
        world.node.runtime.call_later(5.0, lambda: happened.append(world.sim.now() - began))
        world.node.runtime.sleep(60.0)
        world.settle(59)
        assert happened == []
        world.settle(2)
        assert 60.0 <= happened[0] <= 60.0 + WAKES_S


def test_each_node_has_its_own_directory_and_its_own_misfortune() -> None:
    with World(3, disks=True) as world:
        other = world.add_node("second")
        alice, bob = world.client("alice"), world.client("bob")
        carol, dave = world.client("carol", node=other), world.client("dave", node=other)
        with pytest.raises(NodeRefused, match="no one has this name"):
            alice.look_up("carol")
        troubles = Troubles(world)
        troubles.apply(Crash("node", down_s=100.0))
        carol.send_and_wait("dave", "here all is well")
        alice_says = alice.write("bob", "later")
        world.settle(300)
        # Its lookup met a node that was away; the next one does not.
        if alice_says.exception() is not None:
            alice.send("bob", "later")
            world.settle(60)
        assert bob.texts() == ["later"]
        assert dave.texts() == ["here all is well"]
        assert (world.node.deaths, other.deaths) == (1, 0)
        world.check()


def test_a_supervisor_starts_again_what_a_disk_has_ended() -> None:
    for moment in Moment:
        with World(1, disks=True) as world:
            alice, bob = world.client("alice"), world.client("bob")
            Troubles(world).apply(Crash("bob", 2, moment, down_s=3.0))
            alice.send("bob", "hi")
            world.settle(10)
            assert bob.deaths == 1
            assert bob.running
            bob.connect()
            world.settle(60)
            assert [row.body for row in bob.store.messages.conversation("alice", 9)] == [b"hi"]


def test_steps_that_a_world_cannot_take_are_refused() -> None:
    with World() as world:
        troubles = Troubles(world)
        for step, says in (
            (Crash("node", 1), "disks=True"),
            (NodeLies(2), "Liars"),
            (Write("alice", "bob"), "let the client do it"),
        ):
            with pytest.raises(ValueError, match=says):
                troubles.apply(step)
        troubles.apply(Weather(loss=0.1))
        troubles.apply(Pause(1.0))
        troubles.apply(Inject(3))
        with pytest.raises(KeyError):
            troubles.apply(Crash("nobody"))


def test_a_node_lies_only_when_told_to() -> None:
    liars = Liars(1)
    with World(1, disks=True, node_transport=liars) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "true")
        troubles = Troubles(world, liars=liars)
        troubles.apply(NodeLies(1))
        for number in range(10):
            alice.write("bob", f"text {number}")
            world.settle(5)
        assert set(bob.texts()) <= {"true", *(f"text {number}" for number in range(10))}
        assert len(bob.texts()) == len(set(bob.texts()))


def test_a_scenario_that_fails_names_its_seed() -> None:
    def third_time_unlucky(world: World) -> None:
        assert world.sim.seed != 2

    with pytest.raises(ScenarioFailed, match="with seed 2") as failed:
        check(third_time_unlucky, scenarios=5)
    assert failed.value.seed == 2
    check(third_time_unlucky, scenarios=5, seed=3)


def test_a_world_that_nobody_holds_is_gone_with_its_stores() -> None:
    world = World()
    world.client("alice")
    assert pykka.ActorRegistry.get_all() == [], "another application's registry must not hold or stop our actors"
    gone = weakref.ref(world)
    del world
    gc.collect()
    assert gone() is None
