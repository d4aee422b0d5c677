"""What the transport over a Nym client in this process does beyond what every transport does."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.local_nym import local_network
from tests.helpers.mixnet_members import Member, Recorder
from usernym.mixnet.nym_sdk import IDENTITY_FILES, NymSdkTransport, client_config, installed
from usernym.mixnet.transport import ADDRESS_BYTES, Incoming, TransportDown, TransportUp
from usernym.protocol.limits import SURBS_REQUEST
from usernym.protocol.packets import SURB_BYTES

pytestmark = [pytest.mark.nym, pytest.mark.skipif(not installed(), reason="needs nym_python_sdk: `make nym`")]


@pytest.fixture
def network() -> Iterator[Any]:
    network = local_network()
    yield network
    network.close()


def test_the_identity_outlives_the_transport(network: Any, tmp_path: Path) -> None:
    first = Member(NymSdkTransport(tmp_path / "nym", network.client_config()))
    first.transport.close()
    again = Member(NymSdkTransport(tmp_path / "nym", network.client_config()))
    assert again.address == first.address
    again.transport.close()
    assert (tmp_path / "nym").stat().st_mode & 0o777 == 0o700


def test_a_renewed_client_is_another_one_from_then_on_and_keeps_what_was_paid_for(network: Any, tmp_path: Path) -> None:
    first = Member(NymSdkTransport(tmp_path, network.client_config()))
    paid = (tmp_path / "credentials_database.db").stat().st_ino
    assert first.transport.renew()
    first.recorder.wait_for(TransportDown)
    address = first.recorder.skip_to(TransportUp).address
    assert address != first.address
    first.transport.close()
    again = Member(NymSdkTransport(tmp_path, network.client_config()))
    again.transport.close()
    assert again.address == address
    assert (tmp_path / "credentials_database.db").stat().st_ino == paid


def test_a_client_that_is_renewed_at_its_address_has_lost_the_keys_of_its_surbs_and_nothing_else(
    network: Any, tmp_path: Path
) -> None:
    alice = Member(NymSdkTransport(tmp_path, network.client_config()))
    bob = Member(NymSdkTransport(None, network.client_config()))
    alice.transport.send(bob.address, b"question", 5)
    tag = bob.recorder.skip_to(Incoming).sender_tag
    assert tag is not None
    assert alice.transport.surbs_out() == 5
    assert alice.transport.renew(keep_address=True)
    assert alice.recorder.skip_to(TransportUp).address == alice.address
    assert alice.transport.surbs_out() == 0
    bob.transport.reply(tag, b"an answer that no one can read")
    bob.transport.send(alice.address, b"to the same address", 0)
    assert alice.recorder.skip_to(Incoming).data == b"to the same address"
    alice.transport.send(bob.address, b"another question", 5)
    another = bob.recorder.skip_to(Incoming).sender_tag
    assert another is not None
    bob.transport.reply(another, b"another answer")
    assert alice.recorder.skip_to(Incoming).data == b"another answer"
    alice.transport.close()
    bob.transport.close()


def test_a_client_whose_identity_is_in_memory_can_not_be_renewed_at_its_address(network: Any) -> None:
    alice = Member(NymSdkTransport(None, network.client_config()))
    assert not alice.transport.renew(keep_address=True)
    alice.transport.close()


def copy_settled(source: Path, target: Path) -> None:
    """The SDK's connections to its stores may end a moment after its client, and files go while they are copied."""
    for _ in range(20):
        try:
            shutil.copytree(source, target)
        except shutil.Error:
            shutil.rmtree(target)
            time.sleep(0.1)
        else:
            return
    raise AssertionError("its files change all the time")


def test_a_renewal_that_was_killed_leaves_a_folder_that_can_be_used(network: Any, tmp_path: Path) -> None:
    Member(NymSdkTransport(tmp_path / "whole", network.client_config())).transport.close()
    files = [file.name for pattern in IDENTITY_FILES for file in (tmp_path / "whole").glob(pattern)]
    assert len(files) >= 7
    for count in range(1, len(files) + 1):
        folder = tmp_path / f"{count}"
        copy_settled(tmp_path / "whole", folder)
        for name in files[:count]:
            (folder / name).unlink(missing_ok=True)
        member = Member(NymSdkTransport(folder, network.client_config()))
        member.transport.send(member.address, b"to me", 0)
        assert member.receive().data == b"to me", files[:count]
        member.transport.close()


def test_reply_blocks_that_the_sdk_put_aside_are_removed(network: Any, tmp_path: Path) -> None:
    (tmp_path / "persistent_reply_store.sqlite").write_bytes(b"what a killed process left")
    Member(NymSdkTransport(tmp_path, network.client_config())).transport.close()
    assert not list(tmp_path.glob("*.corrupted"))
    assert (tmp_path / "persistent_reply_store.sqlite").exists()


