"""The client's store at rest: the key file, the passphrase, and what raw bytes show."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from usernym.storage import errors
from usernym.storage.client.schema import CLIENT_SCHEMA
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, Identity, IdentityState, Route, Trust
from usernym.storage.database import open_database
from usernym.storage.keyfile import Argon2Cost, Protection
from usernym.storage.migrations import Migration

SECRETS = {
    "name": b"grace_hopper",
    "contact": b"ada_lovelace",
    "text sent": b"meet me at the old mill",
    "text received": b"bring the punched cards",
    "identity seed": bytes(range(100, 132)),
    "message key": bytes(range(132, 164)),
    "contact's key": bytes(range(164, 196)),
    "peer address": bytes(range(196, 228)) * 3,
    "setting": b"wss://mixnet.example",
}


def fill(store: ClientStore) -> None:
    name, contact = SECRETS["name"].decode(), SECRETS["contact"].decode()
    seed = SECRETS["identity seed"]
    store.profile.save_identity(Identity(name, seed, bytes(32), b"link", b"record", 1, IdentityState.REGISTERED, 5))
    store.keys.add(1, SECRETS["message key"], 5)
    store.contacts.add(contact, SECRETS["contact's key"], b"record", Trust.VERIFIED, Consent.ACCEPTED)
    store.contacts.set_handshake(contact, store.contacts.all()[0].handshake, SECRETS["peer address"])
    store.messages.add_outgoing(contact, b"1" * 16, 1, SECRETS["text sent"], b"t" * 16, 6)
    store.messages.add_incoming(
        contact=contact,
        message_id=b"2" * 16,
        key_number=1,
        counter=1,
        kind=1,
        body=SECRETS["text received"],
        token=None,
        sent_at=6,
        now=7,
        route=Route.DIRECT,
    )
    store.profile.set_setting("mixnet", SECRETS["setting"])


def raw_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def found_in(content: bytes) -> set[str]:
    return {what for what, secret in SECRETS.items() if secret in content}


# -- raw bytes --


def test_the_files_show_nothing(client: ClientStore, tmp_path: Path) -> None:
    fill(client)
    while_open = raw_bytes(tmp_path)
    client.close()
    assert found_in(while_open) == found_in(raw_bytes(tmp_path)) == set()
    assert b"SQLite format" not in while_open
    assert b"contact" not in while_open, "not even the tables' names"


def test_the_same_search_finds_everything_in_an_unencrypted_file(tmp_path: Path) -> None:
    store = ClientStore.open_plain(tmp_path / "client.db")
    fill(store)
    assert found_in(raw_bytes(tmp_path)) == set(SECRETS)
    store.close()


def test_what_was_written_is_read_again(client: ClientStore, tmp_path: Path) -> None:
    fill(client)
    client.close()
    store = ClientStore.open(tmp_path / "home", "correct horse")
    assert store.profile.identity().seed == SECRETS["identity seed"]
    assert [each.body for each in store.messages.conversation("ada_lovelace", 9)] == [
        SECRETS["text sent"],
        SECRETS["text received"],
    ]
    assert store.problems() == []
    store.close()


def test_files_are_the_owners_alone(client: ClientStore, tmp_path: Path) -> None:
    fill(client)
    home = tmp_path / "home"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    names = ("client.db", "client.db-shm", "client.db-wal", "store.key")
    assert modes == dict.fromkeys(names, 0o600)


# -- the passphrase --


def test_a_wrong_passphrase_opens_nothing(client: ClientStore, tmp_path: Path) -> None:
    client.close()
    with pytest.raises(errors.WrongPassphrase):
        ClientStore.open(tmp_path / "home", "correct horse ")
    with pytest.raises(errors.PassphraseNeeded):
        ClientStore.open(tmp_path / "home", None)
    with pytest.raises(errors.PassphraseNeeded):
        ClientStore.open(tmp_path / "home", None, unprotected=True)


def test_a_passphrase_is_the_same_however_it_was_composed(tmp_path: Path, cost: Argon2Cost) -> None:
    ClientStore.open(tmp_path, "caf\N{LATIN SMALL LETTER E WITH ACUTE}", cost=cost).close()
    ClientStore.open(tmp_path, "cafe\N{COMBINING ACUTE ACCENT}").close()
    with pytest.raises(errors.WrongPassphrase):
        ClientStore.open(tmp_path, "cafe")


@pytest.mark.seconds
@pytest.mark.usefixtures("real_passphrases")
def test_the_default_cost_is_64_mib_three_passes_one_lane(tmp_path: Path) -> None:
    ClientStore.open(tmp_path, "pass").close()
    written = (tmp_path / "store.key").read_bytes()
    assert [int.from_bytes(written[at : at + 4], "big") for at in (9, 13, 17)] == [65536, 3, 1]


def test_no_passphrase_only_by_choice(tmp_path: Path) -> None:
    with pytest.raises(errors.PassphraseNeeded):
        ClientStore.open(tmp_path / "home", None)
    with pytest.raises(ValueError, match="either"):
        ClientStore.open(tmp_path / "home", "pass", unprotected=True)
    assert list((tmp_path / "home").iterdir()) == []
    store = ClientStore.open(tmp_path / "home", None, unprotected=True)
    assert not store.protected
    store.close()
    assert ClientStore.protection(tmp_path / "home") is Protection.NONE
    again = ClientStore.open(tmp_path / "home", None)
    assert not again.protected
    again.close()
    with pytest.raises(errors.StoreUnprotected):
        ClientStore.open(tmp_path / "home", "pass")


def test_protection_is_told_before_opening(client: ClientStore, tmp_path: Path) -> None:
    assert client.protected
    assert ClientStore.protection(tmp_path / "home") is Protection.PASSPHRASE
    assert ClientStore.protection(tmp_path / "elsewhere") is Protection.ABSENT


def test_changing_the_passphrase_rewrites_the_key_file_alone(
    client: ClientStore, tmp_path: Path, cost: Argon2Cost
) -> None:
    fill(client)
    client.close()
    home = tmp_path / "home"
    database, key_file = (home / "client.db").read_bytes(), (home / "store.key").read_bytes()
    store = ClientStore.open(home, "correct horse")
    with pytest.raises(errors.WrongPassphrase):
        store.change_passphrase("wrong", "new", cost=cost)
    with pytest.raises(errors.PassphraseNeeded):
        store.change_passphrase("correct horse", None)
    assert (home / "store.key").read_bytes() == key_file
    store.change_passphrase("correct horse", "new", cost=cost)
    store.close()
    assert (home / "client.db").read_bytes() == database
    assert (home / "store.key").read_bytes() != key_file
    with pytest.raises(errors.WrongPassphrase):
        ClientStore.open(home, "correct horse")
    store = ClientStore.open(home, "new")
    assert store.profile.identity().name == "grace_hopper"
    told = [store.protected]
    store.change_passphrase("new", None, unprotected=True)
    told.append(store.protected)
    store.change_passphrase(None, "third", cost=cost)
    told.append(store.protected)
    assert told == [True, False, True]
    store.close()
    ClientStore.open(home, "third").close()


def test_randomness_comes_from_the_parameter(tmp_path: Path, cost: Argon2Cost) -> None:
    def stream() -> Callable[[int], bytes]:
        numbers = iter(range(256))
        return lambda size: bytes([next(numbers)]) * size

    for name in ("one", "two"):
        ClientStore.open(tmp_path / name, "pass", cost=cost, random_bytes=stream()).close()
    one, two = ((tmp_path / name / "store.key").read_bytes() for name in ("one", "two"))
    assert one == two
    assert one[21:37] == b"\x01" * 16, "the salt, after the key"
    open_database(tmp_path / "one" / "client.db", CLIENT_SCHEMA, key=bytes(32)).close()


# -- damage --


@pytest.mark.parametrize("at", [8, 12, 16, 20, 21, 36, 37, 49, 96])
def test_an_altered_key_file_opens_nothing(client: ClientStore, tmp_path: Path, at: int) -> None:
    client.close()
    path = tmp_path / "home" / "store.key"
    altered = bytearray(path.read_bytes())
    altered[at] ^= 3
    path.write_bytes(altered)
    with pytest.raises((errors.WrongPassphrase, errors.StoreCorrupt)):
        ClientStore.open(tmp_path / "home", "correct horse")
    assert path.read_bytes() == altered


def test_a_key_file_cannot_ask_for_all_memory(client: ClientStore, tmp_path: Path) -> None:
    client.close()
    path = tmp_path / "home" / "store.key"
    content = path.read_bytes()
    path.write_bytes(content[:9] + b"\x7f\xff\xff\xff" + content[13:])
    with pytest.raises(errors.StoreCorrupt):
        ClientStore.open(tmp_path / "home", "correct horse")


@pytest.mark.parametrize(
    ("content", "error"), [(b"", errors.NotAStore), (b"what", errors.NotAStore), (None, errors.StoreCorrupt)]
)
def test_a_key_file_that_is_none_is_left_alone(
    client: ClientStore, tmp_path: Path, content: bytes | None, error: type[Exception]
) -> None:
    client.close()
    path = tmp_path / "home" / "store.key"
    wrong = path.read_bytes()[:-1] if content is None else content
    path.write_bytes(wrong)
    with pytest.raises(error):
        ClientStore.open(tmp_path / "home", "correct horse")
    assert path.read_bytes() == wrong


def test_without_its_key_file_a_database_is_left_alone(client: ClientStore, tmp_path: Path) -> None:
    client.close()
    (tmp_path / "home" / "store.key").unlink()
    before = raw_bytes(tmp_path)
    with pytest.raises(errors.StoreCorrupt, match="is gone"):
        ClientStore.open(tmp_path / "home", "correct horse")
    assert raw_bytes(tmp_path) == before


def test_a_wrong_storage_key_and_garbage_are_refused_and_left_alone(client: ClientStore, tmp_path: Path) -> None:
    client.close()
    path = tmp_path / "home" / "client.db"
    before = path.read_bytes()
    with pytest.raises(errors.NotAStore):
        open_database(path, CLIENT_SCHEMA, key=bytes(32))
    assert path.read_bytes() == before
    path.write_bytes(os.urandom(len(before)))
    before = path.read_bytes()
    with pytest.raises(errors.NotAStore):
        ClientStore.open(tmp_path / "home", "correct horse")
    assert path.read_bytes() == before
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    path.chmod(0o600)
    before = path.read_bytes()
    with pytest.raises(errors.NotAStore):
        ClientStore.open(tmp_path / "home", "correct horse")
    assert path.read_bytes() == before


def test_an_exposed_key_file_is_refused(client: ClientStore, tmp_path: Path) -> None:
    client.close()
    (tmp_path / "home" / "store.key").chmod(0o604)
    with pytest.raises(errors.StoreExposed):
        ClientStore.open(tmp_path / "home", "correct horse")


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "client.db"
    newer = replace(CLIENT_SCHEMA, migrations=(Migration(("CREATE TABLE later (x)",)),))
    open_database(path, newer, key=bytes(32)).close()
    with pytest.raises(errors.SchemaTooNew):
        open_database(path, CLIENT_SCHEMA, key=bytes(32))


# -- destroyed keys --

MARKS = [b"KEY %03d " % number * 4 for number in range(120)]


def with_keys(store: ClientStore) -> ClientStore:
    for number, seed in enumerate(MARKS, start=1):
        store.keys.add(number, seed, number)
        store.keys.confirm(number, number)
    return store


def test_destroyed_keys_are_in_no_file(tmp_path: Path) -> None:
    store = with_keys(ClientStore.open_plain(tmp_path / "client.db"))
    content = raw_bytes(tmp_path)
    assert all(mark in content for mark in MARKS)
    # Key n was superseded at n + 1: numbers 1 to 117 before 119.
    assert store.keys.destroy(119) == list(range(1, 118))
    content = raw_bytes(tmp_path)
    assert [number for number, mark in enumerate(MARKS, start=1) if mark in content] == [118, 119, 120]
    assert [key.number for key in store.keys.all()] == [118, 119, 120]
    store.close()


def test_a_reader_in_the_way_is_said_and_the_next_call_finishes(tmp_path: Path) -> None:
    store = with_keys(
        ClientStore(open_database(tmp_path / "client.db", CLIENT_SCHEMA, timeout_s=0.05), protected=False)
    )
    reader = sqlite3.connect(tmp_path / "client.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM hpke_key").fetchall()
    with pytest.raises(errors.StoreBusy):
        store.keys.destroy(119)
    assert MARKS[0] in raw_bytes(tmp_path)
    reader.close()
    assert store.keys.destroy(119) == []
    assert MARKS[0] not in raw_bytes(tmp_path)
    store.close()


def test_keys_are_not_destroyed_inside_a_transaction(client: ClientStore) -> None:
    def destroy() -> None:
        with client.transaction():
            client.keys.destroy(100)

    with pytest.raises(ValueError, match="inside a transaction"):
        destroy()
