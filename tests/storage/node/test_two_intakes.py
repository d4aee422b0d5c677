"""Two workers take messages in at once, on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.storage.node.test_two_writers import ROUNDS, both, counted
from usernym.actors.forwarding.intake import HandedIn, Intake
from usernym.actors.forwarding.shares import Shares
from usernym.actors.node_clock import NodeClock
from usernym.actors.node_context import NodeContext
from usernym.actors.runtime import ThreadRuntime
from usernym.protocol import messages as m
from usernym.protocol.payloads import SEALED_SIZES
from usernym.protocol.signing import SigningKey
from usernym.storage.node.head_mark import FileMark
from usernym.storage.node.mailbox import Enqueued
from usernym.storage.node.store import NodeStore
from usernym.storage.postgres import PostgresDatabase
from usernym.timers import ThreadTimers

NAMES = ("ann", "bob", "cat", "dan")


@pytest.fixture
def workers(node: NodeStore, tmp_path: Path) -> Iterator[list[Intake]]:
    timers = ThreadTimers()
    runtime, mark = ThreadRuntime(timers), FileMark(tmp_path)
    key = SigningKey.from_seed(bytes(32))
    context = NodeContext(runtime, lambda *_: None, node, NodeClock(runtime, node), mark, mark, key)
    yield [Intake(context, Shares(node.mailbox)) for _ in range(2)]
    timers.close()


def batch(sender: str, number: int, names: tuple[str, ...], now: int) -> list[HandedIn]:
    """A message to each, in this order."""
    return [
        HandedIn(
            m.Forward(
                bytes(8), sender, name, f"{number} to {name}".encode().ljust(16), now, 1,
                bytes(min(SEALED_SIZES)), bytes(64), None,
            ),
            b"",
            bytes(32),
        )
        for name in names
    ]  # fmt: skip


def test_whatever_the_order_in_which_messages_came_no_worker_is_in_anothers_way(
    node: NodeStore, workers: list[Intake], monkeypatch: pytest.MonkeyPatch
) -> None:
    meaning, states = PostgresDatabase._meaning, []

    def noted(self: Any, error: Any) -> Exception:
        states.append(error.sqlstate)
        return meaning(self, error)

    monkeypatch.setattr(PostgresDatabase, "_meaning", noted)
    now = workers[0]._clock.now()
    for number in range(ROUNDS):
        # No one's mailbox has a row that could be locked before.
        some = both(
            lambda: workers[0].take(batch("eve", number, NAMES, now)),  # noqa: B023
            lambda: workers[1].take(batch("fay", number, NAMES[::-1], now)),  # noqa: B023
        )
        assert {outcome for outcomes in some for _, outcome in outcomes} == {Enqueued.STORED}
        for name in NAMES:
            assert len(node.mailbox.remove_all(name)) == 2
    assert counted(node) == {}
    assert states == []
