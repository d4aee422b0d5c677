"""The websocket to the mixnet client is cut in the middle of a frame, again and again, in both directions."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import pytest

from tests.helpers.crash_world import Crowd, cut_names, seed_of

pytestmark = pytest.mark.processes

SETTLE_S = 150.0
HANDSHAKE_BYTES: Final = 400
"""A cut within a connection's first bytes would only be a failed attempt to connect."""


class CuttingProxy:
    """A TCP proxy on loopback that ends each connection after a random number of bytes."""

    def __init__(self, target: str, chooser: random.Random) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 0)
        self._chooser = chooser
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self.cuts = 0
        self.cutting = True
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                here, _ = self._listener.accept()
                there = socket.create_connection(self._target)
                self._open += [here, there]
                # One budget a connection: whichever direction uses it up is cut there, and with it the other.
                budget = [HANDSHAKE_BYTES + self._chooser.randrange(1, 40_000)]
                for source, sink in ((here, there), (there, here)):
                    threading.Thread(target=self._pump, args=(source, sink, budget), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, budget: list[int]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                with self._lock:
                    left = budget[0] if self.cutting else len(data)
                    budget[0] -= len(data)
                    cut = len(data) > left
                    self.cuts += cut
                sink.sendall(data[: max(0, left)])
                if cut:
                    break
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # wakes the other direction's thread, which a mere close would not
            each.close()


def test_cut_in_mid_frame_everything_arrives_once(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    names = cut_names(2)
    with seed_of(request) as chooser, Crowd(tmp_path, names) as crowd, contextlib.ExitStack() as stack:
        proxies = {
            name: stack.enter_context(CuttingProxy(crowd.mixnets[name], random.Random(chooser.random())))
            for name in names
        }
        crowd.mixnets = {name: proxy.url for name, proxy in proxies.items()}
        crowd.start_all()
        while min(proxy.cuts for proxy in proxies.values()) < 4:
            crowd.wait_until_shown(crowd.shown() + 5, SETTLE_S)
        for proxy in proxies.values():
            proxy.cutting = False
        crowd.settle(SETTLE_S)
        assert crowd.end_and_check() > 20
