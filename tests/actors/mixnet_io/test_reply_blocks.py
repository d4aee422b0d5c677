"""The account of SURBs, kept by both sides: held, given, their age; and who only listens stays reachable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.helpers.hostile import RawClient, Wiretap, message_of, total
from usernym.actors.events import ConnectionChanged
from usernym.actors.forwarding.node import RETRY_MAX_S
from usernym.actors.forwarding.routes import UserRoute
from usernym.actors.mixnet_io.client import ClientIO
from usernym.actors.mixnet_io.surb_account import ON_DEMAND_BELOW
from usernym.actors.registration.client import TICK_S
from usernym.actors.registration.login import HEARTBEAT_S
from usernym.actors.surbs import SurbStock
from usernym.mixnet.emulator.in_process import InProcessTransport
from usernym.protocol import messages as m
from usernym.protocol.limits import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    SURB_S,
    SURBS_GIVEN_MAX,
    SURBS_LOW,
    SURBS_REQUEST,
    SURBS_TOP_UP,
    TEXT_BYTES_MAX,
)
from usernym.protocol.packets import anonymous_packets
from usernym.storage.client.types import DeliveryState
from usernym.testing.world import SimClient, World


def route_of(world: World, name: str) -> UserRoute:
    """The node's route of a user."""
    forwarding: Any = next(actor for actor in world.node.runtime.actors if actor.name == "forwarding")
    route: UserRoute = forwarding._routes.get(name)
    assert route is not None
    return route


def given(client: SimClient) -> int:
    """SURBs that the client believes the node to hold."""
    io: Any = next(actor for actor in client.runtime.actors if actor.name == "mixnet-io")
    held: int = io._route.held()
    return held


def held(world: World, name: str) -> int:
    """SURBs that the node believes to hold."""
    return route_of(world, name).stock.left(world.sim.now())


def in_stock(world: World, client: SimClient) -> int:
    """SURBs that the node's mixnet client really holds of this client and that are alive, as the emulator counts."""
    core: Any = world.core
    return sum(
        core._alive(stock, world.sim.now())
        for stock in core._clients[world.node.client_number].stocks.values()
        if stock.sender == client.client_number
    )


def came(client: SimClient, count: int) -> Callable[[], bool]:
    """Whether the user has seen so many texts."""
    return lambda: len(client.texts()) == count


def visits(client: SimClient, hours: float, times: int) -> Iterator[int]:
    """The user comes online for a moment every so often."""
    for number in range(times):
        client.kill()
        client.world.sim.run_for(hours * HOUR_S)
        client.start()
        client.go_online()
        yield number


@pytest.mark.seconds
def test_a_client_that_only_listens_stays_reachable_for_three_days() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "first")
    logins = world.node.counters()["registration"]["logins"]
    visited = 0
    for visited in visits(alice, 6, 12):
        alice.send("bob", f"text {visited}")
        world.sim.run_until(came(bob, visited + 2), 5)
        world.settle(5)
    assert world.sim.now() > 3 * DAY_S
    assert world.node.counters()["registration"]["logins"] == logins + visited + 1, "bob logged in once"
    assert [event.online for event in bob.of_kind(ConnectionChanged)] == [True]
    assert given(bob) == held(world, "bob") <= in_stock(world, bob)
    assert SURBS_LOW <= held(world, "bob") <= SURBS_GIVEN_MAX
    world.check()


def test_both_accounts_agree_with_what_there_is() -> None:
    world = World(3)
    alice, bob = world.client("alice"), world.client("bob")
    for number in range(12):
        alice.send_and_wait("bob", "x" * (number * 700 + 1))
        world.settle(61)
        for client in (alice, bob):
            # An answer with the stock, and a tell of the node, may cross.
            assert abs(given(client) - held(world, client.name)) <= 2
            # A request's own SURBs: one is spent on its answer, the others stay with the mixnet client, uncounted.
            assert in_stock(world, client) >= held(world, client.name)
    world.check()


def silent_listener(world: World, surbs: int) -> RawClient:
    """A user who logs in, gives SURBs, and is never heard of again."""
    listener = RawClient(world, "mallory")
    listener.register()
    challenge = listener.ask(m.LoginAsk(listener.new_id(), 2, "mallory"))
    nonce, expires_at, mac = challenge.nonce, challenge.expires_at, challenge.mac
    sequence = world.node.card.sequence
    answer = listener.ask(m.LoginProof(listener.new_id(), 2, "mallory", nonce, expires_at, mac, sequence, 0))
    listener.login_id = answer.login_id
    listener.throw(listener.encode(m.TopUp(surbs, "mallory", listener.login_id)), surbs)
    world.settle(2)
    return listener


