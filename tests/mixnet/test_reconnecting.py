"""A transport whose links end by bugs: it makes new ones, a bounded number of times, and then says that it is over."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from unittest.mock import Mock

import pytest

from usernym.mixnet import reconnecting
from usernym.mixnet.reconnecting import BUGS_MAX, LinkedTransport, Outgoing
from usernym.mixnet.transport import Incoming, MixnetDown, TransportDown, TransportEvent, TransportUp

ADDRESS = bytes(96)


class BuggyLink:
    """A link that fails by a bug as soon as it is asked for a message."""

    address = ADDRESS

    async def send(self, request: Outgoing) -> None:
        """Take it, and do nothing with it."""

    async def receive(self) -> Incoming:
        raise ValueError("a bug")

    async def close(self) -> None:
        """Nothing is open."""


class SoundLink(BuggyLink):
    """A link on which nothing ever comes."""

    async def receive(self) -> Incoming:
        await asyncio.Event().wait()
        raise AssertionError("not reached")


def _opened(links: list[BuggyLink]) -> tuple[LinkedTransport, queue.Queue[TransportEvent]]:
    events: queue.Queue[TransportEvent] = queue.Queue()

    async def connect() -> BuggyLink:
        return links.pop(0)

    transport = LinkedTransport(connect, "test")
    transport.open(events.put)
    return transport, events


@pytest.mark.seconds
def test_a_link_that_ends_by_a_bug_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        transport, events = _opened([BuggyLink(), SoundLink()])
        assert events.get(timeout=10) == TransportUp(ADDRESS)
        down = events.get(timeout=10)
        assert isinstance(down, TransportDown)
        assert not down.final
        assert events.get(timeout=10) == TransportUp(ADDRESS)
        transport.send(ADDRESS, b"it works again", 0)
        transport.close()
    assert "ValueError: a bug" in caplog.text


@pytest.mark.seconds
def test_a_bug_that_comes_back_ends_the_transport_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting, "BACKOFF_S_MAX", 0.2)
    transport, events = _opened([BuggyLink() for _ in range(BUGS_MAX + 5)])
    ends: list[TransportDown] = []
    while not ends or not ends[-1].final:
        event = events.get(timeout=10)
        if isinstance(event, TransportDown):
            ends.append(event)
    assert len(ends) == BUGS_MAX + 1
    assert "bug" in ends[-1].reason
    with pytest.raises(MixnetDown, match="bug"):
        transport.send(ADDRESS, b"too late", 0)
    transport.close()
    assert events.empty()


def test_bugs_far_apart_do_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting, "BUGS_WINDOW_S", 0.0)
    monkeypatch.setattr(reconnecting, "BACKOFF_S_MAX", 0.01)
    monkeypatch.setattr(reconnecting, "BACKOFF_S_MIN", 0.01)
    transport, events = _opened([*(BuggyLink() for _ in range(3 * BUGS_MAX)), SoundLink()])
    for _ in range(6 * BUGS_MAX):
        event = events.get(timeout=10)
        assert not isinstance(event, TransportDown) or not event.final
    assert events.get(timeout=10) == TransportUp(ADDRESS)
    transport.close()


def test_a_transport_that_gets_no_thread_says_so_and_can_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = LinkedTransport(lambda: pytest.fail("there is no thread"), "test")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
        with pytest.raises(RuntimeError, match="new thread"):
            transport.open(lambda _event: None)
    transport.close()


class OtherLink(SoundLink):
    """A later client of a transport that keeps nothing: it has another address."""

    address = bytes([1]) * 96


@pytest.mark.parametrize("keep_address", [True, False])
@pytest.mark.parametrize("renewable", [True, False])
def test_a_renewal_makes_another_client_or_changes_nothing(renewable: bool, keep_address: bool) -> None:
    events: queue.Queue[TransportEvent] = queue.Queue()
    links: list[BuggyLink] = [SoundLink(), OtherLink()]

    async def connect() -> BuggyLink:
        return links.pop(0)

    forgotten: list[int] = []

    def forget() -> None:
        """Fails the first time."""
        forgotten.append(1)
        if len(forgotten) == 1:
            raise PermissionError(1, "not permitted")

    transport = LinkedTransport(
        connect,
        "test",
        forget=forget if renewable and not keep_address else None,
        forget_reply_keys=forget if renewable and keep_address else None,
    )
    assert not transport.renew(keep_address=keep_address), "it is not open"
    transport.open(events.put)
    assert events.get(timeout=10) == TransportUp(ADDRESS)
    assert not transport.renew(keep_address=not keep_address), "it can be renewed in the other way only, if at all"
    assert transport.renew(keep_address=keep_address) is renewable
    if renewable:
        assert isinstance(events.get(timeout=10), TransportDown)
        assert events.get(timeout=10) == TransportDown("the mixnet client can't be renewed: not permitted")
        assert events.get(timeout=10) == TransportUp(OtherLink.address)
    transport.close()
    assert events.empty()
    assert len(forgotten) == (2 if renewable else 0)
    assert not transport.renew(keep_address=keep_address), "it is closed"
