"""All that follows from a message can be sent: computed from the bounds, and compared with what a node does."""

from __future__ import annotations

from typing import Annotated, Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.refusals import refusal
from tests.helpers.wire_strategies import strategy
from usernym.actors import messages as msg
from usernym.actors.forwarding.node import ForwardingNode
from usernym.actors.lookup.node import LookupNode
from usernym.actors.registration.node import RegistrationNode
from usernym.protocol import derived
from usernym.protocol import messages as m
from usernym.protocol.codec import decode, encode, encode_signed, encode_unsigned, is_signed
from usernym.protocol.errors import Code
from usernym.protocol.limits import FRAME_BYTES_MAX, HPKE_ROTATION_S, NAME_LETTERS_MAX
from usernym.protocol.payloads import SEALED_SIZES
from usernym.protocol.records import Succession
from usernym.protocol.signing import SigningKey
from usernym.testing.world import World

KEY = SigningKey.from_seed(b"k" * 32)


def in_letters_of_a_name(message: Any) -> Any:
    """The message with names as long as registered ones may be."""
    if isinstance(message, msgspec.Struct):
        for field in message.__struct_fields__:
            value = in_letters_of_a_name(getattr(message, field))
            message = msgspec.structs.replace(message, **{field: value})
        return message
    if isinstance(message, tuple):
        return tuple(in_letters_of_a_name(each) for each in message)
    return "n" * min(len(message), NAME_LETTERS_MAX) if isinstance(message, str) else message


@pytest.mark.parametrize("kind", get_args(m.FromNode))
@examples(60)
@given(data=st.data())
def test_no_frame_is_longer_than_the_longest(kind: Any, data: st.DataObject) -> None:
    message = in_letters_of_a_name(data.draw(strategy(kind)))
    assert encode(message).frame_bytes <= derived.longest_frame(kind)


def test_every_kind_of_message_has_its_consequences() -> None:
    assert set(derived.TELLS) == set(get_args(m.ToNode))
    assert set(derived.ANSWERS) == {*get_args(m.Request), m.Cosign}
    assert {kind for tells in derived.TELLS.values() for kind in tells} == set(get_args(m.Tell))
    assert set(derived.WITHOUT_ROUTE) == set(derived.ANSWERS) - {m.Forward, m.Heartbeat}


def test_a_seal_as_long_as_a_frame_would_not_fit_its_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound that once was there: it let a `Forward` in whose `Deliver` no one could send."""
    as_long = Annotated[bytes, msgspec.Meta(min_length=1, max_length=FRAME_BYTES_MAX)]
    old = msgspec.defstruct("Deliver", [("sealed", as_long)], array_like=True, frozen=True, tag=40)
    monkeypatch.setitem(derived.TELLS, m.Forward, (old,))
    with pytest.raises(AssertionError, match="Forward causes Deliver: too long"):
        derived.check_derived()


def test_links_of_more_than_one_packet_would_multiply_what_strangers_send(monkeypatch: pytest.MonkeyPatch) -> None:
    sixteen = Annotated[tuple[Succession, ...], msgspec.Meta(max_length=16)]
    old = msgspec.defstruct("Links", [("links", sixteen)], array_like=True, frozen=True, tag=25)
    monkeypatch.setitem(derived.ANSWERS, m.History, (old,))
    with pytest.raises(AssertionError, match="Links multiplies History"):
        derived.check_derived()


CAUSES: dict[tuple[type[Any], type[Any]], tuple[type[Any], ...]] = {
    (ForwardingNode, msg.RouteOpened): (m.LoginProof,),
    (ForwardingNode, msg.CommitBatch): (m.Forward,),
    (RegistrationNode, msg.CommitBatch): (m.RegisterProof,),
    (ForwardingNode, msg.NoticesDue): (m.Acknowledge, m.Unopenable, m.Delete),
}


def test_a_node_sends_nothing_else_because_of_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table, beside what the node's actors do while they handle each message."""
    kinds = {kind.__struct_config__.tag: kind for kind in get_args(m.FromNode)}
    causes: list[tuple[type[Any], ...]] = []
    seen: set[tuple[type[Any], type[Any]]] = set()

    def watched(actor: Any) -> None:
        receive = actor.receive

        def watch(self: Any, message: Any) -> None:
            causes.append((type(message.frame.message),) if isinstance(message, msg.RequestArrived)
                          else CAUSES.get((actor, type(message)), ()))  # fmt: skip
            receive(self, message)
            causes.pop()

        monkeypatch.setattr(actor, "receive", watch)

    for actor in (ForwardingNode, LookupNode, RegistrationNode):
        watched(actor)
    with World(3) as world:
        io, tell = world.node.graph.io, world.node.graph.io.tell

        def told(message: Any) -> None:
            if isinstance(message, msg.SendReply) and causes and causes[-1]:
                kind = kinds[message.reply.body[1]]
                allowed = {outcome for cause in causes[-1] for outcome in derived.outcomes(cause)}
                assert kind in allowed, f"{kind.__name__} because of {causes[-1]}"
                seen.update((cause, kind) for cause in causes[-1])
            tell(message)

        monkeypatch.setattr(io, "tell", told)
        alice, bob, carol = (world.client(name) for name in ("alice", "bob", "carol"))
        alice.send_and_wait("bob", "x" * 40_000)
        bob.send_and_wait("alice", "y")
        world.sim.clock_error_s += HPKE_ROTATION_S + 60
        world.settle(1200)
        carol.kill()
        alice.send("carol", "z")
        world.settle(30)
        alice.kill()
        alice.start()
        alice.connect()
        world.settle(300)
        alice.look_up("carol")
        alice.look_up("carol")
        world.check()
    for pair in (
        (m.RegisterAsk, m.Challenge), (m.RegisterProof, m.Registered), (m.LoginAsk, m.Challenge),
        (m.Forward, m.Deliver), (m.LoginProof, m.LoggedIn), (m.Lookup, m.Found), (m.Publish, m.Published),
        (m.Lookup, m.Promised), (m.Lookup, m.Proved),
        (m.Forward, m.Accepted),
        (m.Heartbeat, m.Alive), (m.Acknowledge, m.Delivered),
    ):  # fmt: skip
        assert pair in seen


# -- seals of impossible size ----------------------------------------------------------------------------------------


def a_seal_of(kind: type[Any], size: int) -> bytes:
    """A frame of the kind with so many sealed bytes."""
    sealed, rid, id_, signature = bytes(size), bytes(8), bytes(16), bytes(64)
    messages: dict[type[Any], m.Message] = {
        m.Forward: m.Forward(rid, "ann", "bob", id_, 1, 1, sealed, signature, None),
        m.Deliver: m.Deliver(id_, 1, "ann", id_, 1, sealed, signature, None),
        m.Direct: m.Direct("ann", id_, 1, sealed, signature),
    }
    message = messages[kind]
    return encode_signed(message, KEY, bytes(32)) if is_signed(message) else encode_unsigned(message)


@pytest.mark.parametrize("kind", [m.Forward, m.Deliver, m.Direct])
def test_a_seal_has_a_length_that_padding_gives_or_the_frame_is_malformed(kind: type[Any]) -> None:
    def refused(size: int) -> Code | None:
        return refusal(lambda: decode(a_seal_of(kind, size)))

    for size in sorted(SEALED_SIZES):
        assert refused(size) is None
        assert {refused(near) for near in {size - 1, size + 1} - SEALED_SIZES} == {Code.MALFORMED}
    assert {refused(size) for size in (0, 1, 64, 1_136, 1_137)} == {Code.MALFORMED}
