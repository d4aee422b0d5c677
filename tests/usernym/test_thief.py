"""A thief of the disk: two people's homes after `kill -9`, one with a passphrase and one without, read byte by byte."""

from __future__ import annotations

import base64
import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import base58
import pytest

from usernym.mixnet.addresses import format_address
from usernym.storage.client.schema import CLIENT_SCHEMA
from usernym.storage.client.store import ClientStore
from usernym.storage.database import open_database
from usernym.storage.errors import PassphraseNeeded, StorageError

pytestmark = pytest.mark.processes

GUARDED, CARELESS = "grete_of_goslar", "wenzel_of_worms"
PASSPHRASE = "no thief knows this one"
TEXTS = {
    GUARDED: (
        "the key is under the third stone",
        "straight to you now, past the node",
        "you will read this much later",
    ),
    CARELESS: ("the ferry leaves at half past four", "and bring the yellow umbrella with you"),
}
KEY_BYTES = 32


def forms(secret: bytes) -> Iterator[bytes]:
    """How a secret may stand in a file: as it is, in UTF-16, hexadecimal, base64 at any place in something, base58."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield base58.b58encode(secret)
    for shift in range(3):
        first, end = (8 * shift + 5) // 6, 8 * (shift + len(secret)) // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(shift) + secret)[first:end]
    with contextlib.suppress(UnicodeDecodeError):
        yield secret.decode().encode("utf-16-le")
        yield secret.decode().encode("utf-16-be")


def found_in(content: bytes, secrets: dict[str, bytes]) -> set[str]:
    return {what for what, secret in secrets.items() if any(form in content for form in forms(secret))}


@pytest.mark.parametrize("secret", [b"a secret of some length", bytes(range(200, 232))])
def test_a_secret_is_found_in_every_form(secret: bytes) -> None:
    around = [bytes(before) + secret + b"more" for before in range(4)]
    contents = [*around, *(each.hex().encode() for each in around), base58.b58encode(secret)]
    contents += [encode(each) for each in around for encode in (base64.b64encode, base64.urlsafe_b64encode)]
    if secret.isascii():
        contents += [b"." + secret.decode().encode(coding) for coding in ("utf-16-le", "utf-16-be")]
    for content in contents:
        assert found_in(content, {"it": secret}) == {"it"}
    assert found_in(secret[:-1] + secret[:-1].hex().encode(), {"it": secret}) == set()


@dataclass(frozen=True)
class Loot:
    """A home as its owner's processes left it when they were killed."""

    home: Path
    files: dict[str, bytes]

    @property
    def content(self) -> bytes:
        """All of it, with the files' names."""
        return b"\0".join(name.encode() + b"\0" + content for name, content in self.files.items())

    def copy(self, to: Path) -> Path:
        """A copy to work on: opening a store changes its files."""
        to.mkdir(mode=0o700)
        for name, content in self.files.items():
            (to / name).parent.mkdir(mode=0o700, exist_ok=True)
            (to / name).touch(0o600)
            (to / name).write_bytes(content)
        return to


def stolen(home: Path) -> Loot:
    return Loot(home, {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()})


def secrets_of(home: Path, passphrase: str | None, contact: str) -> dict[str, bytes]:
    """What is in a home, as its owner reads it."""
    with contextlib.closing(ClientStore.open(home, passphrase, unprotected=passphrase is None)) as store:
        identity, known = store.profile.identity(), store.contacts.get(contact)
        assert known is not None
        assert known.peer_address is not None
        mixnet = store.profile.setting("mixnet")
        assert mixnet is not None
        secrets = {
            "own name": identity.name.encode(),
            "contact's name": contact.encode(),
            "identity seed": identity.seed,
            "recovery key": identity.recovery_key,
            "contact's identity key": known.identity_key,
            "contact's Nym address": known.peer_address,
            "mixnet": mixnet,
        }
        for at, part in enumerate(("identity", "encryption", "gateway")):
            secrets[f"address: {part}"] = known.peer_address[32 * at : 32 * at + 32]
            assert base58.b58encode(secrets[f"address: {part}"]).decode() in format_address(known.peer_address)
        for row in store.database.rows("SELECT number, seed FROM hpke_key"):
            secrets[f"message key {row[0]}"] = row[1]
        assert "message key 1" in secrets
        for name, texts in TEXTS.items():
            here = [row.body for row in store.messages.conversation(contact, 99)]
            for text in texts:
                if text.encode() in here:
                    secrets[f"{name}: {text[:12]}"] = text.encode()
        return secrets


