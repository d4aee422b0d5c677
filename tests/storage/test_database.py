"""Opening, refusing, migrating, committing: what both stores rest on."""

from __future__ import annotations

import logging
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from usernym.storage import errors
from usernym.storage.client.store import ClientStore
from usernym.storage.database import Store, Synchronous, open_database
from usernym.storage.integrity import ReadOnlyStore, file_problems
from usernym.storage.migrations import Migration, Schema, schema_version
from usernym.storage.node.schema import NODE_SCHEMA
from usernym.storage.node.store import NodeStore

_V1 = ("CREATE TABLE thing (id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE)",)
_V2 = Migration(
    ("ALTER TABLE thing ADD COLUMN size INTEGER NOT NULL DEFAULT 0", "UPDATE thing SET size = length(name)")
)
_NEW = (
    "CREATE TABLE thing (id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, size INTEGER NOT NULL DEFAULT 0)",
)
OLD = Schema(application_id=77, tables=("thing",), creation=_V1)
NEW = Schema(application_id=77, tables=("thing",), creation=_NEW, migrations=(_V2,))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# -- files --


def test_a_new_store_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "node.db"
    store = NodeStore.open(path)
    store.profile.identity_seed(bytes(32))
    assert mode(path.parent) == mode(path.parent.parent) == 0o700
    made = sorted(path.parent.iterdir())
    assert [each.name for each in made] == ["node.db", "node.db-shm", "node.db-wal"]
    assert {mode(each) for each in made} == {0o600}
    store.close()


def test_a_store_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    NodeStore.open(path).close()
    path.chmod(0o640)
    with pytest.raises(errors.StoreExposed, match="chmod 600"):
        NodeStore.open(path)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_bytes(b"")
    with pytest.raises(errors.StoreInaccessible):
        NodeStore.open(tmp_path / "home" / "node.db")


@pytest.mark.parametrize(("synchronous", "level"), [("FULL", 2), ("OFF", 0)])
def test_settings_hold_in_every_thread(tmp_path: Path, synchronous: Synchronous, level: int) -> None:
    database = open_database(tmp_path / "node.db", NODE_SCHEMA, synchronous=synchronous)
    expected = {"journal_mode": "wal", "synchronous": level, "secure_delete": 1, "foreign_keys": 1, "temp_store": 2}

    def look() -> dict[str, object]:
        return {name: database.rows(f"PRAGMA {name}")[0][0] for name in expected}

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(look).result() == expected
    assert look() == expected
    database.close()


# -- what is not ours --


