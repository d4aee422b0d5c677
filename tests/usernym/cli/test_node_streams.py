"""A node's streams for machines, and its answers in time: JSON logs are only JSON, a stopped node delays nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.usernym.conftest import clean_environment

pytestmark = pytest.mark.processes

WAIT_S = 60.0
STARTING_S = 6.0
"""What a command of ours may take to start on a busy machine, beside its time limit."""


def objects(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def run(folder: Path, name: str, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """A command with JSON logs that ends by itself: its code, and what is on both streams, each line of it JSON."""
    both = folder / f"{name}.both"
    with both.open("wb") as out:
        code = subprocess.run(
            [sys.executable, "-P", "-m", "usernym.cli", "--log-format", "json", *arguments],
            cwd=folder, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False,
            timeout=WAIT_S,
        ).returncode  # fmt: skip
    return code, objects(both)


def test_a_node_with_json_logs_writes_nothing_but_json(tmp_path: Path, terminal: Any) -> None:
    """Both streams in one file, as in a journal: its start, its card, a lost mixnet client, its end."""
    mixnet = terminal.start("mixnet", "mixnet", "--first-port", "0", "--clients", "1")
    ready = mixnet.wait_for("that it is ready", lambda told: told.get("event") == "ready")
    both = tmp_path / "both"
    with both.open("wb") as out:
        node = subprocess.Popen(
            [sys.executable, "-P", "-m", "usernym.cli", "--home", "node", "--log-format", "json", "node", "run",
             "--mixnet", ready["clients"][0]["mixnet"]],
            cwd=tmp_path, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        card = terminal.ok("--home", "node", "node", "card")["card"]
        terminal.interrupt(mixnet)
        end = time.monotonic() + WAIT_S
        while b"mixnet_down" not in both.read_bytes() and time.monotonic() < end:
            time.sleep(0.1)
        node.send_signal(signal.SIGTERM)
        assert node.wait(WAIT_S) == 0
    finally:
        node.kill()
        node.wait()
    told = objects(both)
    assert {"event": "up", "card": card} in told
    assert [each for each in told if each.get("event") == "mixnet_down"]
    assert [each["message"] for each in told if each.get("message", "").startswith("the node ha")] == [
        "the node has started", "the node has stopped",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "setting", "code"),
    [
        (("node", "run"), "", 2),
        (("node", "run", "--mixnet", "no such mixnet"), "", 2),
        (("node", "run"), "[node]\nmixnets = 3\n", 2),
        (("node", "status", "--timeout", "0.2s"), "", 3),
        (("node", "check"), "", 4),
        (("node", "restore", "nothing"), "", 4),
    ],
)
def test_so_are_the_mistakes(tmp_path: Path, arguments: tuple[str, ...], setting: str, code: int) -> None:
    (tmp_path / "node").mkdir(mode=0o700)
    (tmp_path / "node" / "usernym.toml").write_text(setting)
    ended, told = run(tmp_path, "mistake", "--home", "node", *arguments)
    assert ended == code
    assert told[-1]["level"] == "error"
    assert told[-1]["message"].startswith("usernym: ")


@pytest.mark.parametrize("command", ["status", "card"])
def test_a_stopped_node_holds_no_command_up_beyond_its_time(terminal: Any, command: str) -> None:
    node = terminal.start("node", "--home", "node", "node", "run", "--mixnet", "ws://127.0.0.1:9")
    node.wait_for("why there is no mixnet client", lambda told: told.get("event") == "mixnet_down")
    os.kill(node.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        done = terminal.run("--json", "--home", "node", "node", command, "--timeout", "3s")
        took = time.monotonic() - began
    finally:
        os.kill(node.process.pid, signal.SIGCONT)
    assert done.returncode in {3, 4}, done.stdout
    assert 3.0 <= took < 3.0 + STARTING_S
    assert terminal.ok("--home", "node", "node", "status")["mixnet_up"] is False
