"""The user's own side: identity, keys, login, settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from usernym.protocol.directory.checkpoints import HeadTold
from usernym.storage.client.notices import KEPT_MAX
from usernym.storage.client.seen_log import HEADS_MAX
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import HpkeKey, Identity, IdentityState
from usernym.storage.errors import NoIdentity, RowConflict

ME = Identity("ann", b"s" * 32, b"r" * 32, b"link", b"record 1", 1, IdentityState.CREATING, 5)


def test_settings(client: ClientStore) -> None:
    assert client.profile.setting("policy") is None
    client.profile.set_setting("policy", b"one")
    client.profile.set_setting("policy", b"two")
    client.profile.set_setting("other", b"")
    assert (client.profile.setting("policy"), client.profile.setting("other")) == (b"two", b"")
    client.profile.set_setting("policy", None)
    client.profile.set_setting("policy", None)
    assert (client.profile.setting("policy"), client.profile.setting("other")) == (None, b"")


def test_the_identity_is_one_row(client: ClientStore) -> None:
    assert not client.profile.has_identity()
    for use in (client.profile.identity, lambda: client.profile.set_identity_state(IdentityState.DELETED)):
        with pytest.raises(NoIdentity):
            use()
    client.profile.save_identity(ME)
    assert client.profile.has_identity()
    assert client.profile.identity() == ME
    client.profile.set_identity_state(IdentityState.REGISTERED)
    client.profile.save_record(b"record 2", 2)
    expected = replace(ME, state=IdentityState.REGISTERED, record=b"record 2", record_number=2)
    assert client.profile.identity() == expected
    client.profile.save_identity(replace(expected, seed=b"n" * 32))
    assert client.profile.identity() == replace(expected, seed=b"n" * 32)


def test_secrets_do_not_show_in_a_repr(client: ClientStore) -> None:
    client.profile.save_identity(ME)
    client.keys.add(1, b"secret seed", 1)
    shown = repr((client.profile.identity(), client.keys.all()))
    assert "IdentityState.CREATING" in shown
    assert not any(secret in shown for secret in ("ann", "ssss", "rrrr", "record 1", "secret seed"))


def test_confirming_a_key_supersedes_those_before(client: ClientStore) -> None:
    for number in (1, 2, 3):
        client.keys.add(number, b"%d" % number * 32, number * 10)
    assert client.keys.confirm(1, 100)
    assert client.keys.confirm(2, 200)
    assert client.keys.confirm(2, 300), "again: no date moves"
    assert not client.keys.confirm(9, 400)
    expected = [
        HpkeKey(1, b"1" * 32, 10, 100, 200),
        HpkeKey(2, b"2" * 32, 20, 200, None),
        HpkeKey(3, b"3" * 32, 30, None, None),
    ]
    assert client.keys.all() == expected
    assert client.keys.get(2) == expected[1]
    assert client.keys.get(9) is None


def test_a_key_is_never_replaced(client: ClientStore) -> None:
    client.keys.add(1, b"first", 1)
    with pytest.raises(RowConflict):
        client.keys.add(1, b"second", 2)
    assert [key.seed for key in client.keys.all()] == [b"first"]


def test_destroying_keys_forgets_the_ids_they_opened(client: ClientStore) -> None:
    for number in (1, 2, 3):
        client.keys.add(number, b"seed", number)
        client.keys.confirm(number, number * 10)
        assert client.messages.mark_seen("bob", bytes([number]) * 16, number)
    assert client.keys.destroy(20) == [], "superseded at 20 is not before 20"
    assert client.keys.destroy(21) == [1]
    assert [client.messages.was_seen("bob", bytes([number]) * 16) for number in (1, 2, 3)] == [False, True, True]
    assert [key.number for key in client.keys.all()] == [2, 3]


def test_a_login_replaces_the_one_before(client: ClientStore) -> None:
    assert client.profile.login_id() is None
    client.profile.save_login(b"one")
    client.profile.save_login(b"two")
    assert client.profile.login_id() == b"two"


def test_notices_to_confirm(client: ClientStore) -> None:
    client.notices.add([5, 3, 5])
    client.notices.add([4, 3])
    client.notices.add([])
    assert client.notices.oldest(9) == [3, 4, 5]
    assert client.notices.oldest(2) == [3, 4]
    client.notices.remove([4, 77])
    assert client.notices.oldest(9) == [3, 5]
    client.notices.add(range(1000, 3000))
    assert len(client.notices.oldest(9999)) == 2002


def test_a_node_fills_no_disk_with_numbers_to_confirm(client: ClientStore) -> None:
    for number in range(2 * KEPT_MAX):
        client.notices.add([2 * number, 2 * number + 1])
    kept = client.notices.oldest(9 * KEPT_MAX)
    assert len(kept) == KEPT_MAX
    client.notices.remove(kept[:2])
    client.notices.add([7_777_777])
    assert client.notices.oldest(9 * KEPT_MAX)[-1] == 7_777_777


def test_heads_that_a_node_shows_with_lookups_fill_no_disk_and_crowd_out_none(client: ClientStore) -> None:
    log = client.seen_log
    for size in range(2 * HEADS_MAX):
        log.note_looked_up(HeadTold(10**6 + size, bytes(32), bytes(64)))
        log.note_looked_up(HeadTold(10**6, size.to_bytes(32, "big"), bytes(64)))
    for each in range(HEADS_MAX + 1):
        log.note(f"bob{each}", HeadTold(9, bytes(32), bytes(64)))
    log.note_looked_up(HeadTold(9, bytes(32), bytes(64)))
    assert [head.name for head in log.heads_of(9)].count("") == 1, "what can be compared soon has room"
    assert len(log.heads_of(9)) == HEADS_MAX + 1, "and so have the heads of contacts"
    assert client.database.value(int, "SELECT count(*) FROM head") == 2 * HEADS_MAX
