"""The house rules that no linter has: one name for one class, and files that can be read at once."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PRODUCT: Final = ("usernym", "actors", "protocol", "storage", "mixnet", "testing", "chat")
LINES_MAX: Final = 500
"""What a person reads in one go. Splitting one class over files to stay below it is worse than a long file."""
LONGER: Final = {
    "actors/messages.py": (560, "all that actors tell each other, in one place: a list, which one looks things up in"),
    "usernym/client.py": (655, "all that a program can do with a client, in one class; a third of it is docstrings"),
}
"""Files of the product and of the tests that may be longer: up to how many lines, and why."""
TWICE: Final[dict[str, str]] = {}
"""Names that two classes of the product have, and why."""


def sources(*folders: str) -> list[Path]:
    """The Python files of these folders; the links from one package into another are not followed."""
    return [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not any(parent.is_symlink() for parent in path.parents)
    ]


def test_no_two_classes_of_the_product_have_one_name() -> None:
    found = defaultdict(list)
    for path in sources(*PRODUCT):
        for node in ast.walk(ast.parse(path.read_text())):
            # A nested class is named by the one around it; a private one is its module's own affair.
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.name != "Meta":
                found[node.name].append(str(path.relative_to(ROOT)))
    assert len(found) > 300
    twice = {name: places for name, places in found.items() if len(places) > 1 and name not in TWICE}
    assert twice == {}


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in sources(*PRODUCT, "tests", "bench")
    }
    assert len(lines) > 250
    bounds = {name: most for name, (most, _) in LONGER.items()}
    assert {name: count for name, count in lines.items() if count > bounds.get(name, LINES_MAX)} == {}
    assert all(lines[name] > LINES_MAX for name in LONGER), "an exception that is not needed any more"