@pytest.fixture(scope="module")
def loot(network: Any) -> dict[str, Loot]:
    """Two people who wrote, compared numbers, shook hands and set things; then everything was killed."""
    terminal = network.terminal
    passphrases = {GUARDED: PASSPHRASE, CARELESS: ""}

    def do(name: str, *command: str) -> None:
        done = terminal.run("--json", "--home", name, *command, USERNYM_PASSPHRASE=passphrases[name])
        assert done.returncode == 0, done.stdout + done.stderr

    listeners = {}
    for name, choice in ((GUARDED, ()), (CARELESS, ("--no-passphrase",))):
        do(name, "register", name, "--mixnet", network.mixnet(), "--node", "node.card", *choice)
        listeners[name] = terminal.start(name, "--home", name, "listen", USERNYM_PASSPHRASE=passphrases[name])
        listeners[name].wait_for("that it is connected", lambda told: told.get("event") == "connection")
    do(GUARDED, "send", CARELESS, TEXTS[GUARDED][0], "--wait", "delivered")
    do(CARELESS, "send", GUARDED, TEXTS[CARELESS][0], "--wait", "delivered")
    number = terminal.ok("--home", GUARDED, "lookup", CARELESS)["safety_number"]
    for name, other in ((GUARDED, CARELESS), (CARELESS, GUARDED)):
        do(name, "verify", other, "--number", number)
        do(name, "disappear", other, "7d")
    do(GUARDED, "handshake", CARELESS, "--yes")
    do(CARELESS, "handshake", GUARDED, "--accept", "--yes")
    listeners[GUARDED].wait_for("the handshake", lambda told: told.get("state") == "active")
    do(GUARDED, "send", CARELESS, TEXTS[GUARDED][1], "--wait", "delivered")
    do(CARELESS, "send", GUARDED, TEXTS[CARELESS][1], "--wait", "delivered")
    do(GUARDED, "search", "umbrella")
    do(GUARDED, "send", CARELESS, TEXTS[GUARDED][2], "--wait", "queued")
    for listener in listeners.values():
        listener.process.kill()
        listener.process.wait()
    return {name: stolen(terminal.folder / name) for name in listeners}


def test_a_thief_of_a_guarded_home_finds_nothing(loot: dict[str, Loot], tmp_path: Path) -> None:
    taken = loot[GUARDED]
    assert len(taken.files["client.db-wal"]) > 4096, "all side files are there"
    assert "client.db-shm" in taken.files
    secrets = secrets_of(taken.copy(tmp_path / "read"), PASSPHRASE, CARELESS)
    assert len([what for what in secrets if what.startswith((GUARDED, CARELESS))]) == 5, "all texts are in there"
    assert found_in(taken.content, secrets) == set()
    assert b"SQLite format" not in taken.content
    with pytest.raises(PassphraseNeeded):
        ClientStore.open(taken.copy(tmp_path / "tried"), None, unprotected=True)
    with pytest.raises(StorageError):
        open_database(tmp_path / "tried" / "client.db", CLIENT_SCHEMA, key=taken.files["store.key"][-KEY_BYTES:])


def test_a_thief_of_a_careless_home_finds_everything(loot: dict[str, Loot], tmp_path: Path) -> None:
    """So the search above can find, and `--no-passphrase` protects nothing, as it says."""
    taken = loot[CARELESS]
    secrets = secrets_of(taken.copy(tmp_path / "read"), None, GUARDED)
    copy, plain = taken.copy(tmp_path / "opened"), tmp_path / "plain.db"
    key = taken.files["store.key"][-KEY_BYTES:]
    with contextlib.closing(open_database(copy / "client.db", CLIENT_SCHEMA, key=key)) as database:
        database.execute("ATTACH DATABASE ? AS plain KEY ''", (str(plain),))
        database.rows("SELECT sqlcipher_export('plain')")
        database.execute("DETACH DATABASE plain")
    assert found_in(plain.read_bytes(), secrets) == set(secrets)
    assert len([what for what in secrets if what.startswith((GUARDED, CARELESS))]) >= 4
    shutil.rmtree(copy)
