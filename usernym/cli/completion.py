"""`usernym completion SHELL`: what makes bash, zsh or fish complete `usernym` commands.

The script asks the program itself: `usernym completion SHELL WORD…` prints what may stand in place of the last word.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from usernym.cli import grammar
from usernym.cli.command import Entry, Invocation, option
from usernym.cli.terminal import print_whole
from usernym.settings import CommonSettings

FILES: Final = "\tfiles"
FOLDERS: Final = "\tfolders"
"""What is printed instead of words where the shell itself knows what to offer."""

SCRIPTS: Final = {
    "bash": r"""# Completion of usernym for bash. Try it:  source <(usernym completion bash)
# Keep it:  usernym completion bash > ~/.local/share/bash-completion/completions/usernym

_usernym() {
    local current=${COMP_WORDS[COMP_CWORD]}
    mapfile -t COMPREPLY < <(usernym completion bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
    case ${COMPREPLY[0]-} in
        $'\tfiles') compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        $'\tfolders') compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    esac
}
complete -F _usernym usernym""",
    "zsh": r"""#compdef usernym
# Completion of usernym for zsh. Try it:  source <(usernym completion zsh)
# Keep it as the file _usernym in a folder of $fpath.

_usernym() {
    local -a offered
    offered=("${(@f)$(usernym completion zsh "${(@)words[2,CURRENT]}" 2> /dev/null)}")
    case $offered[1] in
        ($'\tfiles') _files ;;
        ($'\tfolders') _files -/ ;;
        (?*) _describe usernym offered ;;
    esac
}

# Loaded from $fpath this is the function itself; by `source` it is defined here.
if [[ $funcstack[1] == _usernym ]]; then _usernym "$@"; else compdef _usernym usernym; fi""",
    "fish": r"""# Completion of usernym for fish. Keep it:
# usernym completion fish > ~/.config/fish/completions/usernym.fish

function __usernym_offered
    set -l current (commandline -ct)
    set -l typed (commandline -opc)
    set -l offered (usernym completion fish $typed[2..] "$current" 2> /dev/null)
    switch "$offered[1]"
        case \tfiles
            __fish_complete_path "$current"
        case \tfolders
            __fish_complete_directories "$current"
        case '*'
            printf '%s\n' $offered
    end
end
complete -c usernym -f -a '(__usernym_offered)'""",
}
_BETWEEN: Final = {"zsh": ":", "fish": "\t"}
"""What stands between a word and its summary; bash shows none."""


def offered(words: list[str]) -> Iterator[tuple[str, str]]:
    """What may stand in place of the last of `words`, which follow `usernym`; each with a summary."""
    *before, current = words
    name, parser, valued, arguments = "", grammar.group_parser(""), None, 0
    for word in before:
        options = {each: action for action in parser.arguments for each in action.option_strings}
        if valued is not None:
            valued = None
        elif word.startswith("-"):
            valued = options[word] if word in options and options[word].nargs != 0 else None
        elif name in grammar.GROUPS:
            name = f"{name} {word}".strip()
            if name in grammar.GROUPS:
                parser = grammar.group_parser(name)
            elif name in grammar.names():
                parser = grammar.parser_of(grammar.entry(name))
            else:
                return
        else:
            arguments += 1
    if valued is not None:
        found = _values(valued)
    elif current.startswith("-"):
        found = [
            (each, (action.help or "").replace("%%", "%"))
            for action in parser.arguments
            for each in action.option_strings
        ]
    elif name in grammar.GROUPS:
        found = grammar.words_after(name)
    else:
        actions = [action for action in parser.arguments if not action.option_strings]
        found = _values(actions[arguments]) if arguments < len(actions) else []
    yield from ((word, text) for word, text in found if word.startswith((current, "\t")))


def _values(action: argparse.Action) -> list[tuple[str, str]]:
    if action.choices is not None and not isinstance(action.choices, range):
        return [(str(choice), "") for choice in action.choices]
    if action.type is Path or action.metavar == "CARD":
        return [(FOLDERS if action.metavar in ("DIR", "FOLDER") else FILES, "")]
    return []


def completion(typed: Invocation[CommonSettings]) -> None:
    """`usernym completion SHELL`."""
    shell, words = typed.given.shell, typed.given.words
    if not words:
        print_whole(f"{SCRIPTS[shell]}\n")
        return
    for word, summary in offered(words):
        print_whole(f"{word}{_BETWEEN[shell]}{summary}\n" if summary and shell in _BETWEEN else f"{word}\n")


ENTRIES: Final = (
    Entry("completion", "print what makes your shell complete usernym commands", completion,
          (option("shell", metavar="SHELL", choices=tuple(SCRIPTS), help="bash, zsh or fish"),
           option("words", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)), "none"),
)  # fmt: skip
