"""The tables of docs/protocol.md say what the code does."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.helpers.vector_runs import FOLDER
from usernym.protocol import derived, names, payloads
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.protocol.payloads import plaintext_bytes, text_bytes_in
from usernym.protocol.signing import Context


@cache
def document() -> str:
    return (FOLDER.parent.parent / "docs" / "protocol.md").read_text()


def section(title: str) -> str:
    match = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", document(), re.DOTALL | re.MULTILINE)
    assert match is not None, title
    return match[1]


def rows(title: str) -> list[list[str]]:
    """The cells of all tables of a section."""
    found = [line for line in section(title).splitlines() if line.startswith("|") and not line.startswith("|--")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found]


@pytest.mark.parametrize("kind", get_args(m.Message), ids=lambda kind: kind.__name__)
def test_every_message_is_in_its_table_with_its_fields(kind: Any) -> None:
    number = str(kind.__struct_config__.tag)
    (row,) = [row for row in rows("Messages") if row[0] == number]
    assert row[1] == kind.__name__
    if kind in m.SIGNED_BY_CLIENT or kind in m.UNSIGNED:
        assert row[2] == ("yes" if kind in m.SIGNED_BY_CLIENT else "inside only" if kind is m.Direct else "no")
    # "(" opens an inner structure: its commas are not the message's.
    fields = re.sub(r"\([^)]*\)", "", row[-1]).split(", ")
    written = ["request_id" if field == "rid" else field.split()[0].rstrip(":") for field in fields]
    assert written == list(kind.__struct_fields__)


def test_no_other_message_is_in_the_tables() -> None:
    numbers = {int(row[0]) for row in rows("Messages") if row[0].isdigit()}
    assert numbers == {kind.__struct_config__.tag for kind in get_args(m.Message)}


def test_requests_have_the_answers_of_the_table() -> None:
    written = {
        request: set(re.findall(r"[A-Z]\w+", row[1]))
        for row in rows("Requests and answers")[1:]
        for request in row[0].split(", ")
    }
    assert written == {
        request.__name__: {answer.__name__ for answer in answers} for request, answers in derived.ANSWERS.items()
    }


def test_no_frame_is_longer_than_the_table_says() -> None:
    longest = {kind.__name__: derived.longest_frame(kind) for kind in get_args(m.FromNode)}
    shown: set[str] = set()
    for _, kinds, length in rows("What follows from a message")[1:]:
        # Of the answers the long ones have figures of their own, and all others the last.
        named = {kind: size for size, kind in re.findall(r"([\d,]+) \(`(\w+)`\)", length)}
        others = {kind.__name__ for kind in get_args(m.Answer)} if named else set(re.findall(r"[A-Z]\w+", kinds))
        others -= set(named)
        last = re.findall(r"(?:else |^)(\d[\d,]*\d)", length)
        assert {kind: f"{longest[kind]:,}" for kind in named} == named
        assert f"{max(longest[kind] for kind in others):,}" == last[-1], others
        shown |= {*others, *named}
    assert shown == set(longest)


def test_refusals_are_the_codes() -> None:
    assert {row[1]: int(row[0]) for row in rows("Refusals") if row[0].isdigit()} == {
        code.name: code.value for code in Code
    }


def test_payloads_are_the_payloads() -> None:
    written = {row[1]: int(row[0]) for row in rows("Payloads") if row[0].isdigit()}
    assert written == {kind.__name__: kind.__struct_config__.tag for kind in get_args(payloads.Payload)}


def test_the_padding_table() -> None:
    table = [[int(cell.replace(",", "")) for cell in row] for row in rows("Padding") if row[0].isdigit()]
    assert len(table) == 9
    for packets, plaintext, known, first in table:
        assert plaintext == plaintext_bytes(packets, first_contact=False)
        assert known == text_bytes_in(packets, first_contact=False)
        assert first == text_bytes_in(packets, first_contact=True)


def test_contexts_and_reserved_names() -> None:
    contexts = re.search(r"Contexts: (.*?)\. ", section("Notation"), re.DOTALL)
    assert contexts is not None
    assert set(re.findall(r"`([a-z ]+)`", " ".join(contexts[1].split()))) == {str(context) for context in Context}
    reserved = re.search(r"\(`NAME_RESERVED`\): (.*?)\.", section("Names"), re.DOTALL)
    assert reserved is not None
    assert {name.strip() for name in reserved[1].split(",")} == names.RESERVED


def test_every_section_that_the_code_names_is_there() -> None:
    root: Path = FOLDER.parent.parent
    named: set[tuple[str, str]] = set()
    for folder in ("usernym", "actors", "protocol", "storage", "mixnet", "testing", "chat"):
        for path in (root / folder).rglob("*.py"):
            for page, titles in re.findall(
                r'(docs/[\w/-]+\.md),\s+((?:"[^"]+"(?:,\s+and\s+|,\s+|\s+and\s+)?)+)', path.read_text()
            ):
                named |= {(page, " ".join(title.split())) for title in re.findall(r'"([^"]+)"', titles)}
    assert len(named) > 30
    missing = {
        (page, title)
        for page, title in named
        if not re.search(rf"^#+ {re.escape(title)}$", (root / page).read_text(), re.MULTILINE)
    }
    assert not missing
