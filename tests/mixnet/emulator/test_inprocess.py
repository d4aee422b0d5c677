"""The emulated mixnet in one process: events, simulated time, threads."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from tests.helpers.mixnet_members import WAIT_S, Recorder
from tests.helpers.mixnet_networks import InProcessNetwork
from tests.helpers.virtual_timers import VirtualTimers
from usernym.mixnet.emulator.core import Emulator
from usernym.mixnet.emulator.in_process import InProcessMixnet, InProcessTransport
from usernym.mixnet.emulator.state import Faults
from usernym.mixnet.transport import Incoming, MixnetDown, MixnetError, TransportDown, TransportEvent, TransportUp
from usernym.timers import ThreadTimers


class World:
    """A mixnet in virtual time, with two transports that keep their events."""

    def __init__(self, seed: int = 1, faults: Faults | None = None) -> None:
        self.timers = VirtualTimers()
        self.mixnet = InProcessMixnet(Emulator(random.Random(seed), faults), self.timers)
        self.alice, self.alices = self.join()
        self.bob, self.bobs = self.join()

    def join(self, address: bytes | None = None) -> tuple[InProcessTransport, list[TransportEvent]]:
        events: list[TransportEvent] = []
        transport = self.mixnet.transport(address)
        transport.open(events.append)
        return transport, events

    def tag(self) -> bytes:
        """Alice sends Bob five SURBs; her tag at him."""
        self.alice.send(self.bob.address, b"question", 5)
        self.timers.run()
        event = self.bobs.pop()
        assert isinstance(event, Incoming)
        assert event.sender_tag is not None
        return event.sender_tag

    def answered(self, tag: bytes) -> bool:
        """Whether a reply of Bob's reaches Alice."""
        self.bob.reply(tag, b"answer")
        self.timers.run()
        return Incoming(b"answer", None) in self.alices


def test_opening_reports_the_address_at_once() -> None:
    world = World()
    assert world.alices == [TransportUp(world.alice.address)]


def test_nothing_happens_without_the_timers() -> None:
    world = World()
    world.alice.send(world.bob.address, b"x", 0)
    assert len(world.bobs) == 1
    world.timers.run()
    assert [event.data for event in world.bobs if isinstance(event, Incoming)] == [b"x"]


def test_same_seed_same_events_at_the_same_times() -> None:
    def trace(seed: int) -> list[Any]:
        world = World(seed, Faults(loss=0.1, duplication=0.1))
        seen: list[Any] = []
        carol = world.mixnet.transport()

        def answer(event: TransportEvent) -> None:
            seen.append((world.timers.now(), event))
            if isinstance(event, Incoming) and event.sender_tag is not None:
                carol.reply(event.sender_tag, event.data + b"!")

        carol.open(answer)
        for number in range(50):
            world.alice.send(carol.address, bytes([number]), 2)
        world.timers.run()
        return [seen, world.alices, world.timers.now()]

    assert trace(3) == trace(3)
    assert trace(3) != trace(4)


def test_killed_client_is_down_then_up_and_its_tags_are_dead() -> None:
    world = World()
    tag = world.tag()
    world.mixnet.kill(world.alice.client)
    assert [type(event) for event in world.alices[1:]] == [TransportDown, TransportUp]
    assert not world.answered(tag)


def test_restarted_client_is_down_then_up_and_its_tags_live() -> None:
    world = World()
    tag = world.tag()
    world.mixnet.restart(world.alice.client)
    assert [type(event) for event in world.alices[1:]] == [TransportDown, TransportUp]
    assert world.answered(tag)


def test_offline_client_is_down_until_it_is_online() -> None:
    world = World()
    world.mixnet.offline(world.bob.client)
    world.mixnet.offline(world.bob.client)
    with pytest.raises(MixnetDown):
        world.bob.send(world.alice.address, b"x", 0)
    with pytest.raises(MixnetDown):
        world.bob.reply(bytes(16), b"x")
    world.alice.send(world.bob.address, b"stored", 0)
    world.timers.run()
    world.mixnet.kill(world.bob.client)
    assert [type(event) for event in world.bobs] == [TransportUp, TransportDown]
    world.mixnet.online(world.bob.client)
    world.mixnet.online(world.bob.client)
    world.timers.run()
    assert [type(event) for event in world.bobs[2:]] == [TransportUp, Incoming]


def test_closed_client_comes_back_at_its_address() -> None:
    world = World()
    tag = world.tag()
    world.bob.close()
    world.alice.send(world.bob.address, b"stored", 0)
    world.timers.run()
    world.mixnet.online(world.bob.client)
    assert world.bobs == [TransportUp(world.bob.address)], "closed transports stay silent"
    world.bob, events = world.join(world.bob.address)
    world.timers.run()
    assert [type(event) for event in events] == [TransportUp, Incoming]
    assert world.answered(tag), "its SURBs were stored"


def test_client_killed_while_closed_comes_back_without_memory() -> None:
    world = World()
    tag = world.tag()
    world.bob.close()
    world.mixnet.kill(world.bob.client)
    world.bob, _ = world.join(world.bob.address)
    assert not world.answered(tag)


