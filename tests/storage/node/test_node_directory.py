"""Who holds which name."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from usernym.storage.errors import RowConflict
from usernym.storage.node.directory import FORMER_KEYS_MAX, Account, ChainLink, Registration
from usernym.storage.node.store import NodeStore

ANN, BOB = b"A" * 32, b"B" * 32


def register(node: NodeStore, name: str = "alice", key: bytes = ANN, now: int = 100, **changes: Any) -> Registration:
    fields: dict[str, Any] = {
        "name": name,
        "skeleton": name.replace("i", "l"),
        "skeleton_version": 1,
        "identity_key": key,
        "record": b"record 1",
        "record_number": 1,
        "hpke_number": 1,
        "link": b"link 0",
        "now": now,
    }
    return node.directory.register(**{**fields, **changes})


def account(node: NodeStore, name: str = "alice") -> Account:
    found = node.directory.account(name)
    assert found is not None
    return found


def test_a_registration_is_found_by_name_and_by_skeleton(node: NodeStore) -> None:
    assert node.directory.account("alice") is None
    assert register(node) is Registration.CREATED
    expected = Account("alice", "allce", 1, ANN, b"record 1", 1, 1, 100, 100, None)
    assert node.directory.account("alice") == expected
    assert node.directory.in_the_way("alice", "allce") == node.directory.in_the_way("al1ce", "allce") == [expected]
    assert node.directory.in_the_way("allce", "alice") == []
    assert node.directory.links("alice", 0) == [ChainLink(0, b"link 0")]
    assert node.directory.key_superseded_at("alice", 1) is None
    assert node.counts().accounts == 1


def test_the_outcomes_of_a_registration(node: NodeStore) -> None:
    register(node)
    before = account(node)
    assert register(node, now=200, record=b"other") is Registration.SAME_IDENTITY
    assert register(node, key=BOB) is Registration.NAME_TAKEN
    assert register(node, "allce", key=BOB) is Registration.LOOKS_ALIKE
    assert register(node, "allce") is Registration.LOOKS_ALIKE, "also for the owner of the first"
    assert account(node) == before
    assert node.counts().accounts == 1


@pytest.mark.parametrize("names", [("alice", "alice"), ("alice", "allce")])
def test_two_at_once_exactly_one_wins(node: NodeStore, names: tuple[str, str]) -> None:
    rounds = 40
    gate = threading.Barrier(2, timeout=20)

    def run(which: int) -> list[Registration]:
        outcomes = []
        for number in range(rounds):
            gate.wait()
            outcomes.append(register(node, f"{names[which]}{number}", bytes([which]) * 32))
        return outcomes

    with ThreadPoolExecutor(2) as pool:
        ours, theirs = pool.map(run, (0, 1))
    lost = Registration.NAME_TAKEN if names[0] == names[1] else Registration.LOOKS_ALIKE
    assert {frozenset(pair) for pair in zip(ours, theirs, strict=True)} == {frozenset({Registration.CREATED, lost})}
    assert node.counts().accounts == rounds


def newer(node: NodeStore, expected: int | bytes, number: int, hpke: int, key: bytes = ANN, **changes: Any) -> bool:
    fields: dict[str, Any] = {
        "expected": expected if isinstance(expected, bytes) else f"record {expected}".encode(),
        "identity_key": key,
        "record": f"record {number}".encode(),
        "record_number": number,
        "hpke_number": hpke,
        "now": 500,
    }
    return node.directory.replace_record("alice", **{**fields, **changes})


def test_a_newer_record_supersedes_the_key(node: NodeStore) -> None:
    register(node)
    assert newer(node, 1, 2, 2)
    expected = Account("alice", "allce", 1, ANN, b"record 2", 2, 2, 100, 500, None)
    assert account(node) == expected
    assert (node.directory.key_superseded_at("alice", 1), node.directory.key_superseded_at("alice", 2)) == (500, None)
    assert newer(node, 2, 3, 3, now=900)
    assert (node.directory.key_superseded_at("alice", 1), node.directory.key_superseded_at("alice", 2)) == (500, 900)
    assert node.directory.key_superseded_at("alice", 99) is None


def test_of_former_keys_the_newest_are_known_however_often_one_is_replaced(node: NodeStore) -> None:
    register(node)
    register(node, "bob", BOB)
    last = 3 * FORMER_KEYS_MAX
    for number in range(1, last):
        assert newer(node, number, number + 1, number + 1, now=100 + number)
    known = [number for number in range(1, last) if node.directory.key_superseded_at("alice", number) is not None]
    assert known == list(range(last - FORMER_KEYS_MAX, last))
    rows = node.database.rows("SELECT name, count(*) FROM hpke_number GROUP BY name ORDER BY name")
    assert rows == [("alice", FORMER_KEYS_MAX + 1), ("bob", 1)]


def test_a_record_that_follows_a_thiefs_does_not_follow_the_owners_with_the_same_number(node: NodeStore) -> None:
    register(node)
    assert newer(node, 1, 2, 2, record=b"a thief's record 2", new_link=(1, b"thief"))
    theirs = b"a thief's record 2"
    assert newer(node, theirs, 2, 3, record=b"the owner's record 2", new_link=(1, b"recovery"))
    before = account(node)
    assert not newer(node, theirs, 3, 4)
    assert account(node) == before


def test_a_record_that_is_not_expected_changes_nothing(node: NodeStore) -> None:
    register(node)
    before = account(node)
    assert not newer(node, 2, 3, 3)
    assert account(node) == before
    with pytest.raises(ValueError, match="never goes back"):
        newer(node, 1, 2, 0)
    assert account(node) == before
    node.directory.delete_account("alice", 999)
    assert not newer(node, 1, 2, 2)


def test_a_new_link_cuts_the_chain_at_its_generation(node: NodeStore) -> None:
    register(node)
    newer(node, 1, 2, 2, key=b"1" * 32, new_link=(1, b"link 1"))
    newer(node, 2, 3, 3, key=b"2" * 32, new_link=(2, b"link 2"))
    assert node.directory.links("alice", 1) == [ChainLink(1, b"link 1"), ChainLink(2, b"link 2")]
    newer(node, 3, 4, 4, key=BOB, new_link=(1, b"by recovery"))
    assert node.directory.links("alice", 0) == [ChainLink(0, b"link 0"), ChainLink(1, b"by recovery")]
    assert account(node).identity_key == BOB
    newer(node, 4, 5, 4, key=BOB)
    assert node.directory.links("alice", 0) == [ChainLink(0, b"link 0"), ChainLink(1, b"by recovery")]


def test_a_deleted_name_is_held_for_its_owner(node: NodeStore) -> None:
    register(node)
    node.mailbox.enqueue(sender="bob", recipient="alice", message_id=b"1" * 16, blob=b"x", now=1, expires_at=9)
    node.mailbox.enqueue(sender="alice", recipient="bob", message_id=b"2" * 16, blob=b"x", now=1, expires_at=9)
    node.notices.add("alice", 1, b"", 1, 9)
    before = account(node)
    assert node.directory.delete_account("alice", held_until=1000)
    assert not node.directory.delete_account("alice", held_until=2000)
    assert account(node) == replace(before, deleted_until=1000)
    assert node.counts().accounts == 0
    assert [each.sender for each in node.mailbox.remove_all("alice")] == ["bob"]
    assert (len(node.mailbox.waiting("alice", 9)), len(node.mailbox.waiting("bob", 9))) == (0, 1)
    assert node.notices.of("alice", 9) == []
    assert register(node, key=BOB, now=999) is Registration.NAME_TAKEN
    assert register(node, "allce", key=BOB, now=999) is Registration.LOOKS_ALIKE
    assert register(node, now=999) is Registration.REVIVED
    assert account(node) == replace(before, updated_at=999)
    assert not node.directory.delete_account("nobody", 5)


def test_taking_a_name_back_with_a_newer_record(node: NodeStore) -> None:
    register(node)
    node.directory.delete_account("alice", 1000)
    assert register(node, now=50, record=b"record 7", record_number=7, hpke_number=3) is Registration.REVIVED
    found = account(node)
    assert (found.record, found.record_number, found.hpke_number) == (b"record 7", 7, 3)
    assert node.directory.key_superseded_at("alice", 1) == 50


@pytest.mark.parametrize("name", ["alice", "allce"])
def test_after_its_hold_a_name_is_free(node: NodeStore, name: str) -> None:
    register(node)
    newer(node, 1, 2, 2, new_link=(1, b"link 1"))
    node.directory.delete_account("alice", 1000)
    assert register(node, name, key=BOB, now=1000) is Registration.CREATED
    assert account(node, name).identity_key == BOB
    assert node.directory.links(name, 0) == [ChainLink(0, b"link 0")], "nothing of the former owner is left"
    assert node.directory.key_superseded_at(name, 1) is None


def test_names_are_released_in_portions(node: NodeStore) -> None:
    for number, name in enumerate(("ann", "bob", "cat", "dan")):
        register(node, name)
        if name != "dan":
            node.directory.delete_account(name, 1000 + number)
    assert node.directory.release_names(999, 9) == 0
    assert node.directory.release_names(1001, 1) == 1
    assert node.directory.release_names(1001, 9) == 1
    assert [name for name in ("ann", "bob", "cat", "dan") if node.directory.account(name)] == ["cat", "dan"]
    assert node.directory.links("ann", 0) == []


def test_a_key_of_the_wrong_size_is_refused(node: NodeStore) -> None:
    with pytest.raises(RowConflict):
        register(node, key=b"short")
    assert node.directory.account("alice") is None
