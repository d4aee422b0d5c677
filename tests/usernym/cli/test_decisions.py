"""A decision is about what was looked at: another identity, or one that no one looked at, is not accepted by it."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec
import pytest

import usernym
from usernym.cli import people
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.replies import ContactReply

KEY = "0123456789abcdef" * 4
BOB = msgspec.convert(
    {
        "name": "bob", "trust": "changed", "directory": "in the public directory", "state": "accepted",
        "handshake": "none", "direct_only": False, "direct_silent": False, "identity_key": KEY,
        "disappears_after": None, "safety_number": "1" * 60,
    },
    ContactReply,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "has_terminal", lambda: False)


def refused(contact: ContactReply, identity: str | None) -> tuple[Exit, str]:
    with pytest.raises(CommandFailed) as failed:
        people._look(contact, identity)
    return failed.value.exit_code, failed.value.kind


@pytest.mark.parametrize("named", [KEY, KEY[:16], KEY.upper(), f" {KEY[:8]} {KEY[8:24]}"])
def test_the_identity_that_was_looked_at_is_accepted(named: str) -> None:
    people._look(BOB, named)


def test_no_other_identity_is_accepted_and_none_that_was_not_named() -> None:
    assert refused(BOB, KEY[:15]) == (Exit.USAGE, "settings"), "too few digits to tell keys apart"
    assert refused(BOB, "") == (Exit.USAGE, "settings")
    assert refused(BOB, "f" + KEY[1:]) == (Exit.REFUSED, "identity_moved")
    assert refused(BOB, KEY + "0") == (Exit.REFUSED, "identity_moved")
    assert refused(BOB, None) == (Exit.USAGE, "settings"), "no one looked"


@pytest.mark.parametrize("answer", [True, False])
def test_on_a_terminal_the_identity_is_shown_before_it_is_accepted(
    answer: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(_question: str) -> bool:
        assert KEY in capsys.readouterr().err
        return answer

    monkeypatch.setattr(people, "has_terminal", lambda: True)
    monkeypatch.setattr(people, "ask_yes", ask)
    if answer:
        people._look(BOB, None)
    else:
        assert refused(BOB, None) == (Exit.REFUSED, "not_confirmed")


def test_to_take_a_verification_back_is_no_look_at_a_changed_identity() -> None:
    people._check_verified(msgspec.structs.replace(BOB, trust="verified"))
    for trust in ("changed", "confirmed by the node"):
        with pytest.raises(CommandFailed, match="not verified"):
            people._check_verified(msgspec.structs.replace(BOB, trust=trust))


@pytest.mark.parametrize("way", [usernym.Client.set_verified, people.VerifyCommand])
def test_no_decision_about_an_identity_can_be_made_without_naming_it(way: Any) -> None:
    assert inspect.signature(way).parameters["identity_key"].default is inspect.Parameter.empty
