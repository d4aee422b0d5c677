"""The account of SURBs that a client gave: nothing lets a node have more than the bound, and losses are survived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.hostile import HostileWorld, ScriptedNode
from usernym.actors.events import ConnectionChanged
from usernym.actors.messages import PayloadKind
from usernym.actors.mixnet_io.client import STARVED, STARVED_S
from usernym.actors.mixnet_io.held_surbs import HeldSurbs
from usernym.actors.mixnet_io.renewals import (
    OTHER_ADDRESS_AGAIN_S,
    OTHER_ADDRESS_AT_ONCE,
    SAME_ADDRESS_AT_ONCE,
)
from usernym.actors.mixnet_io.surb_account import (
    KEPT_AHEAD,
    KEPT_BEHIND,
    ON_DEMAND_BELOW,
    STARVED_AGAIN_S,
    UNDER_WAY_S,
    SurbAccount,
)
from usernym.actors.registration.login import BEATS_APART_S, LOGIN_PAUSES_S, LOGINS_MAX
from usernym.actors.simulation import Simulation
from usernym.mixnet.emulator.state import Faults
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.protocol.limits import HOUR_S, MINUTE_S, SURB_S, SURBS_GIVEN_MAX
from usernym.storage.client.given_surbs import GivenSurbs
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, DeliveryState, HandshakeState, HandshakeStep, Trust
from usernym.storage.errors import StoreFull
from usernym.testing.world import SimClient, World

ADDRESS = bytes(range(96))
NODE = bytes(96)


class MovedClock(Simulation):
    """A simulation with a wall clock that may be wrong."""

    error_s = 0

    def unix_s(self) -> int:
        return super().unix_s() + self.error_s


def begun(sim: Simulation, kept: GivenSurbs | None, address: bytes = ADDRESS) -> SurbAccount:
    """The account of a process that starts."""
    account = SurbAccount(sim, HeldSurbs(sim, lambda: NODE), kept)
    account.load()
    account.begin_at(address)
    return account


# -- the account by itself --

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("request"), st.integers(1, 4)),
        st.tuples(st.just("again"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["in advance", "on demand"]), st.integers(1, 300)),
        st.tuples(st.just("spent"), st.integers(1, 42)),
        st.tuples(st.just("hours"), st.integers(1, 30)),
        st.tuples(st.sampled_from(["killed", "ended", "clock"]), st.integers(1, 30)),
    ),
    max_size=60,
)


@examples(300)
@given(steps=STEPS)
def test_no_more_are_ever_alive_than_a_client_gives_whichever_the_node_spends(steps: list[tuple[str, int]]) -> None:
    """Neither another process of the client nor its wall clock helps the node."""
    sim, kept = MovedClock(0), ClientStore.open_plain().given_surbs
    account = begun(sim, kept)
    hoard: list[float] = []
    aged = any(step in {"hours", "clock"} for step, _ in steps)
    for step, number in steps:
        count = 0
        match step:
            case "killed":
                before = account.alive()
                account = begun(sim, kept)
                assert before <= account.alive()
                assert aged or account.alive() <= before + KEPT_AHEAD + KEPT_BEHIND
            case "ended":
                before = account.alive()
                account.close()
                account = begun(sim, kept)
                assert account.alive() == before
            case "clock":
                sim.error_s = (number - 15) * HOUR_S
            case "request":
                count = account.for_request(number)
            case "again":
                count = number if account.has_room_for(number) else 0
            case "in advance":
                count = account.in_advance(number)
            case "on demand":
                count = account.on_demand(number)
            case "spent" if len(hoard) >= number:
                del hoard[-number:]  # the newest: those that would live longest
                account.note_spent(number * 1604 - 3)
            case "hours":
                sim.run_for(number * HOUR_S)
        assert not count or account.leave(count)
        hoard = [born for born in hoard if born + SURB_S > sim.now()] + [sim.now()] * count
        assert len(hoard) <= min(account.alive(), SURBS_GIVEN_MAX)
        assert account.alive() <= SURBS_GIVEN_MAX + KEPT_AHEAD + KEPT_BEHIND


def test_what_left_another_address_leads_nowhere() -> None:
    sim, kept = Simulation(0), ClientStore.open_plain().given_surbs
    account = begun(sim, kept)
    account.leave(30)
    account.begin_at(bytes(96))
    assert account.alive() == 0
    account.leave(1)
    assert (begun(sim, kept).alive(), begun(sim, kept, bytes(96)).alive()) == (0, 1 + KEPT_AHEAD)


def test_what_is_kept_grows_old_by_the_clock_that_shows_less() -> None:
    """Also after the machine was off: its other clock has begun again."""
    sim, kept = MovedClock(0), ClientStore.open_plain().given_surbs
    sim.run_for(HOUR_S)
    account = begun(sim, kept)
    account.leave(20)
    account.close()
    rebooted = MovedClock(0)
    rebooted.error_s = SURB_S
    assert begun(rebooted, kept).alive() == 20, "an hour is left"
    rebooted.error_s = SURB_S + HOUR_S
    assert begun(rebooted, kept).alive() == 0


def test_nothing_leaves_that_is_not_on_the_disk_before() -> None:
    sim, store = Simulation(0), ClientStore.open_plain()
    account = begun(sim, store.given_surbs)
    with patch.object(store.given_surbs, "save", side_effect=StoreFull("no room")):
        assert not account.leave(1)
        assert account.alive() == 0
    assert account.leave(1)


def test_what_the_mixnet_client_gives_by_itself_joins_the_account() -> None:
    sim, out = Simulation(0), 0
    account = SurbAccount(sim, HeldSurbs(sim, lambda: NODE), None, lambda: out)
    account.begin_at(ADDRESS)
    account.leave(10)
    assert account.alive() == 10, "on its way to the mixnet client"
    out = 25
    assert account.alive() == 25
    account.note_spent(5 * 1604 - 3)
    out = 20
    assert account.alive() == 20
    account.leave(3)
    out = 18
    assert account.alive() == 20 + 3, "two came back over which a lost packet was sent again, or are not known yet"
    sim.run_for(UNDER_WAY_S)
    assert account.alive() == 18


def test_of_what_was_given_a_mixnet_client_that_comes_back_tells_what_it_has_the_keys_for() -> None:
    """All of it if it ended in order, nothing if it was killed: then a few deaths lock no one out."""
    sim, out = Simulation(0), 0
    account = SurbAccount(sim, HeldSurbs(sim, lambda: NODE), None, lambda: out)
    account.begin_at(ADDRESS)
    account.leave(30)
    out = 20
    account.begin_at(ADDRESS)
    assert account.alive() == 20
    out = 0
    account.begin_at(ADDRESS)
    assert account.alive() == 0


def test_what_is_asked_for_leaves_room_for_requests() -> None:
    account = begun(Simulation(0), None)
    account.leave(account.on_demand(255))
    assert account.alive() == ON_DEMAND_BELOW
    assert account.on_demand(1) == account.in_advance(1) == 0
    requests = 0
    while account.for_request(2):
        account.leave(account.for_request(2))
        requests += 1
    assert requests == SURBS_GIVEN_MAX - ON_DEMAND_BELOW, "one each"


@pytest.mark.seconds
def test_a_client_that_is_killed_beside_a_nym_client_uses_what_the_node_still_has() -> None:
    """Else a node would count on the few that each login brings, and ask for others until the account is full."""
    world = World(disks=True, nym_clients=("alice",))
    alice, bob = world.client("alice"), world.client("bob")
    for number in range(20):
        bob.send("alice", "long " * 3000)
        alice.send_and_wait("bob", f"{number}")
        world.sim.run_until(lambda number=number: len(alice.texts()) == number + 1, MINUTE_S)  # type: ignore[misc] # a default binds
        assert world.core.surbs_of(world.node.client_number, alice.client_number) <= SURBS_GIVEN_MAX
        alice.mixnet_lives = True
        alice.restart()
        alice.connect()
    world.check()


def test_a_full_disk_refuses_requests_until_there_is_room() -> None:
    world = World(disks=True)
    alice, _ = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "before")
    assert alice.disk is not None
    world.settle(5)
    alice.disk.set_full(True)
    world.settle(5 * MINUTE_S)
    alice.disk.set_full(False)
    alice.send_and_wait("bob", "after")


def test_a_node_whose_mixnet_client_asks_without_end_gets_nothing_more_from_usernym() -> None:
    """What a mixnet client gives by itself is seen, and a client that has one in memory takes another address."""
    world = World()
    alice = world.client("alice")
    first, core = alice.address, world.core
    asking: Any = core._clients[world.node.client_number]
    asking.surb_minimum = 200
    world.sim.run_until(lambda: core.surbs_of(world.node.client_number, alice.client_number) > SURBS_GIVEN_MAX, HOUR_S)
    world.settle(3 * MINUTE_S)
    assert alice.address != first


# -- against a node that hoards --


MINUTES = 15


def invented(number: int) -> m.Delivered:
    return m.Delivered(b"", 1, tuple(m.Receipt(number + at, bytes(16), bytes(16)) for at in range(32)))


def refuses_each_heartbeat(node: ScriptedNode) -> None:
    node.lies[m.Heartbeat] = lambda beat: [m.Refused(beat.request_id, Code.NOT_LOGGED_IN, 0)]


def is_always_out_of_surbs(node: ScriptedNode) -> None:
    node.lies[m.Heartbeat] = lambda beat: [m.Alive(beat.request_id, b"b" * 8, 0)]


def answers_nothing_but_logins(node: ScriptedNode) -> None:
    node.lies[m.Heartbeat] = node.lies[m.Lookup] = lambda _: []


def answers_nothing(node: ScriptedNode) -> None:
    for kind in (m.Heartbeat, m.Lookup, m.LoginAsk, m.LoginProof):
        node.lies[kind] = lambda _: []


def restarts_all_the_time(node: ScriptedNode) -> None:
    node.lies[m.Heartbeat] = lambda beat: [m.Alive(beat.request_id, node.world.sim.random_bytes(8), 200)]


HABITS = [
    refuses_each_heartbeat,
    is_always_out_of_surbs,
    answers_nothing_but_logins,
    answers_nothing,
    restarts_all_the_time,
]


def provoke(node: ScriptedNode, alice: SimClient, every_s: float) -> None:
    """Ask for SURBs and invent notices, as often as that; and have the user look names up."""
    number = 1

    def again() -> None:
        nonlocal number
        node.tell("alice", invented(number))
        node.tell("alice", m.SurbsWanted(b"", 1, 255))
        number += 32
        node.world.sim.call_later(every_s, again)

    again()


def fixed_address(client: SimClient) -> None:
    """As a client whose identity is on disk: it keeps its address."""
    transport: Any = client._transport
    transport.renew = lambda **_: False


@pytest.mark.seconds
@pytest.mark.parametrize("address", ["is renewed", "stays", "is agreed"])
@pytest.mark.parametrize("habit", HABITS)
def test_a_node_that_provokes_and_lies_sets_no_pace_and_never_has_more_than_the_bound(
    habit: Callable[[ScriptedNode], None], address: str
) -> None:
    world = HostileWorld(17)
    node, alice = world.scripted, world.client("alice")
    if address == "stays":
        fixed_address(alice)
    elif address == "is agreed":
        agree(alice)
    habit(node)
    provoke(node, alice, 2.0)
    addresses = {alice.address}
    for _ in range(MINUTES):
        before = len(node.requests)
        world.settle(MINUTE_S)
        asked = {kind: asked_anew(node, before, kind) for kind in (m.LoginAsk, m.LoginProof, m.Heartbeat)}
        assert max(asked[m.LoginAsk], asked[m.LoginProof]) <= LOGINS_MAX
        assert asked[m.Heartbeat] <= MINUTE_S / BEATS_APART_S + LOGINS_MAX
        addresses.add(alice.address)
        hoard = world.core.surbs_of(node_client(world), alice.client_number)
        assert hoard <= SURBS_GIVEN_MAX
    assert len(addresses) <= 2 + OTHER_ADDRESS_AT_ONCE + MINUTES * MINUTE_S // OTHER_ADDRESS_AGAIN_S
    assert address == "is renewed" or len(addresses) == 1
    world.check()


def starve(node: ScriptedNode, alice: SimClient) -> bool:
    """Ask for more than alice may give, and fall silent. Whether she has another address before her next heartbeat."""
    world, before = node.world, alice.address
    beats = len(node.requests)
    world.sim.run_until(lambda: bool(asked_anew(node, beats, m.Heartbeat)), 3 * MINUTE_S)
    for _ in range(2):
        node.tell("alice", m.SurbsWanted(b"", 1, 255))
        world.settle(1)
    world.settle(int(STARVED_S) + 2)
    return alice.address != before


def test_who_can_give_nothing_more_takes_another_address_at_once_and_not_for_ever() -> None:
    """The node, which has no SURBs, sends nothing that could remind the client."""
    world = HostileWorld(17)
    node, alice = world.scripted, world.client("alice")
    assert [starve(node, alice) for _ in range(OTHER_ADDRESS_AT_ONCE + 1)] == [True] * OTHER_ADDRESS_AT_ONCE + [False]
    before = alice.address
    world.settle(int(OTHER_ADDRESS_AGAIN_S))
    assert alice.address != before


def agree(client: SimClient, handshake: HandshakeState = HandshakeState.ACTIVE, address: bytes | None = None) -> None:
    """A contact was given an address of the client's: the one that it has, or this one."""
    client.world.settle(MINUTE_S)
    client.store.contacts.add("bob", bytes(32), b"a record", Trust.CONFIRMED, Consent.ACCEPTED)
    client.store.contacts.set_handshake("bob", handshake, None)
    given = address or client.address
    assert given is not None
    step = HandshakeStep.body(given, 0)
    client.store.messages.add_outgoing(
        "bob", message_id=bytes(16), token=bytes(16), kind=PayloadKind.HANDSHAKE_OFFER, body=step, now=0
    )
    client.store.database.run("DELETE FROM outbox")  # it has been delivered


