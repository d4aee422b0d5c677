"""The control socket: how a second command on a home hands its work to the process that holds it.

Who holds a home (see `storage.home`) serves `<home>/control.sock`, a Unix socket that is its owner's alone; both ends
check that the other is a process of the same user. A connection carries one request and one answer, each one line of
JSON of bounded length; what they say is for those who use this module. Garbage is answered by an error and costs its
connection only.

Whoever may connect may use what the holder has unlocked, without the passphrase, as with an ssh-agent.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from usernym.logger import logger
from usernym.storage.errors import StoreInaccessible

SOCKET_NAME: Final = "control.sock"
LINE_BYTES_MAX: Final = 1024 * 1024
"""A text of 64 KiB, each byte of it escaped in JSON, is less than half of this."""
CONNECTIONS_MAX: Final = 16
"""Requests carried out at once; more are turned away, to come again."""
READ_S: Final = 10.0
"""How long a caller may take to send its line, and to take the answer."""
CLOSE_S: Final = 15.0
"""How long `close` waits for requests that are being carried out."""
GRACE_S: Final = 10.0
"""What a caller waits beyond its request's own time limit: the holder's answer should come first."""
_PATH_BYTES_MAX: Final = 107
"""What fits in a `sockaddr_un`."""
_CREDENTIALS: Final = struct.Struct("3i")

Answer = dict[str, Any]
Handler = Callable[[bytes], Answer]
"""Carries out one request line and returns the answer. Called in a thread of its own; it must not raise."""


class NobodyThere(Exception):
    """No process serves this home's control socket now."""


class HolderGone(Exception):
    """The holder took the request, and went away before it had answered: it may have been carried out or not."""


class HolderBusy(Exception):
    """The holder has too many requests at once."""


@contextlib.contextmanager
def _address(home: Path) -> Iterator[str]:
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


def _is_same_user(connection: socket.socket) -> bool:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(raw)
    return bool(user == os.geteuid())


def _read_line(connection: socket.socket, timeout: float) -> bytes | None:
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


class ControlServer:
    """Serves a home's control socket from `__enter__` to `close`. To be used only by the process that holds the home.

    Raises `StoreInaccessible` if the socket can't be made.
    """

    def __init__(self, home: Path, handler: Handler) -> None:
        self._home = home
        self._handler = handler
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Condition()
        self._active = 0
        self._closing = False

    def __enter__(self) -> Self:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            with _address(self._home) as address:
                # The home is ours, so a socket that lies there was left by a process that is gone.
                Path(address).unlink(missing_ok=True)
                listener.bind(address)
                Path(address).chmod(0o600)  # before `listen`: until then nobody can connect
                listener.listen(CONNECTIONS_MAX)
        except OSError as error:
            listener.close()
            raise StoreInaccessible(f"{self._home / SOCKET_NAME}: {error.strerror}") from error
        self._listener = listener
        self._thread = threading.Thread(target=self._accept, name="usernym-control", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take no more requests, wait for those that are being carried out, remove the socket."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        self._closing = True
        with contextlib.suppress(OSError), _address(self._home) as address:
            Path(address).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`, which a mere close would not
        if self._thread is not None:
            self._thread.join()
        listener.close()
        with self._lock:
            self._lock.wait_for(lambda: self._active == 0, CLOSE_S)

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None:
            try:
                connection, _ = listener.accept()
            except OSError:
                if self._closing:
                    return
                time.sleep(0.1)  # out of descriptors, most likely: what is open will be closed
                continue
            with self._lock:
                full = self._active >= CONNECTIONS_MAX
                self._active += not full
            if full:
                _answer(connection, {"busy": True})
            else:
                threading.Thread(target=self._serve, args=(connection,), name="usernym-control", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if not _is_same_user(connection):
                connection.close()
                return
            line = _read_line(connection, READ_S)
            _answer(connection, {"garbage": True} if line is None else self._handler(line))
        except Exception:  # one request's bug must not end the holder
            logger.exception("a request on the control socket failed by a bug")
            connection.close()
        finally:
            with self._lock:
                self._active -= 1
                self._lock.notify_all()


def _answer(connection: socket.socket, answer: Answer) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(READ_S)
        connection.sendall(encode(answer))


def ask(home: Path, request: Answer, timeout: float) -> Answer:
    """Hand `request` to the process that holds `home`, and return its answer.

    Raises `NobodyThere`, `HolderBusy`, or `HolderGone` when no answer came within `timeout` and `GRACE_S`.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(READ_S)
        try:
            with _address(home) as address:
                connection.connect(address)
            if not _is_same_user(connection):
                raise NobodyThere("the control socket belongs to another user")
        except OSError:
            raise NobodyThere("no process serves this home") from None
        try:
            connection.sendall(encode(request))
            taken = True
        except OSError:
            taken = False  # not as a whole; but whoever turns a caller away may not have waited for what it says
        line = _read_line(connection, timeout + GRACE_S)
    if line is None:
        if not taken:
            raise NobodyThere("the process that serves this home is ending")
        raise HolderGone("the process that holds this home went away, or does not answer")
    try:
        answer = json.loads(line)
    except ValueError:
        raise HolderGone("the process that holds this home answers nonsense") from None
    if not isinstance(answer, dict):
        raise HolderGone("the process that holds this home answers nonsense")
    if answer.get("busy") is True:
        raise HolderBusy("the process that holds this home has too much to do at once")
    return answer
