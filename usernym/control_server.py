"""Serves a home's control socket: hands each request line to a handler, and its answer back. See `usernym.control`."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from usernym.control import LINE_BYTES_MAX, READ_S, Answer, encode, is_same_user, read_line, socket_path
from usernym.logger import logger

CONNECTIONS_MAX: Final = 16
"""Requests carried out at the same time; further ones are asked to try again."""
CLOSE_S: Final = 15.0
"""How long `close` waits for requests that are being carried out."""

Handler = Callable[[bytes], Answer]
"""Carries out one request line and returns the answer. Called in a thread of its own; it must not raise."""


class ControlServer:
    """Serves a home's control socket from `__enter__` to `close`. Only the process that holds the home may use it.

    Where no socket can be made (file systems without them, full disks) the process continues alone: a warning says so.
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
        try:
            self._listener = self._listen()
        except OSError as error:
            why = (error.strerror or "it failed").lower()
            logger.warning("no control socket in this home (%s): no other command can use it meanwhile", why)
            return self
        self._thread = threading.Thread(target=self._accept, name="usernym-control", daemon=True)
        self._thread.start()
        return self

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            with socket_path(self._home) as address:
                # This process holds the home, so an existing socket was left by a process that has ended.
                Path(address).unlink(missing_ok=True)
                listener.bind(address)
                Path(address).chmod(0o600)  # before `listen`: until then no one can connect
                listener.listen(CONNECTIONS_MAX)
        except BaseException:
            listener.close()
            raise
        return listener

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the socket, take no more requests, and wait at most `CLOSE_S` for those being carried out."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        self._closing = True
        with contextlib.suppress(OSError), socket_path(self._home) as address:
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
                time.sleep(0.1)  # most likely out of file descriptors: others will be closed
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
            if not is_same_user(connection):
                connection.close()
                return
            line = read_line(connection, READ_S)
            _answer(connection, {"garbage": True} if line is None else self._handler(line))
        except Exception:
            logger.exception("a request on the control socket failed by a bug")
            connection.close()
        finally:
            with self._lock:
                self._active -= 1
                self._lock.notify_all()


def _answer(connection: socket.socket, answer: Answer) -> None:
    line = encode(answer)
    if len(line) > LINE_BYTES_MAX:
        line = encode({"too_long": True})
    with connection, contextlib.suppress(OSError):
        connection.settimeout(READ_S)
        connection.sendall(line)