def foreign_database(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()


@pytest.mark.parametrize("kind", ["garbage", "short", "foreign database", "other store", "cut header"])
def test_what_is_not_a_store_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "node.db"
    match kind:
        case "garbage":
            path.write_bytes(bytes(range(256)) * 40)
        case "short":
            path.write_bytes(b"hello")
        case "foreign database":
            foreign_database(path)
        case "other store":
            ClientStore.open_plain(path).close()
        case _:
            NodeStore.open(path).close()
            path.write_bytes(path.read_bytes()[:60])
    path.chmod(0o600)
    before = files(tmp_path)
    with pytest.raises(errors.NotAStore, match="left as it is"):
        NodeStore.open(path)
    assert files(tmp_path) == before


@pytest.mark.parametrize("size", [4096, 5000, 20_000])
def test_a_cut_off_store_is_refused_and_left_alone(tmp_path: Path, size: int) -> None:
    path = tmp_path / "node.db"
    NodeStore.open(path).close()
    whole = path.read_bytes()
    assert len(whole) > size
    path.write_bytes(whole[:size])
    with pytest.raises(errors.StoreCorrupt):
        NodeStore.open(path)
    assert path.read_bytes() == whole[:size]


def test_a_store_with_an_unreadable_table_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    NodeStore.open(path).close()
    with sqlite3.connect(path) as raw:
        (root,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'mail'").fetchone()
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    raw.close()
    damaged = bytearray(path.read_bytes())
    damaged[(root - 1) * size : root * size] = b"\xaa" * size
    path.write_bytes(damaged)
    with pytest.raises(errors.StoreCorrupt, match="backup"):
        NodeStore.open(path)
    assert path.read_bytes() == damaged


def test_damage_in_the_middle_is_found_by_the_check(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    store = NodeStore.open(path)
    with store.transaction():
        for number in range(2000):
            store.replay_ids.remember(number.to_bytes(32, "big"), b"answer", 9)
    assert store.problems() == []
    store.close()
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 4096] = b"\xaa" * 4096
    path.write_bytes(whole)
    store = NodeStore.open(path)
    try:
        found = store.problems()
    except errors.StoreCorrupt:
        found = ["found while reading"]
    store.close()
    assert found


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    # What a process leaves that dies right after creating the file.
    path = tmp_path / "node.db"
    path.touch(mode=0o600)
    store = NodeStore.open(path)
    assert store.profile.card_sequence() == 0
    store.close()


# -- schemas --


def test_an_older_schema_is_migrated_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    database = open_database(path, OLD)
    database.run("INSERT INTO thing (name) VALUES ('seven77')")
    database.close()
    database = open_database(path, NEW)
    assert database.rows("SELECT name, size FROM thing") == [("seven77", 7)]
    assert schema_version(database) == 2
    database.close()
    fresh = open_database(tmp_path / "fresh.db", NEW)
    assert schema_version(fresh) == 2
    fresh.close()
    for each in (path, tmp_path / "fresh.db"):
        with ReadOnlyStore(each) as store:
            assert file_problems(store, NEW) == [], "a migrated store is made as a new one is"


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    open_database(path, OLD).close()
    bad = Schema(77, ("thing",), _NEW, (Migration((_V2.statements[0], "UPDATE nothing SET x = 1")),))
    with pytest.raises(sqlite3.OperationalError, match="nothing"):
        open_database(path, bad)
    database = open_database(path, OLD)
    assert [row[1] for row in database.rows("PRAGMA table_info(thing)")] == ["id", "name"]
    database.close()
    open_database(path, NEW).close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    open_database(path, NEW).close()
    before = files(tmp_path)
    with pytest.raises(errors.SchemaTooNew) as caught:
        open_database(path, OLD)
    assert (caught.value.found, caught.value.known) == (2, 1)
    assert files(tmp_path) == before


# -- transactions and threads --


class Things(Store):
    def add(self, name: str) -> None:
        self.database.run("INSERT INTO thing (name) VALUES (?)", (name,))

    def names(self) -> list[str]:
        return [row[0] for row in self.database.rows("SELECT name FROM thing ORDER BY id")]


@pytest.fixture
def things(tmp_path: Path) -> Things:
    return Things(open_database(tmp_path / "things.db", OLD, synchronous="OFF", timeout_s=0.05))


class Whoops(Exception):
    pass


def write_and_fail(things: Things, *names: str) -> None:
    with things.transaction():
        for name in names:
            things.add(name)
        raise Whoops


def test_a_block_commits_as_one_or_not_at_all(things: Things) -> None:
    with things.transaction():
        things.add("a")
        things.add("b")
    with pytest.raises(Whoops):
        write_and_fail(things, "c")
    assert things.names() == ["a", "b"]


def test_an_inner_block_that_fails_undoes_its_own_part(things: Things) -> None:
    with things.transaction():
        things.add("a")
        with pytest.raises(Whoops):
            write_and_fail(things, "b")
        things.add("c")
    assert things.names() == ["a", "c"]


def test_an_outer_block_that_fails_undoes_finished_inner_ones(things: Things) -> None:
    def outer() -> None:
        with things.transaction():
            with things.transaction():
                things.add("a")
            assert things.names() == ["a"]
            raise Whoops

    with pytest.raises(Whoops):
        outer()
    assert things.names() == []


def test_other_threads_see_nothing_before_the_commit(things: Things) -> None:
    seen: list[list[str]] = []

    def look() -> None:
        seen.append(things.names())

    def look_in_a_thread() -> None:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    with things.transaction():
        things.add("a")
        look_in_a_thread()
    look_in_a_thread()
    assert seen == [[], ["a"]]


def test_a_second_writer_is_told_that_the_store_is_busy(things: Things) -> None:
    caught: list[BaseException] = []

    def write() -> None:
        try:
            things.add("b")
        except errors.StoreBusy as error:
            caught.append(error)

    with things.transaction():
        things.add("a")
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert len(caught) == 1
    assert things.names() == ["a"]


def test_a_broken_rule_is_a_typed_error_without_the_value(things: Things) -> None:
    things.add("secret-name")
    with pytest.raises(errors.RowConflict) as caught:
        things.add("secret-name")
    assert "secret-name" not in str(caught.value)


def test_a_bug_is_not_disguised(things: Things) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        things.database.run("UPDATE nowhere SET x = 1")


def connections_to(path: Path) -> int:
    """This process's descriptors of the database file: one for each connection that was open at the same time."""
    descriptors = Path("/proc/self/fd").iterdir()
    return sum(each.readlink() == path for each in descriptors if each.is_symlink())


@pytest.mark.parametrize("key", [None, b"k" * 32], ids=["plain", "encrypted"])
def test_a_thread_that_ends_leaves_no_connection(tmp_path: Path, key: bytes | None) -> None:
    path = tmp_path / "things.db"
    things = Things(open_database(path, OLD, key=key, synchronous="OFF"))
    things.add("a")
    alone = connections_to(path)
    inside: list[int] = []

    def look() -> None:
        things.names()
        inside.append(connections_to(path))

    for _ in range(5):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert inside == [alone + 1] * 5
    assert connections_to(path) <= alone + 1, "SQLite keeps one descriptor for the next connection to this file"
    things.close()
    assert connections_to(path) == 0


@pytest.mark.parametrize("key", [None, b"k" * 32], ids=["plain", "encrypted"])
def test_close_closes_the_connections_of_threads_that_go_on(tmp_path: Path, key: bytes | None) -> None:
    path = tmp_path / "things.db"
    things = Things(open_database(path, OLD, key=key, synchronous="OFF"))
    with ThreadPoolExecutor(3) as pool:
        together = threading.Barrier(3)

        def look(_: int) -> list[str]:
            together.wait(30)
            return things.names()

        assert list(pool.map(look, range(3))) == [[], [], []]
        assert connections_to(path) >= 4
        things.close()
        assert connections_to(path) == 0
        for outcome in [pool.submit(things.names) for _ in range(3)]:
            with pytest.raises(errors.StoreClosed):
                outcome.result(30)
    with pytest.raises(errors.StoreClosed):
        things.names()


@pytest.mark.seconds
@pytest.mark.parametrize("key", [None, b"k" * 32], ids=["plain", "encrypted"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_threads_may_end_while_the_store_is_closed(tmp_path: Path, key: bytes | None) -> None:
    path = tmp_path / "things.db"
    open_database(path, OLD, key=key, synchronous="OFF").close()
    for _ in range(30):
        things = Things(open_database(path, OLD, key=key, synchronous="OFF"))
        threads = [threading.Thread(target=things.names) for _ in range(6)]
        for thread in threads:
            thread.start()
        threads[0].join()
        things.close()
        for thread in threads:
            thread.join()
        assert connections_to(path) == 0


def test_a_store_that_is_closed_amid_transactions_keeps_whole_ones_only(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    things = Things(open_database(path, OLD, synchronous="OFF"))
    begun = threading.Event()

    def write() -> None:
        for number in range(10**6):
            with things.transaction():
                things.add(f"{number} a")
                things.add(f"{number} b")
            begun.set()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        assert begun.wait(30)
        things.close()
        with pytest.raises(errors.StoreClosed):
            writing.result(30)
    again = Things(open_database(path, OLD))
    names = again.names()
    assert names == [f"{number} {half}" for number in range(len(names) // 2) for half in "ab"]
    again.close()


def test_two_stores_in_one_process_do_not_mix(tmp_path: Path) -> None:
    one, two = (NodeStore.open(tmp_path / name, synchronous="OFF") for name in ("one.db", "two.db"))
    assert one.profile.identity_seed(b"1" * 32) == b"1" * 32
    assert two.profile.identity_seed(b"2" * 32) == b"2" * 32
    assert one.profile.identity_seed(b"3" * 32) == b"1" * 32
    one.close()
    two.close()


def test_nothing_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    store = ClientStore.open_plain(tmp_path / "client.db")
    store.profile.set_setting("key", b"a secret")
    assert store.profile.setting("key") == b"a secret"
    store.close()
    assert caplog.records == []
