"""The systemd unit: what it runs is a command of ours, it may do little, and systemd takes it."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from usernym.cli.failures import Exit
from usernym.cli.grammar import parse
from usernym.cli.signals import STOP_S
from usernym.cli.workers import DRAIN_S, KILL_S

ROOT: Final = Path(__file__).resolve().parents[3]
UNIT: Final = ROOT / "contrib" / "systemd" / "usernym-node.service"
SYSUSERS: Final = UNIT.with_name("usernym.sysusers")
HOME: Final = "/var/lib/usernym"
EXPOSURE_MAX: Final = 2.0
"""Of 10, as `systemd-analyze security` counts it: "OK" ends at 4, and most services of a system are above 9."""

needs_systemd: Final = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze on this machine"
)


@pytest.fixture
def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser["Service"]


def test_it_runs_a_command_that_there_is_in_a_home_that_it_may_write_to(service: configparser.SectionProxy) -> None:
    command, *arguments = service["ExecStart"].split()
    assert command == "usernym", "so that systemd looks in /usr/local/bin and /usr/bin"
    entry, parsed = parse(arguments)
    assert (entry.kind, parsed.log_format, str(parsed.home)) == ("node", "json", HOME)
    assert (f"/var/lib/{service['StateDirectory']}", service["StateDirectoryMode"]) == (HOME, "0700")
    kind, user, _, _, home = re.findall(r'"[^"]*"|\S+', SYSUSERS.read_text().splitlines()[-1])
    assert (kind, user, home) == ("u", service["User"], HOME)


@pytest.mark.parametrize("path", ["docs/operations.md", "docs/installing.md", "docs/watching.md", "docs/runbook.md"])
def test_the_guides_name_the_same_home_and_user(path: str) -> None:
    text = (ROOT / path).read_text()
    homes = set(re.findall(r"/var/lib/[a-z-]+", text))
    assert homes <= {HOME}
    assert set(re.findall(r"sudo -u (\S+)", text)) <= {"usernym"}


def test_it_waits_longer_than_an_end_may_take_and_retries_only_what_may_pass(
    service: configparser.SectionProxy,
) -> None:
    assert int(service["TimeoutStopSec"]) > DRAIN_S + KILL_S > STOP_S
    assert service["KillMode"] == "mixed", "only the process that ends the workers in order gets SIGTERM"
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == {Exit.USAGE, Exit.STORAGE}


def test_its_memory_stays_off_the_disk(service: configparser.SectionProxy) -> None:
    assert (service["MemorySwapMax"], service["LimitCORE"]) == ("0", "0")


@needs_systemd
def test_systemd_takes_it(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    text = UNIT.read_text().replace("ExecStart=usernym", f"ExecStart={Path(sys.executable).parent / 'usernym'}")
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "usernym" in line]
    assert (done.returncode, ours) == (0, [])


@needs_systemd
def test_it_is_exposed_as_little_as_a_service_with_a_network_can_be() -> None:
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX * 10:.0f}", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr
    found = re.search(r"Overall exposure level for usernym-node\.service: ([0-9.]+)", done.stdout)
    assert found is not None
    assert float(found[1]) <= EXPOSURE_MAX
