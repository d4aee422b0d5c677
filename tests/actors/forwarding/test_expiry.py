"""A message of which there is no word for a month: its sender's own client says so, whether it was fetched or not."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.actors.forwarding.test_shares import give_surbs, newcomer, short
from tests.helpers.hostile import RawClient
from usernym.actors import messages as msg
from usernym.actors.events import DeliveryChanged, FileChanged
from usernym.actors.forwarding.node import SWEEP_S
from usernym.actors.forwarding.outbox import AWAITED_S
from usernym.actors.forwarding.shares import LIMITS
from usernym.actors.sound_clock import CLOCK_SETTLES_S
from usernym.protocol import messages as m
from usernym.protocol.codec import decode
from usernym.protocol.errors import Code
from usernym.protocol.files import PLAIN_FILE
from usernym.protocol.limits import DAY_S
from usernym.storage.client.types import Consent, DeliveryState, FileState
from usernym.testing.tap import Heard
from usernym.testing.world import SimClient, World

A_WHILE_S: Final = CLOCK_SETTLES_S + SWEEP_S + 60
"""By then a client has judged what did not come, and a node has deleted what is due."""


def days_pass(world: World, days: float, *clients: SimClient) -> None:
    """By all clocks, since simulated minutes of a node cost time. These are off meanwhile, then online for a while."""
    for client in clients:
        client.kill()
    world.sim.clock_error_s += int(days * DAY_S)
    for client in clients:
        client.start()
        client.go_online()
    world.settle(A_WHILE_S)


def state_of(client: SimClient, message_id: bytes, name: str = "bob") -> DeliveryState:
    message = client.store.messages.get(name, message_id)
    assert message is not None
    return message.state


def accepted() -> tuple[World, SimClient, bytes]:
    """A world in which a message to bob, who is away, has been at the node for a while."""
    world = World()
    alice, _bob = world.client("alice"), world.client("bob", online=False)
    message_id = alice.send_and_wait("bob", "for nobody", DeliveryState.ACCEPTED)
    world.settle(A_WHILE_S)
    return world, alice, message_id


# -- what a sender sees ------------------------------------------------------------------------------------------------


def blocked(world: World, alice: SimClient, bob: SimClient) -> None:
    alice.send_and_wait("bob", "hello", DeliveryState.ACCEPTED)
    world.settle(60)
    decide(bob, Consent.BLOCKED)


def blocked_later(world: World, alice: SimClient, bob: SimClient) -> None:
    bob.send_and_wait("alice", "hello", DeliveryState.ACCEPTED)
    alice.send_and_wait("bob", "hello, bob")
    world.settle(60)
    decide(bob, Consent.BLOCKED)


def decide(bob: SimClient, consent: Consent) -> None:
    bob.store.contacts.set_consent("alice", consent)
    bob.graph.forwarding.tell(msg.RequestsDecided())


LOOKED_UP: Final = (m.Found, m.Proved, m.Absent, m.Promised)
"""A client looks contacts up at random times. All that she asks for otherwise is answered."""
PERIODS: Final = (10, 19.5, 1, 2.5, 32)
"""Days between the sender's logins: in the second what was not fetched is still there, in the third it is not."""
WHO: Final[dict[str, Callable[[World, SimClient, SimClient], None]]] = {
    "a stranger": lambda _world, _alice, _bob: None,
    "a blocked stranger": blocked,
    "a contact of former days": blocked_later,
}


