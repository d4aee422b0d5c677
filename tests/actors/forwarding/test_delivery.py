"""What a message goes through: on disk before it is reported, until its fate is known, across restarts and clocks.

Losses are in `test_silent_loss`, full mailboxes and disks in `test_hostile_peer` and `test_full_disk`, direct messages
that fall back in `test_direct`.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.helpers.hostile import Wiretap, message_of
from usernym.actors import messages as msg
from usernym.actors.context import JITTER
from usernym.actors.forwarding.outbox import RETRY_S
from usernym.actors.sound_clock import CLOCK_SETTLES_S
from usernym.mixnet.emulator.state import Faults
from usernym.protocol import messages as m
from usernym.protocol.limits import ACKNOWLEDGED_MAX, DAY_S, HOUR_S, MAILBOX_S, NOTICE_S
from usernym.storage.client.types import DeliveryState
from usernym.testing.world import SimClient, World


@pytest.fixture
def world() -> Iterator[World]:
    """A world whose stores are files, so that a second connection sees only what was committed."""
    with World(disks=True) as world:
        yield world


def committed(process: Any, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """What another process would find in this one's file."""
    with closing(sqlite3.connect(f"file:{process.disk.path}?mode=ro", uri=True)) as connection:
        return connection.execute(sql, values).fetchall()


class Watch:
    """Looks at disks at the moment at which something is handed to the mixnet."""

    def __init__(self, world: World) -> None:
        self.seen: list[tuple[str, bool]] = []
        mixnet: Any = world.mixnet
        send, reply = mixnet.send, mixnet.reply

        def watched_send(client: int, recipient: bytes, data: bytes, surbs: int | None, **how: bool) -> None:
            self._look(world, message_of(data))
            send(client, recipient, data, surbs, **how)

        def watched_reply(client: int, tag: bytes, data: bytes) -> None:
            self._look(world, message_of(data))
            reply(client, tag, data)

        mixnet.send, mixnet.reply = watched_send, watched_reply

    def _look(self, world: World, message: Any) -> None:
        kind = type(message).__name__
        match message:
            case m.Accepted():
                found = committed(world.node, "SELECT 1 FROM mail JOIN remembered LIMIT 1")
            case m.Forward() | m.Direct():
                found = committed(
                    world.clients[message.sender],
                    "SELECT 1 FROM outbox JOIN message USING (message_id) WHERE message_id = ? AND sealed IS NOT NULL",
                    message.message_id,
                )
            case m.Acknowledge():
                found = [
                    row
                    for item in message.messages
                    for row in committed(
                        world.clients[message.name],
                        "SELECT 1 FROM message JOIN seen USING (contact, message_id) WHERE message_id = ?",
                        item.message_id,
                    )
                ]
            case m.Delivered():
                found = committed(world.node, "SELECT 1 FROM notice WHERE id = ?", message.receipts[0].notice)
            case _:
                return
        self.seen.append((kind, bool(found)))


def test_everything_is_on_disk_before_it_is_said(world: World) -> None:
    watch = Watch(world)
    alice, bob = world.client("alice"), world.client("bob")
    for number in range(5):
        alice.send_and_wait("bob", f"text {number}")
    kinds = {kind for kind, _ in watch.seen}
    assert kinds == {"Forward", "Accepted", "Acknowledge", "Delivered"}
    assert all(on_disk for _, on_disk in watch.seen), watch.seen
    assert len(bob.texts()) == 5
    world.check()


def test_an_accepted_message_outlives_whatever_dies(world: World) -> None:
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    bob.kill()
    ids = [alice.send_and_wait("bob", f"text {number}", DeliveryState.ACCEPTED) for number in range(3)]
    world.node.restart()
    alice.restart()
    world.node.restart()
    bob.start()
    for client in (alice, bob):
        client.go_online()
    for message_id in ids:
        alice.wait_for_state(message_id, DeliveryState.DELIVERED, 600)
    assert sorted(bob.texts()) == [f"text {number}" for number in range(3)]
    world.check()


def away(world: World, client: SimClient, seconds: float) -> None:
    client.kill()
    world.sim.run_for(seconds)


