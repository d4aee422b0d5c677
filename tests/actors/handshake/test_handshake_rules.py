"""Where a handshake stands: whatever crosses, and in whatever order it comes, both sides come to one answer."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.hostile import message_of
from usernym.actors.handshake.rules import Side, sides, standing
from usernym.actors.messages import PayloadKind
from usernym.protocol import messages as m
from usernym.protocol.payloads import COUNTERS_A_HOME
from usernym.storage.client.types import DeliveryState, Direction, HandshakeState, HandshakeStep, Message, Route
from usernym.testing.world import SimClient, World

FINAL_PAIRS: Final = {
    (HandshakeState.NONE, HandshakeState.NONE),
    (HandshakeState.OFFERED, HandshakeState.OFFER_RECEIVED),
    (HandshakeState.ACTIVE, HandshakeState.ACTIVE),
    (HandshakeState.ENDED_BY_ME, HandshakeState.ENDED_BY_PEER),
    (HandshakeState.ENDED_BY_ME, HandshakeState.ENDED_BY_ME),
    (HandshakeState.ENDED_BY_ME, HandshakeState.NONE),
}
"""Where two may stand when all has arrived, in either order."""


@dataclass
class Person:
    """One side: what it has said, what it has taken of the other's, and what is on its way to it."""

    address: bytes
    counter: int = 0
    said: list[Message] = field(default_factory=list)
    taken: list[Message] = field(default_factory=list)
    heard: int = 0
    coming: list[Message] = field(default_factory=list)
    has_moved: bool = False

    @property
    def sides(self) -> tuple[Side, Side]:
        return sides([*self.said, *self.taken], self.heard)

    def stands(self) -> tuple[HandshakeState, bytes | None]:
        return standing(*self.sides)

    def move(self, home: int) -> None:
        """Lose all that is here, and begin again at another address. Nothing comes that is older than what was here."""
        self.coming = [each for each in self.coming if each.counter > self.heard]
        self.counter, self.heard, self.has_moved = home * COUNTERS_A_HOME, 0, True
        self.address = bytes([home]) * 96
        self.said, self.taken = [], []

    def say(self, other: Person, *, ends: bool) -> None:
        body = HandshakeStep.body(b"" if ends else self.address, self.sides[1].heard)
        kind = PayloadKind.HANDSHAKE_REVOKE if ends else PayloadKind.HANDSHAKE_OFFER
        self.said.append(self._next(Direction.OUT, kind, body))
        other.coming.append(replace(self.said[-1], direction=Direction.IN))

    def write(self, other: Person) -> None:
        """A text."""
        other.coming.append(self._next(Direction.IN, PayloadKind.TEXT, b""))

    def take(self, which: int) -> None:
        came = self.coming.pop(which % len(self.coming))
        self.heard = max(self.heard, came.counter)
        if came.kind != PayloadKind.TEXT:
            self.taken.append(came)

    def _next(self, direction: Direction, kind: PayloadKind, body: bytes) -> Message:
        self.counter += 1
        return Message(
            0, "", direction, b"", self.counter, int(kind), body, 0, 0, DeliveryState.DELIVERED, None, Route.NODE,
            None, None, shown=True, late=False, place=0,
        )  # fmt: skip


steps = st.lists(
    st.tuples(
        st.integers(0, 1), st.sampled_from(("consent", "end", "take", "take", "write", "move")), st.integers(0, 9)
    ),
    max_size=40,
)


@examples(600)
@given(steps, st.randoms(use_true_random=False))
def test_both_sides_agree_when_all_has_arrived(plan: list[tuple[int, str, int]], order: Any) -> None:
    people = [Person(b"a" * 96), Person(b"b" * 96)]
    homes = 0
    for who, step, number in plan:
        me, other = people[who], people[1 - who]
        direct, _ = me.stands()
        if step == "take" and me.coming:
            me.take(number)
        elif step == "write":
            me.write(other)
        elif step == "move":
            homes += 1
            me.move(homes)
        elif step == "consent" and direct is not HandshakeState.ACTIVE:
            me.say(other, ends=False)
            assert me.stands()[0] in (HandshakeState.OFFERED, HandshakeState.ACTIVE), "it can be taken back"
        elif step == "end" and direct in (HandshakeState.ACTIVE, HandshakeState.OFFERED, HandshakeState.OFFER_RECEIVED):
            me.say(other, ends=True)
            assert me.stands() == (HandshakeState.ENDED_BY_ME, None), "an end is an end at once"
    note(f"{people}")
    if homes:
        # Each home has been heard; then who has an offer of the other accepts it.
        for me, other in (people, people[::-1]):
            me.write(other)
        take_all(people, order)
        for me, other in (people, people[::-1]):
            if me.stands()[0] is HandshakeState.OFFER_RECEIVED:
                me.say(other, ends=False)
                take_all(people, order)
    take_all(people, order)
    pair = tuple(me.stands()[0] for me in people)
    assert pair in FINAL_PAIRS or pair[::-1] in FINAL_PAIRS
    for me, other in (people, people[::-1]):
        direct, address = me.stands()
        assert address == (other.address if direct in (HandshakeState.ACTIVE, HandshakeState.OFFER_RECEIVED) else None)


