"""Files by command: a file that can't be sent now is kept, and a person at a terminal sees how far it is."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import usernym
from tests.helpers.handles import PATIENCE_S, Handles
from tests.helpers.holder import performing
from usernym.cli import files, terminal
from usernym.cli.command import Deadline
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.files import FilesCommand, FollowFileCommand, SaveCommand, SendFileCommand
from usernym.cli.replies import FileReply

CONTENT = os.urandom(200_000)


QUIET: Any = type("Typed", (), {"json": True})


class Held:
    """A session whose process holds the home."""

    def __init__(self, client: usernym.Client, timeout: float) -> None:
        self.client = client
        self.deadline = Deadline(timeout)

    def call(self, command: Any, *, quiet: bool) -> Any:
        assert quiet
        return command.perform(self.client, self.deadline)


@pytest.fixture
def path(tmp_path: Path) -> str:
    made = tmp_path / "report.pdf"
    made.write_bytes(CONTENT)
    return str(made)


@pytest.mark.seconds
def test_a_file_is_followed_until_it_is_whole_and_saved(handles: Handles, path: str, tmp_path: Path) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    alice.send("bob", "hi", wait="delivered", timeout=PATIENCE_S)
    bob.accept("alice")
    do = performing(alice)
    sent = do(SendFileCommand("bob", path, True, True))
    assert (sent.state, sent.done, sent.size) == ("offered", 0, len(CONTENT))
    seen = [sent]
    while seen[-1].state in ("offered", "under way"):
        seen.append(do(FollowFileCommand("bob", sent.id, seen[-1].done)))
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    assert (seen[-1].state, seen[-1].done) == ("complete", len(CONTENT))
    assert do(FollowFileCommand("bob", sent.id, len(CONTENT))) == seen[-1], "what is over is not waited for"
    came = performing(bob)(FollowFileCommand("alice", sent.id[:8]))
    while came.state != "complete":
        came = performing(bob)(FollowFileCommand("alice", sent.id, came.done))
    saved = performing(bob)(SaveCommand("alice", came.id, str(tmp_path / ".")))
    assert Path(saved.path).read_bytes() == CONTENT


@pytest.mark.seconds
def test_a_file_that_can_not_go_now_is_kept_and_that_is_said(handles: Handles, path: str) -> None:
    handles.client("alice")
    bob = handles.client("bob", online=False)
    bob.register(PATIENCE_S)
    bob.go_online(PATIENCE_S)
    bob.look_up("alice", PATIENCE_S)
    handles.node.close()
    sent = SendFileCommand("alice", path, True, True).perform(bob, Deadline(0.5))
    session: Any = Held(bob, timeout=2)
    with pytest.raises(CommandFailed) as failed:
        files._followed(session, QUIET, sent)
    assert failed.value.exit_code is Exit.NO_ANSWER
    assert "the file is kept here" in failed.value.text or "it continues while" in failed.value.text
    assert failed.value.extra == {"id": sent.id, "state": "offered"}
    with pytest.raises(CommandFailed) as failed:
        SendFileCommand("carol", path, True, True).perform(bob, Deadline(0.5))
    assert "the file was NOT kept" in failed.value.text
    assert [file.id for file in FilesCommand(9).perform(bob, Deadline(1)).files] == [sent.id]


@pytest.mark.seconds
def test_who_is_blocked_or_declined_gets_no_files(handles: Handles, path: str) -> None:
    handles.client("alice")
    bob = handles.client("bob")
    bob.look_up("alice", PATIENCE_S)
    for decide, state in ((bob.block, "blocked"), (bob.decline, "declined")):
        decide("alice")
        with pytest.raises(CommandFailed) as failed:
            performing(bob)(SendFileCommand("alice", path, True, True))
        assert (failed.value.exit_code, failed.value.kind) == (Exit.REFUSED, state)
        with pytest.raises(usernym.FileUnfit, match=state):
            bob.files.send("alice", CONTENT, wait="queued")
    assert bob.files.page() == []


class Terminal(io.StringIO):
    """A standard error that may be a terminal."""

    def __init__(self, *, is_one: bool) -> None:
        super().__init__()
        self._is_one = is_one

    def isatty(self) -> bool:
        return self._is_one


def reply(done: int, state: str) -> FileReply:
    return FileReply("0" * 32, "bob", True, "x.bin", False, 1000, done, state, 1, True, 1, 1)


class Calls:
    """A session whose holder reports these one after the other; each takes as long as the person's patience."""

    def __init__(self, *replies: FileReply, timeout: float = 60) -> None:
        self.replies = list(replies)
        self.deadline = Deadline(timeout)

    def call(self, command: Any, *, quiet: bool) -> FileReply:
        assert quiet
        Deadline(1).pause(0.1)
        return self.replies.pop(0)


@pytest.mark.seconds
@pytest.mark.parametrize("is_one", [True, False])
def test_how_far_a_file_is_can_be_seen_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch, is_one: bool) -> None:
    monkeypatch.setattr(terminal, "PATIENCE_S", 0.05)
    shown = Terminal(is_one=is_one)
    monkeypatch.setattr(sys, "stderr", shown)
    session: Any = Calls(reply(120, "under way"), reply(870, "under way"), reply(1000, "complete"))
    typed: Any = type("Typed", (), {"json": False})
    assert files._followed(session, typed, reply(0, "offered")).state == "complete"
    for part in ("0 % of x.bin", "12 % of x.bin", "87 % of x.bin", "100 % of x.bin"):
        assert (part in shown.getvalue()) is is_one
    assert shown.getvalue().endswith("\r\033[K") is is_one


def test_when_the_time_is_over_it_is_said_how_far_the_file_is() -> None:
    session: Any = Calls(reply(340, "under way"), timeout=0.05)
    with pytest.raises(CommandFailed, match="34 % of the file is at bob: it continues") as failed:
        files._followed(session, QUIET, reply(0, "offered"))
    assert failed.value.exit_code is Exit.NO_ANSWER
