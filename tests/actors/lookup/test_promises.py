"""Promises of names that no epoch has yet, in simulated worlds: what they cost, how they are checked, who is caught."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.actors.lookup.test_proved_lookups import client_of, cost, now_in, settled
from tests.helpers.hostile import RawClient, Wiretap, message_of
from usernym.actors.events import DirectoryChanged, NodeCaught
from usernym.actors.failures import NodeRefused
from usernym.actors.lookup.node import LookupNode
from usernym.actors.lookup.promises import AGAIN_MAX_S, AGAIN_MIN_S, CHECK_MAX_S, CHECK_MIN_S, LOOK_MAX_S
from usernym.protocol import messages as m
from usernym.protocol.directory.proofs import ChainEnd
from usernym.protocol.errors import Code
from usernym.protocol.evidence import Fault, decode_evidence
from usernym.protocol.limits import DAY_S, EPOCH_S, HOUR_S, PROMISE_S
from usernym.protocol.promises import said_in
from usernym.storage.client.promises import CHECKS_MAX
from usernym.storage.client.types import Consent, InDirectory
from usernym.testing.tap import Heard
from usernym.testing.world import SimClient, World
from usernym.views import contact_view

CHECKED_S = PROMISE_S + CHECK_MAX_S + LOOK_MAX_S + 60
"""After so long every promise has been checked once."""


def asked(world: World, name: str) -> list[float]:
    """When others than its owner look the name up from now on."""
    times: list[float] = []

    def hear(heard: Heard) -> None:
        message = message_of(heard.data) if heard.what == "sent" else None
        if isinstance(message, m.Lookup) and message.name == name != heard.who:
            times.append(heard.at)

    world.mixnet.listeners.append(hear)
    return times


def much_later(world: World, seconds: float) -> None:
    """Let all clocks be later, and wait for the next look at what is due."""
    world.sim.clock_error_s += int(seconds)
    world.settle(LOOK_MAX_S + 60)


def lying(monkeypatch: pytest.MonkeyPatch, lie: Callable[[Any, Any], Any]) -> None:
    """Let the node say what `lie` makes of a request and its answer with proof, or with a promise."""
    honest = LookupNode._shown

    def shown(self: LookupNode, request: Any, account: Any) -> Any:
        return lie(request, honest(self, request, account))

    monkeypatch.setattr(LookupNode, "_shown", shown)


def shown(client: SimClient, name: str) -> InDirectory:
    """What the user reads."""
    return contact_view(client.contact(name), client.store.promises.open_ones(), client.user).directory


def kept(client: SimClient, name: str) -> m.Promised | None:
    found = client.store.promises.of(name)
    said = None if found is None else said_in(found.frame)
    return said if isinstance(said, m.Promised) else None


@pytest.mark.seconds
def test_a_young_name_is_promised_and_shown_later_without_anyones_asking() -> None:
    with settled("alice") as world:
        alice, bob, tap = client_of(world, "alice"), world.client("bob"), Wiretap(world)
        since, times = now_in(tap), asked(world, "bob")
        contact = alice.look_up("bob")
        assert cost(tap, since) == (1, 1, [m.Promised])
        assert (contact.log_size, contact.identity_key) == (None, bob.user.key.public)
        assert shown(alice, "bob") is InDirectory.PROMISED
        promise = kept(alice, "bob")
        assert promise is not None
        assert (promise.chain, promise.size) == (ChainEnd(1, bytes(32), 1), world.node.store.log.size())
        assert 0 <= world.sim.unix_s() + PROMISE_S - promise.due <= 3
        due, since = world.sim.now() + PROMISE_S, now_in(tap)
        world.settle(CHECKED_S)
        assert cost(tap, since, alice) == (1, 2, [m.Proved])
        assert due + CHECK_MIN_S <= times[-1] <= due + CHECK_MAX_S + LOOK_MAX_S + 1
        assert shown(alice, "bob") is InDirectory.SHOWN
        assert alice.of_kind(DirectoryChanged) == [DirectoryChanged("bob", InDirectory.SHOWN)]
        assert kept(alice, "bob") is None
        assert alice.counters()["lookup"]["promises_kept"] == 1
        much_later(world, DAY_S)
        assert len(times) == 2, "nothing is asked for that is settled"
        world.check()


@pytest.mark.seconds
def test_the_time_of_a_check_is_another_one_each_time() -> None:
    """A node can't know a client by when it checks."""
    waits = []
    for seed in range(8):
        with settled("alice", seed=seed) as world:
            alice, times = client_of(world, "alice"), asked(world, "bob")
            world.client("bob", online=False)
            alice.look_up("bob")
            world.settle(CHECKED_S)
            first, check = times
            waits.append(check - first - PROMISE_S)
    assert max(waits) - min(waits) > HOUR_S / 3
    assert all(CHECK_MIN_S <= wait <= CHECK_MAX_S + LOOK_MAX_S + 5 for wait in waits), waits


