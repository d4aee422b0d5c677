"""QR codes hold the text, on a page and on a terminal, and nothing that a strict page would have to let through."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.helpers.qr_reader import from_svg, from_terminal, read
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
    assert read(from_svg(qr.svg(text))) == text
    assert read(from_terminal(qr.terminal(text))) == text


def test_the_reader_reads_what_is_there_and_not_what_is_expected() -> None:
    texts = {read(from_svg(qr.svg(f"{text[:-1]}{last}"))) for text in TEXTS.values() for last in "xyz"}
    assert texts == {f"{text[:-1]}{last}" for text in TEXTS.values() for last in "xyz"}


@pytest.mark.parametrize("text", [*TEXTS.values(), '"/><script>alert(1)</script>'])
def test_a_code_on_a_page_is_shapes_only(text: str) -> None:
    svg = qr.svg(text)
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert set(root.attrib) == {"viewBox"}
    assert [each.tag for each in root.iter()][1:] == ["{http://www.w3.org/2000/svg}path"] * 2
    attributes = {name for each in root for name in each.attrib}
    assert attributes == {"d", "fill", "stroke"}, "no style, no class, no reference, no handler"
    assert svg.count("http") == 1, "the name space, which nobody fetches"
    assert text not in svg


def test_a_terminal_of_eighty_columns_has_room_for_the_longest_link() -> None:
    assert len(TEXTS["longest link"]) == LINK_LETTERS_MAX
    lines = qr.terminal(TEXTS["longest link"]).splitlines()
    plain = [line.removeprefix("\x1b[97;40m").removesuffix("\x1b[0m") for line in lines]
    assert {len(line) for line in plain} == {49}
    assert len(plain) == 25
