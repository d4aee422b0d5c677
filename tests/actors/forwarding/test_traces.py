"""Erased in the table is erased on the disk: every byte of the node's files, after messages are gone."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from usernym.actors.forwarding.node import SWEEP_S
from usernym.actors.node_clock import STEADY_S
from usernym.protocol.payloads import SEALED_SIZES
from usernym.storage.errors import StoreFull
from usernym.storage.node.mailbox import Mailbox, RemovedMessage
from usernym.storage.node.store import NodeStore
from usernym.testing.world import World

PAIR = re.compile(rb"whistleblower.{0,4}journalist", re.DOTALL)


def files_of(folder: Path) -> dict[str, bytes]:
    """The node's files, byte by byte."""
    node = folder / "node" if (folder / "node").is_dir() else folder
    return {path.name: path.read_bytes() for path in node.glob("*.db*")}


def traces(folder: Path, ids: list[bytes]) -> list[str]:
    """Where a pair of names, or a message's id, still stands."""
    return [
        name for name, data in files_of(folder).items() if PAIR.search(data) or any(each in data for each in ids)
    ]  # fmt: skip


def story(world: World) -> list[bytes]:
    """Two texts are delivered, with receipts that are confirmed; other people write meanwhile. Their ids."""
    whistle, _journalist = world.client("whistleblower"), world.client("journalist")
    xavier, _yolanda = world.client("xavier"), world.client("yolanda")
    ids = []
    for number in range(2):
        ids.append(whistle.send_and_wait("journalist", f"text {number}"))
        xavier.send_and_wait("yolanda", "x" * 3_000)
    world.settle(90)
    assert world.node.store.counts().messages == world.node.store.counts().notices == 0
    return ids


def test_who_wrote_to_whom_is_gone_from_every_file_after_a_sweep() -> None:
    with World(16, disks=True) as world:
        assert world.folder is not None
        ids = story(world)
        world.settle(SWEEP_S + 5)
        assert files_of(world.folder)
        assert traces(world.folder, ids) == []
        assert "traces_left" not in world.node.counters()["forwarding"]
        world.check()


def test_it_is_gone_although_the_sweep_can_give_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: Mailbox, now: int, limit: int) -> list[RemovedMessage]:
        raise StoreFull(f"{limit} rows due at {now} could not be removed")

    monkeypatch.setattr(Mailbox, "expire", full)
    with World(16, disks=True) as world:
        assert world.folder is not None
        world.settle(STEADY_S + 5)
        ids = story(world)
        world.settle(SWEEP_S + 5)
        assert world.node.counters()["forwarding"]["storage_failed"] > 0
        assert traces(world.folder, ids) == []


def test_the_log_would_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What once was: deleting a row does not touch what the write-ahead log says of it."""
    monkeypatch.setattr(NodeStore, "erase_traces", lambda _self: True)
    with World(16, disks=True) as world:
        assert world.folder is not None
        ids = story(world)
        world.settle(SWEEP_S + 5)
        assert traces(world.folder, ids) != []


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_left_in_pages_that_were_split_merged_and_used_again(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    store = NodeStore.open(tmp_path / "node.db", synchronous="OFF")
    waiting: list[tuple[str, str, bytes]] = []
    sizes = (min(SEALED_SIZES), 3_000, max(SEALED_SIZES))

    def fetched(at: int) -> None:
        sender, recipient, message_id = waiting.pop(at)
        store.mailbox.acknowledge(recipient, [(sender, message_id)])
        store.notices.confirm(sender, [store.notices.add(sender, 1, message_id, 1, 9)])

    for step in range(800):
        if rng.random() < 0.55 or not waiting:
            sender, recipient = rng.choice(["whistleblower", "xavier"]), rng.choice(["journalist", "yolanda"])
            message_id = step.to_bytes(16, "big")
            store.mailbox.enqueue(
                sender=sender, recipient=recipient, message_id=message_id, blob=rng.randbytes(rng.choice(sizes)),
                now=1, expires_at=9,
            )  # fmt: skip
            waiting.append((sender, recipient, message_id))
        else:
            fetched(rng.randrange(len(waiting)))
    for at in reversed(range(len(waiting))):
        if "whistleblower" in waiting[at] or "journalist" in waiting[at]:
            fetched(at)
    assert store.erase_traces()
    assert [
        name for name, data in files_of(tmp_path).items() if b"whistleblower" in data or b"journalist" in data
    ] == []
    store.close()
