"""The demo's processes: started in a folder of their own, watched through what they print, always ended.

They end even if the demo is killed (`usernym.cli.child`). Its folder is then removed by the next demo.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.signals import Interruptions
from usernym.settings import PASSPHRASE_VARIABLE, PREFIX

STEP_S: Final = 40.0
"""How long any one step may take; it takes a second or two."""
END_S: Final = 10.0
"""How long a process may take to end in order."""

LAST_LINES: Final = 15
"""Lines of a process's log that are shown when it has ended by itself: a traceback's end, and what led there."""

PREFIX_OF_FOLDERS: Final = "usernym-demo-"
LOCK: Final = "lock"
"""A file in the demo's folder, locked as long as the demo runs."""

Printed = dict[str, Any]
"""A JSON object that a process printed."""


def demo_failed(text: str) -> CommandFailed:
    """The demo's end when a step did not happen, or a claim did not hold."""
    return CommandFailed(Exit.INTERNAL, "demo_failed", f"the demo failed: {text}")


@contextlib.contextmanager
def demo_folder(interruptions: Interruptions) -> Iterator[Path]:
    """A new folder, which is removed at the end. Folders of demos that were killed are removed first."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX_OF_FOLDERS}*"):
        if _is_abandoned(left):
            shutil.rmtree(left, ignore_errors=True)
    with interruptions.uninterrupted(), contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX_OF_FOLDERS))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        unlocked = folder / f"{LOCK}.new"
        lock = stack.enter_context(unlocked.open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        unlocked.rename(folder / LOCK)  # it has this name only when it is locked
        cleanup = stack.pop_all()
    with cleanup:
        yield folder


def _is_abandoned(folder: Path) -> bool:
    """Whether this is a folder of ours whose demo has ended."""
    try:
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return False
        with (folder / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class Running:
    """A process that prints a JSON object a line, which can be waited for. `log` has its standard error."""

    def __init__(self, name: str, process: subprocess.Popen[str], log: Path | None = None) -> None:
        self.name = name
        self.process = process
        self._log = log
        self._printed: list[Printed] = []
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, name=f"demo-{name}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None, "started with a pipe"
        for line in self.process.stdout:
            with contextlib.suppress(ValueError), self._news:
                self._printed.append(json.loads(line))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def printed(self) -> list[Printed]:
        """All that it has printed so far."""
        with self._news:
            return list(self._printed)

    def wait_for(self, what: str, wanted: Callable[[Printed], bool]) -> Printed:
        """The first object printed, from the start on, that is `wanted`. Raises if it does not come in time."""

        def found() -> Printed | None:
            return next((printed for printed in self._printed if wanted(printed)), None)

        with self._news:
            self._news.wait_for(lambda: self._ended or found() is not None, STEP_S)
            printed = found()
        if printed is None:
            raise demo_failed(
                f"{self.name} did not report {what}" + (f", and {self.how_ended()}" if self._ended else "")
            )
        return printed

    def how_ended(self) -> str:
        """That it has ended, with what exit code, and the end of its log."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # it may have closed its output only
            self.process.wait(END_S)
        logged = self._log.read_text(errors="replace").splitlines() if self._log is not None else []
        return " | ".join([f"has ended (exit code {self.process.returncode})", *logged[-LAST_LINES:]])

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
    printed: Printed


class Processes:
    """All processes of a demo. Leaving the context ends them, whatever happened."""

    def __init__(self, folder: Path, interruptions: Interruptions) -> None:
        self.folder = folder
        self._interruptions = interruptions
        self._running: list[Running] = []
        self._spawned: list[subprocess.Popen[str]] = []
        # Without the user's own settings, so that the demo is the same everywhere.
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
        self._environment[PASSPHRASE_VARIABLE] = secrets.token_urlsafe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
        child = [sys.executable, "-P", "-m", "usernym.cli.child", str(os.getpid())]
        return [*child, "--json", "--timeout", f"{STEP_S:g}", *arguments]

    def _spawn(self, name: str, arguments: tuple[str, ...], stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        # Uninterrupted: a process that is started and not yet known here could not be ended.
        with self.log_of(name).open("ab") as log, self._interruptions.uninterrupted():
            process = subprocess.Popen(
                self._command(arguments), cwd=self.folder, env=self._environment, stdin=stdin, stdout=subprocess.PIPE,
                stderr=log, text=True, start_new_session=True,  # Ctrl-C is for the demo, which then ends them in order
            )  # fmt: skip
            self._spawned.append(process)
        return process

    def log_of(self, name: str) -> Path:
        """The file with the standard error of `name`."""
        return self.folder / f"{name}.log"

    def start(self, name: str, *arguments: str, is_typed_to: bool = False) -> Running:
        """Start a command that runs until the demo ends; its standard input is a pipe, or nothing."""
        process = self._spawn(name, arguments, subprocess.PIPE if is_typed_to else subprocess.DEVNULL)
        running = Running(name, process, self.log_of(name))
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
            printed: Printed = json.loads(lines[-1])
        except (IndexError, ValueError):
            raise demo_failed(f"`usernym {arguments[0]}` printed no JSON (exit code {process.returncode})") from None
        if process.returncode != expect:
            why = printed.get("text", "no reason given")
            raise demo_failed(f"`usernym {arguments[0]}` ended with {process.returncode} instead of {expect:d}: {why}")
        return Result(process.returncode, printed)


def settled(read: Callable[[], Any], quiet_s: float = 0.7, at_most_s: float = 8.0) -> Any:
    """What `read` returns once it has been the same for `quiet_s`: the effects of a step are over."""
    end = time.monotonic() + at_most_s
    value, since = read(), time.monotonic()
    while time.monotonic() - since < quiet_s:
        if time.monotonic() > end:
            raise demo_failed("packets keep moving in the mixnet")
        time.sleep(0.1)
        if (now := read()) != value:
            value, since = now, time.monotonic()
    return value
