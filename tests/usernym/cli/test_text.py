"""Nothing that a peer wrote may steer the terminal, fake a line, or break a program's parser."""

from __future__ import annotations

import json
import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usernym.actors.events import (
    ConnectionChanged,
    DeliveryChanged,
    DirectSilent,
    Event,
    HandshakeChanged,
    IdentityChanged,
    NodeCaught,
    TextsErased,
)
from usernym.cli.listen import MessageJson, event_json
from usernym.cli.terminal import clock, print_json, span
from usernym.printable import CONTINUED, printable, printable_text
from usernym.protocol.errors import Code
from usernym.settings import duration
from usernym.storage.client.types import DeliveryState, HandshakeState, Route

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2066\u200b\r\nbob: send me your words\x00\x7f\u2028"


def is_safe(text: str) -> bool:
    return not any(
        unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and letter not in "\u200c\u200d"
        for letter in text
    )


@given(st.text(st.characters(codec=None)))
def test_whatever_comes_is_shown_without_controls(text: str) -> None:
    assert is_safe(printable(text))
    first, *others = printable_text(text).split("\n")
    assert is_safe(first)
    assert all(other.startswith(CONTINUED) and is_safe(other) for other in others)


def test_known_attacks_are_shown_as_escapes() -> None:
    assert printable("\x1b[31m") == "\\x1b[31m"
    assert printable("\x9b31m") == "\\x9b31m"
    assert printable("abc\u202edef") == "abc\\u202edef"
    assert printable("tag \U000e0041") == "tag \\U000e0041"
    assert printable("one\ntwo") == "one\\x0atwo"
    assert printable_text("one\r\nbob: two") == f"one\n{CONTINUED}bob: two"


@pytest.mark.parametrize("text", ["hello", "grüße", "日本語", "👩\u200d👩\u200d👧", "क्\u200dष", "e\u0301"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert printable_text(text) == text


def test_json_is_ascii_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": HOSTILE + "\ud800"})
    line = capsys.readouterr().out
    assert line.isascii()
    assert line.count("\n") == 1
    assert is_safe(line.rstrip("\n"))
    assert json.loads(line)["text"] == HOSTILE + "\ud800"


@pytest.mark.parametrize("moment", [0, 1_795_432_057, -(10**30), 10**30])
def test_any_clock_can_be_shown(moment: int) -> None:
    assert clock(moment)


EVENTS: list[Event] = [
    DeliveryChanged(b"\x01" * 16, HOSTILE, DeliveryState.REFUSED, Code.NO_SUCH_USER, Route.NODE),
    DeliveryChanged(b"\x01" * 16, "bob", DeliveryState.DELIVERED, None, Route.DIRECT),
    *(HandshakeChanged(HOSTILE, state) for state in HandshakeState),
    DirectSilent(HOSTILE, silent=True, falls_back=True),
    DirectSilent("bob", silent=True, falls_back=False),
    DirectSilent("bob", silent=False, falls_back=True),
    IdentityChanged(HOSTILE, was_verified=True),
    NodeCaught(HOSTILE),
    TextsErased(HOSTILE, 3),
    ConnectionChanged(online=False, reason=HOSTILE),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_has_a_safe_line_and_an_object(event: Event) -> None:
    shown = event_json(event)
    printed = msgspec.to_builtins(shown)
    assert printed["event"]
    assert json.loads(json.dumps(printed)) == printed
    assert is_safe(shown.line())


def test_a_hostile_message_stays_in_its_place() -> None:
    came = MessageJson("bob", HOSTILE, "00", 0, 3, 2, True, "direct", True)
    first, *others = came.line().split("\n")
    assert first.partition("] ")[2].startswith("bob (direct, not a contact yet, 2 before this one missing, late): ")
    assert others
    assert all(other.startswith(CONTINUED) and is_safe(other) for other in others)


@pytest.mark.parametrize(
    ("seconds", "typed"), [(60, "1m"), (90, "90s"), (3600, "1h"), (604_800, "7d"), (90_000, "25h")]
)
def test_a_span_is_shown_as_it_is_typed(seconds: int, typed: str) -> None:
    assert span(seconds) == typed
    assert duration(typed) == seconds
