"""Tokens work once, keys as long as the process lives."""

from __future__ import annotations

import pytest

from usernym.chat.keys import KEYS_MAX, OFFERED_MAX, Keys


def test_a_token_works_once_and_its_key_always() -> None:
    keys = Keys()
    token = keys.new_token()
    assert len(token) == 43
    key = keys.admit(token)
    assert key is not None
    assert key != token
    assert keys.admit(token) is None
    assert keys.admit(key) == key
    assert keys.admit(key) == key


def test_each_token_gets_a_key_of_its_own() -> None:
    keys = Keys()
    tokens = [keys.new_token() for _ in range(3)]
    granted = {keys.admit(token) for token in tokens}
    assert len(granted) == 3
    assert None not in granted


@pytest.mark.parametrize("offered", [None, "", 7, b"bytes", ["list"], {}, "ä" * 43, "x" * (OFFERED_MAX + 1), "x" * 43])
def test_nothing_else_is_let_in(offered: object) -> None:
    keys = Keys()
    token = keys.new_token()
    assert keys.admit(offered) is None
    assert Keys().admit(token) is None  # another process's
    assert keys.admit(token) is not None  # and what was offered cost its owner nothing


def test_the_oldest_browser_is_shut_out_when_there_are_too_many() -> None:
    keys = Keys()
    granted = [keys.admit(keys.new_token()) for _ in range(KEYS_MAX + 1)]
    assert keys.admit(granted[0]) is None
    assert all(keys.admit(key) == key for key in granted[1:])
