"""History on the handles and by command."""

from __future__ import annotations

import contextlib
import itertools
import time
from typing import Any

import pytest

import usernym
from tests.helpers.handles import PATIENCE_S, Handles
from tests.helpers.holder import performing
from usernym.cli.failures import CommandFailed
from usernym.cli.texts import (
    CancelCommand,
    CancelledReply,
    DisappearCommand,
    EraseCommand,
    HistoryCommand,
    RetryCommand,
    SearchCommand,
)
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import DeliveryState, Route, Trust


@pytest.mark.seconds
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
    do = performing(bob)
    page = do(HistoryCommand("alice", 2))
    assert ([text.text for text in page.texts], page.earlier) == (["Text 2", "after that"], True)
    before = do(HistoryCommand("alice", 2, page.texts[0].row))
    assert ([text.text for text in before.texts], before.earlier) == (["Text 0", "Text 1"], False)
    found = do(SearchCommand("AFTER", 9)).texts
    assert [(text.contact, text.text) for text in found] == [("alice", "after that")]
    assert do(SearchCommand("AFTER", 9, "carol")).texts == []
    for _ in range(4):
        bob.send("alice", "\x01" * 60_000, wait="queued", timeout=PATIENCE_S)
    large = do(HistoryCommand("alice", 9))
    assert (len(large.texts), large.earlier) == (2, True), "what one answer holds"
    found_in = [do(SearchCommand("\x01", 9))]
    while found_in[-1].earlier:
        found_in.append(do(SearchCommand("\x01", 9, before=found_in[-1].texts[-1].row)))
    assert [len(each.texts) for each in found_in] == [2, 2], "what one answer holds, and the rest"
    theirs = page.texts[0].message_id
    assert do(EraseCommand("alice", theirs[:8])).erased == 1
    with pytest.raises(CommandFailed, match="none of the texts"):
        do(EraseCommand("alice", theirs))
    assert do(EraseCommand("alice")).erased == 7
    assert do(HistoryCommand("alice", 9)).texts == []
    assert len([text for text in alice.conversation("bob") if text.outgoing]) == 6, "they keep theirs"
    with pytest.raises(CommandFailed):
        do(EraseCommand("carol"))