def what_a_sender_sees(who: str, *, fetches: bool, deletes: bool) -> list[Any]:
    """Of 65 days: the frames that come to her, in each period by kind, and what her client says of her messages."""
    with World(11) as world:
        alice, bob = world.client("alice"), world.client("bob", accept_strangers=False)
        WHO[who](world, alice, bob)
        bob.kill()
        alice.look_up("bob")
        frames: Counter[str] = Counter()

        def heard(one: Heard) -> None:
            message = decode(one.data).message if (one.who, one.what) == ("alice", "arrived") else None
            absent = isinstance(message, m.Refused) and message.code == Code.NO_SUCH_USER
            if message is not None and not absent and not isinstance(message, LOOKED_UP):
                frames[type(message).__name__] += 1

        world.mixnet.listeners.append(heard)
        begun, seen = len(alice.events), []
        order: dict[bytes, int] = {}

        def which(message_id: bytes) -> int:
            return order.setdefault(message_id, len(order))

        ids = [alice.send_and_wait("bob", f"text {number}", DeliveryState.ACCEPTED) for number in range(3)]
        if fetches:
            bob.start()
            bob.connect()
        world.settle(A_WHILE_S)
        assert bool(world.node.store.mailbox.waiting("bob", 1)) is not fetches
        bob.kill()
        if deletes:
            owner = RawClient(world, "bob")
            owner.key = bob.user.key
            assert isinstance(owner.ask(m.Delete(owner.new_id(), 2, "bob", world.sim.unix_s())), m.Deleted)
        for days in PERIODS:
            days_pass(world, days, alice)
            said = [each for each in alice.events[begun:] if isinstance(each, DeliveryChanged)]
            seen.append((dict(frames), [(which(each.message_id), each.state, each.reason) for each in said]))
            frames.clear()
            begun = len(alice.events)
        assert {state_of(alice, each) for each in ids} == {DeliveryState.EXPIRED}
        world.check()
        return seen


@pytest.mark.seconds
@pytest.mark.parametrize("deletes", [False, True])
@pytest.mark.parametrize("who", WHO)
def test_no_sender_sees_in_the_end_whether_a_message_was_fetched(who: str, deletes: bool) -> None:
    there = what_a_sender_sees(who, fetches=True, deletes=deletes)
    assert there == what_a_sender_sees(who, fetches=False, deletes=deletes)
    assert sum(bool(frames) for frames, _ in there) == len(there), "the comparison compares something"
    ends = [any(state is DeliveryState.EXPIRED for _, state, _ in said) for _, said in there]
    assert ends == [False, False, False, True, False]


