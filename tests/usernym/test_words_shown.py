"""A home knows whether its recovery words have been shown: if not, and it was not used, it gets others."""

from __future__ import annotations

import pytest

from tests.helpers.handles import PATIENCE_S, Handles


def test_words_that_were_taken_are_not_made_again(handles: Handles) -> None:
    alice = handles.client("alice", online=False)
    shown = alice.words_to_show()
    assert len((shown or "").split()) == 12
    assert alice.words_to_show() == shown, "looking at them does not take them"
    assert alice.take_recovery_words() == shown
    assert (alice.words_to_show(), alice.take_recovery_words()) == (None, None)
    key = alice.whoami().identity_key
    alice.close()
    again = handles.client("alice", online=False)
    assert (again.words_to_show(), again.whoami().identity_key) == (None, key)


@pytest.mark.seconds
def test_words_that_no_one_took_are_replaced_with_their_identity(handles: Handles) -> None:
    alice = handles.client("alice", online=False)
    lost, key = alice.words_to_show(), alice.whoami().identity_key
    alice.close()
    again = handles.client("alice", online=False)
    assert (again.take_recovery_words(), again.whoami().identity_key) == (None, key), "not unless it is asked for"
    words = again.words_to_show()
    assert words not in (None, lost)
    assert again.words_to_show() == words, "until they are taken"
    assert again.take_recovery_words() == words
    assert again.whoami().identity_key != key
    again.register(PATIENCE_S)
    again.go_online(PATIENCE_S)
    bob = handles.client("bob")
    again.send("bob", "with the keys that are there now", wait="delivered", timeout=PATIENCE_S)
    bob.send("alice", "and back", wait="delivered", timeout=PATIENCE_S)


@pytest.mark.seconds
def test_an_identity_that_was_used_is_never_replaced(handles: Handles) -> None:
    alice = handles.client("alice")
    key = alice.whoami().identity_key
    alice.close()
    again = handles.client("alice")
    assert (again.words_to_show(), again.whoami().identity_key) == (None, key)