@pytest.mark.seconds
def test_when_texts_came_and_which_were_late(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    before = int(time.time())
    alice.send("bob", "one", wait="delivered", timeout=PATIENCE_S)

    def comes(counter: int, text: str, now: int) -> None:
        with contextlib.closing(ClientStore.open(handles.home("bob"), None, unprotected=True)) as store:
            store.messages.add_incoming(
                contact="alice", message_id=bytes([counter]) * 16, key_number=1, counter=counter, kind=1,
                body=text.encode(), token=bytes(16), sent_at=counter, now=now, route=Route.NODE,
            )  # fmt: skip

    comes(5, "five", before + 7)
    comes(4, "four", before + 7)
    assert [text.text for text in bob.conversation("alice")] == ["one", "four", "five"], "as they were written"
    bob.mark_read(text for _, text in bob.unread())
    comes(2, "two", before + 7 + 601)
    one, four, five, two = bob.conversation("alice")
    assert before <= one.arrived_at <= time.time()
    assert (four.arrived_at, four.sent_at) == (before + 7, 4)
    assert [(text.late, text.missing) for text in (one, four, five, two)] == [
        (False, 0), (False, 1), (False, 1), (True, 0),
    ]  # fmt: skip
    assert [text.text for text in bob.conversation("alice", before=five)] == ["one", "four"]
    assert [text.text for text in bob.conversation("alice", before=10**30)] == ["one", "four", "five", "two"]
    mine = alice.conversation("bob")[0]
    assert (mine.late, mine.missing) == (False, 0)
    assert before <= mine.arrived_at <= time.time()


@pytest.mark.seconds
def test_texts_that_disappear_are_set_and_told(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    alice.send("bob", "hello", wait="delivered", timeout=PATIENCE_S)
    do = performing(bob)
    assert bob.contact("alice").disappears_after is None
    assert do(DisappearCommand("alice", 3600)).disappears_after == 3600
    for wrong in (59, 366 * 86_400 + 1, 0, -1):
        with pytest.raises(usernym.SettingsError):
            bob.set_disappearing("alice", wrong)
    with pytest.raises(KeyError):
        bob.set_disappearing("carol", 60)
    assert bob.contact("alice").disappears_after == 3600
    with contextlib.closing(ClientStore.open(handles.home("bob"), None, unprotected=True)) as store:
        store.database.run("UPDATE message SET stored_at = stored_at - 4000")
    bob.mark_read(text for _, text in bob.unread())
    with bob.subscribe() as events:
        handles.wait_for(lambda: len(bob.conversation("alice")) == 1)
        with contextlib.closing(ClientStore.open(handles.home("bob"), None, unprotected=True)) as store:
            store.database.run("UPDATE message SET shown_at = shown_at - 4000")
        told = next(event for event in events if isinstance(event, usernym.TextsErased))
    assert (told.name, told.count) == ("alice", 1)
    assert bob.conversation("alice") == []
    assert len(alice.conversation("bob")) == 1
    assert do(DisappearCommand("alice", None)).disappears_after is None


@pytest.mark.seconds
def test_erasing_is_told_to_whoever_shows_the_texts(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    for text in ("one", "two", "three"):
        alice.send("bob", text, wait="delivered", timeout=PATIENCE_S)
    with bob.subscribe() as events:
        assert bob.erase(bob.conversation("alice", 1)) == 1
        assert bob.erase([]) == 0
        assert bob.erase_conversation("alice") == 2
        erased = (event for event in events if isinstance(event, usernym.TextsErased))
        assert [(event.name, event.count) for event in itertools.islice(erased, 2)] == [("alice", 1), ("alice", 2)]


@pytest.mark.seconds
def test_cancel_and_retry(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    alice.send("bob", "hello", wait="delivered", timeout=PATIENCE_S)
    with contextlib.closing(ClientStore.open(handles.home("alice"), None, unprotected=True)) as store:
        store.contacts.set_trust("bob", Trust.CHANGED)  # so nothing is sent
    sent = alice.send("bob", "hello again", wait="queued", timeout=PATIENCE_S)
    with contextlib.closing(ClientStore.open(handles.home("alice"), None, unprotected=True)) as store:
        store.messages.advance("bob", bytes.fromhex(sent.message_id), DeliveryState.REFUSED, usernym.Code.UNOPENABLE)
    do = performing(alice)
    for wrong, kind in ((sent.message_id[:7], "settings"), ("0" * 32, "no_text"), ("rubbish!", "no_text")):
        with pytest.raises(CommandFailed) as failed:
            do(RetryCommand("bob", wrong, "queued"))
        assert failed.value.kind == kind
    again = do(RetryCommand("bob", sent.message_id[:8], "queued"))
    assert again.id != sent.message_id
    assert again.state == "waiting"
    assert [text.text for text in alice.conversation("bob")] == ["hello", "hello again"]
    with pytest.raises(CommandFailed) as failed:
        do(CancelCommand("bob", alice.conversation("bob")[0].message_id))
    assert failed.value.kind == "not_cancelled"
    for wrong in (sent.message_id, "no digits", alice.conversation("bob")[0].message_id):
        with pytest.raises(usernym.RetryNotPossible):
            alice.retry("bob", wrong, PATIENCE_S)
    with pytest.raises(CommandFailed) as failed:
        do(RetryCommand("bob", alice.conversation("bob")[0].message_id, "queued"))
    assert failed.value.kind == "retry_not_possible"
    assert do(CancelCommand("bob", again.id[:8].upper())) == CancelledReply(again.id)
    assert [text.state for text in alice.conversation("bob")][-1] is usernym.DeliveryState.CANCELLED
    assert len(bob.conversation("alice")) == 1


@pytest.mark.seconds
def test_a_retry_waits_as_long_as_it_is_told_to(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    alice.look_up("bob", PATIENCE_S)
    with contextlib.closing(ClientStore.open(handles.home("alice"), None, unprotected=True)) as store:
        store.messages.add_outgoing("bob", b"\x07" * 16, 1, b"expired", bytes(16), 1)
        store.messages.advance("bob", b"\x07" * 16, DeliveryState.EXPIRED)
    sent = alice.retry("bob", "07" * 16, PATIENCE_S, wait="delivered")
    assert sent.state is usernym.DeliveryState.DELIVERED
    assert [text.text for text in bob.conversation("alice")] == ["expired"]
    assert [text.message_id for text in alice.conversation("bob")] == [sent.message_id]


def test_the_commands_ask_before_they_erase(typed: Any, tmp_path: Any) -> None:
    home = ("--home", str(tmp_path / "none"), "--json")
    assert typed(*home, "erase", "bob").told["error"] == "settings"
    assert typed(*home, "history", "bob", "--limit", "0").code == 2
    assert typed(*home, "disappear", "bob", "tomorrow").told["error"] == "settings"
    for command in (
        ["erase", "bob", "--yes"], ["erase", "bob", "--text", "12345678"], ["history", "bob"],
        ["search", "text"], ["retry", "bob", "12345678"],
        ["cancel", "bob", "12345678"], ["disappear", "bob", "7d"], ["disappear", "bob", "off"],
    ):  # fmt: skip
        assert typed(*home, *command).told["error"] == "no_account"
