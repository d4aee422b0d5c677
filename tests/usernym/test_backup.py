"""Backups: complete, private, made while the node writes; made so that nothing is overwritten."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from usernym import node_backup as backup
from usernym.node_check import check_store
from usernym.protocol import messages as m
from usernym.protocol.payloads import SEALED_SIZES
from usernym.storage import backup as copies
from usernym.storage import errors
from usernym.storage.integrity import ReadOnlyStore
from usernym.storage.keyfile import Argon2Cost, Protection, read_key
from usernym.storage.locks import Home
from usernym.storage.node.mail import mail_blob
from usernym.storage.node.schema import NODE_SCHEMA
from usernym.storage.node.store import NodeStore

CHEAP = Argon2Cost(memory_kib=64, passes=1)


def a_home(folder: Path, messages: int = 3) -> tuple[Path, bytes]:
    """A node's home with some content, as a node that has stopped leaves it."""
    store = NodeStore.open(folder / "node.db")
    seed = store.profile.identity_seed(os.urandom(32))
    for number in range(messages):
        put(store, number)
    store.notices.add("ann", 2, bytes(16), 1, 9)
    store.close()
    return folder, seed


def put(store: NodeStore, number: int) -> None:
    store.mailbox.enqueue(
        sender="ann", recipient="bob", message_id=number.to_bytes(16, "big"), blob=b"x" * 900, now=1, expires_at=9
    )  # fmt: skip


def content(path: Path) -> list[str]:
    """Every row of every table, as text; but not that no heads are signed, which a restoration notes."""
    connection = sqlite3.connect(path)
    try:
        lines = [
            line.rsplit(",", 2)[0] if line.startswith('INSERT INTO "directory_log"') else line
            for line in connection.iterdump()
        ]
        return sorted(line for line in lines if "sqlite_sequence" not in line and "node_card" not in line)
    finally:
        connection.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- making one -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("passphrase", [None, "a passphrase"])
def test_there_and_back_everything_is_the_same(tmp_path: Path, passphrase: str | None) -> None:
    home, seed = a_home(tmp_path / "node")
    before = content(home / "node.db")
    backup.back_up(home, tmp_path / "copy", passphrase)
    assert mode(tmp_path / "copy") == 0o700
    assert {mode(each) for each in (tmp_path / "copy").iterdir()} == {0o600}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy", "node"]
    backup.restore(tmp_path / "copy", tmp_path / "new", passphrase)
    assert content(tmp_path / "new" / "node.db") == before
    assert sorted(each.name for each in (tmp_path / "new").iterdir()) == ["lock", "node.db"]
    assert mode(tmp_path / "new" / "node.db") == 0o600
    store = NodeStore.open(tmp_path / "new" / "node.db")
    assert store.profile.identity_seed(bytes(32)) == seed
    store.close()


def test_with_a_passphrase_nothing_of_it_can_be_read(tmp_path: Path) -> None:
    home, seed = a_home(tmp_path / "node")
    backup.back_up(home, tmp_path / "plain", None)
    backup.back_up(home, tmp_path / "copy", "a passphrase")
    assert seed in (tmp_path / "plain" / "node.db").read_bytes(), "or this test looks for the wrong thing"
    for part in (tmp_path / "copy").iterdir():
        read = part.read_bytes()
        assert seed not in read
        assert b"bob" not in read
        assert b"x" * 50 not in read
    assert copies.protection_of(tmp_path / "plain") is Protection.NONE
    assert copies.protection_of(tmp_path / "copy") is Protection.PASSPHRASE
    for wrong, error in (("another", errors.WrongPassphrase), (None, errors.PassphraseNeeded)):
        with pytest.raises(error):
            backup.restore(tmp_path / "copy", tmp_path / "new", wrong)
        assert not (tmp_path / "new" / "node.db").exists()


def test_nothing_is_overwritten_and_nothing_is_left(tmp_path: Path) -> None:
    home, _ = a_home(tmp_path / "node")
    (tmp_path / "there").mkdir()
    with pytest.raises(errors.StoreInaccessible, match="new folder"):
        backup.back_up(home, tmp_path / "there", None)
    with pytest.raises(errors.StoreInaccessible, match="no such file"):
        backup.back_up(home, tmp_path / "missing" / "copy", None)
    with pytest.raises(errors.StoreInaccessible, match="no store to copy"):
        backup.back_up(tmp_path / "there", tmp_path / "copy", None)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["node", "there"]
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.parametrize("passphrase", [None, "a passphrase"])
def test_a_damaged_store_gives_no_backup(tmp_path: Path, passphrase: str | None) -> None:
    home, _ = a_home(tmp_path / "node", messages=200)
    path = home / "node.db"
    damaged = bytearray(path.read_bytes())
    half = len(damaged) // 2
    damaged[half : half + 9_000] = b"\xaa" * 9_000
    path.write_bytes(damaged)
    with pytest.raises(errors.StorageError):
        backup.back_up(home, tmp_path / "copy", passphrase)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["node"]
    assert path.read_bytes() == damaged


def test_what_is_not_a_nodes_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    (tmp_path / "node" / "node.db").write_bytes(b"hello" * 400)
    (tmp_path / "node" / "node.db").chmod(0o600)
    with pytest.raises(errors.NotAStore):
        backup.back_up(tmp_path / "node", tmp_path / "copy", None)


# -- bringing one back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", ["node.db", "node.db-wal", "node.db-journal"])
def test_a_home_with_a_node_in_it_is_refused_and_left_alone(tmp_path: Path, there: str) -> None:
    home, _ = a_home(tmp_path / "node")
    backup.back_up(home, tmp_path / "copy", None)
    target = tmp_path / "other"
    target.mkdir()
    (target / there).write_bytes(b"something")
    with pytest.raises(errors.StoreInaccessible, match="never replaces another"):
        backup.restore(tmp_path / "copy", target, None)
    assert (target / there).read_bytes() == b"something"
    assert sorted(each.name for each in target.iterdir()) == sorted(["lock", there])


