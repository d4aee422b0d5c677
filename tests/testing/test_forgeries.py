"""Nodes that forge their directory, in many worlds: each forgery is found, and no honest node accused."""

from __future__ import annotations

import pytest

from usernym.testing.forgeries import FORGERIES, main, play_forgery

SEEDS = (*range(1, 61), 423_020, 440_203, 502_772)


@pytest.fixture(scope="module")
def kinds() -> set[str]:
    """The forgeries that were played."""
    return set()


@pytest.mark.seconds
@pytest.mark.parametrize("seed", SEEDS)
def test_each_forgery_is_found(seed: int, kinds: set[str]) -> None:
    outcome = play_forgery(seed)
    kinds.add(outcome.forgery)
    assert not outcome.wrong, f"seed {seed}, {outcome.forgery}"


@pytest.mark.seconds
def test_every_kind_is_among_them() -> None:
    played = [play_forgery(seed) for seed in range(1, 33)]
    assert {outcome.forgery for outcome in played} == set(FORGERIES)
    assert {outcome.forgery for outcome in played if outcome.witnessed} >= {"none", "split", "false_key"}


def test_the_command_says_what_it_played(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--scenarios", "2", "--seed", "5"]) == 0
    assert "2 scenarios" in capsys.readouterr().out
