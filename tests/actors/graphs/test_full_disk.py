"""A node whose disk is full refuses, changes nothing, and continues when there is room again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from usernym.actors.events import DeliveryChanged
from usernym.actors.failures import NodeRefused
from usernym.protocol.errors import Code
from usernym.protocol.limits import HOUR_S, MAILBOX_S
from usernym.storage.client.types import DeliveryState
from usernym.storage.errors import StoreFull
from usernym.storage.node.profile import NodeProfile
from usernym.storage.node.store import NodeStore
from usernym.testing.world import World


class FullDisk:
    """Lets every commit of a store fail while it is switched on."""

    def __init__(self, store: NodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = False
        commit = store.database.commit

        def failing(work: Callable[[], Any]) -> Any:
            def run() -> Any:
                done = work()
                if self.on:
                    raise StoreFull("no room")
                return done

            return commit(run)

        monkeypatch.setattr(store.database, "commit", failing)


def test_a_message_waits_at_its_sender_while_the_nodes_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    disk = FullDisk(world.node.store, monkeypatch)
    disk.on = True
    alice.send("bob", "patience")
    world.settle(120)
    assert [(event.state, event.reason) for event in alice.of_kind(DeliveryChanged)] == [
        (DeliveryState.WAITING, Code.BUSY)
    ]
    assert world.node.store.counts().messages == 0
    assert world.node.counters()["forwarding"]["storage_failed"] >= 2
    disk.on = False
    world.settle(1200)
    assert bob.texts() == ["patience"]
    world.check()


def test_registration_is_refused_as_busy_and_burns_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    disk = FullDisk(world.node.store, monkeypatch)
    disk.on = True
    alice = world.client("alice", register=False, online=False)
    with pytest.raises(NodeRefused) as refusal:
        alice.register()
    assert refusal.value.code is Code.BUSY
    assert world.node.store.directory.account("alice") is None
    disk.on = False
    alice.register()
    assert world.node.store.directory.account("alice") is not None
    world.check()


def test_the_card_is_made_when_the_disk_has_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def save(self: NodeProfile, sequence: int, blob: bytes) -> bool:
        tries.append(sequence)
        if len(tries) < 3:
            raise StoreFull("no room")
        return save_card(self, sequence, blob)

    save_card = NodeProfile.save_card
    monkeypatch.setattr(NodeProfile, "save_card", save)
    world = World()
    alice, _bob = world.client("alice"), world.client("bob")
    assert len(tries) == 3
    alice.look_up("bob")
    world.check()


@pytest.mark.seconds
def test_sweeping_goes_on_when_the_disk_has_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    alice = world.client("alice")
    world.client("bob", online=False)
    alice.send_and_wait("bob", "for nobody", DeliveryState.ACCEPTED)
    raise_floor = world.node.store.profile.raise_clock_floor

    def full(_: int) -> None:
        raise StoreFull("no room")

    monkeypatch.setattr(world.node.store.profile, "raise_clock_floor", full)
    world.sim.clock_error_s += MAILBOX_S
    world.settle(3 * HOUR_S)
    assert len(world.node.store.mailbox.waiting("bob", 9)) == 1
    assert world.node.store.counts().remembered > 0
    monkeypatch.setattr(world.node.store.profile, "raise_clock_floor", raise_floor)
    world.sim.run_until(lambda: not world.node.store.mailbox.waiting("bob", 9), 600)
    world.settle(600)
    assert world.node.store.counts().remembered == 0
    world.check()
