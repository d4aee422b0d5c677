"""What a client sends arrives, for asyncio and for threads."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nym_python_sdk import (
    MAX_MESSAGE,
    MAX_SURBS,
    PACKET_BYTES,
    SURB_BYTES,
    BlockingMixnetClient,
    ClientClosed,
    ClientConfig,
    InvalidRecipient,
    InvalidSenderTag,
    MessageError,
    MixnetClient,
)
from nym_python_sdk.testing import LocalNetwork

WAIT = 20.0


async def test_plain_message_has_nobody_to_answer(config: ClientConfig) -> None:
    async with MixnetClient(config) as alice, MixnetClient(config) as bob:
        await alice.send_plain(bob.address, b"hello")
        message = await bob.receive(WAIT)
    assert message == (b"hello", None)


async def test_anonymous_message_is_answered_by_its_tag(config: ClientConfig) -> None:
    async with MixnetClient(config) as alice, MixnetClient(config) as bob:
        await alice.send_anonymous(bob.address, b"question", surbs=2)
        question = await bob.receive(WAIT)
        assert question.data == b"question"
        assert question.sender_tag is not None
        assert len(question.sender_tag) == 16
        await bob.reply(question.sender_tag, b"answer")
        assert await alice.receive(WAIT) == (b"answer", None)


def test_the_same_for_threads(config: ClientConfig) -> None:
    with BlockingMixnetClient(config) as alice, BlockingMixnetClient(config) as bob:
        alice.send_anonymous(bob.address, b"question", surbs=2)
        question = bob.receive(WAIT)
        assert question.sender_tag is not None
        bob.reply(question.sender_tag, b"answer")
        assert alice.receive(WAIT).data == b"answer"
        alice.send_plain(bob.address, b"plain")
        assert bob.receive(WAIT) == (b"plain", None)


@pytest.mark.parametrize("size", [0, 1, 1581, 1582, 100_000])
async def test_sizes_arrive_whole(config: ClientConfig, size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    async with MixnetClient(config) as alice, MixnetClient(config) as bob:
        await alice.send_anonymous(bob.address, data, surbs=0)
        assert (await bob.receive(WAIT)).data == data


async def test_messages_are_iterated_until_the_client_is_disconnected(config: ClientConfig) -> None:
    async with MixnetClient(config) as alice, MixnetClient(config) as bob:
        for number in range(20):
            await alice.send_plain(bob.address, bytes([number]))
        got = []
        async for message in bob:
            got.append(message.data[0])
            if len(got) == 20:
                await bob.disconnect()
    assert sorted(got) == list(range(20))


def test_iterating_in_a_thread_ends_when_another_disconnects(config: ClientConfig) -> None:
    with BlockingMixnetClient(config) as bob:
        seen: list[bytes] = []
        reader = threading.Thread(target=lambda: seen.extend(message.data for message in bob))
        reader.start()
        bob.send_plain(bob.address, b"to myself")
        while not seen:
            reader.join(0.01)
        bob.disconnect()
        reader.join(WAIT)
        assert not reader.is_alive()
    assert seen == [b"to myself"]


async def test_what_was_sent_leaves_before_the_end(config: ClientConfig) -> None:
    async with MixnetClient(config) as bob:
        async with MixnetClient(config) as alice:
            for _ in range(50):
                await alice.send_plain(bob.address, bytes(3000))
        for _ in range(50):
            await bob.receive(WAIT)


async def test_what_came_before_the_end_can_be_read_after_it(config: ClientConfig) -> None:
    async with MixnetClient(config) as bob:
        await bob.send_plain(bob.address, b"kept")
        while not bob.counts.waiting:
            await asyncio.sleep(0.01)
    assert (await bob.receive()).data == b"kept"
    with pytest.raises(ClientClosed):
        await bob.receive()


async def test_bad_arguments_are_refused_and_harm_nothing(config: ClientConfig) -> None:
    async with MixnetClient(config) as client:
        address = client.address
        for nonsense in ("", "nobody", address[:-10], address.replace("@", ""), "\0" * 500):
            with pytest.raises(InvalidRecipient):
                await client.send_plain(nonsense, b"x")
        for tag in (b"", bytes(15), bytes(17)):
            with pytest.raises(InvalidSenderTag):
                await client.reply(tag, b"x")
        with pytest.raises(MessageError):
            await client.reply(bytes(16), b"")
        with pytest.raises(MessageError):
            await client.send_plain(address, bytes(MAX_MESSAGE + 1))
        with pytest.raises(MessageError):
            await client.send_anonymous(address, b"x", surbs=MAX_SURBS + 1)
        with pytest.raises(OverflowError):
            await client.send_anonymous(address, b"x", surbs=-1)
        with pytest.raises(TypeError):
            await client.send_plain(address, "text")  # type: ignore[arg-type]
        await client.reply(bytes(16), b"to an unknown tag: dropped by the SDK without notice")
        await client.send_plain(address, b"still there")
        assert (await client.receive(WAIT)).data == b"still there"


async def test_receive_times_out_and_loses_nothing(config: ClientConfig) -> None:
    async with MixnetClient(config) as client:
        with pytest.raises(TimeoutError):
            await client.receive(0.05)
        waiting = asyncio.create_task(client.receive())
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await client.send_plain(client.address, b"later")
        assert (await client.receive(WAIT)).data == b"later"


async def test_cancelled_receives_lose_nothing_under_load(config: ClientConfig) -> None:
    async with MixnetClient(config) as alice, MixnetClient(config) as bob:

        async def send() -> None:
            for number in range(200):
                await alice.send_plain(bob.address, number.to_bytes(2))

        sending = asyncio.create_task(send())
        got = set()
        while len(got) < 200:
            try:
                got.add((await asyncio.wait_for(bob.receive(), 0.002)).data)
            except TimeoutError:
                await asyncio.sleep(0)
        await sending
    assert got == {number.to_bytes(2) for number in range(200)}


async def test_full_queue_drops_the_newest_and_counts_them(config: ClientConfig) -> None:
    small = replace(config, queue_messages=5)
    async with MixnetClient(config) as alice, MixnetClient(small) as bob:
        for number in range(12):
            await alice.send_plain(bob.address, bytes([number]))
        while bob.counts.received < 12:
            await asyncio.sleep(0.01)
        assert (bob.counts.dropped, bob.counts.waiting, bob.counts.waiting_bytes) == (7, 5, 5)
        for _ in range(5):
            await bob.receive(WAIT)
        assert bob.counts.waiting == 0
        await alice.send_plain(bob.address, b"room again")
        assert (await bob.receive(WAIT)).data == b"room again"


async def test_full_queue_is_bounded_in_bytes(config: ClientConfig) -> None:
    small = replace(config, queue_bytes=1000)
    async with MixnetClient(config) as alice, MixnetClient(small) as bob:
        await alice.send_plain(bob.address, bytes(1001))
        await alice.send_plain(bob.address, bytes(1000))
        while bob.counts.received < 2:
            await asyncio.sleep(0.01)
        assert len((await bob.receive(WAIT)).data) == 1000
        assert bob.counts.dropped == 1


async def test_single_surb_is_spent_when_none_is_withheld(config: ClientConfig) -> None:
    """In memory, too, where the SDK's own storage would withhold twenty and ask for more first."""
    async with MixnetClient(config) as alice, MixnetClient(replace(config, surbs_withheld=0)) as bob:
        await alice.send_anonymous(bob.address, b"q", surbs=1)
        tag = (await bob.receive(WAIT)).sender_tag
        assert tag is not None
        await alice.disconnect()  # no one is there to be asked for more, and no one needs to be
        await bob.reply(tag, b"a")
        await bob.send_plain(bob.address, b"alive")
        assert (await bob.receive(WAIT)).data == b"alive"


