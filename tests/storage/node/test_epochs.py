"""The directory's log in the store, on each engine: one history, whatever happens to the store."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.helpers import directory_by_the_page as page
from usernym.protocol.directory.checkpoints import LogHead, read_checkpoint
from usernym.protocol.directory.epochs import decode_changes, decode_entry
from usernym.protocol.directory.events import DirectoryEvent, commitment, label_of
from usernym.protocol.directory.log_tree import entry_hash
from usernym.protocol.records import (
    Authority,
    KeyRecord,
    authorise,
    first_record,
    first_succession,
    record_hash,
    sign_record,
)
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.storage.errors import LogRolledBack, StorageError, StoreCorrupt
from usernym.storage.node import epochs
from usernym.storage.node.directory import Registration
from usernym.storage.node.epochs import EpochSigner
from usernym.storage.node.head_mark import MARK_NAME, FileMark
from usernym.storage.node.store import NodeStore
from usernym.storage.node.workers import SoleWorker
from usernym.testing.process import KeptMark

KEY: Final = SigningKey.from_seed(b"node" * 8)
SIGNER: Final = EpochSigner.of(KEY)
NOW: Final = 1_800_000_000
HOLD: Final = NOW + 1_000


def seed_of(what: str) -> bytes:
    return what.encode().ljust(32, b".")


def a_record(name: str) -> KeyRecord:
    key, recovery = SigningKey.from_seed(seed_of(name)), SigningKey.from_seed(seed_of(f"recovery {name}"))
    return first_record(key, recovery.public, KEY.public, name, seed_of("message key"), NOW)


def register(store: NodeStore, name: str) -> Registration:
    record = a_record(name)
    return store.directory.register(
        name=name, skeleton=name, skeleton_version=1, identity_key=record.identity_key, record=pack(record),
        record_number=1, hpke_number=1, link=pack(first_succession(record)), now=NOW,
    )  # fmt: skip


def succeed(store: NodeStore, name: str) -> KeyRecord:
    """The identity is replaced; its new record."""
    old_key, new_key = SigningKey.from_seed(seed_of(name)), SigningKey.from_seed(seed_of(f"next {name}"))
    old = a_record(name)
    previous = record_hash(KEY.public, name, old.stub())
    fresh = KeyRecord(2, 0, new_key.public, old.recovery_key, old.hpke_key, 2, old.made_on, previous, b"")
    record = sign_record(new_key, KEY.public, name, fresh)
    link = authorise(old_key, KEY.public, name, record.stub(), Authority.IDENTITY)
    assert store.directory.replace_record(
        name, expected=pack(old), identity_key=new_key.public, record=pack(record), record_number=2, hpke_number=2,
        now=NOW, new_link=(1, pack(link)),
    )  # fmt: skip
    return record


def epoch(store: NodeStore, mark: KeptMark | FileMark, at: int = NOW, **more: int) -> bool:
    return store.log.make_epoch(SIGNER, mark, SoleWorker(), at, **more)


def check(store: NodeStore) -> dict[bytes, tuple[int, bytes]]:
    """All that the page says must hold between the epochs of the store; the chains by label."""
    chains: dict[bytes, tuple[int, bytes]] = {}
    hashes = []
    for number, each in enumerate(store.log.epochs(store.log.size())):
        for label, before, new in page.changes(each.changes):
            events, head = chains.get(label, (0, bytes(32)))
            assert before == events
            for event in new:
                events += 1
                head = page.digest("directory chain", head, events.to_bytes(4, "big"), event)
            chains[label] = (events, head)
        entry = decode_entry(each.entry)
        assert (entry.number, entry.root, entry.names) == (number, page.map_root(chains), len(chains))
        hashes.append(entry_hash(each.entry))
        assert read_checkpoint(each.checkpoint) == LogHead(KEY.public, number + 1, page.log_root(hashes))
    return chains


def events_of(store: NodeStore, name: str) -> list[bytes]:
    """The commitments of a name's events in the log."""
    label = label_of(SIGNER.vrf, KEY.public, name)
    found = []
    for each in store.log.epochs(store.log.size()):
        found += [event for change in decode_changes(each.changes) if change.label == label for event in change.added]
    return found


