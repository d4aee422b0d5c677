"""Frames that were altered, signed again, replayed, relabelled or made up: nothing changes, and no one falls over.

The victim's own frames are taken off the wire, so that everything but the attack is as it should be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.hostile import CONTENT, RawClient, Wiretap, dump, flipped, message_of, total
from tests.helpers.wire_strategies import strategy
from usernym.actors import messages as msg
from usernym.actors.events import MessageArrived, NodeCaught
from usernym.protocol import messages as m
from usernym.protocol.codec import encode_signed
from usernym.protocol.errors import LocalProtocolError
from usernym.protocol.limits import FRAME_BYTES_MAX, HPKE_ROTATION_S
from usernym.protocol.signing import SigningKey
from usernym.testing.world import SimClient, World

SIGNED_REQUESTS = (m.RegisterProof, m.LoginProof, m.Publish, m.Forward, m.Acknowledge, m.Heartbeat, m.TopUp, m.Delete)
SETTLED = tuple(table for table in CONTENT if table != "remembered")


class Scene:
    """Alice and bob have met and are online; every kind of frame of alice's has been seen by an eavesdropper."""

    def __init__(self) -> None:
        self.world = World(5)
        self.tap = Wiretap(self.world)
        self.alice, self.bob = self.world.client("alice"), self.world.client("bob")
        self.alice.send_and_wait("bob", "hello")
        self.bob.send_and_wait("alice", "hello yourself")
        self.world.sim.clock_error_s += HPKE_ROTATION_S + 60
        self.world.sim.run_until(lambda: bool(self.seen(m.Publish)), 1200)
        self.world.settle(90)
        self.bob.send_and_wait("alice", "to the new key, and for an acknowledgement")
        self.alice.send_and_wait("bob", "x" * 30_000)
        self.world.sim.run_until(lambda: bool(self.seen(m.TopUp)), 1200)
        self.alice.send_and_wait("bob", "and something fresh")
        self.world.sim.run_for(100)
        self.attacker = RawClient(self.world)

    def seen(self, kind: type[Any]) -> list[bytes]:
        return self.tap.of(self.alice.client_number, kind)

    def frame(self, kind: type[Any]) -> bytes:
        """The victim's newest frame of this kind; the last two kinds are made with its key."""
        if kind is m.Delete:
            return self.signed(m.Delete(bytes(8), 2, "alice", self.world.sim.unix_s()))
        if kind is m.Unopenable:
            login_id = self.alice.store.profile.login_id() or b""
            return self.signed(m.Unopenable(0, "alice", login_id, "bob", bytes(16), bytes(64)))
        return self.seen(kind)[-1]

    def signed(self, message: Any, key: SigningKey | None = None, node: bytes | None = None) -> bytes:
        return encode_signed(message, key or self.alice.user.key, node or self.alice.user.node)

    def still_works(self) -> None:
        """Both are reached on the routes they have had, at once and without a new login."""
        logins = self.world.node.counters()["registration"]["logins"]
        count = len(self.alice.texts())
        self.bob.send("alice", f"still there? {count}")
        self.world.sim.run_until(lambda: len(self.alice.texts()) == count + 1, 3)
        assert self.world.node.counters()["registration"]["logins"] == logins
        self.alice.send_and_wait("bob", f"yes {count}")
        self.world.settle(30)
        self.world.check()


