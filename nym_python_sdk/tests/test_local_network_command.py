"""``python -m nym_python_sdk.localnet``, as a program of any language meets it."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

WAIT = 20.0
COMMAND = [sys.executable, "-Im", "nym_python_sdk.localnet"]


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def ended(process: subprocess.Popen[str], number: int) -> None:
    """Cleanly, and without notice."""
    process.send_signal(number)
    out, errors = process.communicate(timeout=WAIT)
    assert (process.returncode, out, errors) == (0, "", "")


def free_ports(count: int) -> int:
    """The first of so many free ports in a row, below those that the system gives out by itself."""
    for first in range(21_000, 31_000, count):
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError("no free ports")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_clients_until_told_to_end(number: int) -> None:
    with running("--clients", "alice,bob", "--json", "--loss", "0.02") as process:
        document = json.loads(line(process))
        assert len(document["gateways"]) == 2
        alice, bob = document["clients"]["alice"], document["clients"]["bob"]
        assert alice["address"].partition("@")[2] != bob["address"].partition("@")[2]
        with connect(alice["url"]) as a, connect(bob["url"]) as b:
            b.send(json.dumps({"type": "selfAddress"}))
            assert json.loads(b.recv(WAIT)) == {"type": "selfAddress", "address": bob["address"]}
            a.send(json.dumps({"type": "send", "recipient": bob["address"], "message": "hello"}))
            assert json.loads(b.recv(WAIT))["message"] == "hello"
        ended(process, number)


def test_text_says_where_everything_is() -> None:
    first = free_ports(3)
    arguments = ("--clients", "alice,bob", "--first-port", str(first), "--directory-port", str(first + 2))
    with running(*arguments, "--seed", "5", "--gateways", "1") as process:
        assert line(process) == f"directory http://127.0.0.1:{first + 2}/ seed 5\n"
        for number, name in enumerate(("alice", "bob")):
            words = line(process).split()
            assert words[:2] == [name, f"ws://127.0.0.1:{first + number}"]
            assert len(words) == 3
        ended(process, signal.SIGTERM)


def test_state_keeps_addresses_even_after_a_kill(tmp_path: Path) -> None:
    documents: list[dict[str, Any]] = []
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGTERM):
        with running("--clients", "alice", "--json", "--state", str(tmp_path / "state")) as process:
            documents.append(json.loads(line(process)))
            address = documents[-1]["clients"]["alice"]["address"]
            with connect(documents[-1]["clients"]["alice"]["url"]) as program:
                program.send(json.dumps({"type": "send", "recipient": address, "message": "to myself"}))
                assert json.loads(program.recv(WAIT))["message"] == "to myself"
            process.send_signal(number)
            process.wait(WAIT)
    for document in documents[1:]:
        assert document["clients"]["alice"]["address"] == documents[0]["clients"]["alice"]["address"]
        assert (document["directory"], document["seed"]) == (documents[0]["directory"], documents[0]["seed"])


def test_what_it_cannot_do_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments, code, reason in (
            (("--clients", "alice,alice"), 2, "twice"),
            (("--clients", "../alice"), 2, "letters"),
            (("--loss", "2"), 1, "loss"),
            (("--gateways", "0"), 1, "gateways"),
            (("--directory-port", port), 1, port),
            (("--clients", "alice", "--first-port", port), 1, port),
        ):
            done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=WAIT, check=False)
            assert (done.returncode, done.stdout) == (code, ""), done
            assert reason in done.stderr
            assert "Traceback" not in done.stderr
