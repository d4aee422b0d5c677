"""A client's watch over the directory's log: what a node that forges it can do, and how it is found."""

from __future__ import annotations

from typing import TypeVar

import pytest

from usernym.actors.events import NodeCaught
from usernym.actors.messages import DeleteAccount, FindContact
from usernym.actors.registration.log_watch import LogWatch
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.codec import decode
from usernym.protocol.directory.checkpoints import HeadTold, SignedHead
from usernym.protocol.directory.events import DirectoryEvent, commitment, label_of
from usernym.protocol.evidence import Fault
from usernym.protocol.limits import HOUR_S, MINUTE_S, UINT32_MAX
from usernym.protocol.packets import PACKET_PAYLOAD_BYTES
from usernym.storage.node.epochs import EpochSigner
from usernym.testing.forgeries import ForgedWorld, doubts, faults
from usernym.testing.tap import Heard

T = TypeVar("T")

LONG_TEXT = "a text that leaves no room for a signature, but for the head itself"


def test_a_client_sees_its_name_and_how_the_log_continues() -> None:
    with ForgedWorld() as world:
        alice, bob = world.people("alice", "bob")
        before = alice.store.seen_log.known()
        assert before is not None
        world.new_epoch("carol")
        known, own = alice.store.seen_log.known(), alice.store.seen_log.own()
        assert known is not None
        assert own is not None
        assert known.size > before.size
        assert known == bob.store.seen_log.known()
        assert (own.events, own.chain.event) == (1, DirectoryEvent.REGISTERED)
        alice.restart()
        alice.go_online()
        world.settle(5 * MINUTE_S)
        assert not doubts(alice)
        assert not faults(alice)


@pytest.mark.parametrize("text", ["hi", LONG_TEXT])
def test_two_contacts_who_are_shown_different_logs_both_prove_it(text: str) -> None:
    with ForgedWorld() as world:
        alice, bob = world.people("alice", "bob")
        alice.send_and_wait("bob", "before")
        world.forger.fork("bob").forge("alice", [commitment(DirectoryEvent.SUCCEEDED, bytes(32))])
        world.new_epoch("carol")
        assert not faults(alice) | faults(bob), "each sees one history"
        alice.send_and_wait("bob", text)
        world.settle(3 * MINUTE_S)
        bob.send_and_wait("alice", text)
        world.settle(3 * MINUTE_S)
        alice.send_and_wait("bob", text)
        world.settle(3 * MINUTE_S)
        assert faults(alice) == faults(bob) == {Fault.FORKED_LOG}


@pytest.mark.parametrize("audits_show", ["the common log", "the forged log"])
def test_a_false_key_for_a_first_contact_splits_the_log(audits_show: str) -> None:
    with ForgedWorld() as world:
        _alice, bob = world.people("alice", "bob")
        record, event = world.forger.forged_record("alice")
        world.forger.fork("bob").forge("alice", [event])
        world.forger.records["alice"] = record
        if audits_show == "the common log":
            world.forger.victims.clear()
        world.new_epoch("carol")
        world.forger.victims.add("bob")
        assert bob.look_up("alice").identity_key == record.identity_key, "the key is pinned: nothing shows it yet"
        assert bob.contact("alice").log_size is not None
        if audits_show == "the common log":
            world.forger.victims.clear()
            world.settle(3 * MINUTE_S)
            assert faults(bob) == {Fault.FORKED_LOG}, "the next heartbeat shows it"
        else:
            carol = world.clients["carol"]
            carol.send_and_wait("bob", "hi")
            world.settle(3 * MINUTE_S)
            assert faults(bob) == {Fault.FORKED_LOG}, "a text of anyone who sees the common log shows it"


@pytest.mark.seconds
def test_a_key_that_was_put_there_between_two_looks_is_found_by_its_owner() -> None:
    with ForgedWorld() as world:
        alice, bob = world.people("alice", "bob")
        own = alice.store.seen_log.own()
        assert own is not None
        alice.kill()
        node, store, signer = world.node.key.public, world.node.store, EpochSigner.of(world.node.key)
        restored = commitment(DirectoryEvent.SUCCEEDED, own.identity)
        events = {label_of(signer.vrf, node, "alice"): [world.forger.forged_record("alice")[1], restored]}
        store.commit(lambda: store.log.append(signer, events, world.sim.unix_s()))
        alice.start()
        alice.go_online()
        world.settle()
        assert faults(alice) == {Fault.NAME_CHANGED}
        world.settle(3 * MINUTE_S)
        assert not faults(bob)
        assert len(alice.of_kind(NodeCaught)) == 1, "once for each change"
        store.commit(lambda: store.log.append(signer, events, world.sim.unix_s()))
        world.settle(2 * HOUR_S)
        assert len(alice.of_kind(NodeCaught)) == 2, "and again for the next one"


def test_a_name_that_never_comes_into_the_log_is_a_doubt() -> None:
    with ForgedWorld() as world:
        world.people("alice")
        world.withhold("bob")
        bob = world.client("bob")
        world.settle(20 * MINUTE_S)
        assert bob.store.seen_log.own() is None
        assert doubts(bob) == [True]
        assert not faults(bob)


