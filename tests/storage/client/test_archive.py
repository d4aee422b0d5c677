"""A client's backup: what it holds, what it refuses, and what an import leaves as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from usernym.protocol.directory.witnesses import NO_WITNESSES, WitnessPolicy
from usernym.protocol.records import KeyRecord
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.storage.client.archive import Imported, export_archive, import_archive
from usernym.storage.client.profile import Profile
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import (
    Consent,
    DeliveryState,
    HandshakeState,
    Identity,
    IdentityState,
    InDirectory,
    Route,
    Trust,
)
from usernym.storage.errors import NotAStore
from usernym.storage.keyfile import Argon2Cost

CHEAP = Argon2Cost(memory_kib=8, passes=1)
ID = b"%016d"


def store_with(identity_key: bytes = b"k" * 32, texts: int = 3, first: int = 0) -> ClientStore:
    """A store with one contact and some texts each way."""
    store = ClientStore.open_plain()
    store.contacts.add("alice", identity_key, b"record", Trust.VERIFIED, Consent.ACCEPTED)
    for number in range(first, first + texts):
        store.messages.add_outgoing("alice", ID % number, 1, b"out %d" % number, b"t" * 16, number)
        store.messages.add_incoming(
            contact="alice", message_id=ID % number, key_number=1, counter=number + 1, kind=1, body=b"in %d" % number,
            token=None, sent_at=number, now=number, route=Route.NODE,
        )  # fmt: skip
    return store


def exported(store: ClientStore, folder: Path, owner: bytes = b"me") -> Path:
    export_archive(store, folder, "pass", owner, cost=CHEAP)
    return folder


def bodies(store: ClientStore) -> list[bytes]:
    return [message.body for message in store.messages.conversation("alice", 100_000)]


@pytest.mark.seconds
def test_an_empty_store_becomes_what_was_exported(tmp_path: Path) -> None:
    source, target = store_with(texts=1200), ClientStore.open_plain()
    folder = exported(source, tmp_path / "backup")
    assert import_archive(target, folder, "pass", b"me") == Imported(1, 2400)
    assert bodies(target) == bodies(source)
    assert target.contacts.all() == source.contacts.all()
    states = {message.state for message in target.messages.conversation("alice", 3000)}
    assert states == {DeliveryState.CANCELLED, DeliveryState.DELIVERED}, "nobody knows whether those were sent since"
    assert target.messages.due(10**6, 10) == []
    assert import_archive(target, folder, "pass", b"me") == Imported(0, 0)
    assert bodies(target) == bodies(source)


def test_word_is_awaited_again_of_what_the_node_had(tmp_path: Path) -> None:
    source, target = store_with(), ClientStore.open_plain()
    source.messages.advance("alice", ID % 1, DeliveryState.ACCEPTED)
    import_archive(target, exported(source, tmp_path / "backup"), "pass", b"me")
    assert target.messages.unanswered(100, 9, 9) == []
    assert [message.body for message in target.messages.unanswered(109, 9, 9)] == [b"out 1"]
    assert target.messages.due(10**6, 10) == [], "it is not sent again"


def test_what_came_since_stays_and_stands_behind(tmp_path: Path) -> None:
    folder = exported(store_with(), tmp_path / "backup")
    target = store_with(texts=2, first=2)  # the third pair is in both
    target.contacts.set_trust("alice", Trust.CONFIRMED)
    assert import_archive(target, folder, "pass", b"me") == Imported(0, 4)
    assert [body for body in bodies(target) if body.startswith(b"in")] == [b"in 0", b"in 1", b"in 2", b"in 3"]
    alice = target.contacts.get("alice")
    assert alice is not None
    assert (alice.trust, alice.next_out_counter, alice.highest_in_counter) == (Trust.VERIFIED, 4, 4)
    assert [message.state for message in target.messages.conversation("alice", 99)].count(DeliveryState.WAITING) == 2


def test_another_identity_is_marked_as_changed(tmp_path: Path) -> None:
    folder = exported(store_with(b"a" * 32), tmp_path / "backup")
    target = store_with(b"b" * 32, texts=0)
    import_archive(target, folder, "pass", b"me")
    alice = target.contacts.get("alice")
    assert alice is not None
    assert (alice.identity_key, alice.trust) == (b"b" * 32, Trust.CHANGED)


def test_another_owners_backup_changes_nothing(tmp_path: Path) -> None:
    folder = exported(store_with(), tmp_path / "backup", b"somebody else")
    target = ClientStore.open_plain()
    with pytest.raises(NotAStore, match="another account"):
        import_archive(target, folder, "pass", b"me")
    assert target.contacts.all() == []


def test_a_failed_export_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: ClientStore, _key: str, _value: bytes | None) -> None:
        raise RuntimeError("in the middle")

    store = store_with()
    monkeypatch.setattr(Profile, "set_setting", broken)
    with pytest.raises(RuntimeError):
        exported(store, tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("restored_at", "comes_back"), [(0, True), (9, False)])
def test_what_was_agreed_in_another_home_does_not_come_back(restored_at: int, comes_back: bool, tmp_path: Path) -> None:
    """The contact has the address of the home that is lost."""
    source, target = store_with(), ClientStore.open_plain()
    key, recovery = (SigningKey.from_seed(bytes([each]) * 32).public for each in (1, 2))
    record = pack(KeyRecord(1, 0, key, recovery, b"h" * 1216, 1, 1, bytes(32), bytes(64)))
    for store, began in ((source, 0), (target, restored_at)):
        store.profile.save_identity(
            Identity("me", b"s" * 32, b"r" * 32, record, record, 1, IdentityState.REGISTERED, 5, began)
        )
    source.contacts.set_handshake("alice", HandshakeState.ACTIVE, b"a" * 96)
    import_archive(target, exported(source, tmp_path / "backup"), "pass", b"me")
    alice = target.contacts.get("alice")
    assert alice is not None
    assert (alice.handshake is HandshakeState.ACTIVE, alice.peer_address is not None) == (comes_back, comes_back)


@pytest.mark.parametrize("word_here", Consent)
@pytest.mark.parametrize("word_there", Consent)
def test_an_older_word_unblocks_no_one(word_here: Consent, word_there: Consent, tmp_path: Path) -> None:
    """Which word is the later one is not known: the stricter one counts."""
    source, target = store_with(texts=0), store_with(texts=0)
    source.contacts.set_consent("alice", word_there)
    target.contacts.set_consent("alice", word_here)
    import_archive(target, exported(source, tmp_path / "backup"), "pass", b"me")
    alice = target.contacts.get("alice")
    assert alice is not None
    words = {word_here, word_there}
    for strict in (Consent.BLOCKED, Consent.DECLINED, Consent.ACCEPTED, Consent.PENDING):
        if strict in words:
            assert alice.consent is strict
            break


@pytest.mark.parametrize("wanted", [True, False])
def test_a_backup_does_not_say_what_this_homes_witnesses_have_signed(wanted: bool, tmp_path: Path) -> None:
    source, target = store_with(), ClientStore.open_plain()
    source.contacts.pin("alice", b"k" * 32, b"record", 7, lacks_witnesses=not wanted)
    target.witnessed.want(WitnessPolicy([b"w" * 32], 1) if wanted else NO_WITNESSES)
    import_archive(target, exported(source, tmp_path / "backup"), "pass", b"me")
    alice = target.contacts.get("alice")
    assert alice is not None
    assert alice.directory is (InDirectory.NOT_WITNESSED if wanted else InDirectory.SHOWN)
