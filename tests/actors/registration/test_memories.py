"""No one fills a memory that others need: messages, logins, registrations and deletions are remembered apart."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.hostile import RawClient, dump
from usernym.actors.forwarding import shares
from usernym.actors.forwarding.shares import Share
from usernym.actors.registration import spent_proofs
from usernym.actors.registration.spent_proofs import SpentProofs, TakenLogin
from usernym.protocol import messages as m
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import NAME_HELD_S
from usernym.protocol.payloads import SEALED_SIZES
from usernym.storage.errors import RowLimitReached
from usernym.storage.node.replay_ids import REMEMBERED_ROWS_MAX
from usernym.testing.world import World


def registered(world: World, name: str, seed: int) -> RawClient:
    client = RawClient(world, name, seed)
    assert isinstance(client.register(), m.Registered)
    client.log_in()
    return client


def message(client: RawClient, to: str, message_id: bytes | None = None, seal: bytes = b"\0") -> Any:
    """Hand in one packet of nothing, under a new id where none is named; the answer."""
    world = client.world
    forward = m.Forward(
        client.new_id(), client.name, to, message_id or world.sim.random_bytes(16), world.sim.unix_s(), 1,
        seal * min(SEALED_SIZES), bytes(64), None,
    )  # fmt: skip
    return client.hand_in(forward)


def test_a_full_memory_of_messages_stops_no_login_no_registration_and_no_deletion() -> None:
    with World(14) as world:
        bob = world.client("bob")
        mallory = registered(world, "mallory", 99)
        # The count is what is compared: the rows would be half an hour of 800 messages a second.
        world.node.store.database.run("UPDATE remembered_count SET rows = ?", (REMEMBERED_ROWS_MAX,))
        assert Code(message(mallory, "bob").code) is Code.BUSY
        carol = registered(world, "carol", 98)
        bob.kill()
        bob.start()
        bob.connect()
        world.settle(10)
        assert world.node.counters()["registration"]["logins"] == 4
        delete = m.Delete(carol.new_id(), 2, "carol", world.sim.unix_s())
        assert isinstance(carol.ask(delete), m.Deleted)
        world.check()


def test_one_senders_messages_leave_room_for_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "REMEMBERED", Share(5, 10**6))
    with World(15) as world:
        world.client("bob")
        mallory, other = registered(world, "mallory", 99), registered(world, "other", 98)
        codes = [message(mallory, "bob") for _ in range(7)]
        assert [type(each) for each in codes] == [m.Accepted] * 5 + [m.Refused] * 2
        assert {Code(each.code) for each in codes[5:]} == {Code.BUSY}
        assert isinstance(message(other, "bob"), m.Accepted)
        forwarding: Any = next(actor for actor in world.node.runtime.actors if actor.name == "forwarding")
        forwarding._shares.forget("mallory")
        assert Code(message(mallory, "bob").code) is Code.BUSY, "another identity of the same name has no new share"
        world.settle(600)
        mallory.log_in()
        assert isinstance(message(mallory, "bob"), m.Accepted), "a part of it leaks in time"
        world.check()


def test_an_id_that_waits_for_another_recipient_shows_nothing_and_counts_like_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Or its sender would see, by a second recipient, whether the first one has fetched the message."""
    monkeypatch.setattr(shares, "REMEMBERED", Share(5, 10**6))

    def seen(*, bob_is_there: bool) -> tuple[list[str], list[tuple[str, bytes]]]:
        with World(15) as world:
            world.client("bob", online=bob_is_there)
            world.client("carol", online=False)
            mallory = registered(world, "mallory", 99)
            answers = [message(mallory, "bob", bytes(16))]
            world.settle(60)
            assert bool(world.node.store.mailbox.waiting("bob", 1)) is not bob_is_there
            answers += [message(mallory, "carol", bytes(16), bytes([seal])) for seal in range(7)]
            carols = world.node.store.mailbox.waiting("carol", 10)
            world.check()
            return [Code(each.code).name if isinstance(each, m.Refused) else "" for each in answers], [
                (each.sender, each.message_id) for each in carols
            ]

    answers, carols = seen(bob_is_there=False)
    assert answers == [""] * 5 + [Code.BUSY.name] * 3, "each takes a part of what its sender may have remembered"
    assert carols == [("mallory", bytes(16))]
    assert (answers, carols) == seen(bob_is_there=True)


