"""Words about files: a contact who names unknown ones fills nothing, and a refused one leaves no file waiting."""

from __future__ import annotations

import pytest

from tests.actors.forwarding.test_arrival_lookups import met
from usernym.actors.forwarding.file_rules import ENDS_UNSETTLED_MAX
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.errors import Code
from usernym.storage.client.types import Direction, FileState


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


@pytest.mark.parametrize("code", [Code.NO_SUCH_USER, Code.RECORD_INVALID])
def test_a_file_that_could_not_be_asked_for_has_failed(code: Code) -> None:
    world, alice, writer = met()
    offer = p.FileOffer(2, 1, bytes(16), None, "x", 5, 0, bytes(32))
    made = writer.forward("alice", world.scripted.records["alice"], p.pad_payload(offer, first_contact=False))
    world.scripted.lies[m.Forward] = lambda request: [m.Refused(request.request_id, int(code), 0)]
    seal = made.sealed, made.inner_signature, made.first_key
    world.scripted.tell("alice", m.Deliver(bytes(16), 1, "bob", made.message_id, 1, *seal))
    world.settle(30)
    file = alice.store.files.get("bob", made.message_id, Direction.IN)
    assert file is not None
    assert file.state is FileState.FAILED
    assert not alice.store.messages.outbox_of("bob")
    world.check()
