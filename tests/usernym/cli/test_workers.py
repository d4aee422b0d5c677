"""`usernym node run --workers N`: real processes on one database, one of which looks after the others."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import usernym
from tests.helpers.ports import free_ports
from tests.helpers.postgres import PostgresServer, needs_postgres
from tests.usernym.conftest import Terminal
from usernym import control
from usernym.cli import main, workers
from usernym.cli.command import Deadline, Invocation
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.node import CardCommand
from usernym.cli.session import ask_holder
from usernym.cli.workers import ENDS_MAX, PAUSE_MAX_S, SETTLED_S, Restarts
from usernym.demo.processes import Running
from usernym.protocol.cards import parse_card
from usernym.settings import NodeSettings
from usernym.storage.locks import Home
from usernym.storage.node.store import NodeStore

URL: Final = "postgresql://usernym@/nowhere?host=/nowhere"
WITHIN_S: Final = 90.0
KILLED: Final = -int(signal.SIGKILL)


# -- when one is started again ----------------------------------------------------------------------------------------


def test_one_that_ends_again_and_again_is_started_later_each_time_and_at_last_no_more() -> None:
    restarts = Restarts()
    pauses = [restarts.after(KILLED, 1.0) for _ in range(ENDS_MAX + 1)]
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[ENDS_MAX - 1 :] == [PAUSE_MAX_S, None]


def test_one_that_ran_for_long_begins_anew() -> None:
    restarts = Restarts()
    for _ in range(ENDS_MAX):
        restarts.after(Exit.INTERNAL, 1.0)
    assert restarts.after(Exit.INTERNAL, SETTLED_S) == 1.0


def test_a_wrong_setting_is_not_tried_again() -> None:
    assert Restarts().after(Exit.USAGE, 1.0) is None


def test_a_worker_that_can_not_be_started_ends_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    class Process:
        pid = 7

        def __init__(self, command: list[str], **_: Any) -> None:
            if len(started) == 0:
                started.append([])
                raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
            started.append(command)

        def poll(self) -> None:
            """It runs."""

    monkeypatch.setattr(subprocess, "Popen", Process)
    worker = workers._Worker(1, tmp_path, Invocation(tmp_path, NodeSettings(), Namespace()))
    worker.look()
    worker.look()
    assert len(started) == 1, "not at once"
    monkeypatch.setattr(worker, "_due", 0.0)
    worker.look()
    worker.look()
    assert len(started) == 2


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--mixnet", "ws://127.0.0.1:1977"], "--store postgresql://"),
        (["--mixnet", "ws://127.0.0.1:1977", "--store", "node.db"], "postgresql://"),
        (["--mixnet", "ws://127.0.0.1:65535", "--store", URL], "65535"),
        (["--mixnet", "ws://localhost", "--store", URL], "port"),
        (["--mixnet", "ws://127.0.0.1:1977", "--store", URL, "--metrics-port", "65535"], "65535"),
        (["--mixnet", "elsewhere", "--store", URL], "elsewhere"),
    ],
)
def test_what_several_can_not_run_with_is_refused_before_any_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    code = main(["--home", str(tmp_path / "node"), "--json", "node", "run", "--workers", "2", *arguments])
    assert code == Exit.USAGE
    assert text in json.loads(capsys.readouterr().out)["text"]
    assert not (tmp_path / "node").exists()


def test_a_home_with_a_file_is_refused_until_it_moves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    NodeStore.open(tmp_path / "node.db").close()
    arguments = ["--mixnet", "ws://127.0.0.1:1977", "--store", URL, "--workers", "2"]
    assert main(["--home", str(tmp_path), "node", "run", *arguments]) == Exit.USAGE
    assert "node move --to" in capsys.readouterr().err


# -- real processes ---------------------------------------------------------------------------------------------------


class Team:
    """A mixnet with clients for three workers and two people, and the process that runs two workers."""

    def __init__(self, terminal: Terminal, server: PostgresServer) -> None:
        self.terminal = terminal
        self.first = free_ports(6) + 1
        self.store = server.new_database()
        self.home = terminal.folder / "node"
        mixnet = terminal.start("mixnet", "mixnet", "--first-port", str(self.first), "--clients", "5")
        mixnet.wait_for("that it is ready", lambda told: told.get("event") == "ready")
        self.running = self.start()
        self.card = ""
        self.wait_for_card(2)

    def start(self) -> Running:
        """`node run --workers 2`."""
        return self.terminal.start(
            "node", "--home", str(self.home), "node", "run", "--workers", "2", "--mixnet", self.mixnet(0), "--store",
            self.store,
        )  # fmt: skip

    def mixnet(self, number: int) -> str:
        return f"ws://127.0.0.1:{self.first + number}"

    def home_of(self, worker: int) -> Path:
        return self.home if worker == 1 else self.home / "workers" / str(worker)

    def wait_for_card(self, addresses: int, *more: Path) -> None:
        """The worker that came last makes the card of all; the others take it with their next sign of life."""

        def found() -> bool:
            for home in (self.home_of(1), self.home_of(2), *more):
                self.card = ask_holder(home, CardCommand(), Deadline(5.0)).card
                if len(parse_card(self.card).addresses) == addresses:
                    return True
            return False

        wait_until(found, f"a card of {addresses} workers")

    def started(self, worker: int) -> list[int]:
        """The ids of a worker's processes."""
        said = [told for told in self.running.printed if told.get("event") == "worker_started"]
        return [told["process"] for told in said if told["worker"] == worker]

    def ended(self) -> list[dict[str, Any]]:
        return [told for told in self.running.printed if told.get("event") == "worker_ended"]

    @contextlib.contextmanager
    def person(self, name: str, number: int) -> Iterator[usernym.Client]:
        """Someone who registers and goes online."""
        with usernym.Client.open(
            self.terminal.folder / name, name=name, node=self.card, mixnet=self.mixnet(number), unprotected=True
        ) as client:
            client.register(WITHIN_S)
            client.go_online(WITHIN_S)
            yield client


