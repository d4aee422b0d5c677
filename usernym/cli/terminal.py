"""What commands print: results on the standard output, words for the person on the standard error."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Final, Literal, TextIO

import msgspec

from usernym.cli.failures import CommandFailed, Exit
from usernym.log import is_json, json_notice
from usernym.printable import COLUMNS_MIN, marked, printable

_SPANS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
LINE_MAX: Final = 4096
"""Characters that are read of a line that a person types."""
FILE_COLUMNS: Final = 80
"""The width for results that go into a file or a pipe, and may be read on a terminal later."""
PATIENCE_S: Final = 2.0
"""How long a person waits without notice before a command says what it waits for."""


def print_line(text: str) -> None:
    """Print lines of the result on the standard output, at once. They are the program's own, and stay whole."""
    print("\n".join(map(printable, text.split("\n"))), flush=True)


def print_marked(text: str) -> None:
    """Print a line of the result that holds what others wrote: made safe, and each line that it wraps to is marked."""
    columns = next(filter(None, map(_columns, (sys.stdout, sys.stderr, sys.stdin))), FILE_COLUMNS)
    print(marked(text, columns, ambiguous=_ambiguous_width()), flush=True)


def print_json(value: msgspec.Struct | dict[str, Any]) -> None:
    """Print one JSON object on a line of its own, in printable ASCII, at once."""
    # DEL is the one control character that JSON lets pass.
    line = json.dumps(msgspec.to_builtins(value), ensure_ascii=True).replace("\x7f", "\\u007f")
    print(line, flush=True)


def print_err(text: str) -> None:
    """Print lines for the person on the standard error. They are the program's own, and stay whole.

    Among JSON log lines they are JSON too.
    """
    if is_json():
        print(json_notice(text, "info"), file=sys.stderr, flush=True)
    else:
        print("\n".join(map(printable, text.split("\n"))), file=sys.stderr, flush=True)


def print_err_marked(text: str, level: Literal["warning", "error"] = "warning") -> None:
    """As `print_marked`, on the standard error. A file or a pipe gets no breaks beside those of `text`.

    Among JSON log lines it is one of that level.
    """
    if is_json():
        print(json_notice(text, level), file=sys.stderr, flush=True)
        return
    print(marked(text, _columns(sys.stderr), ambiguous=_ambiguous_width()), file=sys.stderr, flush=True)


def _columns(stream: TextIO | None) -> int | None:
    """The width of the terminal behind a stream; None if it is no terminal."""
    try:
        if stream is None or not stream.isatty():
            return None
        # Not COLUMNS from the environment: it may be that of another terminal. 0: the terminal does not say.
        return max(os.get_terminal_size(stream.fileno()).columns or FILE_COLUMNS, COLUMNS_MIN)
    except (OSError, ValueError):
        return None


def _ambiguous_width() -> int:
    """How wide characters are that only East Asian fonts make wide: decided by the language, as terminals do."""
    languages = (os.environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    return 2 if (next(filter(None, languages), "")).startswith(("ja", "ko", "zh")) else 1


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
    """Names and values in two columns, made safe for a terminal."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"  {printable(name):<{width}}  {printable(value)}" for name, value in rows)


def prepare_streams() -> None:
    """Replace characters that the terminal's encoding lacks, instead of failing on them."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
