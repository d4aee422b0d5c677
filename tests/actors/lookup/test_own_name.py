"""A client's lookups of its user's own name, in simulated worlds: what they find, when they come, what they show."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import msgspec
import pytest

from tests.actors.lookup.test_promises import much_later
from tests.actors.lookup.test_proved_lookups import client_of, cost, now_in, settled
from tests.helpers.hostile import Wiretap, message_of
from usernym.actors.failures import NodeRefused
from usernym.actors.lookup.node import LookupNode
from usernym.actors.lookup.own_name import AGAIN_MAX_S, AGAIN_MIN_S, SOON_MAX_S, SOON_MIN_S
from usernym.actors.lookup.promises import LOOK_MAX_S
from usernym.actors.messages import FindContact
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.protocol.evidence import Fault
from usernym.protocol.limits import DAY_S, EPOCH_S, HOUR_S, MINUTE_S
from usernym.testing.forgeries import HEARTBEATS_S, ForgedWorld, doubts, faults
from usernym.testing.tap import Heard
from usernym.testing.world import SimClient, World

LOOKED_S = SOON_MAX_S + LOOK_MAX_S + MINUTE_S
"""After so long every owner has looked once."""


def looks(world: World) -> list[tuple[str, float, m.Lookup, int]]:
    """Lookups of alice's name from now on: who sent them, when, what, and with how many bytes."""
    seen: list[tuple[str, float, m.Lookup, int]] = []

    def hear(heard: Heard) -> None:
        message = message_of(heard.data) if heard.what == "sent" else None
        if isinstance(message, m.Lookup) and message.name == "alice":
            seen.append((heard.who, heard.at, message, len(heard.data)))

    world.mixnet.listeners.append(hear)
    return seen


def own_looks(client: SimClient) -> int:
    """How often the client has looked its own name up by itself."""
    return client.counters()["lookup"].get("own_looks", 0)


@pytest.mark.seconds
def test_an_owner_looks_soon_and_then_about_daily_for_three_packets() -> None:
    with settled("alice") as world:
        alice, tap, seen = client_of(world, "alice"), Wiretap(world), looks(world)
        since, begun = now_in(tap), world.sim.now()
        world.settle(LOOKED_S)
        assert cost(tap, since) == (1, 2, [m.Proved])
        assert SOON_MIN_S - 2 * EPOCH_S <= seen[0][1] - begun <= LOOKED_S
        for again in (2, 3):
            much_later(world, AGAIN_MIN_S - HOUR_S)
            assert len(seen) == again - 1, "not for half a day"
            much_later(world, AGAIN_MAX_S - AGAIN_MIN_S + HOUR_S)
            assert len(seen) == again, "within a day and a half"
        assert own_looks(alice) == len(seen)
        assert not faults(alice)
        assert not doubts(alice)


@pytest.mark.seconds
def test_no_two_owners_look_at_the_same_time() -> None:
    waits = []
    for seed in range(8):
        with settled("alice", seed=seed) as world:
            seen, begun = looks(world), world.sim.now()
            world.settle(LOOKED_S)
            waits.append(seen[0][1] - begun)
    assert max(waits) - min(waits) > HOUR_S / 3


@pytest.mark.seconds
def test_a_look_of_the_owner_is_a_contacts_check_to_the_node() -> None:
    """By form, size, SURBs and sender tags. Over a nym-client the tag says who asks."""
    with settled("alice", "bob") as world:
        bob, tap, seen = client_of(world, "bob"), Wiretap(world), looks(world)
        bob.look_up("alice")
        world.settle(LOOKED_S)
        assert {who for who, *_ in seen} == {"alice", "bob"}
        forms = {(msgspec.structs.replace(look, request_id=bytes(16)), size) for _, _, look, size in seen}
        assert len(forms) == 1
        tags = [tag for _, tag, data in tap.replies if isinstance(message_of(data), m.Proved)]
        assert len(set(tags)) == len(tags) > 2
        others = {tag for _, tag, data in tap.replies if not isinstance(message_of(data), m.Proved)}
        assert not others & set(tags)


