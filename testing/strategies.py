"""Plans for Hypothesis, which makes a failing one smaller by itself: fewer steps, a shorter tape.

Needs `hypothesis`, which is not among this package's requirements: import it in tests only.

    @given(plans())
    def test_nothing_is_lost(plan):
        assert play(plan).wrong == ()
"""

from __future__ import annotations

import random
from typing import Final

from hypothesis import strategies as st

from usernym.testing import faults as f
from usernym.testing.plan import HOSTILE_TROUBLES, NAMES, TROUBLES, Plan

TAPE_MAX: Final = 200
PAUSES_S: Final = (0.05, 1.0, 5.0, 20.0, 60.0)


def steps(people: int, kinds: tuple[str, ...] = tuple(TROUBLES)) -> st.SearchStrategy[f.Step]:
    """One step for so many people; troubles are of these kinds (names in `faults.STEPS`)."""
    names = NAMES[:people]
    pairs = st.permutations(names).map(lambda order: (order[0], order[1]))
    writes = st.builds(lambda pair, size: f.Write(pair[0], pair[1], size), pairs, st.sampled_from((20, 1, 160, 5_000)))

    def trouble(kind: str, seed: int) -> f.Step:
        return (TROUBLES | HOSTILE_TROUBLES)[kind](random.Random(seed), names)  # noqa: S311 - Hypothesis draws the seed

    return st.one_of(
        writes,
        st.builds(f.Pause, st.sampled_from(PAUSES_S)),
        st.builds(f.Turns, st.integers(1, 60)),
        st.builds(trouble, st.sampled_from(kinds), st.integers(0, 2**16)),
    )


def plans(people: int = 3, steps_max: int = 25, kinds: tuple[str, ...] = tuple(TROUBLES)) -> st.SearchStrategy[Plan]:
    """Plans for so many people, of at most so many steps."""
    return st.builds(
        Plan,
        st.integers(0, 2**16),
        st.just(people),
        st.lists(steps(people, kinds), min_size=1, max_size=steps_max).map(tuple),
        st.lists(st.integers(0, 7), max_size=TAPE_MAX).map(tuple),
    )