def test_a_node_that_shows_nothing_more_is_a_doubt_which_ends() -> None:
    with ForgedWorld() as world:
        alice, bob = world.people("alice", "bob")
        world.forger.silent_for.add("alice")
        world.settle(5 * MINUTE_S)
        assert (doubts(alice), doubts(bob)) == ([True], [])
        world.forger.silent_for.clear()
        world.settle(3 * MINUTE_S)
        assert doubts(alice) == [True, False]
        assert not faults(alice)


def test_a_doubt_about_the_own_name_lasts_while_a_contacts_head_is_compared() -> None:
    with ForgedWorld() as world:
        world.people("alice")
        world.withhold("bob")
        bob = world.client("bob")
        before = bob.store.seen_log.known()
        assert before is not None
        world.new_epoch("carol")
        world.settle(20 * MINUTE_S)
        assert doubts(bob) == [True]
        bob.store.seen_log.note("alice", HeadTold(before.size, before.head.root, None))
        world.settle(3 * MINUTE_S)
        assert not bob.store.seen_log.heads_of(before.size), "it was compared"
        assert doubts(bob) == [True]


def test_what_fails_for_a_moment_is_no_doubt_and_its_end_is_none_either() -> None:
    with ForgedWorld() as world:
        (alice,) = world.people("alice")
        answers: list[m.Alive] = []
        world.mixnet.listeners.append(lambda heard: note(heard, answers, m.Alive, at="alice"))
        world.forger.silent_for.add("alice")
        world.sim.run_until(lambda: answers != [])
        assert [each.log for each in answers] == [None]
        world.forger.silent_for.clear()
        world.settle(3 * MINUTE_S)
        assert answers[-1].log is not None
        assert doubts(alice) == []


def test_an_older_log_than_before_is_a_doubt() -> None:
    with ForgedWorld() as world:
        alice, _bob = world.people("alice", "bob")
        log = world.forger.fork()
        world.new_epoch("carol")
        log.stays = True
        world.forger.victims.add("alice")
        world.settle(5 * MINUTE_S)
        assert doubts(alice) == [True]
        assert not faults(alice)


def test_the_node_does_not_learn_by_its_questions_whether_a_client_has_a_head_to_compare() -> None:
    asked: list[m.Heartbeat] = []
    with ForgedWorld() as world:
        world.people("alice")
        store, signer = world.node.store, EpochSigner.of(world.node.key)
        for number in range(30):
            events = {bytes((number,)) * 32: [bytes(32)]}
            store.commit(lambda events=events: store.log.append(signer, events, world.sim.unix_s()))  # type: ignore[misc]
        world.settle(3 * MINUTE_S)
        world.mixnet.listeners.append(lambda heard: note(heard, asked, m.Heartbeat, at="node"))
        world.settle(60 * MINUTE_S)
    sizes = {each.log.other for each in asked if each.log.other}
    assert len(sizes) > 10, "without anything to compare it asks about one of the newest sizes"


def note(heard: Heard, noted: list[T], kind: type[T], *, at: str) -> None:
    if heard.what == "arrived" and heard.who == at:
        message = decode(heard.data).message
        if isinstance(message, kind):
            noted.append(message)


def test_a_text_has_the_newest_head_where_padding_would_stand_and_takes_no_packet_more() -> None:
    head = SignedHead(70_000, bytes(32), bytes(64))
    for first in (False, True):
        for size in range(1, 2 * PACKET_PAYLOAD_BYTES):
            text = p.Text(p.COUNTER_MAX, UINT32_MAX, bytes(16), None, None, "t" * size)
            plain = p.pad_payload(text, first_contact=first)
            told = p.with_head(text, head, first_contact=first, always=False)
            assert len(p.pad_payload(told, first_contact=first)) == len(plain)
            always = p.with_head(text, head, first_contact=first, always=True)
            assert always.head is not None
            assert always.head.signature is not None
    short, longer = (
        p.with_head(p.Text(1, 1, bytes(16), None, None, "t" * size), head, first_contact=True, always=False).head
        for size in (20, 90)
    )
    assert short is not None
    assert longer is not None
    assert (short.signature, longer.signature) == (head.signature, None)


def test_a_head_that_a_contact_made_up_accuses_no_one() -> None:
    with ForgedWorld() as world:
        alice, bob = world.people("alice", "bob")
        alice.send_and_wait("bob", "hi")
        world.settle(3 * MINUTE_S)
        bob.store.seen_log.note("alice", HeadTold(1, bytes(32), None))
        world.settle(5 * MINUTE_S)
        assert not faults(bob)
        assert not doubts(bob)
        assert bob.store.seen_log.differs_from("alice"), "its next text to her has a signed head"


def test_a_name_that_its_owner_deleted_and_took_back_accuses_no_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a look that was begun before that, and is answered after it."""
    take_looked_up = LogWatch.take_looked_up
    with ForgedWorld() as world:
        (alice,) = world.people("alice")
        first = alice.store.seen_log.own()
        alice.do(alice.graph.registration, DeleteAccount)
        world.settle(2 * MINUTE_S)
        alice.register()
        alice.go_online()
        world.settle(5 * MINUTE_S)
        own = alice.store.seen_log.own()
        assert own is not None
        assert (own.events, own.chain.event) == (3, DirectoryEvent.RETURNED)
        monkeypatch.setattr(LogWatch, "take_looked_up", lambda self, answer, _then: take_looked_up(self, answer, first))
        alice.do(alice.graph.lookup, lambda answer: FindContact("alice", answer))
        world.settle(1)
        assert not faults(alice)
        assert not doubts(alice)
