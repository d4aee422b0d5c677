"""The node's own rows, notices and remembered requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from usernym.storage.database import IN_MEMORY
from usernym.storage.errors import RowLimitReached
from usernym.storage.node.notices import NewNotice
from usernym.storage.node.profile import StoredCard
from usernym.storage.node.store import NodeCounts, NodeStore

DIGEST = bytes(31) + b"\x01"


def test_the_seed_is_made_once(node: NodeStore) -> None:
    assert node.profile.identity_seed(b"a" * 32) == b"a" * 32
    assert node.profile.identity_seed(b"b" * 32) == b"a" * 32
    with pytest.raises(ValueError, match="32 bytes"):
        node.profile.identity_seed(b"short")


def test_a_card_only_gives_way_to_a_newer_one(node: NodeStore) -> None:
    assert node.profile.card() is None
    assert node.profile.card_sequence() == 0
    assert node.profile.save_card(2, b"two")
    assert not node.profile.save_card(2, b"another two")
    assert not node.profile.save_card(1, b"one")
    assert node.profile.card() == StoredCard(2, b"two")
    assert node.profile.save_card(3, b"three")
    assert (node.profile.card_sequence(), node.profile.card()) == (3, StoredCard(3, b"three"))


def test_a_store_in_memory_keeps_what_it_holds() -> None:
    store = NodeStore.open(IN_MEMORY, synchronous="OFF")
    store.profile.save_card(1, b"card")
    assert store.profile.card_sequence() == 1
    store.close()


# -- notices --


def test_notices_are_their_accounts_and_numbered_for_good(node: NodeStore) -> None:
    ids = node.notices.add_all(
        [NewNotice("ann", 1, b"x"), NewNotice("bob", 2, b"y"), NewNotice("ann", 3, b"z")], 10, 99
    )
    assert ids == sorted(set(ids))
    assert [(each.id, each.kind, each.blob) for each in node.notices.of("ann", 9)] == [
        (ids[0], 1, b"x"),
        (ids[2], 3, b"z"),
    ]
    assert [each.id for each in node.notices.of("ann", 1)] == [ids[0]]
    assert node.notices.confirm("ann", [ids[1], ids[2], 777]) == 1
    assert [each.id for each in node.notices.of("ann", 9)] == [ids[0]]
    assert [each.id for each in node.notices.of("bob", 9)] == [ids[1]]
    assert node.notices.confirm("bob", [ids[1]]) == 1
    assert node.notices.add("bob", 1, b"", 11, 99) > ids[2], "no number comes back"


def test_an_account_keeps_its_newest_notices(node: NodeStore) -> None:
    node.notices.add_all([NewNotice("bob", 0, b"")], 1, 9)
    ids = node.notices.add_all([NewNotice("ann", kind, b"") for kind in range(5)], 1, 9, account_max=3)
    assert [each.id for each in node.notices.of("ann", 9)] == ids[2:]
    assert len(node.notices.of("bob", 9)) == 1


def test_notices_expire_in_portions(node: NodeStore) -> None:
    for expires_at in (10, 11, 12, 13):
        node.notices.add("ann", expires_at, b"", 1, expires_at)
    assert node.notices.expire(9, 9) == 0
    assert node.notices.expire(12, 2) == 2
    assert [each.kind for each in node.notices.of("ann", 9)] == [12, 13]
    assert node.notices.expire(12, 2) == 1
    assert [each.kind for each in node.notices.of("ann", 9)] == [13]


# -- remembered requests --


def test_a_request_is_remembered_with_its_first_answer(node: NodeStore) -> None:
    assert not node.replay_ids.knows(DIGEST, 0)
    assert node.replay_ids.remember(DIGEST, b"", 100) is None
    assert node.replay_ids.remember(DIGEST, b"other", 200) == b"", "also an empty answer is an answer"
    assert node.replay_ids.knows(DIGEST, 99)
    assert not node.replay_ids.knows(DIGEST, 100)


def test_remembered_requests_are_bounded_until_they_expire(node: NodeStore) -> None:
    for number in range(3):
        assert node.replay_ids.remember(number.to_bytes(32, "big"), b"", 10 + number, rows_max=3) is None
    with pytest.raises(RowLimitReached, match="all 3 rows"):
        node.replay_ids.remember(b"n" * 32, b"", 99, rows_max=3)
    assert node.replay_ids.remember((1).to_bytes(32, "big"), b"", 99, rows_max=3) == b"", "a known one needs no room"
    assert node.replay_ids.expire(11, 1) == 1
    assert node.replay_ids.remember(b"n" * 32, b"", 99, rows_max=3) is None
    assert node.replay_ids.expire(11, 9) == 1
    assert not node.replay_ids.knows((1).to_bytes(32, "big"), 0)
    assert node.replay_ids.knows((2).to_bytes(32, "big"), 0)
    assert node.counts().remembered == 2


def test_the_count_of_remembered_requests_follows_a_rollback(node: NodeStore) -> None:
    def remember_and_fail() -> None:
        node.replay_ids.remember(DIGEST, b"", 10)
        raise KeyError

    with pytest.raises(KeyError):
        node.commit(remember_and_fail)
    assert node.counts() == NodeCounts(accounts=0, messages=0, message_bytes=0, notices=0, remembered=0)
    assert node.replay_ids.remember(DIGEST, b"", 10) is None
    assert node.counts().remembered == 1


def test_the_clocks_floor_only_rises_and_stays(tmp_path: Path) -> None:
    node = NodeStore.open(tmp_path / "node.db")
    assert node.profile.clock_floor() == 0
    for at, floor in ((100, 100), (50, 100), (100, 100), (2**32, 2**32)):
        node.profile.raise_clock_floor(at)
        assert node.profile.clock_floor() == floor
    node.close()
    assert NodeStore.open(tmp_path / "node.db").profile.clock_floor() == 2**32
