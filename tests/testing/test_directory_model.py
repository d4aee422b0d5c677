"""The model of the directory beside the code, as `test_models.py` does it for the others.

In each counterexample the node shows bob a false key for alice, all have looked who are due to look (`AllHaveLooked` in
docs/models/Directory.tla), and no one has found anything: only with the mutation.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import msgspec
import pytest

from usernym.actors.lookup import promises
from usernym.actors.lookup.chain_fetch import ChainFetch
from usernym.actors.registration import log_watch
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.shown import KnownLog, LogAsked, LogSeen, LogShown, OwnPlace, own_place, take_shown
from usernym.protocol.directory.witnesses import WitnessPolicy
from usernym.protocol.limits import HOUR_S
from usernym.protocol.promises import Word
from usernym.storage.client.seen_log import SeenLog
from usernym.storage.client.types import InDirectory
from usernym.testing.forgeries import HEARTBEATS_S, PLAYED, ForgedWorld, doubts, faults
from usernym.testing.world import SimClient

# -- the mutations --


@contextmanager
def any_log_is_taken() -> Iterator[None]:
    """`CheckContinues` is FALSE: a log that does not continue the one before is taken, as at first."""

    def take(node: bytes, known: KnownLog | None, asked: LogAsked, shown: LogShown) -> LogSeen:
        try:
            return take_shown(node, known, asked, shown)
        except DirectoryInvalid:
            return take_shown(node, None, msgspec.structs.replace(asked, known=0), shown)

    with patch.object(log_watch, "take_shown", take):
        yield


@contextmanager
def leaf_is_not_looked_at() -> Iterator[None]:
    """`CheckLeaf` is FALSE: once the owner has seen the name, its leaf may be any."""

    def place(*shown: Any) -> OwnPlace | None:
        before: OwnPlace | None = shown[-1]
        return own_place(*shown) if before is None else before

    with patch.object(log_watch, "own_place", place):
        yield


@contextmanager
def own_lookups_are_not_looked_at() -> Iterator[None]:
    """`LookAsOthers` is FALSE: what a lookup of the own name shows its owner may be any."""
    with patch.object(log_watch.LogWatch, "take_looked_up", lambda *_: None):
        yield


@contextmanager
def lookups_are_not_compared() -> Iterator[None]:
    """`CompareLookups` is FALSE: no head that comes with a lookup is compared with the log."""
    with patch.object(SeenLog, "note_looked_up", lambda *_: None):
        yield


@contextmanager
def texts_are_not_compared() -> Iterator[None]:
    """`CompareTexts` is FALSE: no head that comes with a text is."""
    with patch.object(SeenLog, "note", lambda *_: None):
        yield


@contextmanager
def chains_may_shrink() -> Iterator[None]:
    """`ChainsGrow` is FALSE: any later proof agrees with the one before."""
    with patch.object(promises, "judged", lambda *_: Word.KEPT):
        yield


@contextmanager
def proofs_may_be_of_then() -> Iterator[None]:
    """`ProofsAreNew` is FALSE: a proof may be of an older epoch than the client knows."""
    with patch.object(ChainFetch, "is_of_then", lambda *_: False):
        yield


@contextmanager
def signatures_are_not_counted() -> Iterator[None]:
    """`CheckWitness` is FALSE: clients that count on witnesses take a head without their signatures."""
    with patch.object(WitnessPolicy, "is_met", lambda *_: True):
        yield


# -- the counterexamples, each as a scenario: whether the harm was done --


def is_unseen(world: ForgedWorld, alice: SimClient, bob: SimClient, carol: SimClient) -> bool:
    """Whether bob has the node's key for alice, in the public directory, and no one has evidence or a doubt, also
    after a text from carol."""
    carol.send_and_wait("bob", "hi")
    world.settle(HEARTBEATS_S)
    pinned = bob.store.contacts.get("alice")
    if pinned is None or pinned.log_size is None:
        return False
    assert pinned.identity_key == world.forger.forged_record("alice")[0].identity_key
    return not any(faults(each) or doubts(each) for each in (alice, bob, carol))


def forge_alice(*victims: str, others_follow: bool = False) -> bool:
    """The node shows to these a log with a false key for alice, which bob looks up; alice logs in. Then the others may
    be shown that log as well."""
    with ForgedWorld(8) as world:
        alice, bob, carol = world.people("alice", "bob", "carol")
        carol.send_and_wait("bob", "hi")
        bob.send_and_wait("carol", "hi")
        world.settle(2 * HOUR_S)  # they have looked each other up again, and do not do so before a week
        record, event = world.forger.forged_record("alice")
        world.forger.fork(*victims).forge("alice", [event])
        world.new_epoch("dave")
        alice.restart()
        alice.go_online()
        world.forger.records["alice"] = record
        bob.look_up("alice")
        world.settle(HEARTBEATS_S)
        if others_follow:
            world.forger.victims |= {"alice", "carol"}
            world.forger.from_the_first |= {"alice", "carol"}
            world.settle(HEARTBEATS_S)
        return is_unseen(world, alice, bob, carol)


def all_are_shown_the_false_key() -> bool:
    """In one log, that of all: only alice can know."""
    return forge_alice("alice", "bob", "carol")


def a_lookup_shows_another_log() -> bool:
    """Bob's own logins and heartbeats show the log of the others."""
    return forge_alice()


