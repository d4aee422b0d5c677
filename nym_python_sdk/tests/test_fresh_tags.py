"""Messages under sender tags of their own are answered, and neither linked nor remembered."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nym_python_sdk import (
    PACKET_BYTES,
    SURB_BYTES,
    BlockingMixnetClient,
    ClientConfig,
    MessageError,
    MixnetClient,
    ReceivedMessage,
)
from nym_python_sdk.testing import LocalNetwork

WAIT = 20.0
ONE_PACKET = b"a" * 1_000
TWO_PACKETS = b"a" * 3_000


@pytest.fixture
def withholding(config: ClientConfig) -> ClientConfig:
    """A client that keeps two SURBs of each sender back."""
    return replace(config, surbs_withheld=2)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT):
        while not holds():
            await asyncio.sleep(0.01)


def sender_tag(message: ReceivedMessage) -> bytes:
    assert message.sender_tag is not None
    return message.sender_tag


async def test_each_message_has_a_tag_of_its_own_and_is_answered_with_all_that_it_brought(
    withholding: ClientConfig,
) -> None:
    async with MixnetClient(withholding) as alice, MixnetClient(withholding) as bob:
        await alice.send_anonymous(bob.address, b"this is alice", surbs=3)
        tags = {sender_tag(await bob.receive(WAIT))}
        for number in range(40):
            surbs, answer = (1, ONE_PACKET) if number % 2 else (2, TWO_PACKETS)
            await alice.send_anonymous(bob.address, b"%d" % number, surbs=surbs, fresh_tag=True)
            question = await bob.receive(WAIT)
            assert question.data == b"%d" % number
            assert sender_tag(question) not in tags
            assert len(sender_tag(question)) == 16
            tags.add(sender_tag(question))
            await bob.reply(sender_tag(question), answer)
            assert (await alice.receive(WAIT)).data == answer
        assert len(alice.surbs_given()) == 3, "those under the usual tag"


def test_the_same_for_threads(withholding: ClientConfig) -> None:
    with BlockingMixnetClient(withholding) as alice, BlockingMixnetClient(withholding) as bob:
        alice.send_anonymous(bob.address, b"question", surbs=1, fresh_tag=True)
        question = bob.receive(WAIT)
        bob.reply(sender_tag(question), b"answer")
        assert alice.receive(WAIT) == (b"answer", None)


async def test_the_usual_tag_stays_and_is_given_more_when_it_runs_short(withholding: ClientConfig) -> None:
    async with MixnetClient(withholding) as alice, MixnetClient(withholding) as bob:
        await alice.send_anonymous(bob.address, b"first", surbs=3)
        usual = sender_tag(await bob.receive(WAIT))
        await alice.send_anonymous(bob.address, b"question", surbs=1, fresh_tag=True)
        fresh = sender_tag(await bob.receive(WAIT))
        for part in (b"one", b"two", b"three"):  # one can be answered with: for the others, bob's client asks for more
            await bob.reply(usual, part)
        await bob.reply(fresh, b"four")
        assert {(await alice.receive(WAIT)).data for _ in range(4)} == {b"one", b"two", b"three", b"four"}
        await alice.send_anonymous(bob.address, b"last", surbs=0)
        assert sender_tag(await bob.receive(WAIT)) == usual


async def test_no_more_is_asked_for_than_a_message_brought(withholding: ClientConfig) -> None:
    async with MixnetClient(withholding) as alice, MixnetClient(withholding) as bob:
        await alice.send_anonymous(bob.address, b"this is alice", surbs=3)
        await bob.receive(WAIT)
        await alice.send_anonymous(bob.address, b"question", surbs=1, fresh_tag=True)
        tag = sender_tag(await bob.receive(WAIT))
        await bob.reply(tag, TWO_PACKETS)
        await alice.send_anonymous(bob.address, b"another", surbs=1, fresh_tag=True)
        await bob.reply(sender_tag(await bob.receive(WAIT)), b"answer")
        assert (await alice.receive(WAIT)).data == b"answer"
        assert len(alice.surbs_given()) == 3


async def test_a_tag_is_forgotten_with_its_surbs(withholding: ClientConfig) -> None:
    config = replace(withholding, fresh_tag_kept=0.5)
    async with MixnetClient(config) as alice, MixnetClient(config) as bob:
        await alice.send_anonymous(bob.address, b"this is alice", surbs=3)
        await bob.receive(WAIT)
        began = time.monotonic()
        for _ in range(30):
            await alice.send_anonymous(bob.address, b"question", surbs=3, fresh_tag=True)
            late = sender_tag(await bob.receive(WAIT))
        assert bob.senders_held() > 1
        await until(lambda: bob.senders_held() == 1)
        assert time.monotonic() - began >= 0.5
        await bob.reply(late, b"too late")
        await alice.send_anonymous(bob.address, b"question", surbs=1, fresh_tag=True)
        await bob.reply(sender_tag(await bob.receive(WAIT)), b"in time")
        assert (await alice.receive(WAIT)).data == b"in time"


async def test_a_stored_client_saves_no_fresh_tags(withholding: ClientConfig, tmp_path: Path) -> None:
    async with MixnetClient(withholding) as alice:
        async with MixnetClient(withholding, storage=tmp_path) as bob:
            await alice.send_anonymous(bob.address, b"this is alice", surbs=3)
            await alice.send_anonymous(bob.address, b"question", surbs=3, fresh_tag=True)
            assert {(await bob.receive(WAIT)).data for _ in range(2)} == {b"this is alice", b"question"}
            await until(lambda: bob.senders_held() == 2)
        async with MixnetClient(withholding, storage=tmp_path) as bob:
            assert bob.senders_held() == 1


async def test_lost_packets_are_sent_again(network: LocalNetwork, withholding: ClientConfig) -> None:
    async with MixnetClient(withholding) as alice, MixnetClient(withholding) as bob:
        network.set_loss(0.03)  # at each hop: of 30 packets, four
        try:
            asked = [b"%d" % number for number in range(30)]
            for question in asked:
                await alice.send_anonymous(bob.address, question, surbs=3, fresh_tag=True)
            for _ in asked:
                message = await bob.receive(WAIT)
                await bob.reply(sender_tag(message), message.data)
            answered = {(await alice.receive(WAIT)).data for _ in range(len(asked) - 2)}
        finally:
            network.set_loss(0)
    assert answered <= set(asked)


async def test_it_takes_no_more_packets_than_under_the_usual_tag(
    network: LocalNetwork, withholding: ClientConfig
) -> None:
    data = bytes(PACKET_BYTES - 3 * SURB_BYTES - 23)  # what one packet holds beside three SURBs

    def sent(client: MixnetClient) -> int:
        return network.counters().clients[client.address].injected.data

    async with MixnetClient(withholding) as alice, MixnetClient(withholding) as bob:
        for surbs, packets in ((3, 1), (4, 2)):
            for fresh_tag in (False, True):
                before = sent(alice)
                await alice.send_anonymous(bob.address, data, surbs=surbs, fresh_tag=fresh_tag)
                await bob.receive(WAIT)
                assert sent(alice) - before == packets


async def test_a_fresh_tag_needs_a_surb(config: ClientConfig) -> None:
    async with MixnetClient(config) as alice:
        with pytest.raises(MessageError):
            await alice.send_anonymous(alice.address, b"question", surbs=0, fresh_tag=True)


@pytest.mark.parametrize(
    "broken", [b"", b"\x00", b"\x00\x01\x01\xcc", b"\x07\x01\x00\x02ab", b"\x00\x01\x00\x40" + bytes(64)]
)
async def test_what_only_begins_like_one_arrives_as_it_is(config: ClientConfig, broken: bytes) -> None:
    data = b"\x00nym_python_sdk\x01" + broken
    async with MixnetClient(config) as alice, MixnetClient(config) as bob:
        await alice.send_plain(bob.address, data)
        assert await bob.receive(WAIT) == (data, None)
        assert bob.senders_held() == 0
