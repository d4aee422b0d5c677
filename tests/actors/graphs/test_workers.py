"""A node of three workers on one database: whichever of them a user's client asks, it is one node."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from tests.helpers.hostile import RawClient, Wiretap
from tests.helpers.record_publisher import RecordPublisher
from usernym.actors import messages as msg
from usernym.actors.events import ConnectionChanged
from usernym.actors.forwarding.node import NOTICE_DELAY_S, POLL_S, ForwardingNode
from usernym.actors.forwarding.shares import LIMITS
from usernym.actors.mixnet_io.client import ClientIO
from usernym.actors.mixnet_io.node_addresses import NodeAddresses
from usernym.actors.registration.members import BEAT_S, DEAD_S
from usernym.actors.registration.node_card import ADDED_AGAIN_S
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.protocol.limits import ACCEPTANCE_WINDOW_S, DAY_S
from usernym.protocol.records import decode_record
from usernym.protocol.signing import SigningKey
from usernym.storage.client.types import DeliveryState, IdentityState
from usernym.storage.errors import StoreUnreachable
from usernym.storage.node.mailbox import Mailbox
from usernym.testing.world import SimClient, SimNode, World

SEEDS = range(4)
HOP_S = 1.0
"""More than a message takes from one user to another where all is well."""


def addresses(client: SimClient) -> NodeAddresses:
    (io,) = [actor for actor in client.runtime.actors if isinstance(actor, ClientIO)]
    return io._to.own


def worker_of(client: SimClient) -> SimNode:
    """Where the client's requests go."""
    return next(worker for worker in client.world.workers if worker.address == addresses(client).address)


def apart(seed: int) -> tuple[World, SimClient, SimClient]:
    """Two users, at two workers."""
    world = World(seed, workers=3)
    alice = world.client("alice")
    for name in ("bob", "carol", "dave", "erin", "frank"):
        bob = world.client(name)
        if worker_of(bob) is not worker_of(alice):
            alice.send_and_wait(name, "hello")
            world.settle(120)
            return world, alice, bob
    raise AssertionError("all at one worker: one in three hundred times")


def forwarding(worker: SimNode) -> Any:
    return next(actor for actor in worker.runtime.actors if isinstance(actor, ForwardingNode))


def routes(worker: SimNode) -> set[str]:
    return set(forwarding(worker)._routes._routes)


def living(world: World) -> set[bytes]:
    return {worker.address for worker in world.workers if worker.running and worker.address is not None}


def online(client: SimClient) -> bool:
    return client.of_kind(ConnectionChanged)[-1].online


# -- one node ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_text_and_its_receipt_pass_between_workers_at_once(seed: int) -> None:
    world, alice, bob = apart(seed)
    message_id = alice.send(bob.name, "from worker to worker")
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 2 * HOP_S)
    assert bob.texts()[-1] == "from worker to worker"
    world.check()


def test_a_hint_is_not_lost_by_reports_that_can_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    world, alice, bob = apart(0)

    def fail(_limit: int) -> list[Any]:
        raise StoreUnreachable("planted")

    monkeypatch.setattr(worker_of(bob).store.workers, "reported", fail)
    assert world.server is not None
    world.server.loses_hints = True
    for number in range(3):
        alice.send(bob.name, f"text {number}")
        world.sim.run_for(POLL_S + HOP_S + 1)
    assert bob.texts("alice")[-3:] == [f"text {number}" for number in range(3)]


