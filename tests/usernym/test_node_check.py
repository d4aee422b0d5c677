"""`usernym node check`: a sound store is called sound, each planted damage is found, and nothing is written."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.actors.directory.test_witnesses import grow
from usernym import node_backup as backup
from usernym.actors.messages import DeleteAccount
from usernym.node_check import PROBLEMS_MAX, check_store
from usernym.protocol.limits import DAY_S
from usernym.storage import errors
from usernym.storage.client.types import DeliveryState
from usernym.storage.node.epochs import TREE_LEVEL_MIN, EpochSigner
from usernym.storage.node.mail import NoticeKind, delivered_blob
from usernym.storage.node.schema import OF_PROCESSES, NodeRow
from usernym.storage.node.store import NodeStore
from usernym.storage.tables import table_name
from usernym.testing.world import World

pytestmark = pytest.mark.seconds  # the store that all of them look at has a life of nine days

NAMES = ("quilla_who_writes", "mama_cocha")


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a node that has seen registrations, a rotation, a deletion, waiting messages and notices."""
    path = tmp_path_factory.mktemp("lived-in") / "node.db"
    world = World()
    other = world.add_node("another_node")
    world.node.store.witnesses.add(other.card, checks=True)
    grow(other)
    other.store.witnesses.add(world.node.card)
    writer, reader = (world.client(name) for name in NAMES)
    gone = world.client("gone_again")
    world.settle(61)  # an epoch of the directory's log has the names; the next one has the deletion
    gone.do(gone.graph.registration, DeleteAccount)
    writer.send_and_wait(NAMES[1], "delivered")
    world.settle(150)  # until a heartbeat has confirmed the receipt
    for number in range(2**TREE_LEVEL_MIN):  # enough for a row about the log's tree
        events = {bytes((number,)) * 32: [bytes(32)]}
        world.node.store.log.append(EpochSigner.of(world.node.key), events, world.sim.unix_s())
    for client in (gone, reader, writer):
        client.kill()  # no one is online meanwhile: a week of heartbeats takes minutes
    world.sim.run_for(8 * DAY_S)
    writer.start()
    writer.go_online()
    world.settle(60)
    writer.send_and_wait(NAMES[1], "waiting", DeliveryState.ACCEPTED)
    world.node.store.notices.add(NAMES[0], NoticeKind.DELIVERED, delivered_blob(bytes(16), bytes(16)), 1, 2)
    world.check()
    world.client("nobody_else").kill()  # what happened last waits for its epoch
    made = NodeStore.open(path)
    made.close()
    connection = sqlite3.connect(path)
    for table in (table_name(model) for model in NodeRow.__subclasses__() if model not in OF_PROCESSES):
        connection.execute(f"DELETE FROM {table}")
        rows = world.node.store.database.rows(f"SELECT * FROM {table}")
        assert rows, table
        connection.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)
    connection.commit()
    connection.close()
    return path


