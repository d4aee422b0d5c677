"""The user's own side: identity, keys, login, settings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from usernym.storage.client import ClientStore, HpkeKey, Identity, IdentityState, RouteState
from usernym.storage.errors import NoIdentity, RowConflict

ME = Identity("ann", b"s" * 32, 0, b"r" * 32, b"link", b"record 1", 1, IdentityState.CREATING, 5)


def test_settings(client: ClientStore) -> None:
    assert client.setting("policy") is None
    client.set_setting("policy", b"one")
    client.set_setting("policy", b"two")
    client.set_setting("other", b"")
    assert (client.setting("policy"), client.setting("other")) == (b"two", b"")
    client.set_setting("policy", None)
    client.set_setting("policy", None)
    assert (client.setting("policy"), client.setting("other")) == (None, b"")


def test_the_identity_is_one_row(client: ClientStore) -> None:
    assert not client.has_identity()
    for use in (client.identity, lambda: client.set_identity_state(IdentityState.DELETED)):
        with pytest.raises(NoIdentity):
            use()
    client.save_identity(ME)
    assert client.has_identity()
    assert client.identity() == ME
    client.set_identity_state(IdentityState.REGISTERED)
    client.save_record(b"record 2", 2)
    expected = replace(ME, state=IdentityState.REGISTERED, record=b"record 2", record_number=2)
    assert client.identity() == expected
    client.save_identity(replace(expected, seed=b"n" * 32, number=1))
    assert client.identity() == replace(expected, seed=b"n" * 32, number=1)


def test_secrets_do_not_show_in_a_repr(client: ClientStore) -> None:
    client.save_identity(ME)
    client.add_hpke_key(1, b"secret seed", 1)
    shown = repr((client.identity(), client.hpke_keys()))
    assert "IdentityState.CREATING" in shown
    assert not any(secret in shown for secret in ("ann", "ssss", "rrrr", "record 1", "secret seed"))


def test_confirming_a_key_supersedes_those_before(client: ClientStore) -> None:
    for number in (1, 2, 3):
        client.add_hpke_key(number, b"%d" % number * 32, number * 10)
    assert client.current_hpke_key() is None
    assert client.confirm_hpke_key(1, 100)
    assert client.confirm_hpke_key(2, 200)
    assert client.confirm_hpke_key(2, 300), "again: no date moves"
    assert not client.confirm_hpke_key(9, 400)
    expected = [
        HpkeKey(1, b"1" * 32, 10, 100, 200),
        HpkeKey(2, b"2" * 32, 20, 200, None),
        HpkeKey(3, b"3" * 32, 30, None, None),
    ]
    assert client.hpke_keys() == expected
    assert client.current_hpke_key() == client.hpke_key(2) == expected[1]
    assert client.hpke_key(9) is None


def test_a_key_is_never_replaced(client: ClientStore) -> None:
    client.add_hpke_key(1, b"first", 1)
    with pytest.raises(RowConflict):
        client.add_hpke_key(1, b"second", 2)
    assert [key.seed for key in client.hpke_keys()] == [b"first"]


def test_destroying_keys_forgets_the_ids_they_opened(client: ClientStore) -> None:
    for number in (1, 2, 3):
        client.add_hpke_key(number, b"seed", number)
        client.confirm_hpke_key(number, number * 10)
        assert client.mark_seen("bob", bytes([number]) * 16, number, 5)
    assert client.destroy_hpke_keys(20) == [], "superseded at 20 is not before 20"
    assert client.destroy_hpke_keys(21) == [1]
    assert [client.was_seen("bob", bytes([number]) * 16) for number in (1, 2, 3)] == [False, True, True]
    assert [key.number for key in client.hpke_keys()] == [2, 3]


def test_a_login_pushes_the_one_before(client: ClientStore) -> None:
    assert (client.route_state(), client.login_id()) == (None, None)
    client.save_login(b"one", b"boot 1", 10)
    assert client.route_state() == RouteState(b"one", None, b"boot 1", b"", 10)
    client.save_counters(b"heard", 11)
    assert client.route_state() == RouteState(b"one", None, b"boot 1", b"heard", 11)
    client.save_login(b"two", b"boot 2", 20)
    client.save_login(b"two", b"boot 2", 21)
    assert client.route_state() == RouteState(b"two", b"one", b"boot 2", b"", 21)
    assert client.login_id() == b"two"


def test_notices_to_confirm(client: ClientStore) -> None:
    client.note_notices([5, 3, 5])
    client.note_notices([4, 3])
    client.note_notices([])
    assert client.notices_to_confirm(9) == [3, 4, 5]
    assert client.notices_to_confirm(2) == [3, 4]
    client.clear_notices([4, 77])
    assert client.notices_to_confirm(9) == [3, 5]
    client.note_notices(range(1000, 3000))
    assert len(client.notices_to_confirm(9999)) == 2002
