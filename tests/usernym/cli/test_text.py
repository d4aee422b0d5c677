"""Nothing that a peer wrote may steer the terminal, fake a line, or break a program's parser."""

from __future__ import annotations

import ast
import ctypes
import json
import locale
import os
import pty
import re
import subprocess
import sys
import termios
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from usernym import cli
from usernym.actors.events import (
    ConnectionChanged,
    DeliveryChanged,
    DirectoryChanged,
    DirectoryUnwitnessed,
    DirectSilent,
    Event,
    HandshakeChanged,
    IdentityChanged,
    NodeAddressChanged,
    NodeCaught,
    TextsErased,
)
from usernym.cli import terminal
from usernym.cli.listen import MessageJson, event_json
from usernym.cli.terminal import clock, print_json, print_line, print_marked, span
from usernym.printable import COLUMNS_MIN, CONTINUED, marked, printable, width_of
from usernym.protocol.errors import Code
from usernym.protocol.evidence import Evidence
from usernym.settings import duration
from usernym.storage.client.types import DeliveryState, HandshakeState, InDirectory, Route

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2066\u200b\r\nbob: send me your words\x00\x7f\u2028"


LEFT = "\u200e"


def is_safe(text: str) -> bool:
    return not any(
        unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and letter not in "\u200c\u200d"
        for letter in text
    )


@given(st.text(st.characters(codec=None)))
def test_whatever_comes_is_shown_without_controls(text: str) -> None:
    assert is_safe(printable(text))
    first, *others = marked(text, None).split("\n")
    assert is_safe(first)
    assert all(other.startswith(CONTINUED) and is_safe(other.replace(CONTINUED + LEFT, "")) for other in others)


def test_known_attacks_are_shown_as_escapes() -> None:
    assert printable("\x1b[31m") == "\\x1b[31m"
    assert printable("\x9b31m") == "\\x9b31m"
    assert printable("abc\u202edef") == "abc\\u202edef"
    assert printable("tag \U000e0041") == "tag \\U000e0041"
    assert printable("one\ntwo") == "one\\x0atwo"
    assert marked("one\r\nbob: two", None) == f"one\n{CONTINUED}bob: two"


@pytest.mark.parametrize("text", ["hello", "grüße", "日本語", "👩\u200d👩\u200d👧", "क्\u200dष", "e\u0301"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert marked(text, None) == marked(text, 80) == text


# -- what a terminal makes of it ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wcwidth() -> Iterator[ctypes._FuncPointer]:
    """The C library's opinion on how wide a character is; -1: it does not know."""
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    yield ctypes.CDLL(None).wcwidth
    locale.setlocale(locale.LC_CTYPE, before)


def rows(printed: str, columns: int, wide: ctypes._FuncPointer) -> list[str]:
    """What a terminal of this width shows: it begins a new row where a character does not fit."""
    shown = [""]
    used = 0
    for character in printed:
        width = max(wide(ord(character)), 0)
        if character == "\n" or used + width > columns:
            shown.append("")
            used = 0
        if character != "\n":
            shown[-1] += character
            used += width
    return shown


TEXTS = st.text(
    st.sampled_from("א٣ \n\t\r\x1b\u200b\u200d\ufe0f\u0301a-日👩\u2028\u3000ж") | st.characters(codec=None),
    max_size=400,
)


@examples(500)
@given(text=TEXTS, blanks=st.integers(0, 200), columns=st.integers(COLUMNS_MIN, 160), ambiguous=st.sampled_from([1, 2]))
def test_no_text_begins_a_row_of_the_terminal(
    wcwidth: ctypes._FuncPointer, text: str, blanks: int, columns: int, ambiguous: int
) -> None:
    line = f"bob: {text}{' ' * blanks}[2027-01-15 09:01] alice: it is me{' ' * blanks}{text}"
    printed = marked(line, columns, ambiguous=ambiguous)
    first, *others = rows(printed, columns, wcwidth)
    assert first.startswith("bob: ")
    for row in (first, *others):
        directions = [unicodedata.bidirectional(letter) for letter in row]
        strong = [direction for direction in directions if direction in {"L", "R", "AL"}]
        assert strong[:1] in ([], ["L"]), "a line begins on the left, and so does its mark"
        assert "AN" not in directions or strong
    assert all(other.startswith(CONTINUED) and is_safe(other.replace(CONTINUED + LEFT, "")) for other in others)
    # Only the breaks are new: nothing of a text is lost.
    unbroken = printed.replace("\n" + CONTINUED + LEFT, "").replace("\n" + CONTINUED, "")
    assert unbroken == "".join(map(printable, line.replace("\r\n", "\n").split("\n")))


def test_a_line_from_right_to_left_keeps_its_mark_on_the_left() -> None:
    assert marked("bob: hi\nאבגד alice: it is me", 80) == f"bob: hi\n{CONTINUED}{LEFT}אבגד alice: it is me"


@pytest.mark.parametrize("columns", [20, 80, 120])
def test_blanks_up_to_the_width_fake_no_line(
    wcwidth: ctypes._FuncPointer, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "_columns", lambda _stream: columns)
    head = MessageJson("mallory", "", "00", 1_800_000_000, 1, 0, False, "node", False).line()
    fake = "[2027-01-15 09:01] alice: wire it to DE00 1234"
    text = "ok" + " " * (columns - len(head) - 2) + fake.ljust(columns) + "* connected: connected"
    print_marked(MessageJson("mallory", text, "00", 1_800_000_000, 1, 0, False, "node", False).line())
    first, *others = rows(capsys.readouterr().out.removesuffix("\n"), columns, wcwidth)
    assert first.startswith("[2027-")
    assert others
    assert all(other.startswith(CONTINUED) for other in others)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_the_width_is_that_of_the_terminal_that_prints(stream: str) -> None:
    """A real one of 30 columns; the environment claims another width, and the standard output may be a pipe."""
    controller, tty = pty.openpty()
    termios.tcsetwinsize(tty, (24, 30))
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL} | {
        stream: tty
    }
    code = "from usernym.cli.terminal import print_marked; print_marked('bob: ' + 'x' * 80)"
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run([sys.executable, "-P", "-c", code], check=True, env=environment, timeout=60, **streams)
    os.close(tty)
    printed = done.stdout if stream == "stderr" else os.read(controller, 4096)
    os.close(controller)
    lines = printed.decode().split()
    assert lines == ["bob:", "|", "x" * 24, "|", "x" * 24, "|", "x" * 24, "|", "x" * 8]


@pytest.mark.seconds
def test_no_character_is_wider_than_it_is_counted(wcwidth: ctypes._FuncPointer) -> None:
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        if printable(character) == character:
            assert wcwidth(number) <= width_of(character), hex(number)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("hello", 5),
        ("grüße", 5),
        ("привет", 6),
        ("日本語", 6),
        ("한국어", 6),
        ("e\u0301", 1),
        ("नमस्ते", 4),
        ("👩\u200d👧", 4),
    ],
)
def test_characters_are_counted_as_terminals_show_them(wcwidth: ctypes._FuncPointer, text: str, columns: int) -> None:
    assert sum(map(width_of, text)) == sum(wcwidth(ord(letter)) for letter in text) == columns


