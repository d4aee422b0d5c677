"""SURBs in the emulated mixnet: stock, minimum, requests, expiry, and what ends of processes do to them."""

from __future__ import annotations

import pytest

from tests.helpers.emulator_driver import Driver
from usernym.mixnet.emulator import state
from usernym.mixnet.emulator.state import (
    STOCK_MAX,
    SURB_AGE_S_MAX,
    SURB_MINIMUM_EPHEMERAL,
    SURB_MINIMUM_NYM_CLIENT,
    WAITING_S_MAX,
)
from usernym.protocol.packets import anonymous_packets


def test_single_surb_answers_at_once_when_none_is_kept_back() -> None:
    it = Driver()
    tag = it.tag_of(b"question", 1)
    assert it.reply(tag, b"answer") == [b"answer"]
    assert it.core.surbs(it.bob, tag) == 0
    assert it.core.counts(it.bob).sent() == 1


def test_reply_before_any_surb_is_lost_but_later_ones_arrive() -> None:
    it = Driver()
    tag = it.tag_of(b"no SURBs", 0)
    assert it.reply(tag, b"lost") == []
    assert it.core.lost["unknown tag"] == 1
    assert it.tag_of(b"SURBs", 2) == tag
    assert it.settle() == []
    assert it.reply(tag, b"arrives") == [b"arrives"]


def test_reply_with_an_empty_stock_waits_and_asks_for_nothing() -> None:
    it = Driver()
    tag = it.tag_of(b"question", 1)
    it.reply(tag, b"first")
    it.core.reply(it.now, it.bob, tag, b"waits")
    it.core.advance(it.now + WAITING_S_MAX - 1.0)
    assert it.core.counts(it.bob).sent_surb_requests == 0
    it.now += WAITING_S_MAX - 1.0
    assert [d.data for d in it.send(b"here are more", 1)] == [b"here are more", b"waits"]


def test_reply_that_waited_too_long_is_dropped() -> None:
    it = Driver()
    tag = it.tag_of(b"question", 1)
    it.reply(tag, b"first")
    it.core.reply(it.now, it.bob, tag, b"waits in vain")
    it.core.advance(it.now + WAITING_S_MAX)
    assert it.core.lost["no SURBs came"] == 1
    it.now += WAITING_S_MAX
    assert [d.data for d in it.send(b"too late", 5)] == [b"too late"]


def test_long_reply_leaves_packet_by_packet_as_surbs_come() -> None:
    it = Driver()
    tag = it.tag_of(b"question", 2)
    it.core.reply(it.now, it.bob, tag, bytes(1601 + 1604 * 3))  # four packets
    it.settle(within_s=1.0)
    assert it.core.counts(it.bob).sent_data == 2
    it.core.send(it.now, it.alice, it.address(it.bob), b"more", 3)
    deliveries = it.settle(within_s=1.0)
    assert {d.client for d in deliveries} == {it.alice, it.bob}
    assert it.core.counts(it.bob).sent_data == 4
    assert it.core.surbs(it.bob, tag) == 1


@pytest.mark.parametrize(
    ("attached", "requests", "packets_of_alice"),
    [(1, 2, 1 + 3 + 3), (2, 1, 1 + 3), (5, 1, 2 + 3), (10, 1, 3 + 3), (11, 0, 4), (20, 0, 6)],
)
def test_nym_clients_minimum_costs_a_round_trip(attached: int, requests: int, packets_of_alice: int) -> None:
    """Measured: up to 10 SURBs the reply needs more of them first; each request brings 10, in three packets."""
    it = Driver(surb_minimum=SURB_MINIMUM_NYM_CLIENT)
    tag = it.tag_of(b"question", attached)
    assert it.reply(tag, b"answer") == [b"answer"]
    assert it.core.counts(it.bob).sent_surb_requests == requests
    assert it.core.counts(it.bob).sent_data == 1
    assert it.core.counts(it.alice).sent() == packets_of_alice
    assert it.core.counts(it.alice).sent_surb_answers == 3 * requests == it.core.counts(it.bob).received_surb_answers
    assert it.core.surbs(it.bob, tag) == attached + 10 * requests - requests - 1


