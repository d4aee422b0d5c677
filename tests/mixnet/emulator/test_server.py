"""The emulator's server, as programs written for nym-client meet it."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time
from collections.abc import Iterator
from typing import Any, Self

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.helpers.mixnet_members import WAIT_S
from tests.helpers.mixnet_networks import ServerThread
from usernym.mixnet import nym_api as api
from usernym.mixnet.addresses import format_address, parse_address
from usernym.mixnet.emulator import port as server_port
from usernym.mixnet.emulator.control import ask
from usernym.mixnet.emulator.server import ServerSettings
from usernym.mixnet.emulator.state import Faults
from usernym.mixnet.transport import MESSAGE_BYTES_MAX, MixnetError

FAST = Faults(hop_delay_s=0.001)


@pytest.fixture
def server() -> Iterator[ServerThread]:
    server = ServerThread(ServerSettings(first_port=0, clients=3, faults=FAST))
    yield server
    server.close()


class Program:
    """A program connected to one of the emulated clients."""

    def __init__(self, server: ServerThread, client: int) -> None:
        self.connection = connected(server.url(client))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.connection.close()

    def ask(self, request: api.Request) -> None:
        self.connection.send(api.encode_request(request))

    def receive(self) -> api.Response:
        """The next response, which must be binary."""
        frame = self.connection.recv(timeout=WAIT_S)
        assert isinstance(frame, bytes)
        return api.decode_response(frame)

    def receive_text(self) -> Any:
        """The next response, which must be text."""
        frame = self.connection.recv(timeout=WAIT_S)
        assert isinstance(frame, str)
        return json.loads(frame)

    def is_served(self) -> bool:
        """Whether the next answer is that to a sound request."""
        self.ask(api.GetLaneQueueLength(6))
        return self.receive() == api.LaneQueueLength(6, 0)


def connected(url: str) -> ClientConnection:
    """A connection; tried again while the last program's has not quite ended."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return connect(url, compression=None, proxy=None, max_size=None, legacy=True)
        except (OSError, EOFError, ConnectionClosed, InvalidHandshake):
            if time.monotonic() > deadline:
                raise


def wait_for_packets(server: ServerThread, count: int) -> None:
    """Until client 1 has received that many data packets. Asked again and again, since nothing pushes counters."""
    deadline = time.monotonic() + WAIT_S
    while server.ask("counters")["clients"][1]["packets"]["received_data"] < count:
        assert time.monotonic() < deadline, "the packets do not arrive"


def address(server: ServerThread, client: int) -> bytes:
    return parse_address(server.ready.endpoints[client].address)


def test_programs_exchange_messages_and_replies(server: ServerThread) -> None:
    with Program(server, 0) as alice, Program(server, 1) as bob:
        alice.ask(api.SendAnonymous(address(server, 1), b"question", 2))
        question = bob.receive()
        assert isinstance(question, api.ReceivedResponse)
        assert question.sender_tag is not None
        bob.ask(api.Reply(question.sender_tag, b"answer"))
        assert alice.receive() == api.ReceivedResponse(b"answer", None)
        alice.ask(api.Send(address(server, 1), b"plain"))
        assert bob.receive() == api.ReceivedResponse(b"plain", None)


def test_lane_length_is_told_when_a_connection_id_is_given(server: ServerThread) -> None:
    with Program(server, 0) as alice:
        alice.ask(api.ClosedConnection(5))
        assert alice.is_served()
        alice.ask(api.Send(address(server, 1), b"x", 7))
        assert alice.receive() == api.LaneQueueLength(7, 0)


def test_text_form_and_pushes_follow_the_last_request(server: ServerThread) -> None:
    with Program(server, 0) as alice, Program(server, 1) as bob:
        text = server.ready.endpoints[1].address
        bob.connection.send('{"type": "selfAddress"}')
        assert bob.receive_text() == {"type": "selfAddress", "address": text}
        alice.connection.send(
            json.dumps({"type": "sendAnonymous", "recipient": text, "message": "hi", "replySurbs": 1})
        )
        pushed = bob.receive_text()
        assert (pushed["type"], pushed["message"]) == ("received", "hi")
        bob.connection.send(json.dumps({"type": "reply", "senderTag": pushed["senderTag"], "message": "ho"}))
        assert alice.receive_text() == {"type": "received", "message": "ho", "senderTag": None}
        assert bob.is_served()
        alice.connection.send(json.dumps({"type": "send", "recipient": text, "message": "binary again"}))
        assert bob.receive() == api.ReceivedResponse(b"binary again", None)


@pytest.mark.parametrize("origin", ["https://example.org", "null", "http://127.0.0.1"])
def test_web_pages_are_refused(server: ServerThread, origin: str) -> None:
    control = f"ws://127.0.0.1:{server.ready.control_port}"
    for url in (server.url(0), control):
        with pytest.raises(InvalidStatus) as refused:
            connect(url, origin=Origin(origin), proxy=None, legacy=True)
        assert refused.value.response.status_code == 403


