"""A node's store on PostgreSQL: servers that may lose what they commit, lost connections, others in the way."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.helpers.postgres import PostgresServer, needs_postgres
from tests.storage.node.test_two_writers import PATIENCE_S, both, counted, put, waits
from usernym.storage import postgres as engine
from usernym.storage.engine import name_of
from usernym.storage.errors import (
    NotAStore,
    RowConflict,
    SchemaTooNew,
    StoreClosed,
    StoreInaccessible,
    StoreInUse,
    StoreUnreachable,
    UnsafeServer,
)
from usernym.storage.node.mailbox import Enqueued
from usernym.storage.node.schema import HintRow, MailboxRow, NodeRow
from usernym.storage.node.store import NodeStore
from usernym.storage.postgres import PostgresDatabase
from usernym.storage.postgres_statements import PREPARED_MAX, numbered
from usernym.storage.tables import columns_of, table_name

pytestmark = [needs_postgres, pytest.mark.processes]


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
def node(url: str) -> Iterator[NodeStore]:
    store = NodeStore.connect(url)
    yield store
    store.close()


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """One that a test may break."""
    server = PostgresServer()
    yield server
    server.close()


def cut(postgres: PostgresServer, store: NodeStore) -> int:
    """End the store's connections at the server; how many."""
    name = store.database.value(str, "SELECT current_database()")
    ended = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
    return len(postgres.sql(ended))


# -- servers that are not safe ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["synchronous_commit", "fsync", "full_page_writes"])
def test_a_server_that_may_lose_a_commit_is_refused_by_the_name_of_the_setting(
    own_server: PostgresServer, setting: str
) -> None:
    url = own_server.new_database()
    store = NodeStore.connect(url)
    put(store, 1)
    own_server.sql(f"ALTER SYSTEM SET {setting} = off")
    own_server.sql("SELECT pg_reload_conf()")
    end = time.monotonic() + PATIENCE_S
    while own_server.sql(f"SHOW {setting}") != [("off",)]:
        assert time.monotonic() < end
        time.sleep(0.02)
    with pytest.raises(UnsafeServer, match=setting):
        NodeStore.connect(url)
    cut(own_server, store)
    with pytest.raises(UnsafeServer, match=setting):
        put(store, 2)
    store.close()