@pytest.mark.parametrize("seed", SEEDS)
def test_where_hints_are_lost_a_text_waits_for_the_poll(seed: int) -> None:
    world, alice, bob = apart(seed)
    assert world.server is not None
    world.server.loses_hints = True
    message_id = alice.send(bob.name, "polled")
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 2 * (HOP_S + POLL_S))
    world.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_text_whose_hint_was_there_already_and_is_taken_before_its_commit_comes_soon(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, alice, bob = apart(seed)
    tap = Wiretap(world)
    tap.lost = (m.Acknowledge,)  # each would bring what waits
    alice.send(bob.name, "with a hint")
    world.sim.run_until(lambda: "with a hint" in bob.texts("alice"))
    monkeypatch.setattr(worker_of(alice).store.workers, "hint", lambda _names: None)
    alice.send_and_wait(bob.name, "too late for it", DeliveryState.ACCEPTED)
    world.sim.run_for(NOTICE_DELAY_S + HOP_S)
    assert bob.texts("alice")[-1] == "too late for it"


def test_everyone_sees_one_directory() -> None:
    world, alice, bob = apart(5)
    assert alice.look_up(bob.name).identity_key == bob.user.key.public
    assert len({worker.card.node for worker in world.workers}) == 1
    assert len({worker.card for worker in world.workers}) == 1
    assert {*world.node.card.addresses} == living(world)


def test_a_handshake_passes_between_workers() -> None:
    world, alice, bob = apart(6)
    alice.offer(bob.name)
    world.settle(30)
    bob.accept("alice")
    world.settle(30)
    alice.send_and_wait(bob.name, "directly")
    world.check()


@pytest.mark.seconds
def test_who_answers_is_known_at_every_worker() -> None:
    """A sender whose texts are acknowledged at another worker may write as many as at a node of one process."""
    world, alice, bob = apart(7)
    for number in range(3 * LIMITS.newcomer.messages):
        alice.send_and_wait(bob.name, str(number))
    assert len(bob.texts("alice")) == 3 * LIMITS.newcomer.messages + 1
    world.check()


# -- workers come and go ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_worker_that_is_killed_leaves_its_users_to_the_others(seed: int) -> None:
    world, alice, bob = apart(seed)
    worker_of(bob).kill()
    waits = alice.send(bob.name, "while nobody serves him")
    began = world.sim.now()
    bob.send_and_wait("alice", "he is active")
    alice.wait_for_state(waits, DeliveryState.DELIVERED, 60)
    assert world.sim.now() - began < 30
    assert online(bob)
    world.check()


@pytest.mark.seconds
def test_a_dead_worker_leaves_the_card_and_comes_back() -> None:
    world, alice, bob = apart(1)
    dead = worker_of(bob)
    address = dead.address
    dead.kill()
    world.sim.run_for(DEAD_S + 3 * BEAT_S)
    others = [worker for worker in world.workers if worker is not dead]
    assert all({*worker.card.addresses} == living(world) for worker in others)
    assert address not in others[0].card.addresses
    dead.start_and_wait()
    world.sim.run_for(ADDED_AGAIN_S + 2 * BEAT_S)
    assert all({*worker.card.addresses} == living(world) for worker in world.workers)
    world.sim.run_for(180)
    assert {*addresses(alice).order} == living(world), "users have the newest card"
    world.check()


@pytest.mark.seconds
def test_a_worker_that_restarts_soon_costs_no_card() -> None:
    world, alice, _ = apart(2)
    before = world.node.card
    worker_of(alice).restart()
    world.sim.run_for(600)
    assert {worker.card for worker in world.workers} == {before}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_worker_that_slept_past_its_death_does_no_harm(seed: int) -> None:
    world, alice, bob = apart(seed)
    asleep = worker_of(bob)
    number = asleep.store.workers.number
    alice.send(bob.name, "before it sleeps")
    asleep.runtime.sleep(DEAD_S + 4 * BEAT_S)
    world.sim.run_for(1)
    for place in range(3):
        alice.send(bob.name, f"while it sleeps {place}")
        bob.send("alice", f"from elsewhere {place}")
        world.sim.run_for(40)
    assert worker_of(bob) is not asleep
    world.sim.run_for(DEAD_S + 4 * BEAT_S)
    assert asleep.store.workers.number != number, "it has joined again"
    assert bob.name not in routes(asleep) or worker_of(bob) is asleep
    last = alice.send(bob.name, "after it woke")
    alice.wait_for_state(last, DeliveryState.DELIVERED, 5)
    texts = bob.texts("alice")
    assert texts[1:] == ["before it sleeps", *(f"while it sleeps {place}" for place in range(3)), "after it woke"]
    world.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_drained_workers_users_are_elsewhere_before_it_ends(seed: int) -> None:
    world, alice, bob = apart(seed)
    drained = worker_of(bob)
    drained.graph.registration.tell(msg.Drain())
    world.sim.run_until(lambda: not routes(drained), 30)
    assert drained.address not in drained.card.addresses
    assert worker_of(bob) is not drained
    world.sim.run_until(lambda: online(bob), 10)
    message_id = alice.send(bob.name, "it goes on")
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 5)
    drained.kill()
    world.sim.run_for(BEAT_S + 1)
    assert all(drained.address not in worker.card.addresses for worker in world.workers)
    newcomer = world.client("grace")
    newcomer.send_and_wait("alice", "hi")
    world.check()


def test_an_identity_that_came_second_ends_no_route(monkeypatch: pytest.MonkeyPatch) -> None:
    world, alice, bob = apart(0)
    store = worker_of(bob).store
    before = store.workers.held([bob.name])
    # Whatever the name has when the record is looked at, another worker has taken one since.
    monkeypatch.setattr(type(store.directory), "replace_record", lambda *_, **__: False)
    account = store.directory.account(bob.name)
    assert account is not None
    key = SigningKey.from_seed(b"s" * 32)
    first = decode_record(account.record).stub()
    answer, _ = RecordPublisher(world).publish(bob.name, first, key, bob.user.key)
    assert isinstance(answer, m.Refused)
    assert Code(answer.code) is Code.RECORD_STALE
    assert store.workers.held([bob.name]) == before
    alice.send_and_wait(bob.name, "still there")


def test_a_key_that_a_recovery_replaced_meanwhile_deletes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with World(3, workers=3) as world:
        mallory = RawClient(world)
        assert isinstance(mallory.register(), m.Registered)
        store, lock = world.node.store, Mailbox.lock

        def after_another_workers_commit(self: Mailbox, names: Iterable[str]) -> None:
            self._db.run("UPDATE account SET identity_key = ? WHERE name = 'mallory'", (b"r" * 32,))
            lock(self, names)

        monkeypatch.setattr(Mailbox, "lock", after_another_workers_commit)
        answer = mallory.ask(m.Delete(mallory.new_id(), 2, "mallory", world.sim.unix_s()))
        assert Code(answer.code) is Code.SIGNATURE_INVALID
        account = store.directory.account("mallory")
        assert account is not None
        assert account.deleted_until is None


