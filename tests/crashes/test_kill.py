"""`kill -9` of node, clients and mixnet at random moments under load: nothing is lost, nothing is there twice.

CRASH_SEED repeats the choices of a run (not the processes' own timing), CRASH_MINUTES lets the long one run so long,
CRASH_NETWORK chooses the mixnet.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.helpers.crash_world import NETWORKS, Crowd, cut_names, seed_of
from tests.helpers.postgres import PostgresServer, needs_postgres
from usernym.mixnet.nym_sdk import installed

pytestmark = pytest.mark.processes

SETTLE_S = 150.0
"""A client that does not know that its route is dead finds out by its next heartbeat, after 75 seconds at most."""


def go_on_killing(crowd: Crowd, chooser: random.Random, victims: list[str]) -> None:
    for victim in victims:
        before = crowd.shown()
        time.sleep(chooser.uniform(0.5, 4.0))
        crowd.kill_and_restart(victim, chooser.choice([0.0, 0.2, 1.5]))
        crowd.wait_until_shown(before + 3, SETTLE_S)


needs_nym = (
    pytest.mark.nym,
    pytest.mark.skipif(not installed(), reason="needs nym_python_sdk: `make nym`"),
)


@pytest.mark.parametrize(
    "kind", ["emulator", pytest.param("nym-client", marks=needs_nym), pytest.param("nym", marks=needs_nym)]
)
def test_killed_at_random_moments_nothing_is_lost_and_nothing_twice(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    names = cut_names(3)
    network = NETWORKS[kind](tmp_path, len(names) + 1)
    with seed_of(request) as chooser, Crowd(tmp_path, names, network) as crowd:
        crowd.start_all()
        victims = ["node", "mixnet", chooser.choice(names), chooser.choice(["node", *names])]
        chooser.shuffle(victims)
        go_on_killing(crowd, chooser, victims)
        crowd.settle(SETTLE_S)
        assert crowd.end_and_check() > 50


@needs_postgres
@pytest.mark.parametrize("workers", [1, 3])
def test_a_nodes_processes_and_their_database_are_killed_at_random_moments(
    tmp_path: Path, request: pytest.FixtureRequest, workers: int
) -> None:
    names = cut_names(3)
    with (
        contextlib.closing(PostgresServer()) as server,
        seed_of(request) as chooser,
        Crowd(tmp_path, names, database=server, workers=workers) as crowd,
    ):
        crowd.start_all()
        victims = [*crowd.workers, "database", "database", chooser.choice(["mixnet", *names])]
        chooser.shuffle(victims)
        go_on_killing(crowd, chooser, victims)
        crowd.settle(SETTLE_S)
        assert crowd.end_and_check() > 50


@needs_postgres
def test_a_worker_is_drained_and_its_users_are_served_by_the_others(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    names = cut_names(3)
    with (
        contextlib.closing(PostgresServer()) as server,
        seed_of(request) as chooser,
        Crowd(tmp_path, names, database=server, workers=2) as crowd,
    ):
        crowd.start_all()
        crowd.wait_until_shown(20, SETTLE_S)
        drained = chooser.choice(crowd.workers)
        assert crowd.drain(drained) == 0, "all of its users had gone"
        crowd.wait_until_shown(crowd.shown() + 20, SETTLE_S)
        crowd.start_node(drained)
        crowd.settle(SETTLE_S)
        assert crowd.end_and_check() > 50


@pytest.mark.skipif("CRASH_MINUTES" not in os.environ, reason="CRASH_MINUTES says how long (make crashes: ten minutes)")
@pytest.mark.timeout(0)
@pytest.mark.parametrize("workers", [1, pytest.param(3, marks=needs_postgres)])
def test_killed_again_and_again_for_minutes(tmp_path: Path, request: pytest.FixtureRequest, workers: int) -> None:
    """One process with a file, or three with PostgreSQL, which is killed, too."""
    names = cut_names(5)
    kills: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(contextlib.closing(PostgresServer())) if workers > 1 else None
        chooser = stack.enter_context(seed_of(request))
        crowd = stack.enter_context(Crowd(tmp_path, names, database=server, workers=workers))
        end = time.monotonic() + 60 * float(os.environ["CRASH_MINUTES"])
        of_node = ["node", "node"] if server is None else [*crowd.workers, "database", "database"]
        crowd.start_all()
        while time.monotonic() < end:
            victim = chooser.choice([*of_node, "mixnet", *names])
            go_on_killing(crowd, chooser, [victim])
            kills[victim] += 1
        crowd.settle(3 * SETTLE_S)
        texts = crowd.end_and_check()
        sys.stdout.write(f"{texts} texts, kills {dict(kills)}: each arrived, and was shown once\n")
