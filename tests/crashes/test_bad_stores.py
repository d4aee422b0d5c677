"""Real processes on stores that they can't use: each says why, with its exit code, and leaves the file as it is."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.crash_world import Crowd, cut_names, environment, json_lines, kill, start, usernym_command
from usernym.demo.processes import Running
from usernym.storage.client.schema import CLIENT_SCHEMA
from usernym.storage.client.store import ClientStore
from usernym.storage.database import StoreDatabase
from usernym.storage.migrations import Schema
from usernym.storage.node.schema import NODE_SCHEMA
from usernym.storage.node.store import NodeStore

pytestmark = pytest.mark.processes

NOWHERE = "ws://127.0.0.1:9"
"""A mixnet client that is not there: a node starts without one, and a refused store shows before."""
NODE = ("node", "run", "--mixnet", NOWHERE)


def run(folder: Path, *arguments: str) -> tuple[int, dict[str, object]]:
    """Run a command to its end; its exit code and the object it printed last."""
    command = usernym_command(*arguments)
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    return done.returncode, json_lines(done.stdout)[-1]


def files(folder: Path) -> dict[str, bytes]:
    """All of a home but its lock."""
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file() and each.name != "lock"}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def begin(home: str, *arguments: str) -> Running:
        started.append(start(home, tmp_path, usernym_command("--log-level", "debug", "--home", home, *arguments)))
        return started[-1]

    yield begin
    for each in started:
        kill(each)


def wait_for_start(folder: Path, home: str) -> None:
    for _ in range(600):
        if "the node has started" in (folder / f"{home}.log").read_text():
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(["sleep", "1"], timeout=0.1, check=False)
    raise AssertionError((folder / f"{home}.log").read_text())


# -- one node to a store ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_second_node_on_the_same_file_from_another_home_is_refused(
    tmp_path: Path, running: Callable[..., Running], link: Callable[[Path, Path], None]
) -> None:
    first = running("first", *NODE)
    wait_for_start(tmp_path, "first")
    (tmp_path / "second").mkdir(mode=0o700)
    link(tmp_path / "first" / "node.db", tmp_path / "second" / "node.db")
    code, told = run(tmp_path, "--home", "second", *NODE)
    assert (code, told["error"]) == (4, "storage")
    assert "in use by another process, from another home" in str(told["text"])
    assert run(tmp_path, "--home", "first", "node", "check")[0] == 0
    kill(first)
    running("second", *NODE)
    wait_for_start(tmp_path, "second")


# -- other versions ---------------------------------------------------------------------------------------------------


def older(path: Path, schema: Schema, version: int, key: bytes | None = None) -> None:
    """A store as version `version` of the schema left it; 0 is one that was killed before its first migration."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(0o600)
    database = StoreDatabase(path, key=key)
    database.execute(f"PRAGMA application_id = {schema.application_id}")
    for statement in (*schema.creation, *schema.filling) if version else ():
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {version}")
    database.close()


@pytest.mark.parametrize("version", range(NODE_SCHEMA.version + 1))
def test_a_node_takes_its_store_of_any_older_version(
    tmp_path: Path, running: Callable[..., Running], version: int
) -> None:
    path = tmp_path / "home" / "node.db"
    older(path, NODE_SCHEMA, version)
    if version:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as before:
            before.execute("INSERT INTO node_identity (id, seed) VALUES (1, ?)", (b"s" * 32,))
    node = running("home", *NODE)
    wait_for_start(tmp_path, "home")
    kill(node)
    with contextlib.closing(NodeStore.open(path)) as store:
        assert (store.profile.identity_seed(b"n" * 32) == b"s" * 32) is bool(version)
        assert store.problems() == []


@pytest.mark.parametrize("version", range(CLIENT_SCHEMA.version + 1))
def test_a_client_takes_its_store_of_any_older_version(tmp_path: Path, version: int) -> None:
    ClientStore.open(tmp_path / "home", None, unprotected=True).close()
    key = (tmp_path / "home" / "store.key").read_bytes()[-32:]
    for side in ("", "-wal", "-shm"):
        (tmp_path / "home" / f"client.db{side}").unlink(missing_ok=True)
    older(tmp_path / "home" / "client.db", CLIENT_SCHEMA, version, key)
    code, told = run(tmp_path, "--home", "home", "whoami")
    assert (code, told["error"]) == (2, "settings"), "it opens, and belongs to nobody yet"
    assert "needs a name" in str(told["text"])


def test_a_newer_versions_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    NodeStore.open(tmp_path / "n" / "node.db").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "n" / "node.db", isolation_level=None)) as newer:
        newer.execute("PRAGMA user_version = 99")
        newer.execute("PRAGMA journal_mode = DELETE")
    ClientStore.open(tmp_path / "c", None, unprotected=True).close()
    client = StoreDatabase(tmp_path / "c" / "client.db", key=(tmp_path / "c" / "store.key").read_bytes()[-32:])
    client.execute("PRAGMA user_version = 99")
    client.rows("PRAGMA journal_mode = DELETE")
    client.close()
    for home, command in (("n", NODE), ("c", ("whoami",))):
        before = files(tmp_path / home)
        code, told = run(tmp_path, "--home", home, *command)
        assert (code, told["error"]) == (4, "storage")
        assert "schema 99" in str(told["text"])
        assert "newer version" in str(told["text"])
        assert files(tmp_path / home) == before


# -- damage -----------------------------------------------------------------------------------------------------------


def garbage(whole: bytes) -> bytes:
    return bytes(range(256)) * (len(whole) // 256)


def cut_short(whole: bytes) -> bytes:
    return whole[: len(whole) // 3]


def a_torn_table(whole: bytes) -> bytes:
    return whole[:4096] + b"\xaa" * (len(whole) - 4096)


@pytest.mark.parametrize("damage", [garbage, cut_short, a_torn_table])
def test_a_damaged_store_is_refused_and_never_written(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    NodeStore.open(tmp_path / "n" / "node.db").close()
    ClientStore.open(tmp_path / "c", None, unprotected=True).close()
    for home, name, command in (("n", "node.db", NODE), ("c", "client.db", ("whoami",))):
        path = tmp_path / home / name
        path.write_bytes(damage(path.read_bytes()))
        before = files(tmp_path / home)
        for _ in range(2):
            code, told = run(tmp_path, "--home", home, *command)
            assert (code, told["error"]) == (4, "storage"), told
            assert {name: files(tmp_path / home)[name] for name in before} == before


def test_damage_that_the_start_does_not_meet_is_found_by_the_check_and_not_backed_up(tmp_path: Path) -> None:
    names = cut_names(2)
    with Crowd(tmp_path, names) as crowd:
        crowd.start_all()
        crowd.settle(60)
        path = crowd.node_folder / "node.db"
        kill(crowd.node)
        with contextlib.closing(NodeStore.open(path)) as store:
            store.erase_traces()
        with contextlib.closing(sqlite3.connect(path)) as raw:
            (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'account_skeleton'").fetchone()
        damaged = bytearray(path.read_bytes())
        damaged[(page - 1) * 4096 : page * 4096] = b"\xaa" * 4096
        path.write_bytes(damaged)
        code, told = run(tmp_path, "--home", "node", "node", "check")
        assert (code, told["error"]) == (4, "store_damaged")
        code, told = run(tmp_path, "--home", "node", "node", "backup", "copy", "--no-passphrase")
        assert code == 4
        assert not (tmp_path / "copy").exists()