@pytest.mark.parametrize("this_address", [True, False])
@pytest.mark.parametrize("restarts", [True, False])
@pytest.mark.parametrize("handshake", HandshakeState)
def test_a_client_keeps_the_address_that_a_contact_was_given(
    handshake: HandshakeState, restarts: bool, this_address: bool
) -> None:
    """Also while the contact has not used it yet; one that was given before a former renewal binds nothing."""
    world = HostileWorld(17)
    node, alice = world.scripted, world.client("alice")
    agree(alice, handshake, None if this_address else ADDRESS)
    if restarts:
        alice.restart()
        alice.connect()
        world.settle(MINUTE_S)
    keeps = this_address and handshake in (HandshakeState.OFFERED, HandshakeState.ACTIVE)
    assert starve(node, alice) is not keeps


def test_a_client_that_keeps_its_address_gets_rid_of_what_it_gave_twice_and_then_four_times_a_day() -> None:
    world = HostileWorld(17)
    node, alice = world.scripted, world.client("alice")
    agree(alice)
    address = alice.address
    renewals = []
    for _ in range(SAME_ADDRESS_AT_ONCE + 1):
        alice.events.clear()
        starve(node, alice)
        renewals.append(any(isinstance(event, ConnectionChanged) and not event.online for event in alice.events))
        assert world.core.surbs_of(node_client(world), alice.client_number) <= SURBS_GIVEN_MAX
    assert renewals == [True] * SAME_ADDRESS_AT_ONCE + [False]
    assert alice.address == address


