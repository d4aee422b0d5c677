"""What commands print: results on the standard output, words for the person on the standard error."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
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


class OutputFailed(CommandFailed):
    """The standard output can't be written: its disk is full, or it is closed."""

    def __init__(self, error: OSError) -> None:
        why = (error.strerror or "it failed").lower()
        super().__init__(Exit.STORAGE, "output", f"the standard output can't be written: {why}")


def print_line(text: str) -> None:
    """Print lines of the result on the standard output, at once. They are the program's own, and stay whole."""
    _put("\n".join(map(printable, text.split("\n"))))


def print_marked(text: str) -> None:
    """Print a line of the result that holds what others wrote: made safe, and each line that it wraps to is marked."""
    columns = next(filter(None, map(_columns, (sys.stdout, sys.stderr, sys.stdin))), FILE_COLUMNS)
    _put(marked(text, columns, ambiguous=_ambiguous_width()))


def print_json(value: msgspec.Struct | dict[str, Any]) -> None:
    """Print one JSON object on a line of its own, in printable ASCII, at once."""
    # DEL is the one control character that JSON lets pass.
    line = json.dumps(msgspec.to_builtins(value), ensure_ascii=True).replace("\x7f", "\\u007f")
    _put(line)


def print_whole(text: str) -> None:
    """Print a text of the program's own as it is, with its line ends."""
    with output():
        print(text, end="", flush=True)


def _put(text: str) -> None:
    """Write lines of the result. Raises `OutputFailed`, or `BrokenPipeError` if no one reads them any more."""
    print_whole(f"{text}\n")


@contextlib.contextmanager
def output() -> Iterator[None]:
    """Write to the standard output in the block: what fails there raises `OutputFailed`, and is not tried again."""
    try:
        yield
    except OSError as error:
        # What is still buffered would fail again when the interpreter ends, with a traceback.
        _give_up(sys.stdout)
        if isinstance(error, BrokenPipeError):
            raise
        raise OutputFailed(error) from error


def _give_up(stream: TextIO) -> None:
    """Let all that is written to a stream vanish from now on."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(null, stream.fileno())
        os.close(null)


def _put_err(text: str, end: str = "\n") -> None:
    """Write for the person. Where that fails there is no one to tell, and it is no reason to fail."""
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except OSError:
        _give_up(sys.stderr)


def print_err(text: str) -> None:
    """Print lines for the person on the standard error. They are the program's own, and stay whole.

    Among JSON log lines they are JSON too.
    """
    if is_json():
        _put_err(json_notice(text, "info"))
    else:
        _put_err("\n".join(map(printable, text.split("\n"))))


def print_err_marked(text: str, level: Literal["warning", "error"] = "warning") -> None:
    """As `print_marked`, on the standard error. A file or a pipe gets no breaks beside those of `text`.

    Among JSON log lines it is one of that level.
    """
    if is_json():
        _put_err(json_notice(text, level))
        return
    _put_err(marked(text, _columns(sys.stderr), ambiguous=_ambiguous_width()))


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
    _put_err(f"{question} [y/N] ", end="")
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
def sign_of_life(what: str, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Say on the terminal what is waited for if it takes longer than `PATIENCE_S`; take the line away afterwards.

    The block gets what changes the words meanwhile. Nothing is printed with `quiet`, or if the standard error is not a
    terminal. Nothing else may print meanwhile.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _what: None
        return
    life = _SignOfLife(what)
    timer = threading.Timer(PATIENCE_S, life.show)
    timer.daemon = True
    timer.start()
    try:
        yield life.say
    finally:
        timer.cancel()
        timer.join()
        life.take_away()


class _SignOfLife:
    """The line on the terminal. A timer's thread shows it first."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shown = False
        self._lock = threading.Lock()

    def show(self) -> None:
        """From now on it is seen."""
        with self._lock:
            self._shown = True
            self._draw()

    def say(self, what: str) -> None:
        """Other words."""
        with self._lock:
            self._what = what
            if self._shown:
                self._draw()

    def take_away(self) -> None:
        """Leave nothing of it."""
        if self._shown:
            _put_err("\r\033[K", end="")

    def _draw(self) -> None:
        _put_err(f"\r\033[K{self._what} … (Ctrl-C stops waiting)", end="")


def clock(unix_s: int) -> str:
    """A moment in local time. A peer may have written any number."""
    time.tzset()  # a program runs for weeks: its machine may have been taken to another time zone
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
