"""The control socket: how a second command on a home hands its work to the process that holds the home.

The holder serves `<home>/control.sock` (`usernym.control_server`), a Unix socket that only its owner may use; both ends
check that the other is a process of the same user. A connection carries one request and one answer, each one line of
JSON of bounded length. This module does not know what they say. Garbage is answered by an error, and costs its
connection only.

A process that may connect may use what the holder has unlocked, without the passphrase, as with an ssh-agent.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

SOCKET_NAME: Final = "control.sock"
LINE_BYTES_MAX: Final = 1024 * 1024
"""A text of 64 KiB, each byte of it escaped in JSON, is less than half of this."""
READ_S: Final = 10.0
"""How long a caller may take to send its line, and to take the answer."""
WAIT_S_MIN: Final = 1.0
"""How long a caller waits at least: a holder that answers at once may still wait for a processor."""
_PATH_BYTES_MAX: Final = 107
"""What fits in a `sockaddr_un`."""
_CREDENTIALS: Final = struct.Struct("3i")

Answer = dict[str, Any]


class NoHolder(Exception):
    """No process serves this home's control socket."""


class HolderGone(Exception):
    """The holder took the request and ended before it answered. The request may have been carried out or not."""


class AnswerTooLong(Exception):
    """What was asked for was done, and the answer is too long for the control socket."""


class HolderBusy(Exception):
    """The holder has too many requests at the same time."""


@contextlib.contextmanager
def socket_path(home: Path) -> Iterator[str]:
    """A path to the socket that is short enough, however deep the home lies."""
    path = home / SOCKET_NAME
    if len(os.fsencode(path)) <= _PATH_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(home, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET_NAME}"
    finally:
        os.close(folder)


def is_same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end belongs to the same user."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(raw)
    return bool(user == os.geteuid())


def read_line(connection: socket.socket, timeout: float) -> bytes | None:
    """One line, without its end; None if none came whole, in time and within its bound."""
    end = time.monotonic() + timeout
    parts: list[bytes] = []
    size = 0
    while size <= LINE_BYTES_MAX:
        left = end - time.monotonic()
        if left <= 0:
            return None
        connection.settimeout(left)
        try:
            part = connection.recv(65_536)
        except OSError:
            return None
        if not part:
            return None
        line, newline, _ = part.partition(b"\n")
        parts.append(line)
        size += len(line)
        if newline:
            return b"".join(parts) if size <= LINE_BYTES_MAX else None
    return None


def encode(value: Answer) -> bytes:
    """One line of JSON, pure ASCII."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def ask(home: Path, request: Answer, timeout: float) -> Answer:
    """Hand `request` to the process that holds `home`, and return its answer.

    Raises `NoHolder`, `HolderBusy`, `AnswerTooLong`, or `HolderGone` when no answer came within `timeout` seconds
    (`WAIT_S_MIN` at least), as from a process that is stopped. What the request says of time should be less, so that
    the holder's own words come first.
    """
    end = time.monotonic() + max(timeout, WAIT_S_MIN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(min(READ_S, end - time.monotonic()))
        try:
            with socket_path(home) as address:
                connection.connect(address)
            if not is_same_user(connection):
                raise NoHolder("the control socket belongs to another user")
        except OSError:
            raise NoHolder("no process serves this home") from None
        try:
            connection.sendall(encode(request))
            taken = True
        except OSError:
            taken = False  # a busy holder answers without waiting for the request
        line = read_line(connection, end - time.monotonic())
    if line is None:
        if not taken:
            raise NoHolder("the process that serves this home is ending")
        raise HolderGone("the process that holds this home has ended, or does not answer")
    try:
        answer = json.loads(line)
    except ValueError:
        raise HolderGone("the process that holds this home sent an invalid answer") from None
    if not isinstance(answer, dict):
        raise HolderGone("the process that holds this home sent an invalid answer")
    if answer.get("too_long") is True:
        raise AnswerTooLong("the answer is too long for the process that holds this home: ask for less (--limit)")
    if answer.get("busy") is True:
        raise HolderBusy("the process that holds this home is busy")
    return answer
