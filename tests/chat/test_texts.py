"""The page's words for states, times and refusals."""

from __future__ import annotations

import pytest

from usernym import Code, DeliveryState, HandshakeState, MessageView, Route, TextTooLong
from usernym.chat import lines, texts

NOW = 1_800_000_000
DAY = 86_400


def message(**more: object) -> MessageView:
    """One of our texts that was delivered, except for what is given."""
    given = {
        "row": 7, "message_id": "ab" * 16, "outgoing": True, "text": "hello", "counter": 1, "missing": 0, "late": False,
        "sent_at": NOW, "arrived_at": NOW, "state": DeliveryState.DELIVERED, "reason": None, "route": Route.NODE,
        "read": True,
    }  # fmt: skip
    return MessageView(**(given | more))  # type: ignore[arg-type]


def test_every_state_route_and_handshake_has_a_word() -> None:
    for known, values in ((texts.STATES, DeliveryState), (texts.ROUTES, Route), (texts.HANDSHAKES, HandshakeState)):
        assert set(known) == set(values)
        assert len(set(known.values())) == len(known)  # no two things have one word


def test_a_reason_is_told_while_it_matters() -> None:
    refused = message(state=DeliveryState.REFUSED, reason=Code.NO_SUCH_USER)
    assert texts.state(refused).startswith("refused: ")
    waiting = message(state=DeliveryState.WAITING, reason=Code.MAILBOX_FULL)
    assert texts.state(waiting).startswith("waiting here: ")
    assert texts.state(message(reason=Code.MAILBOX_FULL)) == "delivered"
    assert texts.state(message(state=None, outgoing=False)) == ""


@pytest.mark.parametrize("code", list(Code))
def test_every_refusal_is_a_sentences_beginning(code: Code) -> None:
    assert texts.refusal(code)[:1].isupper()


def test_a_problem_never_shows_what_an_exception_holds_by_accident() -> None:
    assert "s3cret" not in texts.problem(RuntimeError("s3cret"))
    assert "64" in texts.problem(TextTooLong("a text has at most 64 KiB"))


@pytest.mark.parametrize("moment", [2**63 - 1, 10**18, -(10**18)])
def test_an_impossible_moment_is_none(moment: int) -> None:
    assert texts.clock(moment) == "--:--"
    assert texts.day(moment, NOW) == "unknown time"
    assert texts.moment_text(moment) == "unknown time"
    assert texts.iso(moment) == texts.short(moment, NOW) == ""
    line = lines.text_line(message(sent_at=moment, arrived_at=moment, late=True), "bob", "")
    assert line["late"] == "arrived late, written: unknown time"


def test_days_are_said_as_people_say_them() -> None:
    assert texts.day(NOW, NOW) == "Today"
    assert texts.day(NOW - DAY, NOW) == "Yesterday"
    assert "20" in texts.day(NOW - 2 * DAY, NOW)
    assert texts.short(NOW, NOW) == texts.clock(NOW)
    assert texts.short(NOW - 2 * DAY, NOW).count("-") == 2


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "never"), (3600, "after an hour"), (DAY, "after a day"), (2 * DAY, "after 2 days"),
     (7200, "after 2 hours"), (60, "after 1 minutes"), (90, "after 1.5 minutes"), (30, "after 30 seconds")],
)  # fmt: skip
def test_durations(seconds: int | None, said: str) -> None:
    assert texts.duration(seconds) == said


def test_gaps_are_counted() -> None:
    assert texts.missing(1).startswith("1 text before")
    assert texts.missing(3).startswith("3 texts before")


@pytest.mark.parametrize(
    ("state", "labels"),
    [
        (DeliveryState.WAITING, ["Try now", "Cancel", "Delete on this device"]),
        (DeliveryState.ACCEPTED, ["Delete on this device"]),
        (DeliveryState.DELIVERED, ["Delete on this device"]),
        (DeliveryState.EXPIRED, ["Send again", "Delete on this device"]),
        (DeliveryState.REFUSED, ["Send again", "Delete on this device"]),
        (DeliveryState.CANCELLED, ["Send again", "Delete on this device"]),
        (None, ["Delete on this device"]),
    ],
)
def test_what_can_be_done_follows_from_the_state(state: DeliveryState | None, labels: list[str]) -> None:
    line = lines.text_line(message(state=state, outgoing=state is not None), "bob", "")
    assert [action["label"] for action in line["actions"]] == labels


def test_the_route_is_told_when_it_was_taken() -> None:
    assert lines.text_line(message(state=DeliveryState.WAITING), "bob", "")["route"] == ""
    assert lines.text_line(message(), "bob", "")["route"] == "through the node"
    assert lines.text_line(message(route=Route.DIRECT), "bob", "")["route"] == "direct"


def test_a_day_is_said_once_and_a_gap_where_it_is() -> None:
    first, second = message(row=1), message(row=2, missing=2, outgoing=False, state=None)
    third = message(row=3, arrived_at=NOW + DAY)
    shown = lines.text_lines([first, second, third], "bob", NOW + DAY)
    assert [line["day"] for line in shown] == ["Yesterday", "", "Today"]
    assert [line["gap"] for line in shown] == ["", texts.missing(2), ""]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("one", "one"), ("a\n  b\tc", "a b c"), ("x" * 80, "x" * 80), ("x" * 81, "x" * 80 + "…"), (" \n ", "")],
)
def test_a_snippet_is_one_short_line(text: str, shown: str) -> None:
    assert lines.snippet(text) == shown


def test_a_huge_text_is_cut_before_it_is_looked_at() -> None:
    assert lines.snippet("word " * 20_000) == ("word " * 20_000)[:80] + "…"
