"""Every word of the page stands in one catalogue, and the page's own files keep to its rules."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args, get_type_hints

import pytest

import usernym.chat
from usernym.chat.files import STATIC
from usernym.chat.wire import PROBLEMS, WarningsWire

CATALOGUE: Final = STATIC / "words" / "en.json"
VENDOR: Final = STATIC / "vendor"
PLURALS: Final = ("zero", "one", "two", "few", "many", "other")
FROM_THE_PROGRAM: Final = ("problem.", "caught.")
"""Keys whose last part the program names: `wire.PROBLEMS`, `Warnings.caught`."""
READ_ATTRIBUTES: Final = ("title", "aria-label", "placeholder", "alt", "label", "lead", "hint", "aria-description")
_LETTERS: Final = re.compile(r"[^\W\d_]{2,}")
_SENTENCE: Final = re.compile(r"(?<![\w.-])[^\W\d_]{2,}[,;]? [^\W\d_]{1,}(?![\w-])")
"""Two words. Classes and selectors of CSS have a dash or a dot in one of them."""
_FOR_PROGRAMMERS: Final = (ast.Raise, ast.Assert)
"""What an exception holds, no window is shown (`test_problems.py`)."""
FORBIDDEN: Final = (
    "innerHTML", "outerHTML", "insertAdjacentHTML", "dangerouslySetInnerHTML", "document.write", "eval(", "Function(",
    "setAttribute(\"style\"", "createPolicy", "srcdoc", "http://", "https://", "importScripts", "WebAssembly",
)  # fmt: skip
LINES_MAX: Final = 300


def scripts() -> dict[str, str]:
    """The page's own modules."""
    found = {str(path.relative_to(STATIC)): path.read_text() for path in sorted(STATIC.rglob("*.js"))}
    return {name: text for name, text in found.items() if not name.startswith("vendor/")}


def without_comments(source: str) -> str:
    source = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    return re.sub(r"(?m)^\s*//.*$|(?<=[;,{}\])]) // .*$", "", source)


def catalogue() -> dict[str, str]:
    def once(pairs: list[tuple[str, str]]) -> dict[str, str]:
        found = dict(pairs)
        assert len(found) == len(pairs), "a key stands twice"
        return found

    words: dict[str, str] = json.loads(CATALOGUE.read_text(), object_pairs_hook=once)
    return words


def stem(key: str) -> str:
    """The key as a module names it: without the form of a plural."""
    head, _, tail = key.rpartition(".")
    return head if tail in PLURALS else key


def asked_for(source: str) -> set[str]:
    """Keys that a module may ask for: each text in quotes that has a key's form."""
    return set(re.findall(r"\"([a-z_]+(?:\.[a-z_]+)*)\"", source))


def templates(source: str) -> Iterator[str]:
    """The page's pieces of markup, each with `{}` where a value is put in."""
    at = 0
    while (begin := source.find("html`", at)) >= 0:
        text, place = _markup(source, begin + len("html`"))
        yield text
        at = begin + len("html`")
        assert place > begin


def _markup(source: str, place: int) -> tuple[str, int]:
    shown = []
    while source[place] != "`":
        if source.startswith("${", place):
            shown.append("{}")
            place = _value_end(source, place + 2)
        else:
            shown.append(source[place])
            place += 1
    return "".join(shown), place + 1


def _value_end(source: str, place: int) -> int:
    depth = 1
    while depth:
        letter = source[place]
        if letter == "`":
            _, place = _markup(source, place + 1)
            continue
        if letter in "\"'":
            place = source.index(letter, place + 1)
        depth += (letter == "{") - (letter == "}")
        place += 1
    return place


def literals(source: str) -> list[str]:
    """Words for a person that stand in markup itself, and not in the catalogue."""
    found = []
    for markup in templates(without_comments(source)):
        for text in re.findall(r">([^<>]*)<", f">{re.sub(r'=>', '', markup)}<"):
            shown = text.replace("{}", "")
            if "=" not in shown and _LETTERS.search(shown):
                found.append(text)
        for name, value in re.findall(r"([\w-]+)=\"([^\"]*)\"", markup):
            if name in READ_ATTRIBUTES and _LETTERS.search(value):
                found.append(f"{name}={value}")
    return found


def sentences_of_script(source: str) -> list[str]:
    """Strings of a module with two words or more, beside its markup; but for what is only thrown."""
    plain = re.sub(r"new Error\([^)]*\)", "", without_comments(source))
    strings = re.findall(r"(\w=)?\"([^\"\n]*)\"", plain)
    return [text for attribute, text in strings if not attribute and _SENTENCE.search(text)]


def sentences_of_program(source: str) -> list[str]:
    """Strings of a Python module with two words or more that could leave it: not what describes it, what is raised or
    logged, what is compared with, or markup."""
    tree = ast.parse(source)
    parent = {child: above for above in ast.walk(tree) for child in ast.iter_child_nodes(above)}

    def stays(node: ast.AST) -> bool:
        above = parent.get(node)
        match above:
            case None:
                return False
            case ast.Expr() if isinstance(node, ast.Constant):
                return True
            case ast.Call(func=ast.Attribute(value=ast.Name(id="logger"))):
                return True
            case ast.Dict(keys=keys) if node in keys:
                return True
            case _:
                return isinstance(above, _FOR_PROGRAMMERS) or stays(above)

    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and not stays(node):
            text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            if _SENTENCE.search(text) and not text.startswith("<"):
                found.append(text)
    return found


