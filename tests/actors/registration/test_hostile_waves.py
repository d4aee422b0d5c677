"""Waves of registrations: the price rises for everyone, and a store of cheap challenges is worth nothing."""

from __future__ import annotations

from tests.helpers.hostile import RawClient
from usernym.actors.registration.newcomers import BITS_BEHIND_MAX, RECENT_S, REGISTRATIONS_PER_BIT
from usernym.protocol import messages as m
from usernym.protocol.errors import Code
from usernym.testing.world import World

LETTERS = str.maketrans("0123456789", "bcdfghjkmn")
"""No two of them look alike."""


def wave(world: World, names: int, prefix: str = "wave") -> None:
    """So many registrations, at the price of the moment."""
    one = RawClient(world)
    for number in range(names):
        one.name = f"{prefix}_{number}".translate(LETTERS)
        one.record = one.record_for(one.name)
        assert isinstance(one.register(), m.Registered)


def test_challenges_hoarded_before_a_wave_expire_in_it() -> None:
    world = World()
    hoarder = RawClient(world, "hoarder", 7)
    cheap = hoarder.challenge()
    assert cheap.difficulty == 1
    wave(world, BITS_BEHIND_MAX * REGISTRATIONS_PER_BIT)
    early = RawClient(world, "early_bird", 8)
    assert early.challenge().difficulty == 1 + BITS_BEHIND_MAX
    in_time = RawClient(world, "in_time", 9)
    still_good = in_time.challenge()
    wave(world, REGISTRATIONS_PER_BIT, "more")
    refused = hoarder.ask(hoarder.proof(cheap))
    assert (refused.code, world.node.store.directory.account("hoarder")) == (Code.CHALLENGE_EXPIRED, None)
    assert isinstance(in_time.ask(in_time.proof(still_good)), m.Registered)
    assert isinstance(hoarder.register(), m.Registered), "at today's price they may"
    world.sim.run_for(2 * RECENT_S)
    assert RawClient(world, "afterwards", 11).challenge().difficulty == 1
    world.check()


def test_proofs_that_bring_no_name_raise_the_price_as_well() -> None:
    """Each is remembered: by proving a name that one has, one could fill that memory at the lowest price."""
    with World() as world:
        one = RawClient(world)
        assert isinstance(one.register(), m.Registered)
        same = one.proof(one.challenge())
        for _ in range(REGISTRATIONS_PER_BIT - 2):
            assert isinstance(one.register(), m.Registered)
            assert isinstance(one.ask(same), m.Registered)
        assert one.challenge().difficulty == 2, "one proof counts once, however often it comes"
        for _ in range(2 * REGISTRATIONS_PER_BIT):
            assert isinstance(one.register(), m.Registered)
        assert one.challenge().difficulty == 4
        assert one.ask(same).code == Code.CHALLENGE_EXPIRED
        world.check()