@pytest.mark.parametrize("fetched", [False, True])
def test_no_share_has_more_room_because_of_what_expired(fetched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sender who was known, and is blocked: room would show that the messages were still there."""
    monkeypatch.setattr("usernym.actors.forwarding.shares.LIMITS", dataclasses.replace(LIMITS, known=LIMITS.newcomer))
    with World(17) as world:
        bob = world.client("bob", accept_strangers=False)
        mallory = newcomer(world, "mallory", 99)
        bob.send("mallory", "hello")
        world.settle(30)
        bob.store.contacts.set_consent("mallory", Consent.BLOCKED)
        bob.graph.forwarding.tell(msg.RequestsDecided())
        world.settle(5)
        if not fetched:
            bob.kill()
        give_surbs(mallory)
        answers = [short(mallory, "bob") for _ in range(LIMITS.newcomer.messages + 1)]
        assert answers[-2:] == [m.Accepted, Code.SENDER_SHARE_FULL]
        world.settle(60)
        assert bool(world.node.store.mailbox.waiting("bob", 1)) is not fetched
        days_pass(world, 31)
        assert not world.node.store.mailbox.waiting("bob", 1)
        give_surbs(mallory)
        assert short(mallory, "bob") is Code.SENDER_SHARE_FULL


# -- what its writer reads ---------------------------------------------------------------------------------------------


def test_it_is_expired_a_day_after_the_node_has_given_it_up_and_not_before() -> None:
    world, alice, message_id = accepted()
    days_pass(world, 30, alice)
    assert not world.node.store.mailbox.waiting("bob", 1)
    days_pass(world, 0.9, alice)
    assert state_of(alice, message_id) is DeliveryState.ACCEPTED
    days_pass(world, 0.2, alice)
    assert state_of(alice, message_id) is DeliveryState.EXPIRED
    assert not alice.store.messages.outbox_of("bob"), "it is not sent again"
    world.check()


def test_a_proof_that_comes_after_it_makes_it_delivered() -> None:
    world, alice, message_id = accepted()
    alice.kill()
    world.sim.clock_error_s += 29 * DAY_S
    bob = world.clients["bob"]
    bob.go_online()
    world.settle(60)
    assert bob.texts() == ["for nobody"]
    world.sim.clock_error_s += 3 * DAY_S
    alice.start()
    world.settle(A_WHILE_S)
    assert state_of(alice, message_id) is DeliveryState.EXPIRED, "she has no network"
    alice.go_online()
    alice.wait_for_state(message_id, DeliveryState.DELIVERED)
    assert state_of(alice, message_id) is DeliveryState.DELIVERED
    world.check()


def test_a_process_first_has_ten_minutes_to_hear_of_it() -> None:
    world, alice, message_id = accepted()
    alice.kill()
    world.sim.clock_error_s += AWAITED_S
    alice.start()
    world.settle(CLOCK_SETTLES_S - 60)
    assert state_of(alice, message_id) is DeliveryState.ACCEPTED
    world.settle(120)
    assert state_of(alice, message_id) is DeliveryState.EXPIRED
    world.check()


def test_a_home_that_is_never_open_for_long_says_so_when_it_is_closed() -> None:
    with World() as world:
        alice, _bob = world.client("alice"), world.client("bob", online=False)
        message_id = alice.send_and_wait("bob", "for nobody", DeliveryState.ACCEPTED)
        for days in (AWAITED_S // DAY_S, 0):
            for ref in alice.graph.refs().values():
                ref.stop()
            world.settle(1)
            assert (state_of(alice, message_id) is DeliveryState.EXPIRED) is not days
            alice.kill()
            world.sim.clock_error_s += days * DAY_S
            alice.start()
            world.settle(60)


def test_an_offer_of_a_file_ends_with_the_file() -> None:
    with World(disks=True) as world:
        alice, _bob = world.client("alice"), world.client("bob", online=False)
        alice.look_up("bob")
        file: bytes = alice.do(
            alice.graph.forwarding, lambda answer: msg.SendFile("bob", "x.bin", PLAIN_FILE, b"content", answer)
        )
        world.settle(A_WHILE_S)
        assert state_of(alice, file) is DeliveryState.ACCEPTED
        days_pass(world, 32, alice)
        assert state_of(alice, file) is DeliveryState.EXPIRED
        assert alice.of_kind(FileChanged)[-1].state is FileState.FAILED
        world.check()


# -- clocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [100, -100])
def test_a_clock_that_is_wrong_for_a_moment_ends_nothing(days: int) -> None:
    """Neither what waited before, nor what is accepted in that moment; and afterwards each has its term."""
    world, alice, before = accepted()
    alice.runtime.clock_error_s += days * DAY_S
    meanwhile = alice.send_and_wait("bob", "meanwhile", DeliveryState.ACCEPTED)
    world.settle(300)
    alice.runtime.clock_error_s -= days * DAY_S
    world.settle(2 * A_WHILE_S)
    assert {state_of(alice, each) for each in (before, meanwhile)} == {DeliveryState.ACCEPTED}
    days_pass(world, 32, alice)
    assert {state_of(alice, each) for each in (before, meanwhile)} == {DeliveryState.EXPIRED}
    world.check()


def test_a_clock_that_was_ahead_for_long_does_not_keep_a_message_from_its_end() -> None:
    with World() as world:
        alice, _bob = world.client("alice"), world.client("bob", online=False)
        alice.runtime.clock_error_s += 1_000 * DAY_S
        world.settle(A_WHILE_S)
        message_id = alice.send_and_wait("bob", "for nobody", DeliveryState.ACCEPTED)
        world.settle(A_WHILE_S)
        alice.runtime.clock_error_s -= 1_000 * DAY_S
        world.settle(A_WHILE_S)
        days_pass(world, 30, alice)
        assert state_of(alice, message_id) is DeliveryState.ACCEPTED
        days_pass(world, 2, alice)
        assert state_of(alice, message_id) is DeliveryState.EXPIRED
        world.check()
