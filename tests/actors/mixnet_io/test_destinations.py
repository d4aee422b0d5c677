"""Where each request goes: what belongs to a route or a challenge stays there, the rest goes where an answer is."""

from __future__ import annotations

from typing import Any

import pytest

from usernym.actors.mixnet_io.in_flight import (
    ATTEMPTS_OF_SEVERAL_S,
    ATTEMPTS_S,
    CHALLENGES_NOTED,
    FORWARD_ATTEMPTS_S,
    TRIAL_ATTEMPTS_S,
    Destinations,
    InFlight,
)
from usernym.actors.simulation import Simulation
from usernym.protocol import messages as m
from usernym.testing.process import ProcessRuntime

ADDRESSES = [bytes([number]) * 96 for number in range(4)]
OTHERS = [bytes([number]) * 96 for number in range(4, 8)]
KEY = b"k" * 32
LOOKUP = m.Lookup(b"lookup..", 3, "bob")
ASK = m.LoginAsk(b"ask.....", 3, "alice")
BEAT = m.Heartbeat(b"beat....", 3, "alice", b"l" * 16, ())
FORWARD = m.Forward(b"forward.", "alice", "bob", b"m" * 16, 1, 1, b"", bytes(64), None)


def proof(nonce: bytes) -> m.LoginProof:
    return m.LoginProof(b"proof...", 3, "alice", nonce, 1, bytes(16), 1, 0)


def challenge(nonce: bytes) -> m.Challenge:
    return m.Challenge(b"ask.....", nonce, 1, 0, bytes(16))


def destinations() -> Destinations:
    return Destinations(ProcessRuntime(Simulation(1)), ADDRESSES, KEY)


def sent(to: Destinations, request: m.Request, at_s: float = 0.0) -> InFlight:
    class Deaf:
        def tell(self, message: Any) -> None:
            raise AssertionError(message)

    return InFlight(request, Deaf(), address=to.address_for(request), sent_at=at_s)


def leave(to: Destinations) -> bytes:
    """Three tries without an answer; the address that is left."""
    left = to.own.address
    while to.own.address == left:
        waiting = sent(to, ASK)
        waiting.sent_at = 1e9  # after whatever was counted before
        to.note_unanswered(waiting)
    return left


def test_a_proof_goes_to_the_address_that_made_its_challenge() -> None:
    to = destinations()
    first = to.address_for(ASK)
    to.note_answered(sent(to, ASK), challenge(b"n" * 16))
    assert leave(to) == first
    assert to.address_for(proof(b"n" * 16)) == first
    assert to.address_for(proof(b"x" * 16)) == to.address_for(ASK) != first
    for number in range(CHALLENGES_NOTED):
        to.note_answered(sent(to, ASK), challenge(bytes([number]) * 16))
    assert to.address_for(proof(b"n" * 16)) == to.address_for(ASK), "the memory of challenges has a bound"


def test_the_route_is_where_the_login_was_made_though_that_address_was_left_meanwhile() -> None:
    to = destinations()
    waiting = sent(to, proof(b"n" * 16))
    first = leave(to)
    assert to.own.address != first
    to.note_answered(waiting, m.LoggedIn(b"proof...", b"l" * 16, b"boot....", 1, 1, 4))
    assert to.own.address == first == to.address_for(BEAT) == to.address_for(FORWARD)


def test_what_is_asked_before_a_login_goes_by_random_bytes_and_later_by_the_users_key() -> None:
    before = {destinations_of_seed(seed).address_for(LOOKUP) for seed in range(40)}
    assert before == set(ADDRESSES)
    after = set()
    for seed in range(40):
        to = destinations_of_seed(seed)
        to.address_for(ASK)
        after.add(to.address_for(LOOKUP))
    assert after == {destinations().own.order[0]}


def test_lookups_with_tags_of_their_own_go_to_no_address_that_the_node_sent_while_it_is_at_one_given_by_hand() -> None:
    others = 0
    for seed in range(20):
        to = destinations_of_seed(seed)
        to.fresh_tags = True
        to.address_for(ASK)
        to.take_card([ADDRESSES[seed % 4], *OTHERS], ADDRESSES)
        to.take_card([*ADDRESSES, *OTHERS], ADDRESSES)
        assert to.address_for(LOOKUP) in ADDRESSES
        others += to.own.address in OTHERS
        to.take_card(OTHERS, ADDRESSES)
        assert to.address_for(LOOKUP) == to.own.address, "it has moved"
        assert to.own.address in OTHERS
    assert others, "the login goes there"


def destinations_of_seed(seed: int) -> Destinations:
    return Destinations(ProcessRuntime(Simulation(seed)), ADDRESSES, KEY)


def test_one_address_draws_nothing_and_waits_as_long_as_ever() -> None:
    runtime = ProcessRuntime(Simulation(1))
    to = Destinations(runtime, ADDRESSES[:1], KEY)
    assert runtime.random_bytes(8) == ProcessRuntime(Simulation(1)).random_bytes(8)
    assert [to.pauses_s(request) for request in (LOOKUP, ASK, BEAT)] == [ATTEMPTS_S] * 3
    assert to.pauses_s(FORWARD) == FORWARD_ATTEMPTS_S
    to.take_card(ADDRESSES, ADDRESSES)
    assert to.pauses_s(LOOKUP) == ATTEMPTS_OF_SEVERAL_S
    assert to.address_for(LOOKUP) == ADDRESSES[0], "it stays where it is"


def test_an_address_on_trial_gets_one_try() -> None:
    to = destinations()
    leave(to)
    assert to.pauses_s(ASK) == TRIAL_ATTEMPTS_S
    to.note_answered(sent(to, ASK), challenge(b"n" * 16))
    assert to.pauses_s(ASK) == ATTEMPTS_OF_SEVERAL_S


@pytest.mark.parametrize("request_", [ASK, BEAT, FORWARD, proof(b"n" * 16)], ids=lambda request: type(request).__name__)
def test_only_what_belongs_to_no_address_goes_elsewhere_and_once_to_each(request_: m.Request) -> None:
    to = destinations()
    waiting = sent(to, request_)
    assert not to.goes_elsewhere(waiting)
    leave(to)
    assert to.was_left(waiting)
    assert to.goes_elsewhere(waiting) == isinstance(request_, m.LoginAsk)
    waiting.addresses_left = len(ADDRESSES) - 1
    assert not to.goes_elsewhere(waiting)