@pytest.mark.seconds
@pytest.mark.parametrize(("hours", "delivered"), [(23.5, True), (24.5, False)])
def test_nothing_goes_out_over_a_surb_that_may_be_dead(hours: float, delivered: bool) -> None:
    world = World()
    alice = world.client("alice", online=False)
    listener = silent_listener(world, 20)
    assert held(world, "mallory") >= 20
    world.sim.run_for(hours * HOUR_S)
    tap = Wiretap(world)
    alice.go_online()
    alice.look_up("mallory")
    alice.send_and_wait("mallory", "are you there?", DeliveryState.ACCEPTED)
    world.settle(5)
    told = [message_of(data) for _, _, data in tap.replies]
    assert any(isinstance(each, m.Deliver) for each in told) is delivered
    assert bool(listener.received(m.Deliver)) is delivered
    assert not [each for each in told if isinstance(each, m.SurbsWanted)], "nor is a dead one spent on asking"
    world.check()


def test_the_oldest_are_spent_first() -> None:
    stock = SurbStock()
    stock.add(3, 0.0)
    stock.add(3, 12 * HOUR_S)
    assert stock.take(2, 13 * HOUR_S)
    assert stock.left(float(SURB_S)) == 3, "one old one died, the young ones are all there"
    assert stock.take(3, float(SURB_S))
    assert not stock.take(1, float(SURB_S)), "none is spent that is not there"


@pytest.mark.parametrize("seed", range(6))
def test_a_key_rotation_is_healed_by_the_next_heartbeat(seed: int) -> None:
    """The node believes in SURBs that a rotation has killed, until something said over them was not confirmed."""
    world = World(seed)
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "x" * 4000 * (seed % 3 + 1))
    world.settle(10 * seed)
    world.mixnet.rotate_keys()
    assert in_stock(world, bob) == 0
    assert held(world, "bob") > 0, "the node does not know"
    message_id = alice.send("bob", "after")
    world.sim.run_until(lambda: bob.texts()[-1:] == ["after"], 60 + 35 + 20)
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 120)
    world.settle(120)
    assert total(world.node.counters(), "surbs_doubted") > 0
    assert held(world, "bob") - in_stock(world, bob) <= 4, "the dead ones are written off, and others are there"
    alice.send("bob", "at once")
    world.sim.run_until(lambda: bob.texts()[-1:] == ["at once"], 3)
    world.check()


def test_one_message_lost_by_chance_amid_others_writes_nothing_off() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    mixnet: Any = world.mixnet
    reply = mixnet.reply
    lost: list[bytes] = []

    def lose_one(client: int, tag: bytes, data: bytes) -> None:
        if not lost and isinstance(message_of(data), m.Deliver):
            lost.append(data)
        else:
            reply(client, tag, data)

    mixnet.reply = lose_one
    for number in range(3):
        alice.send("bob", f"text {number}")
        world.settle(1)
    world.sim.run_until(lambda: len(bob.texts()) == 4, 120)
    world.settle(60)
    assert lost
    assert not total(world.node.counters(), "surbs_doubted")
    world.check()


@pytest.mark.seconds
def test_a_rotation_every_day_stops_no_listener() -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "first")
    for visited in visits(alice, 24, 4):
        world.mixnet.rotate_keys()
        alice.send("bob", f"text {visited}")
        world.sim.run_until(came(bob, visited + 2), 120)
        world.settle(60)
    assert bob.texts() == ["first", *(f"text {number}" for number in range(4))]
    world.check()


def test_an_absent_recipient_costs_one_try_until_it_is_heard_of_again() -> None:
    world = World()
    tap = Wiretap(world)
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    world.settle(30)
    world.mixnet.offline(bob.client_number)
    tap.replies.clear()
    alice.send_and_wait("bob", "one try", DeliveryState.ACCEPTED)
    world.settle(HOUR_S)
    assert len([data for _, _, data in tap.replies if isinstance(message_of(data), m.Deliver)]) == 1
    world.mixnet.online(bob.client_number)
    world.sim.run_until(lambda: bob.texts() == ["hello", "one try"], 120)
    world.check()


