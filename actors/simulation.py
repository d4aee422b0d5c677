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

START_UNIX_S: Final = 1_800_000_000
"""The wall clock at the start of a simulation (January 2027)."""

STEPS_A_SECOND_MAX: Final = 50_000
"""Many times what a flood of messages needs. Actors that answer each other without end would hang a search."""


class SimulationStuck(Exception):
    """What was waited for can't come any more, or did not come within the virtual time allowed."""


class ProcessDied(BaseException):
    """Raised inside a message by a fault that ends the process there and then: nothing contains it but the scheduler,
    which calls `bury`."""

    def __init__(self, bury: Callable[[], None]) -> None:
        super().__init__("a fault ended this process")
        self.bury = bury


class _SimInbox:
    """Tells the scheduler which actors have something to do, so that it need not ask them all."""

    def __init__(self, ready: list[_SimInbox]) -> None:
        self._items: deque[Any] = deque()
        self._ready = ready
        self.actor: Any = None
        self.held = False

    def put(self, envelope: Any, /) -> None:
        self._items.append(envelope)
        if len(self._items) == 1 and self.actor is not None and not self.held:
            self._ready.append(self)

    def get(self) -> Any:
        item = self._items.popleft()
        if not self._items:
            self._ready.remove(self)
        return item

    def attach(self, actor: Any) -> None:
        """The actor runs from now on."""
        self.actor = actor
        if self._items:
            self._ready.append(self)

    def hold(self, held: bool) -> None:
        """Keep what comes from being handled, until `hold(False)`."""
        if held and not self.held and self in self._ready:
            self._ready.remove(self)
        elif self.held and not held and self._items and self.actor is not None:
            self._ready.append(self)
        self.held = held

    def close(self) -> None:
        """Nothing of this is handled any more."""
        self.actor = None
        if self in self._ready:
            self._ready.remove(self)

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
        self._ready: list[_SimInbox] = []
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = itertools.count()
        self._now = 0.0
        self.clock_error_s = 0
        """Added to the wall clock: a fault that tests set."""
        self.steps = 0
        self._second = (0, 0)
        """The virtual second that it is, and the steps before it."""

    # -- the runtime --

    def now(self) -> float:
        return self._now

    def unix_s(self) -> int:
        return START_UNIX_S + int(self._now) + self.clock_error_s

    def random_bytes(self, count: int) -> bytes:
        return self.random.randbytes(count)

    def call_later(self, delay_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (self._now + max(0.0, delay_s), next(self._serial), action))

    def inbox(self) -> _SimInbox:
        return _SimInbox(self._ready)

    def run(self, actor: Any) -> None:
        """Start the actor: its `on_start` runs at once, its messages when the scheduler picks it."""
        actor.actor_inbox.attach(actor)
        actor._actor_loop_setup()  # noqa: SLF001 - Pykka's loop, one step at a time

    # -- the scheduler --

    def _choose(self, count: int) -> int:
        if count == 1:
            return 0
        number = next(self._tape, None)
        return self._scheduler.randrange(count) if number is None else number % count

    def step(self) -> bool:
        """One message or one timer. False if there is neither. Raises `SimulationStuck` where actors keep each other
        busy, and time hardly passes."""
        ready = self._ready
        timer_due = bool(self._timers) and self._timers[0][0] <= self._now
        if not ready and not self._timers:
            return False
        self.steps += 1
        if self._second[0] != int(self._now):
            self._second = int(self._now), self.steps
        elif self.steps - self._second[1] > STEPS_A_SECOND_MAX:
            raise SimulationStuck(f"seed {self.seed}: more than {STEPS_A_SECOND_MAX} steps in a virtual second")
        choice = self._choose(len(ready) + timer_due) if ready else 0
        if not ready or choice == len(ready):
            at, _, action = heapq.heappop(self._timers)
            self._now = max(self._now, at)
            action()
            return True
        self._deliver(ready[choice])
        return True

    def _deliver(self, inbox: _SimInbox) -> None:
        actor = inbox.actor
        envelope = inbox.get()
        if not actor.actor_stopped.is_set():
            try:
                actor._handle_receive(envelope.message)  # noqa: SLF001 - Pykka's loop, one step at a time
            except ProcessDied as death:
                death.bury()
        if actor.actor_stopped.is_set():
            inbox.close()

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
        """These stop between two messages, without notice: what `kill -9` does to a process."""
        for actor in actors:
            actor.actor_stopped.set()
            actor.actor_inbox.close()

    def hold(self, actors: Sequence[Any], seconds: float) -> None:
        """These handle nothing for so long: what a slow disk does to the process that waits for it."""
        for actor in actors:
            actor.actor_inbox.hold(True)

        def go_on() -> None:
            for actor in actors:
                actor.actor_inbox.hold(False)

        self.call_later(seconds, go_on)
