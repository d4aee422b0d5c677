"""A real Nym network in a process of its own, to be killed: reached by nym-client's websocket, or by its directory.

Needs `nym_python_sdk`. What the network must remember over a `kill -9` (keys, registrations) is in its state folder.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.helpers.ports import keep
from usernym.demo.processes import Running
from usernym.protocol.limits import SURBS_WITHHELD

END_S = 60.0


class LocalNymNetwork:
    """See `crash_world.Network`. Each mixnet client is a websocket of the network's own process."""

    control_port: int | None = None

    def __init__(self, folder: Path, clients: int, first_port: int) -> None:
        self._folder = folder
        self._clients = clients
        self._first_port = first_port
        self._process: Running | None = None
        self._gateways_kept = False

    def _names(self) -> list[str]:
        return [f"client{number}" for number in range(self._clients)]

    def start(self) -> None:
        """See `crash_world.Network`."""
        command = [
            sys.executable,
            "-I",
            "-m",
            "nym_python_sdk.localnet",
            "--json",
            "--seed",
            "7",
            "--delay-scale",
            "0.1",
        ]
        command += ["--state", str(self._folder / "nym-state"), "--directory-port", str(self._first_port - 1)]
        if names := self._names():
            command += ["--clients", ",".join(names), "--first-port", str(self._first_port)]
            command += ["--surbs-withheld", str(SURBS_WITHHELD)]
        with (log_file := self._folder / "mixnet.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self._process = Running("mixnet", process, log_file)
        self._process.wait_for("that it is ready", lambda told: "directory" in told)

    def mixnet(self, number: int) -> str:
        """See `crash_world.Network`."""
        return f"ws://127.0.0.1:{self._first_port + number}"

    def kill(self) -> None:
        """See `crash_world.Network`."""
        assert self._process is not None
        self._process.process.kill()
        self._process.process.wait()
        self._process.end()
        self._keep_gateways()

    def _keep_gateways(self) -> None:
        """The kernel chose the gateways' ports, which the next process must have again."""
        saved = self._folder / "nym-state" / "network" / "network.json"
        if not self._gateways_kept and saved.exists():
            self._gateways_kept = keep(json.loads(saved.read_text())["gateway_ports"], again=True)

    def stop(self) -> int:
        """See `crash_world.Network`."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.process.send_signal(signal.SIGTERM)
        code = self._process.process.wait(END_S)
        self._process.end()
        return code


class NymInProcesses(LocalNymNetwork):
    """The same network; each usernym process has its Nym client inside, and finds the network by its directory."""

    def _names(self) -> list[str]:
        return []

    def mixnet(self, number: int) -> str:
        """See `crash_world.Network`."""
        return f"nym:http://127.0.0.1:{self._first_port - 1}/?cover=off"