def wait_until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + WITHIN_S
    while True:
        with contextlib.suppress(control.NoHolder, control.HolderBusy, control.HolderGone, CommandFailed):
            if holds():
                return
        assert time.monotonic() < end, what
        time.sleep(0.2)


def alive(process: int) -> bool:
    """Whether there is still a process that runs: one that ended stays as a zombie until its parent looks."""
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def team(terminal: Terminal, postgres: PostgresServer) -> Team:
    return Team(terminal, postgres)


@needs_postgres
@pytest.mark.processes
class TestProcesses:
    def test_one_is_killed_the_other_serves_and_it_comes_back(self, team: Team) -> None:
        with team.person("ann", 3) as ann:
            os.kill(team.started(2)[0], signal.SIGKILL)
            with team.person("bob", 4):
                ann.send("bob", "hello", wait="delivered", timeout=WITHIN_S)
            wait_until(lambda: len(team.started(2)) == 2, "another process")
            assert team.ended() == [{"event": "worker_ended", "worker": 2, "exit": KILLED, "again_in_s": 1.0}]
            team.wait_for_card(2)

    def test_the_one_above_them_is_killed_and_they_end(self, team: Team) -> None:
        processes = team.started(1) + team.started(2)
        assert all(map(alive, processes))
        team.running.process.kill()
        wait_until(lambda: not any(map(alive, processes)), "their end")
        with Home(team.home, "a test"):
            pass
        team.running = team.start()
        team.wait_for_card(2)

    def test_a_second_one_is_refused(self, team: Team) -> None:
        second = team.start()
        assert second.process.wait(WITHIN_S) == Exit.STORAGE
        second.end()
        assert second.printed[-1]["error"] == "home_in_use"

    def test_it_ends_them_in_order(self, team: Team) -> None:
        processes = team.started(1) + team.started(2)
        with team.person("ann", 3):
            begun = time.monotonic()
            team.running.process.send_signal(signal.SIGTERM)
            assert team.running.process.wait(WITHIN_S) == 0
        assert time.monotonic() - begun < 15.0, "it does not wait for users who have nowhere to go"
        assert not any(map(alive, processes))
        assert team.ended() == []
        with contextlib.closing(NodeStore.connect(team.store)) as store:
            assert store.database.rows("SELECT number FROM worker") == [], "each has said that it goes"

    def test_its_users_go_to_a_worker_elsewhere_before_they_end(self, team: Team) -> None:
        elsewhere = team.terminal.start(
            "elsewhere", "--home", "elsewhere", "node", "run", "--mixnet", team.mixnet(2), "--store", team.store
        )
        elsewhere.wait_for("that it is up", lambda told: told.get("event") == "up")
        home = team.terminal.folder / "elsewhere"
        team.wait_for_card(3, home)

        def routes() -> int:
            told = team.terminal.ok("--home", str(home), "node", "status")
            number: int = told["routes"]
            return number

        with contextlib.ExitStack() as online:
            people = ["ann", "bob"]
            for number, name in enumerate(people, start=3):
                online.enter_context(team.person(name, number))
            team.running.process.send_signal(signal.SIGTERM)
            assert team.running.process.wait(WITHIN_S) == 0
            assert routes() == len(people), "they had gone before it ended"
            assert team.ended() == []
