"""Restoring, replacing and deleting an account, on the handles and as commands."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from mnemonic import Mnemonic

import usernym
from tests.helpers.handles import PATIENCE_S, Handles
from usernym.protocol.signing import Context, SigningKey, labelled
from usernym.protocol.words import first_identity_seed, recovery_key, root_from_words
from usernym.storage.client.schema import CLIENT_SCHEMA
from usernym.storage.client.store import ClientStore


@pytest.mark.seconds
def test_the_recovery_words_are_stored_nowhere(handles: Handles, caplog: pytest.LogCaptureFixture) -> None:
    """Not even in a home without a passphrase, nor what can be made from the words alone."""
    caplog.set_level("DEBUG")
    alice, bob = handles.client("alice"), handles.client("bob")
    words = bob.take_recovery_words()
    assert words is not None
    assert bob.take_recovery_words() is None
    alice.send("bob", "hello", wait="delivered", timeout=PATIENCE_S)
    bob.close()
    root = root_from_words(words)
    info = labelled(Context.RECOVERY, b"")
    recovery_seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(root)
    assert SigningKey.from_seed(recovery_seed).public == recovery_key(root).public
    with contextlib.closing(ClientStore.open(handles.home("bob"), None, unprotected=True)) as store:
        rows = [row for table in CLIENT_SCHEMA.tables for row in store.database.rows(f"SELECT * FROM {table}")]
    found = [path.read_bytes() for path in handles.home("bob").rglob("*") if path.is_file()]
    found += [value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row]
    everything = b"\0".join([*found, caplog.text.encode()])
    assert first_identity_seed(root) in everything, "the search finds what is there"
    first, second, third, *_ = words.split()
    entropy = bytes(Mnemonic("english").to_entropy(words))
    for secret in (f"{first} {second} {third}".encode(), entropy, root[:32], root[32:], recovery_seed):
        assert secret not in everything
        assert secret.hex().encode() not in everything


@pytest.mark.seconds
def test_an_identity_is_restored_on_another_machine_and_replaced_there(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    words = bob.take_recovery_words()
    assert words is not None
    alice.send("bob", "hello", wait="delivered", timeout=PATIENCE_S)
    number = alice.contact("bob").safety_number
    bob.close()
    waiting = alice.send("bob", "while you were away", timeout=PATIENCE_S)

    with pytest.raises(usernym.WordsInvalid):
        handles.client("bob", home="typo", restore=usernym.Restore("these are not words"))
    with pytest.raises(usernym.WordsUnfit):
        handles.client("alice", home="other", restore=usernym.Restore(words))
    with pytest.raises(usernym.NodeRefused):
        handles.client("nobody_here", home="none", restore=usernym.Restore(words))
    with pytest.raises(usernym.SettingsError, match="has an identity"):
        handles.client("bob", restore=usernym.Restore(words))

    restored = handles.client("bob", home="typo", online=False, restore=usernym.Restore(words))
    events = restored.subscribe()
    restored.go_online(PATIENCE_S)
    arrived = next(event for event in events if isinstance(event, usernym.MessageArrived))
    assert arrived.text == "while you were away"
    handles.wait_for(lambda: alice.conversation("bob")[-1].state is usernym.DeliveryState.DELIVERED)
    assert alice.conversation("bob")[-1].message_id == waiting.message_id
    assert restored.take_recovery_words() is None
    assert restored.contact("alice").safety_number == number == alice.contact("bob").safety_number
    assert alice.contact("bob").trust == "confirmed by the node"

    with pytest.raises(usernym.WordsInvalid):
        restored.replace_identity("these are not words", PATIENCE_S)
    restored.send("alice", "still online", wait="delivered", timeout=PATIENCE_S)
    before = restored.whoami().identity_key
    restored.replace_identity(words, PATIENCE_S)
    assert restored.whoami().identity_key != before
    restored.send("alice", "I was robbed", wait="delivered", timeout=PATIENCE_S)
    assert alice.contact("bob").trust == "changed"
    assert alice.contact("bob").safety_number == restored.contact("alice").safety_number != number
    with pytest.raises(usernym.NotReady, match="identity behind this name has changed"):
        alice.send("bob", "are you?", timeout=PATIENCE_S)
    assert "are you?" not in [text.text for text in restored.conversation("alice")]
    with pytest.raises(usernym.IdentityMoved):
        alice.set_verified("bob", True, identity_key=before)
    assert alice.contact("bob").trust == "changed"
    alice.set_verified("bob", False, identity_key=alice.contact("bob").identity_key)
    handles.wait_for(lambda: alice.conversation("bob")[-1].state is usernym.DeliveryState.DELIVERED)
    assert restored.conversation("alice")[-1].text == "are you?"

    assert restored.delete_account(PATIENCE_S) > 0
    with pytest.raises(usernym.NodeRefused):
        handles.client("carol").look_up("bob", PATIENCE_S)


def type_words(network: Any, words: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command whose standard input are the words."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "usernym.cli", *arguments],
        cwd=network.terminal.folder,
        env=network.terminal.environment(),
        input=words + "\n",
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.processes
def test_the_commands_bring_a_name_back(network: Any) -> None:
    terminal, mixnet = network.terminal, network.mixnet()
    there = ("--mixnet", mixnet, "--node", "node.card")
    words = terminal.ok("--home", "hal", "register", "hal", *there)["recovery_words"]
    key = terminal.ok("--home", "hal", "whoami")["identity_key"]

    done = type_words(network, words, "--home", "hal2", "restore", "hal", *there)
    assert done.returncode == 0, done.stderr
    assert "the same identity" in done.stdout
    assert terminal.ok("--home", "hal2", "whoami")["identity_key"] == key
    again = type_words(network, words, "--home", "hal2", "restore", "hal")
    assert (again.returncode, "has an identity" in again.stderr) == (2, True)

    replaced = type_words(network, words, "--home", "hal2", "replace-identity")
    assert replaced.returncode == 0, replaced.stderr
    assert terminal.ok("--home", "hal2", "whoami")["identity_key"] != key
    assert terminal.run("--home", "hal2", "delete-account").returncode == 2
    assert terminal.ok("--home", "hal2", "delete-account", "--yes")["held_until"] > 0
    assert " ".join(words.split()[:2]) not in done.stdout + done.stderr + replaced.stdout + replaced.stderr