def test_second_connection_is_shut_before_its_handshake(server: ServerThread) -> None:
    with Program(server, 0) as first:
        port = server.ready.endpoints[0].port
        second = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        with second, contextlib.suppress(ConnectionResetError):
            assert second.recv(1) == b""
        assert first.is_served()
    with Program(server, 0) as third:
        assert third.is_served()


def test_garbage_of_every_length_is_answered_with_an_error(server: ServerThread) -> None:
    rng = random.Random(7)
    with Program(server, 0) as alice:
        for length in range(300):
            alice.connection.send(bytes([6 + length % 250]) + rng.randbytes(length))
            response = alice.receive()
            assert isinstance(response, api.ErrorResponse)
            assert response.kind == api.ErrorKind.UNKNOWN_REQUEST
        sound = api.encode_request(api.SendAnonymous(address(server, 1), b"data", 1))
        for length in range(len(sound)):
            alice.connection.send(sound[:length])
            assert isinstance(alice.receive(), api.ErrorResponse)
        for text in ("", "{", "[]", '{"type": "x"}', "\x00"):
            alice.connection.send(text)
            assert alice.receive_text()["type"] == "error"
        assert alice.is_served()


def test_garbage_instead_of_a_handshake_harms_nobody(server: ServerThread) -> None:
    port = server.ready.endpoints[0].port
    for garbage in (b"", b"\x00" * 100, b"GET / HTTP/1.1\r\n\r\n", b"x" * 100_000):
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as raw, contextlib.suppress(OSError):
            raw.sendall(garbage)
            raw.shutdown(socket.SHUT_WR)
            while raw.recv(4096):
                pass
    with Program(server, 0) as alice:
        assert alice.is_served()


def test_out_of_bounds_is_answered_with_an_error(server: ServerThread) -> None:
    with Program(server, 0) as alice:
        for request in (
            api.SendAnonymous(address(server, 1), b"x", 201),
            api.Send(address(server, 1), bytes(MESSAGE_BYTES_MAX + 1)),
            api.Reply(bytes(16), b""),
        ):
            alice.ask(request)
            response = alice.receive()
            assert isinstance(response, api.ErrorResponse)
            assert response.kind == api.ErrorKind.OTHER


