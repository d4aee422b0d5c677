"""A search that continues where it stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from usernym.cli import main
from usernym.cli.failures import Exit
from usernym.testing import faults as f
from usernym.testing.loop import Summary
from usernym.testing.nightly import BadNightly, Nightly, Standing
from usernym.testing.plan import Plan
from usernym.testing.run import Outcome


def failed(seed: int) -> Outcome:
    """A run of this seed in which something was wrong."""
    return Outcome(Plan(seed, 2, (f.Pause(1),)), ("wrong",), 0, 0, 0, 0, 0, 0.0)


def test_each_profile_continues_at_its_own_seed(tmp_path: Path) -> None:
    file = tmp_path / "nightly.json"
    nightly = Nightly(file)
    assert nightly.standing("mixed") == Standing(0, 0)
    nightly.note("mixed", Summary(next_seed=40))
    nightly.note("node", Summary(next_seed=7))
    again = Nightly(file)
    assert again.standing("mixed") == Standing(40, 40)
    again.note("mixed", Summary(next_seed=100))
    assert Nightly(file).standing("mixed") == Standing(100, 100)
    assert Nightly(file).standing("node") == Standing(7, 7)


def test_a_failure_comes_first_the_next_night_and_breaks_the_row(tmp_path: Path) -> None:
    nightly = Nightly(tmp_path / "nightly.json")
    nightly.note("mixed", Summary(next_seed=1000))
    nightly.note("mixed", Summary(next_seed=1020, failures=[failed(1013), failed(1008)]))
    assert nightly.standing("mixed") == Standing(1008, 0)
    nightly.note("mixed", Summary(next_seed=1100))
    assert nightly.standing("mixed") == Standing(1100, 92)


@pytest.mark.parametrize("content", ["", "[]", '{"mixed": 3}', "\0"])
def test_another_file_is_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "nightly.json"
    file.write_text(content)
    with pytest.raises(BadNightly):
        Nightly(file)
    assert file.read_text() == content


@pytest.mark.seconds
def test_the_command_continues(tmp_path: Path) -> None:
    file = tmp_path / "nightly.json"
    command = ["simulate", "--resume", str(file), "--jobs", "1", "--scenarios", "2"]
    assert main(command) == Exit.OK
    assert main(command) == Exit.OK
    assert Nightly(file).standing("mixed") == Standing(4, 4)
