"""Which files of the product run, in which order: for the walks in docs/architecture.md, and the tests that check them.

with walking("actors/") as files:
    alice.look_up("bob")
assert files == documented_walk("Walk: a lookup")
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final
from unittest.mock import patch

import usernym
from usernym.actors.base import Actor

PACKAGE: Final = Path(usernym.__file__).parent
ARCHITECTURE: Final = PACKAGE.parent / "docs" / "architecture.md"
_ROW: Final = re.compile(r"^\| *\d+ *\| *`([\w/]+\.py)`", re.MULTILINE)


def product_file(code: CodeType) -> str | None:
    """The file of a function, as its path in the repository (`actors/base.py`, `usernym/node.py`); None if it is not
    the product's, or if it is a module's own body, which runs when it is imported."""
    path = Path(code.co_filename)
    if code.co_name == "<module>" or not path.is_relative_to(PACKAGE):
        return None
    inside = path.relative_to(PACKAGE)
    in_a_link = len(inside.parts) > 1 and (PACKAGE / inside.parts[0]).is_symlink()
    return inside.as_posix() if in_a_link else f"usernym/{inside.as_posix()}"


@contextmanager
def walking(
    *rooms: str, without: tuple[str, ...] = (), actors: Iterable[Actor[Any]] | None = None
) -> Iterator[list[str]]:
    """Within the block: the files whose functions are called, in the order of their first calls.

    Only files below `rooms` (all, if there is none) and not below `without` count. Threads that start within the block
    count too; those that run already do not. With `actors`, which are a simulation's, only what they do counts.
    """
    files: list[str] = []
    known: dict[CodeType, None] = {}
    lock = threading.Lock()

    def profile(frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event != "call" or code in known:
            return
        with lock:
            known[code] = None
            file = product_file(code)
            if file is None or file in files or (rooms and not file.startswith(rooms)) or file.startswith(without):
                return
            files.append(file)

    def begin() -> None:
        threading.setprofile(profile)
        sys.setprofile(profile)

    def end() -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def traced(handle: Callable[[Any], None]) -> Callable[[Any], None]:
        def handle_traced(message: Any) -> None:
            begin()
            try:
                handle(message)
            finally:
                end()

        return handle_traced

    with ExitStack() as patches:
        if actors is None:
            patches.callback(end)
            begin()
        for actor in actors or ():
            patches.enter_context(patch.object(actor, "_handle_receive", traced(actor._handle_receive)))
        yield files


def documented_walk(heading: str) -> list[str]:
    """The files that docs/architecture.md lists under a heading: the second column of its numbered table.

    Raises `ValueError` if there is no such heading, or no table under it.
    """
    text = ARCHITECTURE.read_text(encoding="utf-8")
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    files = [] if found is None else _ROW.findall(found[1])
    if not files:
        raise ValueError(f"docs/architecture.md has no walk under the heading {heading!r}")
    return files
