"""A client whose disk is full or bad says so to anyone who waits, forgets nothing that it took, and continues
afterwards."""

from __future__ import annotations

import pytest

from usernym.actors import messages as msg
from usernym.actors.failures import Failure, NodeSilent
from usernym.identity import IdentityMaker
from usernym.storage.errors import StoreFull, StoreInaccessible
from usernym.testing.disk import Disk
from usernym.testing.world import World


def _disk(world: World, name: str) -> Disk:
    disk = world.process(name).disk
    assert disk is not None
    return disk


@pytest.mark.parametrize("known", [True, False])
def test_a_text_that_finds_no_room_is_refused_at_once(known: bool) -> None:
    with World(disks=True) as world:
        alice, bob = world.client("alice"), world.client("bob")
        if known:
            alice.look_up("bob")
        _disk(world, "alice").set_full(True)
        with pytest.raises((StoreFull, NodeSilent)):
            alice.send("bob", "one")
        _disk(world, "alice").set_full(False)
        alice.send_and_wait("bob", "two")
        assert bob.texts() == ["two"]
        world.check()


def test_a_text_that_meets_a_bad_disk_is_refused_at_once() -> None:
    with World(disks=True) as world:
        alice = world.client("alice")
        world.settle(1)
        _disk(world, "alice").fail(1)
        with pytest.raises(StoreInaccessible):
            alice.send("bob", "one")


def test_a_lookup_whose_answer_finds_no_room_ends_and_can_be_made_again() -> None:
    with World(disks=True) as world:
        alice, _ = world.client("alice"), world.client("bob")
        _disk(world, "alice").set_full(True)
        with pytest.raises(NodeSilent) as silent:
            alice.do(alice.graph.lookup, lambda answer: msg.FindContact("bob", answer))
        assert silent.value.failure is Failure.NO_STORAGE
        _disk(world, "alice").set_full(False)
        assert alice.look_up("bob").name == "bob"


def test_a_check_whose_outcome_finds_no_room_keeps_no_one_else_waiting() -> None:
    class FullDisk:
        def tell(self, _outcome: msg.Resolved | msg.ResolveFailed) -> None:
            raise StoreFull("no room")

    with World() as world:
        alice, _ = world.client("alice"), world.client("bob")
        alice.graph.lookup.tell(msg.Resolve("bob", FullDisk()))
        alice.do(alice.graph.lookup, lambda answer: msg.FindContact("bob", answer))
        assert alice.counters()["lookup"]["storage_failed"] == 1
        world.check()


def test_a_strangers_message_that_found_no_room_comes_when_there_is_some() -> None:
    with World(disks=True) as world:
        alice, bob = world.client("alice"), world.client("bob")
        _disk(world, "bob").set_full(True)
        alice.send("bob", "patience")
        world.settle(30)
        assert bob.texts() == []
        _disk(world, "bob").set_full(False)
        world.settle(300)
        assert bob.texts() == ["patience"]
        world.check()


@pytest.mark.seconds
def test_texts_keep_their_order_when_the_lookup_they_wait_for_is_on_disk_already() -> None:
    for seed in range(40):
        with World(seed) as world:
            alice, bob = world.client("alice"), world.client("bob")
            first = alice.write("bob", "first")
            while alice.store.contacts.get("bob") is None:
                assert world.sim.step()
            alice.write("bob", "second")
            world.settle(10)
            assert first.done()
            counters = [row.counter for row in alice.store.messages.conversation("bob", 9) if row.body == b"first"]
            assert counters == [1], f"seed {seed}"
            assert sorted(bob.texts()) == ["first", "second"]


def test_a_clock_that_is_put_back_by_a_day_holds_up_no_message() -> None:
    with World() as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.look_up("bob")
        alice.runtime.clock_error_s = 25 * 3600
        world.mixnet.offline(world.node.client_number)
        alice.send("bob", "later")
        world.settle(20)
        alice.runtime.clock_error_s = 0
        world.mixnet.online(world.node.client_number)
        world.settle(1200)
        assert bob.texts() == ["later"]


def test_a_login_that_finds_no_room_is_made_again() -> None:
    with World(disks=True) as world:
        alice, bob = world.client("alice"), world.client("bob")
        _disk(world, "bob").set_full(True)
        world.mixnet.kill(bob.client_number)
        alice.send("bob", "patience")
        world.settle(30)
        _disk(world, "bob").set_full(False)
        world.settle(300)
        assert bob.texts() == ["patience"]
        world.check()


def test_a_heartbeat_whose_answer_can_not_be_noted_is_not_the_last() -> None:
    """A client that believed forever that a heartbeat was under way: its receipts never came any more."""
    with World(disks=True) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "one")
        _disk(world, "alice").set_full(True)
        world.settle(200)
        beats = alice.counters()["registration"]["heartbeats"]
        _disk(world, "alice").set_full(False)
        world.settle(200)
        assert alice.counters()["registration"]["heartbeats"] > beats
        bob.send_and_wait("alice", "two")
        assert alice.texts() == ["two"]
        world.check()


def test_a_registration_whose_end_finds_no_room_ends_and_can_be_made_again() -> None:
    with World(disks=True) as world:
        alice = world.client("alice", register=False, online=False)
        _disk(world, "alice").set_full(True)
        with pytest.raises(NodeSilent) as silent:
            alice.register()
        assert silent.value.failure is Failure.NO_STORAGE
        _disk(world, "alice").set_full(False)
        alice.register()
        alice.go_online()


def test_a_new_identity_whose_publication_finds_no_room_is_published_again() -> None:
    with World(disks=True) as world:
        alice, bob = world.client("alice"), world.client("bob")
        words, sim = alice.words, world.sim
        assert words is not None
        IdentityMaker(alice.store, "alice", world.node.card, sim.random_bytes, sim.unix_s()).replace(words, None)
        alice.restart()
        _disk(world, "alice").set_full(True)
        with pytest.raises(NodeSilent):
            alice.go_online()
        world.settle(60)
        _disk(world, "alice").set_full(False)
        world.settle(1200)
        bob.send_and_wait("alice", "there again?")
        assert alice.texts() == ["there again?"]
        world.check()
