"""Mutation check: defects are planted one by one, and the simulation has to find each of them.

The quick ones run with all tests; `make mutants` runs all, and prints how many scenarios each took (docs/testing.md has
the list). Each search begins at seed 0 with the plans that everyone's search begins with: none is made for a defect.
"""

from __future__ import annotations

import os

import pytest

from tests.helpers.planted_defects import DEFECTS, PlantedDefect
from usernym.testing.loop import Quiet, plan_at
from usernym.testing.run import play

BOUND = int(os.environ.get("USERNYM_MUTANT_SCENARIOS", "1000"))
"""Scenarios within which a defect has to be found."""
QUICK = {
    "mailbox_deleted_on_sending", "notices_told_once", "node_identity_not_kept", "commits_not_synced",
    "states_go_back", "counters_start_anew", "delivered_when_accepted", "acknowledges_once",
    "acknowledges_again_without_proof", "no_heartbeats", "no_second_login", "stands_as_it_came",
}  # fmt: skip
"""Found within a few scenarios."""


def _marked(defect: PlantedDefect) -> object:
    return pytest.param(defect, id=defect.name, marks=pytest.mark.seconds if defect.name in QUICK else pytest.mark.slow)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("defect", [_marked(defect) for defect in DEFECTS])
def test_a_planted_defect_is_found(defect: PlantedDefect, capsys: pytest.CaptureFixture[str]) -> None:
    with Quiet(), defect.planted():
        plans = (plan_at("mixed", seed, (2, 4)) for seed in range(BOUND))
        found = next((outcome for outcome in map(play, plans) if outcome.wrong), None)
    assert found is not None, f"{defect.name} was not found in {BOUND} scenarios"
    assert "AttributeError" not in found.wrong[0], "the defect does not fit the product any more"
    with capsys.disabled():
        report = f"| `{defect.name}` | {defect.says} | {found.plan.seed + 1} | {found.wrong[0]} |"
        os.write(1, f"\n{report}\n".encode())
    if defect.name in QUICK:
        # It is the defect that was found: without it the same plan finds nothing.
        with Quiet():
            assert play(found.plan).wrong == ()


def test_there_are_at_least_twenty_and_all_have_a_place() -> None:
    assert len(DEFECTS) >= 20
    assert {defect.name for defect in DEFECTS} >= QUICK


@pytest.mark.parametrize("defect", [pytest.param(defect, id=defect.name) for defect in DEFECTS])
def test_the_product_has_the_place_of_each(defect: PlantedDefect) -> None:
    with defect.planted():
        pass
