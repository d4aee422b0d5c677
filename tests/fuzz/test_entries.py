"""Every way in is given what is almost right: no one falls over, nothing changes, the honest are served after it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from tests.helpers.fuzzing import Fuzzer, altered, pool
from tests.helpers.hostile import RawClient, Wiretap
from tests.helpers.mixnet_networks import ServerThread
from usernym.metrics import MetricsServer
from usernym.mixnet import nym_api as api
from usernym.mixnet.emulator.server import ServerSettings
from usernym.mixnet.emulator.state import Faults
from usernym.mixnet.nym_client import NymClientTransport
from usernym.mixnet.transport import Incoming, MixnetError, TransportEvent
from usernym.node import NodeStatus
from usernym.protocol.codec import decode
from usernym.protocol.errors import RemoteProtocolError
from usernym.testing.world import World

WAIT_S = 20.0
ADDRESS = bytes(range(96))


# -- the node's and the client's graphs -------------------------------------------------------------------------------


class Stage:
    """Two users who have met, their frames as an eavesdropper saw them, and a stranger who sends what it likes."""

    def __init__(self) -> None:
        self.world = World(3)
        tap = Wiretap(self.world)
        self.alice, self.bob = self.world.client("alice"), self.world.client("bob")
        self.alice.send_and_wait("bob", "hello")
        self.bob.send_and_wait("alice", "hello yourself")
        self.world.settle(90)
        self.up = sorted({sent.data for sent in tap.sent})
        self.down = sorted({data for _, _, data in tap.replies})
        self.stranger = RawClient(self.world)
        self.texts = 0

    def check(self) -> None:
        """No one had a bug, no one's account changed, and both still reach each other."""
        self.world.check()
        self.texts += 1
        text = f"still here {self.texts}"
        self.alice.send_and_wait("bob", text)
        assert self.bob.texts()[-1] == text
        assert len(self.bob.texts()) == 1 + self.texts, "nothing else was ever shown"
        assert self.world.node.store.counts().accounts == 2


@pytest.fixture(scope="module")
def stage() -> Stage:
    return Stage()


def test_frames_to_the_node(fuzz: Fuzzer, stage: Stage) -> None:
    seeds = [*stage.up, *stage.down, *pool()]

    def body(thrown: list[tuple[bytes, int]]) -> None:
        for data, surbs in thrown:
            if data:
                stage.stranger.throw(data, surbs)
        stage.world.settle(1)
        stage.world.check()

    fuzz(st.lists(st.tuples(altered(seeds), st.integers(0, 5)), min_size=1, max_size=8), body, 120)
    stage.check()


def test_frames_to_a_client_whose_address_was_revealed(fuzz: Fuzzer, stage: Stage) -> None:
    seeds = [*stage.down, *stage.up, *pool()]
    addresses = [client.address for client in (stage.alice, stage.bob)]

    def body(thrown: list[tuple[bytes, int]]) -> None:
        for data, whom in thrown:
            if data:
                stage.stranger.throw(data, 2, addresses[whom])
        stage.world.settle(1)
        stage.world.check()

    fuzz(st.lists(st.tuples(altered(seeds), st.integers(0, 1)), min_size=1, max_size=8), body, 120)
    stage.check()


def test_what_the_decoder_takes_of_altered_frames_is_little(stage: Stage) -> None:
    """Else the two fuzzers above throw only what is refused at the door."""
    taken = 0
    for data in [*stage.up, *stage.down]:
        with contextlib.suppress(RemoteProtocolError):
            decode(data[:-1] + bytes((data[-1] ^ 1,)))
            taken += 1
    assert taken > 10


# -- the emulator's ports ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def emulator() -> Iterator[ServerThread]:
    server = ServerThread(ServerSettings(first_port=0, clients=1, faults=Faults(hop_delay_s=0.001)))
    yield server
    server.close()


REQUESTS = [
    api.encode_request(request)
    for request in (
        api.SendAnonymous(ADDRESS, b"data" * 30, 5),
        api.Send(ADDRESS, b"data", 7),
        api.Reply(bytes(16), b"data"),
        api.SelfAddress(),
        api.GetLaneQueueLength(3),
    )
]


