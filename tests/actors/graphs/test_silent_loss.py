"""Nym loses a message now and then, for good and silently: whichever of a story's messages that is, it ends the same.

The emulator would send lost packets again; here a message vanishes although its sender was notified that it arrived.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from tests.helpers.hostile import message_of
from usernym.actors.events import HandshakeChanged, MessageArrived, NodeCaught
from usernym.actors.failures import NodeSilent
from usernym.protocol import messages as m
from usernym.protocol.codec import encode_unsigned
from usernym.protocol.packets import anonymous_packets
from usernym.storage.client.types import DeliveryState, Direction, HandshakeState, Route
from usernym.testing.world import SimClient, World

PATIENCE_S: Final = 900.0
"""Every loss is made good by then: a request is sent again after seconds, what the node sent with the next
heartbeat."""
SLICES: Final = 6


@dataclass
class Loss:
    """Every message that is handed to the mixnet is counted, and some are lost."""

    world: World
    which: Callable[[int, Any], bool]
    kinds: list[str] = field(default_factory=list)
    lost: int = 0

    def __post_init__(self) -> None:
        mixnet: Any = self.world.mixnet
        send, reply = mixnet.send, mixnet.reply

        def lossy_send(client: int, recipient: bytes, data: bytes, surbs: int | None, **how: bool) -> None:
            if not self._loses(data):
                send(client, recipient, data, surbs, **how)

        def lossy_reply(client: int, tag: bytes, data: bytes) -> None:
            if not self._loses(data):
                reply(client, tag, data)

        mixnet.send, mixnet.reply = lossy_send, lossy_reply

    def _loses(self, data: bytes) -> bool:
        message = message_of(data)
        self.kinds.append(type(message).__name__)
        loses = self.which(len(self.kinds), message)
        self.lost += loses
        return loses


def story(which: Callable[[int, Any], bool]) -> tuple[Loss, dict[str, Any]]:
    """Register, log in, look up, write, shake hands, write directly, part; what everyone has seen at the end."""
    world = World()
    loss = Loss(world, which)
    alice, bob = (world.client(name, register=False, online=False) for name in ("alice", "bob"))
    for client in (alice, bob):
        insist(client.register)
        insist(client.go_online)
    insist(lambda: alice.look_up("bob"))
    delivered(alice, alice.send("bob", "hello"))
    delivered(bob, bob.send("alice", "x" * 4000))
    alice.offer("bob")
    until(world, lambda: HandshakeChanged("alice", HandshakeState.OFFER_RECEIVED) in bob.events)
    bob.accept("alice")
    until(world, lambda: HandshakeChanged("bob", HandshakeState.ACTIVE) in alice.events)
    delivered(alice, alice.send("bob", "directly"))
    delivered(bob, bob.send("alice", "directly, too"))
    bob.revoke("alice")
    until(world, lambda: HandshakeChanged("bob", HandshakeState.ENDED_BY_PEER) in alice.events)
    delivered(alice, alice.send("bob", "by the node again"))
    until(world, lambda: all(all_delivered(client) for client in (alice, bob)))
    store = world.node.store
    until(
        world, lambda: not (store.counts().notices or any(store.mailbox.waiting(name, 1) for name in ("alice", "bob")))
    )
    world.settle(10)
    world.check()
    for client in (alice, bob):
        assert not client.of_kind(NodeCaught)
    return loss, {client.name: seen(client) for client in (alice, bob)}


def insist(step: Callable[[], object]) -> None:
    """As a person does, or the command line: once more, if there was no answer."""
    for _ in range(4):
        with contextlib.suppress(NodeSilent):
            step()
            return
    raise AssertionError("no answer")


def until(world: World, condition: Callable[[], bool]) -> None:
    world.sim.run_until(condition, PATIENCE_S)


def delivered(client: SimClient, message_id: bytes) -> None:
    client.wait_for_state(message_id, DeliveryState.DELIVERED, PATIENCE_S)


def all_delivered(client: SimClient) -> bool:
    peer = "bob" if client.name == "alice" else "alice"
    rows = client.store.messages.conversation(peer, 100)
    return all(row.state is DeliveryState.DELIVERED for row in rows if row.direction is Direction.OUT)


def seen(client: SimClient) -> dict[str, Any]:
    """What the user was shown, and where things stand. The way that a message took may differ: it may fall back."""
    peer = "bob" if client.name == "alice" else "alice"
    contact = client.contact(peer)
    return {
        "texts": client.texts(),
        "gaps": [event.missing for event in client.of_kind(MessageArrived)],
        "handshake": [event.state for event in client.of_kind(HandshakeChanged)],
        "direct": contact.handshake,
        "counters": (contact.next_out_counter, contact.highest_in_counter),
        "outbox": list(client.store.messages.outbox_of(peer)),
    }


def nothing(_number: int, _message: Any) -> bool:
    return False


def numbers(first: int, run: int) -> Callable[[int, Any], bool]:
    return lambda number, _: first <= number < first + run


@pytest.fixture(scope="module")
def undisturbed() -> tuple[Loss, dict[str, Any]]:
    return story(nothing)


def test_the_story_undisturbed(undisturbed: tuple[Loss, dict[str, Any]]) -> None:
    loss, outcome = undisturbed
    assert outcome["bob"]["texts"] == ["hello", "directly", "by the node again"]
    assert outcome["alice"]["texts"] == ["x" * 4000, "directly, too"]
    assert (outcome["alice"]["direct"], outcome["bob"]["direct"]) == (
        HandshakeState.ENDED_BY_PEER,
        HandshakeState.ENDED_BY_ME,
    )
    told = {"RegisterAsk", "Challenge", "RegisterProof", "Registered", "LoginAsk", "LoginProof", "LoggedIn", "Lookup"}
    told |= {"Promised", "Forward", "Accepted", "Deliver", "Acknowledge", "Delivered", "Direct", "TopUp", "Heartbeat"}
    assert told <= set(loss.kinds), "each kind that the sweep below is to lose"


@pytest.mark.seconds
@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("run", [1, *(pytest.param(run, marks=pytest.mark.seconds) for run in (2, 5))])
def test_any_message_of_the_story_may_vanish(undisturbed: tuple[Loss, dict[str, Any]], part: int, run: int) -> None:
    """The k-th message (and the `run` - 1 after it), for every k."""
    expected = undisturbed[1]
    for first in range(part + 1, len(undisturbed[0].kinds) + 1, SLICES):
        loss, outcome = story(numbers(first, run))
        assert loss.lost
        assert outcome == expected, f"lost: number {first} ({loss.kinds[first - 1]}), and {run - 1} after it"


KINDS: Final = (
    m.RegisterAsk, m.Challenge, m.RegisterProof, m.Registered, m.LoginAsk, m.LoginProof, m.LoggedIn, m.Lookup, m.Found,
    m.Forward, m.Accepted, m.Deliver, m.Acknowledge, m.Delivered, m.Direct, m.TopUp, m.Heartbeat, m.Alive,
)  # fmt: skip


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_first_of_a_kind_may_vanish_every_time_one_is_due(
    undisturbed: tuple[Loss, dict[str, Any]], kind: type[Any], times: int
) -> None:
    """The first one, or the first two, of each kind; and after that every third."""
    count = 0

    def which(_number: int, message: Any) -> bool:
        nonlocal count
        count += isinstance(message, kind)
        return isinstance(message, kind) and (count <= times or count % 3 == 0)

    assert story(which)[1] == undisturbed[1]


def connected(world: World) -> tuple[SimClient, SimClient]:
    """Two with a direct route."""
    alice, bob = world.client("alice"), world.client("bob")
    delivered(alice, alice.send("bob", "hello"))
    alice.offer("bob")
    world.settle(5)
    bob.accept("alice")
    world.settle(30)
    return alice, bob


def test_a_receipt_that_vanishes_comes_with_the_next() -> None:
    """Without a try more of the message, and without a packet more."""
    world = World()
    alice, _bob = connected(world)
    from_bob: list[int] = []

    def is_first(_number: int, message: Any) -> bool:
        if not isinstance(message, m.Direct) or message.sender != "bob":
            return False
        from_bob.append(anonymous_packets(len(encode_unsigned(message)), 0))
        return len(from_bob) == 1

    loss = Loss(world, is_first)
    first = alice.send("bob", "the first")
    world.settle(2)
    assert DeliveryState.DELIVERED not in alice.states(first)
    others = [alice.send("bob", "another") for _ in range(2)]
    world.settle(2)
    assert all(DeliveryState.DELIVERED in alice.states(text) for text in (first, *others))
    assert loss.lost == 1
    assert set(from_bob) == {1}
    world.check()


def test_a_direct_message_whose_receipts_all_vanish_is_shown_once() -> None:
    """Its sender falls back to the node in the end; the recipient knows the id."""
    world = World()
    alice, bob = connected(world)
    Loss(world, lambda _, message: isinstance(message, m.Direct) and message.sender == "bob")
    delivered(alice, alice.send("bob", "once"))
    world.settle(300)
    assert bob.texts() == ["hello", "once"]
    assert bob.of_kind(MessageArrived)[-1].route is Route.DIRECT
    assert not world.node.store.mailbox.waiting("bob", 1)
    world.check()
