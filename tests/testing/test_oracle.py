"""The model accuses those who break a rule, and no one else."""

from __future__ import annotations

import pytest

from usernym.testing.oracle import TERM_S, Oracle, Promise

ID = b"1" * 16
OTHER = b"2" * 16


def told(oracle: Oracle, *states: str, reason: str | None = None, now: float = 1.0) -> None:
    for state in states:
        oracle.told("alice", ID, state, reason, now)


def oracle_with_text(**promise: bool | frozenset[str]) -> Oracle:
    oracle = Oracle(Promise(**promise))  # type: ignore[arg-type]
    oracle.wrote("alice", "bob", "hi", 0.0)
    oracle.took("hi", ID)
    return oracle


def end(oracle: Oracle) -> list[str]:
    oracle.end([])
    return oracle.wrong


def test_a_text_that_arrives_is_no_wrong() -> None:
    oracle = oracle_with_text()
    told(oracle, "accepted")
    oracle.shown("bob", "alice", "hi", ID, 1)
    assert oracle.waiting() == 1
    told(oracle, "delivered")
    assert oracle.waiting() == 0
    assert end(oracle) == []


def test_lost() -> None:
    oracle = oracle_with_text()
    told(oracle, "accepted")
    assert end(oracle) == ["alice's text 0 to bob is lost: its writer reads 'accepted'"]


def test_never_taken_nor_refused() -> None:
    oracle = Oracle()
    oracle.wrote("alice", "bob", "hi", 0.0)
    assert "neither taken nor refused" in end(oracle)[0]


def test_what_its_client_did_not_take_may_come_or_not() -> None:
    for comes in (False, True):
        oracle = Oracle()
        oracle.wrote("alice", "bob", "hi", 0.0)
        oracle.gave_up("hi")
        if comes:
            oracle.shown("bob", "alice", "hi", ID, 1)
        assert end(oracle) == []


def test_what_a_conversation_shows_was_taken() -> None:
    oracle = Oracle()
    oracle.wrote("alice", "bob", "hi", 0.0)
    oracle.gave_up("hi")
    oracle.took("hi", ID)
    assert "is lost" in end(oracle)[0]


def test_shown_twice() -> None:
    oracle = oracle_with_text()
    for _ in range(2):
        oracle.shown("bob", "alice", "hi", ID, 1)
    assert oracle.wrong == ["alice's text 0 to bob was shown 2 times"]


@pytest.mark.parametrize(
    ("reader", "writer", "content", "message_id", "says"),
    [
        ("carol", "alice", "hi", ID, "was shown to carol"),
        ("bob", "carol", "hi", ID, "under carol's name"),
        ("bob", "alice", "hello", ID, "that no one wrote"),
        ("bob", "alice", "hi", OTHER, "under another id"),
    ],
)
def test_shown_wrongly(reader: str, writer: str, content: str, message_id: bytes, says: str) -> None:
    oracle = oracle_with_text()
    oracle.shown(reader, writer, content, message_id, 1)
    assert len(oracle.wrong) == 1
    assert says in oracle.wrong[0]


def test_delivered_before_it_was_shown() -> None:
    oracle = oracle_with_text()
    told(oracle, "delivered")
    assert "before it was shown" in oracle.wrong[0]


def test_a_state_that_goes_back() -> None:
    oracle = oracle_with_text()
    oracle.shown("bob", "alice", "hi", ID, 1)
    told(oracle, "delivered", "accepted")
    assert oracle.wrong == ["alice's text 0 to bob was delivered, and is accepted now"]


def test_shown_but_its_writer_does_not_know() -> None:
    oracle = oracle_with_text()
    oracle.shown("bob", "alice", "hi", ID, 1)
    told(oracle, "accepted")
    assert "its writer reads 'accepted'" in end(oracle)[0]


def test_refused_and_expired_need_a_reason() -> None:
    oracle = oracle_with_text()
    told(oracle, "refused", reason="malformed")
    assert "without good reason" in oracle.wrong[0]
    oracle = oracle_with_text(refusals=frozenset({"no_such_user"}))
    told(oracle, "refused", reason="no_such_user")
    assert end(oracle) == []
    oracle = oracle_with_text()
    told(oracle, "expired", now=TERM_S - 1)
    assert "expired after" in oracle.wrong[0]
    oracle = oracle_with_text()
    told(oracle, "expired", now=TERM_S + 1)
    assert end(oracle) == []