def test_client_has_one_open_transport() -> None:
    world = World()
    second = world.mixnet.transport(world.bob.address)
    with pytest.raises(MixnetError, match="open transport"):
        second.open(world.bobs.append)
    second.close()
    world.alice.send(world.bob.address, b"x", 0)
    world.timers.run()
    assert isinstance(world.bobs[-1], Incoming), "the first is not disturbed"


def test_client_that_forgets_says_nothing_and_its_tags_are_dead() -> None:
    for forgetful in ("alice", "bob"):
        world = World()
        tag = world.tag()
        events = len(world.alices), len(world.bobs)
        world.mixnet.forget(getattr(world, forgetful).client)
        assert (len(world.alices), len(world.bobs)) == events
        assert not world.answered(tag)


def test_key_rotation_kills_surbs() -> None:
    world = World()
    tag = world.tag()
    world.mixnet.rotate_keys()
    assert not world.answered(tag)


def test_counters_are_a_copy() -> None:
    world = World()
    before = world.mixnet.counts(world.alice.client)
    world.tag()
    assert before.sent() == 0
    assert world.mixnet.counts(world.alice.client).sent() == 2


def test_close_waits_for_the_event_that_is_being_handed_over() -> None:
    network = InProcessNetwork()
    alice, bob = network.join(), network.join()
    entered, leave, closed = threading.Event(), threading.Event(), threading.Event()

    def dawdle(message: Incoming) -> None:
        entered.set()
        assert leave.wait(WAIT_S)
        assert not closed.is_set()

    bob.recorder.on_incoming = dawdle
    alice.transport.send(bob.address, b"x", 0)
    assert entered.wait(WAIT_S)

    def close() -> None:
        bob.transport.close()
        closed.set()

    closer = threading.Thread(target=close)
    closer.start()
    assert not closed.wait(0.05)
    leave.set()
    assert closed.wait(WAIT_S)
    closer.join()
    network.close()


def test_many_threads_send_at_once() -> None:
    network = InProcessNetwork()
    members = [network.join() for _ in range(4)]
    hub = network.join()

    def send(index: int) -> None:
        for number in range(200):
            members[index].transport.send(hub.address, bytes([index, number]), 1)

    threads = [threading.Thread(target=send, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(hub.receive().data for _ in range(800)) == [bytes([i, n]) for i in range(4) for n in range(200)]
    network.close()


def test_thread_timers_run_in_the_order_of_their_times_and_survive_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    timers = ThreadTimers()
    done: list[int] = []
    finished = threading.Event()

    def fail() -> None:
        raise RuntimeError("on purpose")

    def finish() -> None:
        done.append(2)
        finished.set()

    timers.call_later(0.03, finish)
    timers.call_later(0.02, fail)
    timers.call_later(0.01, lambda: done.append(1))
    assert finished.wait(WAIT_S)
    assert done == [1, 2]
    assert "a timer's action failed" in caplog.text
    timers.call_later(1000.0, finished.clear)
    timers.close()
    timers.close()
    timers.call_later(0.0, finished.clear)
    assert finished.is_set()


def test_thread_timers_can_be_closed_from_an_action() -> None:
    timers = ThreadTimers()
    recorder = Recorder()

    def close() -> None:
        timers.close()
        recorder(TransportDown("closed"))

    timers.call_later(0.0, close)
    assert recorder.wait_for(TransportDown).reason == "closed"
    timers.close()


def test_a_renewed_client_has_another_address_and_what_was_given_before_leads_nowhere() -> None:
    world = World()
    former, tag = world.alice.address, world.tag()
    assert world.alice.renew()
    assert world.alice.address != former
    assert isinstance(world.alices[-2], TransportDown)
    assert world.alices[-1] == TransportUp(world.alice.address)
    assert not world.answered(tag)
    world.bob.send(former, b"to the former address", 0)
    world.bob.send(world.alice.address, b"to the new one", 0)
    world.timers.run()
    assert [event.data for event in world.alices if isinstance(event, Incoming)] == [b"to the new one"]
    assert world.answered(world.tag()), "and all works from there"
    world.alice.close()
    assert not world.alice.renew()


def test_a_client_that_is_renewed_at_its_address_has_lost_the_keys_of_its_surbs_and_nothing_else() -> None:
    world = World()
    address, tag = world.alice.address, world.tag()
    world.bob.send(address, b"brings a tag", 5)
    world.timers.run()
    bobs = next(event.sender_tag for event in world.alices if isinstance(event, Incoming))
    assert bobs is not None
    assert world.alice.surbs_out() == 5
    assert world.alice.renew(keep_address=True)
    assert world.alices[-2:] == [TransportDown("the emulated mixnet client is renewed"), TransportUp(address)]
    assert world.alice.surbs_out() == 0
    assert not world.answered(tag)
    world.bob.send(address, b"to the same address", 0)
    world.alice.reply(bobs, b"over what she held")
    world.timers.run()
    assert any(event.data == b"to the same address" for event in world.alices if isinstance(event, Incoming))
    assert Incoming(b"over what she held", None) in world.bobs
    assert world.answered(world.tag()), "and all works from there"
    world.alice.close()
    assert not world.alice.renew(keep_address=True)