def test_a_home_that_a_process_holds_is_refused(tmp_path: Path) -> None:
    home, _ = a_home(tmp_path / "node")
    backup.back_up(home, tmp_path / "copy", None)
    with Home(tmp_path / "other", "node"), pytest.raises(errors.HomeInUse):
        backup.restore(tmp_path / "copy", tmp_path / "other", None)


@pytest.mark.parametrize("passphrase", [None, "a passphrase"])
def test_a_damaged_backup_is_refused(tmp_path: Path, passphrase: str | None) -> None:
    home, _ = a_home(tmp_path / "node", messages=200)
    backup.back_up(home, tmp_path / "copy", passphrase)
    copy = tmp_path / "copy" / "node.db"
    whole = bytearray(copy.read_bytes())
    whole[len(whole) // 2 : len(whole) // 2 + 5_000] = b"\x55" * 5_000
    copy.write_bytes(whole)
    with pytest.raises(errors.StorageError):
        backup.restore(tmp_path / "copy", tmp_path / "new", passphrase)
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["lock"]


def test_what_a_killed_restore_left_is_in_nobodys_way(tmp_path: Path) -> None:
    home, _ = a_home(tmp_path / "node")
    backup.back_up(home, tmp_path / "copy", None)
    (tmp_path / "new").mkdir()
    for left in (".node.db.restored", ".node.db.restored-wal"):
        (tmp_path / "new" / left).write_bytes(b"half a copy")
    backup.restore(tmp_path / "copy", tmp_path / "new", None)
    assert sorted(each.name for each in (tmp_path / "new").iterdir()) == ["lock", "node.db"]


# -- as processes -----------------------------------------------------------------------------------------------------


@pytest.mark.processes
@pytest.mark.parametrize("choice", [(), ("--no-passphrase",)])
def test_the_commands_beside_a_running_node(network: Any, tmp_path: Path, choice: tuple[str, ...]) -> None:
    terminal = network.terminal
    before = terminal.ok("--home", "node", "node", "check")["accounts"]
    network.user(f"pia{len(choice)}")
    copy, new = str(tmp_path / "copy"), str(tmp_path / "new")
    told = terminal.ok("--home", "node", "node", "backup", copy, *choice)
    assert told["encrypted"] is not bool(choice)
    checked = terminal.ok("node", "check", copy)
    assert (checked["sound"], checked["accounts"]) == (True, before + 1)
    assert terminal.ok("--home", "node", "node", "check")["sound"] is True
    again = terminal.run("--json", "--home", "node", "node", "backup", copy, *choice)
    assert (again.returncode, json.loads(again.stdout)["error"]) == (4, "storage")
    held = terminal.run("--json", "--home", "node", "node", "restore", copy)
    assert (held.returncode, json.loads(held.stdout)["error"]) == (4, "home_in_use")
    assert terminal.ok("--home", new, "node", "restore", copy)["home"] == new
    assert terminal.ok("--home", new, "node", "check")["accounts"] == checked["accounts"]
    if not choice:
        wrong = terminal.run("--json", "--home", str(tmp_path / "x"), "node", "restore", copy, USERNYM_PASSPHRASE="no")
        assert (wrong.returncode, json.loads(wrong.stdout)["error"]) == (4, "wrong_passphrase")


@pytest.mark.processes
def test_a_copy_made_amid_commits_is_one_moment_of_the_store(tmp_path: Path) -> None:
    path = tmp_path / "node" / "node.db"
    NodeStore.open(path).close()
    forward = m.Forward(bytes(8), "ann", "bob", bytes(16), 1, 1, b"s" * min(SEALED_SIZES), bytes(64), None)
    command = [sys.executable, "-I", "-c", COMMIT_FOR_EVER, str(path), mail_blob(forward, bytes(32)).hex()]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        found = copies_amid_commits(tmp_path, path)
        assert writer.poll() is None, "it never had to wait longer than a writer waits"
    finally:
        writer.kill()
        writer.communicate()
    assert found == sorted(found)
    assert found[-1] > found[0], "or nothing was written meanwhile"


def copies_amid_commits(tmp_path: Path, path: Path) -> list[int]:
    found = []
    for number in range(6):
        copy = tmp_path / f"copy-{number}"
        passphrase = "a passphrase" if number % 2 else None
        copies.back_up(path, copy, NODE_SCHEMA, passphrase, backup.BESIDE, cost=CHEAP)
        key = None if passphrase is None else read_key(copy / copies.KEY_NAME, passphrase).key
        checked = check_store(copy / "node.db", key)
        assert checked.problems == []
        with ReadOnlyStore(copy / "node.db", key) as store:
            ids = [int.from_bytes(row[0], "big") for row in store.rows("SELECT message_id FROM mail ORDER BY number")]
        assert ids == list(range(len(ids)))
        assert len(ids) % 5 == 0
        found.append(len(ids))
    return found


COMMIT_FOR_EVER = """
import itertools, sys, os
from pathlib import Path
from usernym.storage.node.store import NodeStore
store = NodeStore.open(Path(sys.argv[1]))
store.profile.identity_seed(os.urandom(32))
for group in itertools.count():
    with store.transaction():
        for part in range(5):
            store.mailbox.enqueue(sender="ann", recipient="bob", message_id=(5 * group + part).to_bytes(16, "big"),
                          blob=bytes.fromhex(sys.argv[2]), now=1, expires_at=1 + 30 * 86400)
    if group == 20:
        print("under way", flush=True)
"""
