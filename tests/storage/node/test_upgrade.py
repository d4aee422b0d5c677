"""A newer version of the node on a store that processes of the former one still have."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.helpers.postgres import PostgresServer, needs_postgres
from tests.storage.node.test_two_writers import put
from usernym.storage.errors import SchemaTooNew, StoreInUse
from usernym.storage.migrations import Migration
from usernym.storage.node.schema import NODE_SCHEMA, NodeRow
from usernym.storage.node.store import NodeStore
from usernym.storage.postgres import PostgresDatabase
from usernym.storage.postgres_schema import open_postgres

pytestmark = [needs_postgres, pytest.mark.processes]

COLUMN = Migration((), ("ALTER TABLE mail ADD COLUMN later BIGINT NOT NULL DEFAULT 7",), beside=True)
TABLE = Migration((), ("CREATE TABLE later (id BIGINT PRIMARY KEY)",), beside=True)
RENAME = Migration((), ("ALTER TABLE mail RENAME COLUMN size TO bytes",))
LATER = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'mail' AND column_name = 'later'"
SIZE = LATER.replace("'later'", "'size'")


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
def former(url: str) -> Iterator[NodeStore]:
    with contextlib.closing(NodeStore.connect(url)) as store:
        put(store, 1)
        yield store


def upgraded(url: str, *migrations: Migration, **options: Any) -> contextlib.closing[PostgresDatabase]:
    """The store as a version has it that has these migrations more."""
    schema = replace(NODE_SCHEMA, migrations=(*NODE_SCHEMA.migrations, *migrations))
    return contextlib.closing(open_postgres(url, schema, NodeRow, **options))


def backends(postgres: PostgresServer, store: NodeStore) -> list[int]:
    """The store's connections at the server, the oldest first: that is the one by which the process has the store."""
    name = store.database.value(str, "SELECT current_database()")
    rows = postgres.sql(f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}' ORDER BY backend_start")
    return [pid for (pid,) in rows]


def end(postgres: PostgresServer, *pids: int) -> None:
    for pid in pids:
        postgres.sql(f"SELECT pg_terminate_backend({pid}, 5000)")


def test_processes_of_both_versions_work_side_by_side(postgres: PostgresServer, url: str, former: NodeStore) -> None:
    with upgraded(url, COLUMN, TABLE) as database:
        put(former, 2)
        end(postgres, *backends(postgres, former))
        put(former, 3)
        with contextlib.closing(NodeStore.connect(url)) as another:
            put(another, 4)
            assert len(another.mailbox.waiting("bob", 9)) == 4
        assert database.rows("SELECT DISTINCT later FROM mail") == [(7,)]
        assert database.rows("SELECT * FROM later") == []


def test_the_former_version_copies_and_moves_no_store_of_which_it_knows_a_part(url: str, former: NodeStore) -> None:
    with upgraded(url, COLUMN):
        pass
    with pytest.raises(SchemaTooNew):
        NodeStore.connect(url, to_copy=True)
    former.close()
    with pytest.raises(SchemaTooNew):
        NodeStore.connect(url, alone=True)


@pytest.mark.parametrize("migrations", [(RENAME,), (COLUMN, RENAME), (RENAME, COLUMN)])
def test_what_the_former_version_can_not_bear_waits_until_its_processes_have_ended(
    postgres: PostgresServer, url: str, former: NodeStore, migrations: tuple[Migration, ...]
) -> None:
    with pytest.raises(StoreInUse, match=r"end all of them first\. Nothing was changed"):
        upgraded(url, *migrations)
    assert (postgres.sql(SIZE, url), postgres.sql(LATER, url)) == ([(1,)], [(0,)])
    put(former, 2)
    former.close()
    with upgraded(url, *migrations) as database:
        assert database.value(int, SIZE) == 0
        with pytest.raises(SchemaTooNew):
            NodeStore.connect(url)


def test_a_process_that_was_cut_off_meanwhile_writes_nothing_to_the_changed_store(
    postgres: PostgresServer, url: str, former: NodeStore
) -> None:
    end(postgres, *backends(postgres, former))
    with upgraded(url, RENAME) as database:
        for _ in range(2):
            with pytest.raises(SchemaTooNew):
                put(former, 2)
        assert database.value(int, "SELECT count(*) FROM mail") == 1


def test_each_connection_keeps_the_store_from_being_changed(
    postgres: PostgresServer, url: str, former: NodeStore
) -> None:
    first, *others = backends(postgres, former)
    assert others
    end(postgres, first)
    with pytest.raises(StoreInUse):
        upgraded(url, RENAME)
    put(former, 2)


def test_processes_of_the_new_version_may_start_together(url: str, former: NodeStore) -> None:
    former.close()
    found: list[Any] = []

    def start() -> None:
        try:
            with upgraded(url, RENAME, TABLE) as database:
                found.append(database.row("SELECT version, oldest FROM store"))
        except BaseException as error:  # noqa: BLE001 - shown below
            found.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    version = NODE_SCHEMA.version
    assert found == [(version + 2, version + 1)] * 4


def test_each_migration_of_the_node_is_written_for_both_engines() -> None:
    assert [each for each in NODE_SCHEMA.migrations if not (each.statements and each.postgres)] == []