def positions(frame: bytes) -> Iterator[int]:
    """The first 130 bytes, the signature's ends, and some from every part between."""
    yield from range(min(130, len(frame)))
    yield from range(130, len(frame), max(1, len(frame) // 60))
    yield from (len(frame) - 64, len(frame) - 1)


@pytest.mark.parametrize("kind", [*SIGNED_REQUESTS, m.Unopenable], ids=lambda kind: kind.__name__)
def test_a_frame_altered_in_any_field_changes_nothing(kind: type[Any]) -> None:
    scene = Scene()
    frame = scene.frame(kind)
    before, counted = dump(scene.world.node.store), refusals(scene.world.node.counters())
    tried = 0
    for at in positions(frame):
        scene.attacker.throw(flipped(frame, at))
        tried += 1
    scene.world.sim.run_for(5)
    assert changes(before, dump(scene.world.node.store)) <= {"remembered"}
    assert dump(scene.world.node.store, SETTLED) == {table: before[table] for table in SETTLED}
    assert refusals(scene.world.node.counters()) - counted == tried, "each of them was refused and counted"
    scene.still_works()


def changes(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {table for table in before if before[table] != after[table]}


def refusals(counters: dict[str, dict[str, int]]) -> int:
    return sum(count for counts in counters.values() for name, count in counts.items() if name.startswith("refused_"))


@pytest.mark.parametrize("kind", [*SIGNED_REQUESTS, m.Unopenable], ids=lambda kind: kind.__name__)
def test_a_frame_signed_by_another_or_for_another_node_or_name_or_version_changes_nothing(kind: type[Any]) -> None:
    scene = Scene()
    scene.attacker.register()
    scene.attacker.log_in()
    before = dump(scene.world.node.store)
    frame = scene.frame(kind)
    message = message_of(frame)
    stranger = SigningKey.from_seed(b"s" * 32)
    name = "sender" if kind is m.Forward else "name"
    attacks = [
        scene.signed(message, stranger),
        scene.signed(message, scene.attacker.key),
        scene.signed(message, node=stranger.public),
        scene.signed(msgspec.structs.replace(message, **{name: "bob"})),
        scene.signed(msgspec.structs.replace(message, **{name: "mallory"})),
        scene.signed(msgspec.structs.replace(message, **{name: "nobody_here"})),
        scene.signed(msgspec.structs.replace(message, **{name: "alice"}), scene.attacker.key),
        bytes((2,)) + frame[1:],
        frame[:-64] + bytes(64),
        frame[:-1],
        frame + b"\0",
    ]
    counted = refusals(scene.world.node.counters())
    for attack in attacks:
        scene.attacker.throw(attack)
    scene.world.sim.run_for(5)
    assert dump(scene.world.node.store) == before
    assert refusals(scene.world.node.counters()) - counted == len(attacks)
    scene.still_works()


@pytest.mark.parametrize("kind", [each for each in SIGNED_REQUESTS if each is not m.Delete], ids=lambda k: k.__name__)
def test_replays_from_another_mixnet_client_change_nothing_and_move_no_route(kind: type[Any]) -> None:
    scene = Scene()
    before = dump(scene.world.node.store)
    forwarding: Any = next(actor for actor in scene.world.node.runtime.actors if actor.name == "forwarding")
    routes = forwarding._routes
    stock = routes.get("alice").stock.left(scene.world.sim.now())
    for frame in scene.seen(kind):
        scene.attacker.throw(frame)
    scene.world.sim.run_for(5)
    assert routes.get("alice").stock.left(scene.world.sim.now()) == stock
    after = dump(scene.world.node.store)
    assert after == before
    told = [one for one in scene.attacker.received() if not isinstance(one, m.Refused | m.LoggedIn | m.Registered)]
    assert all(isinstance(one, m.Published) for one in told), "what was done before is answered as before"
    scene.still_works()


def test_a_delete_that_is_replayed_after_the_name_was_taken_back_deletes_nothing() -> None:
    world = World()
    tap = Wiretap(world)
    alice = world.client("alice")
    alice.do(alice.graph.registration, msg.DeleteAccount)
    alice.register()
    before = dump(world.node.store)
    RawClient(world).throw(tap.of(alice.client_number, m.Delete)[-1])
    world.sim.run_for(5)
    assert dump(world.node.store) == before
    account = world.node.store.directory.account("alice")
    assert account is not None
    assert account.deleted_until is None
    world.check()


FROM_NODE = (m.LoggedIn, m.Accepted, m.Alive, m.Deliver, m.Delivered)


@pytest.mark.parametrize("kind", FROM_NODE, ids=lambda kind: kind.__name__)
def test_what_comes_to_a_client_altered_or_again_changes_nothing(kind: type[Any]) -> None:
    scene = Scene()
    world, alice, bob = scene.world, scene.alice, scene.bob
    state = SimState(alice)
    frames = [
        data
        for client, _, data in scene.tap.replies
        if client == world.node.client_number and isinstance(message_of(data), kind)
    ]
    frame = frames[-1]
    assert alice.address is not None
    stranger = SigningKey.from_seed(b"s" * 32)
    attacks = [flipped(frame, at) for at in positions(frame)]
    attacks += [*frames, scene.signed(message_of(frame), stranger), scene.signed(message_of(frame), bob.user.key)]
    for attack in attacks:
        scene.attacker.throw(attack, 0, alice.address)
    world.sim.run_for(5)
    assert SimState(alice) == state
    scene.still_works()


class SimState:
    """What a client shows and keeps, for comparison."""

    def __init__(self, client: SimClient) -> None:
        self.shown = (client.events[:], dump(client.store, ("contact", "message", "outbox", "seen", "login")))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SimState) and self.shown == other.shown

    __hash__ = None  # type: ignore[assignment]


def test_bytes_of_every_length_are_refused_by_node_and_client() -> None:
    scene = Scene()
    world, alice = scene.world, scene.alice
    state, before = SimState(alice), dump(world.node.store)
    counted = total(world.node.counters(), "frames_received")
    lengths = [*range(1, 3000, 7), FRAME_BYTES_MAX - 1, FRAME_BYTES_MAX, FRAME_BYTES_MAX + 1, 200_000]
    assert alice.address is not None
    for length in lengths:
        garbage = world.sim.random_bytes(length)
        kind = bytes((1, 0x90 | length % 16, length % 80)) + garbage[3:]
        for data in (garbage, kind[:length]):
            scene.attacker.throw(data, 0)
            scene.attacker.throw(data, 2)
            scene.attacker.throw(data, 0, alice.address)
    scene.attacker.throw(b"", 0)
    scene.attacker.throw(b"", 0, alice.address)
    world.sim.run_for(5)
    assert total(world.node.counters(), "frames_received") == counted + 4 * len(lengths) + 1
    assert dump(world.node.store) == before
    assert SimState(alice) == state
    scene.still_works()


@examples(40)
@given(st.sampled_from((*m.SIGNED_BY_CLIENT, *m.SIGNED_BY_NODE, *m.UNSIGNED)), st.data())
def test_any_frame_of_any_kind_from_nobody_is_survived(kind: type[Any], data: st.DataObject) -> None:
    world = World()
    alice = world.client("alice")
    attacker = RawClient(world)
    assert alice.address is not None
    before = dump(world.node.store)
    try:
        frame = attacker.encode(data.draw(strategy(kind)))
    except LocalProtocolError:
        reject()  # the longest seal, with names that no one has: no frame is so long
    attacker.throw(frame, 2)
    attacker.throw(frame, 0, alice.address)
    world.sim.run_for(5)
    assert dump(world.node.store) == before
    assert not alice.of_kind(MessageArrived)
    assert not alice.of_kind(NodeCaught)
    world.check()


def test_a_direct_message_altered_in_any_field_is_not_taken_and_replayed_is_shown_once() -> None:
    scene = Scene()
    world, alice, bob = scene.world, scene.alice, scene.bob
    alice.offer("bob")
    world.settle(10)
    bob.accept("alice")
    world.settle(30)
    scene.tap.cut.add(bob.client_number)
    bob.send("alice", "for your eyes")
    world.settle(1)
    frame = scene.tap.of(bob.client_number, m.Direct)[-1]
    assert alice.address is not None
    state, counted = SimState(alice), refusals(alice.counters())
    attacks = [flipped(frame, at) for at in positions(frame)]
    for attack in attacks:
        scene.attacker.throw(attack, 0, alice.address)
    world.sim.run_for(3)
    assert SimState(alice) == state
    assert refusals(alice.counters()) - counted == len(attacks)
    for _ in range(3):
        scene.attacker.throw(frame, 0, alice.address)
    world.sim.run_for(3)
    scene.tap.cut.clear()
    world.settle(60)
    assert alice.texts("bob").count("for your eyes") == 1, "shown once, whoever carried it"
    world.check()
