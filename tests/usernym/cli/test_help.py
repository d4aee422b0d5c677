"""Help, suggestions, the man page and the sign of life."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from usernym.cli import grammar, terminal
from usernym.cli.manual import page


def test_every_topic_and_command_is_in_the_help(typed: Any) -> None:
    shown = typed("--help").out
    for topic in grammar.TOPICS:
        assert f"\n{topic.title}:\n" in shown
        for name in topic.names:
            assert re.search(rf"^  {name} ", shown, re.MULTILINE), name
    assert max(map(len, shown.splitlines())) <= 120


def test_the_table_and_the_modules_agree() -> None:
    for topic in grammar.TOPICS:
        entries = [grammar.entry(name) for name in topic.names]
        assert [entry.name for entry in entries] == list(topic.names)
    assert len(grammar.names()) == len(set(grammar.names()))
    for module in {topic.module for topic in grammar.TOPICS}:
        made = [entry.name for entry in import_module(f"usernym.cli.{module}").ENTRIES]
        listed = [name for topic in grammar.TOPICS if topic.module == module for name in topic.names]
        assert made == listed, f"TOPICS lists the commands of {module}.py in the order of its ENTRIES"
    with pytest.raises(KeyError):
        grammar.entry("no-such-command")


def test_a_commands_own_options_come_first(typed: Any) -> None:
    shown = typed("history", "--help").out
    places = [
        shown.index(each) for each in ("--limit", f"{grammar.SHARED}:", "--mixnet", f"{grammar.COMMON}:", "--home")
    ]
    assert places == sorted(places)
    assert "usage: usernym history [OPTIONS] NAME\n" in shown


def test_a_group_has_its_own_help(typed: Any) -> None:
    shown = typed("node", "--help").out
    assert "node status" in shown
    assert "register" not in shown


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["snd"], "did you mean 'send'?"),
        (["node", "stat"], "did you mean 'node status'?"),
        (["send", "bob", "hi", "--wiat", "queued"], "did you mean '--wait'?"),
        (["--jsn", "whoami"], "did you mean '--json'?"),
        (["--jsn"], "did you mean '--json'?"),
        (["node", "--hom=x"], "did you mean '--home'?"),
    ],
)
def test_a_slip_gets_a_suggestion(typed: Any, arguments: list[str], hint: str) -> None:
    done = typed(*arguments)
    assert done.code == 2
    assert hint in done.err
    assert len(done.err.splitlines()) == 3


@pytest.mark.parametrize("arguments", [[], ["node"], ["--json"]])
def test_without_a_command_the_help_is_shown(typed: Any, arguments: list[str]) -> None:
    done = typed(*arguments)
    assert done.code == 2
    assert "running a node:" in done.err


def test_the_man_page_has_every_command_and_option() -> None:
    shown = page().replace("\\-", "-")
    for name in grammar.names():
        entry = grammar.entry(name)
        assert f"usernym {entry.name} " in shown
        for action in grammar.parser_of(entry).arguments:
            for option in action.option_strings:
                assert option in shown or option in ("-h", "--help"), option


@pytest.mark.parametrize("checker", [("mandoc", "-T", "lint", "-W", "warning"), ("man", "--warnings", "-l")])
def test_the_man_page_has_no_mistakes(tmp_path: Path, checker: tuple[str, ...]) -> None:
    if shutil.which(checker[0]) is None:
        pytest.skip(f"there is no {checker[0]} on this machine")
    path = tmp_path / "usernym.1"
    path.write_text(page())
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"}
    done = subprocess.run([*checker, str(path)], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    if checker[0] == "mandoc":
        assert done.stdout == ""


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def standard_error(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> io.StringIO:
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


@pytest.mark.seconds
def test_a_long_wait_shows_a_sign_of_life_and_takes_it_away(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = standard_error(monkeypatch, Terminal())
    monkeypatch.setattr(terminal, "PATIENCE_S", 0.05)
    with terminal.sign_of_life("waiting for an answer", quiet=False):
        time.sleep(0.3)
        assert "waiting for an answer" in shown.getvalue()
    assert shown.getvalue().endswith("\r\033[K")


@pytest.mark.parametrize(("stream", "quiet"), [(Terminal, True), (io.StringIO, False)])
def test_programs_and_files_get_no_sign_of_life(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], quiet: bool
) -> None:
    shown = standard_error(monkeypatch, stream())
    monkeypatch.setattr(terminal, "PATIENCE_S", 0.01)
    with terminal.sign_of_life("waiting for an answer", quiet=quiet):
        time.sleep(0.1)
    assert shown.getvalue() == ""


def test_a_short_wait_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = standard_error(monkeypatch, Terminal())
    with terminal.sign_of_life("waiting for an answer", quiet=False):
        pass
    assert shown.getvalue() == ""
