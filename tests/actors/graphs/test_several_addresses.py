"""A card with several addresses: clients spread over them, leave a silent one, and come back."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from tests.helpers.hostile import Wiretap, message_of
from usernym.actors import messages as msg
from usernym.actors.events import ConnectionChanged
from usernym.actors.failures import NodeSilent
from usernym.actors.mixnet_io import node_addresses as na
from usernym.actors.mixnet_io.client import ClientIO
from usernym.protocol import messages as m
from usernym.protocol.limits import DAY_S, SURBS_GIVEN_MAX
from usernym.storage.client.types import DeliveryState
from usernym.testing.world import SimClient, World, at_all_addresses

SEVERAL = range(6)


def state_of(client: SimClient) -> na.NodeAddresses:
    """Which addresses the client's I/O knows."""
    (io,) = [actor for actor in client.runtime.actors if isinstance(actor, ClientIO)]
    return io._to.own


@pytest.mark.parametrize("seed", SEVERAL)
@pytest.mark.parametrize("others", [1, 3, 7])
def test_the_story_with_one_living_address_among_silent_ones(seed: int, others: int) -> None:
    world = World(seed, other_addresses=others)
    assert len(world.node.card.addresses) == others + 1
    alice, bob = world.client("alice", register=False, online=False), world.client("bob", register=False, online=False)
    for client in (alice, bob):
        client.register()
        client.go_online()
        assert state_of(client).address == world.node.address
    alice.send_and_wait("bob", "hello")
    bob.send_and_wait("alice", "and back")
    alice.offer("bob")
    world.settle(30)
    bob.accept("alice")
    world.settle(30)
    alice.send_and_wait("bob", "directly")
    for client in (alice, bob):
        client.restart()
        client.go_online()
    alice.send_and_wait("bob", "once more")
    assert bob.texts() == ["hello", "directly", "once more"]
    assert alice.texts() == ["and back"]
    world.check()


@pytest.mark.parametrize("seed", SEVERAL)
def test_a_client_leaves_the_address_that_falls_silent_and_comes_back(seed: int) -> None:
    world = World(seed, other_addresses=2, node_transport=at_all_addresses)
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "before")
    world.settle(100)
    home = state_of(alice).address
    assert home == state_of(alice).order[0]
    world.silence(home)
    began = world.sim.now()
    message_id = alice.send("bob", "from elsewhere")
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 60)
    assert state_of(alice).address != home
    world.sim.run_until(lambda: alice.of_kind(ConnectionChanged)[-1].online, 5)
    assert world.sim.now() - began < 30
    world.silence()
    world.sim.run_for(na.HOME_AFTER_S + 120)
    assert state_of(alice).address == home
    assert alice.of_kind(ConnectionChanged)[-1].online
    alice.send_and_wait("bob", "home again")
    assert bob.texts() == ["before", "from elsewhere", "home again"]
    assert alice.counters()["io"]["addresses_changed"] == 2
    world.check()


@pytest.mark.parametrize("seed", SEVERAL)
def test_a_reader_who_says_nothing_is_reachable_after_one_heartbeat(seed: int) -> None:
    world = World(seed, other_addresses=2, node_transport=at_all_addresses)
    alice, bob = world.client("alice"), world.client("bob")
    bob.send_and_wait("alice", "before")
    world.settle(100)
    if (silent := state_of(alice).address) == state_of(bob).address:
        bob.kill()
        world.silence(silent)
        bob.restart()
        bob.go_online()
    world.silence(silent)
    message_id = bob.send("alice", "found")
    bob.wait_for_state(message_id, DeliveryState.DELIVERED, 120)
    assert state_of(alice).address != silent
    world.check()


@pytest.mark.parametrize("step", [m.RegisterProof, m.LoginProof])
@pytest.mark.parametrize("seed", SEVERAL)
def test_a_challenge_is_answered_where_it_came_from_or_another_one_is_asked_for(
    seed: int, step: type[m.Request]
) -> None:
    """The address falls silent between the two steps."""
    world = World(seed, other_addresses=2, node_transport=at_all_addresses)
    alice = world.client("alice", register=step is m.LoginProof, online=False)
    tap = Wiretap(world)
    asked = {m.RegisterProof: m.RegisterAsk, m.LoginProof: m.LoginAsk}[step]
    done = alice.begin(alice.graph.registration, msg.Register if step is m.RegisterProof else msg.GoOnline)
    world.sim.run_until(lambda: any(isinstance(message_of(data), m.Challenge) for _, _, data in tap.replies))
    (first,) = {one.recipient for one in tap.sent if isinstance(message_of(one.data), asked)}
    world.silence(first)
    world.sim.run_until(done.done, 60)
    done.result()
    made: dict[bytes, bytes] = {}
    asks = [one for one in tap.sent if isinstance(message_of(one.data), asked)]
    proofs = [one for one in tap.sent if isinstance(message_of(one.data), step)]
    for _, _, data in tap.replies:
        if isinstance(challenge := message_of(data), m.Challenge):
            made[challenge.nonce] = next(
                one.recipient for one in asks if message_of(one.data).request_id == challenge.request_id
            )
    assert {one.recipient for one in proofs} == {first, *{made[message_of(one.data).nonce] for one in proofs}}
    assert all(made[message_of(one.data).nonce] == one.recipient for one in proofs)
    assert len({one.recipient for one in proofs}) == 2
    world.check()


