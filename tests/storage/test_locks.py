"""One process to a home folder, one node to a database file."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from usernym.storage.errors import HomeInUse, StoreInaccessible
from usernym.storage.locks import Home

HOLD = """
import sys
from pathlib import Path
from usernym.storage.errors import HomeInUse
from usernym.storage.locks import Home
try:
    with Home(Path(sys.argv[1]), "a test's node"):
        print("held", flush=True)
        sys.stdin.read()
except HomeInUse as error:
    print("in use by", error.pid, flush=True)
"""

Spawn = Callable[..., "Popen[str]"]


def first_line(process: Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.processes
def test_of_four_processes_one_gets_the_home(tmp_path: Path, spawn: Spawn) -> None:
    processes = [spawn(HOLD, tmp_path / "home") for _ in range(4)]
    said = [first_line(process) for process in processes]
    holders = [process for process, line in zip(processes, said, strict=True) if line == "held"]
    assert len(holders) == 1
    # In the instant between locking and writing, the holder is not known yet.
    assert {line for line in said if line != "held"} <= {f"in use by {holders[0].pid}", "in use by None"}


@pytest.mark.processes
def test_the_second_process_learns_who_holds_it_and_gets_it_when_that_one_is_killed(
    tmp_path: Path, spawn: Spawn
) -> None:
    holder = spawn(HOLD, tmp_path)
    assert first_line(holder) == "held"
    with pytest.raises(HomeInUse, match=f"process {holder.pid} \\(a test's node\\)") as caught, Home(tmp_path, "other"):
        pass
    assert (caught.value.pid, caught.value.purpose) == (holder.pid, "a test's node")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with Home(tmp_path, "mine"):
        pass


def test_the_same_process_does_not_get_it_twice(tmp_path: Path) -> None:
    with Home(tmp_path, "first  \n line"), pytest.raises(HomeInUse) as caught, Home(tmp_path, "second"):
        pass
    assert (caught.value.pid, caught.value.purpose) == (os.getpid(), "first line")
    with Home(tmp_path, "again"):
        pass


def test_what_a_dead_process_left_names_nobody(tmp_path: Path, spawn: Spawn) -> None:
    gone = spawn("")
    gone.wait()
    with Home(tmp_path, "mine"):
        (tmp_path / "lock").write_text(f"{gone.pid} node\n")
        with pytest.raises(HomeInUse, match="another process") as caught, Home(tmp_path, "second"):
            pass
    assert caught.value.pid is None


def test_folder_and_lock_are_the_owners_alone(tmp_path: Path) -> None:
    with Home(tmp_path / "home", "mine") as home:
        assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((home.folder / "lock").stat().st_mode) == 0o600


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("content")
    (tmp_path / "lock").symlink_to(target)
    with pytest.raises(StoreInaccessible), Home(tmp_path, "mine"):
        pass
    assert target.read_text() == "content"
