"""Opening, refusing, migrating, committing: what both stores rest on."""

from __future__ import annotations

import logging
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import peewee
import pytest

from usernym.storage import errors
from usernym.storage.client.schema import CLIENT_SCHEMA
from usernym.storage.client.schema import MODELS as CLIENT_MODELS
from usernym.storage.client.store import ClientStore
from usernym.storage.database import IN_MEMORY, Store, StoreDatabase, Synchronous, open_database
from usernym.storage.migrations import Schema, schema_version
from usernym.storage.node.schema import MODELS as NODE_MODELS
from usernym.storage.node.schema import NODE_SCHEMA
from usernym.storage.node.store import NodeStore

_V1 = ("CREATE TABLE thing (id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE)",)
_V2 = ("ALTER TABLE thing ADD COLUMN size INTEGER NOT NULL DEFAULT 0", "UPDATE thing SET size = length(name)")
OLD = Schema(application_id=77, tables=("thing",), migrations=(_V1,))
NEW = Schema(application_id=77, tables=("thing",), migrations=(_V1, _V2))


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
        found = {name: database.rows(f"PRAGMA {name}")[0][0] for name in expected}
        database.close()
        return found

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(look).result() == expected
    assert look() == expected


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


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "things.db"
    open_database(path, OLD).close()
    bad = Schema(77, ("thing",), (_V1, (_V2[0], "UPDATE nothing SET x = 1")))
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


def shape(database: StoreDatabase, table: str) -> tuple[object, object]:
    columns = [
        (name, kind, bool(required), key)
        for _, name, kind, required, _, key in database.rows(f"PRAGMA table_info({table})")
    ]
    indexes = set()
    for _, index, unique, origin, _ in database.rows(f"PRAGMA index_list({table})"):
        if origin != "pk":
            names = tuple(row[2] for row in database.rows(f"PRAGMA index_info({index})"))
            indexes.add((names, bool(unique)))
    return columns, indexes


@pytest.mark.parametrize(("models", "schema"), [(NODE_MODELS, NODE_SCHEMA), (CLIENT_MODELS, CLIENT_SCHEMA)])
def test_models_and_schema_agree(tmp_path: Path, models: tuple[type[peewee.Model], ...], schema: Schema) -> None:
    migrated = open_database(tmp_path / "migrated.db", schema)
    modelled = StoreDatabase(IN_MEMORY)
    with modelled.bind_ctx(models):
        modelled.create_tables(models)
    for model in models:
        table = model._meta.table_name
        assert shape(migrated, table) == shape(modelled, table), table
    made = {row[0] for row in migrated.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert made - {"sqlite_sequence"} == set(schema.tables)
    assert all(model._meta.database is None for model in models), "several stores live in one process"
    migrated.close()
    modelled.close()


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
        things.close_thread()

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
        things.close_thread()

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


def test_close_thread_lets_the_next_call_open_again_and_close_does_not(things: Things) -> None:
    things.add("a")
    things.close_thread()
    assert things.names() == ["a"]
    things.close()
    with pytest.raises(errors.StoreClosed):
        things.names()


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
