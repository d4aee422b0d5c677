"""A node's backup has all that the node is, its Nym identity and its settings included; it comes back whole, or not."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import usernym
from tests.usernym.test_backup import a_home, content
from usernym import node_backup as backup
from usernym.storage import backup as copies
from usernym.storage import backup_files, errors

SECRET_KEY = b"-----BEGIN a private key of the Nym client-----\r\n" * 3
SETTINGS = b'[node]\nmixnet = "nym?storage=new"\nformer_mixnets = ["nym"]\n'
PARTS = ["node-mixnet", "nym", "nym-new", "usernym.toml"]


def write(path: Path, what: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(what)


def a_whole_home(folder: Path, messages: int = 3) -> Path:
    """A node's home with two Nym identities, one of them in use by a process that writes."""
    home, _ = a_home(folder, messages)
    for name in ("nym", "nym-new"):
        write(home / name / "private_identity.pem", SECRET_KEY + name.encode())
        write(home / name / "nym_python_sdk.lock", b"")
        write(home / name / "persistent_reply_store.sqlite", b"reply blocks that serve once")
    write(home / "nym" / "deeper" / "ack_key.pem", bytes(range(256)))
    write(home / "usernym.toml", SETTINGS)
    write(home / "node-mixnet", b"nym?storage=new\n")
    write(home / "control.sock", b"a name that is no part")
    write(home / "nymph" / "other", b"no part either")
    return home


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database of the Nym client with rows that are in its write-ahead log only, held open by its writer."""
    home = a_whole_home(tmp_path / "node")
    connection = sqlite3.connect(home / "nym" / "gateways_registrations.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("CREATE TABLE gateway (key BLOB)")
    connection.executemany("INSERT INTO gateway VALUES (?)", [(bytes([n]) * 32,) for n in range(200)])
    yield connection
    connection.close()


def files_of(home: Path) -> dict[str, bytes]:
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.name not in ("lock", "node.db")
    }  # fmt: skip


@pytest.mark.parametrize("passphrase", [None, "a passphrase"])
def test_all_that_a_node_is_comes_back_elsewhere(
    tmp_path: Path, writing: sqlite3.Connection, passphrase: str | None
) -> None:
    home, copy, new = tmp_path / "node", tmp_path / "copy", tmp_path / "new"
    assert backup.back_up(home, copy, passphrase) == PARTS
    writing.execute("INSERT INTO gateway VALUES (x'00')")  # its writer noticed nothing
    key = copies.read_backup_key(copy, passphrase)
    assert backup.parts_held(copy, key) == PARTS
    assert backup.restore(copy, new, passphrase) == PARTS
    found = files_of(new)
    del found["nym/gateways_registrations.sqlite"]
    assert found == {
        "node-mixnet": b"nym?storage=new\n",
        "nym-new/private_identity.pem": SECRET_KEY + b"nym-new",
        "nym/deeper/ack_key.pem": bytes(range(256)),
        "nym/private_identity.pem": SECRET_KEY + b"nym",
        "usernym.toml": SETTINGS,
    }
    assert content(new / "node.db") == content(home / "node.db")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in new.rglob("*") if path.is_file()}
    folders = {stat.S_IMODE(path.stat().st_mode) for path in new.rglob("*") if path.is_dir()}
    assert (modes, folders) == ({0o600}, {0o700})
    with contextlib.closing(sqlite3.connect(new / "nym" / "gateways_registrations.sqlite")) as read:
        assert read.execute("SELECT count(*) FROM gateway").fetchone() == (200,), "one moment of it, its log included"


def test_with_a_passphrase_no_part_of_it_can_be_read(tmp_path: Path) -> None:
    home = a_whole_home(tmp_path / "node")
    for copy, passphrase in ((tmp_path / "plain", None), (tmp_path / "sealed", "a passphrase")):
        backup.back_up(home, copy, passphrase)
        seen = b"".join(path.read_bytes() for path in copy.iterdir())
        for secret in (b"a private key of the Nym client", b"former_mixnets", b"nym-new"):
            assert (secret in seen) is (passphrase is None)


@pytest.mark.parametrize("passphrase", [None, "a passphrase"])
@pytest.mark.parametrize("harm", ["no files", "no store", "mixed", "damaged files", "damaged store"])
def test_half_a_backup_is_refused_and_nothing_is_left(tmp_path: Path, passphrase: str | None, harm: str) -> None:
    home, copy, other = a_whole_home(tmp_path / "node"), tmp_path / "copy", tmp_path / "other"
    backup.back_up(home, copy, passphrase)
    files, store = copy / backup_files.FILES_NAME, copy / "node.db"
    if harm == "no files":
        files.unlink()
    elif harm == "no store":
        store.unlink()
    elif harm == "mixed":
        with contextlib.closing(sqlite3.connect(home / "node.db", isolation_level=None)) as connection:
            connection.execute("DELETE FROM mail")
        backup.back_up(home, other, passphrase)
        shutil.copy(other / files.name, files)
    else:
        damaged = files if harm == "damaged files" else store
        whole = bytearray(damaged.read_bytes())
        at = whole.find(SECRET_KEY[:20]) if passphrase is None and damaged == files else len(whole) // 2
        assert at > 0
        whole[at : at + 9] = b"\x55" * 9
        damaged.write_bytes(whole)
    with pytest.raises(errors.StorageError):
        backup.restore(copy, tmp_path / "new", passphrase)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["lock"]


@pytest.mark.parametrize("name", ["../escaped", "nym/../../escaped", "/etc/escaped", "other", "nym//x", "nymph/x", ""])
def test_a_backup_that_was_tampered_with_writes_nowhere_else(tmp_path: Path, name: str) -> None:
    home, copy = a_whole_home(tmp_path / "node"), tmp_path / "copy"
    backup.back_up(home, copy, None)
    with contextlib.closing(sqlite3.connect(copy / backup_files.FILES_NAME, isolation_level=None)) as connection:
        connection.execute("INSERT INTO file VALUES (?, x'00')", (name,))
        files = dict(connection.execute("SELECT name, content FROM file").fetchall())
        connection.execute("UPDATE hashes SET files = ?", (backup_files._hash_of(files),))
    with pytest.raises(errors.StoreCorrupt, match="does not belong"):
        backup.restore(copy, tmp_path / "new", None)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["lock"]
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize("there", ["nym", "nym-old", "usernym.toml"])
def test_a_home_with_an_identity_or_settings_in_it_is_refused_and_left_alone(tmp_path: Path, there: str) -> None:
    home, new = a_whole_home(tmp_path / "node"), tmp_path / "new"
    backup.back_up(home, tmp_path / "copy", None)
    write(new / there if "." in there else new / there / "key.pem", b"another's")
    before = files_of(new)
    with pytest.raises(errors.StoreInaccessible, match="never replaces another"):
        backup.restore(tmp_path / "copy", new, None)
    assert files_of(new) == before


def test_what_is_neither_file_nor_folder_gives_no_backup(tmp_path: Path) -> None:
    home = a_whole_home(tmp_path / "node")
    os.mkfifo(home / "nym" / "pipe")
    with pytest.raises(errors.StoreInaccessible, match="neither"):
        backup.back_up(home, tmp_path / "copy", None)
    assert [path.name for path in tmp_path.iterdir()] == ["node"]


def test_a_damaged_database_of_the_nym_client_gives_no_backup(tmp_path: Path) -> None:
    home = a_whole_home(tmp_path / "node")
    write(home / "nym" / "gateways.sqlite", b"SQLite format 3\0" + b"\xaa" * 4_096)
    with pytest.raises(errors.StorageError):
        backup.back_up(home, tmp_path / "copy", None)
    assert [path.name for path in tmp_path.iterdir()] == ["node"]


class Killed(BaseException):
    """The process ended here."""


@pytest.mark.parametrize("after", [0, 1, 4])
def test_a_restore_that_was_killed_is_no_node_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    home, new = a_whole_home(tmp_path / "node"), tmp_path / "new"
    backup.back_up(home, tmp_path / "copy", None)
    expected_files, written = files_of(home), 0

    def write_some(path: Path, content: bytes, *, replace: bool) -> None:
        nonlocal written
        if written == after:
            raise Killed
        written += 1
        path.write_bytes(content)

    with monkeypatch.context() as patch:
        patch.setattr(backup_files, "write_private", write_some)
        patch.setattr(copies, "remove_parts", lambda *_: None)  # a killed process cleans nothing up
        patch.setattr(copies, "_remove", lambda *_: None)
        with pytest.raises(Killed):
            backup.restore(tmp_path / "copy", new, None)
    with pytest.raises(usernym.StorageError, match="interrupted"):
        usernym.Node.open(new, mixnet="ws://127.0.0.1:9")
    assert not (new / "node.db").exists()
    assert backup.restore(tmp_path / "copy", new, None) == PARTS
    assert files_of(new).items() <= expected_files.items()
    assert content(new / "node.db") == content(home / "node.db")


@pytest.mark.processes
def test_the_commands_say_what_a_backup_holds_and_what_it_does_not(terminal: Any, tmp_path: Path) -> None:
    home = a_whole_home(tmp_path / "node", messages=0)
    with contextlib.closing(sqlite3.connect(home / "node.db", isolation_level=None)) as connection:
        connection.execute("DELETE FROM notice")  # a row as no node writes it
    (home / "control.sock").unlink()
    (home / "usernym.toml").write_bytes(b'[node]\nmixnet = "nym"\nformer_mixnets = ["ws://127.0.0.1:1977"]\n')
    told = terminal.ok("--home", str(home), "node", "backup", "copy")
    assert told["holds"] == ["node.db", *PARTS]
    assert told["not_held"] == ["ws://127.0.0.1:1977"]
    assert terminal.ok("node", "check", "copy")["holds"] == ["node.db", *PARTS]
    said = terminal.run("--home", str(home), "node", "backup", "copy-2")
    assert said.returncode == 0
    assert [line.split()[0] for line in said.stdout.splitlines()[1:]] == ["node.db", *PARTS]
    assert "a Nym client's identity: an address of the node" in said.stdout
    assert "NOT in it: the nym-client at ws://127.0.0.1:1977" in said.stderr
    assert terminal.ok("--home", "new", "node", "restore", "copy")["holds"] == ["node.db", *PARTS]
    (tmp_path / "copy" / backup_files.FILES_NAME).unlink()
    half = terminal.run("node", "check", "copy")
    assert half.returncode == 4
    assert "not whole" in half.stderr
