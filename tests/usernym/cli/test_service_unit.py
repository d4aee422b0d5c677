"""The systemd unit: what it runs is a command of ours, and systemd takes it for a user's service."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from usernym.cli.failures import Exit
from usernym.cli.grammar import parse
from usernym.cli.signals import STOP_S

UNIT = Path(__file__).resolve().parents[3] / "contrib" / "systemd" / "usernym-node.service"


@pytest.fixture
def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser["Service"]


def test_it_runs_a_command_that_there_is(service: configparser.SectionProxy) -> None:
    command, *arguments = service["ExecStart"].replace("%h", "/home/me").split()
    assert Path(command).name == "usernym"
    entry, parsed = parse(arguments)
    assert (entry.kind, parsed.log_format) == ("node", "json")
    assert service["ReadWritePaths"] == "%h/.local/share/usernym-node"
    assert str(parsed.home) == "/home/me/.local/share/usernym-node"


def test_it_waits_longer_than_an_end_may_take_and_retries_only_what_may_pass(
    service: configparser.SectionProxy,
) -> None:
    assert int(service["TimeoutStopSec"]) > STOP_S
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == {Exit.USAGE, Exit.STORAGE}


def test_its_memory_stays_off_the_disk(service: configparser.SectionProxy) -> None:
    assert (service["MemorySwapMax"], service["LimitCORE"]) == ("0", "0")


def test_systemd_takes_it_for_a_users_service(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze on this machine")
    (tmp_path / ".local" / "bin").mkdir(parents=True)
    (tmp_path / ".local" / "bin" / "usernym").symlink_to(Path(sys.executable).parent / "usernym")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(UNIT)],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
