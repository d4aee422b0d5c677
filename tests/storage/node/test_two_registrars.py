"""Two workers register what came to each of them, at once, on each engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.storage.node.test_two_writers import ROUNDS, both
from usernym.actors.node_clock import NodeClock
from usernym.actors.node_context import NodeContext
from usernym.actors.registration.newcomers import Newcomer, Newcomers
from usernym.actors.registration.spent_proofs import SpentProofs
from usernym.actors.runtime import ThreadRuntime
from usernym.protocol import messages as m
from usernym.protocol.challenges import Challenger
from usernym.protocol.errors import Code
from usernym.protocol.limits import WORK_BITS_MAX
from usernym.protocol.records import first_record
from usernym.protocol.signing import SigningKey
from usernym.storage.node.directory import Registration
from usernym.storage.node.head_mark import FileMark
from usernym.storage.node.store import NodeStore
from usernym.storage.postgres import PostgresDatabase
from usernym.timers import ThreadTimers

NODE = SigningKey.from_seed(bytes(32))
LETTERS = "bcdfghjk"
"""No two of them look alike."""


@pytest.fixture
def workers(node: NodeStore, tmp_path: Path) -> Iterator[list[Newcomers]]:
    timers = ThreadTimers()
    runtime, mark = ThreadRuntime(timers), FileMark(tmp_path)
    context = NodeContext(runtime, lambda *_: None, node, NodeClock(runtime, node), mark, mark, NODE)
    yield [Newcomers(context, Challenger(bytes(32)), SpentProofs(), Counter(), 0) for _ in range(2)]
    timers.close()


def newcomer(name: str, seed: int) -> Newcomer:
    """A proof that was checked: what it is made of does not matter any more, but for the record."""
    key = SigningKey.from_seed(bytes([seed]) * 32)
    record = first_record(key, bytes(32), NODE.public, name, bytes(32), 0)
    return Newcomer(m.RegisterProof(b"", 2, name, record, b"", 0, WORK_BITS_MAX, b"", 0), b"")


def test_of_two_who_want_the_same_names_each_gets_what_is_left_and_no_one_waits_for_the_other(
    node: NodeStore, workers: list[Newcomers], monkeypatch: pytest.MonkeyPatch
) -> None:
    meaning, states = PostgresDatabase._meaning, []

    def noted(self: Any, error: Any) -> Exception:
        states.append(error.sqlstate)
        return meaning(self, error)

    monkeypatch.setattr(PostgresDatabase, "_meaning", noted)
    for number in range(ROUNDS):
        names = [f"{letter}_" + LETTERS[number // 8] + LETTERS[number % 8] for letter in LETTERS]
        first = [newcomer(name, 1) for name in names]
        second = [newcomer(name, 2) for name in reversed(names)]
        outcomes = both(lambda: workers[0].register(first), lambda: workers[1].register(second))  # noqa: B023
        got = [{each.proof.name for each, outcome in some if outcome is Registration.CREATED} for some in outcomes]
        assert got[0] | got[1] == set(names)
        assert not got[0] & got[1]
        assert {outcome for some in outcomes for _, outcome in some} <= {Registration.CREATED, Code.NAME_TAKEN}
    assert node.counts().accounts == ROUNDS * len(LETTERS)
    assert not states, "a deadlock is found by waiting a second"