@pytest.mark.seconds
def test_what_was_planned_by_a_clock_that_was_ahead_is_checked_when_it_is_right_again() -> None:
    with settled("alice") as world:
        alice, times = client_of(world, "alice"), asked(world, "bob")
        world.client("bob")
        alice.runtime.clock_error_s += 400 * DAY_S
        alice.look_up("bob")
        alice.runtime.clock_error_s = 0
        world.settle(CHECKED_S)
        assert len(times) == 2
        assert shown(alice, "bob") is InDirectory.SHOWN
        world.settle(DAY_S / 4)
        assert len(times) == 2, "the next time is planned by the right clock"
        world.check()


def test_a_lookup_of_the_user_settles_a_promise_at_once() -> None:
    with settled("alice") as world:
        alice = client_of(world, "alice")
        world.client("bob")
        alice.look_up("bob")
        world.settle(EPOCH_S + 1)
        assert alice.look_up("bob").directory is InDirectory.SHOWN
        assert kept(alice, "bob") is None


def test_a_promise_outlives_the_process_and_is_checked_by_the_next() -> None:
    with settled("alice") as world:
        alice = client_of(world, "alice")
        world.client("bob")
        alice.look_up("bob")
        alice.kill()
        world.sim.clock_error_s += 3 * HOUR_S
        world.settle(EPOCH_S)
        alice.start()
        alice.connect()
        times, begun = asked(world, "bob"), world.sim.now()
        world.settle(LOOK_MAX_S + 60)
        assert len(times) == 1
        assert times[0] > begun, "not at the start, when it logs in"
        assert alice.contact("bob").directory is InDirectory.SHOWN


@pytest.mark.seconds
def test_a_stranger_who_has_just_registered_is_checked_as_well() -> None:
    with settled("bob") as world:
        bob, alice = client_of(world, "bob"), world.client("alice")
        alice.send_and_wait("bob", "hello")
        assert bob.contact("alice").directory is InDirectory.NOT_SHOWN
        world.settle(CHECKED_S + LOOK_MAX_S)
        assert bob.contact("alice").directory is InDirectory.SHOWN
        world.check()


@pytest.mark.seconds
def test_a_changed_identity_is_promised_with_its_whole_chain() -> None:
    with settled("alice", "bob", disks=True) as world:
        alice, bob = client_of(world, "alice"), client_of(world, "bob")
        alice.look_up("bob")
        assert bob.move(replace=True)
        bob.go_online()
        world.settle(10)
        alice.look_up("bob")
        promise = kept(alice, "bob")
        assert promise is not None
        assert promise.chain.events == 2
        world.settle(CHECKED_S)
        assert alice.contact("bob").directory is InDirectory.SHOWN
        assert not alice.of_kind(NodeCaught)


def test_who_removes_a_contact_keeps_no_promise_about_them() -> None:
    with settled("alice") as world:
        alice, times = client_of(world, "alice"), asked(world, "bob")
        world.client("bob")
        alice.look_up("bob")
        alice.store.database.run("DELETE FROM contact WHERE name = 'bob'")
        assert kept(alice, "bob") is None
        much_later(world, DAY_S)
        assert len(times) == 1
        assert alice.store.contacts.get("bob") is None


@pytest.mark.seconds
def test_a_node_that_answers_without_proof_is_asked_again_a_bounded_number_of_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with settled("alice") as world:
        alice, times = client_of(world, "alice"), asked(world, "bob")
        world.client("bob")
        alice.look_up("bob")
        lying(monkeypatch, lambda _request, _answer: None)
        for _ in range(CHECKS_MAX + 2):
            much_later(world, CHECK_MAX_S << CHECKS_MAX)
        assert len(times) == 1 + CHECKS_MAX
        assert shown(alice, "bob") is InDirectory.NOT_SHOWN
        assert alice.contact("bob").directory is InDirectory.NOT_SHOWN
        assert not alice.of_kind(NodeCaught)
        monkeypatch.undo()
        assert alice.look_up("bob").directory is InDirectory.SHOWN, "a lookup of the user's still asks for it"


