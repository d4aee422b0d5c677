"""Mutation check for hostile parties, and for a node of several processes: each kind of harm is made possible
again, and the simulation has to find it.

`make mutants` runs these too. Each search begins at seed 0 with the plans of its profile: none is made for a defect.
"""

from __future__ import annotations

import os

import pytest

from tests.helpers.planted_defects import PlantedDefect
from tests.helpers.planted_harm import HARMS
from tests.helpers.planted_workers import WORKER_DEFECTS
from usernym.testing.loop import Quiet, plan_at
from usernym.testing.run import play

PLANTED = [*HARMS, *(("workers", each) for each in WORKER_DEFECTS)]
BOUND = int(os.environ.get("USERNYM_MUTANT_SCENARIOS", "2000"))
"""Scenarios within which a defect has to be found."""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("profile", "defect"), [pytest.param(*each, id=each[1].name) for each in PLANTED])
def test_planted_harm_is_found(profile: str, defect: PlantedDefect, capsys: pytest.CaptureFixture[str]) -> None:
    with Quiet():
        plans = (plan_at(profile, seed, (2, 4)) for seed in range(BOUND))
        with defect.planted():
            found = next((outcome for outcome in map(play, plans) if outcome.wrong), None)
        assert found is not None, f"{defect.name} was not found in {BOUND} scenarios"
        assert "AttributeError" not in found.wrong[0], "the defect does not fit the product any more"
        with capsys.disabled():
            report = f"| `{defect.name}` | {defect.says} | {profile} | {found.plan.seed + 1} | {found.wrong[0]} |"
            os.write(1, f"\n{report}\n".encode())
        # It is the defect that was found: without it the same plan finds nothing.
        assert play(found.plan).wrong == ()


@pytest.mark.parametrize("defect", [pytest.param(defect, id=defect.name) for _, defect in PLANTED])
def test_the_product_has_the_place_of_each(defect: PlantedDefect) -> None:
    with defect.planted():
        pass


def test_there_are_at_least_ten_of_workers() -> None:
    assert len(WORKER_DEFECTS) >= 10
