"""What the surroundings do to a command: no fault of theirs is called a bug, none prints a traceback, none loses words.

Real processes, since it is about what a process inherits: streams, folders, users, limits, variables, signals.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.usernym.conftest import clean_environment
from usernym.cli import grammar
from usernym.cli.failures import Exit, failure_of
from usernym.surroundings import fault_of

pytestmark = pytest.mark.processes

USERNYM = (sys.executable, "-P", "-m", "usernym.cli")
NOWHERE = "ws://127.0.0.1:9"
SCREEN_BYTES = 80 * 25


def run(
    *arguments: str, prepare: Callable[[], object] | None = None, out: Any = subprocess.PIPE, **variables: str | None
) -> subprocess.CompletedProcess[str]:
    """A command in a process that `prepare` has changed before. A variable that is None is not there."""
    environment = {key: value for key, value in (clean_environment() | variables).items() if value is not None}
    done = subprocess.run(
        [*USERNYM, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE,
        timeout=90, preexec_fn=prepare, check=False, errors="backslashreplace",
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr, done.stderr
    assert len(done.stderr) < SCREEN_BYTES
    return done


def register(home: Path, card: str, *more: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return run("--home", str(home), *more, "register", "alice", "--mixnet", NOWHERE, "--node", card, "--timeout", "1s",
               **options)  # fmt: skip


def words_in(printed: str) -> list[str]:
    told = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return [line["recovery_words"] for line in told if line.get("event") == "recovery_words"]


# -- streams ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["node", "--help"], ["completion", "bash"]])
@pytest.mark.parametrize("stream", ["full", "closed"])
def test_a_result_that_can_not_be_written_is_a_failure(stream: str, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = run(*arguments, out=full) if stream == "full" else run(*arguments, prepare=lambda: os.close(1))
    assert done.returncode == Exit.STORAGE
    assert "the standard output can't be written" in done.stderr


def test_a_failure_is_not_printed_on_the_stream_that_failed(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = run("--json", "--home", str(tmp_path), "whoami", out=full)
    assert done.returncode == Exit.STORAGE
    assert "there is no account" in done.stderr, "the first failure is the one that is said"


def test_closed_streams_take_no_file_s_place(tmp_path: Path, some_card: str) -> None:
    """A store that got descriptor 1 or 2 would be overwritten by what is printed."""

    def close_all() -> None:
        for number in (0, 1, 2):
            os.close(number)

    done = register(tmp_path / "home", some_card, prepare=close_all)
    assert done.returncode == Exit.STORAGE
    again = register(tmp_path / "home", some_card, "--json")
    assert again.returncode == Exit.NO_ANSWER, again.stderr
    assert len(words_in(again.stdout)) == 1


# -- what is shown once -----------------------------------------------------------------------------------------------


def test_words_that_could_not_be_shown_are_made_and_shown_again(tmp_path: Path, some_card: str) -> None:
    with Path("/dev/full").open("w") as full:
        assert register(tmp_path, some_card, out=full).returncode == Exit.STORAGE
        assert register(tmp_path, some_card, "--json", out=full).returncode == Exit.STORAGE
    shown = register(tmp_path, some_card, "--json")
    assert shown.returncode == Exit.NO_ANSWER
    assert len(words_in(shown.stdout)[0].split()) == 12
    again = register(tmp_path, some_card, "--json")
    assert words_in(again.stdout) == [], "they have been shown"
    key = [json.loads(run("--home", str(tmp_path), "--json", "whoami").stdout)["identity_key"] for _ in range(2)]
    assert key[0] == key[1]


def test_json_prints_the_words_before_anything_is_waited_for(tmp_path: Path, some_card: str) -> None:
    process = subprocess.Popen(
        [*USERNYM, "--home", str(tmp_path), "--json", "register", "alice", "--mixnet", NOWHERE, "--node", some_card],
        env=clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert len(words_in(process.stdout.readline())[0].split()) == 12
    finally:
        process.kill()
        process.wait()
    assert process.stdout.read() == "", "it was still waiting"


# -- folders, users, variables ----------------------------------------------------------------------------------------


def test_without_a_home_folder_it_says_which_option_names_one() -> None:
    done = run("whoami", HOME="")
    assert done.returncode == Exit.USAGE
    assert "--home" in done.stderr


def test_a_user_whom_the_system_does_not_know(typed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs with a number only: neither HOME nor an entry in the list of users."""

    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.home", unknown)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    shown = typed("whoami")
    assert (shown.code, "this user has no home folder" in shown.err) == (Exit.USAGE, True)


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--home", "here", "whoami"], {}),
        (["whoami"], {"USERNYM_HOME": "here"}),
        (["--home", "~no_such_user/x", "whoami"], {}),
        (["--home", "/home", "--config", "~", "whoami"], {}),
        (["--home", "h\udcff", "whoami"], {"LC_ALL": "C"}),
        (["--home", "x" * 5000, "whoami"], {}),
        (["--home", "/dev/null/x", "register", "bob", "--mixnet", NOWHERE, "--node", "/dev/null"], {}),
    ],
)
def test_a_folder_that_can_not_be_is_named(tmp_path: Path, arguments: list[str], variables: dict[str, Any]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()

    def in_a_folder_that_is_gone() -> None:
        os.chdir(gone)
        gone.rmdir()

    done = run(*arguments, prepare=in_a_folder_that_is_gone, out=subprocess.PIPE, **variables)
    assert done.returncode in (Exit.USAGE, Exit.STORAGE)


@pytest.mark.parametrize(
    "variables", [{"PYTHONOPTIMIZE": "2"}, {"PYTHONWARNINGS": "error"}, {"PYTHONDEVMODE": "1"}, {"TZ": "No/Where"},
                  {"LC_ALL": "C"}, {"LANG": "xx_YY.nothing"}, {"PYTHONIOENCODING": "ascii"}],
    ids=lambda variables: next(iter(variables)),
)  # fmt: skip
def test_variables_of_python_and_of_the_language_change_nothing(
    tmp_path: Path, some_card: str, variables: dict[str, Any]
) -> None:
    assert register(tmp_path, some_card, **variables).returncode == Exit.NO_ANSWER
    assert run("--home", str(tmp_path), "whoami", **variables).returncode == 0


def test_a_mask_that_takes_everything_from_new_files_changes_nothing(tmp_path: Path, some_card: str) -> None:
    assert register(tmp_path / "home", some_card, prepare=lambda: os.umask(0o777)).returncode == Exit.NO_ANSWER
    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "home").iterdir()}
    assert set(modes.values()) == {0o600}, modes


