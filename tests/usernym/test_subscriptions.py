"""Events to any number of subscriptions, each of which may end at any time."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from usernym import subscriptions
from usernym.actors.events import ConnectionChanged, TextsErased
from usernym.errors import GraphFailed
from usernym.subscriptions import AsyncSubscription, EventHub

ONLINE = ConnectionChanged(True, "logged in")


def erased(number: int) -> TextsErased:
    return TextsErased("bob", number)


def test_each_subscription_gets_every_event_from_its_beginning_on() -> None:
    hub = EventHub()
    first = hub.subscribe()
    hub.publish(erased(1))
    second = hub.subscribe()
    hub.publish(erased(2))
    hub.close()
    assert list(first) == [erased(1), erased(2)]
    assert list(second) == [erased(2)]
    assert list(hub.subscribe()) == [], "it has ended already"


def test_next_waits_as_long_as_it_is_told_to() -> None:
    with EventHub().subscribe() as events:
        begun = time.monotonic()
        assert events.next(0) is None
        assert events.next(0.05) is None
        assert 0.04 < time.monotonic() - begun < 5
        assert not events.ended
    assert events.ended


def test_wait_for_skips_the_others() -> None:
    hub = EventHub()
    events = hub.subscribe()
    hub.publish(erased(1))
    hub.publish(ONLINE)
    hub.publish(erased(2))
    assert events.wait_for(lambda event: isinstance(event, ConnectionChanged), 1) == ONLINE
    assert events.next(0) == erased(2)
    assert events.wait_for(lambda event: True, 0) is None


def test_cancel_ends_a_wait_in_another_thread_and_drops_the_rest() -> None:
    hub = EventHub()
    events = hub.subscribe()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(events.next)
        time.sleep(0.05)
        assert not waiting.done()
        events.cancel()
        assert waiting.result(5) is None
    hub.publish(ONLINE)
    assert events.ended
    events.cancel()  # once more is harmless
    other = hub.subscribe()
    hub.publish(ONLINE)
    other.cancel()
    assert other.next(0) is None, "unread events are dropped"


def test_a_failed_client_raises_after_its_last_event() -> None:
    hub = EventHub()
    events = hub.subscribe()
    hub.publish(ONLINE)
    hub.close("the client can't continue: io failed")
    hub.close()
    for each in (events, hub.subscribe()):
        if each is events:
            assert each.next() == ONLINE
        with pytest.raises(GraphFailed, match="io failed"):
            each.next()
        with pytest.raises(GraphFailed):
            list(each)
    cancelled = EventHub()
    mine = cancelled.subscribe()
    mine.cancel()
    cancelled.close("failed later")
    assert mine.next() is None


def test_a_reader_that_is_too_slow_loses_the_oldest_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "EVENTS_MAX", 3)
    hub = EventHub()
    events = hub.subscribe()
    for number in range(5):
        hub.publish(erased(number))
    assert (events.lost, [events.next(0) for _ in range(3)]) == (2, [erased(2), erased(3), erased(4)])


def test_a_subscription_that_was_dropped_is_forgotten() -> None:
    hub = EventHub()
    kept = hub.subscribe()
    hub.subscribe()

    async def drop() -> None:
        for _ in range(3):
            AsyncSubscription(hub)

    asyncio.run(drop())
    gc.collect()
    assert list(hub._subscriptions) == [kept]


def test_coroutines_get_events_of_other_threads_in_order() -> None:
    hub = EventHub()

    def publish() -> None:
        for number in range(2_000):
            hub.publish(erased(number))
        hub.close()

    async def read() -> list[object]:
        async with AsyncSubscription(hub) as events:
            threading.Thread(target=publish).start()
            return [event async for event in events]

    assert asyncio.run(read()) == [erased(number) for number in range(2_000)]


def test_a_coroutines_wait_ends_by_time_by_cancel_and_by_failure() -> None:
    hub = EventHub()

    async def story() -> None:
        events = AsyncSubscription(hub)
        assert await events.next(0) is None
        assert await events.next(0.01) is None
        hub.publish(ONLINE)
        assert await events.next(0) == ONLINE
        waiting = asyncio.create_task(events.next())
        await asyncio.sleep(0.01)
        await asyncio.to_thread(events.cancel)
        assert await asyncio.wait_for(waiting, 5) is None
        other = AsyncSubscription(hub)
        waiting = asyncio.create_task(other.next())
        await asyncio.sleep(0)
        await asyncio.to_thread(hub.close, "the client can't continue: io failed")
        with pytest.raises(GraphFailed):
            await waiting

    asyncio.run(story())


def test_publishing_to_a_loop_that_has_ended_is_harmless() -> None:
    hub = EventHub()

    async def subscribe() -> AsyncSubscription:
        return AsyncSubscription(hub)

    events = asyncio.run(subscribe())
    hub.publish(ONLINE)
    assert not events.ended
