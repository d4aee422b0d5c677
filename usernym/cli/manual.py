"""The man page, made from the grammar: `python -m usernym.cli.manual > usernym.1`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Final

from usernym._version import __version__
from usernym.cli import grammar
from usernym.cli.failures import MEANINGS
from usernym.cli.grammar import Parser, sentence

_VARIABLES: Final = (
    ("USERNYM_PASSPHRASE", "the passphrase of the home, or of a node's backup"),
    ("USERNYM_NEW_PASSPHRASE", "the new passphrase, for passphrase"),
    ("USERNYM_BACKUP_PASSPHRASE", "the passphrase of a backup, for export and import"),
    ("USERNYM_HOME", "the home, if --home does not name one"),
    ("USERNYM_CONFIG", "the settings file, if --config does not name one"),
    ("USERNYM_…", "any setting, in capital letters, as USERNYM_TIMEOUT"),
)
_FILES: Final = (
    ("~/.local/share/usernym", "the home of a client, if none is named"),
    ("~/.local/share/usernym-node", "the home of a node, if none is named"),
    ("usernym.toml", "settings, in the home"),
)


def page() -> str:
    """The page, for groff's man macros."""
    date = time.strftime("%Y-%m-%d", time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))))
    lines = [
        f'.TH USERNYM 1 "{date}" "usernym {__version__}" "User Commands"',
        ".SH NAME",
        r"usernym \- find people by username on the Nym mixnet, and write to them",
        ".SH SYNOPSIS",
        ".B usernym",
        r"[OPTIONS] COMMAND \&…",
        ".SH DESCRIPTION",
        _text(grammar.DESCRIPTION),
        "A command works on a home, a folder that one process holds at a time.",
        "While one command holds the home, others hand their work to it.",
        _text(grammar.SETTINGS_NOTE),
        ".SH OPTIONS",
        "Every command takes these, before its name or after it.",
        *_options(grammar.group_parser(""), grammar.COMMON),
        ".SH COMMANDS",
        f"Commands on a client's home also take {_text(_shared_names())}.",
    ]
    for title, entries in grammar.by_topic():
        lines.append(f".SS {_text(sentence(title).rstrip('.'))}")
        for entry in entries:
            parser = grammar.parser_of(entry)
            lines += [".TP", f".B {_text(str(parser.usage))}", _text(sentence(entry.summary))]
            own = _options(parser, None)
            lines += [".RS", *own, ".RE"] if own else []
    lines += [".SH ENVIRONMENT", *_terms(_VARIABLES), ".SH FILES", *_terms(_FILES), ".SH EXIT STATUS"]
    lines += _terms(tuple((str(int(code)), meaning) for code, meaning in MEANINGS.items()))
    return "\n".join(lines) + "\n"


def _shared_names() -> str:
    parser = grammar.parser_of(grammar.entry("whoami"))
    names = [name for action in parser.listed(grammar.SHARED) for name in action.option_strings]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _options(parser: Parser, group: str | None) -> list[str]:
    """The options of a group, or a command's own arguments and options."""
    lines = []
    for action in parser.listed(group):
        if action.help is argparse.SUPPRESS or "--help" in action.option_strings:
            continue
        value = f" {_value(action)}" if action.option_strings and action.nargs != 0 else ""
        name = ", ".join(action.option_strings) + value if action.option_strings else str(action.metavar)
        lines += [".TP", f".B {_text(name)}", _text(sentence(action.help)) if action.help else r"\&"]
    return lines


def _value(action: argparse.Action) -> str:
    if action.metavar is None and action.choices is not None:
        return "|".join(str(choice) for choice in action.choices)
    return str(action.metavar or action.dest.upper())


def _terms(rows: tuple[tuple[str, str], ...]) -> list[str]:
    return [line for name, text in rows for line in (".TP", f".B {_text(name)}", _text(sentence(text)))]


def _text(text: str) -> str:
    """Text that groff prints as it is."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("`", r"\(ga").replace("'", r"\(aq")
    return rf"\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    sys.stdout.write(page())
