"""`usernym completion SHELL`: what makes bash, zsh or fish complete `usernym` commands, made from the grammar.

The scripts find the command among the words typed so far, then offer its options and the values of the last option.
They start no program, so completion is instant.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from usernym.cli import grammar
from usernym.cli.command import Entry, Invocation
from usernym.cli.terminal import print_line
from usernym.settings import CommonSettings

SHELLS: Final = ("bash", "zsh", "fish")
_FILES: Final = "files"
_FOLDERS: Final = "folders"


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a command."""

    names: tuple[str, ...]
    help: str
    takes_value: bool
    offers: tuple[str, ...] | str
    """The values to choose from, or `files`, `folders`, or nothing."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A command with what may follow it."""

    name: str
    summary: str
    options: tuple[Option, ...]
    offers: tuple[str, ...] | str
    """For its argument, as of an option."""


def commands() -> list[Completed]:
    """All commands."""
    return [_completed(grammar.entry(name)) for name in grammar.names()]


def _completed(entry: Entry) -> Completed:
    options: list[Option] = []
    offers: tuple[str, ...] | str = ()
    for action in grammar.parser_of(entry).arguments:
        if action.option_strings:
            names, text = tuple(action.option_strings), (action.help or "").replace("%%", "%")
            options.append(Option(names, text, action.nargs != 0, _offers(action)))
        else:
            offers = _offers(action)
    return Completed(entry.name, entry.summary, tuple(options), offers)


def _offers(action: argparse.Action) -> tuple[str, ...] | str:
    if action.choices is not None and not isinstance(action.choices, range):
        return tuple(str(choice) for choice in action.choices)
    if action.type is Path or action.metavar == "CARD":
        return _FOLDERS if action.metavar in ("DIR", "FOLDER") else _FILES
    return ()


def _with_values(completed: list[Completed]) -> dict[str, tuple[str, ...] | str]:
    """All options that take a value, and what to offer for it. A name means the same in all commands."""
    return {
        name: option.offers
        for each in completed
        for option in each.options
        if option.takes_value
        for name in option.names
    }


# -- bash -------------------------------------------------------------------------------------------------------------

_BASH: Final = """\
# Completion of usernym for bash. Try it:  source <(usernym completion bash)
# Keep it:  usernym completion bash > ~/.local/share/bash-completion/completions/usernym

_usernym() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command="" word index skip=""
    COMPREPLY=()
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${{COMP_WORDS[index]}}
        if [[ $skip ]]; then skip=""; continue; fi
        case $word in
            {values}) skip=1 ;;
            -*) ;;
            *)
                case $command in
                    "") command=$word ;;
                    {groups}) command="$command $word" ;;
                esac ;;
        esac
    done
    if [[ $skip ]]; then
        case $previous in
{offers}
        esac
        return
    fi
    case $command in
{commands}
    esac
}}
complete -F _usernym usernym
"""


def bash() -> str:
    """The script for bash."""
    completed = commands()
    values = _with_values(completed)
    offers = [f"            {name}) {_bash_reply(offered)} ;;" for name, offered in values.items() if offered]
    rows = [
        f'        "") {_bash_reply(tuple(grammar.first_words()) + _common_names())} ;;',
        *(f"        {group}) {_bash_reply(_second_words(group))} ;;" for group in grammar.GROUPS),
    ]
    for each in completed:
        names = tuple(name for option in each.options for name in option.names)
        argument = f"; else {_bash_reply(each.offers)}" if each.offers else ""
        rows.append(
            f"        {shlex.quote(each.name)}) if [[ $current == -* ]]; then {_bash_reply(names)}{argument}; fi ;;"
        )
    return _BASH.format(
        values="|".join(values), groups="|".join(grammar.GROUPS), offers="\n".join(offers), commands="\n".join(rows)
    )


def _bash_reply(offered: tuple[str, ...] | str) -> str:
    if isinstance(offered, str):
        flag = {_FILES: "-f", _FOLDERS: "-d"}[offered]
        return f'compopt -o filenames; mapfile -t COMPREPLY < <(compgen {flag} -- "$current")'
    return f'mapfile -t COMPREPLY < <(compgen -W {shlex.quote(" ".join(offered))} -- "$current")'


def _common_names() -> tuple[str, ...]:
    return tuple(name for action in grammar.top_parser().arguments for name in action.option_strings)


def _second_words(group: str) -> tuple[str, ...]:
    return tuple(name.split()[1] for name in grammar.names() if name.split()[0] == group)


# -- zsh --------------------------------------------------------------------------------------------------------------

