"""The rule by which a client chooses among its node's addresses, in every order of events."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from usernym.actors.mixnet_io import node_addresses as na

ADDRESSES = [bytes([number]) * 96 for number in range(8)]
KEY = b"k" * 32
sets = st.sets(st.sampled_from(ADDRESSES), min_size=1)


def silent_tries(state: na.NodeAddresses, count: int, at_s: float) -> na.NodeAddresses:
    """So many tries of five seconds each, one after the other, none answered."""
    for number in range(count):
        state = na.unanswered(state, state.address, at_s + 5 * number, at_s + 5 * number + 5)
    return state


@given(sets, st.binary(min_size=32, max_size=32), st.integers(0, 40_000))
def test_the_order_is_the_cards_and_the_clients(addresses: set[bytes], key: bytes, day: int) -> None:
    order = na.ordered(addresses, key, day)
    assert sorted(order) == sorted(addresses)
    assert order == na.ordered(sorted(addresses, reverse=True), key, day)
    without = [address for address in order if address != order[-1]]
    assert na.ordered(without, key, day) == tuple(without), "one address less moves no one else"


def test_clients_and_days_spread_evenly() -> None:
    firsts = Counter(na.ordered(ADDRESSES, number.to_bytes(32, "big"), 20_000)[0] for number in range(8_000))
    assert all(800 < count < 1_200 for count in firsts.values()), firsts
    days = Counter(na.ordered(ADDRESSES, KEY, day)[0] for day in range(8_000))
    assert all(800 < count < 1_200 for count in days.values()), days


def test_an_address_is_left_after_three_silent_tries_in_a_row() -> None:
    state = na.choose(ADDRESSES, KEY, 20_000)
    assert silent_tries(state, 2, 0).address == state.address
    heard = na.answered(silent_tries(state, 2, 0), state.address)
    assert silent_tries(heard, 2, 20).address == state.address
    left = silent_tries(state, 3, 0)
    assert (left.address, left.on_trial, left.home_at) == (state.order[1], True, 15 + na.HOME_AFTER_S)


def test_tries_beside_each_other_are_one() -> None:
    state = na.choose(ADDRESSES, KEY, 20_000)
    for _ in range(10):
        state = na.unanswered(state, state.address, 0.0, 5.0)
    assert (state.silent, state.used) == (1, 0)


def test_a_further_silent_address_is_left_after_one_try_and_all_are_visited() -> None:
    state = silent_tries(na.choose(ADDRESSES, KEY, 20_000), 3, 0)
    visited = [state.address]
    for number in range(7):
        state = silent_tries(state, 1, 100 + 10 * number)
        visited.append(state.address)
    assert visited == [*state.order[1:], state.order[0]]
    answered = na.answered(state, state.address)
    assert silent_tries(answered, 2, 1_000).address == state.address, "it has answered: it gets three again"


@given(st.integers(1, 40))
def test_one_address_alone_is_never_left(tries: int) -> None:
    state = na.choose(ADDRESSES[:1], KEY, 20_000)
    assert silent_tries(state, tries, 0) == state
    assert not na.home_is_due(state, 1e9)


def test_the_first_one_is_asked_again_less_and_less_often() -> None:
    state = na.answered(silent := silent_tries(na.choose(ADDRESSES, KEY, 20_000), 3, 0), silent.address)
    looks, now = [], 15.0
    while now < 15 + 86_400:
        if na.home_is_due(state, now):
            looks.append(now)
            state = na.home_asked(state, now)
        now += 5
    assert len(looks) == 9
    assert [later - earlier for earlier, later in itertools.pairwise(looks)][:5] == [
        1800.0,
        3600.0,
        7200.0,
        14400.0,
        14400.0,
    ]
    home = na.settled(state, state.order[0], now)
    assert (home.used, home.on_trial, home.home_at, home.home_after_s) == (0, False, math.inf, na.HOME_AFTER_S)


def test_nothing_is_looked_at_while_the_one_in_use_is_in_doubt() -> None:
    state = silent_tries(na.choose(ADDRESSES, KEY, 20_000), 3, 0)
    assert not na.home_is_due(state, 1e9), "it has not answered yet"
    state = na.answered(state, state.address)
    assert na.home_is_due(state, 1e9)
    assert not na.home_is_due(silent_tries(state, 1, 20), 1e9)


@given(sets, sets)
def test_a_new_card_keeps_the_address_in_use_or_picks_another(before: set[bytes], after: set[bytes]) -> None:
    state = na.choose(before, KEY, 20_000)
    new = na.with_card(state, after, 7.0)
    assert set(new.order) == after
    assert new.address == (state.address if state.address in after else new.order[0])
    assert (new.used == 0) == (new.home_at == math.inf)


events = st.tuples(st.sampled_from(["answered", "unanswered", "card", "look", "settled"]), st.integers(0, 7), sets)


@examples(300)
@given(sets, st.lists(events, max_size=40))
def test_whatever_happens_the_state_is_whole(addresses: set[bytes], happened: list[tuple[str, int, Any]]) -> None:
    state, now = na.choose(addresses, KEY, 20_000), 0.0
    for what, number, card in happened:
        now += 5
        match what:
            case "answered":
                state = na.answered(state, ADDRESSES[number])
            case "unanswered":
                state = na.unanswered(state, ADDRESSES[number], now - 5, now)
            case "card":
                addresses = card
                state = na.with_card(state, card, now)
            case "look" if na.home_is_due(state, now):
                state = na.home_asked(state, now)
            case "settled":
                state = na.settled(state, ADDRESSES[number], now)
        assert set(state.order) == addresses
        assert state.address in addresses
        assert 0 <= state.silent < na.SILENT_TRIES
        assert (state.used == 0) == (state.home_at == math.inf)
        assert na.HOME_AFTER_S <= state.home_after_s <= na.HOME_AFTER_S_MAX