def test_two_reply_blocks_are_withheld_whatever_the_settings_say(network: Any) -> None:
    """Of a request's three, one answers at once; the client asks for more before it spends another."""
    alice = Member(NymSdkTransport(None, network.client_config(surbs_withheld=10)))
    bob = Member(NymSdkTransport(None, network.client_config(surbs_withheld=10)))
    before = network.counters().clients

    def sent() -> int:
        after = network.counters().clients
        return sum(client.injected.data - before[name].injected.data for name, client in after.items())

    alice.transport.send(bob.address, b"question", SURBS_REQUEST)
    tag = bob.receive().sender_tag
    assert tag is not None
    bob.transport.reply(tag, b"answer")
    assert alice.receive().data == b"answer"
    assert sent() == 2, "nobody asked for reply blocks"
    bob.transport.reply(tag, b"another")
    assert alice.receive().data == b"another"
    assert sent() == 2 + 1 + 3 + 1, "the question for ten, those, and the answer"
    assert alice.transport.surbs_out() == 3 + 10 - 3, "also those that it gave by itself"
    for member in (alice, bob):
        member.transport.close()


def test_the_size_of_a_reply_block_is_the_librarys(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert NymSdkTransport(None, network.client_config()).surb_bytes == SURB_BYTES
    monkeypatch.setattr("nym_python_sdk.SURB_BYTES", 412, raising=False)
    assert NymSdkTransport(None, network.client_config()).surb_bytes == 412


def test_a_stored_client_knows_what_it_gave_before_it_was_closed(network: Any, tmp_path: Path) -> None:
    bob = Member(NymSdkTransport(None, network.client_config()))
    for _ in range(2):
        alice = Member(NymSdkTransport(tmp_path, network.client_config()))
        alice.transport.send(bob.address, b"q", SURBS_REQUEST)
        bob.receive()
        out = alice.transport.surbs_out()
        alice.transport.close()
    assert out == 2 * SURBS_REQUEST
    bob.transport.close()


def test_an_address_that_is_none_costs_its_message_and_nothing_else(network: Any) -> None:
    member = Member(NymSdkTransport(None, network.client_config()))
    member.transport.send(bytes(ADDRESS_BYTES), b"to nobody", 0)
    member.transport.send(b"\xff" * ADDRESS_BYTES, b"to nobody", 2)
    member.transport.send(member.address, b"to me", 0)
    assert member.receive().data == b"to me"
    member.transport.close()


def test_a_storage_that_another_uses_is_waited_for_and_said(network: Any, tmp_path: Path) -> None:
    holder = Member(NymSdkTransport(tmp_path, network.client_config()))
    waiting, recorder = NymSdkTransport(tmp_path, network.client_config()), Recorder()
    waiting.open(recorder)
    assert "another client" in recorder.wait_for(TransportDown).reason
    holder.transport.close()
    assert recorder.skip_to(TransportUp).address == holder.address
    waiting.close()


def test_a_directory_that_does_not_answer_is_said(tmp_path: Path) -> None:
    transport, recorder = NymSdkTransport(tmp_path, client_config("http://127.0.0.1:9/", None, cover=False)), Recorder()
    transport.open(recorder)
    assert "does not start" in recorder.wait_for(TransportDown).reason
    transport.close()


def test_closing_while_it_connects_leaves_the_storage_free(network: Any, tmp_path: Path) -> None:
    first = Member(NymSdkTransport(tmp_path, network.client_config()))
    first.transport.close()
    for _ in range(10):
        transport = NymSdkTransport(tmp_path, network.client_config())
        transport.open(lambda _event: None)
        transport.close()
    recorder = Recorder()
    transport = NymSdkTransport(tmp_path, network.client_config())
    transport.open(recorder)
    assert recorder.skip_to(TransportUp).address == first.address
    transport.close()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_client_that_died_is_made_again_from_its_storage(network: Any, tmp_path: Path) -> None:
    """The SDK sends without success for some 45 seconds, and then ends itself."""
    member = Member(NymSdkTransport(tmp_path, network.client_config(gateway=network.gateways[0], keepalive=1.0)))
    network.stop_gateway(network.gateways[0])
    for _ in range(40):
        member.transport.send(member.address, b"in vain", 0)
    assert "ended" in member.recorder.skip_to(TransportDown, 200.0).reason
    network.start_gateway(network.gateways[0])
    assert member.recorder.skip_to(TransportUp, 60.0).address == member.address
    member.transport.send(member.address, b"here again", 0)
    while member.recorder.skip_to(Incoming).data != b"here again":
        continue
    member.transport.close()