def test_deletions_of_what_is_deleted_are_answered_and_leave_no_row() -> None:
    with World(16) as world:
        mallory = registered(world, "mallory", 99)
        now = world.sim.unix_s()
        first = mallory.ask(m.Delete(mallory.new_id(), 2, "mallory", now))
        assert first.held_until >= now + NAME_HELD_S
        before = dump(world.node.store)
        for number in range(20):
            again = mallory.ask(m.Delete(mallory.new_id(), 2, "mallory", now + number % 3))
            assert again.held_until == first.held_until
        assert dump(world.node.store) == before
        world.check()


def test_a_deletion_that_comes_again_does_not_delete_the_name_that_was_taken_back() -> None:
    with World(17) as world:
        mallory = registered(world, "mallory", 99)
        delete = m.Delete(mallory.new_id(), 2, "mallory", world.sim.unix_s())
        first = mallory.ask(delete)
        assert isinstance(mallory.register(), m.Registered)
        assert mallory.ask(delete) == first
        account = world.node.store.directory.account("mallory")
        assert account is not None
        assert account.deleted_until is None
        world.check()


# -- proofs that were taken -------------------------------------------------------------------------------------------


def login(number: int, proved: bytes, login_id: bytes = b"") -> TakenLogin:
    return TakenLogin(number, proved, b"a mixnet client", login_id, 4, 0)


def take(spent: SpentProofs, name: str, new: TakenLogin) -> TakenLogin:
    earlier = spent.login_by(name, new.number, new.proved)
    if earlier is None:
        spent.note_login(name, new)
    return earlier or new


def refused(spent: SpentProofs, name: str, number: int, proved: bytes) -> Code | None:
    try:
        take(spent, name, login(number, proved))
    except RemoteProtocolError as error:
        return error.code
    return None


def test_of_logins_the_latest_of_each_user_is_remembered() -> None:
    spent = SpentProofs()
    first, sixth = login(5, b"proof", b"id 1"), login(6, b"proof 6", b"id 6")
    assert take(spent, "ann", first) is first
    assert take(spent, "ann", login(5, b"proof", b"id 2")) is first, "the same proof: the same login"
    assert refused(spent, "ann", 5, b"another") is Code.CHALLENGE_USED
    assert refused(spent, "ann", 4, b"older") is Code.CHALLENGE_EXPIRED
    assert take(spent, "ann", sixth) is sixth
    assert refused(spent, "ann", 5, b"proof") is Code.CHALLENGE_EXPIRED
    assert refused(spent, "bob", 1, b"his") is None


def test_many_logins_take_bounded_memory_and_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spent_proofs, "LATEST_MAX", 10)
    spent = SpentProofs()
    for number in range(100):
        take(spent, f"user {number}", login(number, b""))
    assert len(spent._latest) == 10
    with World(18) as world:
        mallory = registered(world, "mallory", 99)
        before = dump(world.node.store)
        for _ in range(20):
            mallory.log_in()
        assert dump(world.node.store) == before


def test_registrations_are_remembered_until_their_challenges_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spent_proofs, "REGISTRATIONS_MAX", 3)
    spent = SpentProofs()
    for number in range(3):
        spent.note_registration(bytes([number]), b"proof", 100 + number, 10)
    spent.note_registration(bytes([1]), b"proof", 101, 10)
    with pytest.raises(RemoteProtocolError, match="challenge_used"):
        spent.note_registration(bytes([1]), b"another", 101, 10)
    with pytest.raises(RowLimitReached):
        spent.note_registration(bytes([9]), b"proof", 200, 100)
    spent.note_registration(bytes([9]), b"proof", 200, 101)