def test_an_asynchronous_standby_is_said(own_server: PostgresServer, caplog: pytest.LogCaptureFixture) -> None:
    url = own_server.new_database()
    NodeStore.connect(url).close()
    assert not caplog.records
    receiver = subprocess.Popen(
        [own_server.program("pg_receivewal"), "--directory", own_server.folder, "--dbname", own_server.url("postgres")],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + PATIENCE_S
        while own_server.sql("SELECT count(*) FROM pg_stat_replication") != [(1,)]:
            assert time.monotonic() < end
            time.sleep(0.05)
        NodeStore.connect(url).close()
    finally:
        receiver.kill()
        receiver.wait()
    assert "asynchronous" in caplog.text


# -- what is there ----------------------------------------------------------------------------------------------------


def test_no_one_has_it_alone_while_a_worker_has_it(url: str, node: NodeStore) -> None:
    with contextlib.closing(NodeStore.connect(url)) as other:
        put(other, 0)
    with pytest.raises(StoreInUse, match="a node's process"):
        NodeStore.connect(url, alone=True)
    put(node, 1)
    node.close()
    with pytest.raises(StoreClosed):
        put(node, 2)
    with contextlib.closing(NodeStore.connect(url, alone=True)) as again:
        assert len(again.mailbox.waiting("bob", 9)) == 2
        with pytest.raises(StoreInUse):
            NodeStore.connect(url)


def test_who_has_it_alone_keeps_it_however_long_nothing_is_asked_for(postgres: PostgresServer, url: str) -> None:
    name = urlsplit(url).path.removeprefix("/")
    postgres.sql(f"ALTER DATABASE {name} SET idle_session_timeout = '200ms'")
    with contextlib.closing(NodeStore.connect(url, alone=True)):
        time.sleep(1)
        with pytest.raises(StoreInUse):
            NodeStore.connect(url)


def test_a_database_of_another_program_is_left_as_it_is(postgres: PostgresServer, url: str) -> None:
    postgres.sql("CREATE TABLE account (name TEXT)", url)
    with pytest.raises(NotAStore):
        NodeStore.connect(url)
    assert postgres.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", url) == [("account",)]


def test_a_newer_schema_is_refused(postgres: PostgresServer, url: str) -> None:
    NodeStore.connect(url).close()
    postgres.sql("UPDATE store SET version = version + 1, oldest = oldest + 1", url)
    with pytest.raises(SchemaTooNew):
        NodeStore.connect(url)


def test_errors_name_the_database_and_no_password(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert name_of("postgresql://me:secret@db.example:5433/node?sslmode=verify-full") == (
        "postgresql://db.example:5433/node"
    )
    with pytest.raises(StoreInaccessible, match="no such database"):
        NodeStore.connect(postgres.url("nowhere"))
    monkeypatch.setattr(engine, "TRIES_S", 0.1)
    with pytest.raises(StoreUnreachable) as away:
        NodeStore.connect("postgresql://me:secret@/node?host=/nowhere")
    assert "secret" not in str(away.value)


def test_statements_bind_by_place_number_and_name() -> None:
    assert numbered("a = ? AND b = ?") == ("a = $1 AND b = $2", ())
    assert numbered("a = ?1 AND b = ?2 OR a < ?1") == ("a = $1 AND b = $2 OR a < $1", ())
    assert numbered("a = :one AND b = :two OR a < :one AND c::text = ''") == (
        "a = $1 AND b = $2 OR a < $1 AND c::text = ''", ("one", "two"),
    )  # fmt: skip


def test_values_come_back_as_they_went_in_whether_or_not_their_statement_is_prepared(node: NodeStore) -> None:
    sent = ("ä\u200b", "", b"\0\xff", b"", 2**63 - 1, -(2**63), None, True)
    sql = (
        "SELECT CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BYTEA), CAST(? AS BYTEA), CAST(? AS BIGINT),"
        " CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BOOLEAN)"
    )
    for _ in range(3):
        assert node.database.rows(sql, sent) == [sent]


def test_few_statements_stay_prepared_however_many_are_run(node: NodeStore) -> None:
    for number in range(2 * PREPARED_MAX):
        for _ in range(2):
            assert node.database.value(int, f"SELECT {number}") == number
    prepared = node.database.value(int, "SELECT count(*) FROM pg_prepared_statements")
    assert prepared is not None
    assert 0 < prepared <= PREPARED_MAX


def test_a_commit_of_more_statements_than_stay_prepared_is_undone_whole(node: NodeStore) -> None:
    def work() -> None:
        put(node, 1)
        for number in range(2 * PREPARED_MAX):
            node.database.rows(f"SELECT {number}")
        node.database.run("INSERT INTO mail (number) VALUES (1)")

    for _ in range(2):
        with pytest.raises(RowConflict):
            node.commit(work)
        assert not node.database.writing
    assert put(node, 1) is Enqueued.STORED


# -- others in the way, and connections that are lost -----------------------------------------------------------------


def test_two_who_wait_for_each_other_both_come_through(node: NodeStore) -> None:
    put(node, 1, recipient="bob")
    put(node, 2, recipient="cat")
    gate = threading.Barrier(2, timeout=PATIENCE_S)
    runs: list[str] = []

    def lock_in_order(*names: str) -> None:
        def work() -> None:
            runs.append(names[0])
            node.mailbox.lock(names[:1])
            if len(runs) <= 2:
                gate.wait()
            node.mailbox.lock(names[1:])
            put(node, 10 + len(names[0]) + len(runs), recipient=names[0])

        node.commit(work)

    both(lambda: lock_in_order("bob", "cat"), lambda: lock_in_order("cat", "bob"))
    assert len(runs) == 3, "one of them ran again"
    assert counted(node) == waits(node)
    assert node.counts().messages == 4


def test_a_lost_connection_is_replaced_and_nothing_is_stored_twice(postgres: PostgresServer, node: NodeStore) -> None:
    for number in range(5):
        assert cut(postgres, node) >= 2
        assert put(node, number) is Enqueued.STORED
    runs = 0

    def work() -> Enqueued:
        nonlocal runs
        runs += 1
        outcome = put(node, 99)
        if runs == 1:
            postgres.sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE state LIKE 'idle in%'")
        return outcome

    assert node.commit(work) is Enqueued.STORED
    assert runs == 2
    assert node.counts().messages == 6


def test_a_commit_whose_answer_is_lost_comes_to_the_same(node: NodeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server commits, and the connection ends before it can say so."""
    lost: list[str] = []

    def execute(self: Any, sql: str, params: Any) -> Any:
        done = once(self, sql, params)
        if sql == "COMMIT" and not lost:
            lost.append(sql)
            self._forget_connection()
            raise StoreUnreachable("lost")
        return done

    once = PostgresDatabase._once
    monkeypatch.setattr(PostgresDatabase, "_once", execute)
    assert put(node, 1) is Enqueued.DUPLICATE
    assert lost
    assert node.counts().messages == 1
    lost.clear()
    assert node.replay_ids.remember(b"d" * 32, b"answer", 9) == b"answer"
    assert node.counts().remembered == 1


def test_while_the_server_is_away_callers_are_told_so_and_then_at_once(
    own_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "TRIES_S", 0.5)
    store = NodeStore.connect(own_server.new_database())
    put(store, 1)
    own_server.stop()
    began = time.monotonic()
    with pytest.raises(StoreUnreachable):
        put(store, 2)
    assert time.monotonic() - began < PATIENCE_S
    monkeypatch.setattr(engine, "PAUSE_S", PATIENCE_S)
    with pytest.raises(StoreUnreachable):
        put(store, 2)
    own_server.start()
    assert put(store, 2) is Enqueued.STORED
    assert len(store.mailbox.waiting("bob", 9)) == 2
    store.close()


def test_what_was_stored_outlives_immediate_stops_of_the_server(own_server: PostgresServer) -> None:
    store = NodeStore.connect(own_server.new_database())
    stored: list[int] = []
    ending = threading.Event()

    def write() -> None:
        number = 0
        while not ending.is_set():
            with contextlib.suppress(StoreUnreachable):
                if put(store, number) in (Enqueued.STORED, Enqueued.DUPLICATE):
                    stored.append(number)
                    number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            before, end = len(stored), time.monotonic() + PATIENCE_S
            while len(stored) < before + 20:
                assert time.monotonic() < end
                time.sleep(0.01)
            own_server.stop()
            own_server.start()
    finally:
        ending.set()
        writer.join()
    kept = [int.from_bytes(each.message_id) for each in store.mailbox.waiting("bob", 10**6)]
    assert kept == stored, "each once, in order"
    assert counted(store) == waits(store)
    store.close()


def test_what_says_who_wrote_to_whom_is_removed_from_its_tables(node: NodeStore) -> None:
    cleaned = "SELECT relname FROM pg_stat_user_tables WHERE vacuum_count > 0"
    assert node.database.rows(cleaned) == []
    assert node.erase_traces()
    tables = {row[0] for row in node.database.rows(cleaned)}
    people = {"sender", "recipient", "account"}
    assert tables >= {table_name(model) for model in NodeRow.__subclasses__() if people & set(columns_of(model))}
    assert tables >= {table_name(MailboxRow), table_name(HintRow)}