def test_frame_above_the_bound_ends_the_connection_only(server: ServerThread) -> None:
    with Program(server, 0) as alice:
        alice.connection.send(bytes(2 * MESSAGE_BYTES_MAX))
        with pytest.raises(ConnectionClosed) as closed:
            alice.connection.recv(timeout=WAIT_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    with Program(server, 0) as again:
        assert again.is_served()


def test_messages_wait_for_a_program_and_survive_its_leaving(server: ServerThread) -> None:
    with Program(server, 0) as alice:
        for number in range(10):
            alice.ask(api.SendAnonymous(address(server, 1), bytes([number]), 1))
        wait_for_packets(server, 10)
    with Program(server, 1) as bob:
        received = [bob.receive() for _ in range(10)]
    data = sorted(message.data[0] for message in received if isinstance(message, api.ReceivedResponse))
    assert data == list(range(10))
    assert len({message.sender_tag for message in received if isinstance(message, api.ReceivedResponse)}) == 1


def test_unread_messages_are_bounded(server: ServerThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_port, "PUSHES_MAX", 3)
    with Program(server, 0) as alice:
        for _ in range(5):
            alice.ask(api.Send(address(server, 1), b"x"))
        wait_for_packets(server, 5)
    assert server.ask("counters")["clients"][1]["dropped_unread"] == 2


def test_killed_client_drops_its_program_and_what_it_had_in_memory(server: ServerThread) -> None:
    with Program(server, 0) as alice, Program(server, 1) as bob:
        alice.ask(api.SendAnonymous(address(server, 1), b"question", 5))
        question = bob.receive()
        assert isinstance(question, api.ReceivedResponse)
        assert question.sender_tag is not None
        bob.connection.close()
        alice.ask(api.Send(address(server, 1), b"in memory"))
        wait_for_packets(server, 3)  # the question took two, with its SURBs
        assert server.ask("kill", client=0) == {"ok": True}
        with pytest.raises(ConnectionClosed):
            alice.connection.recv(timeout=WAIT_S)
        server.ask("kill", client=1)
    with Program(server, 0) as alice, Program(server, 1) as bob:
        bob.ask(api.Reply(question.sender_tag, b"to a dead tag"))
        alice.ask(api.SendAnonymous(address(server, 1), b"again", 1))
        again = bob.receive()
        assert isinstance(again, api.ReceivedResponse)
        assert again.data == b"again", "what was in memory is gone"
        assert again.sender_tag not in (None, question.sender_tag)


def test_restarted_server_has_the_same_addresses_and_no_memory() -> None:
    first = ServerThread(ServerSettings(first_port=0, clients=1, seed=7, faults=FAST))
    endpoint = first.ready.endpoints[0]
    with Program(first, 0) as alice:
        alice.ask(api.SendAnonymous(address(first, 0), b"to myself", 1))
        before = alice.receive()
    first.close()
    second = ServerThread(ServerSettings(first_port=endpoint.port, clients=1, seed=7, faults=FAST, control_port=0))
    assert second.ready.endpoints[0] == endpoint
    with Program(second, 0) as alice:
        alice.ask(api.SendAnonymous(address(second, 0), b"to myself", 1))
        after = alice.receive()
    second.close()
    assert isinstance(before, api.ReceivedResponse)
    assert isinstance(after, api.ReceivedResponse)
    assert before.sender_tag != after.sender_tag, "tags are new even with the same seed"


def test_other_seed_other_addresses() -> None:
    addresses = set()
    for seed in (None, 1, 2):
        server = ServerThread(ServerSettings(first_port=0, clients=2, seed=seed))
        addresses |= {endpoint.address for endpoint in server.ready.endpoints}
        server.close()
    assert len(addresses) == 6


def test_control_port_tells_counters_and_takes_faults(server: ServerThread) -> None:
    with Program(server, 0) as alice:
        server.ask("faults", silent_loss=1.0, hop_delay_s=0)
        alice.ask(api.SendAnonymous(address(server, 1), b"lost", 0))
        wait_for_packets(server, 1)
        counters = server.ask("counters")
    assert counters["faults"] == {
        "loss": 0.0,
        "silent_loss": 1.0,
        "duplication": 0.0,
        "hop_delay_s": 0,
        "reorder": True,
        "surb_age_s": 86400.0,
        "partition": [],
        "links": [],
    }
    assert counters["lost"] == {"silent loss": 1}
    assert counters["clients"][0]["packets"]["sent_data"] == 1
    assert parse_address(counters["clients"][0]["address"]) == address(server, 0)
    assert format_address(address(server, 0)) == server.ready.endpoints[0].address


@pytest.mark.seconds
def test_client_goes_offline_and_comes_back(server: ServerThread) -> None:
    with Program(server, 0) as alice, Program(server, 1) as bob:
        server.ask("offline", client=1)
        assert server.ask("counters")["clients"][1]["connected"] is False
        alice.ask(api.Send(address(server, 1), b"stored"))
        bob.ask(api.Send(address(server, 0), b"held"))
        assert bob.is_served()
        server.ask("online", client=1)
        assert alice.receive() == api.ReceivedResponse(b"held", None)
        assert bob.receive() == api.ReceivedResponse(b"stored", None)


@pytest.mark.parametrize(
    "command",
    [
        {"do": "nonsense"},
        {},
        {"do": "kill"},
        {"do": "kill", "client": 3},
        {"do": "kill", "client": True},
        {"do": "faults", "loss": 2},
        {"do": "faults", "loss": "0"},
        {"do": "faults", "loss": True},
        {"do": "faults", "reorder": 1},
        {"do": "faults", "unknown": 1},
    ],
)
def test_bad_commands_are_refused(server: ServerThread, command: dict[str, Any]) -> None:
    with pytest.raises(MixnetError):
        ask(server.ready.control_port, command)
    assert server.ask("rotate_keys") == {"ok": True}


@pytest.mark.parametrize("frame", ["", "{", "[]", "7", b"\xff", "[" * 4000])
def test_frames_that_are_no_commands_are_answered(server: ServerThread, frame: str | bytes) -> None:
    with connect(f"ws://127.0.0.1:{server.ready.control_port}", proxy=None) as control:
        control.send(frame)
        assert "error" in json.loads(control.recv(timeout=WAIT_S))


def test_taken_port_is_told_and_nothing_stays_bound(server: ServerThread) -> None:
    taken = server.ready.endpoints[0].port
    with pytest.raises(MixnetError, match=f"port {taken}"):
        ServerThread(ServerSettings(first_port=taken, clients=1, control_port=0))


def test_nothing_answers_where_no_emulator_is() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(MixnetError, match="no emulator answers"):
            ask(bound.getsockname()[1], {"do": "counters"})


@pytest.mark.parametrize(
    "arguments",
    [
        {"clients": 0},
        {"clients": 257},
        {"first_port": 65535, "clients": 2},
        {"first_port": 1},
        {"first_port": -1},
        {"control_port": 65536},
        {"surb_minimum": 201},
    ],
)
def test_settings_are_checked(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"must lie|serves"):
        ServerSettings(**arguments)  # type: ignore[arg-type]


@pytest.mark.seconds
def test_program_that_does_not_read_does_not_hold_up_the_end() -> None:
    server = ServerThread(ServerSettings(first_port=0, clients=2, faults=FAST))
    slow = connect(server.url(1), compression=None, proxy=None, max_queue=1, legacy=True, ping_interval=None)
    with Program(server, 0) as alice:
        for _ in range(100):
            alice.ask(api.Send(address(server, 1), bytes(MESSAGE_BYTES_MAX)))
        wait_for_packets(server, 100 * 164)
    server.close()  # asserts that the server has ended
    for _ in range(100):
        try:
            slow.recv(timeout=5)
        except (ConnectionClosed, EOFError):
            break
    else:
        raise AssertionError("the server has ended, and the connection has not")
    slow.close()
