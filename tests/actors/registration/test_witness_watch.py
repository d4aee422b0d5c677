"""A client's watch over what its witnesses sign: when missing signatures are a doubt, and what the user reads."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.actors.lookup.test_proved_lookups import client_of
from tests.actors.lookup.test_witnessed_lookups import add_epoch, policy_of, with_witnesses
from usernym.actors.events import DirectoryUnwitnessed
from usernym.actors.registration.witness_watch import UNWITNESSED_S
from usernym.protocol.directory.witnesses import NO_WITNESSES
from usernym.protocol.limits import DAY_S, EPOCH_S, HOUR_S, MINUTE_S
from usernym.storage.node.proofs import DirectoryProofs
from usernym.testing.forgeries import ForgedWorld, doubts, faults
from usernym.testing.world import SimClient, World
from usernym.views import WitnessesView, account_view


def told(client: SimClient) -> list[int | None]:
    """Each doubt about signatures that was reported to the user, and each end of one."""
    return [event.since for event in client.of_kind(DirectoryUnwitnessed)]


def read(client: SimClient) -> WitnessesView:
    found = account_view(client.store, client.user, client.runtime.unix_s()).witnesses
    assert found is not None
    return found


def test_the_user_reads_how_many_have_signed_and_when_enough_had() -> None:
    with World() as world:
        one, _two, _three = with_witnesses(world, "alice", witnesses=3, needed=2)
        alice = client_of(world, "alice")
        now = world.sim.unix_s()
        assert read(alice) == WitnessesView(3, 2, 3, read(alice).met_at, None)
        assert now - 3 * MINUTE_S <= (read(alice).met_at or 0) <= now
        one.kill()
        add_epoch(world)
        world.settle(3 * MINUTE_S)
        assert (read(alice).signed, told(alice)) == (2, []), "enough is enough"
        assert (read(alice).met_at or 0) > now
        world.check()


@pytest.mark.seconds
def test_an_honest_node_is_not_doubted_however_often_its_log_grows() -> None:
    with World() as world:
        with_witnesses(world, "alice", witnesses=2)
        alice = client_of(world, "alice")
        for _ in range(5):
            add_epoch(world)
            world.settle(world.chance.uniform(0, 2 * HOUR_S))
        assert not told(alice)
        assert not doubts(alice)
        world.check()


@pytest.mark.seconds
def test_hours_without_signatures_are_a_doubt_which_ends_with_them() -> None:
    with World() as world:
        (other,) = with_witnesses(world, "alice")
        alice = client_of(world, "alice")
        met_at = read(alice).met_at
        other.kill()
        add_epoch(world)
        world.settle(UNWITNESSED_S - HOUR_S / 2)
        assert not told(alice)
        world.settle(HOUR_S)
        assert len(told(alice)) == 1
        since = told(alice)[0]
        assert read(alice) == WitnessesView(1, 1, 0, since, since)
        assert met_at is not None
        assert since is not None
        assert met_at <= since <= met_at + 2 * EPOCH_S, "when the last one was shown"
        world.settle(2 * HOUR_S)
        assert len(told(alice)) == 1, "once"
        other.start_and_wait()
        world.settle(HOUR_S + 3 * EPOCH_S)
        assert told(alice) == [since, None]
        assert (read(alice).signed, read(alice).unmet_since) == (1, None)
        assert not faults(alice)
        assert not doubts(alice)
        world.check()


@pytest.mark.seconds
def test_only_time_with_a_login_counts_and_a_restart_forgets_none_of_it() -> None:
    with World() as world:
        (other,) = with_witnesses(world, "alice")
        alice = client_of(world, "alice")
        other.kill()
        add_epoch(world)
        world.settle(3 * MINUTE_S)
        alice.kill()
        world.settle(2 * DAY_S)
        alice.start()
        alice.go_online()
        world.settle(HOUR_S)
        assert not told(alice)
        world.mixnet.offline(alice.client_number)
        world.settle(6 * HOUR_S)
        world.mixnet.online(alice.client_number)
        world.settle(HOUR_S / 2)
        assert not told(alice)
        for _ in range(3):
            alice.restart()
            alice.go_online()
            world.settle(HOUR_S)
        assert len(told(alice)) == 1


@pytest.mark.seconds
def test_a_user_who_names_none_or_others_begins_anew() -> None:
    with World() as world:
        (other,) = with_witnesses(world, "alice", "bob")
        alice = client_of(world, "alice")
        other.kill()
        add_epoch(world)
        world.settle(UNWITNESSED_S + HOUR_S)
        assert read(alice).unmet_since is not None
        alice.witnesses = policy_of([world.add_node("another")])
        alice.restart()
        assert read(alice) == WitnessesView(1, 1, None, None, None)
        alice.go_online()
        assert read(alice) == WitnessesView(1, 1, 0, None, None)
        alice.witnesses = NO_WITNESSES
        alice.restart()
        alice.go_online()
        world.settle(3 * MINUTE_S)
        assert account_view(alice.store, alice.user, alice.runtime.unix_s()).witnesses is None
        assert alice.store.witnessed.seen() is None


@pytest.mark.seconds
def test_a_node_that_shows_one_user_another_log_is_doubted_by_that_user(monkeypatch: Any) -> None:
    """Also if it shows the signatures to the log of all others beside it."""
    with ForgedWorld() as world:
        with_witnesses(world, "alice", "bob", witnesses=2)
        alice, bob = client_of(world, "alice"), client_of(world, "bob")
        forged = world.forger.fork("bob")
        forged.forge("alice", [bytes(32)])
        add_epoch(world)
        world.settle(2 * EPOCH_S)
        honest = DirectoryProofs.shown

        def shown(self: DirectoryProofs, *arguments: Any) -> Any:
            found = honest(self, *arguments)
            if self is not forged.store.proofs or found is None:
                return found
            there = world.node.store.witnesses.cosignatures(world.node.store.log.size())
            return msgspec.structs.replace(found, cosignatures=b"".join(each for _, each in there))

        monkeypatch.setattr(DirectoryProofs, "shown", shown)
        world.settle(UNWITNESSED_S + HOUR_S)
        assert (len(told(bob)), told(alice)) == (1, [])
        assert read(bob).signed == 0
        assert read(alice).signed == 2
