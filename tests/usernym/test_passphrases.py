"""One rule for a new passphrase, in the library, on the command line, and for both kinds of backup."""

from __future__ import annotations

from pathlib import Path

import pytest

import usernym
from tests.helpers.handles import Handles
from usernym import node_backup
from usernym.passphrases import check_new_passphrase

WEAK = ("", "a", "...", "secret", "1234567", "........", "abcabcabcabc", "e\u0301" * 8)
GOOD = ("correct horse", "abcd1234", " spaces around ", "日本語の合言葉です", "a\tb\nc\td\ne")
PASSPHRASE = "a passphrase for tests"


@pytest.mark.parametrize("passphrase", WEAK)
def test_a_weak_one_is_refused(passphrase: str) -> None:
    with pytest.raises(usernym.PassphraseWeak, match="at least 8 characters"):
        check_new_passphrase(passphrase)


@pytest.mark.parametrize("passphrase", GOOD)
def test_any_other_is_taken(passphrase: str) -> None:
    check_new_passphrase(passphrase)


def test_a_new_home_needs_a_good_one_and_nothing_is_made_with_another(handles: Handles) -> None:
    with pytest.raises(usernym.PassphraseWeak):
        handles.client("alice", online=False, passphrase="...")
    assert not (handles.home("alice") / "store.key").exists()


def test_a_passphrase_is_changed_to_a_good_one_only(handles: Handles) -> None:
    alice = handles.client("alice", online=False, passphrase=PASSPHRASE)
    with pytest.raises(usernym.PassphraseWeak):
        alice.change_passphrase(PASSPHRASE, "short")
    alice.change_passphrase(PASSPHRASE, "another one for tests")


def test_backups_need_a_good_one(handles: Handles, tmp_path: Path) -> None:
    alice = handles.client("alice", online=False, passphrase=PASSPHRASE)
    with pytest.raises(usernym.PassphraseWeak):
        alice.export_backup(tmp_path / "copy", "short")
    with pytest.raises(usernym.PassphraseWeak):
        node_backup.back_up(tmp_path / "node", tmp_path / "copy", "short")
    assert not (tmp_path / "copy").exists()
