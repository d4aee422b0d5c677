"""`usernym simulate`: a summary, a line that replays a failure, charts, and errors that say what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.planted_defects import DEFECTS
from usernym.cli import main
from usernym.cli.failures import Exit


@contextmanager
def planted(name: str) -> Iterator[None]:
    (defect,) = (each for each in DEFECTS if each.name == name)
    with defect.planted():
        yield


@pytest.mark.seconds
def test_a_search_that_finds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--scenarios", "3", "--jobs", "1"]) == Exit.OK
    assert "continue with: --seed 3" in capsys.readouterr().out
    assert main(["simulate", "--seed", "3", "--scenarios", "2", "--jobs", "1", "--clients", "2", "--json"]) == Exit.OK
    summary = json.loads(capsys.readouterr().out)
    assert summary["scenarios"] == 2
    assert summary["next_seed"] == 5
    assert summary["failures"] == 0
    assert summary["messages"] > 0


@pytest.mark.processes
def test_several_processes_make_the_same_runs(capsys: pytest.CaptureFixture[str]) -> None:
    counted = []
    for jobs in ("1", "2"):
        assert main(["simulate", "--scenarios", "4", "--jobs", jobs, "--json"]) == Exit.OK
        summary = json.loads(capsys.readouterr().out)
        counted.append({name: summary[name] for name in ("scenarios", "messages", "shown", "crashes", "virtual_hours")})
    assert counted[0] == counted[1]


@pytest.mark.seconds
def test_a_search_may_be_bounded_by_messages_or_minutes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--profile", "soak", "--messages", "200", "--jobs", "1", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["messages"] >= 200
    assert main(["simulate", "--minutes", "0.01", "--jobs", "1", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["scenarios"] >= 1


@pytest.mark.seconds
def test_a_failure_ends_in_a_line_that_brings_it_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    chart, mermaid = tmp_path / "chart.txt", tmp_path / "chart.mmd"
    files = ["--chart", str(chart), "--mermaid", str(mermaid)]
    with planted("delivered_when_accepted"):
        assert main(["simulate", "--scenarios", "5", "--jobs", "1", *files]) == Exit.REFUSED
        told = capsys.readouterr()
        assert "called delivered before it was shown" in told.err
        (command,) = told.out.splitlines()
        assert command.startswith("usernym simulate --replay ")
        assert "Forward" in chart.read_text()
        assert mermaid.read_text().startswith("sequenceDiagram")
        assert main(command.split()[1:]) == Exit.REFUSED
        assert "called delivered before it was shown" in capsys.readouterr().err
        assert main([*command.split()[1:], "--json"]) == Exit.REFUSED
        assert json.loads(capsys.readouterr().out)["error"] == "simulation_failed"
    # Without the defect, the same plan is fine.
    assert main(command.split()[1:]) == Exit.OK
    assert "nothing is wrong" in capsys.readouterr().out


def test_what_cant_be_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--replay", "nonsense!"]) == Exit.USAGE
    assert "not a plan" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--clients", "1"], ["--clients", "4-2"], ["--scenarios", "0"], ["--jobs", "x"]])
def test_odd_options_are_refused(options: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *options])
    assert ended.value.code == Exit.USAGE
