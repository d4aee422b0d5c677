"""What a node's store shows of its log, on each engine: whatever a client knows, it can check how the log continues."""

from __future__ import annotations

import random

import pytest

from tests.storage.node.test_epochs import KEY, NOW, SIGNER, a_record, epoch, register
from usernym.protocol.directory.shown import (
    SHOWN_HASHES_MAX,
    KnownLog,
    LogAsked,
    continuing_hashes,
    earlier_hashes,
    own_place,
    take_shown,
)
from usernym.protocol.records import record_hash
from usernym.storage.errors import StoreCorrupt
from usernym.storage.node.epochs import TREE_LEVEL_MIN
from usernym.storage.node.store import NodeStore
from usernym.testing.process import KeptMark

EPOCHS = 2 ** (TREE_LEVEL_MIN + 1) + 40
"""Enough for stored roots of two levels, and entries that are in none."""


def grow(store: NodeStore, epochs: int) -> None:
    """Make so many epochs, without their names: labels are made up."""
    start = store.log.size()
    for number in range(start, start + epochs):
        events = {number.to_bytes(32, "little"): [bytes(32)]}
        store.commit(lambda events=events: store.log.append(SIGNER, events, NOW))  # type: ignore[misc] # a default binds


def see(store: NodeStore, mark: KeptMark, known: KnownLog | None, other: int = 0) -> KnownLog:
    """What a client knows after it has asked, with what it was shown checked."""
    asked = LogAsked(0 if known is None else known.size, other, 1)
    shown = store.proofs.shown(SIGNER, mark, "alice", asked)
    assert shown is not None
    seen = take_shown(KEY.public, known, asked, shown)
    if other:
        fits = continuing_hashes(asked.known, seen.log.size) + earlier_hashes(other, asked.known) <= SHOWN_HASHES_MAX
        assert (seen.earlier is not None) is fits
    else:
        assert shown.leaf is not None
        identity = record_hash(KEY.public, "alice", a_record("alice").stub())
        place = own_place(KEY.public, "alice", identity, seen, shown.leaf, None)
        assert place is not None
        assert place.events == 1
    return seen.log


@pytest.mark.seconds
def test_each_client_sees_how_the_log_continues(node: NodeStore) -> None:
    mark, rng = KeptMark(), random.Random(7)
    assert node.proofs.shown(SIGNER, mark, "alice", LogAsked(0, 0, 1)) is None, "no epoch yet"
    register(node, "alice")
    epoch(node, mark)
    known = [see(node, mark, None)]
    while node.log.size() < EPOCHS:
        grow(node, rng.choice((1, 2, 3, 17)))
        known.append(see(node, mark, rng.choice(known)))
    for each in known:
        assert see(node, mark, each) == known[-1]
        see(node, mark, known[-1], each.size)
    assert mark.read() is not None, "what was shown was given out"


def test_a_client_that_knows_more_than_the_store_is_shown_nothing(node: NodeStore) -> None:
    register(node, "alice")
    epoch(node, KeptMark())
    assert node.proofs.shown(SIGNER, KeptMark(), "alice", LogAsked(2, 0, 0)) is None


def test_a_name_that_is_not_in_the_log_has_no_leaf(node: NodeStore) -> None:
    register(node, "alice")
    epoch(node, KeptMark())
    shown = node.proofs.shown(SIGNER, KeptMark(), "bob", LogAsked(0, 0, 1))
    assert shown is not None
    assert shown.leaf is None


def test_what_would_not_fit_is_left_out(node: NodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    register(node, "alice")
    epoch(node, KeptMark())
    grow(node, 63)
    monkeypatch.setattr("usernym.storage.node.proofs.SHOWN_HASHES_MAX", 7)
    first = node.proofs.shown(SIGNER, KeptMark(), "alice", LogAsked(0, 0, 1))
    assert first is not None
    assert first.leaf is None, "how the log continues comes first"
    known = take_shown(KEY.public, None, LogAsked(0, 0, 1), first).log
    second = node.proofs.shown(SIGNER, KeptMark(), "alice", LogAsked(known.size, 0, 1))
    assert second is not None
    assert second.leaf is not None
    third = node.proofs.shown(SIGNER, KeptMark(), "alice", LogAsked(known.size, known.size - 1, 0))
    assert third is not None
    assert take_shown(KEY.public, known, LogAsked(known.size, known.size - 1, 0), third).earlier is not None
    grow(node, 1)
    fourth = node.proofs.shown(SIGNER, KeptMark(), "alice", LogAsked(known.size, known.size - 1, 0))
    assert fourth is not None
    assert take_shown(KEY.public, known, LogAsked(known.size, known.size - 1, 0), fourth).earlier is None
    monkeypatch.setattr("usernym.storage.node.proofs.SHOWN_HASHES_MAX", 1)
    assert node.proofs.shown(SIGNER, KeptMark(), "alice", LogAsked(0, 0, 1)) is None


def test_a_log_that_is_not_the_heads_is_not_shown(node: NodeStore) -> None:
    register(node, "alice")
    epoch(node, KeptMark())
    grow(node, 70)
    node.database.run("DELETE FROM directory_tree")
    with pytest.raises(StoreCorrupt, match="lacks"):
        node.proofs.shown(SIGNER, KeptMark(), "alice", LogAsked(0, 0, 1))
