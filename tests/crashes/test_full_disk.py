"""A full disk under load: refused, said, and gone on from when there is room; nothing is lost, nothing is there twice.

Both ways for a disk to be full: a limit on the size of a file (RLIMIT_FSIZE), and a file system without room (a small
tmpfs, where one can be mounted).
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.crash_world import Crowd, cut_names, kill, limit_files

pytestmark = pytest.mark.processes

SETTLE_S = 150.0
ROOM_BYTES = 8_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM_BYTES},mode=700", "none", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def storage_failures(crowd: Crowd) -> int:
    counters = crowd.node_status().get("counters", {})
    return sum(counts.get("storage_failed", 0) for counts in counters.values())


def until_full(crowd: Crowd, within_s: float = 60.0) -> None:
    """Wait until the node had no room for something, several times."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if storage_failures(crowd) >= 3:
            return
        time.sleep(0.2)
    raise AssertionError("the disk never was full: this test shows nothing")


def go_through(crowd: Crowd) -> None:
    """The disk is full, then has room again; the node lives all the while, and all arrives."""
    until_full(crowd)
    assert crowd.node.process.poll() is None, "a full disk ends no node"


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    with Crowd(tmp_path, cut_names(2)) as crowd:
        crowd.start_all()
        largest = max(each.stat().st_size for each in crowd.node_folder.iterdir())
        limit_files(crowd.node.process.pid, largest + 4096)
        # What waits for someone who is away takes room.
        kill(crowd.lives["bob"][-1])
        go_through(crowd)
        limit_files(crowd.node.process.pid, -1)
        crowd.start_client("bob")
        crowd.wait_until_shown(20, SETTLE_S)
        crowd.settle(SETTLE_S)
        assert crowd.end_and_check() > 20


def test_a_file_system_without_room(tmp_path: Path, small_disk: Path) -> None:
    with Crowd(tmp_path, cut_names(2)) as crowd:
        crowd.node_folder = small_disk / "node"
        crowd.start_all()
        kill(crowd.lives["bob"][-1])
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(b"\0" * 4096):
                pass
        go_through(crowd)
        ballast.unlink()
        crowd.start_client("bob")
        crowd.wait_until_shown(20, SETTLE_S)
        crowd.settle(SETTLE_S)
        assert crowd.end_and_check() > 20
