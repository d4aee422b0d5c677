"""The model of the witness beside the code, as `test_models.py` does it for others.

In each counterexample the node asks its witness to sign heads of two histories, and gets both signatures: only with the
mutation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import pytest

from tests.actors.directory.test_witnesses import SignedHeads, asks, grow, witnessed
from usernym.protocol.directory.checkpoints import SignedHead
from usernym.protocol.limits import EPOCH_S
from usernym.storage.node.head_mark import HeadMark
from usernym.storage.node.witnesses import Witnesses, WitnessWord
from usernym.testing.forger import ForgedLog
from usernym.testing.process import KeptMark
from usernym.testing.world import SimNode, World

SIGNED = "SELECT node, signed FROM witness"

# -- the mutations --


@contextmanager
def any_head_is_signed() -> Iterator[None]:
    """`WitnessChecks` is FALSE: whatever the log's node has signed is signed."""

    def take(
        _self: Witnesses, _mark: HeadMark, _log: bytes, head: SignedHead, _known: int, _hashes: Sequence[bytes]
    ) -> WitnessWord:
        return WitnessWord(True, True, head)

    with patch.object(Witnesses, "take", take):
        yield


@contextmanager
def signatures_leave_first() -> Iterator[None]:
    """`PersistFirst` is FALSE: what was signed is written, to store and mark, when the next head is asked for."""

    def take(self: Witnesses, mark: HeadMark, *asked: Any) -> WitnessWord:
        if (before := waiting.pop(self, None)) is not None:
            unpatched(self, mark, *before)
        rows = self._db.rows(SIGNED)
        word = unpatched(self, KeptMark(), *asked)
        for node, signed in rows:
            self._db.run("UPDATE witness SET signed = ? WHERE node = ?", (signed, node))
        waiting[self] = asked
        return word

    waiting: dict[Witnesses, Any] = {}
    unpatched = Witnesses.take
    with patch.object(Witnesses, "take", take):
        yield


@contextmanager
def mark_is_not_looked_at() -> Iterator[None]:
    """`CheckMark` is FALSE: a store that was put back signs on."""
    with patch.object(Witnesses, "_check", lambda *_: None):
        yield


# -- the counterexamples, each as a scenario: whether the harm was done --


def two_histories_are_signed(meanwhile: Callable[[SimNode, list[Any]], None]) -> bool:
    """OneHistory: the witness signs a log of three entries, then of four. Something happens to it. Then it is asked to
    sign another fourth."""
    with World(6, disks=True) as world:
        (witness,) = witnessed(world, "one")
        heads = SignedHeads(world)
        grow(world.node, 3)
        world.settle(2 * EPOCH_S)
        forged, rows = ForgedLog(world.node), witness.store.database.rows(SIGNED)
        forged.stays = True
        grow(world.node)
        world.settle(2 * EPOCH_S)
        assert [each.size for each in heads.heads["one"]] == [3, 4]
        meanwhile(witness, rows)
        events = {bytes(32): [bytes(32)]}
        forged.store.commit(lambda: forged.store.log.append(forged.signer, events, 1))
        asks(world, witness, forged, 3)
        return not heads.are_of_one_log_of(world.node.store)


def another_history_is_asked_for() -> bool:
    """Nothing happens to the witness."""
    return two_histories_are_signed(lambda _witness, _rows: None)


def the_process_dies_after_the_signature() -> bool:
    """The witness's process is killed after it has signed the fourth, and begins again."""

    def die(witness: SimNode, _rows: list[Any]) -> None:
        witness.kill()
        witness.start_and_wait()

    return two_histories_are_signed(die)


def the_store_is_put_back() -> bool:
    """The witness's store is put back to the state before it signed the fourth."""

    def put_back(witness: SimNode, rows: list[Any]) -> None:
        for node, signed in rows:
            witness.store.database.run("UPDATE witness SET signed = ? WHERE node = ?", (signed, node))

    return two_histories_are_signed(put_back)


@pytest.mark.parametrize(
    ("mutation", "harm"),
    [
        (any_head_is_signed, another_history_is_asked_for),
        (signatures_leave_first, the_process_dies_after_the_signature),
        (mark_is_not_looked_at, the_store_is_put_back),
    ],
)
def test_two_histories_are_signed_by_the_mutated_code_only(
    mutation: Callable[[], Any], harm: Callable[[], bool]
) -> None:
    for planted, expected in ((nullcontext, False), (mutation, True)):
        with planted():
            assert harm() is expected
