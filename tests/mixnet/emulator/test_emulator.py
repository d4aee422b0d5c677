"""The emulated mixnet's messages, clients and counters; SURBs and faults have files of their own."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.emulator_driver import Driver
from tests.helpers.examples import examples
from usernym.mixnet.emulator import state
from usernym.mixnet.emulator.core import Emulator
from usernym.mixnet.emulator.state import CATCH_UP_S, GATEWAY_S, Faults
from usernym.mixnet.transport import ADDRESS_BYTES, MESSAGE_BYTES_MAX, SENDER_TAG_BYTES, SURBS_MAX, MixnetError
from usernym.protocol.packets import anonymous_packets, reply_packets


@given(size=st.integers(0, 9_000), surbs=st.integers(0, 12), reply_size=st.integers(1, 9_000))
@examples(60)
def test_packets_are_those_of_the_formulas(size: int, surbs: int, reply_size: int) -> None:
    it = Driver()
    tag = it.tag_of("question" if size == 0 else bytes(size), surbs)
    sent = it.core.counts(it.alice)
    assert sent.sent() == sent.sent_data == anonymous_packets(len(b"question") if size == 0 else size, surbs)
    assert it.core.counts(it.bob).received() == sent.sent()
    arrived = it.reply(tag, bytes(reply_size))
    spent = min(surbs, reply_packets(reply_size))
    assert it.core.counts(it.bob).sent_data == spent
    assert it.core.surbs(it.bob, tag) == surbs - spent
    assert arrived == ([bytes(reply_size)] if surbs >= reply_packets(reply_size) else [])


@pytest.mark.parametrize(("size", "packets"), [(0, 1), (1602, 1), (1603, 2), (65_536, 41)])
def test_plain_message_costs_its_packets_and_has_no_tag(size: int, packets: int) -> None:
    it = Driver()
    it.core.send(it.now, it.alice, it.address(it.bob), bytes(size), None)
    [delivery] = it.settle()
    assert (delivery.client, delivery.data, delivery.tag) == (it.bob, bytes(size), None)
    assert it.core.counts(it.alice).sent_data == packets


@pytest.mark.parametrize(("surbs", "size"), [(0, 1581), (1, 1121), (2, 661), (3, 201)])
def test_the_largest_single_packets(surbs: int, size: int) -> None:
    it = Driver()
    it.send(bytes(size), surbs)
    assert it.core.counts(it.alice).sent() == 1
    it.send(bytes(size + 1), surbs)
    assert it.core.counts(it.alice).sent() == 3


def test_message_takes_the_time_of_three_hops() -> None:
    it = Driver()
    times = []
    for _ in range(400):
        started = it.now
        it.core.send(started, it.alice, it.address(it.bob), b"x", 0)
        at = it.core.next_event_at()
        assert at is not None
        times.append(at - started)
        it.settle()
    assert 0.040 < sum(times) / len(times) < 0.050
    assert min(times) > 0.0


def test_tag_is_new_for_each_process_and_recipient() -> None:
    it = Driver()
    first, again = it.tag_of(b"1", 1), it.tag_of(b"2", 1)
    it.core.send(it.now, it.alice, it.address(it.carol), b"3", 1)
    to_carol = it.settle()[0].tag
    it.core.restart(it.now, it.alice)
    after = it.tag_of(b"4", 1)
    it.core.kill(it.now, it.alice)
    last = it.tag_of(b"5", 1)
    assert first == again
    assert len({first, to_carol, after, last}) == 4


def test_address_nobody_has_loses_the_message() -> None:
    it = Driver()
    it.core.send(it.now, it.alice, bytes(ADDRESS_BYTES), b"x", 0)
    assert it.settle() == []
    assert it.core.lost["no such client"] == 1
    assert it.core.counts(it.alice).sent_data == 1


def test_gateway_keeps_packets_for_a_day_without_their_order() -> None:
    it = Driver()
    it.core.offline(it.now, it.bob)
    for number in range(20):
        it.core.send(it.now, it.alice, it.address(it.bob), bytes([number]), 1)
        it.now += 1.0
    assert it.settle() == []
    it.now = GATEWAY_S - 1.0
    it.core.advance(it.now)
    it.core.online(it.now, it.bob)
    arrived = [delivery.data[0] for delivery in it.core.advance(it.now + CATCH_UP_S)]
    assert sorted(arrived) == list(range(20))
    assert arrived != sorted(arrived)


def test_gateway_forgets_after_a_day() -> None:
    it = Driver()
    it.core.offline(it.now, it.bob)
    it.core.send(it.now, it.alice, it.address(it.bob), b"old", 1)
    it.settle()
    it.now += GATEWAY_S - 10.0
    it.core.send(it.now, it.alice, it.address(it.bob), b"new", 1)
    it.settle()
    it.now += 11.0
    it.core.online(it.now, it.bob)
    assert [delivery.data for delivery in it.settle()] == [b"new"]
    assert it.core.lost["gateway storage expired"] == 1


def test_gateway_keeps_through_a_restart_and_a_crash() -> None:
    for end in ("restart", "kill"):
        it = Driver()
        it.core.offline(it.now, it.bob)
        it.core.send(it.now, it.alice, it.address(it.bob), bytes(5000), 2)
        it.settle()
        getattr(it.core, end)(it.now, it.bob)
        it.core.online(it.now, it.bob)
        assert [len(delivery.data) for delivery in it.settle()] == [5000]


def test_crash_of_the_recipient_loses_the_fragments_in_its_memory() -> None:
    it = Driver()
    it.core.send(it.now, it.alice, it.address(it.bob), bytes(100_000), 0)
    at = it.core.next_event_at()
    assert at is not None
    it.core.kill(at - 1e-6, it.bob)  # the last packet is on its way, the others are there
    assert it.settle() == []
    assert it.core.lost["recipient's process ended"] == 1


def test_client_without_gateway_holds_what_it_sends_until_it_is_back() -> None:
    it = Driver()
    tag = it.tag_of(b"question", 1)
    it.core.offline(it.now, it.alice)
    it.core.offline(it.now, it.bob)
    it.core.send(it.now, it.alice, it.address(it.carol), b"held", 0)
    it.core.reply(it.now, it.bob, tag, b"answer")
    assert it.settle() == []
    it.core.online(it.now, it.alice)
    it.core.online(it.now, it.bob)
    assert sorted((d.client, d.data) for d in it.settle()) == [(it.alice, b"answer"), (it.carol, b"held")]


def test_process_that_ends_takes_what_it_held_along() -> None:
    it = Driver()
    it.core.offline(it.now, it.alice)
    it.core.send(it.now, it.alice, it.address(it.bob), b"held", 0)
    it.core.restart(it.now, it.alice)
    it.core.online(it.now, it.alice)
    assert it.settle() == []
    assert it.core.lost["sender's process ended"] == 1


def test_out_of_bounds_is_refused_without_a_trace() -> None:
    it = Driver()
    bob, tag = it.address(it.bob), bytes(SENDER_TAG_BYTES)
    refused: list[tuple[Any, ...]] = [
        (it.core.send, bob[:-1], b"x", 0),
        (it.core.send, bob, b"x", -1),
        (it.core.send, bob, b"x", SURBS_MAX + 1),
        (it.core.send, bob, bytes(MESSAGE_BYTES_MAX + 1), 0),
        (it.core.reply, tag, b""),
        (it.core.reply, tag + b"x", b"x"),
        (it.core.reply, tag, bytes(MESSAGE_BYTES_MAX + 1)),
    ]
    for method, *arguments in refused:
        with pytest.raises(MixnetError):
            method(it.now, it.alice, *arguments)
    assert it.core.next_event_at() is None
    assert it.core.counts(it.alice).sent() == 0


def test_messages_on_their_way_are_bounded_and_make_room_when_they_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MESSAGES_MAX", 3)
    monkeypatch.setattr(state, "MESSAGE_BYTES_SUM_MAX", 100)
    it = Driver()
    for _ in range(3):
        it.core.send(it.now, it.alice, it.address(it.bob), b"x", 0)
    with pytest.raises(MixnetError, match="too much"):
        it.core.send(it.now, it.alice, it.address(it.bob), b"x", 0)
    assert len(it.settle()) == 3
    it.core.send(it.now, it.alice, it.address(it.bob), bytes(60), 0)
    with pytest.raises(MixnetError, match="too much"):
        it.core.send(it.now, it.alice, it.address(it.bob), bytes(60), 0)
    assert len(it.settle()) == 1
    it.core.send(it.now, it.alice, it.address(it.bob), bytes(100), 0)
    assert len(it.settle()) == 1


def test_client_off_the_mixnet_and_its_gateway_hold_bounded_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "OUTBOX_MAX", 2)
    monkeypatch.setattr(state, "GATEWAY_MESSAGES_MAX", 2)
    it = Driver()
    it.core.offline(it.now, it.bob)
    for _ in range(3):
        it.send(b"x", 0)
    assert it.core.lost["gateway storage full"] == 1
    for _ in range(2):
        it.core.send(it.now, it.bob, it.address(it.alice), b"x", 0)
    with pytest.raises(MixnetError, match="cut off"):
        it.core.send(it.now, it.bob, it.address(it.alice), b"x", 0)
    it.core.online(it.now, it.bob)
    assert len(it.settle()) == 4


def test_clients_are_checked_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    core = Emulator(random.Random(1))
    first = core.add_client(bytes(ADDRESS_BYTES))
    assert core.client_at(bytes(ADDRESS_BYTES)) == first
    for address, minimum in ((bytes(ADDRESS_BYTES), 0), (b"short", 0), (None, -1), (None, 201)):
        with pytest.raises(MixnetError):
            core.add_client(address, minimum)
    monkeypatch.setattr(state, "CLIENTS_MAX", 1)
    with pytest.raises(MixnetError, match="at most 1"):
        core.add_client()


@pytest.mark.parametrize(
    "arguments",
    [{"loss": -0.1}, {"loss": 1.1}, {"silent_loss": 2.0}, {"duplication": float("nan")}, {"hop_delay_s": -1.0}],
)
def test_faults_that_make_no_sense_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must lie|probability"):
        Faults(**arguments)  # type: ignore[arg-type]
