"""What an installed wheel contains."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.seconds  # the wheel is built
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    # From a copy: building leaves folders beside the sources.
    source = folder / "source"
    subprocess.run(["git", "clone", "--quiet", "--no-local", str(ROOT), str(source)], check=True)
    command = [sys.executable, "-Im", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(source)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_has_one_top_level_package(wheel_names: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"usernym"}


@pytest.mark.parametrize("package", ["", "actors/", "protocol/", "storage/", "mixnet/"])
def test_every_package_is_there_and_typed(wheel_names: set[str], package: str) -> None:
    assert f"usernym/{package}__init__.py" in wheel_names
    assert f"usernym/{package}py.typed" in wheel_names


def test_every_module_of_the_checkout_is_in_the_wheel(wheel_names: set[str]) -> None:
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "*.py"], capture_output=True, text=True, check=True)
    ours = [name for name in listed.stdout.split() if name.split("/")[0] in {"actors", "protocol", "storage", "mixnet"}]
    assert ours
    assert {f"usernym/{name}" for name in ours} <= wheel_names
