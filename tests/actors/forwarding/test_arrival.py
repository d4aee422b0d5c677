"""The fate of an arrival: every combination of facts has one outcome, and some combinations must not have some."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

from usernym.actors.forwarding.arrival import (
    ArrivalFate,
    ArrivalOutcome,
    Check,
    Facts,
    OpenedSeal,
    SenderLookup,
    decide,
)
from usernym.protocol.errors import Code
from usernym.storage.client.types import Consent, Route

BOTH = (False, True)


def every_beginning() -> Iterator[Facts]:
    """All that can be known before a check."""
    for values in itertools.product(Route, BOTH, BOTH, (None, *Consent), BOTH, BOTH, SenderLookup, BOTH, BOTH):
        yield Facts(*values)


def every_end(facts: Facts) -> Iterator[tuple[Facts, ArrivalOutcome, tuple[Check, ...]]]:
    """All outcomes to which these facts can lead, with all that was known, and the checks that were made."""
    waiting: list[tuple[Facts, tuple[Check, ...]]] = [(facts, ())]
    while waiting:
        known, made = waiting.pop()
        match decide(known):
            case Check.SIGNATURE:
                waiting += [(replace(known, signed=signed), (*made, Check.SIGNATURE)) for signed in BOTH]
            case Check.SEAL:
                waiting += [(replace(known, seal=seal), (*made, Check.SEAL)) for seal in OpenedSeal]
            case ArrivalOutcome() as outcome:
                yield known, outcome, made


ENDS = [end for facts in every_beginning() for end in every_end(facts)]


def test_every_arrival_ends_and_every_outcome_has_its_arrival() -> None:
    assert {outcome for _, outcome, _ in ENDS} == set(ArrivalOutcome)
    assert {outcome.fate for outcome in ArrivalOutcome} == set(ArrivalFate)


def test_each_outcome_has_a_reason_of_its_own() -> None:
    assert len({outcome.reason for outcome in ArrivalOutcome}) == len(ArrivalOutcome)


def test_nothing_is_opened_that_a_contact_has_not_signed() -> None:
    for known, _, made in ENDS:
        assert made in ((), (Check.SIGNATURE,), (Check.SIGNATURE, Check.SEAL))
        if made:
            assert known.consent is not None
        if Check.SEAL in made:
            assert known.signed


def test_nothing_is_kept_but_what_opens_for_the_first_time() -> None:
    for known, outcome, made in ENDS:
        if outcome is ArrivalOutcome.KEPT:
            assert made == (Check.SIGNATURE, Check.SEAL)
            assert known.seal is OpenedSeal.PAYLOAD
            assert not known.seen
            assert known.consent is not Consent.BLOCKED
            assert not known.share_full
        if known.seen and known.consent is not None and outcome.fate is ArrivalFate.TAKEN:
            assert outcome is ArrivalOutcome.REPEATED


def test_only_contacts_learn_that_a_message_does_not_open() -> None:
    for known, outcome, _ in ENDS:
        if outcome is ArrivalOutcome.CALLED_UNOPENABLE:
            assert known.consent is Consent.ACCEPTED


def test_what_comes_directly_is_never_left_at_the_node_for_a_lookup() -> None:
    for known, outcome, _ in ENDS:
        if known.route is Route.DIRECT and (known.direct_route and known.consent is not None):
            assert outcome not in (ArrivalOutcome.HELD_FOR_LOOKUP, ArrivalOutcome.NOT_HELD)
        if known.route is Route.DIRECT and not known.direct_route:
            assert outcome.fate is ArrivalFate.DISCARDED


def test_what_was_looked_up_is_not_held_for_a_lookup_again() -> None:
    """Found by the simulation: a node that delivered a client what it called the client's own message was asked for
    that name without end, each time by more messages."""
    for known, outcome, _ in ENDS:
        if outcome is ArrivalOutcome.HELD_FOR_LOOKUP:
            assert known.lookup is SenderLookup.NONE
            assert known.consent is None or known.signed is False


def test_what_a_lost_home_could_have_opened_waits_for_the_users_decision() -> None:
    """docs/decisions/13: to contacts it is called unopenable, and to decline or block discards it."""
    facts = Facts(
        Route.NODE,
        True,
        False,
        Consent.PENDING,
        False,
        False,
        SenderLookup.NONE,
        True,
        False,
        True,
        OpenedSeal.LOST_KEY,
    )
    assert decide(facts) is ArrivalOutcome.AWAITS_DECISION
    assert decide(replace(facts, seal=OpenedSeal.CLOSED)) is ArrivalOutcome.UNOPENABLE
    assert decide(replace(facts, consent=Consent.ACCEPTED)) is ArrivalOutcome.CALLED_UNOPENABLE
    for consent in (Consent.DECLINED, Consent.BLOCKED):
        assert decide(replace(facts, consent=consent)) is ArrivalOutcome.UNOPENABLE


def test_only_what_time_or_the_user_can_change_is_left_at_the_node() -> None:
    """A sender must not be able to leave something there for good: what stays has a lookup or a decision ahead."""
    for known, outcome, _ in ENDS:
        if outcome.fate is ArrivalFate.LEFT:
            pending = known.consent is Consent.PENDING and known.seal is OpenedSeal.LOST_KEY
            assert pending or known.lookup in (SenderLookup.NONE, SenderLookup.RESOLVED)
            assert pending or known.lookup is SenderLookup.NONE or known.consent is None


def test_a_failed_lookup_ends_an_arrival_unless_it_may_succeed_another_time() -> None:
    assert {code for code in (None, *Code) if SenderLookup.failed(code) is None} == {
        None,
        Code.BUSY,
        Code.RECORD_STALE,
        Code.PROOF_INVALID,
    }
    for lookup in {SenderLookup.failed(code) for code in Code} - {None}:
        for known, outcome, made in ENDS:
            if known.lookup is lookup and known.valid_name and known.route is Route.NODE:
                assert (outcome.fate, made) == (ArrivalFate.DISCARDED, ())


def test_receipts_for_direct_messages_count_on_the_direct_way_only() -> None:
    for known, outcome, _ in ENDS:
        if outcome is ArrivalOutcome.RECEIPTS_READ:
            assert known.route is Route.DIRECT
            assert known.direct_route
