"""The package's face: what it exports, that it is cheap to import, and that its help is short."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import usernym

HEAVY = ("pykka", "peewee", "cryptography", "websockets", "msgspec", "asyncio", "sqlcipher3", "starlette")


def fresh(code: str) -> str:
    """What a new interpreter prints."""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_the_names_are_the_same_in_all_places() -> None:
    tree = ast.parse(Path(usernym.__file__).read_text())
    shown_to_editors: dict[str, str] = {}
    for statement in tree.body:
        if isinstance(statement, ast.If):
            for imported in statement.body:
                assert isinstance(imported, ast.ImportFrom)
                assert imported.module is not None
                module = imported.module.removeprefix("usernym.")
                shown_to_editors |= {alias.name: module for alias in imported.names}
    assert shown_to_editors == usernym._MODULE_OF
    assert usernym.__all__ == sorted([*usernym._MODULE_OF, "__version__"])


@pytest.mark.parametrize("name", usernym.__all__)
def test_each_name_is_there_and_has_a_docstring(name: str) -> None:
    value = getattr(usernym, name)
    if isinstance(value, type):
        assert value.__module__ == f"usernym.{usernym._MODULE_OF[name]}", "defined where the table says"
        assert value.__doc__
        assert not value.__doc__.startswith(f"{name}("), "a dataclass without a docstring has its signature"
    assert f"`{name}`" in (usernym.__doc__ or "") or name == "__version__", "the overview names it"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = usernym.nonsense
    with pytest.raises(ImportError):
        from usernym import more_nonsense  # noqa: F401 - what is tested


def test_importing_it_imports_nothing_else() -> None:
    loaded = fresh("import sys, usernym; usernym.__version__; print(*sys.modules)").split()
    assert "usernym" in loaded
    assert [name for name in HEAVY if name in loaded] == []
    assert fresh("from usernym import Code; print(Code.BUSY.name)") == "BUSY\n"


def test_its_help_fits_a_few_screens() -> None:
    shown = fresh("import pydoc, usernym; print(pydoc.render_doc(usernym, renderer=pydoc.plaintext))")
    assert "AsyncClient" in shown
    assert len(shown.splitlines()) < 150
