"""`usernym node backup` and `node check` of a node whose store is in PostgreSQL; restored elsewhere, and moved."""

from __future__ import annotations

import contextlib
from pathlib import Path
from threading import Event, Thread
from typing import Final

import pytest

from tests.helpers.postgres import PostgresServer, needs_postgres
from tests.storage.node.test_two_writers import put
from tests.usernym.conftest import Terminal
from tests.usernym.test_node_move import content, fill
from usernym import node_backup, node_move
from usernym.cli.failures import Exit
from usernym.node_check import check_store
from usernym.node_copy import FOLDER, store_file
from usernym.protocol.cards import make_card
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.settings import NODE_MIXNET_NAME, NODE_STORE_NAME
from usernym.storage import errors
from usernym.storage.node.head_mark import MARK_NAME, FileMark
from usernym.storage.node.schema import DirectoryLogRow, NodeCardRow
from usernym.storage.node.store import NodeStore

pytestmark = [needs_postgres, pytest.mark.processes]

SECRET: Final = "a-password"


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    """A database with something in every table."""
    made = postgres.new_database()
    with contextlib.closing(NodeStore.connect(made)) as store:
        fill(store)
        key = SigningKey.from_seed(store.profile.identity_seed(bytes(32)))
        store.profile.save_card(8, pack(make_card(key, [b"a" * 96, b"b" * 96], 8, 1)))
    return made


@pytest.fixture
def home(tmp_path: Path, url: str) -> Path:
    """The homes of two workers, as they are while both run."""
    home = tmp_path / "node"
    for each in (home, home / "workers" / "2"):
        (each / "nym").mkdir(parents=True)
        (each / "nym" / "key.pem").write_text(f"the identity in {each.name}")
        (each / "nym" / "persistent_reply_store.sqlite").write_text("reply blocks")
        (each / "lock").write_text("1 node")
        (each / MARK_NAME).write_text("the newest head")
        (each / NODE_MIXNET_NAME).write_text("nym\n")
        (each / NODE_STORE_NAME).write_text(f"{url}&password={SECRET}\n")
        for path in each.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
    return home


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_it_has_the_store_and_each_workers_identity_and_comes_back_elsewhere(
    home: Path, url: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    with contextlib.closing(NodeStore.connect(url)) as running:
        running.workers.join(b"a" * 96)
        before = content(running)
        held = node_backup.back_up(home, tmp_path / "copy", "a passphrase", url)
        assert content(running) == before
    assert held == ["node-mixnet", "nym", "workers"]
    assert not (home / FOLDER / "node.db").exists(), "no copy of the node's key stays"
    restored = tmp_path / "new"
    assert node_backup.restore(tmp_path / "copy", restored, "a passphrase") == held
    assert files_in(restored) == {
        "node.db", "lock", "node-mixnet", "nym/key.pem", "workers/2/node-mixnet", "workers/2/nym/key.pem",
    }  # fmt: skip
    assert (restored / "workers" / "2" / "nym" / "key.pem").read_text() == "the identity in 2"
    elsewhere = postgres.new_database()
    node_move.move_to_database(restored, elsewhere)
    with contextlib.closing(NodeStore.connect(elsewhere)) as store:
        card = store.profile.card()
        assert card is not None
        assert card.sequence > 8, "no card that it gave out later has this number"
        with pytest.raises(errors.LogRolledBack):
            store.log.give_out(FileMark(restored))
        after = content(store)
        new = (NodeCardRow.__name__, DirectoryLogRow.__name__)
        assert {name: rows for name, rows in after.items() if name not in new} == {
            name: rows for name, rows in before.items() if name not in new
        }
        assert store.notices.add("ann", 1, b"", 1, 9) > node_backup.NUMBERS_SKIPPED


def test_a_copy_is_of_one_moment(home: Path, url: str) -> None:
    """Each message is stored with its mailbox's count: a copy of two moments would differ."""
    over = Event()

    def write() -> None:
        with contextlib.closing(NodeStore.connect(url)) as store:
            number = 100
            while not over.is_set():
                put(store, number, recipient="bob")
                number += 1

    writing = Thread(target=write)
    writing.start()
    try:
        for _ in range(5):
            with store_file(home, url) as path, contextlib.closing(NodeStore.open(path)) as copy:
                waiting = copy.database.rows("SELECT count(*) FROM mail WHERE recipient = 'bob'")
                assert waiting == copy.database.rows("SELECT messages FROM mailbox WHERE name = 'bob'")
    finally:
        over.set()
        writing.join()


def test_a_copy_that_a_killed_process_left_is_removed_and_two_at_once_are_not_made(home: Path, url: str) -> None:
    (home / FOLDER).mkdir()
    (home / FOLDER / "node.db").write_bytes(b"left")
    with store_file(home, url) as path:
        with contextlib.closing(NodeStore.open(path)) as copy:
            assert copy.counts().accounts == 3
        with pytest.raises(errors.HomeInUse), store_file(home, url):
            pass
    assert not path.exists()


def test_an_empty_database_is_left_empty(home: Path, postgres: PostgresServer) -> None:
    empty = postgres.new_database()
    with pytest.raises(errors.NotAStore, match="empty"):
        node_backup.back_up(home, home.parent / "copy", None, empty)
    assert postgres.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", empty) == [(0,)]
    assert not (home.parent / "copy").exists()


class TestCommands:
    def test_check_finds_damage_in_the_database_and_backup_says_what_it_holds(
        self, home: Path, terminal: Terminal, postgres: PostgresServer
    ) -> None:
        url = (home / NODE_STORE_NAME).read_text().strip()
        backed_up = terminal.ok("--home", str(home), "node", "backup", "copy", "--no-passphrase")
        assert (backed_up["holds"], backed_up["not_held"]) == (["node.db", "node-mixnet", "nym", "workers"], [])
        checked = terminal.run("--home", str(home), "node", "check")
        # The rows of these tests are no real records: they are found to be damaged, as they are.
        assert checked.returncode == Exit.STORAGE
        assert "account, row 1" in checked.stdout
        assert SECRET not in checked.stdout + checked.stderr
        with store_file(home, url) as path:
            found = check_store(path).problems
        assert found == [line for line in checked.stdout.splitlines() if line]

    def test_a_sound_node_is_called_sound(self, tmp_path: Path, terminal: Terminal, postgres: PostgresServer) -> None:
        store = postgres.new_database()
        mixnet = terminal.start("mixnet", "mixnet", "--first-port", "0", "--clients", "1")
        ready = mixnet.wait_for("that it is ready", lambda told: told.get("event") == "ready")
        node = terminal.start(
            "node", "--home", "node", "node", "run", "--mixnet", ready["clients"][0]["mixnet"], "--store", store
        )
        node.wait_for("that it is up", lambda told: told.get("event") == "up")
        checked = terminal.ok("--home", "node", "node", "check")
        assert (checked["sound"], checked["accounts"]) == (True, 0)
        backed_up = terminal.ok("--home", "node", "node", "backup", "copy", "--no-passphrase")
        assert backed_up["not_held"] == [ready["clients"][0]["mixnet"]]
        assert terminal.ok("node", "check", "copy")["holds"] == ["node.db", "node-mixnet"]
        postgres.sql("UPDATE remembered_count SET rows = 7", store)
        broken = terminal.run("--home", "node", "--json", "node", "check")
        assert broken.returncode == Exit.STORAGE
        assert "the count of remembered requests (7)" in broken.stdout