def test_what_happens_to_an_identity_is_in_the_next_epoch_and_nothing_else(node: NodeStore) -> None:
    mark = KeptMark()
    assert register(node, "alice") is Registration.CREATED
    assert register(node, "alice") is Registration.SAME_IDENTITY
    epoch(node, mark)
    record = succeed(node, "alice")
    assert node.directory.delete_account("alice", HOLD)
    assert not node.directory.delete_account("alice", HOLD)
    epoch(node, mark)
    first, second = (record_hash(KEY.public, "alice", each.stub()) for each in (a_record("alice"), record))
    assert events_of(node, "alice") == [
        commitment(DirectoryEvent.REGISTERED, first),
        commitment(DirectoryEvent.SUCCEEDED, second),
        commitment(DirectoryEvent.DELETED, second),
    ]
    assert len(check(node)) == 1
    assert node.log.size() == 2
    epoch(node, mark)
    assert node.log.size() == 2, "nothing happened, so there is no epoch"


def test_an_owner_who_takes_a_name_back_and_a_stranger_who_gets_it_later_continue_its_chain(node: NodeStore) -> None:
    mark, identity = KeptMark(), record_hash(KEY.public, "alice", a_record("alice").stub())
    register(node, "alice")
    node.directory.delete_account("alice", HOLD)
    assert register(node, "alice") is Registration.REVIVED
    node.directory.delete_account("alice", NOW - 1)
    epoch(node, mark)
    assert node.directory.release_names(NOW, 10) == 1
    register(node, "alice")
    epoch(node, mark)
    kinds = ("REGISTERED", "DELETED", "RETURNED", "DELETED", "REGISTERED")
    assert events_of(node, "alice") == [commitment(DirectoryEvent[kind], identity) for kind in kinds]
    ((events, _),) = check(node).values()
    assert events == 5


def test_a_change_that_was_undone_is_in_no_epoch(node: NodeStore) -> None:
    class Undone(Exception):
        pass

    def fail() -> None:
        register(node, "alice")
        raise Undone

    with pytest.raises(Undone):
        node.commit(fail)
    epoch(node, KeptMark())
    assert node.log.size() == 0


def test_many_names_in_several_epochs_give_the_map_of_the_page(node: NodeStore) -> None:
    mark = KeptMark()
    for start in range(0, 60, 20):
        for number in range(start, start + 20):
            register(node, f"name{number}")
        if start:
            node.directory.delete_account(f"name{start - 1}", HOLD)
        epoch(node, mark)
    assert len(check(node)) == 60


def test_an_epoch_takes_so_many_events_and_says_that_there_are_more(node: NodeStore) -> None:
    mark = KeptMark()
    for number in range(5):
        register(node, f"name{number}")
    assert [epoch(node, mark, events_max=2) for _ in range(3)] == [True, True, False]
    assert [len(list(decode_changes(each.changes))) for each in node.log.epochs(3)] == [2, 2, 1]
    check(node)


def test_the_time_of_an_epoch_never_falls(node: NodeStore) -> None:
    mark = KeptMark()
    for name, at in (("alice", NOW), ("bob", NOW - 500), ("carol", NOW + 1)):
        register(node, name)
        epoch(node, mark, at)
    assert [decode_entry(each.entry).made_at for each in node.log.epochs(3)] == [NOW, NOW, NOW + 1]


def test_a_damaged_row_costs_itself_and_no_other(node: NodeStore) -> None:
    mark = KeptMark()
    register(node, "alice")
    node.database.run("UPDATE directory_change SET link = ?", (b"damaged",))
    register(node, "bob")
    assert not epoch(node, mark)
    assert len(events_of(node, "bob")) == 1
    assert not epoch(node, mark)
    assert node.log.size() == 1


def test_two_who_make_epochs_at_once_make_one_history(node: NodeStore) -> None:
    """Each round both want to make one; as two workers on a database do."""
    mark, gate = KeptMark(), threading.Barrier(2, timeout=20)

    def work(which: int) -> None:
        for number in range(10):
            register(node, f"name{which}x{number}")
            gate.wait()
            epoch(node, mark)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, (0, 1)))
    epoch(node, mark)
    assert len(check(node)) == 20
    assert all(events == 1 for events, _ in check(node).values())


def test_what_is_given_out_while_a_worker_looks_is_no_sign_of_an_older_store(node: NodeStore) -> None:
    """Another one makes an epoch, and this process gives it out, between its looks at the mark and at the store."""

    class Overtaken(KeptMark):
        overtaken = False

        def read(self) -> bytes | None:
            if not self.overtaken:
                self.overtaken = True
                epoch(node, self)
            return super().read()

    register(node, "alice")
    epoch(node, Overtaken())
    assert node.log.size() == 1


