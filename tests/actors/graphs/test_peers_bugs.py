"""No peer stops a graph: a bug that a peer's bytes bring about costs that message, and nothing else."""

from __future__ import annotations

import logging
from typing import Any, get_args

import msgspec
import pytest

from tests.actors.test_base import Clerk, Fail, Note, run_dry
from tests.helpers.hostile import RawClient, total
from usernym.actors import messages as msg
from usernym.actors.base import RESTARTS_MAX, FromPeer, Ref
from usernym.actors.forwarding.intake import HandedIn, Intake
from usernym.actors.simulation import Simulation
from usernym.mixnet.transport import Incoming, TransportDown
from usernym.protocol import messages as m
from usernym.protocol.errors import Code, LocalProtocolError
from usernym.protocol.limits import FRAME_BYTES_MAX, SIGNATURE_BYTES
from usernym.protocol.payloads import SEALED_SIZES
from usernym.storage.errors import RowConflict, StoreCorrupt
from usernym.testing.world import World

OFTEN = 5 * RESTARTS_MAX
LONGEST = max(SEALED_SIZES)


class FailByPeer(Fail, FromPeer, frozen=True):
    """Fail because of what a peer sent."""


def clerk_in(sim: Simulation) -> tuple[Clerk, Ref[Any], list[str]]:
    failed: list[str] = []
    clerk, ref = Clerk(sim, failed, []), Ref[Any]()
    ref.bind(clerk)
    clerk.begin()
    return clerk, ref, failed


def test_a_bug_that_a_peer_brings_about_neither_restarts_nor_stops_an_actor(caplog: pytest.LogCaptureFixture) -> None:
    sim = Simulation(0)
    clerk, ref, failed = clerk_in(sim)
    ref.tell(Note("before"))
    with caplog.at_level(logging.ERROR):
        for _ in range(OFTEN):
            ref.tell(FailByPeer(ZeroDivisionError("what the peer sent")))
            run_dry(sim)
    assert (clerk.in_memory, clerk.released, failed) == (["before"], 0, [])
    assert clerk.counts == {"bugs_dropped": OFTEN}
    (line,) = caplog.messages
    assert "FailByPeer" in line
    assert "ZeroDivisionError in receive, test_base.py:" in line
    assert "what the peer sent" not in line


def test_a_row_that_breaks_a_rule_of_its_table_is_a_bug_like_any_other() -> None:
    sim = Simulation(0)
    clerk, ref, failed = clerk_in(sim)
    for _ in range(RESTARTS_MAX + 1):
        ref.tell(FailByPeer(RowConflict("a row breaks a rule")))
    run_dry(sim)
    assert (clerk.counts, failed) == ({"bugs_dropped": RESTARTS_MAX + 1}, [])


def test_a_broken_disk_is_no_peers_doing() -> None:
    sim = Simulation(0)
    _, ref, failed = clerk_in(sim)
    for _ in range(RESTARTS_MAX + 1):
        ref.tell(FailByPeer(StoreCorrupt("bad pages")))
    run_dry(sim)
    assert failed == ["clerk: bad pages"]


def test_whatever_a_frame_brings_about_is_marked() -> None:
    """Messages that carry a peer's bytes, or exist because of them: none of them may spend the budget for bugs."""
    marked = {
        msg.RequestArrived, msg.TellArrived, msg.AnswerArrived, msg.DirectArrived, msg.HandshakeArrived, msg.SendReply,
        msg.RouteOpened, msg.CommitBatch, msg.NoticesDue, msg.HintsDue, msg.Resolved, msg.ResolveFailed,
        msg.NodeAnswered, msg.TransportReported, msg.AskNode, msg.OwnNameShown,
    }  # fmt: skip
    assert {kind for kind in vars(msg).values() if isinstance(kind, type) and issubclass(kind, FromPeer)} - {
        FromPeer
    } == marked
    assert msg.TransportReported(Incoming(b"", None)).by_peer
    assert not msg.TransportReported(TransportDown("gone", True)).by_peer
    node = {*get_args(msg.ForwardingNodeInbox), *get_args(msg.RegistrationNodeInbox), *get_args(msg.NodeIOInbox)}
    own = {
        msg.MixnetConnected, msg.MixnetDisconnected, msg.Tick, msg.IdentityReplaced, msg.CardRenewed, msg.CardDue,
        msg.BeatDue, msg.RoutesEnded, msg.Drain,
    }  # fmt: skip
    assert node - marked == own, "a new message to the node's actors has to be put on one side"


# -- the frame that once ended a node ---------------------------------------------------------------------------------


def to_myself(mallory: RawClient, sealed: bytes) -> m.Forward:
    world = mallory.world
    return m.Forward(
        mallory.new_id(), mallory.name, mallory.name, world.sim.random_bytes(16), world.sim.unix_s(), 1, sealed,
        bytes(SIGNATURE_BYTES), None,
    )  # fmt: skip


def longest_forward(mallory: RawClient) -> m.Forward:
    """A `Forward` that fills a frame to the last byte; its `Deliver`, to a short name, would be longer."""
    size = FRAME_BYTES_MAX - len(mallory.encode(to_myself(mallory, b""))) - 3
    while len(mallory.encode(to_myself(mallory, bytes(size)))) > FRAME_BYTES_MAX:
        size -= 1
    return to_myself(mallory, bytes(size))


def give_surbs(mallory: RawClient, count: int = 100) -> None:
    mallory.throw(mallory.encode(m.TopUp(count, mallory.name, mallory.login_id)), count)
    mallory.world.settle(1)


