"""History on the handles and by command."""

from __future__ import annotations

from typing import Any

import pytest
from handles import PATIENCE_S, Handles

from usernym import cli_work as work
from usernym import control
from usernym.cli_failures import CommandFailed


def test_pages_search_and_erasing(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    for number in range(5):
        alice.send("bob", f"Text {number}", wait="delivered", timeout=PATIENCE_S)
    last = bob.conversation("alice", 2)
    assert [text.text for text in last] == ["Text 3", "Text 4"]
    assert [text.text for text in bob.conversation("alice", 2, last[0])] == ["Text 1", "Text 2"]
    assert [(name, text.text) for name, text in bob.search("text 4")] == [("alice", "Text 4")]
    assert bob.erase(last) == 2
    alice.send("bob", "after that", wait="delivered", timeout=PATIENCE_S)
    assert [(text.text, text.missing) for text in bob.conversation("alice", 2)] == [("Text 2", 0), ("after that", 0)]

    def do(command: Any) -> Any:
        handle = work.handler(lambda command, deadline: work.perform(bob, command, deadline))
        return work.result_of(handle(control.encode(work.request(command, PATIENCE_S))))

    page = do(work.History("alice", 2))
    assert [text["text"] for text in page] == ["Text 2", "after that"]
    assert [text["text"] for text in do(work.History("alice", 2, page[0]["row"]))] == ["Text 0", "Text 1"]
    assert [(text["with"], text["text"]) for text in do(work.Search("AFTER", 9))] == [("alice", "after that")]
    assert do(work.Search("AFTER", 9, "carol")) == []
    for _ in range(4):
        bob.send("alice", "\x01" * 60_000, wait="queued", timeout=PATIENCE_S)
    assert len(do(work.History("alice", 9))) == 2, "what one answer holds"
    assert len(do(work.Search("\x01", 9))) == 2
    assert do(work.Erase("alice")) == {"erased": 8}
    assert do(work.History("alice", 9)) == []
    assert len([text for text in alice.conversation("bob") if text.outgoing]) == 6, "they keep theirs"
    with pytest.raises(CommandFailed):
        do(work.Erase("carol"))


def test_the_commands_ask_before_they_erase(typed: Any, tmp_path: Any) -> None:
    home = ("--home", str(tmp_path / "none"), "--json")
    assert typed(*home, "erase", "bob").told["error"] == "settings"
    assert typed(*home, "history", "bob", "--limit", "0").code == 2
    for command in (["erase", "bob", "--yes"], ["history", "bob"], ["search", "text"]):
        assert typed(*home, *command).told["error"] == "no_account"