@pytest.mark.seconds
@pytest.mark.parametrize("living", [True, False])
def test_the_account_of_surbs_holds_over_all_addresses_for_a_day(living: bool) -> None:
    """With the first address silent, and with all of them: looks, logins and heartbeats stay within one account."""
    world = World(3, other_addresses=7, node_transport=at_all_addresses)
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "before")
    bob.kill()
    world.silence(*(state_of(alice).order[:1] if living else state_of(alice).order))
    (io,) = [actor for actor in alice.runtime.actors if isinstance(actor, ClientIO)]
    highest = 0
    for _ in range(24 * 12):
        world.sim.run_for(300)
        highest = max(highest, io._account.alive())
    assert highest <= SURBS_GIVEN_MAX
    world.silence()
    world.sim.run_for(8 * 1800)
    bob.start()
    bob.go_online()
    assert alice.of_kind(ConnectionChanged)[-1].online
    bob.send_and_wait("alice", "still there")
    assert world.sim.now() >= DAY_S
    world.check()


@pytest.mark.seconds
def test_users_spread_over_the_addresses_and_show_no_choice_before_a_login() -> None:
    world = World(0, other_addresses=3, node_transport=at_all_addresses)
    people = [world.client(f"user{number:02}") for number in range(24)]
    used = [state_of(person).address for person in people]
    assert set(used) == set(world.node.card.addresses)
    for person in people:
        person.restart()
        person.go_online()
    assert [state_of(person).address for person in people] == used, "the same user comes to the same address"
    tap = Wiretap(world)
    for _ in range(12):
        people[0].restart()
        people[0].look_up("user01")
    looked = {one.recipient for one in tap.sent if isinstance(message_of(one.data), m.Lookup)}
    assert len(looked) > 1, "without a login, another one each time"
    world.check()


def test_a_request_is_given_up_when_it_was_asked_at_every_address_and_costs_few_surbs() -> None:
    world = World(1, other_addresses=7, node_transport=at_all_addresses)
    alice = world.client("alice")
    order = state_of(alice).order
    world.silence(*order)
    tap = Wiretap(world)
    lookup: Future[None] = alice.begin(alice.graph.lookup, lambda answer: msg.FindContact("nobody_here", answer))
    world.sim.run_until(lookup.done, 60)
    with pytest.raises(NodeSilent):
        lookup.result()
    asked = [one for one in tap.sent if isinstance(message_of(one.data), m.Lookup)]
    assert [one.recipient for one in asked] == [order[0]] * 3 + list(order[1:])
    assert [one.surbs for one in asked] == [3] * 3 + [1] * 7
    world.check()


@pytest.mark.parametrize("seed", SEVERAL)
def test_silent_texts_and_heartbeats_do_not_make_the_whole_node_silent(seed: int) -> None:
    """A lookup that begins while the first address is being left is answered at the third."""
    world = World(seed, other_addresses=3, node_transport=at_all_addresses)
    alice, _ = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "before")
    world.silence(*state_of(alice).order[:2])
    for number in range(3):
        alice.send("bob", f"text {number}")
        world.sim.run_for(1)
    home = state_of(alice).address
    world.sim.run_until(lambda: state_of(alice).address != home, 30)
    alice.do(alice.graph.lookup, lambda answer: msg.FindContact("bob", answer), 12)
    world.check()


@pytest.mark.parametrize("seed", SEVERAL)
def test_surbs_that_went_to_one_address_are_claimed_at_no_other(seed: int) -> None:
    """Of a user whose Nym client lives on: another process continues its account, not what the node has of it."""
    world = World(seed, other_addresses=1, node_transport=at_all_addresses, nym_clients=["alice"])
    alice, bob = world.client("alice"), world.client("bob")
    for number in range(4):
        bob.send_and_wait("alice", f"before {number}")
    home = state_of(alice).address
    alice.mixnet_lives = True
    alice.kill()
    world.silence(home)
    tap = Wiretap(world)
    alice.start()
    alice.go_online()
    bob.send_and_wait("alice", "after")
    for one in tap.sent:
        if one.recipient != home and isinstance(top_up := message_of(one.data), m.TopUp):
            assert top_up.surbs == one.surbs
    world.check()


@pytest.mark.parametrize("seed", SEVERAL)
def test_a_node_that_restarts_and_gets_another_card_keeps_its_users_where_they_are(seed: int) -> None:
    world = World(seed, other_addresses=2, node_transport=at_all_addresses)
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "before")
    used, own = state_of(alice).address, world.node.address
    world.other_addresses = tuple(address for address in world.other_addresses if address == used)
    first = world.node.card
    world.node.restart()
    assert world.node.card.sequence > first.sequence
    assert set(world.node.card.addresses) == {own, *world.other_addresses}
    world.settle(300)
    assert state_of(alice).address == used
    assert set(state_of(alice).order) == set(state_of(bob).order) == set(world.node.card.addresses)
    alice.send_and_wait("bob", "after")
    assert bob.texts() == ["before", "after"]
    world.check()
