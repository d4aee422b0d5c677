"""What a command loads: names of modules, not times, so that it is the same on any machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HEAVY = {"pykka", "peewee", "sqlcipher3", "cryptography", "argon2", "websockets", "mnemonic", "segno", "asyncio",
         "starlette", "prometheus_client"}  # fmt: skip
LOADED = """
import json, sys
from usernym.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as end:
    code = end.code
print(json.dumps([code, sorted(sys.modules)]))
"""


def loaded(*arguments: str, folder: Path | None = None) -> set[str]:
    """The modules that are loaded when a command has ended well."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", LOADED, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert not code, done.stdout + done.stderr
    return set(modules)


def heavy(modules: set[str]) -> set[str]:
    return HEAVY & {module.split(".")[0] for module in modules}


def ours(modules: set[str]) -> set[str]:
    return {module for module in modules if module.startswith("usernym.")}


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("node", "--help"), ("send", "--help"),
                                       ("completion", "bash")])  # fmt: skip
def test_what_needs_no_client_loads_none(arguments: tuple[str, ...]) -> None:
    assert heavy(loaded(*arguments)) == set()


def test_a_version_loads_no_command() -> None:
    found = ours(loaded("--version"))
    assert "usernym.cli.grammar" in found
    assert not found & {"usernym.cli.session", "usernym.cli.texts", "usernym.cli.account", "usernym.client"}


def test_a_commands_help_loads_its_module_only() -> None:
    found = ours(loaded("send", "--help"))
    assert "usernym.cli.texts" in found
    assert not found & {"usernym.cli.account", "usernym.cli.people", "usernym.cli.node", "usernym.cli.listen"}


@pytest.mark.processes
def test_a_send_that_is_handed_over_loads_no_client(network: Any) -> None:
    xia, yan = network.user("xia"), network.user("yan")
    listener = network.terminal.start(xia, "--home", xia, "listen")
    listener.wait_for("that it is connected", lambda printed: printed.get("online") is True)
    found = loaded("--home", xia, "send", yan, "hello", folder=network.terminal.folder)
    network.terminal.interrupt(listener)
    assert heavy(found) == set()
    assert not ours(found) & {"usernym.client", "usernym.actors", "usernym.storage", "usernym.cli.opening"}
