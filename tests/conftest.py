"""For all tests: signals as in a terminal, how many examples Hypothesis tries, and warnings that are errors."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers.examples import CI_EXAMPLES, DEFAULT_EXAMPLES, QUICK_EXAMPLES
from tests.helpers.postgres import PostgresServer
from usernym.storage import keyfile

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
