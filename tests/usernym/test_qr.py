"""QR codes hold the text, on a page and on a terminal."""

from __future__ import annotations

import pytest

from tests.helpers.qr_reader import from_rows, from_terminal, read
from usernym import qr
from usernym.protocol.links import LINK_LETTERS_MAX, link_text, make_link
from usernym.protocol.safety import number_code, safety_number

TEXTS = {
    "link": link_text(make_link(b"n" * 32, "alice_01", b"k" * 32)),
    "longest link": link_text(make_link(b"n" * 32, "a" * 32, b"k" * 32)),
    "shortest link": link_text(make_link(b"n" * 32, "abc", b"k" * 32)),
    "safety number": number_code(safety_number(b"n" * 32, ("alice", b"k" * 32), ("bob", b"l" * 32))),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_a_scanner_reads_is_the_text(text: str) -> None:
    assert read(from_rows(qr.rows(text))) == text
    assert read(from_terminal(qr.terminal(text))) == text


def test_the_reader_reads_what_is_there_and_not_what_is_expected() -> None:
    texts = {read(from_rows(qr.rows(f"{text[:-1]}{last}"))) for text in TEXTS.values() for last in "xyz"}
    assert texts == {f"{text[:-1]}{last}" for text in TEXTS.values() for last in "xyz"}


def test_a_terminal_of_eighty_columns_has_room_for_the_longest_link() -> None:
    assert len(TEXTS["longest link"]) == LINK_LETTERS_MAX
    lines = qr.terminal(TEXTS["longest link"]).splitlines()
    plain = [line.removeprefix("\x1b[97;40m").removesuffix("\x1b[0m") for line in lines]
    assert {len(line) for line in plain} == {49}
    assert len(plain) == 25
