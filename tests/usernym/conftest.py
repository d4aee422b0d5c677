"""What the tests of the command line stand on: real processes, in a folder of their own, always ended."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import ports
from tests.helpers.handles import QUICK_HOPS, Handles
from usernym.cli import main
from usernym.demo.processes import Running
from usernym.mixnet.emulator.control import ask
from usernym.protocol.cards import card_text, make_card
from usernym.protocol.signing import SigningKey
from usernym.storage.client.store import ClientStore

PASSPHRASE = "a passphrase for tests"
WAIT_S = 60
NETWORK_CLIENTS = 24
QUICK = ("--hop-delay", str(QUICK_HOPS.hop_delay_s))


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without anyone's own settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("USERNYM_")}
    return kept | {"USERNYM_PASSPHRASE": PASSPHRASE} | more


class Terminal:
    """Types commands in a folder, as real processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[Running] = []

    def _popen(self, arguments: tuple[str, ...], environment: dict[str, str], **more: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "usernym.cli", *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            **more,
        )

    @staticmethod
    def environment() -> dict[str, str]:
        """What commands are typed in."""
        return clean_environment()

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        process = self._popen(arguments, clean_environment(**variables), stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=WAIT_S + 30)
        finally:
            process.kill()
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def ok(self, *arguments: str) -> dict[str, Any]:
        """Run a command with --json that must succeed; the object it printed."""
        done = self.run("--json", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return told

    def start(self, name: str, *arguments: str, stderr: Any = subprocess.DEVNULL, **variables: str) -> Running:
        running = Running(name, self._popen(("--json", *arguments), clean_environment(**variables), stderr=stderr))
        self._started.append(running)
        return running

    def read_until(self, end: str, *arguments: str) -> list[str]:
        """The lines that a command prints for a person, up to the one with `end` in it; then Ctrl-C."""
        process = self._popen(arguments, clean_environment(), stderr=subprocess.DEVNULL)
        lines: list[str] = []
        try:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if end in line:
                    break
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
        return lines

    def interrupt(self, running: Running) -> int:
        """Ctrl-C; its exit code."""
        running.process.send_signal(signal.SIGINT)
        code = running.process.wait(WAIT_S)
        running.end()
        return code

    @staticmethod
    def ask_emulator(control_port: int, command: dict[str, Any]) -> dict[str, Any]:
        """Counters out, faults in."""
        return ask(control_port, command)

    def close(self) -> None:
        for running in reversed(self._started):
            running.end()


class Network:
    """A mixnet and a node as processes, and a mixnet client for everyone who asks."""

    def __init__(self, terminal: Terminal, mixnets: list[str]) -> None:
        self.terminal = terminal
        self._mixnets = mixnets

    def mixnet(self) -> str:
        return self._mixnets.pop()

    def user(self, name: str) -> str:
        """Register someone in a home of that name, whose passphrase costs little: each command pays for it."""
        ClientStore.open(self.terminal.folder / name, PASSPHRASE).close()
        self.terminal.ok("--home", name, "register", name, "--mixnet", self.mixnet(), "--node", "node.card")
        return name


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    terminal = Terminal(tmp_path_factory.mktemp("network"))
    with ExitStack() as stack:
        stack.callback(terminal.close)
        mixnet = terminal.start("mixnet", "mixnet", "--first-port", "0", "--clients", str(NETWORK_CLIENTS), *QUICK)
        ready = mixnet.wait_for("that it is ready", lambda told: told.get("event") == "ready")
        mixnets = [client["mixnet"] for client in ready["clients"]]
        terminal.start("node", "--home", "node", "node", "run", "--mixnet", mixnets.pop())
        card = terminal.ok("--home", "node", "node", "card")["card"]
        (terminal.folder / "node.card").write_text(card)
        yield Network(terminal, mixnets)


@pytest.fixture
def handles(tmp_path: Path) -> Iterator[Handles]:
    """A node and clients on threads, in this process."""
    handles = Handles(tmp_path)
    yield handles
    handles.close()


@pytest.fixture
def some_card() -> str:
    """The card of a node that no one runs."""
    return card_text(make_card(SigningKey.from_seed(b"\x07" * 32), [b"\x08" * 96], 1, 20_000))


@pytest.fixture
def silent_mixnet() -> Iterator[str]:
    """A port at which nothing answers."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"ws://127.0.0.1:{holder.getsockname()[1]}"


@pytest.fixture
def free_ports() -> int:
    """The second of four free ports in a row."""
    return ports.free_ports(4) + 1


class Typed:
    """A command run in this process: its exit code and what it printed."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return told


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Types a command into this process."""
    for key in os.environ:
        if key.startswith("USERNYM_"):
            monkeypatch.delenv(key)
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def run(*arguments: str) -> Typed:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse's way out
            code = int(end.code or 0)
        captured = capsys.readouterr()
        return Typed(code, captured.out, captured.err)

    return run
