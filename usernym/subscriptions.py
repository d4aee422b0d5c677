"""From the actors' events to those who listen: any number of subscribers, each with a bounded queue."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from usernym.actors.events import Event
from usernym.logger import logger

EVENTS_MAX: Final = 10_000
"""Events that one subscriber may leave unread; then its oldest are dropped. What they told is in the store."""


class Subscription:
    """One subscriber's events. A context manager: leaving it ends the subscription."""

    def __init__(self, hub: EventHub) -> None:
        self._hub = hub
        self._queue: queue.Queue[Event | None] = queue.Queue(EVENTS_MAX)

    def put(self, event: Event | None) -> None:
        """Add an event (None: there will be no more)."""
        while True:
            try:
                self._queue.put_nowait(event)
                return
            except queue.Full:
                logger.warning("a slow listener loses its oldest event")
                try:
                    self._queue.get_nowait()
                except queue.Empty:
                    continue

    def next(self, timeout: float | None) -> Event | None:
        """The next event; None if none came for `timeout` seconds, or none will ever come."""
        try:
            event = self._queue.get(timeout=timeout)
        except queue.Empty:
            return None
        if event is None:
            self.put(None)
        return event

    def wait_for(self, wanted: Callable[[Event], bool], timeout: float) -> Event | None:
        """The next event that is `wanted`; None as above."""
        end = time.monotonic() + timeout
        while (event := self.next(max(0.0, end - time.monotonic()))) is not None:
            if wanted(event):
                return event
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub.leave(self)


class EventHub:
    """Where a client's graph publishes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: list[Subscription] = []
        self._closed = False

    def publish(self, event: Event) -> None:
        """Give `event` to all who listen now; never waits."""
        with self._lock:
            for subscription in self._subscriptions:
                subscription.put(event)

    def subscribe(self) -> Subscription:
        """Listen from now on."""
        subscription = Subscription(self)
        with self._lock:
            self._subscriptions.append(subscription)
            if self._closed:
                subscription.put(None)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Stop listening."""
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)

    def close(self) -> None:
        """No more events: who waits for one stops waiting."""
        with self._lock:
            self._closed = True
            for subscription in self._subscriptions:
                subscription.put(None)
