"""What the screens of the page have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from usernym import Event
from usernym.chat.person import Person
from usernym.logger import logger


class Screen:
    """One screen in one window."""

    def __init__(self, person: Person) -> None:
        self.person = person

    def on_event(self, event: Event | None) -> None:
        """An event; None: the connection or the stage has changed."""

    def leave(self) -> None:
        """The window has gone."""


class Refresher:
    """Runs `work` after `soon`: never twice at the same time, and again if `soon` was called meanwhile."""

    def __init__(self, work: Callable[[], Awaitable[Any]], pause_s: float = 0.03) -> None:
        self._work = work
        self._pause_s = pause_s
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._ended = False

    def soon(self) -> None:
        if self._ended:
            return
        if self._task is not None and not self._task.done():
            self._again = True
            return
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._pause_s)
            self._again = False
            try:
                await self._work()
            except Exception as error:  # noqa: BLE001 - the next event tries again; the error may contain a name
                logger.error("a window could not be updated (%s)", type(error).__name__)
            if not self._again:
                return

    def end(self) -> None:
        self._ended = True
        if self._task is not None:
            self._task.cancel()
