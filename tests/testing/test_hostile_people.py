"""Users, and a node, who mean harm: each does what it is called, and each kind of harm that once was possible fails."""

from __future__ import annotations

from typing import Literal, get_args

import pytest

from usernym.protocol import messages as m
from usernym.protocol.codec import decode
from usernym.protocol.errors import RemoteProtocolError
from usernym.testing import faults as f
from usernym.testing.attacker import Harm
from usernym.testing.habits import HABITS, Habit
from usernym.testing.loop import Quiet
from usernym.testing.plan import Plan
from usernym.testing.run import play
from usernym.testing.tap import Heard


def wrong(*steps: f.Step, people: int = 2, seed: int = 1) -> tuple[str, ...]:
    """What is wrong after these steps."""
    with Quiet():
        return play(Plan(seed, people, steps)).wrong


def frames(who: str, *steps: f.Step) -> list[m.Message | None]:
    """What a party sent meanwhile; None for what no one can decode."""
    heard: list[Heard] = []
    with Quiet():
        play(Plan(1, 2, steps), heard.append)
    return [message_in(each.data) for each in heard if (each.what, each.who) == ("sent", who)]


def message_in(data: bytes) -> m.Message | None:
    """The message in a frame."""
    try:
        return decode(data).message
    except RemoteProtocolError:
        return None


EXPECTED: dict[str, type[m.Message | None]] = {
    "impossible_size": type(None),
    "surb_lies": m.TopUp, "wrong_token": m.Acknowledge, "false_statement": m.Unopenable
}  # fmt: skip


@pytest.mark.parametrize("harm", get_args(Harm))
def test_a_hostile_user_does_what_is_asked(harm: Harm) -> None:
    before = f.Befriend("alice", "eve"), f.Pause(20)
    kind = EXPECTED.get(harm, m.Forward)
    usual = sum(isinstance(each, kind) for each in frames("eve", *before, f.Attack("eve", "alice", harm, 0)))
    said = sum(isinstance(each, kind) for each in frames("eve", *before, f.Attack("eve", "alice", harm, 1)))
    assert said > usual


@pytest.mark.seconds
@pytest.mark.parametrize("habit", HABITS)
def test_a_hostile_node_does_what_is_asked(habit: Habit) -> None:
    steps = (
        f.Write("alice", "bob"), f.Pause(20), f.Crash("bob"), f.LookUpUser("alice", "bob"), f.Write("alice", "bob"),
        f.MachineLost("bob", replace=True), f.Pause(90), f.LookAt("alice", "bob"), f.Pause(90),
    )  # fmt: skip
    honest = frames("node", *steps)
    assert frames("node", f.HostileNode(habit, 300.0), *steps) != honest


@pytest.mark.seconds
def test_a_friends_text_arrives_whatever_strangers_left_in_the_mailbox() -> None:
    for harm in get_args(Harm):
        steps = f.Attack("eve", "bob", harm, 20), f.Pause(20), f.Write("alice", "bob"), f.Pause(20)
        assert wrong(*steps) == (), harm


def test_a_record_that_came_inside_a_message_locks_no_mailbox() -> None:
    poisoned = f.Attack("eve", "bob", "poison", 1), f.Pause(20), f.Attack("eve", "bob", "broken_signature", 20)
    assert wrong(*poisoned, f.Pause(20), f.Write("alice", "bob")) == ()


def test_messages_to_a_lost_key_lock_no_mailbox() -> None:
    assert (
        wrong(
            f.Attack("eve", "bob", "texts", 1), f.MachineLost("bob"), f.Pause(20), f.Decide("bob", "eve", "decline"),
            f.Attack("eve", "bob", "old_key", 20), f.Pause(20), f.Write("alice", "bob"), f.Pause(20),
        )
        == ()
    )  # fmt: skip


@pytest.mark.parametrize("harm", ["wrong_token", "false_statement"])
def test_a_contacts_lie_is_not_the_nodes(harm: Harm) -> None:
    assert wrong(f.Befriend("alice", "eve"), f.Attack("eve", "alice", harm, 1), f.Pause(30)) == ()


@pytest.mark.seconds
@pytest.mark.parametrize("decision", ["block", "decline"])
def test_a_stalker_sees_no_difference(decision: Literal["block", "decline"]) -> None:
    assert wrong(f.Write("alice", "bob"), f.Stalk("eve", "bob", decision)) == ()


def test_nothing_goes_to_the_address_of_a_stolen_machine() -> None:
    assert (
        wrong(
            f.Write("alice", "bob"), f.Write("bob", "alice"), f.Pause(20), f.Handshake("alice", "bob", "offer"),
            f.Pause(20), f.Handshake("bob", "alice", "accept"), f.Pause(20), f.MachineLost("bob", replace=True),
            f.Pause(20), f.LookAt("alice", "bob"), f.Write("alice", "bob"), f.Pause(30),
        )
        == ()
    )  # fmt: skip


@pytest.mark.parametrize("looks", ["never", "before", "after"])
@pytest.mark.parametrize("direct", [True, False])
def test_nothing_goes_to_a_thief_who_was_the_contact_for_some_time(
    looks: Literal["never", "before", "after"], direct: bool
) -> None:
    """But what the contact's user chose to send them; and all that was written to the owner arrives."""
    route = (
        f.Handshake("alice", "bob", "offer"), f.Pause(20), f.Handshake("bob", "alice", "accept"), f.Pause(20),
    )  # fmt: skip
    assert (
        wrong(
            f.Write("alice", "bob"), f.Write("bob", "alice"), f.Pause(20), *(route if direct else ()),
            f.Theft("alice", "bob", looks), f.Pause(5), f.Write("bob", "alice"), f.LookAt("bob", "alice"),
            f.Write("bob", "alice"), f.Pause(30),
        )
        == ()
    )  # fmt: skip


def test_claimed_reply_blocks_make_no_memory_grow() -> None:
    assert wrong(f.Attack("eve", "bob", "surb_lies", 20), f.Pause(20), f.Write("alice", "bob"), f.Pause(20)) == ()


def test_a_node_that_refuses_and_provokes_heartbeats_sets_no_pace() -> None:
    assert wrong(f.HostileNode("not_logged_in", 300.0), f.HostileNode("notices", 300.0), f.Pause(120)) == ()


def test_a_node_that_refuses_every_heartbeat_gets_no_hoard() -> None:
    assert wrong(f.HostileNode("not_logged_in", 1800.0), f.Pause(600)) == ()
