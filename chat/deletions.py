"""Texts that the user deletes: hidden at once, erased when the time for a change of mind is over."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

UNDO_S: Final = 8
"""Seconds to take a deletion back: long enough to see what was done, and to reach for the button."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """Texts of one conversation; `rows` None: all up to row `last`."""

    name: str = field(repr=False)
    rows: frozenset[int] | None
    last: int

    def holds(self, row: int) -> bool:
        """Whether a text of this conversation is among them."""
        return row <= self.last if self.rows is None else row in self.rows


class Deletions:
    """Deletions that can still be undone. `erase` carries one out; what fails is reported by it."""

    def __init__(self, erase: Callable[[Deletion], Awaitable[None]]) -> None:
        self._erase = erase
        self._numbers = itertools.count(1)
        self._pending: dict[int, Deletion] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        """Of those that can still be undone."""
        self._running: set[asyncio.Task[None]] = set()

    def add(self, deletion: Deletion) -> int:
        """Begin one; returns its number."""
        number = next(self._numbers)
        self._pending[number] = deletion
        self._timers[number] = asyncio.get_running_loop().call_later(UNDO_S, self._carry_out, number)
        return number

    def undo(self, number: int) -> Deletion | None:
        """Take one back; None if it is too late."""
        timer = self._timers.pop(number, None)
        if timer is None:
            return None
        timer.cancel()
        return self._pending.pop(number)

    def hides(self, name: str, row: int) -> bool:
        """Whether a text is being deleted."""
        return any(each.name == name and each.holds(row) for each in self._pending.values())

    async def finish(self) -> None:
        """Carry all of them out now: the program ends."""
        for number, timer in tuple(self._timers.items()):
            timer.cancel()
            self._carry_out(number)
        if self._running:
            await asyncio.gather(*self._running, return_exceptions=True)

    def _carry_out(self, number: int) -> None:
        del self._timers[number]
        task = asyncio.get_running_loop().create_task(self._run(number))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, number: int) -> None:
        try:
            await self._erase(self._pending[number])
        finally:
            del self._pending[number]
