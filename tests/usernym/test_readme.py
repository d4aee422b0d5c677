"""What the README, the page on the command line and the bot guide's whole program show is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from usernym.cli.failures import MEANINGS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = (ROOT / "docs" / "commands.md").read_text()
GUIDE = (ROOT / "docs" / "bot-guide.md").read_text()


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)
    local = [link.partition("#") for link in links if not link.startswith("https://")]
    assert len(local) >= 6
    assert [file for file, _, _ in local if not (ROOT / file).exists()] == []
    for file, _, section in local:
        page = (ROOT / (file or "README.md")).read_text() if section else ""
        headings = [heading.lower().replace("'", "") for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)]
        assert not section or section in [heading.replace(" ", "-") for heading in headings]


def test_the_exit_codes_are_those_of_the_program() -> None:
    rows = re.findall(r"^\| (\d) \| (.+) \|$", COMMANDS, re.MULTILINE)
    assert [(int(code), text.partition(" (")[0]) for code, text in rows] == [
        (int(code), meaning) for code, meaning in MEANINGS.items()
    ]


@pytest.mark.processes
def test_the_whole_program_runs(tmp_path: Path, network: Any) -> None:
    (code,) = re.findall(r"## A whole program\n.+?```python\n(.+?)```", GUIDE, re.DOTALL)
    for port in (1977, 1978, 1979):
        assert code.count(f"ws://127.0.0.1:{port}") == 1
        code = code.replace(f"ws://127.0.0.1:{port}", network.mixnet())
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()
    assert len(first.removeprefix("write these down: ").split()) == 12
    assert last == "bob says: you said: hello"
