"""A mixnet client with those that came before it, as one transport."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.helpers.virtual_timers import VirtualTimers
from usernym.mixnet.emulator.core import Emulator
from usernym.mixnet.emulator.in_process import InProcessMixnet, InProcessTransport
from usernym.mixnet.former_addresses import FORMER_MAX, JoinedTransport
from usernym.mixnet.transport import Incoming, MixnetError, TransportDown, TransportEvent, TransportUp


class Net:
    """A mixnet, one program that moved, and one that writes to it."""

    def __init__(self) -> None:
        self.timers = VirtualTimers()
        self.mixnet = InProcessMixnet(Emulator(random.Random(1)), self.timers)
        self.current, self.former = self.mixnet.transport(), self.mixnet.transport()
        self.joined = JoinedTransport(self.current, [self.former])
        self.events: list[TransportEvent] = []
        self.heard: list[bytes] = []
        self.writer = self.mixnet.transport()
        self.writer.open(self._hear)
        self.joined.open(self.events.append)

    def _hear(self, event: TransportEvent) -> None:
        if isinstance(event, Incoming):
            self.heard.append(event.data)

    def come(self) -> list[Incoming]:
        self.timers.run()
        return [event for event in self.events if isinstance(event, Incoming)]


def test_what_comes_to_either_address_is_answered_from_there() -> None:
    net = Net()
    for address, text in ((net.current.address, b"new"), (net.former.address, b"old")):
        net.writer.send(address, text, 2)
    arrived = {event.data: event.sender_tag for event in net.come()}
    assert set(arrived) == {b"new", b"old"}
    for text, tag in arrived.items():
        assert tag is not None
        net.joined.reply(tag, b"to " + text)
    net.come()
    assert sorted(net.heard) == [b"to new", b"to old"]


def test_a_message_without_a_tag_comes_without_one() -> None:
    net = Net()
    net.writer.send(net.former.address, b"hello", 1)
    tag = net.come()[0].sender_tag
    assert tag is not None
    net.joined.send(net.writer.address, b"sent", 0)
    net.joined.reply(tag, b"replied")
    net.come()
    assert sorted(net.heard) == [b"replied", b"sent"]


@pytest.mark.parametrize("fault", ["offline", "kill", "restart"])
def test_only_the_current_client_is_reported_up_and_down(fault: str) -> None:
    net = Net()
    assert net.events == [TransportUp(net.current.address)]
    happen: Callable[[int], None] = getattr(net.mixnet, fault)
    happen(net.former.client)
    net.come()
    assert net.events == [TransportUp(net.current.address)]
    happen(net.current.client)
    net.come()
    assert isinstance(net.events[1], TransportDown)


def test_a_tag_that_nobody_gave_is_refused() -> None:
    net = Net()
    for tag in (b"", b"\x02" + bytes(16), b"\xff" * 17):
        with pytest.raises(MixnetError):
            net.joined.reply(tag, b"hello")


def test_closing_closes_all_also_when_one_fails() -> None:
    net = Net()

    class Broken(InProcessTransport):
        def close(self) -> None:
            raise OSError("it does not close")

    broken = Broken(net.mixnet, 0, bytes(96))
    joined = JoinedTransport(net.current, [broken, net.former])
    with pytest.raises(OSError, match="close"):
        joined.close()
    for transport in (net.current, net.former):
        with pytest.raises(MixnetError):
            transport.send(net.writer.address, b"too late", 0)


def test_their_number_is_bounded() -> None:
    net = Net()
    with pytest.raises(ValueError, match="at most"):
        JoinedTransport(net.current, [net.former] * (FORMER_MAX + 1))