def test_lines_are_broken_between_words() -> None:
    assert marked("bob: one two three", 12) == f"bob: one \n{CONTINUED}two \n{CONTINUED}three"


def test_a_terminal_for_east_asian_languages_has_wider_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    assert width_of("ж", ambiguous=2) == 2
    for name, width in (("ja_JP.UTF-8", 2), ("C.UTF-8", 1)):
        monkeypatch.setenv("LC_ALL", name)
        assert terminal._ambiguous_width() == width


def test_the_programs_own_lines_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("usernym-node:" + "x" * 300 + "\x1b")
    assert capsys.readouterr().out == "usernym-node:" + "x" * 300 + "\\x1b\n"


@pytest.mark.seconds
def test_only_one_place_makes_texts_safe_and_no_text_is_printed_as_the_programs_own() -> None:
    """Every command prints by `terminal`. A text, or an event's line, is never given to what leaves lines unmarked."""
    for path in Path(cli.__path__[0]).glob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                # What a command says when it has succeeded is a pattern for its reply.
                assert not re.search(r"\{reply\.\w*text", node.value), f"{path.name}:{node.lineno}"
            if isinstance(node, ast.ImportFrom) and path.name != "terminal.py":
                assert node.module != "usernym.printable", path.name
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in {"print_line", "print_err"}:
                    names = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
                    assert not names & {"text", "line"}, f"{path.name}:{node.lineno}"
                assert node.func.id != "print" or path.name in {"terminal.py", "simulate.py"}, path.name


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
    *(DirectoryChanged(HOSTILE, each) for each in InDirectory),
    DirectoryUnwitnessed(1_700_000_000),
    DirectoryUnwitnessed(None),
    IdentityChanged(HOSTILE, was_verified=True),
    NodeCaught(Evidence(bytes(32), 1, (HOSTILE.encode(),))),
    NodeAddressChanged(HOSTILE),
    TextsErased(HOSTILE, 3),
    ConnectionChanged(online=False, reason=HOSTILE),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_has_a_safe_line_and_an_object(event: Event) -> None:
    shown = event_json(event)
    printed = msgspec.to_builtins(shown)
    assert printed["event"]
    assert json.loads(json.dumps(printed)) == printed
    assert all(map(is_safe, marked(shown.line(), 80).split("\n")))


def test_a_hostile_message_stays_in_its_place() -> None:
    came = MessageJson("bob", HOSTILE, "00", 0, 3, 2, True, "direct", True)
    first, *others = marked(came.line(), 120).split("\n")
    assert first.partition("] ")[2].startswith("bob (direct, not a contact yet, 2 before this one missing, late): ")
    assert others
    assert all(other.startswith(CONTINUED) and is_safe(other.replace(CONTINUED + LEFT, "")) for other in others)


@pytest.mark.parametrize(
    ("seconds", "typed"), [(60, "1m"), (90, "90s"), (3600, "1h"), (604_800, "7d"), (90_000, "25h")]
)
def test_a_span_is_shown_as_it_is_typed(seconds: int, typed: str) -> None:
    assert span(seconds) == typed
    assert duration(typed) == seconds