def bob_is_shown_another_log() -> bool:
    """By his logins and heartbeats as well."""
    return forge_alice("bob")


def the_others_change_over() -> bool:
    """After alice's login she and carol are shown bob's log, which does not continue theirs."""
    return forge_alice("bob", others_follow=True)


def the_chain_is_put_back() -> bool:
    """The false key is in the log of all while bob looks, and not when alice does, nor when bob looks again."""
    with ForgedWorld(8) as world:
        alice, bob, carol = world.people("alice", "bob", "carol")
        PLAYED["put_back"](world, random.Random(8), alice, bob, carol)
        assert bob.counters()["lookup"]["promises_checked"] > 0
        return is_unseen(world, alice, bob, carol)


def the_chain_changes_before_each_look() -> bool:
    """The false key is in the log of all before each lookup, and not before alice's logins and heartbeats."""
    with ForgedWorld(8) as world:
        alice, bob, carol = world.people("alice", "bob", "carol")
        PLAYED["two_faces"](world, random.Random(8), alice, bob, carol)
        assert alice.counters()["lookup"]["own_looks"] > 0
        return is_unseen(world, alice, bob, carol)


def a_proof_of_then_is_shown() -> bool:
    """The false key is in the log of all for one epoch. That is what the node shows bob, who knows later ones."""
    with ForgedWorld(8) as world:
        alice, bob, carol = world.people("alice", "bob", "carol")
        PLAYED["of_then"](world, random.Random(8), alice, bob, carol)
        return is_unseen(world, alice, bob, carol)


def no_text_comes_and_no_witness_has_signed() -> bool:
    """Bob counts on witnesses. All that he is shown is of a log with a false key, and he hears from no one."""
    with ForgedWorld(8, witnesses=2) as world:
        alice, bob = world.people("alice", "bob")
        record, event = world.forger.forged_record("alice")
        world.forger.fork("bob").forge("alice", [event])
        world.forger.from_the_first.add("bob")
        world.new_epoch("dave")
        alice.restart()
        alice.go_online()
        world.forger.records["alice"] = record
        pinned = bob.look_up("alice")
        world.settle(HEARTBEATS_S)
        assert pinned.identity_key == record.identity_key
        unseen = not any(faults(each) or doubts(each) for each in (alice, bob))
        return unseen and bob.contact("alice").directory is InDirectory.SHOWN


@pytest.mark.seconds
@pytest.mark.parametrize(
    ("mutation", "harm"),
    [
        (any_log_is_taken, the_others_change_over),
        (leaf_is_not_looked_at, all_are_shown_the_false_key),
        (own_lookups_are_not_looked_at, the_chain_changes_before_each_look),
        (lookups_are_not_compared, a_lookup_shows_another_log),
        (texts_are_not_compared, bob_is_shown_another_log),
        (chains_may_shrink, the_chain_is_put_back),
        (proofs_may_be_of_then, a_proof_of_then_is_shown),
        (signatures_are_not_counted, no_text_comes_and_no_witness_has_signed),
    ],
)
def test_a_forgery_is_unseen_by_the_mutated_code_only(mutation: Callable[[], Any], harm: Callable[[], bool]) -> None:
    for planted, expected in ((nullcontext, False), (mutation, True)):
        with planted():
            assert harm() is expected
