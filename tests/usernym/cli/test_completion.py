"""Completion: what the program offers, and what the installed shells make of it."""

from __future__ import annotations

import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from usernym.cli import completion, grammar


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"there is no {shell} on this machine")


def environment(folder: Path) -> dict[str, str]:
    """One in which shells find the program, and nothing of the user's."""
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(folder), "TERM": "dumb"}


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def offered_by_bash(line: str, folder: Path) -> list[str]:
    (folder / "usernym.bash").write_text(completion.SCRIPTS["bash"])
    words = [*shlex.split(line), ""] if line.endswith(" ") else shlex.split(line)
    script = (
        "compopt() { :; }\n"
        f"source usernym.bash; COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1};"
        ' _usernym; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return run("bash", "--norc", "-c", script, folder=folder).split()


def offered_by_fish(line: str, folder: Path) -> list[str]:
    (folder / "usernym.fish").write_text(completion.SCRIPTS["fish"])
    script = f"source usernym.fish; complete -C {shlex.quote(line)}"
    shown = run("fish", "--no-config", "-c", script, folder=folder)
    return [row.partition("\t")[0] for row in shown.splitlines()]


@pytest.mark.processes
@pytest.mark.parametrize("offered", [pytest.param(offered_by_bash, marks=needs("bash"), id="bash"),
                                     pytest.param(offered_by_fish, marks=needs("fish"), id="fish")])  # fmt: skip
def test_a_shell_offers_what_may_follow(offered: Any, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "some.card").touch()
    assert set(offered("usernym ", tmp_path)) >= set(grammar.first_words())
    assert set(offered("usernym re", tmp_path)) == {"register", "restore", "replace-identity", "requests", "retry"}
    of_node = {"run", "card", "status", "drain", "backup", "restore", "move", "check", "log", "witness"}
    assert set(offered("usernym node ", tmp_path)) == of_node
    assert set(offered("usernym node log ", tmp_path)) == {"export", "recover"}
    assert offered("usernym --json --home folder node run --form", tmp_path) == ["--former-mixnet"]
    assert set(offered("usernym send bob hello --wait ", tmp_path)) == {"queued", "accepted", "delivered"}
    assert offered("usernym send bob hello --wa", tmp_path) == ["--wait"]
    assert "--wait" not in offered("usernym whoami --", tmp_path)
    assert offered("usernym completion z", tmp_path) == ["zsh"]
    assert [each.rstrip("/") for each in offered("usernym export fol", tmp_path)] == ["folder"]
    assert offered("usernym whoami --node some", tmp_path) == ["some.card"]


@pytest.mark.processes
@needs("zsh")
def test_zsh_offers_what_may_follow(tmp_path: Path) -> None:
    """Typed into a zsh on a terminal, since its completion works nowhere else."""
    (tmp_path / "_usernym").write_text(completion.SCRIPTS["zsh"])
    (tmp_path / ".zshrc").write_text(
        "PROMPT='> '; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; setopt no_beep\n"
        "zstyle ':completion:*' list-prompt ''; LISTMAX=1000\n"
    )
    asked = {"usernym node ca\t": "card ", "usernym send b t --wait del\t": "delivered ", "usernym his\t": "history "}
    for typed, completed in asked.items():
        controller, terminal = pty.openpty()
        shell = subprocess.Popen(
            ["zsh", "-i"], cwd=tmp_path, env=environment(tmp_path) | {"ZDOTDIR": str(tmp_path)},
            stdin=terminal, stdout=terminal, stderr=terminal,
            start_new_session=True,
        )  # fmt: skip
        os.close(terminal)
        try:
            shown = read_until(controller, r"> ")
            os.write(controller, typed.encode())
            shown = read_until(controller, re.escape(completed))
            assert completed in shown
        finally:
            shell.kill()
            shell.wait()
            os.close(controller)


def read_until(controller: int, wanted: str) -> str:
    import select
    import time

    shown, end = "", time.monotonic() + 20.0
    while not re.search(wanted, shown):
        assert time.monotonic() < end, repr(shown)
        if select.select([controller], [], [], 0.2)[0]:
            shown += os.read(controller, 4096).decode(errors="replace")
    return shown


def words(*typed: str) -> list[str]:
    return [word for word, _ in completion.offered(list(typed))]


def test_every_command_and_option_is_offered() -> None:
    assert set(words("")) == set(grammar.first_words())
    of_a_node = [name.split()[1:] for name in grammar.names() if name.startswith("node ")]
    assert set(words("node", "")) == {first for first, *_ in of_a_node}
    assert set(words("node", "log", "")) == {rest[0] for _, *rest in of_a_node if rest}
    for name in grammar.names():
        options = {
            each for action in grammar.parser_of(grammar.entry(name)).arguments for each in action.option_strings
        }
        assert set(words(*name.split(), "-")) == options


def test_an_options_value_is_no_argument() -> None:
    assert words("--home", "send", "completion", "--timeout", "5s", "z") == ["zsh"]
    assert words("completion", "zsh", "") == []
    assert words("no-such-command", "") == []
    assert words("node", "no-such-command", "") == []


def test_what_is_offered_is_summarized(typed: Any) -> None:
    assert "delete-account:delete the account; its name is kept for you\n" in typed("completion", "zsh", "del").out
    assert typed("completion", "fish", "send", "--wai").out.startswith("--wait\tuntil it is stored here")
    assert typed("completion", "bash", "send", "--wai").out == "--wait\n"


@pytest.mark.parametrize("shell", completion.SCRIPTS)
def test_the_command_prints_the_script(typed: Any, shell: str) -> None:
    assert typed("completion", shell).out == completion.SCRIPTS[shell] + "\n"


def test_an_unknown_shell_is_refused(typed: Any) -> None:
    assert typed("completion", "csh").code == 2
