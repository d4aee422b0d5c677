"""A cost that a peer declares is not believed: what the node hands over for one tag is bounded until some arrives."""

from __future__ import annotations

from typing import Any

import pytest

from tests.helpers.hostile import RawClient
from usernym.actors import surbs
from usernym.actors.forwarding.routes import RETRY_S, WINDOW_MAX, WINDOW_MIN, UserRoute
from usernym.actors.surbs import SurbStock
from usernym.protocol import messages as m
from usernym.protocol.limits import FRAME_BYTES_MAX, PACKETS_MAX, SURBS_GIVEN_MAX, TEXT_BYTES_MAX
from usernym.protocol.payloads import SEALED_SIZES
from usernym.storage.client.types import DeliveryState
from usernym.testing.world import World

LONGEST = max(SEALED_SIZES)


def route() -> UserRoute:
    return UserRoute(b"", b"", b"", 0, 0, SurbStock())


def test_the_window_doubles_by_what_arrives_and_halves_by_what_does_not() -> None:
    one = route()
    assert one.hand_over(PACKETS_MAX, 0.0)
    assert not one.hand_over(1, 1.0), "a longest message fills it"
    one.note_arrived(0.0)
    assert one.window == 2 * PACKETS_MAX
    assert one.hand_over(PACKETS_MAX, 2.0)
    assert one.hand_over(PACKETS_MAX, 2.0)
    assert not one.hand_over(1, 2.0)
    one.note_arrived(2.0)
    assert one.window == WINDOW_MAX == SURBS_GIVEN_MAX
    now, windows = 10.0, []
    for _ in range(6):
        assert one.hand_over(PACKETS_MAX, now), "one message may go in each round"
        one.end_round(now + RETRY_S - 1)
        assert not one.hand_over(WINDOW_MAX, now + RETRY_S - 1)
        one.end_round(now + RETRY_S)
        windows.append(one.window)
        now += RETRY_S
    assert windows == [48, 24, 16, 16, 16, WINDOW_MIN]


def liar(world: World) -> RawClient:
    """An account with sixteen of the longest messages to itself, all its SURBs spent."""
    mallory = RawClient(world)
    assert isinstance(mallory.register(), m.Registered)
    mallory.log_in()
    for _ in range(7):
        world.settle(1)
        forward = m.Forward(
            mallory.new_id(), "mallory", "mallory", world.sim.random_bytes(16), world.sim.unix_s(), 1, bytes(LONGEST),
            bytes(64), None,
        )  # fmt: skip
        mallory.throw(mallory.encode(forward), 0)
    world.settle(60)
    return mallory


def handed_over(world: World, minutes: int) -> int:
    """Bytes that the node's mixnet client was given for the liar's tag, beyond what it could send."""
    mallory = liar(world)
    core: Any = world.core
    client = core._clients[world.node.client_number]
    core._answer_surb_request = lambda _now, _request: None  # the liar's mixnet client gives none
    most = 0
    for _ in range(3 * minutes):
        for _ in range(4):
            mallory.throw(mallory.encode(m.TopUp(200, "mallory", mallory.login_id)), 1)
        beat = m.Heartbeat(mallory.new_id(), 200, "mallory", mallory.login_id, ())
        mallory.throw(mallory.encode(beat), 1)
        world.settle(21)
        most = max(most, sum(len(each.flight.data) for stock in client.stocks.values() for each in stock.waiting))
    return most


def test_surbs_that_are_only_said_to_be_there_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    with World(30) as world:
        # The emulator gives what waits up after 44 s: three rounds of one longest message each may wait at once.
        assert handed_over(world, 3) <= 3 * FRAME_BYTES_MAX
        world.check()
    monkeypatch.setattr(UserRoute, "hand_over", lambda _self, _packets, _now: True)
    monkeypatch.setattr(surbs, "STOCK_MAX", 10 * SURBS_GIVEN_MAX)
    with World(30) as world:
        assert handed_over(world, 3) > 6 * FRAME_BYTES_MAX, "without the window, and believing"


def log_in_with_another_tag(world: World) -> None:
    """The liar's login from another mixnet client: three SURBs with each message, whatever they say."""
    mallory = RawClient(world)
    ask = m.LoginAsk(mallory.new_id(), 200, "mallory")
    challenge = mallory.exchange(mallory.encode(ask), ask.request_id, 3)
    proof = m.LoginProof(
        mallory.new_id(), 200, "mallory", challenge.nonce, challenge.expires_at, challenge.mac, 2**32 - 1, 200
    )
    mallory.login_id = mallory.exchange(mallory.encode(proof), proof.request_id, 3).login_id
    mallory.throw(mallory.encode(m.TopUp(200, "mallory", mallory.login_id)), 1)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_logins_one_after_the_other_open_no_new_window(elsewhere: bool) -> None:
    with World(30) as world:
        liar(world)
        core: Any = world.core
        core._answer_surb_request = lambda _now, _request: None
        stocks = core._clients[world.node.client_number].stocks
        forwarding: Any = next(actor for actor in world.node.runtime.actors if actor.name == "forwarding")
        began, logins = world.sim.now(), 0
        while world.sim.now() < began + RETRY_S:
            log_in_with_another_tag(world)
            logins += 1
            world.settle(0.2)
            if elsewhere:  # as when another worker has the route for a moment
                forwarding._routes.drop("mallory")
        waiting = sum(len(each.flight.data) for stock in stocks.values() for each in stock.waiting)
        assert logins > 20
        assert waiting <= 2 * FRAME_BYTES_MAX
        world.check()


def test_a_login_after_something_arrived_begins_a_round() -> None:
    former, arrived = route(), route()
    for each in (former, arrived):
        assert each.hand_over(PACKETS_MAX, 0.0)
    arrived.note_arrived(0.0)
    assert arrived.hand_over(PACKETS_MAX, 1.0)
    for before, now, room in ((former, 2.0, False), (former, RETRY_S, True), (arrived, 2.0, True)):
        one = route()
        one.continue_round(before, now)
        assert one.hand_over(1, now) is room


def test_the_account_never_believes_in_more_than_a_client_gives() -> None:
    stock = SurbStock()
    for now in range(50):
        stock.add(255, float(now))
    assert stock.left(50.0) == SURBS_GIVEN_MAX


def test_histories_are_answered_packet_for_packet() -> None:
    with World(29) as world:
        world.client("bob")
        asker = RawClient(world)
        before = world.node.counters()["io"]["replies_sent"]
        for _ in range(30):
            asker.throw(asker.encode(m.History(asker.new_id(), 3, "bob", 0)), 3)
        world.settle(5)
        links = asker.received(m.Links)
        assert len(links) == 30 == world.node.counters()["io"]["replies_sent"] - before
        assert all(len(each.links) <= 5 for each in links)


def test_a_user_who_acknowledges_gets_long_texts_in_a_row_without_waiting_for_rounds() -> None:
    with World(31) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "hello")
        began = world.sim.now()
        ids = [alice.send("bob", f"{number}".ljust(TEXT_BYTES_MAX, "x")) for number in range(4)]
        for each in ids:
            alice.wait_for_state(each, DeliveryState.DELIVERED)
        assert world.sim.now() - began < 2 * RETRY_S
        assert len(bob.texts()) == 5
        world.check()