@pytest.mark.seconds
def test_what_is_asked_while_there_is_no_mixnet_is_no_check() -> None:
    with settled("alice") as world:
        alice = client_of(world, "alice")
        world.client("bob")
        alice.look_up("bob")
        world.mixnet.offline(alice.client_number)
        for _ in range(CHECKS_MAX + 2):
            much_later(world, CHECK_MAX_S)
        found = alice.store.promises.of("bob")
        assert found is not None
        assert found.checks == 0
        world.mixnet.online(alice.client_number)
        world.settle(HOUR_S // 4)
        much_later(world, CHECK_MAX_S)
        assert alice.contact("bob").directory is InDirectory.SHOWN


# -- a node that lies --


def promised_falsely(world: World, monkeypatch: pytest.MonkeyPatch) -> SimClient:
    """Alice, to whom the node shows a false key of bob's, and promises it; to all others it shows the true one."""
    alice, false = client_of(world, "alice"), RawClient(world, "bob").record

    def lie(request: Any, answer: Any) -> Any:
        due = world.sim.unix_s() + PROMISE_S
        size = world.node.store.log.size()
        return m.Promised(request.request_id, request.name, false, None, ChainEnd(1, bytes(32), 1), size, due)

    lying(monkeypatch, lie)
    assert alice.look_up("bob").identity_key == false.identity_key
    monkeypatch.undo()
    return alice


@pytest.mark.seconds
def test_a_node_that_breaks_a_promise_is_found_by_the_clients_own_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    """It can't tell the lookup that checks from any other, so it shows there what it shows to all."""
    with settled("alice", "bob") as world:
        alice = promised_falsely(world, monkeypatch)
        for name in ("carol", "dave", "erin"):
            world.settle(EPOCH_S + 1)
            world.client(name)
        world.settle(CHECKED_S)
        (caught,) = alice.of_kind(NodeCaught)
        assert caught.what == "it signed that a key would be in its public directory by a time, and it was not"
        (evidence,) = (decode_evidence(each.packed) for each in alice.store.evidence.all())
        assert (evidence.node, evidence.fault) == (world.node.key.public, Fault.PROMISE_BROKEN)
        assert shown(alice, "bob") is InDirectory.NOT_SHOWN
        assert alice.of_kind(DirectoryChanged) == [DirectoryChanged("bob", InDirectory.NOT_SHOWN)]
        assert kept(alice, "bob") is None
        assert alice.counters()["lookup"]["promises_broken"] == 1


@pytest.mark.seconds
def test_a_log_that_has_not_grown_since_breaks_no_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """An honest node makes no epoch where nothing happens."""
    with settled("alice", "bob") as world:
        alice = promised_falsely(world, monkeypatch)
        world.settle(CHECKED_S)
        assert kept(alice, "bob") is not None
        assert not alice.of_kind(NodeCaught)
        world.client("carol")
        world.settle(EPOCH_S + 1)
        world.client("dave")
        world.settle(EPOCH_S + 1)
        much_later(world, DAY_S)
        assert len(alice.of_kind(NodeCaught)) == 1


@pytest.mark.parametrize(
    "lie",
    [
        lambda answer: msgspec.structs.replace(answer, name="carol"),
        lambda answer: msgspec.structs.replace(answer, chain=msgspec.structs.replace(answer.chain, event=3)),
    ],
)
def test_a_promise_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, lie: Callable[[Any], Any]) -> None:
    with settled("alice") as world:
        alice = client_of(world, "alice")
        world.client("bob")
        lying(monkeypatch, lambda _request, answer: lie(answer))
        with pytest.raises(NodeRefused) as refused:
            alice.look_up("bob")
        assert refused.value.code is Code.PROOF_INVALID
        assert alice.store.contacts.get("bob") is None


def test_a_false_proof_is_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    with settled("alice", "bob") as world:
        alice, false = client_of(world, "alice"), RawClient(world, "bob").record
        lying(monkeypatch, lambda _request, answer: msgspec.structs.replace(answer, record=false))
        with pytest.raises(NodeRefused):
            alice.look_up("bob")
        world.settle(1)
        (evidence,) = (decode_evidence(each.packed) for each in alice.store.evidence.all())
        assert evidence.fault == Fault.FALSE_PROOF
        assert len(alice.of_kind(NodeCaught)) == 1


def test_a_proof_about_another_name_than_asked_accuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with settled("alice", "bob", "carol") as world:
        alice, honest = client_of(world, "alice"), LookupNode._shown

        def lie(self: LookupNode, request: Any, _account: Any) -> Any:
            carol = self._store.directory.account("carol")
            return honest(self, msgspec.structs.replace(request, name="carol"), carol)

        monkeypatch.setattr(LookupNode, "_shown", lie)
        with pytest.raises(NodeRefused) as refused:
            alice.look_up("bob")
        assert refused.value.code in (Code.PROOF_INVALID, Code.RECORD_INVALID)
        world.settle(1)
        assert not alice.store.evidence.all()


# -- an honest node --


