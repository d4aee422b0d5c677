"""The import contracts in setup.cfg refuse what they say: violations are planted in a copy, also in brand-new files.

All are planted at once, since each is reported by the importing module; `lint-imports` runs once.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import usernym

ROOT: Final = Path(usernym.__file__).parent.parent
FOLDERS: Final = ("usernym", "actors", "chat", "mixnet", "protocol", "storage", "testing")

BUILDER: Final = next(path for path in (ROOT / "usernym").glob("*.py") if "client_graph(" in path.read_text("utf-8"))
PLANTED: Final = {
    # The handle that builds the client's graph names an actor's class.
    (f"usernym/{BUILDER.name}", "usernym.actors.forwarding.client"): "Only the wirings name actor classes",
    # The chat page takes its words from the command line.
    ("chat/shown.py", "usernym.cli.terminal"): "The chat page stands on the client's handle",
    # Files that exist already.
    ("actors/lookup/client.py", "usernym.storage.node.store"): "The client's half of an exchange",
    ("actors/lookup/node.py", "usernym.storage.client.store"): "The node's half of an exchange",
    ("usernym/metrics.py", "usernym.cli.terminal"): "Programs over handles",
    # Brand-new files.
    ("usernym/planted.py", "usernym.actors.lookup.client"): "Only the wirings name actor classes",
    ("usernym/cli/planted.py", "usernym.actors.graphs"): "Programs use the handles",
    ("usernym/cli/planted_too.py", "usernym.testing.world"): "The product does not need the simulation",
    ("chat/planted.py", "usernym.storage.client.store"): "The chat page stands on the client's handle",
    ("actors/planted/client.py", "usernym.actors.lookup.client"): "Actors do not know each other",
    ("actors/forwarding/planted.py", "usernym.mixnet.emulator.core"): "Actors know the mixnet by its interface only",
    ("actors/handshake/rules.py", "usernym.actors.registration.keys"): "The wirings over the exchanges, which do not",
    ("actors/base.py", "usernym.actors.graphs"): "The wirings over the exchanges",
    ("storage/client/planted.py", "usernym.actors.events"): "Programs over handles",
    ("mixnet/planted.py", "usernym.storage.database"): "Programs over handles",
    ("protocol/planted.py", "time"): "The protocol does no I/O",
}


def module_of(file: str) -> str:
    """The module in a file of the repository."""
    name = file.removesuffix(".py").replace("/", ".")
    return name if name.startswith("usernym.") else f"usernym.{name}"


def lint(folder: Path) -> str:
    """What lint-imports says of a copy of the product."""
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-cache", "--no-logo", "--config", "setup.cfg"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "COLUMNS": "1000", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Each broken contract's name and its part of the report."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "setup.cfg", folder)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for file, imported in PLANTED:
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        if path.parent.name == "planted":
            (path.parent / "__init__.py").touch()
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(f"{text}\nimport {imported}\n", encoding="utf-8")
    report = lint(folder)
    parts = re.split(r"^(.+)\n-{3,}\n", report.split("Broken contracts")[-1], flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize(("file", "imported"), PLANTED)
def test_a_planted_import_is_refused(reported: dict[str, str], file: str, imported: str) -> None:
    contract = next((name for name in reported if name.startswith(PLANTED[file, imported])), None)
    assert contract is not None, f"kept: {PLANTED[file, imported]}"
    assert re.search(rf"{re.escape(module_of(file))} -> {re.escape(imported)}\b", reported[contract])


def test_a_new_name_has_to_be_given_its_layer(reported: dict[str, str]) -> None:
    layers = {name: text for name, text in reported.items() if "over" in name}
    assert re.search(r"usernym\.planted\b|\bplanted\b", layers[next(name for name in layers if "handles" in name)])
    assert re.search(r"\bplanted\b", layers[next(name for name in layers if "wirings" in name)])