def test_below_the_minimum_more_are_asked_for_on_receipt() -> None:
    """Measured: a message with one SURB costs 1 + 3 extra packets, though no one replies."""
    it = Driver(surb_minimum=SURB_MINIMUM_NYM_CLIENT)
    tag = it.tag_of(b"no answer wanted", 1)
    assert (it.core.counts(it.bob).sent_surb_requests, it.core.counts(it.alice).sent_surb_answers) == (1, 3)
    assert it.core.surbs(it.bob, tag) == 10


def test_what_a_program_gave_counts_as_spent_before_what_its_mixnet_client_gave_by_itself() -> None:
    """The program sees that some were spent, not which."""
    it = Driver(surb_minimum=SURB_MINIMUM_NYM_CLIENT)
    tag = it.tag_of(b"no answer wanted", 1)
    it.send(b"more", 5)
    assert [it.core.surbs_of(it.bob, it.alice, on_request=each) for each in (True, False)] == [15, 5]
    it.reply(tag, b"one")
    it.reply(tag, b"two")
    assert [it.core.surbs_of(it.bob, it.alice, on_request=each) for each in (True, False)] == [13, 3]
    it.now += SURB_AGE_S_MAX
    it.core.advance(it.now)
    it.send(b"after a day", 14)
    assert [it.core.surbs_of(it.bob, it.alice, on_request=each) for each in (True, False)] == [14, 14], (
        "what was spent is long dead"
    )


def test_ephemeral_clients_keep_twenty_back() -> None:
    it = Driver(surb_minimum=SURB_MINIMUM_EPHEMERAL)
    tag = it.tag_of(b"question", 21)
    assert it.reply(tag, b"answer") == [b"answer"]
    assert it.core.counts(it.bob).sent_surb_requests == 0
    assert it.reply(tag, b"another") == [b"another"]
    assert it.core.counts(it.bob).sent_surb_requests == 1


def test_minimum_of_one_can_ask_for_more() -> None:
    it = Driver(surb_minimum=1)
    tag = it.tag_of(b"question", 2)
    assert it.reply(tag, b"at once") == [b"at once"]
    assert it.core.counts(it.bob).sent_surb_requests == 0
    assert it.reply(tag, b"after a round trip") == [b"after a round trip"]
    assert it.core.counts(it.bob).sent_surb_requests == 1


def test_request_is_as_large_as_what_waits_up_to_fifty() -> None:
    it = Driver(surb_minimum=1)
    tag = it.tag_of(b"question", 1)
    assert it.reply(tag, bytes(1604 * 30)) == [bytes(1604 * 30)]  # 31 packets
    # Alice's 31 SURBs in one answer, then ten more since the minimum is to be there again.
    assert it.core.counts(it.alice).sent_surb_answers == anonymous_packets(0, 31) + anonymous_packets(0, 10)
    long = bytes(1604 * 120)
    assert it.reply(tag, long) == [long]
    assert it.core.counts(it.bob).sent_surb_requests >= 4


def test_request_to_a_process_that_ended_is_not_answered() -> None:
    it = Driver(surb_minimum=SURB_MINIMUM_NYM_CLIENT)
    tag = it.tag_of(b"question", 10)
    it.core.restart(it.now, it.alice)
    started = it.now
    assert it.reply(tag, b"never") == []
    assert it.core.counts(it.alice).sent_surb_answers == 0
    assert it.core.counts(it.bob).sent_surb_requests > 1, "it is asked again"
    assert it.core.lost["no SURBs came"] == 1
    assert it.now - started == pytest.approx(WAITING_S_MAX)


def test_orderly_restart_of_the_asker_keeps_its_old_tag_alive() -> None:
    it = Driver()
    tag = it.tag_of(b"question", 3)
    it.core.restart(it.now, it.alice)
    assert it.reply(tag, b"answer") == [b"answer"]
    assert it.tag_of(b"again", 1) != tag
    assert it.reply(tag, b"still") == [b"still"]


