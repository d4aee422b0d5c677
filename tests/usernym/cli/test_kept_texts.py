"""A text that can't be sent is kept; a blocked recipient brings a warning; hints name the home."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

import usernym
from tests.helpers.handles import PATIENCE_S, Handles
from tests.helpers.holder import performing
from usernym.cli.command import Deadline
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.hints import Hint
from usernym.cli.terminal import clock
from usernym.cli.texts import SendCommand


@pytest.mark.seconds
def test_a_text_that_the_node_does_not_take_in_time_is_kept_and_sent_later(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob", online=False)
    bob.register(PATIENCE_S)
    bob.go_online(PATIENCE_S)
    bob.look_up("alice", PATIENCE_S)
    handles.node.close()
    with pytest.raises(CommandFailed) as failed:
        SendCommand("alice", "hello", "accepted").perform(bob, Deadline(0.5))
    assert failed.value.exit_code is Exit.NO_ANSWER
    assert "the text is kept here" in failed.value.text
    assert failed.value.extra["state"] == "waiting"
    (kept,) = bob.conversation("alice")
    assert (kept.text, kept.state) == ("hello", usernym.DeliveryState.WAITING)
    assert failed.value.extra["id"] == kept.message_id
    assert f"`usernym cancel alice {kept.message_id[:8]}`" in failed.value.text
    assert alice.conversation("bob") == []


@pytest.mark.seconds
def test_a_text_to_someone_unknown_is_said_not_to_be_kept(handles: Handles) -> None:
    bob = handles.client("bob")
    handles.node.close()
    with pytest.raises(CommandFailed) as failed:
        SendCommand("alice", "hello", "accepted").perform(bob, Deadline(0.5))
    assert "the text was NOT kept" in failed.value.text


@pytest.mark.seconds
def test_a_text_to_someone_who_is_blocked_comes_with_a_warning(
    handles: Handles, capsys: pytest.CaptureFixture[str]
) -> None:
    from usernym.cli.texts import _print_sent

    handles.client("alice")
    bob = handles.client("bob")
    bob.look_up("alice", PATIENCE_S)
    for state, decide in (("blocked", bob.block), ("declined", bob.decline), ("accepted", bob.accept)):
        decide("alice")
        sent = performing(bob)(SendCommand("alice", "hello", "accepted"))
        assert sent.contact == state
        _print_sent(sent, Namespace(name="alice", home=Path("a home")))
        warned = capsys.readouterr().err
        assert ("their answers are not shown" in warned) is (state != "accepted")
        assert ("usernym accept alice --home 'a home'" in warned) is (state != "accepted")


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("client", "`usernym register NAME` makes one", "`usernym register --home '/a b' NAME` makes one"),
        ("client", "`usernym replace-identity`", "`usernym replace-identity --home '/a b'`"),
        ("client", "is `usernym mixnet` running? `usernym node card` prints it", None),
        ("client", "see `usernym --help`", None),
        ("node", "`usernym node run` starts one", "`usernym node run --home '/a b'` starts one"),
        ("node", "`usernym listen`", None),
    ],
)
def test_hints_name_the_home_that_was_named(kind: str, text: str, expected: str | None) -> None:
    assert Hint.of(Namespace(home=Path("/a b")), kind).put_in(text) == (expected or text)
    assert Hint.of(Namespace(), kind).put_in(text) == text


def test_a_page_that_has_more_says_how_to_get_it(typed: Any, tmp_path: Path) -> None:
    shown = typed("--home", tmp_path, "whoami")
    assert f"`usernym register --home {tmp_path} NAME" in shown.err


def test_local_times_follow_the_machine_to_another_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    moment, shown = 1_790_000_000, []
    for zone in ("Europe/Berlin", "Asia/Tokyo"):
        monkeypatch.setenv("TZ", zone)  # without `tzset`, which is what `clock` is asked for
        shown.append(clock(moment))
    monkeypatch.delenv("TZ")
    time.tzset()
    assert shown[0] != shown[1]
