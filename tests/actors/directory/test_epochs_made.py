"""The epochs that a node makes in a simulated world: what its users do is in the log within a minute."""

from __future__ import annotations

import logging

import pytest

from usernym.actors.registration.members import BEAT_S, DEAD_S
from usernym.protocol.directory.checkpoints import read_checkpoint
from usernym.protocol.directory.epochs import decode_changes
from usernym.protocol.limits import EPOCH_S
from usernym.testing.oracle import Oracle
from usernym.testing.watch import Watch
from usernym.testing.world import World


def events(world: World) -> list[int]:
    """How many events each epoch has."""
    log = world.node.store.log
    return [sum(len(change.added) for change in decode_changes(each.changes)) for each in log.epochs(log.size())]


def test_registrations_are_in_the_log_within_a_minute_and_idle_minutes_are_not() -> None:
    world = World(1)
    for name in ("alice", "bob"):
        world.client(name)
    world.settle(EPOCH_S + 1)
    assert sum(events(world)) == 2
    made = len(events(world))
    world.settle(10 * EPOCH_S)
    assert len(events(world)) == made
    world.client("carol")
    world.settle(EPOCH_S + 1)
    assert sum(events(world)) == 3
    note = world.node.mark.read()
    assert note is not None
    assert read_checkpoint(note).size == len(events(world))


def test_a_node_that_died_before_its_epoch_makes_it_when_it_is_back() -> None:
    world = World(2)
    world.client("alice")
    world.node.kill()
    world.settle(EPOCH_S)
    world.node.start_and_wait()
    world.settle(EPOCH_S + 1)
    assert events(world) == [1]


def test_a_node_whose_log_is_refused_serves_names_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World(3)
    world.node.store.log.hold_back()
    with caplog.at_level(logging.ERROR, logger="usernym"):
        alice = world.client("alice")
        world.settle(5 * EPOCH_S)
    assert alice is not None
    assert events(world) == []
    assert world.node.mark.read() is None
    assert world.node.counters()["directory"]["heads_refused"] == 1
    assert len([each for each in caplog.records if "no head is signed" in each.getMessage()]) == 1
    world.node.store.log.let_sign()
    world.settle(EPOCH_S + 1)
    assert events(world) == [1]
    assert world.node.counters()["directory"]["heads_refused"] == 0


def test_a_log_of_many_changes_at_once_is_made_in_several_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    from usernym.storage.node.epochs import DirectoryLog

    monkeypatch.setattr(DirectoryLog.make_epoch, "__defaults__", (2,))
    world = World(4)
    for number in range(5):
        world.client(f"user_{number}", online=False)
    world.settle(EPOCH_S + 5)
    assert sum(events(world)) == 5
    assert max(events(world)) == 2


@pytest.mark.seconds
@pytest.mark.parametrize("seed", range(3))
def test_of_three_workers_one_makes_the_log_and_the_next_one_continues_it(seed: int) -> None:
    """All of them have its heads within a minute."""
    with World(seed, workers=3) as world:
        oracle = Oracle()
        world.client("alice")
        world.settle(2 * EPOCH_S)
        first = world.workers[0]
        assert [len(worker.mark.given_out) for worker in world.workers] == [1, 1, 1]
        first.kill()
        world.client("bob")
        world.settle(2 * EPOCH_S)
        assert len(world.workers[1].mark.given_out) == 1, "the first one may be asleep"
        world.settle(DEAD_S + BEAT_S)
        world.client("carol")
        world.settle(2 * EPOCH_S)
        first.start_and_wait()
        world.client("dave")
        world.settle(2 * EPOCH_S)
        assert sum(events(world)) == 4
        assert len({worker.mark.read() for worker in world.workers}) == 1
        Watch(world, oracle).check_heads()
        assert oracle.wrong == []


@pytest.mark.seconds
def test_a_worker_that_slept_while_another_one_led_continues_its_log() -> None:
    with World(5, workers=3) as world:
        oracle = Oracle()
        world.client("alice")
        world.settle(2 * EPOCH_S)
        world.workers[0].runtime.sleep(2 * DEAD_S)
        world.client("bob")
        world.settle(3 * DEAD_S)
        assert sum(events(world)) == 2
        world.client("carol")
        world.settle(2 * EPOCH_S)
        assert sum(events(world)) == 3
        assert len({worker.mark.read() for worker in world.workers}) == 1
        Watch(world, oracle).check_heads()
        assert oracle.wrong == []
