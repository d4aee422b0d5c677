"""The log of a node's directory: exported, checked by two implementations, and continued after an older store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.helpers import directory_by_the_page as page
from tests.storage.node.test_epochs import HOLD, KEY, NOW, epoch, events_of, register
from usernym.directory_audit import audit_log
from usernym.directory_export import export_log
from usernym.directory_recovery import recover_from
from usernym.protocol.cards import card_text, make_card
from usernym.protocol.directory.checkpoints import LogHead, read_checkpoint
from usernym.protocol.directory.epochs import decode_entry
from usernym.protocol.directory.events import DirectoryEvent, commitment
from usernym.protocol.directory.faults import DirectoryInvalid, LogForked
from usernym.protocol.directory.log_tree import Frontier, entry_hash
from usernym.protocol.directory.tiles import tile_files
from usernym.protocol.records import record_hash
from usernym.protocol.signing import SigningKey
from usernym.storage.errors import LogRolledBack, StoreInaccessible
from usernym.storage.node.head_mark import MARK_NAME, FileMark
from usernym.storage.node.store import NodeStore

NODE_CARD: Final = card_text(make_card(KEY, [bytes(96)], 1, 1))


class Home:
    """A node's home with its store open, and a folder for its log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.export_folder = folder.with_name(f"{folder.name}-log")
        self.mark = FileMark(folder)
        self.store = self.open()
        self.store.profile.identity_seed(b"node" * 8)

    def open(self) -> NodeStore:
        return NodeStore.open(self.folder / "node.db", synchronous="OFF")

    def epoch_with(self, *names: str, at: int = NOW) -> None:
        for name in names:
            register(self.store, name)
        epoch(self.store, self.mark, at)

    def export(self) -> Path:
        export_log(self.store, self.mark, self.export_folder)
        return self.export_folder

    def copy(self) -> Path:
        """What the store is now."""
        self.store.database.erase_traces()
        copy = self.folder.with_name("copy.db")
        shutil.copy(self.folder / "node.db", copy)
        return copy

    def put_back(self, copy: Path) -> None:
        self.store.close()
        for side in ("-wal", "-shm"):
            (self.folder / f"node.db{side}").unlink(missing_ok=True)
        shutil.copy(copy, self.folder / "node.db")
        (self.folder / "node.db").chmod(0o600)
        self.store = self.open()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "node")
    yield made
    made.store.close()


def test_an_export_holds_by_the_page_alone(home: Home) -> None:
    for start in range(0, 30, 10):
        home.epoch_with(*(f"name{number}" for number in range(start, start + 10)))
    home.store.directory.delete_account("name3", HOLD)
    home.epoch_with()
    chains = page.check_folder(home.export())
    assert sorted(events for events, _ in chains.values()) == [1] * 29 + [2]
    audited = audit_log(home.export_folder, None)
    assert (audited.head.node, audited.head.size, audited.names) == (KEY.public, 4, 30)
    assert [(each.new_names, each.changed_names) for each in audited.epochs] == [(10, 0)] * 3 + [(0, 1)]
    assert all(each.made_at == NOW for each in audited.epochs)


@pytest.mark.seconds
def test_an_export_that_grows_over_a_tile_holds_at_each_size(home: Home) -> None:
    heads: list[bytes] = []
    for size in (1, 255, 256, 258):
        while home.store.log.size() < size:
            home.epoch_with(f"name{home.store.log.size()}")
        folder = home.export()
        page.check_folder(folder)
        for head in heads:
            assert audit_log(folder, head).known_before == read_checkpoint(head).size
        heads.append(audit_log(folder, None).checkpoint)
    assert not (home.export_folder / "tile/entries/000.p").exists(), "the whole tile is there"


def test_a_second_export_writes_what_is_new_and_no_other_log_over_it(home: Home, tmp_path: Path) -> None:
    with pytest.raises(StoreInaccessible, match="no epoch"):
        home.export()
    home.epoch_with("alice")
    home.export()
    assert export_log(home.store, home.mark, home.export_folder).files_written == 0
    times = {path: path.stat().st_mtime_ns for path in home.export_folder.rglob("*") if path.is_file()}
    home.epoch_with("bob")
    assert export_log(home.store, home.mark, home.export_folder).files_written == 4
    changed = {path.name for path, at in times.items() if path.stat().st_mtime_ns != at}
    assert changed == {"checkpoint"}
    (home.export_folder / "checkpoint").write_bytes(LogHead(KEY.public, 9, bytes(32)).signed(KEY))
    with pytest.raises(StoreInaccessible, match="nothing was written"):
        home.export()
    other = SigningKey.from_seed(bytes(32))
    (home.export_folder / "checkpoint").write_bytes(LogHead(other.public, 1, bytes(32)).signed(other))
    with pytest.raises(StoreInaccessible, match="another node"):
        home.export()