_ZSH: Final = """\
#compdef usernym
# Completion of usernym for zsh. Try it:  source <(usernym completion zsh)
# Keep it as the file _usernym in a folder of $fpath.

_usernym() {{
    local command="" word skip="" index
    local -a offered
    for ((index = 2; index < CURRENT; index++)); do
        word=$words[index]
        if [[ -n $skip ]]; then skip=""; continue; fi
        case $word in
            ({values}) skip=1 ;;
            (-*) ;;
            (*)
                case $command in
                    ("") command=$word ;;
                    ({groups}) command="$command $word" ;;
                esac ;;
        esac
    done
    if [[ -n $skip ]]; then
        case $words[CURRENT-1] in
{offers}
        esac
        return
    fi
    case $command in
{commands}
    esac
}}

# Loaded from $fpath this is the function itself; by `source` it is defined here.
if [[ $funcstack[1] == _usernym ]]; then _usernym "$@"; else compdef _usernym usernym; fi
"""


def zsh() -> str:
    """The script for zsh."""
    completed = commands()
    values = _with_values(completed)
    offers = [f"            ({name}) {_zsh_reply(offered)} ;;" for name, offered in values.items() if offered]
    rows = []
    for word in ("", *grammar.GROUPS):
        described = [_zsh_pair(name, summary) for name, summary in _words_after(word, completed)]
        rows.append(f"        ({shlex.quote(word)}) offered=({' '.join(described)}); _describe command offered ;;")
    for each in completed:
        names = " ".join(_zsh_pair(name, option.help) for option in each.options for name in option.names)
        argument = f"; else {_zsh_reply(each.offers)}" if each.offers else ""
        rows.append(
            f"        ({shlex.quote(each.name)}) if [[ $PREFIX == -* ]]; then offered=({names});"
            f" _describe -o option offered{argument}; fi ;;"
        )
    return _ZSH.format(
        values="|".join(values), groups="|".join(grammar.GROUPS), offers="\n".join(offers), commands="\n".join(rows)
    )


def _zsh_pair(name: str, text: str) -> str:
    return shlex.quote(f"{name}:{text}")


def _zsh_reply(offered: tuple[str, ...] | str) -> str:
    if isinstance(offered, str):
        return {_FILES: "_files", _FOLDERS: "_files -/"}[offered]
    return f"compadd -- {' '.join(offered)}"


def _words_after(group: str, completed: list[Completed]) -> Iterator[tuple[str, str]]:
    """What may stand after `usernym`, or after the first word of a group, with a summary."""
    for each in completed:
        first, _, second = each.name.partition(" ")
        if group:
            if first == group:
                yield second, each.summary
        elif not second:
            yield first, each.summary
    if not group:
        yield from grammar.GROUPS.items()


# -- fish -------------------------------------------------------------------------------------------------------------

_FISH: Final = """\
# Completion of usernym for fish. Keep it:  usernym completion fish > ~/.config/fish/completions/usernym.fish

function __usernym_command
    set -l command ""
    set -l skip ""
    set -l typed (commandline -opc)
    for word in $typed[2..]
        if test -n "$skip"
            set skip ""
            continue
        end
        switch $word
            case {values}
                set skip 1
            case '-*'
            case '*'
                switch $command
                    case ""
                        set command $word
                    case {groups}
                        set command "$command $word"
                end
        end
    end
    echo $command
end

complete -c usernym -f
{rows}
"""


def fish() -> str:
    """The script for fish."""
    completed = commands()
    rows = []
    for word in ("", *grammar.GROUPS):
        for name, summary in _words_after(word, completed):
            rows.append(f"complete -c usernym -n {_fish_if(word)} -a {name} -d {_fish_quoted(summary)}")
    for each in completed:
        condition = _fish_if(each.name)
        if each.offers:
            rows.append(f"complete -c usernym -n {condition} {_fish_reply(each.offers)}")
        for option in each.options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            value = f" -r {_fish_reply(option.offers)}" if option.takes_value else ""
            rows.append(f"complete -c usernym -n {condition} {names}{value} -d {_fish_quoted(option.help)}")
    return _FISH.format(values=" ".join(_with_values(completed)), groups=" ".join(grammar.GROUPS), rows="\n".join(rows))


def _fish_if(command: str) -> str:
    return _fish_quoted(f'test (__usernym_command) = "{command}"')


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish_reply(offered: tuple[str, ...] | str) -> str:
    if isinstance(offered, str):
        return {_FILES: "-F", _FOLDERS: "-a '(__fish_complete_directories)'"}[offered]
    return f"-x -a {_fish_quoted(' '.join(offered))}" if offered else "-x"


# -- the command ------------------------------------------------------------------------------------------------------


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or fish")


def completion(typed: Invocation[CommonSettings]) -> None:
    """`usernym completion SHELL`."""
    print_line({"bash": bash, "zsh": zsh, "fish": fish}[typed.given.shell]().rstrip("\n"))


ENTRIES: Final = (
    Entry("completion", "print what makes your shell complete usernym commands", completion, _options, "none"),
)  # fmt: skip
