"""What every transport promises, and what every mixnet behind one does. Runs on each network in `NETWORKS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.helpers.mixnet_members import Network
from tests.helpers.mixnet_networks import NETWORKS, network_parameters
from usernym.mixnet.transport import (
    ADDRESS_BYTES,
    MESSAGE_BYTES_MAX,
    SENDER_TAG_BYTES,
    SURBS_MAX,
    Incoming,
    MixnetDown,
    MixnetError,
    TransportEvent,
)


@pytest.fixture(params=network_parameters())
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    network = NETWORKS[request.param]()
    yield network
    network.close()


def test_each_client_has_its_own_address(network: Network) -> None:
    alice, bob = network.join(), network.join()
    assert len(alice.address) == len(bob.address) == ADDRESS_BYTES
    assert alice.address != bob.address


def test_message_arrives_with_a_tag_and_its_reply_without(network: Network) -> None:
    alice, bob = network.join(), network.join()
    alice.transport.send(bob.address, b"question", 2)
    question = bob.receive()
    assert question.data == b"question"
    assert question.sender_tag is not None
    assert len(question.sender_tag) == SENDER_TAG_BYTES
    bob.transport.reply(question.sender_tag, b"answer")
    answer = alice.receive()
    assert (answer.data, answer.sender_tag) == (b"answer", None)


def test_tag_is_the_same_for_one_recipient_and_differs_between_recipients(network: Network) -> None:
    alice, bob, carol = network.join(), network.join(), network.join()
    tags = []
    for recipient in (bob, bob, carol):
        alice.transport.send(recipient.address, b"hello", 1)
        tags.append(recipient.receive().sender_tag)
    assert tags[0] == tags[1]
    assert tags[0] != tags[2]


def test_a_message_with_a_tag_of_its_own_is_answered_or_the_transport_says_that_it_has_none(network: Network) -> None:
    alice, bob = network.join(), network.join()
    alice.transport.send(bob.address, b"hello", 3)
    tags = {bob.receive().sender_tag}
    if not alice.transport.fresh_tags:
        with pytest.raises(MixnetError):
            alice.transport.send(bob.address, b"question", 1, fresh_tag=True)
        return
    for number in range(3):
        alice.transport.send(bob.address, b"question", 1, fresh_tag=True)
        tag = bob.receive().sender_tag
        assert tag is not None
        assert tag not in tags
        tags.add(tag)
        bob.transport.reply(tag, b"answer %d" % number)
        assert alice.receive().data == b"answer %d" % number, "none of its SURBs is withheld"
    with pytest.raises(MixnetError):
        alice.transport.send(bob.address, b"question", 0, fresh_tag=True)


def test_message_without_surbs_has_a_tag_that_leads_nowhere(network: Network) -> None:
    alice, bob = network.join(), network.join()
    alice.transport.send(bob.address, b"hello", 0)
    tag = bob.receive().sender_tag
    assert tag is not None
    bob.transport.reply(tag, b"lost")
    bob.transport.send(bob.address, b"behind it", 0)
    assert bob.receive().data == b"behind it", "the reply has been tried before there are SURBs"
    alice.transport.send(bob.address, b"with SURBs", 2)
    assert bob.receive().sender_tag == tag
    bob.transport.reply(tag, b"arrives")
    assert alice.receive().data == b"arrives"


def test_reply_to_an_unknown_tag_is_lost_in_silence(network: Network) -> None:
    alice, bob = network.join(), network.join()
    bob.transport.reply(bytes(SENDER_TAG_BYTES), b"to nobody")
    alice.transport.send(bob.address, b"still there", 0)
    assert bob.receive().data == b"still there"
    assert alice.recorder.nothing_more()


@pytest.mark.parametrize("size", [1, 1121, 1122, 1581, 50_000, MESSAGE_BYTES_MAX])
def test_sizes_up_to_the_bound_arrive_whole(network: Network, size: int) -> None:
    alice, bob = network.join(), network.join()
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    alice.transport.send(bob.address, data, SURBS_MAX)
    message = bob.receive()
    assert message.data == data
    assert message.sender_tag is not None
    bob.transport.reply(message.sender_tag, data[: 100 * 1601])
    assert alice.receive().data == data[: 100 * 1601]


def test_empty_message_arrives(network: Network) -> None:
    alice, bob = network.join(), network.join()
    alice.transport.send(bob.address, b"", 1)
    assert bob.receive().data == b""


def test_many_messages_all_arrive_in_any_order(network: Network) -> None:
    alice, bob = network.join(), network.join()
    sent = [number.to_bytes(2, "big") for number in range(500)]
    for data in sent:
        alice.transport.send(bob.address, data, 0)
    assert sorted(bob.receive().data for _ in sent) == sent


def test_client_can_write_to_itself(network: Network) -> None:
    alice = network.join()
    alice.transport.send(alice.address, b"note", 1)
    note = alice.receive()
    assert note.sender_tag is not None
    alice.transport.reply(note.sender_tag, b"answer")
    assert alice.receive().sender_tag is None


def test_what_is_out_of_bounds_is_refused_and_nothing_else_suffers(network: Network) -> None:
    alice, bob = network.join(), network.join()
    tag = bytes(SENDER_TAG_BYTES)
    refused: list[Callable[[], None]] = [
        lambda: alice.transport.send(bob.address, bytes(MESSAGE_BYTES_MAX + 1), 0),
        lambda: alice.transport.send(bob.address, b"x", SURBS_MAX + 1),
        lambda: alice.transport.send(bob.address, b"x", -1),
        lambda: alice.transport.send(bob.address[:-1], b"x", 0),
        lambda: alice.transport.reply(tag, b""),
        lambda: alice.transport.reply(tag, bytes(MESSAGE_BYTES_MAX + 1)),
        lambda: alice.transport.reply(tag[:-1], b"x"),
    ]
    for attempt in refused:
        with pytest.raises(MixnetError):
            attempt()
    alice.transport.send(bob.address, b"sound", 0)
    assert bob.receive().data == b"sound"


def test_closed_transport_is_down_and_stays_silent(network: Network) -> None:
    alice, bob = network.join(), network.join()
    alice.transport.close()
    alice.transport.close()
    with pytest.raises(MixnetDown):
        alice.transport.send(bob.address, b"x", 0)
    with pytest.raises(MixnetDown):
        alice.transport.reply(bytes(SENDER_TAG_BYTES), b"x")
    bob.transport.send(alice.address, b"too late", 0)
    bob.transport.send(bob.address, b"round", 0)
    assert bob.receive().data == b"round"
    assert alice.recorder.nothing_more()


def test_what_was_sent_before_close_arrives(network: Network) -> None:
    alice, bob = network.join(), network.join()
    sent = [number.to_bytes(2, "big") for number in range(100)]
    for data in sent:
        alice.transport.send(bob.address, data, 0)
    alice.transport.close()
    assert sorted(bob.receive().data for _ in sent) == sent


def test_transport_opens_once(network: Network) -> None:
    alice = network.join()

    def ignore(event: TransportEvent) -> None:
        """Not reached."""

    with pytest.raises(MixnetError):
        alice.transport.open(ignore)


def test_application_may_send_from_its_callback(network: Network) -> None:
    alice, bob = network.join(), network.join()
    carol = network.join()

    def answer_at_once(message: Incoming) -> None:
        assert message.sender_tag is not None
        carol.transport.reply(message.sender_tag, b"at once")

    carol.recorder.on_incoming = answer_at_once
    for asker in (alice, bob):
        asker.transport.send(carol.address, b"question", 1)
        assert asker.receive().data == b"at once"
