"""Every promise about privacy or safety stands in docs/promises.md, with the test that proves it."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = "docs/promises.md"
PHRASES: Final = (
    r"never (?:learns?|sees?|reads?|knows?)",
    r"(?:does|do|did|will) not (?:learn|see|know (?:what|who|where))",
    r"no longer sees?",
    r"(?:can't|cannot) (?:be )?(?:read|seen?|learn|forged?|invent|override|link|make the owner|open what)",
    r"(?:can't|cannot) (?:stop|fill|hold up|steer|fake)|no one may fill|nothing (?:is left|that the node says)",
    r"sees? (?:nothing|none|who)|node sees|\bno answer (?:of|to|says)\b|can hold up|sealed to it",
    r"\bno one (?:else|who|can|could|knows)\b|\bnobody\b",
    r"\banonym(?:ous|ity)\b",
    r"\bencrypt(?:ed|s)?\b",
    r"\bonly you\b|by (?:its|their) owners? only|only readable by|same user only",
    r"\b(?:is|are|be|was|were) (?:erased|destroyed|wiped)\b|not wiped",
    r"(?:stored|kept) nowhere|not stored|nothing that they send|keeps? nothing",
    r"\bhid(?:e|es|den)\b",
    r"\block\w* (?:a|the) thief\b",
    r"\bstays? (?:closed|hidden)\b",
    r"\bprotect(?:s|ed)\b",
    r"\blearns?\b",
    r"without (?:the|a) passphrase",
)
"""Words that promise, or take back, something about privacy or safety. Where one of them stands in a source, a sentence
of the table must cover it: a new promise can't be made without its test."""
SOURCES: Final = ("README.md", "SECURITY.md", "CHANGELOG.md", "docs/*.md")
PROGRAMS: Final = ("chat/*.py", "chat/static/words/*.json", "usernym/*.py", "usernym/cli/*.py", "usernym/demo/*.py",
                   "protocol/*.py", "actors/**/*.py", "storage/**/*.py", "mixnet/**/*.py")  # fmt: skip
WITHOUT_A_TEST: Final = {
    "warning": "it says what is not protected, or what the reader has to do",
    "trusted": "it says what Nym, the system or a library does; no test of ours can prove that",
    "term": "the words have another meaning here: no promise is made",
}
_KINDS: Final = re.compile("|".join(PHRASES), re.IGNORECASE)


@dataclass(frozen=True)
class Promise:
    """A row of the table."""

    sentence: str
    places: tuple[str, ...]
    proofs: tuple[str, ...]


def joined(text: str) -> str:
    """A text with single blanks for all white space."""
    return " ".join(text.split())


def promises() -> list[Promise]:
    """The rows of the page's table."""
    found = []
    for line in (ROOT / PAGE).read_text().splitlines():
        if line.startswith("| ") and not line.startswith("| sentence"):
            sentence, places, proofs = line.removeprefix("| ").removesuffix(" |").split(" | ")
            found.append(Promise(sentence.replace("\\|", "|"), tuple(places.split(", ")), tuple(proofs.split(", "))))
    return found


def prose(path: Path) -> Iterator[str]:
    """The pieces of a source in which a sentence may stand: a whole document, or each text that a program shows."""
    if path.suffix == ".md":
        yield joined(re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL))
        return
    if path.suffix == ".json":  # a catalogue: the page's modules hold no words
        yield from map(joined, json.loads(path.read_text()).values())
        return
    tree = ast.parse(path.read_text())
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr():
                skipped |= {id(value) for value in node.values}
                yield joined(
                    "".join(str(each.value) if isinstance(each, ast.Constant) else "{…}" for each in node.values)
                )
            case ast.Constant(value=str(text)) if " " in text and id(node) not in skipped:
                yield joined(text)


def sources() -> dict[str, list[str]]:
    """The prose of every source, by its path."""
    paths = [path for pattern in (*SOURCES, *PROGRAMS) for path in sorted(ROOT.glob(pattern))]
    return {path.relative_to(ROOT).as_posix(): list(prose(path)) for path in paths if path != ROOT / PAGE}


def uncovered(text: str, sentences: list[str]) -> Iterator[str]:
    """Each promising phrase in `text` that is in none of the sentences, with its surroundings."""
    spans = [match.span() for sentence in sentences for match in re.finditer(re.escape(sentence), text)]
    for phrase in _KINDS.finditer(text):
        if not any(start <= phrase.start() and phrase.end() <= end for start, end in spans):
            yield text[max(0, phrase.start() - 60) : phrase.end() + 60]


def test_every_sentence_stands_word_for_word_where_the_table_says() -> None:
    table = promises()
    named = {place for promise in table for place in promise.places}
    texts = {place: list(prose(ROOT / place)) for place in named if (ROOT / place).is_file()}
    missing = [
        f"{place}: {promise.sentence}"
        for promise in table
        for place in promise.places
        if not any(promise.sentence in text for text in texts.get(place, []))
    ]
    assert not missing, "\n".join(missing)


@pytest.mark.seconds
def test_every_promise_of_the_sources_is_in_the_table() -> None:
    table = promises()
    found = [
        f"{path}: … {phrase} …"
        for path, texts in sources().items()
        for text in texts
        for phrase in uncovered(text, [promise.sentence for promise in table if path in promise.places])
    ]
    assert not found, "\n".join(found)


def test_every_promise_has_a_test_or_says_why_it_has_none() -> None:
    for promise in promises():
        for proof in promise.proofs:
            assert proof.startswith("`tests/") or [proof] == [*promise.proofs], promise.sentence
            assert proof.startswith("`tests/") or proof in WITHOUT_A_TEST, promise.sentence
    assert len({promise.sentence for promise in promises()}) == len(promises()), "each sentence once"


def test_a_new_promise_is_noticed() -> None:
    assert list(uncovered("The node never learns your name.", [])) == ["The node never learns your name."]
    assert not list(uncovered("The node never learns your name.", ["The node never learns your name."]))


@pytest.mark.seconds
def test_every_test_that_the_table_names_is_collected() -> None:
    named = {proof.strip("`") for promise in promises() for proof in promise.proofs if proof.startswith("`")}
    files = sorted({name.partition("::")[0] for name in named})
    options = ["--collect-only", "-q", "-p", "no:cacheprovider", "-m", ""]
    done = subprocess.run(
        [sys.executable, "-Im", "pytest", *options, *files], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
    collected = {line.partition("[")[0] for line in done.stdout.splitlines()}
    assert named <= collected, named - collected