@pytest.mark.parametrize(
    ("limit", "value"), [(resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, 8), (resource.RLIMIT_AS, 400 << 20)]
)
def test_a_limit_is_said_and_no_bug(tmp_path: Path, some_card: str, limit: int, value: int) -> None:
    done = register(tmp_path, some_card, prepare=lambda: resource.setrlimit(limit, (value, value)))
    assert done.returncode in (Exit.STORAGE, Exit.NO_ANSWER), done.stderr


def test_signals_that_are_blocked_still_end_it() -> None:
    def block() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})

    process = subprocess.Popen(
        [*USERNYM, "--json", "mixnet", "--first-port", "0"], env=clean_environment(), stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, preexec_fn=block,  # noqa: PLW1509 - nothing else runs here
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.terminate()
        process.wait(30)
    finally:
        process.kill()
        process.wait()


# -- numbers ----------------------------------------------------------------------------------------------------------

HUGE = "9" * 5000
NUMBERS = [
    ("history", "bob", "--before"), ("history", "bob", "--limit"), ("search", "x", "--limit"), ("contacts", "--limit"),
    ("search", "x", "--before"), ("files", "--before"), ("files", "--limit"),
    ("requests", "--limit"), ("chat", "--port"), ("whoami", "--timeout"), ("listen", "--for"), ("mixnet", "--clients"),
    ("mixnet", "--first-port"), ("mixnet", "--control-port"), ("mixnet", "--seed"), ("mixnet", "--loss"),
    ("mixnet", "--hop-delay"), ("mixnet", "--surb-minimum"), ("simulate", "--seed"), ("simulate", "--scenarios"),
    ("simulate", "--minutes"), ("simulate", "--messages"), ("simulate", "--jobs"), ("simulate", "--clients"),
    ("node", "run", "--work-bits"), ("node", "run", "--metrics-port"),
]  # fmt: skip


def test_no_number_is_unbounded() -> None:
    """Options take `number`, which has bounds. What Python takes for a number has none."""
    for name in grammar.names():
        actions = grammar.parser_of(grammar.entry(name))._actions
        assert [action.dest for action in actions if action.type in (int, float)] == [], name


@pytest.mark.parametrize("words", NUMBERS, ids=" ".join)
def test_no_number_is_too_absurd_to_be_refused_in_a_few_lines(typed: Any, tmp_path: Path, words: tuple[str]) -> None:
    for value in (HUGE, "99999999999999999999", "nan", "٣", ""):
        shown = typed("--home", tmp_path, *words, value)
        assert shown.code == 2, value
        assert len(shown.out + shown.err) < SCREEN_BYTES
        assert "expected" in shown.err


# -- the rule ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", sorted(set(errno.errorcode) - {errno.EPIPE, errno.ESHUTDOWN}))
def test_no_error_of_the_system_is_a_bug(number: int) -> None:
    failed = failure_of(OSError(number, os.strerror(number), "/some/file"))
    assert failed.exit_code is Exit.STORAGE
    assert failed.kind in ("system", "no_room", "limit")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), "limit"),
        (RuntimeError("can't start new thread"), "limit"),
        (ImportError("libx.so: failed to map segment from shared object", name="x"), "limit"),
        (ModuleNotFoundError("No module named 'x'", name="x"), "installation"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), "encoding"),
        (EOFError(), "input_closed"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_other_faults_of_the_surroundings(error: Exception, kind: str) -> None:
    assert failure_of(error).kind == kind
    assert failure_of(error).exit_code is not Exit.INTERNAL


@pytest.mark.parametrize(
    "error", [OSError("of a program"), RuntimeError("a secret"), ImportError("ours", name="usernym.x"), ValueError()]
)
def test_what_may_be_a_bug_stays_one(error: Exception) -> None:
    assert fault_of(error) is None
    assert failure_of(error).exit_code is Exit.INTERNAL
