"""A client's I/O between two addresses: an answer counts where it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from usernym.actors import messages as msg
from usernym.actors.base import Ref
from usernym.actors.mixnet_io import node_addresses as na
from usernym.actors.mixnet_io.client import ClientIO
from usernym.actors.mixnet_io.dispatch import Dispatch
from usernym.actors.simulation import Simulation
from usernym.mixnet.transport import Incoming, TransportEvent, TransportUp
from usernym.protocol import messages as m
from usernym.protocol.codec import decode, encode_signed
from usernym.protocol.errors import Code
from usernym.protocol.signing import SigningKey
from usernym.testing.process import ProcessRuntime

NODE, ALICE = SigningKey.from_seed(b"n" * 32), SigningKey.from_seed(b"a" * 32)
ADDRESSES = [bytes([number]) * 96 for number in range(3)]
ORDER = na.ordered(ADDRESSES, ALICE.public, 0)
LOGIN, BOOT = b"l" * 16, b"boot...."


class Told(list[Any]):
    """An actor that only listens."""

    def tell(self, message: Any) -> None:
        self.append(message)


class Scene:
    """One client's I/O and what it sends; the test answers for the node."""

    surb_bytes = 460

    def __init__(self) -> None:
        self.sim = Simulation(1)
        self.runtime = ProcessRuntime(self.sim)
        self.runtime.clock_error_s = -self.sim.unix_s()  # the day of `ORDER`
        self.sent: list[tuple[bytes, m.Message]] = []
        self.told, self.answers = Told(), Told()
        self.io = ClientIO(
            self.runtime, self.failed, self, signer=ALICE, node=NODE.public, addresses=ADDRESSES,
            fresh_tags=False, dispatch=Dispatch(heard=self.told),
        )  # fmt: skip
        ref: Ref[msg.ClientIOInbox] = Ref()
        self.ref = ref
        ref.bind(self.io).begin()
        self.sim.run_for(0.1)

    def failed(self, actor: str, error: BaseException) -> None:
        raise AssertionError(actor) from error

    # -- the transport --

    def open(self, on_event: Callable[[TransportEvent], None]) -> None:
        self.on_event = on_event
        on_event(TransportUp(b"o" * 96, older=False))

    fresh_tags = False

    def send(self, recipient: bytes, data: bytes, surbs: int, *, fresh_tag: bool = False) -> None:
        self.sent.append((recipient, decode(data).message))

    def reply(self, sender_tag: bytes, data: bytes) -> None:
        raise AssertionError

    def surbs_out(self) -> int | None:
        return None

    def renew(self, *, keep_address: bool = False) -> bool:
        return False

    def close(self) -> None:
        """Nothing to close."""

    # -- both sides --

    def ask(self, request: m.Request) -> bytes:
        """Ask, and the address to which that went."""
        before = len(self.sent)
        self.ref.tell(msg.SendRequest(request, self.answers))
        self.sim.run_for(0.1)
        return next(to for to, message in self.sent[before:] if isinstance(message, type(request)))

    def answer(self, answer: m.Answer) -> None:
        self.on_event(Incoming(encode_signed(answer, NODE, NODE.public), None))
        self.sim.run_for(0.1)

    def log_in(self, number: int = 0) -> bytes:
        """Log in; where."""
        nonce = bytes([number]) * 16
        self.ask(m.LoginAsk(b"ask....%d" % number, 3, "alice"))
        self.answer(m.Challenge(b"ask....%d" % number, nonce, 1, 0, bytes(16)))
        where = self.ask(m.LoginProof(b"proof..%d" % number, 3, "alice", nonce, 1, bytes(16), 1, 0))
        self.answer(m.LoggedIn(b"proof..%d" % number, LOGIN, BOOT, 1, 1, 4))
        return where

    def silent_lookups(self) -> None:
        """A lookup that stays unanswered at the address in use, until that is left. The next one answers."""
        self.ask(m.Lookup(b"lookup..", 1, "bob"))
        self.sim.run_for(15.5)
        self.answer(m.Refused(b"lookup..", Code.NO_SUCH_USER, 0))


def beat(number: int) -> m.Heartbeat:
    return m.Heartbeat(b"beat...%d" % number, 3, "alice", LOGIN, ())


def test_an_address_is_left_with_the_route_that_is_there() -> None:
    scene = Scene()
    assert scene.log_in() == ORDER[0]
    scene.silent_lookups()
    assert [type(message) for message in scene.told] == [msg.AddressChanged]
    assert scene.sent[-1][0] == ORDER[1]
    assert scene.log_in(1) == ORDER[1]


def test_what_the_address_before_says_of_its_stock_is_not_that_of_the_next_one() -> None:
    scene = Scene()
    scene.log_in()
    scene.ask(m.Lookup(b"lookup..", 1, "bob"))
    scene.sim.run_for(12)
    assert scene.ask(beat(0)) == ORDER[0]
    scene.sim.run_for(3.2)
    assert scene.log_in(1) == ORDER[1]
    held = scene.io._route.held()
    scene.answer(m.Alive(b"beat...0", BOOT, 90))
    assert [type(answered.answer) for answered in scene.answers][-1] is m.Alive, "it came in time"
    assert scene.io._route.held() == held


def test_texts_without_a_route_say_nothing_of_the_address() -> None:
    scene = Scene()
    scene.log_in()
    forward = m.Forward(b"forward.", "alice", "bob", b"m" * 16, 1, 1, b"\x5a" * 1_338, bytes(64), None)
    for _ in range(4):
        scene.ask(forward)
        scene.ref.tell(msg.DropRoute(LOGIN))
        scene.sim.run_for(7)
        scene.io._route.open("alice", LOGIN, 4)
    assert not scene.told
    assert scene.io._to.own.silent == 0


@pytest.mark.parametrize("comes", [True, False])
def test_the_first_address_is_come_back_to_when_it_gives_a_challenge(comes: bool) -> None:
    scene = Scene()
    scene.log_in()
    scene.silent_lookups()
    scene.log_in(1)
    scene.told.clear()
    scene.sim.run_for(na.HOME_AFTER_S)
    assert scene.ask(beat(1)) == ORDER[1]
    to, look = scene.sent[-1]
    assert (to, type(look)) == (ORDER[0], m.LoginAsk)
    assert isinstance(look, m.LoginAsk)
    assert look.surbs == 1
    if comes:
        scene.answer(m.Challenge(look.request_id, b"h" * 16, 1, 0, bytes(16)))
    else:
        scene.answer(m.Refused(look.request_id, Code.BUSY, 30))
    assert [type(message) for message in scene.told if isinstance(message, msg.AddressChanged)] == (
        [msg.AddressChanged] if comes else []
    )
    assert scene.log_in(2) == (ORDER[0] if comes else ORDER[1])