def test_the_last_worker_serves_until_it_ends() -> None:
    world, alice, bob = apart(3)
    for worker in world.workers:
        if worker is not worker_of(alice):
            worker.kill()
    last = worker_of(alice)
    world.sim.run_for(DEAD_S + 3 * BEAT_S)
    last.graph.registration.tell(msg.Drain())
    world.sim.run_for(5)
    bob.restart()
    bob.go_online()
    alice.send_and_wait(bob.name, "the last one")
    assert bob.texts("alice")[-1] == "the last one"
    assert set(last.card.addresses) == {last.address}
    world.check()


# -- the database -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [False, True])
def test_a_drain_that_could_not_be_stored_is_tried_again(gone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    world, alice, bob = apart(0)
    drained = worker_of(bob)
    workers = drained.store.workers
    if gone:  # the others took it for dead while it slept
        drained.store.database.run("DELETE FROM worker WHERE number = ?", (workers.number,))
    else:
        store_drain = workers.drain

        def fail_once() -> None:
            monkeypatch.setattr(workers, "drain", store_drain)
            raise StoreUnreachable("planted")

        monkeypatch.setattr(workers, "drain", fail_once)
    drained.graph.registration.tell(msg.Drain())
    world.sim.run_until(lambda: not routes(drained) and drained.address not in drained.card.addresses, 30)
    assert "bugs" not in drained.counters()["registration"]
    drained.kill()
    alice.send_and_wait(bob.name, "at another one")
    world.check()


@pytest.mark.parametrize("seed", SEEDS)
def test_while_the_database_is_away_texts_wait(seed: int) -> None:
    world, alice, bob = apart(seed)
    for worker in world.workers:
        assert worker.disk is not None
        worker.disk.set_full(True)
    message_id = alice.send(bob.name, "no database")
    world.sim.run_for(30)
    assert DeliveryState.ACCEPTED not in alice.states(message_id)
    for worker in world.workers:
        assert worker.disk is not None
        worker.disk.heal()
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 120)
    world.check()


@pytest.mark.parametrize("seed", range(12))
def test_a_connection_that_is_lost_at_a_commit_loses_and_repeats_nothing(seed: int) -> None:
    world, alice, bob = apart(seed)
    for number in range(6):
        for worker in world.workers:
            assert worker.disk is not None
            worker.disk.fail(1)
        alice.send_and_wait(bob.name, str(number))
    assert bob.texts("alice")[1:] == [str(number) for number in range(6)]
    world.check()


@pytest.mark.seconds
def test_a_worker_whose_clock_is_behind_accepts_nothing_that_another_one_forgot() -> None:
    world, alice, bob = apart(4)
    world.sim.run_for(900)  # clocks that run evenly are trusted with deletions
    ahead = next(worker for worker in world.workers if worker is not worker_of(alice))
    ahead.runtime.clock_error_s = DAY_S
    world.sim.run_for(1_200)
    floor = ahead.store.profile.clock_floor()
    assert floor > world.sim.unix_s() + ACCEPTANCE_WINDOW_S, "it has deleted by its clock"
    here = worker_of(alice)
    clock = forwarding(here)._clock
    assert clock.now() < floor
    message_id = alice.send(bob.name, "by the right clock")
    world.sim.run_for(1)
    assert clock.now() >= floor
    assert DeliveryState.ACCEPTED not in alice.states(message_id), "it was made too long ago, by that clock"
    # The client follows the node's clock from then on.
    alice.wait_for_state(message_id, DeliveryState.DELIVERED, 600)
    world.check()


# -- identities -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_an_identity_that_is_replaced_at_one_worker_has_no_route_at_another(seed: int) -> None:
    world, alice, bob = apart(seed)
    there = worker_of(bob)
    assert bob.name in routes(there)
    other = next(worker for worker in world.workers if worker is not there).store
    other.commit(lambda: other.workers.close_route(bob.name))
    world.sim.run_for(POLL_S + 0.5)
    assert bob.name not in routes(there)
    assert bob.store.profile.identity().state is IdentityState.REGISTERED
    alice.send_and_wait(bob.name, "he logs in again")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_second_login_at_a_worker_is_served_while_something_is_unacknowledged(seed: int) -> None:
    world, alice, bob = apart(seed)
    there = worker_of(bob)
    with world:
        bob.kill()
        alice.send(bob.name, "on its way")
        world.settle(3 * HOP_S)
        assert forwarding(there)._routes.get(bob.name).sent_at, "it was sent, to no one"
        bob.start()
        bob.go_online()
        world.settle(3 * HOP_S)
        assert worker_of(bob) is there
        alice.send(bob.name, "after it")
        world.settle(3 * HOP_S)
        assert "after it" in bob.texts("alice")
        world.check()
