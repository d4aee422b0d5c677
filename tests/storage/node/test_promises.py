"""What a store promises of the next epoch, on each engine: the next epoch has it, or there is no promise."""

from __future__ import annotations

import pytest

from tests.storage.node.test_epochs import HOLD, KEY, NOW, SIGNER, a_record, epoch, register, succeed
from usernym.protocol.directory.epochs import EVENTS_AT_ONCE_MAX
from usernym.protocol.directory.events import DirectoryEvent, label_of
from usernym.protocol.directory.name_map import bucket_of
from usernym.protocol.directory.proofs import ChainEnd
from usernym.protocol.records import record_hash
from usernym.storage.errors import LogRolledBack
from usernym.storage.node.epochs import note_event
from usernym.storage.node.promises import PROMISED_PLACE_MAX, ComingEnd
from usernym.storage.node.store import NodeStore
from usernym.testing.process import KeptMark


def coming(store: NodeStore, mark: KeptMark, name: str = "alice") -> ComingEnd | None:
    return store.promises.coming_end(SIGNER, mark, name)


def leaf(store: NodeStore, name: str) -> tuple[int, bytes]:
    """The name's chain in the newest epoch: how many events, and the head."""
    label = label_of(SIGNER.vrf, KEY.public, name)
    (found,) = (each for each in store.log.bucket(bucket_of(label)) if each.label == label)
    return found.events, found.head


def test_the_next_epoch_has_what_was_promised_of_it(node: NodeStore) -> None:
    mark = KeptMark()
    identity = record_hash(KEY.public, "alice", a_record("alice").stub())
    register(node, "alice")
    first = coming(node, mark)
    assert first == ComingEnd(ChainEnd(1, bytes(32), 1), ChainEnd(1, bytes(32), 1).head(identity), 0, 0)
    epoch(node, mark)
    assert leaf(node, "alice") == (1, first.head)
    assert coming(node, mark) is None, "nothing waits"
    second = record_hash(KEY.public, "alice", succeed(node, "alice").stub())
    assert node.directory.delete_account("alice", HOLD)
    found = coming(node, mark)
    assert found is not None
    assert (found.chain.events, found.chain.event, found.size) == (3, DirectoryEvent.DELETED, 1)
    assert found.made_at >= NOW
    assert found.head == found.chain.head(second)
    epoch(node, mark)
    assert leaf(node, "alice") == (3, found.head)


def test_what_others_wait_for_is_not_the_names(node: NodeStore) -> None:
    mark = KeptMark()
    register(node, "alice")
    assert coming(node, mark, "bob") is None
    register(node, "bob")
    found = coming(node, mark, "bob")
    assert found is not None
    assert found.chain.events == 1


@pytest.mark.parametrize(("others", "more"), [(PROMISED_PLACE_MAX, 0), (0, EVENTS_AT_ONCE_MAX)])
def test_no_more_is_promised_than_the_next_epoch_takes(node: NodeStore, others: int, more: int) -> None:
    mark = KeptMark()
    register(node, "bob")
    for _ in range(others - 1):
        note_event(node.database, "bob", DirectoryEvent.RETURNED)
    register(node, "alice")
    for _ in range(more - 1):
        note_event(node.database, "alice", DirectoryEvent.RETURNED)
    found = coming(node, mark)
    assert (found is None) == bool(others)
    note_event(node.database, "alice", DirectoryEvent.RETURNED)
    assert coming(node, mark) is None


def test_no_damaged_change_and_none_of_a_refused_log_is_promised(node: NodeStore) -> None:
    mark = KeptMark()
    register(node, "alice")
    node.database.run("UPDATE directory_change SET link = ?", (b"damaged",))
    assert coming(node, mark) is None
    node.log.hold_back()
    with pytest.raises(LogRolledBack):
        coming(node, mark)
