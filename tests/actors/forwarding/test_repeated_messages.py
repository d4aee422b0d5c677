"""Who repeats a message does not set how much its recipient sends."""

from __future__ import annotations

import msgspec
import pytest

from tests.actors.forwarding.test_arrival_lookups import delivered, met
from tests.actors.handshake.test_direct import direct_pair
from tests.helpers.hostile import Wiretap, message_of
from usernym.actors.forwarding.acknowledgements import SAID_S
from usernym.protocol import messages as m
from usernym.protocol.sealing import Envelope
from usernym.storage.client.types import Route


@pytest.mark.parametrize("opens", [True, False])
def test_a_delivery_that_a_node_repeats_is_answered_now_and_then(opens: bool) -> None:
    world, alice, writer = met()
    told = delivered(world, writer, 2, "two")
    if not opens:
        key, sealed = world.scripted.records["alice"].identity_key, bytes(len(told.sealed))
        envelope = Envelope(writer.node, "bob", "alice", writer.key.public, key, 1, told.message_id)
        told = msgspec.structs.replace(told, sealed=sealed, inner_signature=envelope.sign(writer.key, sealed))

    def said() -> int:
        return sum(isinstance(each, m.Acknowledge if opens else m.Unopenable) for each in world.scripted.requests)

    before, seconds = said(), 60
    for _ in range(10 * seconds):
        world.scripted.tell("alice", told)
        world.settle(0.1)
    assert 2 <= said() - before <= seconds / SAID_S[Route.NODE] + 2
    alice.restart()
    alice.go_online()
    before = said()
    world.scripted.tell("alice", told)
    world.settle(5)
    assert said() == before + 1, "the node may not have had what was said under another login"
    world.check()


def test_a_direct_message_that_a_contact_repeats_is_receipted_now_and_then() -> None:
    world, alice, bob = direct_pair()
    tap = Wiretap(world)
    alice.send_and_wait("bob", "directly")
    (sent,) = [
        each for each in tap.sent if isinstance(message_of(each.data), m.Direct) and each.client == alice.client_number
    ]
    before, seconds = len(tap.of(bob.client_number, m.Direct)), 30
    for _ in range(10 * seconds):
        world.mixnet.send(alice.client_number, sent.recipient, sent.data, 0)
        world.settle(0.1)
    assert 2 <= len(tap.of(bob.client_number, m.Direct)) - before <= seconds / SAID_S[Route.DIRECT] + 2
    world.check()