def test_a_message_waits_to_the_end_of_its_term_and_no_longer() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    late = {}
    bob.kill()
    for name in ("in time", "too late"):
        late[name] = alice.send_and_wait("bob", name, DeliveryState.ACCEPTED)
        away(world, alice, DAY_S if name == "in time" else 0)
        alice.start()
        alice.go_online()
        world.settle(CLOCK_SETTLES_S + 60)
    alice.kill()
    world.sim.clock_error_s += MAILBOX_S - DAY_S - HOUR_S
    world.settle(900)
    assert len(world.node.store.mailbox.waiting("bob", 9)) == 2
    world.sim.run_for(2 * HOUR_S)
    assert len(world.node.store.mailbox.waiting("bob", 9)) == 1, "a day apart, in coming and in going"
    bob.start()
    bob.go_online()
    world.settle(60)
    assert bob.texts() == ["hello", "too late"]
    assert alice.states(late["in time"]) == [DeliveryState.ACCEPTED], "alice is away"
    alice.start()
    alice.go_online()
    alice.wait_for_state(late["too late"], DeliveryState.DELIVERED, 60)
    assert alice.states(late["in time"]) == [DeliveryState.ACCEPTED], "the node says nothing of it"
    world.sim.clock_error_s += 2 * DAY_S  # she was away before her client could see that it was accepted
    alice.wait_for_state(late["in time"], DeliveryState.EXPIRED, 900)
    world.settle(120)
    assert world.node.store.counts().notices == 0, "told, and confirmed"
    message = alice.store.messages.get("bob", late["in time"])
    assert message is not None
    assert message.state is DeliveryState.EXPIRED
    assert not alice.store.messages.outbox_of("bob"), "what has expired is not sent again"
    world.check()


def test_a_receipt_is_kept_as_long_as_the_message_was() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob", online=False)
    message_id = alice.send_and_wait("bob", "read late", DeliveryState.ACCEPTED)
    alice.kill()
    world.sim.clock_error_s += MAILBOX_S - HOUR_S
    bob.go_online()
    world.settle(1200)
    world.sim.clock_error_s += NOTICE_S - HOUR_S
    world.settle(1200)
    alice.start()
    alice.go_online()
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 60)
    world.check()


def test_acknowledgements_are_batched() -> None:
    world = World()
    tap = Wiretap(world)
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    bob.kill()
    for number in range(40):
        alice.send("bob", f"text {number}")
    world.settle(30)
    tap.sent.clear()
    bob.start()
    bob.go_online()
    world.sim.run_until(lambda: not world.node.store.mailbox.waiting("bob", 1), 120)
    frames = [message_of(data) for data in tap.of(bob.client_number, m.Acknowledge)]
    assert sum(len(frame.messages) for frame in frames) == 40
    assert len(frames) <= 16
    assert max(len(frame.messages) for frame in frames) > ACKNOWLEDGED_MAX // 4
    world.check()


def tries(tap: Wiretap, world: World, client: SimClient, seconds: float) -> list[float]:
    """When the client sent its message, while nothing comes back."""
    times: list[float] = []
    end, known = world.sim.now() + seconds, 0
    while world.sim.now() < end and world.sim.step():
        count = len(tap.of(client.client_number, m.Forward))
        if count > known:
            times.append(world.sim.now())
            known = count
    return times


@pytest.mark.seconds
def test_the_outbox_tries_again_with_backoff_and_jitter_until_the_node_answers() -> None:
    gaps: dict[int, list[float]] = {}
    for seed in range(6):
        world = World(seed)
        alice, bob = world.client("alice"), world.client("bob")
        alice.look_up("bob")
        tap = Wiretap(world)
        tap.lost = (m.Forward,)
        message_id = alice.send("bob", "at last")
        times = tries(tap, world, alice, 600)
        gaps[seed] = [round(later - sooner, 1) for sooner, later in itertools.pairwise(times)]
        assert len(gaps[seed]) >= 4
        for gap, pause in zip(gaps[seed], RETRY_S, strict=False):
            assert pause * (1 - JITTER) <= gap <= pause + 6 + 6, "six seconds without an answer, then the pause"
        tap.lost = ()
        alice.wait_for_state(message_id, DeliveryState.DELIVERED, 1000)
        assert bob.texts() == ["at last"]
        world.check()
    assert len({tuple(each[:4]) for each in gaps.values()}) > 3, "no two come back together"


def test_the_outbox_goes_on_after_a_restart_where_it_was() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.look_up("bob")
    world.mixnet.faults = Faults(silent_loss=1.0)
    message_id = alice.send("bob", "through it all")
    world.settle(200)
    row = alice.store.messages.outbox_row(message_id)
    assert row is not None
    assert row.attempts >= 2
    assert row.sealed is not None
    alice.restart()
    alice.begin(alice.graph.registration, msg.GoOnline)
    world.settle(60)
    again = alice.store.messages.outbox_row(message_id)
    assert again is not None
    assert (again.sealed, again.attempts >= row.attempts) == (row.sealed, True)
    world.mixnet.faults = Faults()
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 900)
    assert bob.texts() == ["through it all"]
    world.check()
