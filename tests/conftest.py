"""For all tests: signals as in a terminal, logs that end with their test, how many examples Hypothesis tries, and
warnings that are errors."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from functools import cache
from itertools import groupby

import pytest
from hypothesis import HealthCheck, settings
from mnemonic import Mnemonic

from tests.helpers.examples import CI_EXAMPLES, DEFAULT_EXAMPLES, QUICK_EXAMPLES
from tests.helpers.postgres import PostgresServer
from usernym.logger import logger
from usernym.storage import keyfile
from usernym.testing.signatures import Remembered

# Hypothesis would load a `ci` of its own where it sees a CI server: the profile is what the command line says, if any.
settings.register_profile("default", deadline=None, max_examples=DEFAULT_EXAMPLES)
settings.register_profile(
    "quick", deadline=None, max_examples=QUICK_EXAMPLES, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("ci", deadline=None, max_examples=CI_EXAMPLES, database=None, print_blob=True)
settings.load_profile("default")


def pytest_configure(config: pytest.Config) -> None:
    """Python 3.14 refuses what SQLite's driver only warns of since 3.12: a numbered placeholder bound by its place."""
    config.addinivalue_line("filterwarnings", "error:Binding .* is a named parameter:DeprecationWarning")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected, and what is there then never: thousands of tests and all modules
    would be walked through again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the tests to the processes of pytest-xdist so that each begins with its share of what takes long.

    It gives each process a part of the list, and one that is done takes tests from the end of another's: what takes
    long must not be there. Tests of one module that follow each other stay together, since they may share a fixture.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if processes == 1:
        return
    parts: list[list[pytest.Item]] = [[] for _ in range(processes)]
    for long in (True, False):
        modules = groupby((each for each in items if takes_long(each) is long), lambda each: each.path)
        for group in [list(tests) for _path, tests in modules]:
            min(parts, key=len).extend(group)
    items[:] = [each for part in parts for each in part]


def takes_long(item: pytest.Item) -> bool:
    """Whether a test is among those that `make quick` leaves out."""
    return any(item.get_closest_marker(mark) for mark in ("slow", "seconds", "processes", "nym", "browser"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server for the tests of one process, each in a database of its own."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture(scope="session", autouse=True)
def cheap_passphrases() -> Iterator[keyfile.Argon2Cost]:
    """Let a passphrase cost next to nothing in this process; its real cost, for a test that is about it."""
    real, cheap = keyfile.DEFAULT_COST, keyfile.Argon2Cost(memory_kib=8, passes=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyfile, "DEFAULT_COST", cheap)
        yield real


@pytest.fixture(scope="session", autouse=True)
def seeds_of_words_once() -> Iterator[None]:
    """Let the words of a simulated user, which follow from the world's seed, be stretched once in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Mnemonic, "to_seed", staticmethod(cache(Mnemonic.to_seed)))
        yield


@pytest.fixture(scope="session", autouse=True)
def signatures_once_where_it_is_quick(pytestconfig: pytest.Config) -> Iterator[None]:
    """Let `make quick` verify no signature that the same process made, as a search does not (docs/testing.md)."""
    with Remembered() if pytestconfig.getoption("--hypothesis-profile") == "quick" else nullcontext():
        yield


@pytest.fixture
def real_passphrases(cheap_passphrases: keyfile.Argon2Cost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase costs what it costs: a good part of a second, in which other things happen."""
    monkeypatch.setattr(keyfile, "DEFAULT_COST", cheap_passphrases)


@pytest.fixture(scope="session", autouse=True)
def signals_as_in_a_terminal() -> None:
    """Let SIGINT and SIGHUP end the processes that tests start, also where this process ignores them.

    A background job of a shell ignores SIGINT, and what `nohup` starts ignores SIGHUP. Children inherit that; they do
    not inherit a handler. A fixture, because pytest-xdist's controller must leave both ignored for its workers.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda _signal, _frame: None)


@pytest.fixture(autouse=True)
def logs_of_one_test() -> Iterator[None]:
    """Take back where a command that runs in this process logs: that stream is the test's, and closed behind it. The
    hooks are pytest's: it reports what ends a thread."""
    level = logger.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logger, "handlers", [])
        patch.setattr(logger, "propagate", True)
        for owner, name in ((logging, "lastResort"), (threading, "excepthook"), (sys, "unraisablehook")):
            patch.setattr(owner, name, getattr(owner, name))
        yield
    logger.setLevel(level)