def test_requests_to_the_emulator(fuzz: Fuzzer, emulator: ServerThread) -> None:
    url = f"ws://127.0.0.1:{emulator.ready.endpoints[0].port}"

    def body(frames: list[bytes]) -> None:
        with connect(url, compression=None, proxy=None, open_timeout=WAIT_S) as connection:
            for frame in frames:
                connection.send(frame)
            connection.send(api.encode_request(api.SelfAddress()))
            while True:
                response = api.decode_response(connection.recv(timeout=WAIT_S))  # type: ignore[arg-type]
                if isinstance(response, api.SelfAddressResponse):
                    return

    fuzz(st.lists(altered(REQUESTS), min_size=1, max_size=5), body, 40)


def test_what_comes_before_a_websockets_handshake(fuzz: Fuzzer, emulator: ServerThread) -> None:
    good = (
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    port = emulator.ready.control_port

    def body(data: bytes) -> None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), WAIT_S) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(WAIT_S)
            while connection.recv(4096):
                pass

    fuzz(altered([good]), body, 40)
    with connect(f"ws://127.0.0.1:{port}", compression=None, proxy=None) as connection:
        connection.send('{"do": "counters"}')
        assert '"clients"' in str(connection.recv(timeout=WAIT_S))


# -- the transport to a foreign nym-client     ---------------------------------------------------------------


def test_responses_of_a_hostile_mixnet_client(fuzz: Fuzzer) -> None:
    """The transport outlives every frame, and takes the sound one after it."""
    frames: list[bytes] = []
    asked = threading.Semaphore(0)

    def handler(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            assert connection.recv(timeout=WAIT_S) == REQUESTS[3]
            connection.send(api.encode_response(api.SelfAddressResponse(ADDRESS)))
            while asked.acquire(timeout=WAIT_S) and frames:
                for frame in frames:
                    connection.send(frame)

    server = serve(handler, "127.0.0.1", 0, compression=None, close_timeout=0.5)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    received: list[bytes] = []
    news = threading.Condition()

    def on_event(event: TransportEvent) -> None:
        with news:
            if isinstance(event, Incoming):
                received.append(event.data)
            news.notify_all()

    transport = NymClientTransport(f"ws://127.0.0.1:{server.socket.getsockname()[1]}")
    transport.open(on_event)
    number = 0

    def body(some: list[bytes]) -> None:
        nonlocal number
        number += 1
        last = f"the sound one {number}".encode()
        frames[:] = [*some, api.encode_response(api.ReceivedResponse(last, None))]
        asked.release()
        with news:
            assert news.wait_for(lambda: last in received, WAIT_S)
            received.clear()

    seeds = [
        api.encode_response(api.ReceivedResponse(b"data", bytes(16))),
        api.encode_response(api.SelfAddressResponse(ADDRESS)),
    ]
    try:
        fuzz(st.lists(altered(seeds), max_size=5), body, 60)
        with contextlib.suppress(MixnetError):
            transport.send(ADDRESS, b"data", 0)
    finally:
        frames.clear()
        asked.release()
        transport.close()
        server.shutdown()
        thread.join(WAIT_S)


# -- the metrics' port ------------------------------------------------------------------------------------------------


@pytest.mark.seconds
def test_requests_to_the_metrics(fuzz: Fuzzer) -> None:
    good = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/plain\r\n\r\n"

    def ask(port: int, data: bytes) -> bytes:
        answer = b""
        with socket.create_connection(("127.0.0.1", port), WAIT_S) as connection, contextlib.suppress(OSError):
            connection.settimeout(WAIT_S)
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65_536):
                answer += part
        return answer

    with MetricsServer(lambda _: NodeStatus(True, 4, 5), 0) as server:

        def body(data: bytes) -> None:
            ask(server.port, data)

        fuzz(altered([good]), body, 60)
        assert b"usernym_accounts 4" in ask(server.port, good)