def test_crash_of_the_asker_kills_its_old_tag_in_silence() -> None:
    it = Driver()
    tag = it.tag_of(b"question", 3)
    it.core.kill(it.now, it.alice)
    assert it.reply(tag, b"lost") == []
    assert it.core.lost["reply keys lost"] == 1
    assert it.core.counts(it.bob).sent_data == 1, "the replier notices nothing"
    new_tag = it.tag_of(b"again", 1)
    assert it.reply(new_tag, b"arrives") == [b"arrives"]


def test_reply_under_way_while_the_asker_crashes_is_lost() -> None:
    it = Driver()
    tag = it.tag_of(b"question", 1)
    it.core.reply(it.now, it.bob, tag, b"under way")
    it.core.kill(it.now, it.alice)
    assert it.settle() == []


def test_surbs_under_way_while_the_asker_crashes_are_dead() -> None:
    it = Driver()
    it.core.send(it.now, it.alice, it.address(it.bob), b"question", 1)
    it.core.kill(it.now, it.alice)
    [delivery] = it.settle()
    assert delivery.tag is not None
    assert it.reply(delivery.tag, b"lost") == []


def test_orderly_restart_of_the_replier_keeps_its_stock() -> None:
    it = Driver()
    tag = it.tag_of(b"question", 3)
    it.core.restart(it.now, it.bob)
    assert it.core.surbs(it.bob, tag) == 3
    assert it.reply(tag, b"answer") == [b"answer"]


def test_crash_of_the_replier_loses_its_stock() -> None:
    it = Driver()
    tag = it.tag_of(b"question", 3)
    it.core.kill(it.now, it.bob)
    assert it.reply(tag, b"lost") == []
    assert it.core.lost["unknown tag"] == 1


def test_end_of_the_replier_loses_the_replies_that_wait() -> None:
    it = Driver()
    tag = it.tag_of(b"question", 1)
    it.reply(tag, b"first")
    it.core.reply(it.now, it.bob, tag, b"waits")
    it.core.restart(it.now, it.bob)
    assert [d.data for d in it.send(b"more", 2)] == [b"more"]


def test_surbs_die_after_a_day() -> None:
    it = Driver()
    tag = it.tag_of(b"question", 2)
    it.now = SURB_AGE_S_MAX - 1.0
    it.core.advance(it.now)
    assert it.reply(tag, b"in time") == [b"in time"]
    it.now = SURB_AGE_S_MAX
    it.core.advance(it.now)
    assert it.core.surbs(it.bob, tag) == 0
    assert it.reply(tag, b"too late") == []


def test_key_rotation_kills_all_surbs_made_before() -> None:
    it = Driver()
    tag = it.tag_of(b"question", 5)
    it.core.rotate_keys(it.now)
    assert it.reply(tag, b"dead") == []
    it.now += 100.0
    assert it.tag_of(b"again", 1) == tag
    assert it.reply(tag, b"alive") == [b"alive"]


def test_stock_keeps_the_youngest_two_hundred() -> None:
    it = Driver()
    tag = it.tag_of(b"old", 150)
    it.now = SURB_AGE_S_MAX / 2
    it.tag_of(b"new", 150)
    assert it.core.surbs(it.bob, tag) == STOCK_MAX
    it.now = SURB_AGE_S_MAX
    it.core.advance(it.now)
    assert it.core.surbs(it.bob, tag) == 150


def test_senders_and_waiting_replies_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "STOCKS_MAX", 2)
    monkeypatch.setattr(state, "WAITING_MAX", 2)
    it = Driver()
    tags = []
    for _ in range(3):
        tags.append(it.tag_of(b"question", 1))
        it.core.restart(it.now, it.alice)
    assert [it.core.surbs(it.bob, tag) for tag in tags] == [0, 1, 1]
    it.reply(tags[2], b"spends it")
    for _ in range(3):
        it.core.reply(it.now, it.bob, tags[2], b"waits")
    assert it.core.lost["too many replies wait for SURBs"] == 1
