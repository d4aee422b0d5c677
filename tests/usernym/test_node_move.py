"""`usernym node move`: a node's store into PostgreSQL and back, with all that it has, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.postgres import PostgresServer, needs_postgres
from tests.storage.node.test_node_directory import newer, register
from tests.storage.node.test_two_writers import put
from usernym import Node, SettingsError, node_move
from usernym.node import STORE_NAME
from usernym.node_copy import store_file
from usernym.protocol.cards import make_card
from usernym.protocol.signing import SigningKey
from usernym.settings import NODE_STORE_NAME
from usernym.storage import errors, postgres, postgres_schema
from usernym.storage.locks import Home
from usernym.storage.node import moving
from usernym.storage.node.epochs import TREE_LEVEL_MIN, EpochSigner
from usernym.storage.node.schema import OF_PROCESSES, NodeRow
from usernym.storage.node.store import NodeStore
from usernym.storage.tables import counted_key_of, selection, table_name

pytestmark = [needs_postgres, pytest.mark.processes]


def fill(store: NodeStore) -> None:
    """Something in every table; and the latest rows of those that count up are gone."""
    store.profile.identity_seed(b"s" * 32)
    store.profile.save_card(7, b"card")
    store.profile.raise_clock_floor(2**31)
    for name in ("alice", "bob", "élodie"):
        register(store, name, link=bytes(range(256)))
    newer(store, 1, 2, 2)
    signer = EpochSigner.of(SigningKey.from_seed(b"s" * 32))
    store.commit(lambda: store.log.append(signer, {bytes(range(32)): [b"e" * 32], b"\xff" * 32: [b"f" * 32]}, 5))
    for _ in range(2**TREE_LEVEL_MIN):  # enough for a row about the log's tree
        store.commit(lambda: store.log.append(signer, {bytes(range(32)): [b"g" * 32]}, 6))
    store.witnesses.add(make_card(signer.key, [bytes(96)], 1, 1), checks=True)
    first = next(store.log.epochs(1))
    store.witnesses.check(signer.key.public, 0, [(first.entry, first.changes)])
    for number in range(5):
        put(store, number, recipient=("alice", "bob")[number % 2])
        store.replay_ids.remember(number.to_bytes(32, "big"), b"", 99)
    put(store, 9, recipient="zoe")
    store.mailbox.remove_all("zoe")
    store.notices.confirm("ann", [store.notices.add("bob", 1, b"kept", 1, 9), store.notices.add("ann", 1, b"", 1, 9)])


MOVED = [model for model in NodeRow.__subclasses__() if model not in OF_PROCESSES]


def content(store: NodeStore) -> dict[str, list[Any]]:
    return {model.__name__: sorted(store.database.rows(selection(model, ""))) for model in MOVED}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with contextlib.closing(NodeStore.open(tmp_path / "home" / STORE_NAME)) as store:
        fill(store)
    return tmp_path / "home"


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


def of_file(home: Path) -> dict[str, list[Any]]:
    with contextlib.closing(NodeStore.open(home / STORE_NAME)) as store:
        return content(store)


def test_there_and_back_it_is_the_same(home: Path, url: str, postgres: PostgresServer) -> None:
    before = of_file(home)
    assert all(before.values())
    with contextlib.closing(NodeStore.open(home / STORE_NAME)) as store:
        last = store.database.last_number("mailbox", "id")
    there = node_move.move_to_database(home, url)
    assert [each.table for each in there] == [table_name(model) for model in MOVED]
    assert sum(each.rows for each in there) == sum(map(len, before.values()))
    assert {path.name for path in home.iterdir()} == {f"{STORE_NAME}.moved", NODE_STORE_NAME, "lock"}
    with contextlib.closing(NodeStore.connect(url)) as store:
        assert content(store) == before
        assert store.notices.add("ann", 1, b"", 1, 9) == 3, "no number comes back"
        put(store, 9, recipient="zoe")
        put(store, 10, recipient="yan")
        numbers = [each.number >> 20 for name in ("zoe", "yan") for each in store.mailbox.waiting(name, 1)]
        assert numbers == [last + 1, last + 2]
        after = content(store)
        store.workers.join(b"1" * 96)  # killed: its row stays
        assert store.workers.take("alice", 0)
    back = node_move.move_to_file(home, url)
    assert {each.table: each.rows for each in back}["notice"] == 2
    assert of_file(home) == after
    with contextlib.closing(NodeStore.open(home / STORE_NAME)) as store:
        assert not any(store.database.rows(selection(model, "")) for model in OF_PROCESSES)
    assert not (home / NODE_STORE_NAME).exists()
    with pytest.raises(errors.NotAStore, match="has moved"):
        NodeStore.connect(url)
    with contextlib.closing(NodeStore.open(home / STORE_NAME)) as store:
        assert store.notices.add("ann", 1, b"", 1, 9) == 4
    again = node_move.move_to_database(home, postgres.new_database())
    assert [each for each in again if each.table != "notice"] == [each for each in back if each.table != "notice"]


COUNTED = [(table_name(model), key) for model in MOVED if (key := counted_key_of(model)) is not None]


def numbers(store: NodeStore) -> dict[str, int]:
    """The last number of each table that counts up."""
    return {table: store.database.last_number(table, key) for table, key in COUNTED}


def test_no_table_that_counts_begins_again(home: Path, url: str) -> None:
    assert {table for table, _ in COUNTED} == {"mailbox", "notice", "directory_change", "witness"}
    with contextlib.closing(NodeStore.open(home / STORE_NAME)) as store:
        before = numbers(store)
    assert all(before.values())
    node_move.move_to_database(home, url)
    with contextlib.closing(NodeStore.connect(url)) as store:
        assert numbers(store) == before
        for seed in (b"t", b"u"):
            store.witnesses.add(make_card(SigningKey.from_seed(seed * 32), [bytes(96)], 1, 1))
        assert [each.number for each in store.witnesses.peers()] == [1, 2, 3]
        before = numbers(store)
    node_move.move_to_file(home, url)
    with contextlib.closing(NodeStore.open(home / STORE_NAME)) as store:
        assert numbers(store) == before


def test_a_database_that_has_a_node_is_left_alone(home: Path, url: str) -> None:
    with contextlib.closing(NodeStore.connect(url)) as other:
        other.profile.identity_seed(b"o" * 32)
    before = of_file(home)
    with pytest.raises(errors.StoreInaccessible, match="has a node already"):
        node_move.move_to_database(home, url)
    assert of_file(home) == before
    with contextlib.closing(NodeStore.connect(url)) as other:
        assert other.profile.identity_seed(b"x" * 32) == b"o" * 32


def test_a_row_that_did_not_come_is_found_and_nothing_is_kept(
    home: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lossy(source: Any, target: Any, model: Any) -> None:
        old(source, target, model)
        if model.__name__ == "NoticeRow":
            target.run("UPDATE notice SET blob = ?", (b"other",))

    old = moving._fill
    monkeypatch.setattr(moving, "_fill", lossy)
    before = of_file(home)
    with pytest.raises(errors.StoreCorrupt, match="differs"):
        node_move.move_to_database(home, url)
    assert of_file(home) == before
    with contextlib.closing(NodeStore.connect(url)) as empty:
        assert empty.counts().accounts == 0
        assert not empty.database.rows("SELECT * FROM node_identity")


class SlowDigest:
    """As for rows by the million."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.digest, self.hexdigest = self._digest.digest, self._digest.hexdigest

    def update(self, row: bytes) -> None:
        time.sleep(0.01)
        self._digest.update(row)