async def test_who_gives_no_surbs_on_request_gets_no_answer_that_needs_them(config: ClientConfig) -> None:
    async with (
        MixnetClient(replace(config, surbs_on_request=0)) as alice,
        MixnetClient(replace(config, surbs_withheld=2)) as bob,
    ):
        await alice.send_anonymous(bob.address, b"one is too few", surbs=1)
        tag = (await bob.receive(WAIT)).sender_tag
        assert tag is not None
        await bob.reply(tag, b"this waits for more")
        await asyncio.sleep(3.0)
        await alice.send_anonymous(bob.address, b"with more", surbs=5)
        await bob.receive(WAIT)
        assert (await alice.receive(WAIT)).data == b"this waits for more"
        assert alice.counts.received == 1


async def until(holds: Callable[[], bool]) -> None:
    """Waits until it holds."""
    async with asyncio.timeout(WAIT):
        while not holds():
            await asyncio.sleep(0.01)


async def test_both_sides_see_how_many_surbs_are_left(config: ClientConfig) -> None:
    config = replace(config, surbs_withheld=0)
    async with MixnetClient(config) as alice, MixnetClient(config) as bob:
        await alice.send_anonymous(bob.address, b"q", surbs=5)
        tag = (await bob.receive(WAIT)).sender_tag
        assert tag is not None
        await until(lambda: (len(alice.surbs_given()), bob.surbs_held(tag)) == (5, 5))
        assert max(alice.surbs_given()) < WAIT
        await bob.reply(tag, bytes(3 * PACKET_BYTES - 3))
        assert len((await alice.receive(WAIT)).data) == 3 * PACKET_BYTES - 3
        await until(lambda: (len(alice.surbs_given()), bob.surbs_held(tag)) == (2, 2))
        assert (alice.surbs_held(tag), bob.surbs_held(bytes(16)), bob.surbs_given()) == (0, 0, [])
        with pytest.raises(InvalidSenderTag):
            bob.surbs_held(b"short")


