"""What the user guide points to is there: sections, pictures, commands with their options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GUIDE = (DOCS / "user-guide.md").read_text()
BYTES_MAX = 80_000
"""Of a picture: they are in the repository for good (tests/helpers/make_pictures.py keeps to it, too)."""


def headings(page: str) -> list[str]:
    """Anchors as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found]


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", GUIDE)
    assert len(links) >= 25
    for link in links:
        file, _, section = link.partition("#")
        path = (DOCS / file).resolve() if file else DOCS / "user-guide.md"
        assert path.exists(), link
        assert not section or section in headings(path.read_text()), link


def test_each_picture_is_drawn_and_shown_and_small() -> None:
    drawn = set(re.findall(r'draw\(\w+, "([\w-]+)"', (ROOT / "tests/helpers/make_pictures.py").read_text()))
    there = {file.stem: file.stat().st_size for file in (DOCS / "pictures").iterdir()}
    shown = set(re.findall(r"pictures/([\w-]+)\.png", GUIDE + (DOCS / "design.md").read_text()))
    assert drawn == set(there) == shown
    assert max(there.values()) <= BYTES_MAX


def commands() -> list[tuple[str, tuple[str, ...]]]:
    """The commands of the table at the end, with the options that stand in their row."""
    found = []
    for row in re.findall(r"^\| .+ \| (.+) \|$", GUIDE.partition("## Do the same by commands")[2], re.MULTILINE):
        names = re.findall(r"`(?:usernym )?([a-z-]+)(?: [^`]*)?`", re.sub(r"`-[^`]*`|`off`", "", row))
        options = tuple(sorted(set(re.findall(r"--[a-z-]+", row))))
        found += [(name, options if len(names) == 1 else ()) for name in names]
    return found


def test_the_table_has_commands() -> None:
    assert {name for name, _ in commands()} >= {"register", "decline", "block", "import", "replace-identity", "chat"}


@pytest.mark.parametrize(("command", "options"), commands())
def test_its_commands_are_there(typed: Any, command: str, options: tuple[str, ...]) -> None:
    done = typed(command, "--help")
    assert done.code == 0
    assert [option for option in options if not re.search(rf"{option}\b", done.out)] == []