@pytest.mark.seconds
@pytest.mark.parametrize("seed", range(6))
def test_an_honest_node_is_not_accused_whatever_its_clock_and_its_process_do(seed: int) -> None:
    rng = random.Random(seed)
    with settled("alice", seed=seed, disks=True) as world:
        alice, names = client_of(world, "alice"), []
        for number in range(10):
            names.append(world.client(f"user_{number}", online=False).name)
            if rng.random() < 0.5:
                world.node.runtime.clock_error_s += rng.choice((-3 * HOUR_S, -200, 200, 3 * HOUR_S))
            alice.look_up(names[-1])
            if rng.random() < 0.3:
                world.node.restart()
            if rng.random() < 0.5:
                assert world.clients[names[-1]].move(replace=True)
                world.clients[names[-1]].go_online()
            world.settle(rng.choice((1, EPOCH_S // 2, EPOCH_S, 3 * EPOCH_S)))
        for name in names:
            world.clients[name].kill()
        world.client("late")
        for _ in range(len(names)):
            much_later(world, CHECK_MAX_S)
        assert not alice.of_kind(NodeCaught)
        assert alice.counters()["lookup"]["promises_kept"] > 3
        world.check()


@pytest.mark.seconds
def test_a_contacts_proof_is_compared_again_at_random_times_for_as_long_as_they_are_a_contact() -> None:
    with settled("alice", "bob") as world:
        alice, tap, times = client_of(world, "alice"), Wiretap(world), asked(world, "bob")
        alice.look_up("bob")
        since = now_in(tap)
        world.settle(CHECK_MAX_S + LOOK_MAX_S)
        assert cost(tap, since, alice) == (1, 2, [m.Proved])
        assert len(times) == 2
        for again in (3, 4):
            much_later(world, AGAIN_MIN_S - DAY_S)
            assert len(times) == again - 1, "not for a week"
            much_later(world, AGAIN_MAX_S - AGAIN_MIN_S + DAY_S + HOUR_S)
            assert len(times) == again, "within two weeks"
        assert alice.contact("bob").log_size is not None
        assert not alice.of_kind(NodeCaught)


@pytest.mark.seconds
@pytest.mark.parametrize("consent", [Consent.PENDING, Consent.DECLINED, Consent.BLOCKED])
def test_the_proof_of_who_is_not_accepted_is_compared_when_they_are(consent: Consent) -> None:
    """Else everyone who writes would have themselves looked up for as long as the client runs."""
    with settled("bob") as world:
        bob, alice = client_of(world, "bob"), world.client("alice")
        alice.send_and_wait("bob", "hello")
        bob.store.contacts.set_consent("alice", consent)
        times = asked(world, "alice")
        world.settle(CHECKED_S + LOOK_MAX_S)
        assert bob.contact("alice").log_size is not None
        assert len(times) == 1, "the promise is checked"
        much_later(world, AGAIN_MAX_S + HOUR_S)
        assert len(times) == 1
        bob.store.contacts.set_consent("alice", Consent.ACCEPTED)
        much_later(world, 0)
        assert len(times) == 2
        assert not bob.of_kind(NodeCaught)


def test_other_lookups_of_a_contact_ask_for_no_proof() -> None:
    with settled("alice", "bob") as world:
        alice, tap = client_of(world, "alice"), Wiretap(world)
        alice.look_up("bob")
        since = now_in(tap)
        alice.look_up("bob")
        assert cost(tap, since) == (1, 1, [m.Found])


@pytest.mark.seconds
@pytest.mark.parametrize("proof", [None, "of then"])
def test_a_contact_whose_proof_is_never_shown_again_is_not_called_in_the_directory(
    monkeypatch: pytest.MonkeyPatch, proof: str | None
) -> None:
    with settled("alice", "bob") as world:
        alice = client_of(world, "alice")
        alice.look_up("bob")
        found = alice.store.promises.of("bob")
        assert found is not None
        said = said_in(found.frame)
        world.client("carol")
        world.settle(2 * EPOCH_S)
        lying(monkeypatch, lambda asks, _: proof and msgspec.structs.replace(said, request_id=asks.request_id))
        times = asked(world, "bob")
        while len(times) < CHECKS_MAX:
            assert shown(alice, "bob") is InDirectory.SHOWN
            much_later(world, CHECK_MAX_S << CHECKS_MAX)
        assert shown(alice, "bob") is InDirectory.NOT_SHOWN
        much_later(world, CHECK_MAX_S << CHECKS_MAX)
        assert len(times) == CHECKS_MAX
        assert DirectoryChanged("bob", InDirectory.NOT_SHOWN) in alice.of_kind(DirectoryChanged)
        assert not alice.of_kind(NodeCaught)
