"""Passphrase, export and import, on the handles and as commands."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest

import usernym
from tests.helpers.handles import PATIENCE_S, Handles
from usernym.storage.client.store import ClientStore
from usernym.storage.errors import NotAStore, StoreInaccessible, WrongPassphrase

TEXT = "a text that nobody else may read"


@pytest.mark.seconds
def test_a_lost_home_is_made_whole_by_words_and_backup(handles: Handles, tmp_path: Path) -> None:
    alice, carol, bob = handles.client("alice"), handles.client("carol"), handles.client("bob")
    for number in range(3):
        alice.send("bob", f"{TEXT} {number}", wait="delivered", timeout=PATIENCE_S)
        bob.send("alice", f"answer {number}", wait="delivered", timeout=PATIENCE_S)
    carol.send("bob", "hello", wait="delivered", timeout=PATIENCE_S)
    bob.set_verified("alice", True, identity_key=bob.contact("alice").identity_key)
    bob.decline("carol")
    before = [(text.outgoing, text.text, text.counter, text.state) for text in bob.conversation("alice")]
    folder = tmp_path / "backup"
    bob.export_backup(folder, "of the backup")
    with pytest.raises(StoreInaccessible):
        bob.export_backup(folder, "of the backup")
    words, safety = bob.take_recovery_words(), bob.contact("alice").safety_number
    assert words is not None
    bob.close()

    raw = b"".join(path.read_bytes() for path in folder.iterdir())
    assert len(raw) > 4096
    with contextlib.closing(ClientStore.open(handles.home("bob"), None, unprotected=True)) as home:
        seed = home.profile.identity().seed
    for secret in (TEXT.encode(), b"alice", b"carol", b"answer", seed):
        assert secret not in raw
    with contextlib.closing(ClientStore.open(folder, "of the backup")) as inside:
        assert not inside.profile.has_identity()
        assert inside.keys.all() == []

    again = handles.client("bob", home="bob2", restore=usernym.Restore(words))
    alice.send("bob", "while it is empty", wait="delivered", timeout=PATIENCE_S)
    with pytest.raises(WrongPassphrase):
        again.import_backup(folder, "another")
    with pytest.raises(NotAStore, match="another account"):
        carol.import_backup(folder, "of the backup")
    for wrong in (tmp_path, tmp_path / "none"):
        with pytest.raises(NotAStore):
            again.import_backup(wrong, "of the backup")
    assert again.import_backup(folder, "of the backup") == usernym.Imported(1, 7)
    assert again.import_backup(folder, "of the backup") == usernym.Imported(0, 0)
    shown = [(text.outgoing, text.text, text.counter, text.state) for text in again.conversation("alice")]
    assert shown[: len(before)] == before
    assert [text for _, text, _, _ in shown[len(before) :]] == ["while it is empty"]
    assert again.contact("alice").trust == "verified"
    assert again.contact("alice").safety_number == safety
    assert again.contact("carol").state == "declined"
    again.send("alice", "whole again", wait="delivered", timeout=PATIENCE_S)
    *earlier, last = (text.counter for text in alice.conversation("bob") if not text.outgoing)
    assert last > max(earlier), "it counts above all before it"
    assert alice.conversation("bob")[-1].missing == 0


def test_the_passphrase_is_changed(handles: Handles) -> None:
    bob = handles.client("bob", online=False, passphrase="the first one")
    with pytest.raises(WrongPassphrase):
        bob.change_passphrase("not it", "the second one")
    bob.change_passphrase("the first one", "the second one")
    assert bob.whoami().protected
    bob.close()
    with pytest.raises(WrongPassphrase):
        handles.client("bob", online=False, passphrase="the first one")
    again = handles.client("bob", online=False, passphrase="the second one")
    again.change_passphrase("the second one", None, unprotected=True)
    assert not again.whoami().protected


@pytest.mark.processes
def test_the_commands(network: Any) -> None:
    terminal = network.terminal
    ida, jan = network.user("ida"), network.user("jan")
    terminal.ok("--home", ida, "send", jan, TEXT)
    done = terminal.run("--home", ida, "export", "of ida", USERNYM_BACKUP_PASSPHRASE="the backup words")
    assert done.returncode == 0, done.stderr
    assert "encrypted" in done.stdout
    refused = terminal.run("--json", "--home", jan, "import", "of ida", USERNYM_BACKUP_PASSPHRASE="the backup words")
    assert (refused.returncode, "another account" in refused.stdout) == (4, True)
    done = terminal.run("--json", "--home", ida, "import", "of ida", USERNYM_BACKUP_PASSPHRASE="the backup words")
    assert done.stdout == '{"contacts": 0, "messages": 0}\n'
    done = terminal.run("--home", ida, "passphrase", USERNYM_NEW_PASSPHRASE="another one")
    assert done.returncode == 0, done.stderr
    assert terminal.run("--home", ida, "whoami").returncode == 4
    assert terminal.run("--home", ida, "whoami", USERNYM_PASSPHRASE="another one").returncode == 0
