"""The transport over nym-client's API: outages, bounds, closing."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from tests.helpers.mixnet_members import WAIT_S, Member, Recorder
from tests.helpers.mixnet_networks import ServerThread
from usernym.mixnet import nym_api as api
from usernym.mixnet import nym_client
from usernym.mixnet import reconnecting as linked
from usernym.mixnet.emulator.server import ServerSettings
from usernym.mixnet.emulator.state import Faults
from usernym.mixnet.nym_client import NymClientTransport
from usernym.mixnet.transport import (
    MESSAGE_BYTES_MAX,
    Incoming,
    MixnetDown,
    MixnetError,
    TransportDown,
    TransportUp,
)

FAST = Faults(hop_delay_s=0.001)
ADDRESS = bytes(range(96))


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


class StandIn:
    """Something that is not quite a nym-client: each connection is given to a function."""

    def __init__(self, handler: Callable[[ServerConnection], None]) -> None:
        self._server: Server = serve(handler, "127.0.0.1", 0, compression=None, close_timeout=0.5)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(WAIT_S)


def tell_address(connection: ServerConnection) -> None:
    """Behave as nym-client does at first."""
    assert connection.recv(timeout=WAIT_S) == api.encode_request(api.SelfAddress())
    connection.send(api.encode_response(api.SelfAddressResponse(ADDRESS)))


@pytest.fixture
def server() -> Iterator[ServerThread]:
    server = ServerThread(ServerSettings(first_port=0, clients=2, faults=FAST))
    yield server
    server.close()


@pytest.mark.seconds
def test_nobody_there_is_told_once_with_what_to_do() -> None:
    port = free_port()
    recorder = Recorder()
    transport = NymClientTransport(f"ws://127.0.0.1:{port}")
    with pytest.raises(MixnetDown):
        transport.send(ADDRESS, b"x", 0)
    transport.open(recorder)
    down = recorder.wait_for(TransportDown)
    assert not down.final
    assert down.reason == f"nothing answers at ws://127.0.0.1:{port}: is nym-client (or `usernym mixnet`) running?"
    with pytest.raises(MixnetDown, match="nothing answers"):
        transport.send(ADDRESS, b"x", 0)
    server = ServerThread(ServerSettings(first_port=port, clients=1, faults=FAST, control_port=0))
    recorder.wait_for(TransportUp)
    transport.close()
    server.close()


def test_restarted_server_is_found_again() -> None:
    first = ServerThread(ServerSettings(first_port=0, clients=1, faults=FAST))
    port = first.ready.endpoints[0].port
    alice = Member(NymClientTransport(first.url(0)))
    first.close()
    assert "was lost" in alice.recorder.wait_for(TransportDown).reason
    second = ServerThread(ServerSettings(first_port=port, clients=1, faults=FAST, control_port=0))
    up = alice.recorder.skip_to(TransportUp)
    assert up.address == alice.address
    alice.transport.send(alice.address, b"again", 0)
    assert alice.receive().data == b"again"
    alice.transport.close()
    second.close()


def test_killed_client_is_down_then_up(server: ServerThread) -> None:
    alice = Member(NymClientTransport(server.url(0)))
    server.ask("kill", client=0)
    alice.recorder.wait_for(TransportDown)
    assert alice.recorder.skip_to(TransportUp).address == alice.address
    alice.transport.close()


@pytest.mark.seconds
def test_taken_client_is_told(server: ServerThread) -> None:
    alice = Member(NymClientTransport(server.url(0)))
    recorder = Recorder()
    second = NymClientTransport(server.url(0))
    second.open(recorder)
    assert "one program at a time" in recorder.wait_for(TransportDown).reason
    alice.transport.close()
    assert recorder.skip_to(TransportUp).address == alice.address
    second.close()


def test_other_program_at_the_port_is_told() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        connection.close()
        listener.close()

    thread = threading.Thread(target=answer)
    thread.start()
    recorder = Recorder()
    transport = NymClientTransport(f"ws://127.0.0.1:{listener.getsockname()[1]}")
    transport.open(recorder)
    assert "HTTP status 404" in recorder.wait_for(TransportDown).reason
    transport.close()
    thread.join(WAIT_S)


def test_client_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nym_client, "CONNECT_S", 0.05)
    leave = threading.Event()
    stand_in = StandIn(lambda connection: assert_true(leave.wait(WAIT_S)))
    recorder = Recorder()
    transport = NymClientTransport(stand_in.url)
    transport.open(recorder)
    assert "does not answer" in recorder.wait_for(TransportDown).reason
    transport.close()
    leave.set()
    stand_in.close()


def assert_true(value: bool) -> None:
    assert value


def test_messages_that_come_before_the_address_follow_the_up_event() -> None:
    def flush_first(connection: ServerConnection) -> None:
        connection.send(api.encode_response(api.ReceivedResponse(b"kept", None)))
        tell_address(connection)
        connection.send(api.encode_response(api.ReceivedResponse(b"new", bytes(16))))
        with pytest.raises(ConnectionClosed):
            connection.recv(timeout=WAIT_S)

    stand_in = StandIn(flush_first)
    member = Member(NymClientTransport(stand_in.url))
    assert member.receive() == Incoming(b"kept", None)
    assert member.receive() == Incoming(b"new", bytes(16))
    member.transport.close()
    stand_in.close()


def test_frames_that_make_no_sense_are_skipped_and_logged_without_content(caplog: pytest.LogCaptureFixture) -> None:
    def misbehave(connection: ServerConnection) -> None:
        tell_address(connection)
        for frame in ("secret", b"", b"secret", b"\xff", b"\x01\x02secret", b"\x02secret"):
            connection.send(frame)
        connection.send(api.encode_response(api.ErrorResponse(0xFF, "secret")))
        connection.send(api.encode_response(api.LaneQueueLength(1, 1)))
        connection.send(api.encode_response(api.ReceivedResponse(bytes(MESSAGE_BYTES_MAX + 1), None)))
        connection.send(api.encode_response(api.ReceivedResponse(b"sound", None)))
        with pytest.raises(ConnectionClosed):
            connection.recv(timeout=WAIT_S)

    stand_in = StandIn(misbehave)
    member = Member(NymClientTransport(stand_in.url))
    assert member.receive() == Incoming(b"sound", None)
    member.transport.close()
    stand_in.close()
    assert len([record for record in caplog.records if record.name == "usernym"]) == 8
    assert "secret" not in caplog.text


@pytest.mark.seconds
def test_queue_is_bounded_while_the_client_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nym_client, "CLOSE_S", 0.2)
    leave = threading.Event()

    def stop_reading(connection: ServerConnection) -> None:
        tell_address(connection)
        assert leave.wait(WAIT_S)

    stand_in = StandIn(stop_reading)
    member = Member(NymClientTransport(stand_in.url))
    sent = 0

    def send_all() -> None:
        nonlocal sent
        for _ in range(1000):
            member.transport.send(ADDRESS, bytes(MESSAGE_BYTES_MAX), 0)
            sent += 1

    with pytest.raises(MixnetError, match="can't keep up") as refused:
        send_all()
    assert not isinstance(refused.value, MixnetDown)
    assert sent >= linked.QUEUE_BYTES_MAX // MESSAGE_BYTES_MAX - 1
    started = time.monotonic()
    member.transport.close()
    assert time.monotonic() - started < WAIT_S / 2, "close does not wait for ever"
    leave.set()
    stand_in.close()


def test_close_leaves_no_thread_in_any_state(server: ServerThread) -> None:
    before = threading.active_count()
    never_opened = NymClientTransport(server.url(0))
    never_opened.close()
    with pytest.raises(MixnetError):
        never_opened.open(Recorder())
    nobody = NymClientTransport(f"ws://127.0.0.1:{free_port()}")
    nobody.open(Recorder())
    nobody.close()
    alice = Member(NymClientTransport(server.url(0)))
    alice.transport.close()
    assert threading.active_count() == before


def test_close_from_the_callback_does_not_hang(server: ServerThread) -> None:
    alice = Member(NymClientTransport(server.url(0)))
    closed = threading.Event()

    def close(message: Incoming) -> None:
        alice.transport.close()
        closed.set()

    alice.recorder.on_incoming = close
    alice.transport.send(alice.address, b"x", 0)
    assert closed.wait(WAIT_S)
    alice.transport.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.9.9.9"])
def test_loopback_is_taken(host: str) -> None:
    NymClientTransport(f"ws://{host}:1977").close()


@pytest.mark.parametrize(
    "url",
    ["ws://10.0.0.1:1977", "ws://example.org:1977", "ws://127.0.0.1.example.org:1977", "ws://0.0.0.0:1977"],
)
def test_other_hosts_are_an_explicit_choice(url: str) -> None:
    with pytest.raises(ValueError, match="on this machine"):
        NymClientTransport(url)
    NymClientTransport(url, allow_remote=True).close()


@pytest.mark.parametrize("url", ["", "127.0.0.1:1977", "http://127.0.0.1:1977", "ws://", "ws://user@127.0.0.1:1977"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="looks like"):
        NymClientTransport(url)
