"""What reaches the node, as docs/threat-model.md says: what it learns is shown too, so that the page hides nothing."""

from __future__ import annotations

import pytest

from tests.helpers.hostile import Wiretap
from usernym.protocol import messages as m
from usernym.protocol.codec import decode
from usernym.storage.client.types import DeliveryState, HandshakeState, Route
from usernym.testing.world import World


def test_a_lookup_over_a_nym_client_comes_under_the_tag_of_the_login() -> None:
    """One sender tag for each process of a mixnet client: the node knows who asked."""
    with World(nym_clients=("alice",)) as world:
        tap = Wiretap(world)
        alice = world.client("alice")
        world.client("bob")
        before = len(tap.replies)
        alice.look_up("bob")
        asked = {tag for _, tag, data in tap.replies[before:] if isinstance(decode(data).message, m.Promised)}
        logged_in = [tag for _, tag, data in tap.replies[:before] if isinstance(decode(data).message, m.LoggedIn)]
        assert len(asked) == 1
        assert asked <= set(logged_in)
        assert len(set(logged_in)) == 2, "another user has another tag"


def test_no_address_and_no_text_is_in_what_clients_send_to_the_node() -> None:
    """From registration to a direct conversation: addresses travel in seals only, and as reply blocks."""
    with World() as world:
        tap = Wiretap(world)
        alice, bob = world.client("alice"), world.client("bob")
        alice.send_and_wait("bob", "the ferry leaves at four", DeliveryState.DELIVERED)
        alice.offer("bob")
        world.settle(60)
        bob.accept("alice")
        world.settle(60)
        assert alice.contact("bob").handshake is HandshakeState.ACTIVE
        sent = len(tap.sent)
        bob.send_and_wait("alice", "straight to you", DeliveryState.DELIVERED)
        assert any(isinstance(decode(one.data).message, m.Direct) for one in tap.sent[sent:])
        to_node = [one for one in tap.sent if one.recipient == world.node.card.addresses[0]]
        assert {type(decode(one.data).message) for one in to_node} >= {
            m.RegisterProof,
            m.LoginProof,
            m.Lookup,
            m.Forward,
        }
        everything = b"\0".join(one.data for one in to_node)
        for client in (alice, bob):
            assert client.address is not None
            for at in range(0, 64, 32):  # the third part is the gateway, which others share
                assert client.address[at : at + 32] not in everything
        assert b"ferry" not in everything
        assert b"straight" not in everything
        assert b"alice" in everything, "the search finds what is there"


def test_an_acknowledgement_shows_the_node_who_is_accepted_by_whom() -> None:
    """A warning of the page: the receipt token is for contacts only, and the node sees whether it is there."""
    with World() as world:
        tap = Wiretap(world)
        alice, bob = world.client("alice"), world.client("bob", accept_strangers=False)
        carol = world.client("carol")
        bob.send_and_wait("carol", "hello", DeliveryState.DELIVERED)
        carol.send_and_wait("bob", "hello too", DeliveryState.DELIVERED)
        alice.send_and_wait("bob", "may I?", DeliveryState.ACCEPTED)
        world.settle(60)
        messages = [decode(data).message for data in tap.of(bob.client_number, m.Acknowledge)]
        shown = {
            each.sender: each.token is not None
            for message in messages
            if isinstance(message, m.Acknowledge)
            for each in message.messages
        }
        assert shown == {"carol": True, "alice": False}


@pytest.mark.seconds
def test_a_record_shows_anyone_in_which_weeks_its_owner_was_there() -> None:
    """A warning of the page: a key is replaced only while its owner's client runs, and the record has its day."""
    with World() as world:
        alice, bob = world.client("alice"), world.client("bob")
        first = alice.look_up("bob").record_for(Route.NODE).made_on
        bob.kill()
        alice.kill()
        world.settle(30 * 86_400)
        alice.start()
        alice.go_online()
        assert alice.look_up("bob").record_for(Route.NODE).made_on == first
        bob.start()
        bob.go_online()
        world.settle(60)
        assert alice.look_up("bob").record_for(Route.NODE).made_on >= first + 30
