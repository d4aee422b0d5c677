"""A graph's runtime for tests: one thread, a virtual clock, and a seeded scheduler.

Actors never wait inside a message, so a step is "take one message from a chosen inbox". Which inbox, and whether a
timer that is due goes first, is chosen by a seed or by a tape of numbers (which Hypothesis can shrink); the clock moves
only when nothing else can. The same seed and the same program give the same run.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import pykka

START_UNIX_S: Final = 1_800_000_000
"""The wall clock at the start of a simulation (January 2027)."""


class SimulationStuck(Exception):
    """What was waited for can't come any more, or did not come within the virtual time allowed."""


class _SimInbox:
    def __init__(self) -> None:
        self._items: deque[Any] = deque()

    def put(self, envelope: Any, /) -> None:
        self._items.append(envelope)

    def get(self) -> Any:
        return self._items.popleft()

    def empty(self) -> bool:
        return not self._items

    def qsize(self) -> int:
        return len(self._items)


class Simulation:
    """The runtime. `seed` makes everything; `tape`, if given, makes the scheduler's choices as long as it lasts."""

    def __init__(self, seed: int, tape: Sequence[int] = ()) -> None:
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._scheduler = random.Random(seed ^ 0x5EED)  # noqa: S311 - repeatable on purpose
        self._tape = iter(tape)
        self._actors: list[Any] = []
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = itertools.count()
        self._now = 0.0
        self.clock_error_s = 0
        """Added to the wall clock: a fault that tests set."""
        self.steps = 0

    # -- the runtime --

    def now(self) -> float:
        """Virtual seconds since the start."""
        return self._now

    def unix_s(self) -> int:
        """The virtual wall clock."""
        return START_UNIX_S + int(self._now) + self.clock_error_s

    def random_bytes(self, count: int) -> bytes:
        """From the seed."""
        return self.random.randbytes(count)

    def call_later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Run `action` when the virtual clock is `delay_s` seconds further."""
        heapq.heappush(self._timers, (self._now + max(0.0, delay_s), next(self._serial), action))

    def inbox(self) -> _SimInbox:
        """A plain queue."""
        return _SimInbox()

    def run(self, actor: Any) -> None:
        """Start the actor: its `on_start` runs at once, its messages when the scheduler picks it."""
        self._actors.append(actor)
        actor._actor_loop_setup()  # noqa: SLF001 - Pykka's loop, one step at a time

    # -- the scheduler --

    def _choose(self, count: int) -> int:
        if count == 1:
            return 0
        number = next(self._tape, None)
        return self._scheduler.randrange(count) if number is None else number % count

    def step(self) -> bool:
        """One message or one timer. False if there is neither."""
        ready = [actor for actor in self._actors if not actor.actor_inbox.empty()]
        timer_due = bool(self._timers) and self._timers[0][0] <= self._now
        if not ready and not self._timers:
            return False
        self.steps += 1
        choice = self._choose(len(ready) + timer_due) if ready else 0
        if not ready or choice == len(ready):
            at, _, action = heapq.heappop(self._timers)
            self._now = max(self._now, at)
            action()
            return True
        self._deliver(ready[choice])
        return True

    def _deliver(self, actor: Any) -> None:
        envelope = actor.actor_inbox.get()
        if actor.actor_stopped.is_set():
            return
        actor._handle_receive(envelope.message)  # noqa: SLF001 - Pykka's loop, one step at a time
        if actor.actor_stopped.is_set():
            self._actors.remove(actor)

    def run_until(self, condition: Callable[[], bool], within_s: float = 600.0) -> None:
        """Step until `condition` holds. Raises `SimulationStuck` if it doesn't within that much virtual time."""
        deadline = self._now + within_s
        while not condition():
            if self._now > deadline or not self.step():
                raise SimulationStuck(f"seed {self.seed}: not within {within_s} virtual seconds ({self.steps} steps)")

    def run_for(self, seconds: float) -> None:
        """Step until the virtual clock is that much further; what is due at that moment has then happened."""
        done: list[bool] = []
        self.call_later(seconds, lambda: done.append(True))
        self.run_until(lambda: bool(done), within_s=seconds + 1)

    def drop(self, actors: Sequence[Any]) -> None:
        """These stop between two messages, without a word: what `kill -9` does to a process."""
        for actor in actors:
            actor.actor_stopped.set()
            pykka.ActorRegistry.unregister(actor.actor_ref)
            if actor in self._actors:
                self._actors.remove(actor)