def test_a_worker_that_leads_no_longer_when_it_has_the_lock_makes_nothing(node: NodeStore) -> None:
    class Deposed(SoleWorker):
        answers = iter((True, False))

        def leads(self) -> bool:
            return next(self.answers)

    register(node, "alice")
    assert not node.log.make_epoch(SIGNER, KeptMark(), Deposed(), NOW)
    assert node.log.size() == 0
    epoch(node, KeptMark())
    assert node.log.size() == 1


# -- an older store ---------------------------------------------------------------------------------------------------


def test_the_mark_has_the_newest_head_before_it_is_given_out(node: NodeStore) -> None:
    mark = KeptMark()
    assert node.log.give_out(mark) is None
    register(node, "alice")
    epoch(node, mark)
    newest = node.log.give_out(mark)
    assert newest is not None
    assert mark.read() == newest


def test_a_minute_in_which_nothing_happened_verifies_no_signature(
    node: NodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = KeptMark()
    register(node, "alice")
    epoch(node, mark)
    monkeypatch.delattr(epochs, "read_checkpoint")
    assert not epoch(node, mark)
    assert node.log.give_out(mark) == mark.read() is not None


def test_a_store_that_the_mark_is_behind_of_goes_on(node: NodeStore) -> None:
    """The process died between the commit and the mark: what the store has was never given out, or is in the mark."""
    mark, lost = KeptMark(), KeptMark()
    for name in ("alice", "bob"):
        register(node, name)
        epoch(node, mark if name == "alice" else lost)
    register(node, "carol")
    epoch(node, mark)
    note = mark.read()
    assert note is not None
    assert read_checkpoint(note).size == 3


def rolled_back(tmp_path: Path, between: Callable[[NodeStore, FileMark], None]) -> tuple[NodeStore, FileMark]:
    """A store that was put back to what it was before `between`, in its home with the mark."""
    path, mark = tmp_path / "home" / "node.db", FileMark(tmp_path / "home")
    store = NodeStore.open(path)
    register(store, "alice")
    epoch(store, mark)
    store.database.erase_traces()
    shutil.copy(path, tmp_path / "older")
    between(store, mark)
    store.close()
    for side in ("", "-wal", "-shm"):
        Path(f"{path}{side}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "older", path)
    path.chmod(0o600)
    return NodeStore.open(path), mark


def test_a_store_that_was_rolled_back_signs_nothing_and_changes_nothing(tmp_path: Path) -> None:
    def later(store: NodeStore, mark: FileMark) -> None:
        register(store, "bob")
        epoch(store, mark)

    store, mark = rolled_back(tmp_path, later)
    before = mark.read()
    register(store, "mallory")
    for attempt in (lambda: epoch(store, mark), lambda: store.log.give_out(mark)):
        with pytest.raises(LogRolledBack, match="recover"):
            attempt()
    assert store.log.size() == 1
    assert mark.read() == before
    store.close()


def test_a_store_that_was_rolled_back_and_had_signed_nothing_since_goes_on(tmp_path: Path) -> None:
    store, mark = rolled_back(tmp_path, lambda *_: None)
    register(store, "bob")
    epoch(store, mark)
    assert store.log.size() == 2
    store.close()


def test_another_history_of_the_same_length_is_refused(tmp_path: Path) -> None:
    """Also one that is longer: without the mark the node would have signed it."""

    def later(store: NodeStore, mark: FileMark) -> None:
        register(store, "bob")
        epoch(store, mark)

    store, mark = rolled_back(tmp_path, later)
    for name in ("mallory", "mallet"):
        register(store, name)
        epoch(store, KeptMark())
    with pytest.raises(LogRolledBack):
        epoch(store, mark)
    store.close()


def test_a_damaged_mark_is_no_missing_mark(tmp_path: Path) -> None:
    store, mark = rolled_back(tmp_path, lambda *_: None)
    (tmp_path / "home" / MARK_NAME).write_bytes(b"damaged")
    register(store, "bob")
    with pytest.raises(StoreCorrupt, match="mark"):
        epoch(store, mark)
    store.close()


def test_a_mark_that_others_can_write_is_refused(tmp_path: Path) -> None:
    store, mark = rolled_back(tmp_path, lambda *_: None)
    (tmp_path / "home" / MARK_NAME).chmod(0o666)
    with pytest.raises(StorageError):
        epoch(store, mark)
    store.close()


def test_a_store_from_a_backup_signs_nothing_until_it_may(node: NodeStore) -> None:
    mark = KeptMark()
    register(node, "alice")
    node.log.hold_back()
    with pytest.raises(LogRolledBack, match="backup"):
        epoch(node, mark)
    node.log.let_sign()
    epoch(node, mark)
    assert node.log.size() == 1
