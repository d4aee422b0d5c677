"""Proofs from a node's store, on each engine: they say what the newest epoch has, and nothing else is shown."""

from __future__ import annotations

import pytest

from tests.storage.node.test_epochs import HOLD, KEY, NOW, SIGNER, a_record, epoch, register, succeed
from usernym.protocol.directory.checkpoints import read_checkpoint
from usernym.protocol.directory.events import DirectoryEvent
from usernym.protocol.directory.proofs import ChainEnd, DeletedEnd, OtherLeaf, verify_absent, verify_present
from usernym.protocol.records import record_hash
from usernym.storage.errors import LogRolledBack, StoreCorrupt
from usernym.storage.node import proofs
from usernym.storage.node.proofs import ProvedPlace
from usernym.storage.node.store import NodeStore
from usernym.testing.process import KeptMark


def place_of(store: NodeStore, mark: KeptMark, name: str) -> ProvedPlace:
    found = store.proofs.place_of(SIGNER, mark, name)
    assert found is not None
    return found


def shows(store: NodeStore, mark: KeptMark, name: str, identity: bytes, event: DirectoryEvent) -> int:
    """The size of the log that is shown to have this event about this identity as a name's newest."""
    place = place_of(store, mark, name)
    assert place.former is not None
    chain = ChainEnd(place.leaf.events, place.former, event)
    if event is DirectoryEvent.DELETED:
        return verify_absent(KEY.public, name, DeletedEnd(chain, identity), place.proof).size
    return verify_present(KEY.public, name, identity, chain, place.proof).size


def test_the_newest_event_of_each_name_is_shown_by_the_newest_head(node: NodeStore) -> None:
    mark = KeptMark()
    assert node.proofs.place_of(SIGNER, mark, "alice") is None, "no epoch yet"
    names = [f"user_{number}" for number in range(40)]
    for at, name in enumerate(names):
        register(node, name)
        if at % 7 == 0:
            epoch(node, mark)
    first = record_hash(KEY.public, "user_3", a_record("user_3").stub())
    second = record_hash(KEY.public, "user_3", succeed(node, "user_3").stub())
    epoch(node, mark)
    size = node.log.size()
    for name in names[:3] + names[4:]:
        identity = record_hash(KEY.public, name, a_record(name).stub())
        assert shows(node, mark, name, identity, DirectoryEvent.REGISTERED) == size
    assert shows(node, mark, "user_3", second, DirectoryEvent.SUCCEEDED) == size
    assert node.directory.delete_account("user_3", HOLD)
    epoch(node, mark)
    assert place_of(node, mark, "user_3").deleted == second != first
    assert shows(node, mark, "user_3", second, DirectoryEvent.DELETED) == size + 1
    node.directory.release_names(HOLD, 10)
    assert shows(node, mark, "user_3", second, DirectoryEvent.DELETED) == size + 1, "forgotten, and shown as deleted"
    register(node, "user_3")
    epoch(node, mark)
    assert place_of(node, mark, "user_3").deleted is None
    assert shows(node, mark, "user_3", first, DirectoryEvent.REGISTERED) == size + 2


def test_a_name_that_no_one_had_is_shown_to_be_absent(node: NodeStore) -> None:
    mark = KeptMark()
    for count in range(12):
        register(node, f"user_{count}")
        epoch(node, mark)
        place = place_of(node, mark, "nobody")
        assert place.former is None
        leaf = OtherLeaf(place.leaf.label, place.leaf.events, place.leaf.head)
        assert verify_absent(KEY.public, "nobody", leaf, place.proof).size == count + 1


def test_a_head_is_given_out_with_a_proof_only_when_the_mark_has_it(node: NodeStore) -> None:
    ours, others = KeptMark(), KeptMark()
    register(node, "alice")
    epoch(node, ours)
    assert others.read() is None
    proofs.DirectoryProofs(node.database, type(node.log)(node.database), node.witnesses).place_of(
        SIGNER, others, "alice"
    )
    assert others.read() == ours.read()


def test_a_store_that_was_put_back_shows_no_proof(node: NodeStore) -> None:
    mark = KeptMark()
    register(node, "alice")
    epoch(node, mark)
    node.log.hold_back()
    again = type(node.log)(node.database)
    with pytest.raises(LogRolledBack):
        proofs.DirectoryProofs(node.database, again, node.witnesses).place_of(SIGNER, mark, "alice")


@pytest.mark.parametrize("change", [
    "UPDATE directory_leaf SET events = events + 1",
    "DELETE FROM directory_leaf",
    "UPDATE directory_log SET former_peaks = NULL",
    "DELETE FROM directory_node WHERE place > 1",
])  # fmt: skip
def test_a_node_signs_no_proof_from_a_damaged_map(node: NodeStore, change: str) -> None:
    mark = KeptMark()
    for name in ("alice", "bob"):
        register(node, name)
        epoch(node, mark)
    node.database.run(change)
    with pytest.raises(StoreCorrupt):
        node.proofs.place_of(SIGNER, mark, "alice")


def test_what_is_too_long_is_not_shown(node: NodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = KeptMark()
    for name in ("alice", "bob", "carol", "dave"):
        register(node, name)
        epoch(node, mark)
    depths = len(place_of(node, mark, "bob").proof.depths)
    monkeypatch.setattr(proofs, "DEPTHS_MAX", depths - 1)
    assert node.proofs.place_of(SIGNER, mark, "bob") is None
    monkeypatch.setattr(proofs, "DEPTHS_MAX", depths)
    monkeypatch.setattr(proofs, "HASHES_MAX", depths + 1)
    assert node.proofs.place_of(SIGNER, mark, "bob") is None, "three entries before the newest are two subtrees"
    monkeypatch.setattr(proofs, "HASHES_MAX", depths + 2)
    assert node.proofs.place_of(SIGNER, mark, "bob") is not None


def test_the_head_that_is_shown_is_the_one_that_is_stored(node: NodeStore) -> None:
    mark = KeptMark()
    for at in range(9):
        register(node, f"user_{at}")
        epoch(node, mark, NOW + at)
        note = mark.read()
        assert note is not None
        head = read_checkpoint(note)
        proof = place_of(node, mark, "user_0").proof
        assert (proof.size, proof.names, proof.made_at) == (at + 1, at + 1, NOW + at)
        assert head.note(proof.head_signature) == note
