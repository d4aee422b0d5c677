"""A node and clients as an application has them: handles, on threads, with stores on disk and an emulated mixnet."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import usernym
from usernym.mixnet.emulator.core import Emulator
from usernym.mixnet.emulator.in_process import InProcessMixnet
from usernym.mixnet.emulator.state import Faults
from usernym.timers import ThreadTimers

PATIENCE_S: Final = 30.0
QUICK_HOPS: Final = Faults(hop_delay_s=0.005)
"""A tenth of Nym's delays: order and overtaking stay, and no test of a handle waits for them in real time."""


class Handles:
    """Closed by `close`, with all clients that it made."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self._folder = folder
        timers = ThreadTimers()
        self._stack.callback(timers.close)
        self.mixnet = InProcessMixnet(Emulator(random.Random(1), QUICK_HOPS), timers)
        self.node = self._stack.enter_context(usernym.Node.open(folder / "node", mixnet=self.mixnet.transport()))
        self.card = self.node.card(PATIENCE_S)

    def settings(self, name: str, **more: Any) -> dict[str, Any]:
        """What a client's handle is made with."""
        protected = {} if "passphrase" in more else {"unprotected": True}
        return {"name": name, "node": self.card, "mixnet": self.mixnet.transport(), **protected, **more}

    def client(self, name: str, *, home: str | None = None, online: bool = True, **more: Any) -> usernym.Client:
        """A user; registered and online, if not said otherwise."""
        settings = self.settings(name, **more)
        client = self._stack.enter_context(usernym.Client.open(self._folder / (home or name), **settings))
        if online:
            client.register(PATIENCE_S)
            client.go_online(PATIENCE_S)
        return client

    def coroutine(self, name: str, **more: Any) -> usernym.AsyncClient:
        """The same for asyncio, not begun."""
        return usernym.AsyncClient(self._folder / name, **self.settings(name, **more))

    def home(self, name: str) -> Path:
        """A user's folder."""
        return self._folder / name

    @staticmethod
    def wait_for(what: Callable[[], bool]) -> None:
        """Until it is so."""
        end = time.monotonic() + PATIENCE_S
        while not what():
            assert time.monotonic() < end, "it did not come to that"
            time.sleep(0.02)

    def close(self) -> None:
        """End everything."""
        self._stack.close()
