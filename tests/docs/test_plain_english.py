"""The checker of phrases finds what is planted, where it is prose, and nothing where it is code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.plain_english import MARKDOWN_COLUMNS, PHRASES, check, long_lines_in, phrases_in


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.py", 'x = 1\n"""Ask\nsomebody."""\n', 3),
        ("a.py", "x = 1  # somebody\n", 1),
        ("a.py", 'print(f"{x} is somebody")\n', 1),
        ("a.rs", "let x = 1;\n/// Ask somebody.\n", 2),
        ("a.js", 'const x = "ask somebody";\n', 1),
        ("a.css", "/* Ask\n   somebody */\n", 2),
        ("a.md", "Text\n\n- Somebody\n", 3),
    ],
)
def test_it_finds_a_planted_phrase(name: str, text: str, line: int) -> None:
    assert [(found, phrase) for found, phrase, _ in phrases_in(name, text)] == [(line, "somebody")]


@pytest.mark.parametrize("text", ["# in the place\n# of it\n", '"""In the\n    place of it."""\n'])
def test_it_finds_a_phrase_across_lines(text: str) -> None:
    ((line, phrase, better),) = phrases_in("a.py", text)
    assert (line, phrase, better) == (1, "in the place of", PHRASES["in the place of"])


@pytest.mark.parametrize(
    "text",
    ["somebody = told\n", 'name = "nobody"\n', 'print(f"{text.told} times")\n', "if x is None: ...  # x is None\n"],
)
def test_code_is_not_prose(text: str) -> None:
    assert phrases_in("a.py", text) == []


def test_only_prose_has_to_wrap() -> None:
    long = "word " * (MARKDOWN_COLUMNS // 5) + "end"
    page = f"{long}\n\n| {long} |\n\n```\n{long}\n```\n\n    {long}\n\n[a link]({long})\n{long}\n"
    assert long_lines_in(page) == [1, 12]


def test_a_finding_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("Ask\nnobody.\n")
    (tmp_path / "picture.png").write_bytes(b"nobody")
    assert check(["page.md", "picture.png", "gone.md"], tmp_path) == ["page.md:2: 'nobody' -> no one"]
