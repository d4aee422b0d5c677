"""The log is read from the node, part by part: what comes is the log, and each part is one packet."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.actors.directory.test_witnesses import grow
from tests.helpers.examples import examples
from usernym.actors.messages import AnswerArrived, RequestFailed, SendRequest
from usernym.protocol import messages as m
from usernym.protocol.directory.epochs import ENTRY_BYTES, joined, parted
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.errors import Code
from usernym.protocol.limits import LOG_PART_BYTES
from usernym.storage.node.epochs import EpochSigner
from usernym.testing.world import SimClient, World


class _Answers:
    """Takes what comes of one request."""

    def __init__(self) -> None:
        self.answer: Future[Any] = Future()

    def tell(self, message: AnswerArrived | RequestFailed) -> None:
        self.answer.set_result(message)


def read(client: SimClient, epoch: int, offset: int) -> m.Answer:
    to = _Answers()
    request = m.LogRead(client.runtime.random_bytes(8), 3, epoch, offset)
    client.graph.io.tell(SendRequest(request, to, True))
    client.world.sim.run_until(to.answer.done)
    arrived = to.answer.result()
    assert isinstance(arrived, AnswerArrived)
    return arrived.answer


@pytest.mark.parametrize("changes", [0, 40])
def test_the_log_is_read_part_by_part(changes: int) -> None:
    """With an epoch of more changes than a part has, and without."""
    world = World(changes)
    alice = world.client("alice")
    grow(world.node, 9)
    if changes:
        log, events = world.node.store.log, {bytes((7, number)) * 16: [bytes(32)] for number in range(changes)}
        world.node.store.commit(lambda: log.append(EpochSigner.of(world.node.key), events, 1))
        grow(world.node, 2)
    stored = list(world.node.store.log.epochs(100))
    data, epoch, found = b"", 0, []
    while True:
        part = read(alice, epoch, len(data))
        assert isinstance(part, m.LogPart)
        assert part.size == len(stored)
        assert len(part.data) <= LOG_PART_BYTES
        if not part.data:
            break
        data += part.data
        while (whole := parted(data)) is not None:
            entry, changed, data = whole
            found.append((entry, changed))
            epoch += 1
    assert data == b""
    assert found == [(each.entry, each.changes) for each in stored]


def test_a_node_whose_log_is_refused_gives_nothing_of_it() -> None:
    world = World(3)
    alice = world.client("alice")
    grow(world.node, 2)
    world.node.store.log.hold_back()
    answer = read(alice, 0, 0)
    assert isinstance(answer, m.Refused)
    assert answer.code == Code.BUSY


@given(st.lists(st.tuples(st.binary(min_size=ENTRY_BYTES, max_size=ENTRY_BYTES), st.binary(max_size=300))), st.data())
@examples(200)
def test_epochs_are_found_in_whatever_pieces_they_come(epochs: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    stream, buffer, found = b"".join(joined(*each) for each in epochs), b"", []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        buffer, stream = buffer + stream[:cut], stream[cut:]
        while (whole := parted(buffer)) is not None:
            found.append(whole[:2])
            buffer = whole[2]
    assert (found, buffer) == (epochs, b"")


def test_an_epoch_that_says_to_be_endless_is_refused_at_once() -> None:
    with pytest.raises(DirectoryInvalid):
        parted(bytes(ENTRY_BYTES) + b"\xff" * 4)
