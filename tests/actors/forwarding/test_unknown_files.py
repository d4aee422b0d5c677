"""A contact who speaks of files that no one has offered fills neither the disk nor the mixnet."""

from __future__ import annotations

from tests.actors.forwarding.test_arrival_lookups import met
from usernym.actors.forwarding.file_rules import ENDS_UNSETTLED_MAX
from usernym.protocol import messages as m
from usernym.protocol import payloads as p


def test_words_about_ever_new_files_are_answered_until_enough_answers_are_unconfirmed() -> None:
    world, alice, writer = met()
    for number in range(2 * ENDS_UNSETTLED_MAX):
        wanted = p.FileWanted(0, 1, bytes(16), None, number.to_bytes(16, "big"))
        said = p.pad_payload(wanted, first_contact=False)
        made = writer.forward("alice", world.scripted.records["alice"], said)
        seal = made.sealed, made.inner_signature, made.first_key
        world.scripted.tell("alice", m.Deliver(bytes(16), 1, "bob", made.message_id, 1, *seal))
        world.settle(2)
    world.settle(30)
    answers = {each.message_id for each in world.scripted.requests if isinstance(each, m.Forward)}
    assert len(answers) == ENDS_UNSETTLED_MAX
    assert len(alice.store.messages.outbox_of("bob")) == ENDS_UNSETTLED_MAX
    assert alice.counters()["forwarding"]["arrival_file_unwanted"] == 2 * ENDS_UNSETTLED_MAX, "all are acknowledged"
    world.check()
