"""`usernym node run --workers N`: several processes of one node on one machine, and one that looks after them.

Each worker is `usernym node run` in a process of its own, with a home, a mixnet client and a port for metrics of its
own. The first one has the node's home; the others have theirs in its folder `workers`. This process starts them, starts
one again that has ended, and ends them. It has no part in the node: it opens neither the store nor a mixnet client.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from usernym import control
from usernym.cli.command import Deadline, Invocation
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.node import DrainCommand, WorkerEndedJson, WorkerStartedJson
from usernym.cli.session import ask_holder
from usernym.cli.signals import STOP_S, Stopping
from usernym.cli.terminal import print_json
from usernym.errors import SettingsError
from usernym.log import fields
from usernym.logger import logger
from usernym.mixnets import parse_mixnet
from usernym.node import check_store
from usernym.settings import PREFIX, WORKERS_FOLDER, NodeSettings
from usernym.storage.locks import Home

PAUSE_S: Final = 1.0
"""Before a worker that ended is started again; twice as long each time."""
PAUSE_MAX_S: Final = 60.0
SETTLED_S: Final = 600.0
"""A worker that has run for so long is in the node's card: its next end counts as the first."""
ENDS_MAX: Final = 10
"""So often in a row a worker is started again: for five minutes or longer. Then a person is needed."""
DRAIN_S: Final = 40.0
"""How long its users may take to go to workers on other machines when it is stopped: their clients take the new card
within seconds, and within some more where packets are lost. Where there are no others, it does not wait."""
KILL_S: Final = STOP_S + 5.0
"""How long after SIGTERM a worker is killed: it ends within `STOP_S` by itself."""
LOOK_S: Final = 0.2
"""How often it looks whether a worker has ended."""
PORT_MAX: Final = 65_535


class Restarts:
    """When a worker that ended is started again."""

    def __init__(self) -> None:
        self._ends = 0

    def after(self, code: int, lived_s: float) -> float | None:
        """Seconds until then, after an end with this exit code; None: not any more."""
        self._ends = 1 if lived_s >= SETTLED_S else self._ends + 1
        if code == Exit.USAGE or self._ends > ENDS_MAX:  # a wrong setting does not get better by trying again
            return None
        return min(PAUSE_S * 2.0 ** (self._ends - 1), PAUSE_MAX_S)


class _Worker:
    """One of the processes."""

    def __init__(self, number: int, home: Path, typed: Invocation[NodeSettings]) -> None:
        self.number = number
        self.home = home
        self._typed = typed
        self._restarts = Restarts()
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = self._due = time.monotonic()
        self.exit: int | None = None
        """Its exit code, if it is not started again."""

    def look(self) -> None:
        """Start it if it is time, and see whether it has ended. Called by the main thread only: the process gets its
        SIGTERM when the thread that started it ends."""
        now = time.monotonic()
        if self._process is None:
            if self.exit is None and now >= self._due:
                self._start(now)
            return
        code = self._process.poll()
        if code is None:
            return
        self._process = None
        pause = self._restarts.after(code, now - self._started_at)
        if pause is None:
            self.exit = code
        else:
            self._due = now + pause
        self._say_ended(WorkerEndedJson(self.number, code, pause))

    def _say_ended(self, event: WorkerEndedJson) -> None:
        given_up = event.again_in_s is None
        again = "it is not started again" if given_up else f"it is started again in {event.again_in_s:g} seconds"
        log = logger.error if given_up else logger.warning
        log("worker %d has ended with %d: %s", event.worker, event.exit, again)
        self._say(event)

    def _start(self, now: float) -> None:
        command = [sys.executable, "-P", "-m", "usernym.cli.child", str(os.getpid()), "--home", str(self.home)]
        # The settings are all in the environment, where other users can't read them.
        command += ["--config", os.devnull, *(["--json"] if self._typed.json else []), "node", "run"]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command, env=_environment(self._typed.settings), stdin=subprocess.DEVNULL, start_new_session=True
            )
        except OSError as error:  # the machine has no process or no memory left: that must not end the others
            self._due = now + PAUSE_MAX_S
            logger.error("worker %d can't be started: %s", self.number, error.strerror)
            return
        self._started_at = now
        logger.info("worker %d starts", self.number, extra=fields(process=self._process.pid))
        self._say(WorkerStartedJson(self.number, self._process.pid))

    def _say(self, event: WorkerStartedJson | WorkerEndedJson) -> None:
        if self._typed.json:
            with contextlib.suppress(Exception):  # the output is closed
                print_json(event)

    def stop(self) -> None:
        """Let its users go to other workers, if there are any; then end it."""
        process = self._process
        if process is None:
            return
        # Unless it has not started yet, or the database is away.
        with contextlib.suppress(CommandFailed, control.NoHolder, control.HolderBusy, control.HolderGone):
            ask_holder(self.home, DrainCommand(), Deadline(DRAIN_S))
        process.terminate()
        try:
            process.wait(KILL_S)
        except subprocess.TimeoutExpired:
            logger.error("worker %d did not end: it is killed", self.number)
            process.kill()
            process.wait()


