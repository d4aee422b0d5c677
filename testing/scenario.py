"""Your own scenarios: a function that gets a world, run for many seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from usernym.testing.loop import Quiet
from usernym.testing.world import World


class ScenarioFailed(AssertionError):
    """A scenario failed; `seed` brings it back: `check(scenario, seed=…, scenarios=1)`."""

    def __init__(self, seed: int, error: BaseException) -> None:
        super().__init__(f"with seed {seed}: {type(error).__name__}: {error}")
        self.seed = seed


def check(scenario: Callable[[World], None], *, scenarios: int = 100, seed: int = 0, **world: Any) -> None:
    """Run `scenario` in so many worlds, with seeds from `seed` on; `world` is passed to `World` (disks are simulated if
    not said otherwise). Raises `ScenarioFailed` for the first that raises anything, or in which an actor had a bug.
    """
    with Quiet():
        for each in range(seed, seed + scenarios):
            with World(each, **({"disks": True} | world)) as it:
                try:
                    scenario(it)
                    assert not it.failures, f"an actor could not continue: {it.failures}"
                    bugs = [process.name for process in it.processes() if process.bugs_so_far()]
                    assert not bugs, f"bugs in {bugs}"
                except Exception as error:
                    raise ScenarioFailed(each, error) from error
