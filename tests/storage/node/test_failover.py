"""A node's store on PostgreSQL whose primary server dies for good, and whose standby takes its place."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from urllib.parse import quote

import pytest

from tests.helpers.postgres import STANDBY, USER, PostgresServer, needs_postgres
from tests.storage.node.test_two_writers import PATIENCE_S, put
from usernym.storage.errors import StoreUnreachable
from usernym.storage.node.mailbox import Enqueued
from usernym.storage.node.store import NodeStore

pytestmark = [needs_postgres, pytest.mark.processes]

WRITERS = 3
BEFORE, AFTER = 30, 10
"""Messages of each writer that are accepted by the first server, and by the second."""
FULL = 1_000
"""Less than a mailbox holds."""
NUMBERS = 1_000_000
"""Each writer has so many of its own."""


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_was_accepted_outlives_the_primary_with_a_synchronous_standby(caplog: pytest.LogCaptureFixture) -> None:
    with ExitStack() as undo:
        primary = PostgresServer()
        undo.callback(primary.close)
        name = primary.new_database().split("/")[3].split("?")[0]
        standby = PostgresServer(primary)
        undo.callback(standby.close)
        wait_until(lambda: primary.sql("SELECT count(*) FROM pg_stat_replication") == [(1,)])
        hosts = ",".join(quote(str(server.folder), safe="") for server in (primary, standby))
        url = f"postgresql://{USER}@/{name}?host={hosts}&target_session_attrs=read-write"

        NodeStore.connect(url).close()
        assert "asynchronous" in caplog.text
        caplog.clear()
        primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
        primary.sql("SELECT pg_reload_conf()")
        wait_until(lambda: primary.sql("SELECT sync_state FROM pg_stat_replication") == [("sync",)])
        store = NodeStore.connect(url)
        undo.callback(store.close)
        assert not caplog.records, "nothing can be lost now"

        accepted: list[list[int]] = [[] for _ in range(WRITERS)]
        ends = threading.Event()

        def write(writer: int) -> None:
            for number in range(writer * NUMBERS, (writer + 1) * NUMBERS):
                while not ends.is_set():
                    try:
                        # Where the connection is lost, it may be there already.
                        recipient = f"bob{number // FULL}"  # no mailbox gets full
                        outcome = put(store, number, recipient=recipient)
                        assert outcome in {Enqueued.STORED, Enqueued.DUPLICATE}
                    except StoreUnreachable:
                        continue
                    accepted[writer].append(number)
                    break
                else:
                    return

        def all_have(count: int) -> bool:
            return all(len(each) >= count for each in accepted)

        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [pool.submit(write, writer) for writer in range(WRITERS)]
            try:
                wait_until(lambda: all_have(BEFORE))
                primary.stop()
                before = [len(each) for each in accepted]
                standby.sql("SELECT pg_promote()")
                wait_until(lambda: all(len(each) >= had + AFTER for each, had in zip(accepted, before, strict=True)))
            finally:
                ends.set()
            for each in writers:
                each.result(PATIENCE_S)
        there = store.database.rows("SELECT message_id FROM mail")
        ids = {bytes(row[0]) for row in there}
        assert len(there) == len(ids)
        assert all(number.to_bytes(16, "big") in ids for each in accepted for number in each)
