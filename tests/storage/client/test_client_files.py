"""Which file is asked for next, and how many are coming."""

from __future__ import annotations

from typing import Final

import pytest

from usernym.protocol.limits import DAY_S
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, Direction, FileState, StoredFile, Trust

KEY: Final = b"k" * 32
NOW: Final = 1_700_000_000


@pytest.fixture(autouse=True)
def _people(client: ClientStore) -> None:
    for name in ("bob", "carol"):
        assert client.contacts.add(name, KEY, b"record", Trust.CONFIRMED, Consent.ACCEPTED)


def offered(client: ClientStore, contact: str, number: int, size: int) -> StoredFile:
    name = number.to_bytes(16, "big")
    client.files.add(contact, Direction.IN, name, name="x", size=size, kind=0, digest=bytes(32), now=NOW)
    found = client.files.get(contact, name, Direction.IN)
    assert found is not None
    return found


def test_the_oldest_offer_that_fits_is_wanted_whoever_has_filled_their_own_room(client: ClientStore) -> None:
    assert client.files.to_want(100, 50) is None
    client.files.move(offered(client, "bob", 1, 40), FileState.UNDER_WAY, NOW)
    too_much, fits = offered(client, "bob", 2, 11), offered(client, "bob", 3, 10)
    other = offered(client, "carol", 4, 50)
    assert client.files.to_want(100, 50) == fits
    client.files.move(fits, FileState.COMPLETE, NOW)
    assert client.files.to_want(100, 50) == other
    assert client.files.to_want(49, 50) is None
    assert client.files.to_want(100, 61) == too_much
    assert client.contacts.set_consent("bob", Consent.BLOCKED)
    assert client.files.to_want(100, 61) == other


def test_each_contact_has_their_turn(client: ClientStore) -> None:
    several = [offered(client, "bob", number, 1) for number in range(3)]
    other = [offered(client, "carol", number, 1) for number in range(2)]
    turns = []
    for now in range(NOW, NOW + 5):
        file = client.files.to_want(100, 100)
        assert file is not None
        client.files.want(file, now)
        turns.append(file)
    assert turns == [several[0], other[0], several[1], other[1], several[2]]


def test_what_comes_too_slowly_or_not_at_all_holds_up_no_other(client: ClientStore) -> None:
    file = offered(client, "bob", 1, 10**6)
    client.files.want(file, NOW)
    assert client.files.coming(NOW + 599, 600, 10) == 1
    assert client.files.coming(NOW + 600, 600, 10) == 0
    for chunk in range(5):
        client.files.take_chunk(file, chunk, b"x", NOW + 500 + 100 * chunk)
    assert client.files.coming(NOW + 649, 600, 10) == 0, "moved later than that"
    assert client.files.coming(NOW + 900, 600, 10) == 0, "five chunks in fifteen minutes"
    quick = offered(client, "carol", 2, 10**6)
    client.files.want(quick, NOW + 850)
    assert client.files.coming(NOW + 900, 600, 10) == 1


def test_a_file_that_moved_by_a_clock_that_was_ahead_holds_up_no_other(client: ClientStore) -> None:
    client.files.want(offered(client, "bob", 1, 1), NOW)
    client.files.want(offered(client, "bob", 2, 1), NOW + DAY_S)
    assert client.files.coming(NOW, 600, 10) == 1
    assert client.files.coming(NOW + DAY_S, 600, 10) == 1