@pytest.mark.seconds
def test_a_look_that_was_under_way_when_the_process_died_is_made_again() -> None:
    with settled("alice") as world:
        alice, seen = client_of(world, "alice"), looks(world)
        world.sim.run_until(lambda: bool(seen), within_s=LOOKED_S)
        alice.kill()
        alice.start()
        alice.connect()
        world.settle(LOOK_MAX_S + MINUTE_S)
        assert [who for who, *_ in seen] == ["alice"] * 2
        much_later(world, AGAIN_MIN_S - HOUR_S)
        assert len(seen) == 2


@pytest.mark.seconds
def test_a_key_that_is_there_for_all_but_its_owner_is_found_by_the_owner() -> None:
    with ForgedWorld() as world:
        alice, bob = world.people("alice", "bob")
        world.show_two_faces("alice")
        assert bob.look_up("alice").identity_key != alice.user.key.public
        alice.restart()
        alice.go_online()
        world.settle(HEARTBEATS_S)
        assert not faults(alice), "a login shows the own key"
        world.settle(LOOKED_S)
        assert faults(alice) == {Fault.NAME_CHANGED}
        world.settle(LOOKED_S)
        assert own_looks(alice) > 1
        assert len(alice.store.evidence.all()) == 1, "once, though each epoch has it"
        assert not faults(bob)
        assert not doubts(alice)


@pytest.mark.seconds
@pytest.mark.parametrize("shown", ["another's record", "no one"])
def test_what_others_are_shown_without_proof_is_a_doubt_which_ends(monkeypatch: pytest.MonkeyPatch, shown: str) -> None:
    with ForgedWorld() as world:
        (alice,) = world.people("alice")
        false = world.forger.forged_record("alice")[0]

        def lie(_self: Any, request: Any, _account: Any) -> Any:
            if shown == "no one":
                return m.Refused(request.request_id, Code.NO_SUCH_USER, 0)
            return m.Found(request.request_id, false)

        with monkeypatch.context() as lying:
            lying.setattr(LookupNode, "_shown", lie)
            world.settle(LOOKED_S)
            assert doubts(alice) == [True]
        world.settle(LOOKED_S)
        assert doubts(alice) == [True, False]
        assert not faults(alice)


@pytest.mark.seconds
def test_a_busy_node_is_no_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    with ForgedWorld() as world:
        (alice,) = world.people("alice")
        monkeypatch.setattr(LookupNode, "_shown", lambda _self, asks, _: m.Refused(asks.request_id, Code.BUSY, 1))
        world.settle(LOOKED_S)
        assert own_looks(alice) > 0
        assert not doubts(alice)


def test_that_the_name_was_deleted_is_no_evidence() -> None:
    """Its owner may have ordered that, and may not have heard yet that it was done."""
    with ForgedWorld() as world:
        (alice,) = world.people("alice")
        directory, looked = world.node.store.directory, Future[None]()
        world.node.store.commit(lambda: directory.delete_account("alice", world.sim.unix_s() + DAY_S))
        world.settle(EPOCH_S + 1)
        alice.graph.lookup.tell(FindContact("alice", looked))
        world.sim.run_until(looked.done)
        assert isinstance(looked.exception(), NodeRefused)
        world.settle(HEARTBEATS_S)
        assert doubts(alice) == [True]
        assert not faults(alice)


def test_a_clock_that_was_far_ahead_holds_no_look_up() -> None:
    with settled("alice") as world:
        alice, seen = client_of(world, "alice"), looks(world)
        alice.store.seen_log.set_own_look(world.sim.unix_s() + 30 * DAY_S)
        world.settle(LOOK_MAX_S + MINUTE_S)
        assert len(seen) == 1