def test_one_id_for_two_texts() -> None:
    oracle = oracle_with_text()
    oracle.wrote("alice", "bob", "again", 1.0)
    oracle.took("again", ID)
    assert "got the id of" in oracle.wrong[0]


@pytest.mark.parametrize(("counters", "says"), [((1, 1), "carry one counter"), ((2, 1), "not in the order of writing")])
def test_counters(counters: tuple[int, int], says: str) -> None:
    oracle = oracle_with_text()
    oracle.wrote("alice", "bob", "second", 1.0)
    oracle.took("second", OTHER)
    for content, message_id, counter in zip(("hi", "second"), (ID, OTHER), counters, strict=True):
        oracle.shown("bob", "alice", content, message_id, counter)
        oracle.told("alice", message_id, "delivered", None, 2.0)
    assert says in end(oracle)[0]


def test_gaps_warnings_and_what_strangers_overhear() -> None:
    oracle = Oracle()
    oracle.end([("bob", "alice", 0), ("bob", "carol", 2)])
    oracle.warned("bob", "the node was caught")
    oracle.overheard("mallory", "Deliver")
    assert [word in text for word, text in zip(("missing", "warned", "another's"), oracle.wrong, strict=True)] == [
        True
    ] * 3


def test_where_the_node_lies_texts_may_be_lost_but_nothing_false_is_shown() -> None:
    oracle = oracle_with_text(all_arrive=False, honest_node=False)
    told(oracle, "refused", reason="malformed")
    oracle.warned("alice", "the node was caught")
    assert end(oracle) == []
    oracle.shown("bob", "alice", "other", OTHER, 1)
    assert "no one wrote" in oracle.wrong[0]


def test_what_expired_while_its_recipient_was_away_may_have_been_shown() -> None:
    for may_expire, says in ((False, "alice's text 0 to bob was shown, but its writer reads 'expired'"), (True, "")):
        oracle = oracle_with_text(may_expire=may_expire)
        told(oracle, "accepted")
        oracle.shown("bob", "alice", "hi", ID, 1)
        told(oracle, "expired", now=TERM_S + 1.0)
        assert "".join(end(oracle)) == says
    oracle = oracle_with_text(may_expire=True)
    oracle.end([("bob", "alice", 1)])
    assert len(oracle.wrong) == 1, "lost, though a gap is nothing to wonder at"


def test_it_can_be_read_in_one_sitting() -> None:
    import inspect

    from usernym.testing import oracle

    source = inspect.getsource(oracle)
    assert len(source.splitlines()) < 250
    assert "usernym.actors" not in source


def test_a_text_that_takes_too_long_among_hostile_users() -> None:
    for took_s, wrong in ((9.0, []), (11.0, ["alice's text 0 to bob took 11 s"])):
        oracle = oracle_with_text(within_s=10.0)  # type: ignore[arg-type]
        oracle.shown("bob", "alice", "hi", ID, 1)
        told(oracle, "delivered", now=took_s)
        told(oracle, "delivered", now=100.0)
        assert end(oracle) == wrong


def test_what_comes_from_a_hostile_user_is_no_ones_text() -> None:
    oracle = Oracle(hostile=frozenset({"eve"}))
    oracle.shown("bob", "eve", "buy this", ID, 1)
    assert end(oracle) == []
    oracle.shown("bob", "alice", "buy this", ID, 1)
    assert end(oracle) == ["bob was shown something under alice's name that no one wrote"]


def test_a_lost_machine_excuses_what_was_written_before_and_nothing_after() -> None:
    oracle = oracle_with_text()
    oracle.lost_home("bob")
    assert oracle.waiting() == 0
    assert end(oracle) == []
    oracle.wrote("alice", "bob", "again", 2.0)
    oracle.took("again", OTHER)
    assert end(oracle) == ["alice's text 1 to bob is lost: its writer reads 'waiting'"]


def test_an_identity_changes_only_with_its_owner() -> None:
    oracle = Oracle()
    oracle.lost_home("bob")
    oracle.identity_changed("alice", "bob")
    assert oracle.wrong == []
    oracle.identity_changed("alice", "carol")
    assert oracle.wrong == ["alice was warned: a contact's identity changed"]
