"""Phrases that this project no longer writes, each with better words; and the width at which Markdown wraps.

    python -Im tests.helpers.plain_english [FILE ...]

prints `file:line: phrase -> better words` for each finding and exits with 1 if there is one. Without files it reads
all that git tracks. It looks at prose only: comments, docstrings and strings with a space in them (not in tests, where
strings are data).
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
MARKDOWN_COLUMNS: Final = 100
"""Prose that wraps earlier than code is easier to read, and two versions of it fit side by side."""

PHRASES: Final[dict[str, str]] = {
    "somebody": "someone, or the role: the sender, a contact, another user",
    "anybody": "anyone",
    "everybody": "everyone",
    "nobody": "no one",
    "whoever": "anyone who, or the role: the holder, the caller",
    "told": "the verb for it: learns, is notified, is shown, receives, reports",
    "(?:that|it|which|who|this) (?:is|are) none": "invalid, not one",
    "of before": "earlier, former, previous",
    "in the place of": "instead of, replacing",
    "(?:go|goes|going|went) on": "continue, or the verb for it",
    "as if": "like, as though",
    "module's text": "say it here, or name the function",
    "handle one message": "say what is received",
    "for ever": "forever, or permanently",
    "in vain": "without success",
    "all the same": "still, anyway",
    "(?:mend|mended|mends|mending)": "fix, repair, correct",
    "anew": "again, or: a new ...",
    "(?:falls|fall|fell) away": "no longer counts, is removed",
    "(?:become|becomes|became) of": "happened to, the outcome of",
    "(?:can|could|to) be had": "is available",
    "(?:to|of|for) oneself": "to itself, to yourself",
    "belongs? into": "belongs in",
    "in silence": "silently, without an error",
    "the loopback(?! interface)": "loopback",
    "the ways? by which": "how",
    "without a word": "without notice, without an error",
    "(?:is|are|was|were) said": "is reported, is sent, is shown",
    "no news": "say what is true",
    "(?:hand|hands|handed|handing) on": "pass on",
    "at the left": "on the left",
    "the dear": "expensive",
    "thrown? away": "discard, delete",
    "had by": "say who has it",
    "out of the question": "impossible",
    "(?:texts?|machine|message) of yours": "your text",
    "(?:told|said|spoken) of": "reported",
    "so-and-so": "name it",
}
"""Patterns for whole words; a space stands for any white space, line breaks included."""

ALLOWED: Final = {
    ("docs/protocol.md", "nobody"),  # a reserved name
    ("docs/promises.md", "nobody"),  # the same
    ("tests/helpers/plain_english.py", ""),  # this list
    ("tests/docs/test_plain_english.py", ""),  # its test
    ("LICENSE", ""),
}
"""Files, and what they may contain; an empty phrase stands for all."""

_SUFFIXES: Final = {".py", ".pyi", ".md", ".rs", ".js", ".css", ".toml", ".cfg", ".service"}
_BETWEEN: Final = r"[\s#/*]+"
_PATTERN: Final = re.compile(
    r"\b(?:" + "|".join(f"({phrase.replace(' ', _BETWEEN)})" for phrase in PHRASES) + r")\b", re.IGNORECASE
)
# Python's `None` is a word of ours too.
_NONE_VALUE: Final = re.compile(r"\bNone\b")
_C_PROSE: Final = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|`[^`]*`", re.DOTALL)
_FORMATTED_PART: Final = getattr(tokenize, "FSTRING_MIDDLE", None)
"""From Python 3.12 on, the tokens of a formatted string are its parts."""
_FORMATTED: Final = re.compile(r"\{[^{}]*\}")


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", "_", match[0])


def _python_prose(text: str, *, strings: bool) -> Iterator[tuple[int, str]]:
    """Comments, docstrings and, with `strings`, others with white space, by the line on which they start."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
        elif token.type == tokenize.STRING and re.search(r"\s", token.string) and (strings or '"""' in token.string):
            start = re.match(r"[A-Za-z]*", token.string)
            formatted = start is not None and "f" in start[0].lower()
            yield token.start[0], _FORMATTED.sub(_blank, token.string) if formatted else token.string
        elif token.type == _FORMATTED_PART and strings and re.search(r"\s", token.string):
            yield token.start[0], token.string


def _c_prose(text: str) -> Iterator[tuple[int, str]]:
    for match in _C_PROSE.finditer(text):
        if " " in match[0]:
            yield text.count("\n", 0, match.start()) + 1, match[0]


def _joined(parts: Iterable[tuple[int, str]], lines: int) -> str:
    """The parts, each on its own line of the file, so that phrases are found across lines."""
    rows = [""] * (lines + 2)
    for first, part in parts:
        for offset, row in enumerate(part.split("\n")):
            rows[first - 1 + offset] += row
    return "\n".join(rows)


def phrases_in(name: str, text: str) -> list[tuple[int, str, str]]:
    """The line, the phrase and the better words of each finding in a file."""
    text = _NONE_VALUE.sub("----", text)
    if not _PATTERN.search(text):  # fast: nearly every file ends here
        return []
    lines = text.count("\n") + 1
    if name.endswith((".py", ".pyi")):
        text = _joined(_python_prose(text, strings=not name.startswith(("tests/", "nym_python_sdk/tests/"))), lines)
    elif name.endswith((".rs", ".js", ".css")):
        text = _joined(_c_prose(text), lines)
    found = []
    for match in _PATTERN.finditer(text):
        better = list(PHRASES.values())[(match.lastindex or 1) - 1]
        phrase = " ".join(re.split(_BETWEEN, match[0])).lower()
        if not {(name, phrase), (name, "")} & ALLOWED:
            found.append((text.count("\n", 0, match.start()) + 1, phrase, better))
    return found


def long_lines_in(text: str) -> list[int]:
    """Lines of prose that are too long. Tables, code, headings, pictures and lines with a link may be longer."""
    found, fenced = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif len(line) > MARKDOWN_COLUMNS and not fenced:
            exempt = line.lstrip().startswith(("|", "#", "<", "![")) or line.startswith("    ") or "](" in line
            found += [] if exempt else [number]
    return found


def check(files: Iterable[str], root: Path = ROOT) -> list[str]:
    """One line for each finding in these files, which are named from the root."""
    report = []
    for name in files:
        path = root / name
        if path.suffix not in _SUFFIXES or path.is_symlink() or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        report += [f"{name}:{line}: {phrase!r} -> {better}" for line, phrase, better in phrases_in(name, text)]
        if path.suffix == ".md":
            report += [f"{name}:{line}: longer than {MARKDOWN_COLUMNS} columns" for line in long_lines_in(text)]
    return report


def main(arguments: list[str]) -> int:
    """The program."""
    names = subprocess.run(
        ["git", "ls-files", "--", *arguments],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    report = check(names)
    sys.stdout.writelines(f"{line}\n" for line in report)
    return 1 if report else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
