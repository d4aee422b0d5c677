"""Writes docs/json.md from the command line's own types: `make json`."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from usernym.cli import grammar

HEAD = """# What `--json` prints

With `--json` a command prints one JSON object a line on the standard output, in ASCII. A command
that runs until it is stopped prints one for each event, with the key `event`. This page is made
from the program's own types (`make json`), and a test compares them.

Moments are Unix seconds. Keys and ids are hexadecimal digits. A reason is the name of a refusal
code in small letters ([protocol.md](protocol.md#refusals)). More keys may be added; ignore those that
you do not know.

A command that fails prints `{"error": …, "text": …, "exit": …}`: a word for programs, a sentence
for people, and the exit code ([the command line](commands.md#exit-codes)). `register` adds
`recovery_words` if it made some. `node check` adds `problems` (sentences) and `found` (their
number). `simulate` adds the keys of its object, `replay` (the line that repeats the failure) and
`wrong` (sentences).
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    shown: dict[type, None] = {}
    for title, entries in grammar.by_topic():
        parts.append(f"## {grammar.sentence(title).rstrip('.')}\n")
        for entry in entries:
            if entry.prints:
                names = ", ".join(f"[{_title(kind)}](#{_anchor(kind)})" for kind in entry.prints)
                wrapped = textwrap.wrap(
                    f"- `{entry.name}`: {names}", 100, subsequent_indent="  ", break_on_hyphens=False
                )
                parts.append("\n".join(wrapped))
                shown |= dict.fromkeys(entry.prints)
            else:
                parts.append(f"- `{entry.name}`: no JSON")
        parts.append("")
    parts.append("## The objects\n")
    waiting = list(shown)
    for kind in waiting:
        parts.append(_section(kind))
        waiting += [each for each in _inside(kind) if each not in waiting]
    return "\n".join(parts).rstrip() + "\n"


def _title(kind: type) -> str:
    is_event = kind.__struct_config__.tag is not None  # type: ignore[attr-defined]
    return kind.__name__.removesuffix("Reply").removesuffix("Json") + (" event" if is_event else "")


def _anchor(kind: type) -> str:
    return _title(kind).lower().replace(" ", "-")


def _section(kind: type) -> str:
    lines = [
        f"### {_title(kind)}\n",
        *textwrap.wrap(_first(kind.__doc__), 100),
        "",
        "| key | value | |",
        "|---|---|---|",
    ]
    config = kind.__struct_config__  # type: ignore[attr-defined]
    if config.tag is not None:
        lines.append(f'| `{config.tag_field}` | `"{config.tag}"` | |')
    hints, notes = get_type_hints(kind), _notes(kind)
    lines += [
        f"| `{field.encode_name}` | {_words(hints[field.name])} | {notes.get(field.name, '')} |"
        for field in msgspec.structs.fields(kind)
    ]
    return "\n".join(lines) + "\n"


def _first(text: str | None) -> str:
    return " ".join((text or "").split())


def _notes(kind: type) -> dict[str, str]:
    """The docstrings below the fields, of the bases too."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if each.__module__.startswith("usernym."):
            (body,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
            assert isinstance(body, ast.ClassDef)
            for field, after in zip(body.body, body.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
                    assert isinstance(field.target, ast.Name)
                    found[field.target.id] = _first(ast.literal_eval(after.value))
    return found


def _words(kind: Any) -> str:
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{msgspec.json.encode(each).decode()}`" for each in arguments)
    if get_origin(kind) is list:
        return f"list of {_words(arguments[0])}"
    if get_origin(kind) is dict:
        return f"object: names to {_words(arguments[1])}"
    if arguments:  # a union with None
        return " or ".join("null" if each is type(None) else _words(each) for each in arguments)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return f"[{_title(kind)}](#{_anchor(kind)})"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}[kind]


def _inside(kind: type) -> list[type]:
    """The objects inside an object of this type."""
    hints = [each for hint in get_type_hints(kind).values() for each in (hint, *get_args(hint))]
    return [each for each in hints if isinstance(each, type) and issubclass(each, msgspec.Struct)]


if __name__ == "__main__":
    sys.stdout.write(page())
