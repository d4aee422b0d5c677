"""Lookups under sender tags of their own, in simulated worlds: what the node can link, and what that costs."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from tests.helpers.hostile import Wiretap, message_of
from usernym.actors.messages import AskName
from usernym.actors.mixnet_io.surb_account import PLENTY_BELOW
from usernym.mixnet.emulator.state import FRESH_TAG_S, Faults
from usernym.protocol import messages as m
from usernym.protocol.limits import EPOCH_S
from usernym.protocol.packets import anonymous_packets, reply_packets
from usernym.testing.world import SimClient, World

LOOKUPS = 200
ANSWERS = (m.Found, m.Proved, m.Promised, m.Absent, m.Links)


def tags_of(tap: Wiretap, *kinds: type[Any]) -> list[bytes]:
    """The sender tags to which the node sent these, in order: all that it knows of those who asked."""
    return [tag for _, tag, data in tap.replies if isinstance(message_of(data), kinds)]


def alive(client: SimClient) -> int:
    """SURBs that can be out by the client's own account."""
    io: Any = next(actor for actor in client.runtime.actors if actor.name == "mixnet-io")
    count: int = io._account.alive()
    return count


def stocks(world: World) -> int:
    """Sender tags that the node's mixnet client remembers."""
    core: Any = world.core
    return len(core._clients[world.node.client_number].stocks)


@pytest.mark.seconds
def test_of_two_hundred_lookups_of_a_user_who_is_logged_in_none_is_linked() -> None:
    with World() as world:
        tap = Wiretap(world)
        alice = world.client("alice")
        for name in ("bob", "carol"):
            world.client(name)
        world.settle(2 * EPOCH_S)
        before = stocks(world)
        for number in range(LOOKUPS):
            alice.look_up(("bob", "carol")[number % 2])
        asked = tags_of(tap, *ANSWERS)
        assert len(asked) >= LOOKUPS
        assert len(set(asked)) == len(asked), "no two under one tag"
        others = {tag for _, tag, data in tap.replies if not isinstance(message_of(data), ANSWERS)}
        assert not others & set(asked), "none under the tag of anything else"
        assert alive(alice) <= PLENTY_BELOW + 3
        assert alice.counters()["io"].get("requests_held_back", 0) == 0
        world.settle(FRESH_TAG_S + 1)
        assert stocks(world) == before, "the node forgot them"
        world.check()


def test_a_lookup_takes_the_packets_that_it_took_under_the_usual_tag() -> None:
    costs = []
    for nym_clients in ((), ("alice",)):
        with World(nym_clients=nym_clients) as world:
            tap = Wiretap(world)
            alice = world.client("alice")
            world.client("bob")
            world.settle(2 * EPOCH_S)
            for _ in range(50):
                alice.look_up("bob")
            asked = [one for one in tap.sent if isinstance(message_of(one.data), m.Lookup | m.History)]
            up = sum(anonymous_packets(len(one.data), one.surbs or 0) for one in asked)
            answers = [data for _, _, data in tap.replies if isinstance(message_of(data), ANSWERS)]
            down = sum(reply_packets(len(data)) for data in answers)
            costs.append((up, down, len(asked)))
            world.check()
    own, usual = costs
    assert own == usual == (50, 51, 50), "the first one brings a proof"


@pytest.mark.parametrize("nym_clients", [("node",), ("alice",)])
def test_where_one_of_the_two_is_a_nym_client_lookups_come_under_the_usual_tag(nym_clients: tuple[str, ...]) -> None:
    with World(nym_clients=nym_clients) as world:
        tap = Wiretap(world)
        alice = world.client("alice")
        world.client("bob")
        assert world.node.card.fresh_tags == (nym_clients == ("alice",))
        alice.look_up("bob")
        alice.look_up("bob")
        assert len(set(tags_of(tap, *ANSWERS))) == 1
        assert set(tags_of(tap, *ANSWERS)) <= set(tags_of(tap, m.LoggedIn))
        world.check()


def test_a_question_for_a_free_name_is_linked_with_nothing() -> None:
    with World() as world:
        tap = Wiretap(world)
        alice = world.client("alice", register=False, online=False)
        for name in ("ann", "anna"):
            word: Future[Any] = Future()
            alice.graph.finder.tell(AskName(name, word))
            world.sim.run_until(word.done)
            assert word.result() is None, "it is free"
        asked = tags_of(tap, m.Challenge)
        assert len(set(asked)) == 2
        alice.register()
        (registered,) = set(tags_of(tap, m.Registered))
        assert registered in tags_of(tap, m.Challenge), "the challenge and its proof are one sender's"
        assert registered not in asked
        world.check()


def test_a_lookup_whose_answer_is_lost_is_answered() -> None:
    with World(faults=Faults(loss=0.1)) as world:
        tap = Wiretap(world)
        alice = world.client("alice")
        world.client("bob")
        for _ in range(30):
            alice.look_up("bob")
        asked = tags_of(tap, *ANSWERS)
        assert len(set(asked)) == len(asked)
        world.check()