async def test_surbs_given_on_request_are_seen(config: ClientConfig) -> None:
    async with (
        MixnetClient(replace(config, surbs_on_request=7)) as alice,
        MixnetClient(replace(config, surbs_withheld=2)) as bob,
    ):
        await alice.send_anonymous(bob.address, b"one is too few", surbs=1)
        await bob.receive(WAIT)
        await until(lambda: len(alice.surbs_given()) == 7)


async def test_surbs_whose_packets_are_lost_stay_given(network: LocalNetwork, config: ClientConfig) -> None:
    config = replace(config, surbs_withheld=0)
    async with MixnetClient(config) as alice, MixnetClient(config) as bob:
        await alice.send_anonymous(bob.address, b"q", surbs=5)
        tag = (await bob.receive(WAIT)).sender_tag
        assert tag is not None
        await until(lambda: bob.surbs_held(tag) == 5)
        network.set_loss(1.0)
        try:
            await bob.reply(tag, b"a")
            await until(lambda: bob.surbs_held(tag) < 3)
            assert len(alice.surbs_given()) == 5
        finally:
            network.set_loss(0.0)


async def test_a_stored_client_remembers_what_it_gave(config: ClientConfig, tmp_path: Path) -> None:
    async with MixnetClient(replace(config, surbs_withheld=0)) as bob:
        async with MixnetClient(config, storage=tmp_path) as alice:
            await alice.send_anonymous(bob.address, b"q", surbs=4)
            await bob.receive(WAIT)
            await until(lambda: len(alice.surbs_given()) == 4)
        assert len(alice.surbs_given()) == 4
        async with MixnetClient(config, storage=tmp_path) as alice:
            assert len(alice.surbs_given()) == 4


async def test_sizes_are_those_of_the_packets_that_travel(network: LocalNetwork, config: ClientConfig) -> None:
    """23 bytes around an anonymous message, besides its SURBs."""

    def sent(client: MixnetClient) -> int:
        return network.counters().clients[client.address].injected.data

    config = replace(config, surbs_withheld=0)
    async with MixnetClient(config) as alice, MixnetClient(config) as bob:
        for surbs in (0, 3, 10):
            room = 4 * PACKET_BYTES - 23 - SURB_BYTES * surbs
            for more in (0, 1):
                before = sent(alice)
                await alice.send_anonymous(bob.address, bytes(room + more), surbs=surbs)
                await bob.receive(WAIT)
                assert sent(alice) - before == 4 + more


async def test_stored_identity_keeps_its_address_and_its_mail(config: ClientConfig, tmp_path: Path) -> None:
    folder = tmp_path / "alice"
    async with MixnetClient(config, storage=folder) as alice:
        address = alice.address
    assert folder.stat().st_mode & 0o777 == 0o700
    async with MixnetClient(config) as bob:
        await bob.send_plain(address, b"while away")
        async with MixnetClient(config, storage=folder) as alice:
            assert alice.address == address
            assert (await alice.receive(WAIT)).data == b"while away"


async def test_stored_surbs_answer_after_a_restart(config: ClientConfig, tmp_path: Path) -> None:
    config = replace(config, surbs_withheld=0)
    async with MixnetClient(config) as alice:
        async with MixnetClient(config, storage=tmp_path) as bob:
            await alice.send_anonymous(bob.address, b"q", surbs=3)
            tag = (await bob.receive(WAIT)).sender_tag
            # The SDK hands a message over a moment before it has put its SURBs away; what is sent behind comes later.
            await bob.send_plain(bob.address, b"behind")
            await bob.receive(WAIT)
        assert tag is not None
        async with MixnetClient(config, storage=tmp_path) as bob:
            await bob.reply(tag, b"a")
            assert (await alice.receive(WAIT)).data == b"a"


async def test_gateways_are_chosen(network: LocalNetwork) -> None:
    for gateway in network.gateways:
        async with MixnetClient(network.client_config(gateway=gateway)) as client:
            assert client.address.endswith("@" + gateway)