@pytest.mark.seconds
def test_a_client_that_is_killed_while_its_nym_client_lives_on_keeps_its_account() -> None:
    """Each process of it would give as much as the first, to a node that always asks."""
    world = HostileWorld(17)
    world.nym_clients = ("alice",)
    node, alice = world.scripted, world.client("alice")
    is_always_out_of_surbs(node)
    provoke(node, alice, 2.0)
    most = 0
    for _ in range(MINUTES):
        world.settle(MINUTE_S)
        hoard = world.core.surbs_of(node_client(world), alice.client_number, on_request=False)
        most = max(most, hoard)
        assert hoard <= SURBS_GIVEN_MAX
        alice.mixnet_lives = True
        alice.restart()
        alice.connect()
    assert most > SURBS_GIVEN_MAX // 2, "it has many"


def asked_anew(node: ScriptedNode, before: int, kind: type[Any]) -> int:
    """Requests of a kind that came since, repetitions left out."""
    return len({request.request_id for request in node.requests[before:] if isinstance(request, kind)})


def node_client(world: HostileWorld) -> int:
    number = world.core.client_at(world.scripted.transport.address)
    assert number is not None
    return number


# -- losses --


def storm(world: World, hours: float) -> None:
    """Nothing arrives for a while."""
    world.mixnet.faults = Faults(silent_loss=1.0)
    world.sim.run_for(hours * HOUR_S)
    world.mixnet.faults = Faults()