def test_an_export_without_a_mark_makes_the_mark(home: Home) -> None:
    home.epoch_with("alice")
    (home.folder / MARK_NAME).unlink()
    home.export()
    assert home.mark.read() == (home.export_folder / "checkpoint").read_bytes()


# -- what an audit finds ----------------------------------------------------------------------------------------------


@pytest.fixture
def exported(home: Home) -> Path:
    home.epoch_with("alice", "bob")
    home.store.directory.delete_account("bob", HOLD)
    home.epoch_with("carol")
    return home.export()


def rewritten(folder: Path, entries: list[bytes], key: SigningKey = KEY) -> None:
    """Make the folder's log one of these entries, signed."""
    frontier = Frontier()
    for entry in entries:
        frontier = frontier.with_leaf(entry_hash(entry))
    for path, content in tile_files(entries):
        (folder / path).write_bytes(content)
    (folder / "checkpoint").write_bytes(LogHead(key.public, len(entries), frontier.root()).signed(key))


@pytest.mark.parametrize("name", ["checkpoint", "tile/0/000.p/2", "tile/entries/000.p/2", "changes/000", "changes/001"])
def test_a_file_with_a_changed_byte_or_cut_or_missing_is_found(exported: Path, name: str) -> None:
    path = exported / name
    content = path.read_bytes()
    for at in {0, len(content) // 2, len(content) - 1}:
        path.write_bytes(content[:at] + bytes((content[at] ^ 1,)) + content[at + 1 :])
        with pytest.raises(DirectoryInvalid):
            audit_log(exported, None)
    for wrong in (content[:-1], content + b"\0", b""):
        path.write_bytes(wrong)
        with pytest.raises(DirectoryInvalid):
            audit_log(exported, None)
    path.unlink()
    with pytest.raises(DirectoryInvalid, match="missing"):
        audit_log(exported, None)
    path.write_bytes(content)
    audit_log(exported, None)


def test_entries_that_a_node_may_not_sign_are_found(exported: Path) -> None:
    entries = page.entries(exported, 2)
    second = decode_entry(entries[1])
    for wrong in (
        replace(second, number=2),
        replace(second, made_at=NOW - 1),
        replace(second, names=4),
        replace(second, root=bytes(32)),
        replace(second, vrf=bytes(32)),
        replace(second, node=bytes(32)),
    ):
        rewritten(exported, [entries[0], wrong.encoded()])
        with pytest.raises(DirectoryInvalid, match="epoch 1"):
            audit_log(exported, None)
    rewritten(exported, entries)
    audit_log(exported, None)


def test_a_chain_that_was_rewritten_is_found(exported: Path) -> None:
    """A deletion that a node would like to be forgotten: the map of the second epoch without it, and signed."""
    entries = page.entries(exported, 2)
    path = exported / "changes/001"
    kept = [change for change in page.changes(path.read_bytes()) if change[1] == 0]
    path.write_bytes(b"".join(label + bytes(4) + bytes((len(new),)) + b"".join(new) for label, _, new in kept))
    with pytest.raises(DirectoryInvalid, match="map"):
        audit_log(exported, None)
    rewritten(exported, entries)


def test_a_fork_is_found_and_both_heads_prove_it(home: Home, exported: Path, tmp_path: Path) -> None:
    known = audit_log(exported, None).checkpoint
    other = Home(tmp_path / "twin")
    other.epoch_with("alice", "mallory")
    other.epoch_with("carol")
    other.epoch_with("dave")
    with pytest.raises(LogForked, match="two histories") as caught:
        audit_log(other.export(), known)
    heads = [read_checkpoint(note) for note in (caught.value.first, caught.value.second)]
    assert {head.node for head in heads} == {KEY.public}
    assert [head.size for head in heads] == [2, 3]
    other.store.close()


def test_a_log_that_became_shorter_or_is_another_nodes_is_refused(home: Home, exported: Path) -> None:
    first = page.entries(exported, 2)[:1]
    known = audit_log(exported, None).checkpoint
    shutil.rmtree(exported / "tile")
    for path, content in tile_files(first):
        (exported / path).parent.mkdir(parents=True, exist_ok=True)
        (exported / path).write_bytes(content)
    rewritten(exported, first)
    with pytest.raises(DirectoryInvalid, match="2027-01-15: its head has 2 epochs, and the log 1"):
        audit_log(exported, None)
    shutil.rmtree(exported / "daily")
    audit_log(exported, None)
    with pytest.raises(DirectoryInvalid, match="taken back"):
        audit_log(exported, known)
    other = SigningKey.from_seed(bytes(32))
    with pytest.raises(DirectoryInvalid, match="another node"):
        audit_log(exported, LogHead(other.public, 1, bytes(32)).signed(other))


# -- an older store ---------------------------------------------------------------------------------------------------


def identity_of(name: str) -> bytes:
    from tests.storage.node.test_epochs import a_record

    return record_hash(KEY.public, name, a_record(name).stub())


def test_a_log_continues_after_its_store_was_put_back(home: Home) -> None:
    home.epoch_with("alice", "bob", "carol")
    register(home.store, "dave")
    copy = home.copy()
    home.epoch_with("erin")
    home.store.directory.delete_account("bob", HOLD)
    home.epoch_with()
    known = home.store.log.give_out(home.mark)
    folder = home.export()
    home.put_back(copy)
    with pytest.raises(LogRolledBack):
        home.epoch_with("frank")
    home.store.close()
    assert recover_from(folder, home.folder, None) == (1, 3)
    home.store = home.open()
    home.epoch_with("grace")
    audited = audit_log(home.export(), known)
    assert (audited.known_before, audited.head.size, audited.names) == (3, 4, 7)
    page.check_folder(home.export_folder)
    registered, deleted = DirectoryEvent.REGISTERED, DirectoryEvent.DELETED
    for name, kinds in {
        "alice": [registered],
        "bob": [registered, deleted, registered],  # the older store has him
        "dave": [registered],  # he waited for an epoch in the older store, and is in one that it has again
        "erin": [registered],  # the older store does not know her
        "frank": [registered],  # he came while nothing was signed
        "grace": [registered],
    }.items():
        assert events_of(home.store, name) == [commitment(kind, identity_of(name)) for kind in kinds], name


def test_an_export_that_does_not_continue_the_store_or_the_mark_changes_nothing(home: Home, tmp_path: Path) -> None:
    home.epoch_with("alice")
    old = tmp_path / "old export"
    shutil.copytree(home.export(), old)
    copy = home.copy()
    home.epoch_with("bob")
    home.put_back(copy)
    twin = Home(tmp_path / "twin")
    twin.epoch_with("mallory")
    twin.epoch_with("bob")
    home.store.close()
    with pytest.raises(DirectoryInvalid, match="taken back"):
        recover_from(old, home.folder, None)
    with pytest.raises(LogForked):
        recover_from(twin.export(), home.folder, None)
    (home.folder / MARK_NAME).unlink()
    with pytest.raises(LogRolledBack, match="does not continue"):
        recover_from(twin.export(), home.folder, None)
    stranger = SigningKey.from_seed(bytes(32))
    (old / "checkpoint").write_bytes(
        LogHead(stranger.public, 1, read_checkpoint((old / "checkpoint").read_bytes()).root).signed(stranger)
    )
    with pytest.raises(DirectoryInvalid, match="another node"):
        recover_from(old, home.folder, None)
    home.store = home.open()
    assert home.store.log.size() == 1
    twin.store.close()


def test_a_node_from_a_backup_signs_on_when_it_has_its_newest_export(home: Home, tmp_path: Path) -> None:
    from usernym import node_backup

    home.epoch_with("alice")
    node_backup.back_up(home.folder, tmp_path / "backup", None)
    home.epoch_with("bob")
    folder = home.export()
    restored = tmp_path / "restored"
    node_backup.restore(tmp_path / "backup", restored, None)
    assert not (restored / MARK_NAME).exists()
    store = NodeStore.open(restored / "node.db")
    register(store, "carol")
    with pytest.raises(LogRolledBack, match="backup"):
        epoch(store, FileMark(restored))
    store.close()
    assert recover_from(folder, restored, None) == (1, 2)
    store = NodeStore.open(restored / "node.db")
    epoch(store, FileMark(restored))
    assert store.log.size() == 3
    store.close()
