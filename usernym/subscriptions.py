"""Events, from the actors to those who listen: any number of subscriptions, each with a bounded queue.

An actor's thread publishes and never waits. A `Subscription` is read by threads, an `AsyncSubscription` by coroutines;
the second uses no thread while it waits. A subscription that its reader has dropped without `cancel` is forgotten by
the hub when it is garbage-collected.
"""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Final, Self

from usernym.actors.events import Event
from usernym.errors import GraphFailed
from usernym.logger import logger

EVENTS_MAX: Final = 10_000
"""Events that one subscription may leave unread; then it loses its oldest. What they were about is in the store."""


class Subscription:
    """The events of a client from the moment of `Client.subscribe` on, in the order in which they became true on disk.

    Iterate over it, or call `next`. It is a context manager; leaving it cancels it. All methods may be called from any
    thread. It ends when it is cancelled or the client is closed; if the client failed, reading it raises
    `GraphFailed` after the last event.
    """

    def __init__(self, hub: EventHub, on_change: Callable[[], None] = lambda: None) -> None:
        """For `EventHub`. `on_change` is called on any thread after an event came, or the end."""
        self._hub = hub
        self._on_change = on_change
        self._events: deque[Event] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._failure: str | None = None
        self.lost = 0
        """Events that were dropped since more than `EVENTS_MAX` were unread. Texts among them are in `unread()`."""

    @property
    def ended(self) -> bool:
        """Whether no event is left, and none will come."""
        with self._changed:
            return self._ended and not self._events

    def next(self, timeout: float | None = None) -> Event | None:
        """The next event; None if none came within `timeout` seconds (None: no limit), or if the subscription ended.

        Raises `GraphFailed` if the client failed and its last event was read.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._ended, timeout)
            if self._events:
                return self._events.popleft()
            if self._failure is not None:
                raise GraphFailed(self._failure)
            return None

    def wait_for(self, wanted: Callable[[Event], bool], timeout: float) -> Event | None:
        """The next event that is `wanted`, skipping others; None and errors as for `next`."""
        end = time.monotonic() + timeout
        while (event := self.next(max(0.0, end - time.monotonic()))) is not None:
            if wanted(event):
                return event
        return None

    def cancel(self) -> None:
        """End it: unread events are dropped, and a `next` that waits returns None at once."""
        self._hub.leave(self)
        with self._changed:
            self._events.clear()
        self.end(None)

    def put(self, event: Event) -> None:
        """For `EventHub`: add an event. Never waits."""
        with self._changed:
            if self._ended:
                return
            if len(self._events) >= EVENTS_MAX:
                self._events.popleft()
                self.lost += 1
                if self.lost == 1:
                    logger.warning("a slow reader of events loses the oldest")
            self._events.append(event)
            self._changed.notify_all()
        self._on_change()

    def end(self, failure: str | None) -> None:
        """For `EventHub`: no event comes any more; `failure` says why, if the client failed."""
        with self._changed:
            if not self._ended:
                self._ended, self._failure = True, failure
            self._changed.notify_all()
        self._on_change()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Event:
        event = self.next()
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()


class AsyncSubscription:
    """The events of a client for coroutines of one event loop: an async iterator and an async context manager.

    As `Subscription`, but for this: a coroutine that waits here holds no thread, and may be cancelled at any time
    without losing an event.
    """

    def __init__(self, hub: EventHub) -> None:
        """For `AsyncClient`. The running event loop is the one in which it is read."""
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._events = hub.subscribe(self._on_change)

    @property
    def lost(self) -> int:
        """Events that were dropped since too many were unread. Texts among them are in `unread()`."""
        return self._events.lost

    @property
    def ended(self) -> bool:
        """Whether no event is left, and none will come."""
        return self._events.ended

    async def next(self, timeout: float | None = None) -> Event | None:
        """The next event; None if none came within `timeout` seconds (None: no limit), or if the subscription ended.

        Raises `GraphFailed` if the client failed and its last event was read.
        """
        try:
            async with asyncio.timeout(timeout):
                while True:
                    self._ready.clear()
                    ended = self._events.ended
                    event = self._events.next(0)
                    if event is not None or ended:
                        return event
                    await self._ready.wait()
        except TimeoutError:
            return None

    def cancel(self) -> None:
        """End it: unread events are dropped, and a `next` that waits returns None at once. From any thread."""
        self._events.cancel()

    def _on_change(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ready.set)
        except RuntimeError:  # the loop is closed: nothing reads this any more
            return

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await self.next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cancel()


class EventHub:
    """Where a client's actors publish."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: weakref.WeakSet[Subscription] = weakref.WeakSet()
        self._end: tuple[str | None] | None = None

    def publish(self, event: Event) -> None:
        """Give `event` to all current subscriptions; never waits."""
        with self._lock:
            current = tuple(self._subscriptions)
            for subscription in current:
                subscription.put(event)

    def subscribe(self, on_change: Callable[[], None] = lambda: None) -> Subscription:
        """A subscription from now on; one that has ended if the hub is closed."""
        subscription = Subscription(self, on_change)
        with self._lock:
            end = self._end
            if end is None:
                self._subscriptions.add(subscription)
        if end is not None:
            subscription.end(*end)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Publish no more to this subscription."""
        with self._lock:
            self._subscriptions.discard(subscription)

    def close(self, failure: str | None = None) -> None:
        """End all subscriptions, and those still to be made; `failure` says why, if the client failed."""
        with self._lock:
            if self._end is None:
                self._end = (failure,)
            current, end = tuple(self._subscriptions), self._end
        for subscription in current:
            subscription.end(*end)
