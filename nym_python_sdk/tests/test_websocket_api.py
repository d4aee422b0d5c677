"""nym-client's websocket interface over the local network, spoken as its documentation has it: bytes written by hand here."""

import json
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from nym_python_sdk import NymError, StorageError
from nym_python_sdk.testing import LocalNetwork, WebsocketClient

WAIT = 20.0
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def key_bytes(text: str) -> bytes:
    number = 0
    for letter in text:
        number = number * 58 + ALPHABET.index(letter)
    return number.to_bytes(32, "big")


def recipient(address: str) -> bytes:
    """96 bytes: identity, encryption key, gateway."""
    client, _, gateway = address.partition("@")
    return b"".join(map(key_bytes, (*client.split("."), gateway)))


def sized(data: bytes, connection: int = 0) -> bytes:
    return struct.pack(">QQ", connection, len(data)) + data


def plain(address: str, data: bytes, connection: int = 0) -> bytes:
    return b"\x00" + recipient(address) + sized(data, connection)


def anonymous(address: str, data: bytes, surbs: int) -> bytes:
    return b"\x01" + struct.pack(">I", surbs) + recipient(address) + sized(data)


def reply(tag: bytes, data: bytes) -> bytes:
    return b"\x02" + tag + sized(data)


def received(frame: str | bytes) -> tuple[bytes, bytes | None]:
    assert isinstance(frame, bytes)
    assert frame[0] == 1
    tag, rest = (frame[2:18], frame[18:]) if frame[1] else (None, frame[2:])
    (length,) = struct.unpack(">Q", rest[:8])
    assert len(rest) == 8 + length
    return rest[8:], tag


