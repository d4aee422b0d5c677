"""What commands print: results on the standard output, words for the person on the standard error."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from usernym.cli.failures import CommandFailed, Exit

_SPANS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
LINE_MAX: Final = 4096
"""Characters that are read of a line that a person types."""
PATIENCE_S: Final = 2.0
"""How long a person waits without notice before a command says what it waits for."""


def print_line(text: str) -> None:
    """Print a line of the result on the standard output, at once."""
    print(text, flush=True)


def print_json(value: msgspec.Struct | dict[str, Any]) -> None:
    """Print one JSON object on a line of its own, in printable ASCII, at once."""
    # DEL is the one control character that JSON lets pass.
    line = json.dumps(msgspec.to_builtins(value), ensure_ascii=True).replace("\x7f", "\\u007f")
    print(line, flush=True)


def print_err(text: str) -> None:
    """Print a line for the person on the standard error."""
    print(text, file=sys.stderr, flush=True)


def has_terminal() -> bool:
    """Whether a person can be asked: the standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask_yes(question: str) -> bool:
    """Ask the person at the terminal. Anything but yes is no."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def confirm_by_name(name: str, warning: str, without_terminal: str, undone: str) -> None:
    """Let the person type `name` to confirm. Raises `CommandFailed` if they do not, or there is no terminal."""
    if not has_terminal():
        raise CommandFailed(Exit.USAGE, "settings", without_terminal)
    print_err(warning)
    print_err(f"Type {name} to continue:")
    if sys.stdin.readline(LINE_MAX).strip() != name:
        raise CommandFailed(Exit.REFUSED, "not_meant", undone)


@contextlib.contextmanager
def sign_of_life(what: str, *, quiet: bool) -> Iterator[None]:
    """Say on the terminal what is waited for if it takes longer than `PATIENCE_S`; take the line away afterwards.

    Nothing is printed with `quiet`, or if the standard error is not a terminal. Nothing else may print meanwhile.
    """
    if quiet or not sys.stderr.isatty():
        yield
        return
    shown = threading.Event()

    def show() -> None:
        shown.set()
        print(f"{what} … (Ctrl-C stops waiting)", end="", file=sys.stderr, flush=True)

    timer = threading.Timer(PATIENCE_S, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if shown.is_set():
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def clock(unix_s: int) -> str:
    """A moment in local time. A peer may have written any number."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(unix_s))
    except (OverflowError, ValueError, OSError):
        return "at an impossible time"


def date(unix_s: int) -> str:
    """A day in UTC. A node may have written any number."""
    try:
        return time.strftime("%Y-%m-%d", time.gmtime(unix_s))
    except (OverflowError, ValueError, OSError):
        return "an impossible date"


def span(seconds: int) -> str:
    """A duration as it is typed, in the largest unit that divides it."""
    return next(f"{seconds // unit}{name}" for name, unit in _SPANS.items() if seconds % unit == 0)


def table(rows: list[tuple[str, str]]) -> str:
    """Names and values in two columns."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"  {name:<{width}}  {value}" for name, value in rows)


def prepare_streams() -> None:
    """Replace characters that the terminal's encoding lacks, instead of failing on them."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
