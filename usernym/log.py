"""Log lines, as text or as JSON, on the standard error, without secrets.

This project's own messages name actors, kinds, codes and counts. A library's message, or the text of an unexpected
exception, may contain the data that was being handled. Therefore a traceback is logged by its types and places only,
and a library's record by its logger and place only.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any, Final

from usernym.logger import logger
from usernym.printable import printable
from usernym.settings import LogFormat
from usernym.surroundings import fault_of

FRAMES_MAX: Final = 30
"""Places of one traceback: the innermost; a recursion has thousands."""
CAUSES_MAX: Final = 5
"""Exceptions of one chain."""
_FIELDS: Final = "fields"


def set_up(level: str, log_format: LogFormat, *, only_json: bool = False) -> None:
    """Log to the standard error from now on, at `level` and above; of libraries, warnings and above.

    With `only_json`, and JSON as the format, what the person reads there is JSON too. That is for programs that
    name no user: what a client's person reads has names in it, and must not look like a log.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(only=only_json) if log_format == "json" else TextLines())
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(level.upper())
    # What no one handles goes here: libraries' warnings, and exceptions that end a thread.
    handler_of_others = logging.StreamHandler()
    handler_of_others.setLevel(logging.WARNING)
    handler_of_others.setFormatter(handler.formatter)
    logging.lastResort = handler_of_others
    logging.captureWarnings(True)
    threading.excepthook = _on_thread_failed
    sys.unraisablehook = _on_unraisable


def is_json() -> bool:
    """Whether the standard error is for JSON only: then each line on it is one object, whatever it says."""
    return any(isinstance(each := handler.formatter, JsonLines) and each.only for handler in logger.handlers)


def json_notice(text: str, level: str) -> str:
    """What the person is to read, and is not logged, as a line among JSON log lines."""
    return _json_line({"time": _time_of(time.time()), "level": level, "message": text})


def fields(**values: int | str) -> dict[str, Any]:
    """Numbers and constants to log beside a message: `logger.info("…", extra=fields(sequence=3))`."""
    return {_FIELDS: values}


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, thread, message, further fields, and `exception` if there was one.

    `only` says that the stream has nothing else.
    """

    def __init__(self, *, only: bool = False) -> None:
        super().__init__()
        self.only = only

    def format(self, record: logging.LogRecord) -> str:
        """The line, in printable ASCII."""
        line: dict[str, Any] = {
            "time": _time_of(record.created),
            "level": record.levelname.lower(),
            "thread": record.threadName,
            "message": _message_of(record),
        }
        line |= getattr(record, _FIELDS, {})
        if (error := _error_of(record)) is not None:
            line["exception"] = places_of(error)
        return _json_line(line)


def _json_line(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=True).replace("\x7f", "\\u007f")


class TextLines(logging.Formatter):
    """Time (UTC), level and message on a line; its exception below, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """The line or lines."""
        more = "".join(f" {name}={value}" for name, value in getattr(record, _FIELDS, {}).items())
        lines = [f"{_time_of(record.created)} {record.levelname} {printable(_message_of(record) + more)}"]
        if (error := _error_of(record)) is not None:
            lines += [f"    {printable(place)}" for place in places_of(error)]
        return "\n".join(lines)


def _time_of(unix_s: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix_s))
    return f"{whole}.{int(unix_s % 1 * 1000):03d}Z"


def _message_of(record: logging.LogRecord) -> str:
    if record.name == logger.name:
        return record.getMessage()
    return f"{record.name}: a message that is not shown, from {_place(record.pathname, record.lineno, record.funcName)}"


def _error_of(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None


def places_of(error: BaseException) -> list[str]:
    """An exception, the innermost cause first: its type and the places that it passed; never its text, nor any
    value."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain and len(chain) < CAUSES_MAX:
        chain.insert(0, current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    lines = []
    for one in chain:
        frames = traceback.extract_tb(one.__traceback__)[-FRAMES_MAX:]
        lines += [_place(frame.filename, frame.lineno, frame.name) for frame in frames]
        lines.append(type(one).__qualname__)
    return lines


def _place(path: str, line: int | None, function: str | None) -> str:
    return f"{'/'.join(Path(path).parts[-2:])}:{line} in {function}"


def _on_thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_type is not SystemExit:
        name = "?" if failed.thread is None else failed.thread.name
        fault = None if failed.exc_value is None else fault_of(failed.exc_value)
        why = "a thread ended by a bug" if fault is None else f"a thread ended by its surroundings ({fault.kind})"
        logger.error(why, exc_info=failed.exc_value, extra=fields(ended=name))


def _on_unraisable(failed: Any) -> None:
    logger.error("an exception outside of any call", exc_info=failed.exc_value)
