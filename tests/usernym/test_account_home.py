"""Removing an account that was never registered: also if the program is killed in between."""

from __future__ import annotations

from pathlib import Path

import pytest

import usernym
from tests.helpers.handles import Handles
from usernym.account_home import discard, is_protected, remove_unfinished

PASSPHRASE = "correct horse"


class Killed(BaseException):
    """As by a signal: nothing that comes after it is done."""


@pytest.mark.seconds
def test_an_account_that_was_never_registered_goes_whole(handles: Handles) -> None:
    alice = handles.client("alice", online=False, passphrase=PASSPHRASE)
    discard(alice, handles.home("alice"))
    assert is_protected(handles.home("alice")) is None
    assert {path.name for path in handles.home("alice").iterdir()} <= {"lock"}
    bob = handles.client("bob")
    with pytest.raises(usernym.AccountStays):
        discard(bob, handles.home("bob"))


@pytest.mark.processes
@pytest.mark.parametrize("removed", range(4))
def test_a_removal_that_is_killed_leaves_a_home_that_opens(
    handles: Handles, monkeypatch: pytest.MonkeyPatch, removed: int
) -> None:
    """With `removed` files gone."""
    home = handles.home("alice")
    alice = handles.client("alice", online=False, passphrase=PASSPHRASE)
    key = alice.whoami().identity_key
    alice.close()
    # As a client that is killed leaves it: with a journal.
    for name in ("client.db-wal", "client.db-shm"):
        (home / name).write_bytes(b"what a killed client left")
    assert (home / "client.db").exists()
    unlink, left = Path.unlink, [removed]

    def killed(path: Path, missing_ok: bool = False) -> None:
        if path.parent == home:
            if not left[0]:
                raise Killed
            left[0] -= 1
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(Killed):
            remove_unfinished(home, PASSPHRASE)
    assert is_protected(home) is True
    with pytest.raises(usernym.WrongPassphrase):
        handles.client("alice", online=False, passphrase="another")
    again = handles.client("alice", online=False, passphrase=PASSPHRASE)
    assert (again.whoami().identity_key == key) == (removed == 0), "the whole account, or a new one"
    again.close()
    remove_unfinished(home, PASSPHRASE)
    assert is_protected(home) is None