def test_a_top_up_comes_before_the_stock_runs_dry() -> None:
    """Long texts in a row use up far more SURBs than a login brings; no delivery waits for a heartbeat."""
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    lowest = held(world, "bob")
    for number in range(20):
        alice.send("bob", f"{number} " + "x" * 6000)
        before = len(bob.texts())
        while len(bob.texts()) == before:
            world.sim.step()
            lowest = min(lowest, held(world, "bob"))
    assert len(bob.texts()) == 21
    assert lowest >= 1, "one is always left to ask for more with"
    assert world.sim.now() < 60
    world.check()


@pytest.mark.seconds
def test_a_message_that_is_never_acknowledged_does_not_cost_all_surbs_each_minute() -> None:
    in_all = [surbs_for_an_unacknowledged_message(seed) for seed in range(4)]
    assert sum(in_all) / len(in_all) <= 8 * SURBS_TOP_UP


def surbs_for_an_unacknowledged_message(seed: int) -> int:
    """How many SURBs top-ups bring within an hour."""
    world = World(seed)
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "hello")
    tap = Wiretap(world)
    tap.lost = (m.Acknowledge,)
    alice.send("bob", "unacknowledged")
    world.settle(HOUR_S)
    assert total(world.node.counters(), "surbs_doubted") <= 6 * SURBS_GIVEN_MAX // 2
    top_ups = [each.surbs or 0 for each in tap.sent if isinstance(message_of(each.data), m.TopUp)]
    assert given(bob) >= SURBS_REQUEST, "what is needed now: the account is past what is given in advance"
    tap.lost = ()
    world.sim.run_until(lambda: not world.node.store.mailbox.waiting("bob", 1), RETRY_MAX_S + HEARTBEAT_S + TICK_S)
    assert bob.texts() == ["hello", "unacknowledged"]
    world.check()
    return sum(top_ups)


def test_a_text_for_which_there_are_too_few_surbs_costs_none_of_those_that_there_are() -> None:
    """It has its turn without being sent, so nothing of it is lost; the short ones behind it come."""
    world = World(nym_clients=("alice",))
    alice, bob = world.client("alice"), world.client("bob")
    bob.send_and_wait("alice", "hello")
    (io,) = [actor for actor in alice.runtime.actors if isinstance(actor, ClientIO)]
    io._account.leave(ON_DEMAND_BELOW - 10 - io._account.alive())  # to where they are no use
    bob.send("alice", "long " * 10_000)
    world.settle(5 * MINUTE_S)
    assert total(world.node.counters(), "surbs_doubted") == 0
    bob.send_and_wait("alice", "short")
    assert alice.texts() == ["hello", "short"]
    world.check()


def test_long_texts_in_a_row_do_not_wait_for_heartbeats() -> None:
    """The node asked for SURBs at most once in ten seconds, and a second long text waited for the next heartbeat."""
    with World() as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "hello")
        began = world.sim.now()
        for number in range(3):
            alice.send_and_wait("bob", f"{number}".ljust(TEXT_BYTES_MAX, "x"))
        for each in [alice.send("bob", f"{number}".ljust(TEXT_BYTES_MAX, "y")) for number in range(3)]:
            alice.wait_for_state(each, DeliveryState.DELIVERED)
        assert world.sim.now() - began < 30
        assert len(bob.texts()) == 7
        world.check()


@pytest.mark.parametrize("size", [412, 460, 700])
def test_what_travels_with_a_message_fits_by_the_size_at_hand(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """A later version of Sphinx packets has another size of SURBs; more or fewer of them travel for nothing."""
    monkeypatch.setattr(InProcessTransport, "surb_bytes", size)
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    tap = Wiretap(world)
    for number in range(4):
        alice.send_and_wait("bob", f"{number}")
    world.settle(5 * MINUTE_S)
    carried = set()
    for sent in tap.sent:
        surbs = sent.surbs or 0
        if isinstance(message_of(sent.data), m.Acknowledge | m.Heartbeat) and surbs:
            packets = anonymous_packets(len(sent.data), surbs, size)
            assert surbs <= SURBS_REQUEST or packets == anonymous_packets(len(sent.data), 0)
            carried.add(surbs)
    assert carried
    assert bob.texts() == [f"{number}" for number in range(4)]
    world.check()