def test_after_a_lossy_time_beside_a_nym_client_texts_arrive_again_and_the_log_says_what_to_do(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was lost stays on the account: the last of its room is for what the node has needed for long."""
    world = World(nym_clients=("alice",))
    alice, bob = world.client("alice"), world.client("bob")
    world.mixnet.faults = Faults(loss=0.4)
    while alice.surbs_kept() < ON_DEMAND_BELOW or STARVED not in caplog.text:
        bob.send("alice", "under way")
        world.sim.run_for(1.0)
    world.sim.run_for(10 * MINUTE_S)
    world.mixnet.faults = Faults()
    after = "after" * 3000
    bob.send("alice", after)
    world.sim.run_until(lambda: alice.texts()[-1] == after, STARVED_AGAIN_S + 5 * MINUTE_S)
    world.check()


@pytest.mark.seconds
def test_an_ephemeral_client_is_back_soon_after_a_storm_of_a_day() -> None:
    world = World(1)  # in which its login is due soon then: there are two an hour
    alice, bob = world.client("alice"), world.client("bob")
    alice.send_and_wait("bob", "before")
    storm(world, 24)
    message_id = alice.send("bob", "after")
    world.sim.run_until(lambda: bob.texts()[-1:] == ["after"], 15 * MINUTE_S)
    alice.wait_for_state(message_id, DeliveryState.DELIVERED)
    world.check()


@pytest.mark.seconds
@pytest.mark.parametrize("hours", [1, 4, 12, *(pytest.param(hours, marks=pytest.mark.seconds) for hours in (24, 48))])
def test_a_client_that_keeps_its_address_is_back_within_its_longest_pause(hours: int) -> None:
    world = World()
    alice, bob = world.client("alice"), world.client("bob")
    for client in (alice, bob):
        fixed_address(client)
    for number in range(30):
        alice.send_and_wait("bob", f"before {number}")
    storm(world, hours)
    alice.send("bob", "after")
    world.sim.run_until(lambda: bob.texts()[-1:] == ["after"], 1.25 * LOGIN_PAUSES_S[-1] + 5 * MINUTE_S)
    world.check()