def until(so: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT
    while not so():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def served(nym_local_network: LocalNetwork) -> Iterator[tuple[WebsocketClient, WebsocketClient]]:
    first, second = nym_local_network.gateways
    with (
        nym_local_network.serve_websocket("alice", gateway=first) as alice,
        nym_local_network.serve_websocket("bob", gateway=second) as bob,
    ):
        yield alice, bob


@pytest.fixture
def programs(served: tuple[WebsocketClient, WebsocketClient]) -> Iterator[tuple[ClientConnection, ClientConnection]]:
    alice, bob = served
    with connect(alice.url) as a, connect(bob.url) as b:
        yield a, b


Pair = tuple[WebsocketClient, WebsocketClient]
Programs = tuple[ClientConnection, ClientConnection]


def test_own_address(served: Pair, programs: Programs) -> None:
    programs[0].send(b"\x03")
    assert programs[0].recv(WAIT) == b"\x02" + recipient(served[0].address)


def test_plain_anonymous_and_reply(served: Pair, programs: Programs) -> None:
    a, b = programs
    a.send(plain(served[1].address, b"plain"))
    assert received(b.recv(WAIT)) == (b"plain", None)
    data = os.urandom(30_000)
    a.send(anonymous(served[1].address, data, 12))
    got, tag = received(b.recv(WAIT))
    assert got == data
    assert tag is not None
    b.send(reply(tag, b"reply"))
    assert received(a.recv(WAIT)) == (b"reply", None)


def test_sending_with_a_connection_id_is_answered_by_the_queue_length(served: Pair, programs: Programs) -> None:
    a, b = programs
    a.send(plain(served[1].address, b"x", 77))
    frame = a.recv(WAIT)
    assert isinstance(frame, bytes)
    assert frame[:9] == b"\x03" + struct.pack(">Q", 77)
    assert len(frame) == 17
    assert received(b.recv(WAIT))[0] == b"x"
    a.send(b"\x05" + struct.pack(">Q", 77))
    assert a.recv(WAIT) == b"\x03" + struct.pack(">QQ", 77, 0)
    a.send(b"\x04" + struct.pack(">Q", 77))
    with pytest.raises(TimeoutError):
        a.recv(0.2)


def test_pushes_follow_the_form_of_the_last_request(served: Pair, programs: Programs) -> None:
    a, b = programs
    b.send(json.dumps({"type": "selfAddress"}))
    assert json.loads(b.recv(WAIT)) == {"type": "selfAddress", "address": served[1].address}
    a.send(plain(served[1].address, "zwölf".encode()))
    assert json.loads(b.recv(WAIT)) == {"type": "received", "message": "zwölf", "senderTag": None}
    b.send(b"\x03")
    b.recv(WAIT)
    a.send(json.dumps({"type": "send", "recipient": served[1].address, "message": "text"}))
    assert received(b.recv(WAIT)) == (b"text", None)


@pytest.mark.parametrize(
    ("request_frame", "kind"),
    [
        (b"", 0x01),
        (b"\x00" * 50, 0x02),
        (b"\x06", 0x03),
        (b"\xff" * 200, 0x03),
        (b"\x00" + bytes(96) + struct.pack(">QQ", 0, 5) + b"four", 0x04),
        (b"\x05" + bytes(7), None),
    ],
)
def test_bad_request_is_answered_and_the_connection_lives(
    programs: Programs, request_frame: bytes, kind: int | None
) -> None:
    a, _ = programs
    a.send(request_frame)
    frame = a.recv(WAIT)
    assert isinstance(frame, bytes)
    assert frame[0] == 0
    assert kind is None or frame[1] == kind
    (length,) = struct.unpack(">Q", frame[2:10])
    assert len(frame[10:]) == length
    a.send("no JSON")
    assert json.loads(a.recv(WAIT))["type"] == "error"
    a.send(b"\x03")
    assert len(a.recv(WAIT)) == 97


def test_unknown_tag_is_met_with_silence(programs: Programs) -> None:
    programs[0].send(reply(bytes(16), b"to no one"))
    programs[0].send(b"\x03")
    assert len(programs[0].recv(WAIT)) == 97


@pytest.mark.parametrize("origin", ["http://127.0.0.1", "https://example.org", "null"])
def test_web_pages_are_refused(served: Pair, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refusal, connect(served[0].url, additional_headers={"Origin": origin}):
        pass
    assert refusal.value.response.status_code == 403


def test_one_program_at_a_time(served: Pair) -> None:
    alice, _ = served
    with connect(alice.url):
        until(lambda: alice.status().connected)
        with pytest.raises((InvalidHandshake, ConnectionClosed, OSError, EOFError)), connect(alice.url) as second:
            second.recv(WAIT)
    until(lambda: not alice.status().connected)
    with connect(alice.url) as third:
        third.send(b"\x03")
        third.recv(WAIT)


def test_bare_connection_and_nonsense_harm_nothing(served: Pair) -> None:
    alice, _ = served
    host, port = alice.url.removeprefix("ws://").split(":")
    bare = [socket.create_connection((host, int(port))) for _ in range(3)]
    bare[0].sendall(b"\x00\xff" * 1000)
    bare[1].close()
    with connect(alice.url) as program:
        program.send(b"\x03")
        program.recv(WAIT)
    for connection in bare:
        connection.close()
    assert alice.status().alive


def test_messages_wait_while_nobody_is_connected(served: Pair) -> None:
    alice, bob = served
    with connect(bob.url) as program:
        for number in range(20):
            program.send(plain(alice.address, bytes([number])))
        until(lambda: alice.status().waiting == 20)
    with connect(alice.url) as program:
        assert {received(program.recv(WAIT))[0][0] for _ in range(20)} == set(range(20))
    status = alice.status()
    assert (status.waiting, status.received, status.dropped) == (0, 20, 0)


def test_stored_identity_and_its_surbs_come_back(nym_local_network: LocalNetwork, tmp_path: Path) -> None:
    network = nym_local_network
    with network.serve_websocket("bob", storage=tmp_path / "bob", surbs_withheld=0) as bob:
        address, port = bob.address, int(bob.url.rpartition(":")[2])
        with pytest.raises(StorageError):
            network.serve_websocket("again", storage=tmp_path / "bob")
        with network.serve_websocket("alice") as alice, connect(alice.url) as a:
            with connect(bob.url) as b:
                a.send(anonymous(address, b"SURBs", 5))
                tag = received(b.recv(WAIT))[1]
                assert tag is not None
            bob.close()
            again = network.serve_websocket("bob", storage=tmp_path / "bob", surbs_withheld=0, port=port)
            assert (again.address, again.url) == (address, bob.url)
            with connect(again.url) as b:
                b.send(reply(tag, b"over a stored SURB"))
                assert received(a.recv(WAIT))[0] == b"over a stored SURB"
            with pytest.raises(NymError):
                network.serve_websocket("other", port=port)
            again.close()


@pytest.mark.slow
def test_client_that_died_closes_its_port(served: Pair, nym_local_network: LocalNetwork) -> None:
    """As nym-client's process, which ends after too many sends that failed."""
    alice, bob = served
    nym_local_network.stop_gateway(alice.address.partition("@")[2])
    end = time.monotonic() + 60
    with connect(alice.url) as program, pytest.raises(ConnectionClosed):
        while time.monotonic() < end:
            program.send(plain(bob.address, b"x"))
            time.sleep(0.01)
    until(lambda: not alice.status().alive)
    with pytest.raises(OSError):
        connect(alice.url)
    assert bob.status().alive