def test_every_key_that_a_module_asks_for_has_words() -> None:
    words = catalogue()
    stems = {stem(key) for key in words}
    sections = {key.split(".")[0] for key in stems if "." in key}
    missing = set()
    for name, source in scripts().items():
        keys = {key for key in asked_for(source) if "." in key and key.split(".")[0] in sections}
        keys |= set(re.findall(r"(?<![\w.])[tn]\(\"([^\"]+)\"", source))
        missing |= {f"{name}: {key}" for key in keys - stems}
    assert missing == set()


def test_every_word_of_the_catalogue_is_used() -> None:
    asked = set().union(*(asked_for(source) for source in scripts().values()))
    unused = {key for key in catalogue() if stem(key) not in asked and not key.startswith(FROM_THE_PROGRAM)}
    assert unused == set()


def test_everything_that_the_program_may_say_has_words() -> None:
    stems = {stem(key) for key in catalogue()}
    (caught,) = get_args(get_type_hints(WarningsWire)["caught"])
    wanted = {f"problem.{code}" for code in PROBLEMS} | {f"caught.{code}" for code in get_args(caught)}
    assert wanted - stems == set()
    of_the_program = {key for key in stems if key.startswith(FROM_THE_PROGRAM)}
    assert of_the_program - wanted == {"caught.unknown"}


def test_plurals_have_the_forms_of_english() -> None:
    words = catalogue()
    for key in words:
        if key.rpartition(".")[2] in PLURALS:
            assert {f"{stem(key)}.one", f"{stem(key)}.other"} <= words.keys(), key


def test_no_sentence_sends_a_reader_to_a_command() -> None:
    """But to the one that they have typed to get here."""
    typed = "register|restore|send|listen|node|mixnet|export|import|verify|block|demo"
    commands = re.compile(rf"`|\bmake \w|usernym (?:{typed})\b|No module|--\w")
    told = {key: sentence for key, sentence in catalogue().items() if commands.search(sentence)}
    assert told == {}


@pytest.mark.parametrize("name", sorted(scripts()))
def test_no_module_has_words_of_its_own(name: str) -> None:
    assert literals(scripts()[name]) == []
    assert sentences_of_script(scripts()[name]) == []


@pytest.mark.parametrize("path", sorted(Path(usernym.chat.__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_no_sentence_of_the_program_reaches_a_reader(path: Path) -> None:
    assert sentences_of_program(path.read_text()) == []


def test_what_is_put_into_a_problem_is_no_sentence() -> None:
    """A number, a moment, a path that the user typed, or the kind of a bug: nothing in one language."""
    words = {key: sentence for key, sentence in catalogue().items() if key.startswith("problem.")}
    filled = {blank for sentence in words.values() for blank in re.findall(r"\{(\w+)\}", sentence)}
    assert filled == {"count", "different", "path", "kind"}


def test_words_in_markup_are_noticed() -> None:
    planted = 'html`<p title="Say it">${a ? html`<b>Hello you</b>` : t("x")} and more</p><i class="no word">${b}</i>`'
    assert literals(planted) == ["{} and more", "title=Say it", "Hello you"]


def test_sentences_beside_markup_are_noticed() -> None:
    script = (
        'const a = "row is-end"; html`<i class="soft small">`; model.say("It went wrong"); throw new Error("no no");'
    )
    assert sentences_of_script(script) == ["It went wrong"]
    program = """
def take(text):
    \"\"\"Say what it does.\"\"\"
    logger.warning("it is %s", text)
    if text == {"it has ended": 1}:
        raise ValueError("not this one")
    send(b"go away", headers("<p>one two</p>"))
    return Problem("settings", {"text": f"it is {text}"})
"""
    assert sentences_of_program(program) == ["go away", "it is "]


@pytest.mark.parametrize("name", sorted(scripts()))
def test_no_module_makes_code_or_markup_of_a_text_or_asks_others(name: str) -> None:
    source = without_comments(scripts()[name])
    assert [word for word in FORBIDDEN if word in source.replace("https?://", "")] == []
    assert not re.search(r"style=(?!\$)", source), "the policy refuses inline styles"


def test_modules_are_small() -> None:
    lines = {name: len(source.splitlines()) for name, source in scripts().items()}
    assert len(lines) > 50
    assert {name: count for name, count in lines.items() if count > LINES_MAX} == {}


def test_the_html_has_no_script_and_no_style_of_its_own() -> None:
    html = (STATIC / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert "<style" not in html
    assert "style=" not in html
    assert re.findall(r"(?:src|href)=\"(?!/static/)", html) == []


def test_code_of_others_is_as_it_was_published() -> None:
    rows = re.findall(r"^\| `([^`]+)` .*`([0-9a-f]{64})` \|$", (VENDOR / "README.md").read_text(), re.MULTILINE)
    found = {name: (VENDOR / name).read_bytes() for name, _ in rows}
    found["hooks.js"] = found["hooks.js"].replace(b'from"./preact.js"', b'from"preact"')
    assert {name: hashlib.sha256(content).hexdigest() for name, content in found.items()} == dict(rows)
    assert {path.name for path in VENDOR.iterdir()} == {name for name, _ in rows} | {"README.md", "licences.txt"}
    licences = (VENDOR / "licences.txt").read_text()
    for named in ("Jason Miller", "Apache License", "SIL OPEN FONT LICENSE", "The Inter Project Authors"):
        assert named in licences


def test_every_module_is_reached_from_the_first() -> None:
    sources = scripts()
    reached, todo = set(), ["start.js"]
    while todo:
        name = todo.pop()
        if name in reached or name.startswith("vendor/"):
            continue
        reached.add(name)
        for found in re.findall(r"from \"(\.[^\"]+)\"|import \"(\.[^\"]+)\"", sources[name]):
            path = (STATIC / name).parent / (found[0] or found[1])
            todo.append(str(Path(path).resolve().relative_to(STATIC.resolve())))
    assert set(sources) - reached == set()
