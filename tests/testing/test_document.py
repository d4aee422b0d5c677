"""docs/testing.md and testing-figures.md: the example runs, the lists of faults and planted defects are complete, and
numbers are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.planted_defects import DEFECTS
from tests.helpers.planted_harm import HARMS
from tests.helpers.planted_workers import WORKER_DEFECTS
from usernym.testing import ScenarioFailed, faults
from usernym.testing.forgeries import FORGERIES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "testing.md").read_text()
FIGURES = (DOCS / "testing-figures.md").read_text()
MAKEFILE = (DOCS.parent / "Makefile").read_text()
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.seconds
def test_the_example_runs() -> None:
    exec(compile(EXAMPLE, "docs/testing.md", "exec"), {"__name__": "example"})


@pytest.mark.seconds
def test_the_example_is_worth_its_while() -> None:
    """As the page says: marked as read too early, an answer is lost, and the seed is named."""
    careless = EXAMPLE.replace(
        "stored.add_done_callback(lambda done, message=message: self.answered(done, message))",
        "self.client.mark_read([message])",
    )
    assert careless != EXAMPLE
    with pytest.raises(ScenarioFailed, match="with seed"):
        exec(compile(careless, "docs/testing.md", "exec"), {"__name__": "example"})


def test_every_fault_and_every_defect_is_listed() -> None:
    for name in faults.STEPS:
        assert f"`{name}`" in PAGE, name
    for defect in [*DEFECTS, *WORKER_DEFECTS, *(harm for _, harm in HARMS)]:
        (row,) = (line for line in FIGURES.splitlines() if line.startswith(f"| `{defect.name}` |"))
        _, _, says, *_, scenarios, found, _ = (cell.strip() for cell in row.split("|"))
        assert says == defect.says
        assert int(scenarios.replace(",", "")) > 0
        assert found


def test_the_numbers_of_defects_and_of_forgeries_are_those_of_the_code() -> None:
    count = len(DEFECTS) + len(HARMS) + len(WORKER_DEFECTS)
    assert f"plant {count} defects" in MAKEFILE
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    assert f"one of {words[len(FORGERIES) - 1]} ways, or in none" in PAGE
    assert f"{words[len(HARMS)].capitalize()} kinds of harm" in FIGURES
