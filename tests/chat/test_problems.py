"""What an exception becomes for a window: a code that the page has words for, and nothing that it holds by accident."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path

import pytest

import usernym
from usernym.actors.failures import StoppedFromOutside
from usernym.chat import problems
from usernym.chat.files import STATIC
from usernym.chat.problems import PageRefused, connection_problem, problem_of, refusal
from usernym.chat.wire import PROBLEMS, Problem
from usernym.errors import Mismatch, PassphraseWeak
from usernym.storage.errors import HomeInUse, StoreFull

SECRET = "xylophone-quagmire"


@pytest.mark.parametrize(
    "error",
    [
        ValueError(SECRET), KeyError(SECRET), OSError(5, SECRET, SECRET), RuntimeError(SECRET),
        usernym.NotReady(SECRET), usernym.StorageError(SECRET), usernym.SettingsError(SECRET),
        usernym.GraphFailed(SECRET),
        StoreFull(SECRET), usernym.WordsInvalid(SECRET), usernym.TextTooLong(SECRET),
    ],
)  # fmt: skip
def test_a_problem_never_shows_what_an_exception_holds_by_accident(error: Exception) -> None:
    told = problem_of(error)
    assert told.code in PROBLEMS
    assert SECRET not in str(told)


def test_each_error_has_its_code() -> None:
    assert problem_of(usernym.NodeRefused(usernym.Code.NAME_HELD, 1_800_000_000)) == Problem(
        "name_held", {"until": 1_800_000_000}
    )
    assert problem_of(usernym.NodeRefused(usernym.Code.BUSY, 30)) == Problem("busy", {"seconds": 30})
    assert problem_of(usernym.LinkMismatch("bob", Mismatch.OTHER_NODE)).code == "link_other_node"
    assert problem_of(PassphraseWeak("short")) == Problem("passphrase_weak", {"least": 8, "different": 4})
    assert problem_of(HomeInUse(Path("x"), 1, "chat")).code == "home_in_use"
    assert problem_of(usernym.GraphFailed("a bug")) == Problem("stopped")
    assert problem_of(usernym.GraphFailed(StoppedFromOutside("the disk is full"))) == Problem("stopped_outside")
    assert problem_of(ZeroDivisionError()) == Problem("internal", {"kind": "ZeroDivisionError"})
    assert problem_of(PageRefused("exists", path="/x")) == Problem("exists", {"path": "/x"})
    assert connection_problem("another login took the route").code == "other_login"


def test_no_words_of_a_problem_keep_a_blank() -> None:
    words = json.loads((STATIC / "words" / "en.json").read_text("utf-8"))
    for code in {*problems._KINDS.values(), *problems._FAULTS.values(), *problems._SILENT.values()}:
        if code != "passphrase_weak":  # its numbers are of `PassphraseWeak`
            assert re.findall(r"\{\w+\}", words[f"problem.{code}"]) == [], code


def test_a_fault_of_the_surroundings_is_never_told_as_a_bug() -> None:
    for error, code in (
        (OSError(errno.ENOSPC, SECRET, SECRET), "disk_full"),
        (OSError(errno.EMFILE, SECRET), "limit"),
        (MemoryError(), "limit"),
        (RuntimeError("can't start new thread"), "limit"),
        (PermissionError(errno.EACCES, SECRET, SECRET), "system"),
        (ImportError(SECRET, name="qrcode"), "installation"),
    ):
        assert problem_of(error) == Problem(code)


def test_every_code_is_known_and_has_words() -> None:
    words = json.loads((STATIC / "words" / "en.json").read_text())
    said = {key.split(".")[1] for key in words if key.startswith("problem.")}
    assert said >= PROBLEMS
    for code in usernym.Code:
        assert refusal(code).code in PROBLEMS
    for table in (problems._KINDS, problems._MISMATCHES, problems._SILENT, problems._CONNECTION, problems._FAULTS):
        assert set(table.values()) <= PROBLEMS