def test_a_move_takes_as_long_as_it_takes(home: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = of_file(home)
    assert sum(map(len, before.values())) > 100, "more than a second, in which the server is asked for nothing"
    monkeypatch.setattr(moving, "hashlib", SimpleNamespace(sha256=SlowDigest))
    for module in (postgres, postgres_schema):
        monkeypatch.setattr(module, "IDLE_S", 1)
    node_move.move_to_database(home, url)
    with store_file(home, url) as copy:
        assert copy.exists()
    node_move.move_to_file(home, url)
    assert of_file(home) == before


@pytest.mark.parametrize("back", [False, True])
def test_after_a_move_that_was_cut_short_no_node_starts_until_one_store_is_chosen(
    home: Path, url: str, monkeypatch: pytest.MonkeyPatch, back: bool
) -> None:
    before = of_file(home)
    if back:
        node_move.move_to_database(home, url)

    def die(_self: NodeStore) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(NodeStore, "retire", die)
    with pytest.raises(KeyboardInterrupt):
        (node_move.move_to_file if back else node_move.move_to_database)(home, url)
    for chosen in (None, url):
        with pytest.raises(SettingsError, match="cut short"):
            Node.open(home, mixnet="ws://127.0.0.1:9", store=chosen)
    (home / NODE_STORE_NAME).unlink()
    assert of_file(home) == before
    with contextlib.closing(NodeStore.connect(url)) as store:
        assert content(store) == before


def test_a_home_whose_store_is_in_postgresql_opens_no_other(home: Path, url: str) -> None:
    node_move.move_to_database(home, url)
    with pytest.raises(SettingsError, match="PostgreSQL"):
        Node.open(home, mixnet="ws://127.0.0.1:9")
    assert not (home / STORE_NAME).exists()


def test_a_node_that_runs_is_not_moved(home: Path, url: str) -> None:
    with Home(home, "node"), pytest.raises(errors.HomeInUse):
        node_move.move_to_database(home, url)


def test_the_command(home: Path, url: str, typed: Any) -> None:
    moved = typed("--json", "--home", home, "node", "move", "--to", url)
    assert moved.code == 0
    assert {each["table"]: each["rows"] for each in moved.told["tables"]}["account"] == 3
    assert typed("--home", home, "node", "move").code == 2
    assert typed("--home", home, "node", "backup", home.parent / "copy", "--no-passphrase").code == 0
    back = typed("--home", home, "node", "move", "--to", "home")
    assert back.code == 0
    assert "3 rows" in back.out
    assert typed("--home", home, "node", "move", "--to", "home").code == 2
