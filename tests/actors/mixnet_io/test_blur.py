"""When anonymous requests leave, and when what waits for their answers does, in simulated worlds."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import pytest

from tests.helpers.hostile import message_of
from tests.usernym.test_directory_copy import SimFinder
from usernym.actors.messages import FindContact
from usernym.actors.mixnet_io.blur import ANONYMOUS_BLUR_S
from usernym.protocol import messages as m
from usernym.testing.tap import Heard
from usernym.testing.world import SimClient, World

TRIES = 16


class Times:
    """When each kind of message left alice, and when each came to her."""

    def __init__(self, world: World) -> None:
        self.left: list[tuple[type[Any], float]] = []
        self.came: list[tuple[type[Any], float]] = []
        world.mixnet.listeners.append(self._hear)

    def _hear(self, heard: Heard) -> None:
        if heard.who == "alice" and heard.what in ("sent", "arrived"):
            times = self.left if heard.what == "sent" else self.came
            times.append((type(message_of(heard.data)), heard.at))

    def are_both_gone(self) -> bool:
        """Whether a lookup and a login have left."""
        return {m.Lookup, m.LoginAsk} <= {kind for kind, _ in self.left}


def last(times: Sequence[tuple[type[Any], float]], *kinds: type[Any]) -> float:
    """When the newest of these kinds was."""
    newest: float = next(at for kind, at in reversed(times) if kind in kinds)
    return newest


def are_blurred(waits: Sequence[float]) -> bool:
    """Whether these times are all over what is allowed, and none beyond."""
    assert min(waits) >= 0
    assert max(waits) <= ANONYMOUS_BLUR_S + 0.001
    return min(waits) < ANONYMOUS_BLUR_S / 4 and max(waits) > ANONYMOUS_BLUR_S * 3 / 4


def waits_of_lookups(world: World, alice: SimClient) -> list[float]:
    """How long after they were asked for her lookups leave."""
    times, waits = Times(world), []
    for _ in range(TRIES):
        asked = world.sim.now()
        alice.look_up("bob")
        waits.append(last(times.left, m.Lookup) - asked)
    return waits


def test_a_lookup_leaves_at_a_random_time_after_it_was_asked_for() -> None:
    with World() as world:
        alice, _bob = world.client("alice"), world.client("bob")
        assert are_blurred(waits_of_lookups(world, alice))
        world.check()


@pytest.mark.parametrize("nym_clients", [("alice",), ("node",)])
def test_under_the_usual_tag_a_lookup_leaves_at_once(nym_clients: tuple[str, ...]) -> None:
    with World(nym_clients=nym_clients) as world:
        alice, _bob = world.client("alice"), world.client("bob")
        assert max(waits_of_lookups(world, alice)) < 0.001


def test_what_never_logs_in_delays_nothing() -> None:
    with World() as world:
        world.client("bob")
        finder, left = SimFinder(world, own_tags=True), []

        def hear(heard: Heard) -> None:
            if heard.what == "sent" and isinstance(message_of(heard.data), m.Lookup):
                left.append(heard.at)

        world.mixnet.listeners.append(hear)
        world.settle(1)
        for _ in range(TRIES):
            asked = world.sim.now()
            finder.look_up("bob")
            assert left[-1] - asked < 0.001


@pytest.mark.seconds
def test_a_text_that_waits_for_a_lookup_leaves_at_a_random_time_after_its_answer() -> None:
    waits = []
    for seed in range(TRIES):
        with World(seed) as world:
            alice, _bob = world.client("alice"), world.client("bob")
            times = Times(world)
            alice.send_and_wait("bob", "hi")
            answered = last(times.came, m.Found, m.Proved, m.Promised)
            waits.append(last(times.left, m.Forward) - answered)
    assert are_blurred(waits)


@pytest.mark.seconds
def test_a_lookup_does_not_leave_with_the_login_when_the_mixnet_is_there_again() -> None:
    waits = []
    for seed in range(TRIES):
        with World(seed) as world:
            alice, _bob = world.client("alice"), world.client("bob")
            world.mixnet.offline(alice.client_number)
            world.settle(1)
            times = Times(world)
            alice.graph.lookup.tell(FindContact("bob", Future()))
            world.settle(ANONYMOUS_BLUR_S)
            world.mixnet.online(alice.client_number)
            world.sim.run_until(times.are_both_gone)
            waits.append(last(times.left, m.Lookup) - last(times.left, m.LoginAsk))
    assert are_blurred(waits)