def acknowledge_all(mallory: RawClient) -> None:
    ids = list({one.message_id: None for one in mallory.received(m.Deliver)})[-16:]
    items = tuple(m.Acknowledged(mallory.name, each, None) for each in ids)
    mallory.throw(mallory.encode(m.Acknowledge(2, mallory.name, mallory.login_id, items, ())), 2)
    mallory.world.settle(1)


def test_messages_that_fill_a_frame_stop_no_node() -> None:
    with World(2) as world:
        alice, bob = world.client("alice"), world.client("bob")
        mallory = RawClient(world, "abc")
        assert isinstance(mallory.register(), m.Registered)
        mallory.log_in()
        number = 0
        while number < 130:  # counters of two bytes make a delivery longer
            for _ in range(8):
                assert isinstance(mallory.hand_in(to_myself(mallory, bytes(min(SEALED_SIZES)))), m.Accepted)
            acknowledge_all(mallory)
            give_surbs(mallory, 30)
            number = max(one.counter for one in mallory.received(m.Deliver))
        for _ in range(OFTEN):
            give_surbs(mallory)
            assert mallory.hand_in(longest_forward(mallory)) is None, "no frame: it is not answered"
            assert isinstance(mallory.hand_in(to_myself(mallory, bytes(LONGEST))), m.Accepted)
            give_surbs(mallory)
            acknowledge_all(mallory)
        assert total(world.node.counters(), "refused_malformed") == OFTEN
        assert len([one for one in mallory.received(m.Deliver) if len(one.sealed) == LONGEST]) >= OFTEN
        alice.send_and_wait("bob", "the node is there")
        assert bob.texts("alice") == ["the node is there"]
        world.check()


# -- defence in depth: if the rule above is wrong somewhere ------------------------------------------------------------


def bugs_dropped(world: World) -> int:
    assert not world.failures
    counters = world.node.counters()
    assert total(counters, "bugs") == 0
    return total(counters, "bugs_dropped")


def test_a_frame_that_cannot_be_encoded_is_dropped_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from usernym.protocol import codec

    bounded = codec._bounded

    def fails(frame: bytes) -> bytes:
        if len(frame) > min(SEALED_SIZES):
            raise LocalProtocolError(Code.TOO_LARGE, "planted")
        return bounded(frame)

    with World(4) as world:
        alice, bob = world.client("alice"), world.client("bob")
        mallory = RawClient(world, "abc")
        mallory.register()
        mallory.log_in()
        give_surbs(mallory)
        frames = [mallory.encode(to_myself(mallory, bytes(min(SEALED_SIZES)))) for _ in range(OFTEN)]
        with monkeypatch.context() as planted:
            planted.setattr(codec, "_bounded", fails)
            for frame in frames:
                mallory.throw(frame, 0)
            world.settle(5)
        assert bugs_dropped(world) >= OFTEN - 1
        alice.send_and_wait("bob", "the node is there")
        assert bob.texts("alice") == ["the node is there"]


@pytest.mark.parametrize("bug", [ZeroDivisionError, RowConflict])
def test_a_message_that_brings_a_bug_about_costs_no_other_message_of_its_batch(
    bug: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Intake._take

    def planted(self: Any, handed_in: HandedIn, *more: Any) -> Any:
        if handed_in.forward.sender == "mallory":
            raise bug("planted")
        return take(self, handed_in, *more)

    monkeypatch.setattr(Intake, "_take", planted)
    with World(6) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "before")
        mallory = RawClient(world)
        mallory.register()
        mallory.log_in()
        sealed = bytes(min(SEALED_SIZES))
        for _ in range(OFTEN):
            for _ in range(3):
                frame = mallory.encode(msgspec.structs.replace(to_myself(mallory, sealed), recipient="bob"))
                mallory.throw(frame, 0)
            alice.send("bob", "among them")
            world.settle(3)
        world.settle(60)
        assert bugs_dropped(world) >= 3 * OFTEN
        assert bob.texts("alice") == ["before"] + ["among them"] * OFTEN


def test_a_stored_row_that_cannot_be_read_holds_up_no_other() -> None:
    with World(7) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "before")
        bob.kill()
        ids = [alice.send("bob", str(number)) for number in range(20)]
        world.settle(20)
        bad = ids[:10]
        for message_id in bad:
            world.node.store.database.run("UPDATE mail SET blob = x'c1' WHERE message_id = ?", (message_id,))
        world.node.store.notices.add("bob", 1, b"\xc1", 1, 2**31)
        world.node.store.notices.add("bob", 77, b"", 1, 2**31)
        bob.start()
        bob.connect()
        world.settle(600)
        assert set(bob.texts("alice")) == {"before", *(str(number) for number in range(10, 20))}
        assert len(world.node.store.mailbox.waiting("bob", 100)) == len(bad), "nothing is thrown away"
        assert bugs_dropped(world) >= len(bad) + 2


@pytest.mark.parametrize("kind", [m.Acknowledge, m.Unopenable])
def test_a_name_that_no_one_can_have_gets_into_no_statement(kind: Any) -> None:
    """PostgreSQL's texts can't have the letter 0: its driver raises what is a bug here."""
    with World(41) as world:
        mallory = RawClient(world)
        assert isinstance(mallory.register(), m.Registered)
        mallory.log_in()
        if kind is m.Acknowledge:
            said: Any = kind(0, "mallory", mallory.login_id, (m.Acknowledged("a\0b", bytes(16), None),), ())
        else:
            said = kind(0, "mallory", mallory.login_id, "a\0b", bytes(16), bytes(64))
        mallory.throw(mallory.encode(said), 0)
        world.settle(2)
        counts = world.node.counters()["forwarding"]
        assert counts["refused_name_bad_character"] == 1
        assert "bugs_dropped" not in counts
        world.check()
