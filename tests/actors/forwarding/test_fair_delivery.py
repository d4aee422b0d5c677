"""What a recipient never acknowledges, of any sender and for any reason, holds up no one else's message for long."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.hostile import RawClient
from usernym.actors.forwarding.node import DELIVERIES_AT_ONCE, RETRY_MAX_S
from usernym.actors.forwarding.routes import RETRY_S
from usernym.protocol import messages as m
from usernym.protocol.limits import MAILBOX_S
from usernym.protocol.payloads import SEALED_SIZES
from usernym.storage.node import mailbox
from usernym.storage.node.mail import mail_blob
from usernym.storage.node.mailbox import Enqueued
from usernym.testing.world import World

SHORT, LONG = min(SEALED_SIZES), max(SEALED_SIZES)
HEARTBEAT_S = 60.0
OLDEST_FIRST = f"SELECT {mailbox._MAIL.columns} FROM mail WHERE recipient = :recipient ORDER BY id LIMIT :limit"


class Victim:
    """A recipient who acknowledges what one friend sends, and nothing else."""

    def __init__(self, seed: int = 1) -> None:
        self.world = World(seed)
        self.client = RawClient(self.world, "victim")
        assert isinstance(self.client.register(), m.Registered)
        self.client.log_in()
        self.number = 0

    def waits(self, sender: str, size: int = SHORT) -> bytes:
        """One message more waits for the victim; its id."""
        self.number += 1
        message_id = self.number.to_bytes(16, "big")
        forward = m.Forward(bytes(8), sender, "victim", message_id, 1, 1, bytes(size), bytes(64), None)
        now = self.world.sim.unix_s()
        outcome = self.world.node.store.mailbox.enqueue(
            sender=sender, recipient="victim", message_id=message_id, blob=mail_blob(forward, bytes(32)), now=now,
            expires_at=now + MAILBOX_S
        )  # fmt: skip
        assert outcome is Enqueued.STORED
        return message_id

    def gives(self, surbs: int) -> None:
        self.client.throw(self.client.encode(m.TopUp(surbs, "victim", self.client.login_id)), surbs)
        self.world.settle(2)

    def beats(self) -> None:
        """A heartbeat, and what comes of it in a minute."""
        beat = m.Heartbeat(self.client.new_id(), 2, "victim", self.client.login_id, ())
        self.client.throw(self.client.encode(beat), 2)
        self.world.settle(2)
        friends = {one.message_id for one in self.delivered() if one.sender == "friend"}
        if friends:
            items = tuple(m.Acknowledged("friend", each, None) for each in sorted(friends)[-16:])
            said = m.Acknowledge(0, "victim", self.client.login_id, items, ())
            self.client.throw(self.client.encode(said), 0)
        self.world.settle(HEARTBEAT_S - 2)

    def delivered(self) -> list[Any]:
        return self.client.received(m.Deliver)

    def heartbeats_until(self, message_id: bytes, at_most: int, surbs: int = 60) -> int | None:
        """How many heartbeats it takes until this message is delivered."""
        for count in range(1, at_most + 1):
            self.gives(surbs)
            self.beats()
            if any(one.message_id == message_id for one in self.delivered()):
                return count
        return None


def bound(senders: int) -> int:
    """In how many heartbeats a message is delivered, if so many others have one waiting: docs/protocol.md."""
    return 1 + math.ceil(senders / DELIVERIES_AT_ONCE)


@examples(25)
@given(
    strangers=st.integers(1, 50),
    each=st.integers(1, 8),
    more=st.booleans(),
    beats_before=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_a_friends_message_comes_within_a_stated_number_of_heartbeats(
    strangers: int, each: int, more: bool, beats_before: int, seed: int
) -> None:
    victim = Victim(seed)
    names = [f"stranger{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(strangers)]
    for _ in range(each):
        for name in names:
            victim.waits(name)
    for _ in range(beats_before):
        victim.gives(60)
        victim.beats()
    for text in range(3):
        wanted = victim.waits("friend")
        if more:
            for name in names[: 20 - text]:
                victim.waits(name)
        taken = victim.heartbeats_until(wanted, bound(strangers))
        assert taken is not None, "it was held up"
        if text:
            assert taken == 1, "whose messages are acknowledged goes before all whose are not"


def test_the_oldest_first_would_never_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order that once was there: sixteen packets of a stranger ended a user's incoming mail for thirty days."""
    monkeypatch.setattr(mailbox, "_NEXT", OLDEST_FIRST)
    victim = Victim()
    for _ in range(DELIVERIES_AT_ONCE):
        victim.waits("stranger")
    assert victim.heartbeats_until(victim.waits("friend"), 20) is None


def test_a_long_message_that_never_gets_surbs_enough_holds_up_no_other() -> None:
    victim = Victim()
    victim.waits("stranger", LONG)
    assert victim.heartbeats_until(victim.waits("friend"), 2, surbs=2) is not None
    assert not any(one.sender == "stranger" for one in victim.delivered())
    victim.world.settle(2 * RETRY_MAX_S)
    victim.gives(100)
    victim.beats()
    assert any(one.sender == "stranger" for one in victim.delivered()), "and it comes when there are"


def test_what_is_not_acknowledged_is_sent_more_and_more_seldom_and_still_comes_again() -> None:
    victim = Victim()
    unanswered = victim.waits("stranger")
    at: list[float] = []
    while victim.world.sim.now() < 3_600:
        before = len(victim.delivered())
        victim.gives(2)
        victim.beats()
        if len(victim.delivered()) > before:
            at.append(victim.world.sim.now())
    pauses = [after - before for before, after in pairwise(at)]
    assert all(pause >= RETRY_S for pause in pauses)
    assert max(pauses[:3]) < max(pauses[-3:]) <= RETRY_MAX_S + HEARTBEAT_S + 10
    assert {one.message_id for one in victim.delivered()} == {unanswered}
    assert len(at) < 18, "a hundred heartbeats would have been as many deliveries"


def test_a_message_that_arrives_costs_no_write_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[Any] = []
    monkeypatch.setattr(mailbox.Mailbox, "note_unacknowledged", lambda _self, sent: noted.extend(sent))
    with World(8) as world:
        alice, bob = world.client("alice"), world.client("bob")
        for number in range(5):
            alice.send_and_wait("bob", str(number))
        world.settle(300)
        assert len(bob.texts("alice")) == 5
        assert noted == []


def test_a_new_login_gets_at_once_what_was_sent_in_vain_before_it_and_others_messages_first() -> None:
    victim = Victim()
    first = victim.waits("stranger")
    for _ in range(6):
        victim.gives(4)
        victim.beats()
    later = victim.waits("friend")
    victim.client.frames.clear()
    victim.client.log_in()
    sent = sorted(victim.delivered(), key=lambda one: one.counter)  # the mixnet reorders
    assert [one.message_id for one in sent[:2]] == [later, first]


def test_frames_without_end_do_not_have_the_mailbox_looked_at_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    next_for = mailbox.Mailbox.next_for

    def counted(self: Any, recipient: str, limit: int, turn: Any) -> Any:
        looks.append(recipient)
        return next_for(self, recipient, limit, turn)

    monkeypatch.setattr(mailbox.Mailbox, "next_for", counted)
    victim = Victim()
    for size in (LONG, SHORT):
        for _ in range(40):
            victim.waits("stranger", size)
    for claimed in (0, 255):
        looks.clear()
        for _ in range(200):
            victim.client.throw(victim.client.encode(m.TopUp(claimed, "victim", victim.client.login_id)), 0)
            victim.world.settle(0.05)
        assert len(looks) <= 8, "200 frames in ten seconds"
