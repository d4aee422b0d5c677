"""Commands that need no one else: what they refuse, with which exit code and words, and what they leave behind."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from usernym.cli import session
from usernym.cli.command import Deadline
from usernym.cli.failures import MEANINGS
from usernym.protocol.errors import Code, refusal_text
from usernym.storage.client.store import ClientStore
from usernym.storage.keyfile import Argon2Cost
from usernym.storage.locks import Home

CHEAP = Argon2Cost(memory_kib=8, passes=1)


def test_version_and_help(typed: Any) -> None:
    assert typed("--version").out.startswith("usernym ")
    shown = typed("--help")
    assert shown.code == 0
    for code, meaning in MEANINGS.items():
        assert re.search(rf"^  {int(code)} +{re.escape(meaning)}$", shown.out, re.MULTILINE)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-command"],
        ["lookup"],
        ["node"],
        ["send", "bob"],
        ["listen", "--for", "ever"],
        ["whoami", "--timeout", "-1s"],
        ["handshake", "bob", "--accept", "--revoke"],
        ["mixnet", "--loss", "2"],
        ["register", "bob", "--pass", "secret"],
    ],
)
def test_a_wrong_command_line_ends_with_2(typed: Any, arguments: list[str]) -> None:
    shown = typed(*arguments)
    assert shown.code == 2
    assert "usage:" in shown.err


def test_the_home_may_stand_before_the_command_or_after_it(typed: Any, tmp_path: Path) -> None:
    before = typed("--json", "--home", tmp_path / "x", "whoami")
    after = typed("whoami", "--home", tmp_path / "x", "--json")
    assert before.code == after.code == 4
    assert before.told == after.told
    assert str(tmp_path / "x") in before.told["text"]
    assert str(tmp_path / "y") in typed("--home", tmp_path / "x", "whoami", "--home", tmp_path / "y").err


@pytest.mark.parametrize(
    "command",
    [
        ["whoami"],
        ["login"],
        ["contacts"],
        ["lookup", "bob"],
        ["send", "bob", "hi"],
        ["listen"],
        ["handshake", "bob"],
        ["verify", "bob", "--undo"],
    ],
)
def test_without_an_account_a_command_says_how_to_make_one_and_makes_nothing(
    typed: Any, tmp_path: Path, command: list[str]
) -> None:
    home = tmp_path / "home"
    shown = typed("--home", home, "--json", *command)
    assert (shown.code, shown.told["error"]) == (4, "no_account")
    assert "usernym register" in shown.err
    assert not home.exists()


NAMES = [
    ("ab", "name_too_short"),
    ("a" * 33, "name_too_long"),
    ("bob-99", "name_bad_character"),
    ("böb", "name_bad_character"),
    ("9bob", "name_bad_start"),
    ("admin", "name_reserved"),
    ("4dmin", "name_bad_start"),
    ("adm1n", "name_reserved"),
]


@pytest.mark.parametrize(("name", "kind"), NAMES)
def test_a_name_that_nobody_can_have_is_refused_before_anything_is_made(
    typed: Any, tmp_path: Path, some_card: str, silent_mixnet: str, name: str, kind: str
) -> None:
    home = tmp_path / "home"
    shown = typed("--home", home, "--json", "register", name, "--mixnet", silent_mixnet, "--node", some_card)
    assert (shown.code, shown.told["error"]) == (1, kind)
    assert not home.exists()


def test_every_reason_against_a_name_has_its_own_sentence() -> None:
    codes = [code for code in Code if code.name.startswith("NAME_")]
    assert len({refusal_text(code) for code in codes}) == len(codes) == 8
    assert "2033" in refusal_text(Code.NAME_HELD, 2_000_000_000)
    assert refusal_text(Code.NAME_HELD, 10**18)


@pytest.mark.parametrize(
    ("flags", "missing"),
    [([], "--mixnet and --node"), (["--mixnet", "ws://127.0.0.1:1"], "--node"), (["--node", "CARD"], "--mixnet")],
)
def test_registering_says_what_it_lacks_and_makes_nothing(
    typed: Any, tmp_path: Path, some_card: str, flags: list[str], missing: str
) -> None:
    home = tmp_path / "home"
    given = [some_card if flag == "CARD" else flag for flag in flags]
    shown = typed("--home", home, "register", "alice", "--no-passphrase", *given)
    assert shown.code == 2
    assert f"needs {missing}:" in shown.err
    assert not home.exists()


@pytest.mark.parametrize("mixnet", ["http://127.0.0.1:1", "ws://example.org:1977", "ws://", "1977"])
def test_a_mixnet_that_is_none_is_refused_and_not_remembered(
    typed: Any, tmp_path: Path, some_card: str, mixnet: str
) -> None:
    home = tmp_path / "home"
    arguments = ["register", "alice", "--no-passphrase", "--mixnet", mixnet, "--node", some_card]
    assert typed("--home", home, *arguments).code == 2
    assert typed("--home", home, "node", "run", "--mixnet", mixnet).code == 2
    assert not home.exists()


@pytest.mark.parametrize("card", ["usernym-node:AAAA", "usernym-node:", "usernym-node:=?"])
def test_a_card_that_is_none_ends_with_2(typed: Any, tmp_path: Path, silent_mixnet: str, card: str) -> None:
    home = tmp_path / "home"
    arguments = ["register", "alice", "--no-passphrase", "--mixnet", silent_mixnet, "--node", card]
    shown = typed("--home", home, *arguments)
    assert shown.code == 2
    assert "card" in shown.err
    assert not home.exists()


def test_a_new_home_needs_a_passphrase_or_the_choice_to_have_none(
    typed: Any, tmp_path: Path, some_card: str, silent_mixnet: str
) -> None:
    arguments = ["--home", tmp_path, "--json", "register", "alice", "--mixnet", silent_mixnet, "--node", some_card]
    shown = typed(*arguments)
    assert (shown.code, shown.told["error"]) == (4, "passphrase_needed")
    assert ClientStore.protection(tmp_path).name == "ABSENT"


@pytest.mark.seconds
def test_a_person_is_asked_twice_for_a_new_passphrase(
    typed: Any, tmp_path: Path, some_card: str, silent_mixnet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["", "short", "the first one", "the second one", "the right one", "the right one"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("usernym.cli.passphrases.getpass.getpass", lambda _prompt: next(answers))
    arguments = ["register", "alice", "--mixnet", silent_mixnet, "--node", some_card, "--timeout", "300ms"]
    shown = typed("--home", tmp_path, *arguments)
    assert shown.code == 3
    assert next(answers, None) is None
    assert "differ" in shown.err
    assert "at least 8 characters" in shown.err
    ClientStore.open(tmp_path, "the right one").close()


@pytest.mark.seconds
def test_registering_where_nothing_answers_shows_the_words_and_can_be_gone_on_with(
    typed: Any, tmp_path: Path, some_card: str, silent_mixnet: str
) -> None:
    arguments = ["register", "alice", "--mixnet", silent_mixnet, "--node", some_card, "--timeout", "300ms"]
    shown = typed("--home", tmp_path, "--json", *arguments, "--no-passphrase")
    assert (shown.code, shown.told["error"]) == (3, "no_mixnet")
    assert len(shown.told["recovery_words"].split()) == 12
    again = typed("--home", tmp_path, "--json", "register", "alice", "--timeout", "300ms")
    assert (again.code, again.told["error"]) == (3, "no_mixnet")
    assert "recovery_words" not in again.told
    me = typed("--home", tmp_path, "--json", "whoami").told
    assert (me["name"], me["registered"], me["protected"]) == ("alice", False, False)
    assert me["mixnet"] == silent_mixnet
    assert typed("--home", tmp_path, "register", "alicia", "--timeout", "300ms").code == 2


@pytest.mark.seconds
def test_the_words_are_shown_to_a_person_before_the_node_is_asked(
    typed: Any, tmp_path: Path, some_card: str, silent_mixnet: str
) -> None:
    arguments = ["register", "alice", "--mixnet", silent_mixnet, "--node", some_card, "--timeout", "300ms"]
    shown = typed("--home", tmp_path, *arguments, "--no-passphrase")
    assert shown.code == 3
    assert "12. " in shown.out
    assert "Traceback" not in shown.err


def test_a_wrong_passphrase_a_missing_one_and_one_too_many_end_with_4(
    typed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ClientStore.open(tmp_path / "protected", "right", cost=CHEAP).close()
    ClientStore.open(tmp_path / "open", None, unprotected=True).close()
    assert typed("--home", tmp_path / "protected", "--json", "whoami").told["error"] == "passphrase_needed"
    monkeypatch.setenv("USERNYM_PASSPHRASE", "wrong")
    shown = typed("--home", tmp_path / "protected", "--json", "whoami")
    assert (shown.code, shown.told["error"]) == (4, "wrong_passphrase")
    assert "wrong" not in shown.told["text"].replace("the passphrase is wrong", "")
    shown = typed("--home", tmp_path / "open", "--json", "whoami")
    assert (shown.code, shown.told["error"]) == (4, "store_unprotected")
    monkeypatch.setenv("USERNYM_PASSPHRASE", "")
    shown = typed("--home", tmp_path / "protected", "--json", "whoami")
    assert (shown.code, shown.told["error"]) == (4, "passphrase_needed")


@pytest.mark.seconds
def test_a_home_held_by_a_program_without_a_control_socket_is_said_to_be_in_use(typed: Any, tmp_path: Path) -> None:
    ClientStore.open(tmp_path, None, unprotected=True).close()
    with Home(tmp_path, "somebody's application") as home:
        shown = typed("--home", home.folder, "--json", "--timeout", "300ms", "whoami")
    assert (shown.code, shown.told["error"]) == (4, "home_in_use")
    assert "somebody's application" in shown.err


def test_listen_waits_for_a_command_that_holds_its_home_and_asks_for_the_passphrase_once(
    typed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ClientStore.open(tmp_path, None, unprotected=True).close()
    asked: list[Any] = []
    monkeypatch.setattr("usernym.cli.passphrases.passphrase_for", lambda *given: asked.append(given))
    with contextlib.ExitStack() as held:
        held.enter_context(Home(tmp_path, "client"))
        monkeypatch.setattr(Deadline, "pause", lambda *_: held.close())
        shown = typed("--home", tmp_path, "--json", "listen")
    assert (shown.code, shown.told["error"]) == (2, "settings"), "it has the home, in which there is no account"
    assert len(asked) == 1


@pytest.mark.seconds
def test_asking_a_node_that_does_not_run_ends_with_3(typed: Any, tmp_path: Path) -> None:
    for part in ("card", "status"):
        shown = typed("--home", tmp_path, "--timeout", "200ms", "node", part)
        assert shown.code == 3
        assert "no node runs" in shown.err


def test_a_node_must_be_told_its_mixnet_once(typed: Any, tmp_path: Path) -> None:
    shown = typed("--home", tmp_path, "node", "run")
    assert shown.code == 2
    assert "--mixnet" in shown.err


def test_a_settings_file_with_an_unknown_key_ends_with_2(typed: Any, tmp_path: Path) -> None:
    (tmp_path / "usernym.toml").write_text("[client]\nmixnett = 'x'\n")
    shown = typed("--home", tmp_path, "whoami")
    assert shown.code == 2
    assert "'client.mixnett'" in shown.err
    assert str(tmp_path / "usernym.toml") in shown.err


def test_an_unknown_variable_ends_with_2(typed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USERNYM_TIMOUT", "3")
    assert typed("--home", tmp_path, "whoami").code == 2


def test_a_text_that_is_not_unicode_or_too_long_ends_with_2(typed: Any, tmp_path: Path) -> None:
    assert typed("--home", tmp_path, "send", "bob", "\udcff").code == 2


def test_a_bug_ends_with_5_and_shows_neither_a_traceback_nor_what_it_was_about(
    typed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(session.Session, "call", broken)
    shown = typed("--home", tmp_path, "--json", "whoami")
    assert (shown.code, shown.told["error"]) == (5, "internal")
    assert "ZeroDivisionError" in shown.err
    assert "Traceback" not in shown.err
    assert "a secret" not in shown.out + shown.err


def test_interrupting_a_command_ends_with_130(typed: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(session.Session, "call", interrupted)
    assert typed("--home", tmp_path, "whoami").code == 130


def test_a_failure_in_json_is_one_object_with_its_exit_code(typed: Any, tmp_path: Path) -> None:
    shown = typed("--home", tmp_path, "--json", "whoami")
    assert shown.out.count("\n") == 1
    told = json.loads(shown.out)
    assert told["exit"] == shown.code == 4
    assert set(told) == {"error", "text", "exit"}