@pytest.fixture
def path(lived_in: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "node.db"
    copy.write_bytes(lived_in.read_bytes())
    copy.chmod(0o600)
    return copy


def test_a_sound_store_is_called_sound_and_is_not_touched(path: Path) -> None:
    before = path.read_bytes()
    checked = check_store(path)
    assert (checked.found, checked.problems) == (0, [])
    assert (checked.accounts, checked.messages, checked.notices) == (3, 1, 1)
    assert path.read_bytes() == before


def test_the_log_that_a_killed_node_left_is_read_and_stays(path: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("DELETE FROM notice")
    killed = tmp_path / "killed"
    killed.mkdir()
    for suffix in ("", "-wal"):
        (killed / f"node.db{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    connection.close()
    before = {each.name: each.read_bytes() for each in killed.iterdir()}
    assert before["node.db-wal"]
    assert check_store(killed / "node.db").notices == 0
    after = {each.name: each.read_bytes() for each in killed.iterdir() if not each.name.endswith("-shm")}
    assert after == before


NAME_OF_OTHER = "(SELECT name FROM account WHERE name <> 'gone_again' ORDER BY name LIMIT 1)"
DAMAGES = {
    "key": ("UPDATE node_identity SET seed = randomblob(32)", "not signed by the node's key"),
    "short key": ("UPDATE node_identity SET seed = x'00'", "has not 32 bytes"),
    "no key": ("DELETE FROM node_identity", "the node's key is gone"),
    "card": ("UPDATE node_card SET blob = x'00'", "card is damaged"),
    "card's number": ("UPDATE node_card SET sequence = sequence + 1", "is stored under"),
    "record": (f"UPDATE account SET record = x'00' WHERE name = {NAME_OF_OTHER}", "record is damaged"),
    "another's record": (
        f"UPDATE account SET record = (SELECT record FROM account WHERE name = '{NAMES[0]}') WHERE name = '{NAMES[1]}'",
        "does not hold",
    ),
    "name": ("UPDATE account SET name = 'NOT A NAME' WHERE name = 'gone_again'", "refers to a row of account"),
    "skeleton": ("UPDATE account SET skeleton = 'x' WHERE name = 'gone_again'", "looks like"),
    "number": ("UPDATE account SET record_number = 9 WHERE name = 'gone_again'", "columns differ"),
    "key number": ("DELETE FROM hpke_number WHERE superseded_at IS NULL", "not superseded"),
    "no chain": ("DELETE FROM link WHERE name = 'gone_again'", "does not hold"),
    "chain": ("UPDATE link SET generation = 1 WHERE name = 'gone_again'", "has gaps"),
    "link": ("UPDATE link SET blob = x'00' WHERE name = 'gone_again'", "does not hold"),
    "message": ("UPDATE mail SET blob = x'0011'", "message, row"),
    "message's size": ("UPDATE mail SET size = size + 1", "its size"),
    "message's term": ("UPDATE mail SET expires_at = expires_at + 1", "30 days"),
    "sender": ("UPDATE mail SET sender = ''", "it is damaged (name_too_short)"),
    "notice": ("UPDATE notice SET kind = 77", "notice, row"),
    "notice's content": ("UPDATE notice SET blob = x'00'", "notice, row"),
    "count": ("UPDATE remembered_count SET rows = 0", "count of remembered requests"),
    "mailbox's count": ("UPDATE mailbox SET messages = messages + 1", "mailbox, row"),
    "mailbox's size": ("UPDATE mailbox SET size = 0", "mailbox, row"),
    "mailbox": ("DELETE FROM mailbox", "that no mailbox counts"),
    "epoch": ("UPDATE directory_epoch SET entry = x'00' WHERE number = 0", "epoch 0 of the directory's log is damaged"),
    "epoch's changes": ("UPDATE directory_epoch SET changes = x'00'", "epoch 0 of the directory's log is damaged"),
    "head": (
        "UPDATE directory_epoch SET checkpoint = (SELECT checkpoint FROM directory_epoch WHERE number = 0)",
        "its signed head is not that of the log",
    ),
    "missing epoch": ("DELETE FROM directory_epoch WHERE number = 0", "epoch 1 of the directory's log is damaged"),
    "last epoch": (
        "DELETE FROM directory_epoch WHERE number = (SELECT max(number) FROM directory_epoch)",
        "does not say how far it is",
    ),
    "leaf": ("UPDATE directory_leaf SET events = events + 1", "leaves are not those of its log"),
    "map": ("UPDATE directory_node SET hash = zeroblob(32) WHERE place = 1", "map is not that of its leaves"),
    "tree": ("UPDATE directory_tree SET hash = zeroblob(32)", "stored tree is not that of its log"),
    "witness": ("UPDATE witness SET signed = x'00'", "witness, row"),
    "check of a log": ("UPDATE witness SET checked = x'00'", "witness, row"),
    "witness's signature": ("UPDATE witness SET cosignature = zeroblob(76)", "witness, row"),
    "event that waits": ("UPDATE directory_change SET link = x'00'", "event for the directory's log, row"),
    "trigger": (
        "CREATE TRIGGER theirs AFTER DELETE ON mail BEGIN DELETE FROM notice; END",
        "trigger theirs that does not belong here",
    ),
    "index": ("DROP INDEX mail_sender_message_id_recipient", "index mail_sender_message_id_recipient is missing"),
    "table": ("CREATE TABLE theirs (x)", "does not belong here"),
    "orphan": ("INSERT INTO link VALUES ('nobody_at_all', 0, x'00')", "refers to a row of account"),
    "mark": ("PRAGMA application_id = 7", "this store's mark"),
    "schema": ("PRAGMA user_version = 99", "it has schema 99"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_planted_damage_is_found_in_plain_words_without_a_name(path: Path, damage: str) -> None:
    statement, expected = DAMAGES[damage]
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement)
    connection.close()
    checked = check_store(path)
    assert checked.found >= 1
    assert any(expected in problem for problem in checked.problems), checked.problems
    assert not [name for name in (*NAMES, "gone_again", "nobody_at_all") if name in " ".join(checked.problems)]


@pytest.mark.seconds
def test_damaged_pages_are_found_and_left_alone(path: Path) -> None:
    found = 0
    whole = path.read_bytes()
    for at in range(4_096, len(whole) - 100, 4_096):
        damaged = whole[: at + 8] + b"\xa5" * 60 + whole[at + 68 :]
        path.write_bytes(damaged)
        try:
            found += check_store(path).found > 0
        except errors.StorageError:
            found += 1
        assert path.read_bytes() == damaged
    pages = len(whole) // 4_096 - 1
    assert found >= 0.8 * pages, "a page may be free, or the damage lie in its unused part"


def test_a_store_that_is_bad_all_over_is_told_in_bounds(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executemany("INSERT INTO notice VALUES (?, 'x', 1, x'00', 1, 2)", [(n,) for n in range(1_000, 4_000)])
    connection.commit()
    connection.close()
    checked = check_store(path)
    assert (checked.found, len(checked.problems)) == (3_000, PROBLEMS_MAX)


def test_a_store_of_before_a_migration_is_not_called_damaged(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 0")
    connection.close()
    checked = check_store(path)
    assert (checked.found, checked.rows_checked) == (0, False)


def test_the_command_says_what_is_wrong_and_with_which_code(path: Path, typed: Any) -> None:
    sound = typed("--home", path.parent, "node", "check")
    assert sound.code == 0
    assert "is sound: 3 accounts, 1 messages, 1 notices" in sound.out
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE mail SET size = 1")
    connection.close()
    bad = typed("--home", path.parent, "node", "check")
    assert bad.code == 4
    assert "its size is not as it is stored" in bad.out
    assert "restore a backup" in bad.err
    told = typed("--json", "--home", path.parent, "node", "check").told
    assert (told["error"], told["found"]) == ("store_damaged", 2)
    nothing = typed("--home", path.parent / "nowhere", "node", "check")
    assert nothing.code == 4
    assert not (path.parent / "nowhere").exists(), "a check makes nothing"


def test_a_backup_is_checked_by_its_folder(path: Path, tmp_path: Path, typed: Any) -> None:
    backup.back_up(path.parent, tmp_path / "copy", None)
    checked = typed("node", "check", tmp_path / "copy")
    assert checked.code == 0
