"""The demo's processes: started in a folder of their own, watched through what they print, always ended."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.interruptions import Interruptions
from usernym.settings import PASSPHRASE_VARIABLE, PREFIX

STEP_S: Final = 40.0
"""How long any one step may take; it takes a second or two."""
END_S: Final = 10.0
"""How long a process may take to end in order."""

Told = dict[str, Any]


def demo_failed(text: str) -> CommandFailed:
    """The demo's end when a step did not happen, or a claim did not hold."""
    return CommandFailed(Exit.INTERNAL, "demo_failed", f"the demo failed: {text}")


class Running:
    """A process that prints a JSON object a line, which can be waited for."""

    def __init__(self, name: str, process: subprocess.Popen[str]) -> None:
        self.name = name
        self.process = process
        self._told: list[Told] = []
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, name=f"demo-{name}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None, "started with a pipe"
        for line in self.process.stdout:
            with contextlib.suppress(ValueError), self._news:
                self._told.append(json.loads(line))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def told(self) -> list[Told]:
        """All that it has told so far."""
        with self._news:
            return list(self._told)

    def wait_for(self, what: str, wanted: Callable[[Told], bool]) -> Told:
        """The first thing told, from the start on, that is `wanted`. Raises if it does not come in time."""

        def found() -> Told | None:
            return next((told for told in self._told if wanted(told)), None)

        with self._news:
            self._news.wait_for(lambda: self._ended or found() is not None, STEP_S)
            told = found()
        if told is None:
            raise demo_failed(f"{self.name} never told {what}" + (", and has ended" if self._ended else ""))
        return told

    def end(self) -> None:
        """End it in order; if it does not, at once."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(END_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(END_S)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended, and the object it printed last."""

    code: int
    told: Told


class Processes:
    """All processes of a demo. Leaving the context ends them, whatever happened."""

    def __init__(
        self, folder: Path, interruptions: Interruptions, on_spawn: Callable[[int], None] | None = None
    ) -> None:
        self.folder = folder
        self._interruptions = interruptions
        self._on_spawn = on_spawn
        self._running: list[Running] = []
        self._spawned: list[subprocess.Popen[str]] = []
        # Nobody's own settings: the demo is to be the same everywhere.
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        self._environment[PASSPHRASE_VARIABLE] = secrets.token_urlsafe()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._spawned:
            if process.poll() is None:
                process.terminate()
        for running in reversed(self._running):
            running.end()
        for process in self._spawned:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-P", "-m", "usernym.cli", "--json", "--timeout", f"{STEP_S:g}", *arguments]

    def _spawn(self, name: str, arguments: tuple[str, ...], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        # As a whole: a process that is started and not yet known here could not be ended.
        with self.log_of(name).open("ab") as log, self._interruptions.whole():
            process = subprocess.Popen(
                self._command(arguments),
                cwd=self.folder,
                env=self._environment,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for the demo, which then ends them in order
            )
            self._spawned.append(process)
            if self._on_spawn is not None:
                self._on_spawn(process.pid)
        return process

    def log_of(self, name: str) -> Path:
        """Where what `name` says on its standard error goes."""
        return self.folder / f"{name}.log"

    def start(self, name: str, *arguments: str, is_typed_to: bool = False) -> Running:
        """Start a command that runs until the demo ends; its standard input is a pipe, or nothing."""
        process = self._spawn(name, arguments, subprocess.PIPE if is_typed_to else subprocess.DEVNULL)
        running = Running(name, process)
        self._running.append(running)
        return running

    def run(self, *arguments: str, home: str, expect: int = Exit.OK) -> Result:
        """Run a command to its end. Raises if its exit code is not the one expected."""
        process = self._spawn(f"{home}-commands", ("--home", home, *arguments))
        try:
            output, _ = process.communicate(timeout=STEP_S + END_S)
        except subprocess.TimeoutExpired:
            raise demo_failed(f"`usernym {arguments[0]}` did not end") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        lines = output.splitlines()
        try:
            told: Told = json.loads(lines[-1])
        except (IndexError, ValueError):
            raise demo_failed(f"`usernym {arguments[0]}` printed no JSON (exit code {process.returncode})") from None
        if process.returncode != expect:
            why = told.get("text", "no reason given")
            raise demo_failed(f"`usernym {arguments[0]}` ended with {process.returncode} instead of {expect:d}: {why}")
        return Result(process.returncode, told)


def settled(read: Callable[[], Any], quiet_s: float = 0.7, at_most_s: float = 8.0) -> Any:
    """What `read` returns once it has stayed the same for `quiet_s`: what a step set off has come to rest."""
    end = time.monotonic() + at_most_s
    value, since = read(), time.monotonic()
    while time.monotonic() - since < quiet_s:
        if time.monotonic() > end:
            raise demo_failed("the mixnet does not come to rest")
        time.sleep(0.1)
        if (now := read()) != value:
            value, since = now, time.monotonic()
    return value