def run_workers(typed: Invocation[NodeSettings], mixnet: str, store: str | None) -> None:
    """Run the workers until a signal comes. Raises `SettingsError`, `StorageError`s, and `CommandFailed` if none is
    left that could be started again."""
    settings = typed.settings
    if store is None:
        raise SettingsError("several workers need one database: name it (--store postgresql://user@host/database)")
    check_store(typed.home, store)
    team = []
    for number in range(1, settings.workers + 1):
        its = replace(typed, settings=_settings_of(settings, mixnet, store, number))
        home = typed.home if number == 1 else typed.home / WORKERS_FOLDER / str(number)
        team.append(_Worker(number, home, its))
    with Home(typed.home / WORKERS_FOLDER, "node's workers"), Stopping(DRAIN_S + KILL_S + LOOK_S) as stopping:
        while stopping.signalled is None and any(worker.exit is None for worker in team):
            for worker in team:
                worker.look()
            time.sleep(LOOK_S)
        ends = [threading.Thread(target=worker.stop) for worker in team]
        for end in ends:
            end.start()
        for end in ends:
            end.join()
    if stopping.signalled is None:
        wrong = all(worker.exit == Exit.USAGE for worker in team)
        code = Exit.USAGE if wrong else Exit.INTERNAL
        raise CommandFailed(code, "stopped", "all workers of the node have ended again and again: the log says why")
    logger.info("the node has stopped")


def _settings_of(settings: NodeSettings, mixnet: str, store: str, number: int) -> NodeSettings:
    """A worker's settings. Raises `SettingsError`."""

    def own_port(port: int) -> int:
        if port + number - 1 > PORT_MAX:
            raise SettingsError(f"worker {number} would get a port above {PORT_MAX}: ports count up from the first's")
        return port + number - 1

    parse_mixnet(mixnet)
    if mixnet.startswith("ws://"):
        parts = urlsplit(mixnet)
        host, _, port = parts.netloc.rpartition(":")
        if not host or not port.isdecimal():
            raise SettingsError("name the first worker's nym-client with its port; the others' ports count up from it")
        mixnet = parts._replace(netloc=f"{host}:{own_port(int(port))}").geturl()
    return msgspec.structs.replace(
        settings,
        mixnet=mixnet,
        store=store,
        workers=1,
        former_mixnets=settings.former_mixnets if number == 1 else (),
        metrics_port=settings.metrics_port and own_port(settings.metrics_port),
    )


def _environment(settings: NodeSettings) -> dict[str, str]:
    variables = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    for key in settings.__struct_fields__:
        value = getattr(settings, key)
        if value != () and value is not None:
            variables[PREFIX + key.upper()] = ",".join(value) if isinstance(value, tuple) else str(value)
    return variables