def take_all(people: list[Person], order: Any) -> None:
    for me in people:
        while me.coming:
            me.take(order.randrange(len(me.coming)))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_whatever_a_peer_claims_nobody_is_active_without_their_own_standing_consent(
    counter: int, seen: int, my_end: int
) -> None:
    for theirs in (
        Side(HandshakeStep(counter, seen, b"p" * 96)),
        Side(HandshakeStep(counter, seen, b"p" * 96), HandshakeStep(seen, counter, b"")),
    ):
        assert standing(Side(), theirs)[0] is not HandshakeState.ACTIVE
        ended = Side(HandshakeStep(my_end, 0, b"m" * 96), HandshakeStep(my_end + 1, 0, b""))
        assert standing(ended, theirs)[0] is not HandshakeState.ACTIVE


@given(st.sampled_from((b"", b"x" * 96)), st.integers(0, 2**32 - 1))
def test_what_is_stored_is_read_again(address: bytes, seen: int) -> None:
    assert HandshakeStep.from_body(7, HandshakeStep.body(address, seen)) == HandshakeStep(7, seen, address)


def offered_and_accepted(seed: int) -> tuple[World, SimClient, SimClient, list[tuple[int, bytes, bytes]]]:
    """Alice offered, Bob accepted, and what the node delivers to Alice is held from then on."""
    world = World(seed)
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    alice.offer("bob")
    world.settle(10)
    mixnet: Any = world.mixnet
    reply, send = mixnet.reply, mixnet.send
    held: list[tuple[int, bytes, bytes]] = []

    def hold(client: int, recipient: bytes, data: bytes, surbs: int | None, **how: bool) -> None:
        if isinstance(message_of(data), m.Direct | m.Forward) and message_of(data).sender == "bob":
            held.append((client, recipient, data))
        else:
            send(client, recipient, data, surbs, **how)

    mixnet.send = hold
    bob.accept("alice")
    world.settle(2)
    mixnet.send = send
    assert held
    assert mixnet.reply == reply
    return world, alice, bob, held


@pytest.mark.parametrize("seed", range(4))
def test_an_acceptance_that_crosses_a_revocation_and_a_new_offer_opens_nothing(seed: int) -> None:
    """It answers the offer that was revoked. The new one waits for its own answer, on both sides."""
    world, alice, bob, _ = offered_and_accepted(seed)
    alice.revoke("bob")
    alice.offer("bob")
    world.settle(200)
    assert (alice.contact("bob").handshake, bob.contact("alice").handshake) == (
        HandshakeState.OFFERED,
        HandshakeState.OFFER_RECEIVED,
    )
    assert alice.contact("bob").peer_address is None
    bob.accept("alice")
    world.settle(60)
    assert (alice.contact("bob").handshake, bob.contact("alice").handshake) == (
        HandshakeState.ACTIVE,
        HandshakeState.ACTIVE,
    )
    world.check()


@pytest.mark.parametrize("seed", range(4))
def test_an_offer_that_crosses_a_revocation_is_ended_by_it_on_both_sides(seed: int) -> None:
    world = World(seed)
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    bob.send_and_wait("alice", "hello yourself")
    alice.offer("bob")
    alice.revoke("bob")
    bob.offer("alice")
    world.settle(120)
    assert (alice.contact("bob").handshake, bob.contact("alice").handshake) == (
        HandshakeState.ENDED_BY_ME,
        HandshakeState.ENDED_BY_PEER,
    )
    bob.offer("alice")
    world.settle(60)
    alice.accept("bob")
    world.settle(60)
    assert (alice.contact("bob").handshake, bob.contact("alice").handshake) == (
        HandshakeState.ACTIVE,
        HandshakeState.ACTIVE,
    )
    world.check()
