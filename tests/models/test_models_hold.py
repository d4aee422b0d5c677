"""`make models`: TLC goes through all states of each model in docs/models; each mutation violates what it is meant to.

Needs Java and `tla2tools.jar`, which TLA2TOOLS names; `make models` sees to the second.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

MODELS = Path(__file__).parents[2] / "docs" / "models"
TOOLS = os.environ.get("TLA2TOOLS", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not TOOLS or shutil.which("java") is None, reason="run `make models`, with Java 11 or newer"),
]

MUTATIONS = {
    "Directory": dict.fromkeys(
        (
            "CheckContinues",
            "CheckLeaf",
            "LookAsOthers",
            "CompareLookups",
            "CompareTexts",
            "ProofsAreNew",
            "ChainsGrow",
            "CheckWitness",
        ),
        "ForgeryIsFound",
    ),
    "Login": {"CheckTag": "RouteIsTheUsers", "CheckOrder": "RoutesDoNotGoBack"},
    "Witness": dict.fromkeys(("WitnessChecks", "PersistFirst", "CheckMark"), "OneHistory"),
    "Succession": {"CountMatters": "RecoveriesNeverFall", "FreshSeeds": "ReplacementsAreNew"},
}
"""By model: which constant, made FALSE, violates which invariant or property."""


def check(model: str, config: str, folder: Path) -> str:
    """What TLC says of a model under this configuration."""
    # TLC reads both files from one folder, by their names.
    (folder / f"{model}.cfg").write_text(config)
    shutil.copy(MODELS / f"{model}.tla", folder)
    command = [
        "java", "-XX:+UseParallelGC", f"-Djava.io.tmpdir={folder}", "-cp", TOOLS, "tlc2.TLC", "-deadlock",
        "-metadir", str(folder / "states"), "-config", f"{model}.cfg", f"{model}.tla",
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder).stdout


def config_of(model: str) -> str:
    """The model's configuration."""
    return (MODELS / f"{model}.cfg").read_text()


@pytest.mark.parametrize("model", sorted(MUTATIONS))
def test_a_model_holds(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = check(model, config_of(model), tmp_path)
    assert "Model checking completed. No error has been found." in said, said
    found = re.search(r"(\d+) distinct states found, 0 states left", said)
    assert found is not None
    with capsys.disabled():
        os.write(1, f"\n{model}: {found[1]} states\n".encode())


@pytest.mark.parametrize(
    ("model", "constant"), [(model, constant) for model, each in MUTATIONS.items() for constant in each]
)
def test_a_mutation_violates_its_invariant(model: str, constant: str, tmp_path: Path) -> None:
    config = config_of(model)
    mutated = re.sub(rf"{constant} = TRUE", f"{constant} = FALSE", config)
    assert mutated != config
    said = check(model, mutated, tmp_path)
    broken = MUTATIONS[model][constant]
    # TLC names a violated invariant, and for a property gives its definition.
    assert f"Invariant {broken} is violated" in said or re.search(r"(Action|Temporal) propert.*violated", said), said


def test_every_model_has_its_mutations() -> None:
    assert {path.stem for path in MODELS.glob("*.tla")} == set(MUTATIONS)
    for model, each in MUTATIONS.items():
        assert all(name in config_of(model) for pair in each.items() for name in pair)
