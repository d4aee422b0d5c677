"""Everything that is installed is pinned with hashes, for users and developers alike, and in one version everywhere."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

import usernym

ROOT: Final = Path(usernym.__file__).parent.parent
OF_THE_CHECKOUT: Final = "nym-python-sdk"
"""It is in no registry: `make dist` builds it beside usernym, and only there an installer may take it from."""
PINS: Final = ("requirements/run.txt", "requirements/dev.txt")
RECIPES: Final = sorted(
    path
    for pattern in (
        "Makefile",
        ".ci/*",
        ".github/workflows/*.yml",
        "contrib/**/*",
        "*.md",
        "docs/**/*.md",
        "nym_python_sdk/*.md",
    )
    for path in ROOT.glob(pattern)
    if path.is_file()
)
_SAFE: Final = ("--require-hashes", "--no-index", "$(PINNED)", "$(OFFLINE)")


def _pins(path: str) -> dict[str, list[str]]:
    """Each package's pin, `name==version`, with its hashes."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / path).read_text("utf-8")).replace("\\\n", " ")
    return {line.split()[0]: re.findall(r"--hash=sha256:[0-9a-f]{64}\b", line) for line in text.splitlines()}


@pytest.mark.parametrize("path", PINS)
def test_every_pin_is_one_version_with_hashes(path: str) -> None:
    pins = _pins(path)
    assert len(pins) > 20
    for pin, hashes in pins.items():
        assert re.fullmatch(r"[a-z0-9.-]+==[0-9a-z.]+", pin)
        assert hashes, pin


def test_users_get_the_versions_that_are_tested() -> None:
    assert _pins("requirements/run.txt").items() <= _pins("requirements/dev.txt").items()


def test_every_dependency_is_pinned() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    wanted = {
        re.split(r"[<>=\[]", line)[0]
        for text in (setup["options"]["install_requires"], *setup["options.extras_require"].values())
        for line in text.split()
    }
    assert wanted - {"usernym", OF_THE_CHECKOUT} <= {pin.split("==")[0] for pin in _pins("requirements/dev.txt")}


def test_the_extra_for_nym_is_the_package_of_this_checkout_and_no_other_version() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    version = tomllib.loads((ROOT / "nym_python_sdk/Cargo.toml").read_text("utf-8"))["package"]["version"]
    assert setup["options.extras_require"]["nym"].split() == [f"{OF_THE_CHECKOUT}=={version}"]


@pytest.mark.parametrize(
    ("path", "tool"), [("pyproject.toml", "setuptools"), ("nym_python_sdk/pyproject.toml", "maturin")]
)
def test_what_builds_a_distribution_is_the_pinned_version(path: str, tool: str) -> None:
    [build_tool] = tomllib.loads((ROOT / path).read_text("utf-8"))["build-system"]["requires"]
    assert build_tool in _pins("requirements/dev.txt")
    assert build_tool.startswith(f"{tool}==")


def test_the_compiler_is_one_version() -> None:
    toolchain = tomllib.loads((ROOT / "nym_python_sdk/rust-toolchain.toml").read_text("utf-8"))["toolchain"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", toolchain["channel"])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_recipe_installs_what_no_hash_covers(path: Path) -> None:
    text = path.read_text("utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if re.search(r"\b(pip|pipx|uv) install|\bpip3? install", line):
            assert any(option in line for option in _SAFE), line
        if action := re.search(r"\buses: *(\S+)", line):
            assert re.search(r"@[0-9a-f]{40}$", action[1]), line
        if re.search(r"\bcargo (build|install)|maturin build", line):
            assert "--locked" in line, line
