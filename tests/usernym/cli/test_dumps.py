"""What real processes show of their memory to other programs of the same user: nothing, and they dump none."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.usernym.conftest import PASSPHRASE, WAIT_S, clean_environment
from usernym.cli import main

pytestmark = pytest.mark.processes

_CORES_ALLOWED: Final = ("sh", "-c", 'ulimit -S -c "$(ulimit -H -c)"; exec "$@"', "sh")
LOOK: Final = """
import sys
found = []
for name in ("environ", "maps", "mem"):
    try:
        with open(f"/proc/{sys.argv[1]}/{name}", "rb") as file:
            # The memory at 0 is not mapped: who may read at all gets an error of another kind.
            found.append((name, bool(file.read(1))))
    except PermissionError:
        pass
    except OSError:
        found.append((name, True))
print([name for name, _ in found])
"""


@pytest.fixture(scope="module")
def as_user() -> list[str]:
    """What to write before a command so that it runs without the rights of root, which may read everything."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("these tests run as root, and there is no setpriv to give its rights up")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


@pytest.fixture
def deep_home(tmp_path: Path) -> Path:
    """So deep that its control socket is reached through `/proc/self/fd`."""
    return tmp_path / ("d" * 60) / ("e" * 60)


class Held:
    """A program that runs, and prints a line when it holds its secrets."""

    def __init__(self, as_user: list[str], *command: str) -> None:
        self.process = subprocess.Popen(
            [*_CORES_ALLOWED, *as_user, sys.executable, "-P", *command],
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self.first = self.process.stdout.readline()

    def core_limits(self) -> list[str]:
        lines = Path(f"/proc/{self.process.pid}/limits").read_text().splitlines()
        return next(line.split()[4:6] for line in lines if line.startswith("Max core file size"))

    def seen_by_others(self, as_user: list[str]) -> str:
        """Which of its files another process of the same user can read."""
        look = [*as_user, sys.executable, "-I", "-c", LOOK, str(self.process.pid)]
        return subprocess.run(look, capture_output=True, text=True, check=True, timeout=WAIT_S).stdout.strip()

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.communicate(timeout=WAIT_S)
        finally:
            self.process.kill()


@pytest.fixture(params=["node", "chat", "register"])
def held(
    request: pytest.FixtureRequest, as_user: list[str], deep_home: Path, silent_mixnet: str, some_card: str
) -> Iterator[Held]:
    command = {
        "node": ("node", "run", "--mixnet", silent_mixnet),
        "chat": ("chat", "--no-browser"),
        "register": ("register", "alice", "--mixnet", silent_mixnet, "--node", some_card),
    }[request.param]
    held = Held(as_user, "-m", "usernym.cli", "--home", str(deep_home), *command)
    yield held
    held.end()


def test_a_program_dumps_no_core_and_no_other_program_reads_its_memory(held: Held, as_user: list[str]) -> None:
    assert held.process.poll() is None, held.first
    assert held.core_limits() == ["0", "0"]
    assert held.seen_by_others(as_user) == "[]"


def test_that_test_sees_what_a_program_without_protection_shows(as_user: list[str]) -> None:
    held = Held(as_user, "-c", "import time; print('ready', flush=True); time.sleep(60)")
    try:
        assert "environ" in held.seen_by_others(as_user)
    finally:
        held.process.kill()
        held.process.communicate()


def test_other_commands_still_reach_it(as_user: list[str], deep_home: Path, silent_mixnet: str) -> None:
    held = Held(as_user, "-m", "usernym.cli", "--home", str(deep_home), "node", "run", "--mixnet", silent_mixnet)
    try:
        status = [*as_user, sys.executable, "-P", "-m", "usernym.cli", "--home", str(deep_home), "node", "status"]
        done = subprocess.run(
            status, env=clean_environment(), capture_output=True, text=True, check=False, timeout=WAIT_S
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "not connected" in done.stdout
        assert PASSPHRASE not in done.stdout
    finally:
        held.end()


def test_a_command_in_someone_elses_process_leaves_it_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out
    assert resource.getrlimit(resource.RLIMIT_CORE) == before
    assert os.access("/proc/self/environ", os.R_OK)
