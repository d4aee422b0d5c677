"""`usernym demo --chat` as a process: two pages that are served, and nothing left of them, however it ends."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from usernym.cli.failures import CommandFailed
from usernym.cli.signals import Interruptions
from usernym.demo import pages as demo_chat
from usernym.demo.processes import LOCK, PREFIX_OF_FOLDERS, Running, demo_folder

WAIT_S = 60
NEXT_DEMO = """
from usernym.cli.signals import Interruptions
from usernym.demo.processes import demo_folder
with Interruptions() as interruptions, demo_folder(interruptions):
    pass
"""
COMMAND = (sys.executable, "-P", "-m", "usernym.cli")


def environment(folder: Path) -> dict[str, str]:
    """No desktop, and temporary files in `folder`."""
    return {"PATH": "/usr/bin:/bin", "TMPDIR": str(folder)}


def processes_in(folder: Path) -> list[str]:
    """The processes that work in a folder, or in one below it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "cwd").readlink().as_posix().startswith(str(folder)):
                    found.append(entry.name)
    return found


def wait_until_nothing_is_left(folder: Path) -> None:
    end = time.monotonic() + WAIT_S
    while processes_in(folder) or any(folder.iterdir()):
        assert time.monotonic() < end, (processes_in(folder), list(folder.iterdir()))
        time.sleep(0.1)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Running]:
    process = subprocess.Popen(
        [*COMMAND, "--json", "demo", "--chat"],
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    running = Running("demo", process)
    yield running
    running.end()


def ready(demo: Running) -> dict[str, Any]:
    return demo.wait_for("that it is ready", lambda told: told.get("event") == "ready")


@pytest.mark.processes
def test_two_pages_are_served_and_ctrl_c_leaves_nothing(tmp_path: Path, demo: Running) -> None:
    told = ready(demo)
    assert [(page["who"], page["registered"]) for page in told["pages"]] == [("alice", False), ("bob", True)]
    assert told["anonymity"] is False
    origins = set()
    for page in told["pages"]:
        address, _, token = page["address"].partition("#")
        origins.add(address)
        assert len(token) == 43
        with urllib.request.urlopen(address, timeout=WAIT_S) as answer:  # the key is asked for inside the page
            assert answer.status == 200
            assert token not in answer.read().decode()
    assert len(origins) == 2
    (folder,) = tmp_path.iterdir()
    assert {"alice", "bob"} & {entry.name for entry in folder.iterdir()} == {"bob"}
    kept = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert [page for page in told["pages"] if page["address"].partition("#")[2].encode() in kept] == []
    assert processes_in(tmp_path) != []
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(WAIT_S) == 0
    assert (processes_in(tmp_path), list(tmp_path.iterdir())) == ([], [])


@pytest.mark.processes
def test_a_closed_terminal_leaves_nothing_either(tmp_path: Path, demo: Running) -> None:
    ready(demo)
    demo.process.send_signal(signal.SIGHUP)
    assert demo.process.wait(WAIT_S) == 0
    assert (processes_in(tmp_path), list(tmp_path.iterdir())) == ([], [])


@pytest.mark.processes
def test_a_killed_demo_leaves_no_process_and_the_next_removes_its_folder(tmp_path: Path, demo: Running) -> None:
    ready(demo)
    (folder,) = tmp_path.iterdir()
    assert processes_in(tmp_path) != []
    demo.process.kill()
    assert demo.process.wait(WAIT_S) == -signal.SIGKILL
    end = time.monotonic() + WAIT_S
    while processes_in(tmp_path):
        assert time.monotonic() < end, processes_in(tmp_path)
        time.sleep(0.1)
    assert list(tmp_path.iterdir()) == [folder]
    subprocess.run(
        [sys.executable, "-c", NEXT_DEMO],
        env=environment(tmp_path),
        check=True,
    )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_goes_only_when_its_demo_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    others = tmp_path / f"{PREFIX_OF_FOLDERS}link"
    others.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / LOCK).touch()
    with Interruptions() as interruptions, demo_folder(interruptions) as running:
        with demo_folder(interruptions) as second:
            assert running.exists()
        assert not second.exists()
        assert running.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", others.name]
    assert (tmp_path / "elsewhere" / LOCK).exists()


@pytest.mark.processes
def test_a_page_that_ends_by_itself_ends_the_demo(tmp_path: Path, demo: Running) -> None:
    ready(demo)
    (folder,) = tmp_path.iterdir()
    (bob,) = [pid for pid in processes_in(folder) if b"\0bob\0chat\0" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(int(bob), signal.SIGKILL)
    assert demo.process.wait(WAIT_S) == 5
    failure = demo.wait_for("why", lambda told: "error" in told)
    assert failure["text"].startswith("the demo failed: bob's page has ended (exit code -9)")
    assert (processes_in(tmp_path), list(tmp_path.iterdir())) == ([], [])


def test_a_process_that_has_ended_is_reported_with_its_exit_code_and_the_end_of_its_log(tmp_path: Path) -> None:
    program = "import sys; print('the port is taken', file=sys.stderr); sys.exit(3)"
    with (tmp_path / "log").open("wb") as log:
        ended = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=log, text=True)
    running = Running("mixnet", ended, tmp_path / "log")
    with pytest.raises(CommandFailed, match=r"it is up, and has ended \(exit code 3\) \| the port is taken$"):
        running.wait_for("that it is up", lambda told: True)
    running.end()


@pytest.mark.processes
def test_on_a_terminal_enter_shows_two_new_addresses(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    demo = subprocess.Popen(
        [sys.executable, "-c", f"import os, pty; pty.spawn({[*COMMAND, 'demo', '--chat']!r})"],
        env=environment(tmp_path),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    shown = b""

    def read_until(wanted: str, count: int) -> list[str]:
        nonlocal shown
        end = time.monotonic() + WAIT_S
        while len(found := re.findall(wanted, shown.decode(errors="replace"))) < count:
            assert time.monotonic() < end, shown
            if select.select([controller], [], [], 0.5)[0]:
                shown += os.read(controller, 4096)
        return found

    try:
        read_until("There is no desktop here", 1)
        assert b"NO ANONYMITY" in shown
        assert len(read_until(r"(Alice|Bob)'s page: http://127\.0\.0\.1", 2)) == 2
        os.write(controller, b"\n")
        addresses = read_until(r"http://127\.0\.0\.1:\d+/#[\w-]{43}", 4)
        assert len(set(addresses)) == 4
        assert {address.partition("#")[0] for address in addresses[:2]} == {
            address.partition("#")[0] for address in addresses[2:]
        }
        os.write(controller, b"\x03")
        read_until("Ending everything", 1)
        demo.wait(WAIT_S)
        wait_until_nothing_is_left(tmp_path)
    finally:
        demo.kill()
        demo.wait()
        os.close(controller)


def test_without_the_extra_it_says_what_is_missing(typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = typed("--json", "demo", "--chat")
    assert (done.code, done.told["error"]) == (2, "chat_not_installed")
    assert "in a checkout of usernym, pip install '.[chat]'" in done.told["text"]


def test_a_demo_that_breaks_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", "pass"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    page = demo_chat.PersonsPage("bob", True, Running("bob's page", ended))
    with pytest.raises(CommandFailed, match="bob's page did not report its address, and has ended"):
        page.address()
    page.running.end()
