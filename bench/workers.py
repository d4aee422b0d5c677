"""A node's workers as processes of their own, and load for them from this one: the processor time of each forward.

The workers' nym-clients are here, too: no mixnet is in between, and none is paid for. What is compared is measured by
turns, in one run: others use this machine too. `python -Im bench.workers` prints the table alone.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import threading
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from bench.load import ACCEPTED, PIPELINE, Answers, Sender, Users
from bench.registrations import print_registrations
from tests.helpers.crash_world import start, stop, usernym_command
from tests.helpers.postgres import PostgresServer, binaries
from usernym.demo.processes import Running
from usernym.mixnet.nym_api import (
    REQUEST_BYTES_MAX,
    ReceivedResponse,
    Reply,
    SelfAddress,
    SelfAddressResponse,
    decode_request,
    encode_response,
)
from usernym.mixnet.transport import ADDRESS_BYTES, SENDER_TAG_BYTES, Incoming, TransportEvent
from usernym.protocol import messages as m
from usernym.protocol.cards import parse_card
from usernym.protocol.codec import decode
from usernym.protocol.limits import CONFIRMED_MAX, TOKEN_BYTES
from usernym.protocol.signing import SigningKey
from usernym.storage.node.store import NodeStore

SENDERS: Final = 40
LOADS: Final = (
    ("accepted, many at once", False, 100, PIPELINE),
    ("accepted, one at a time", False, 10, 1),
    ("accepted, delivered, acknowledged and confirmed, many at once", True, 100, PIPELINE),
)
"""What is measured; whether texts are read; forwards of each sender in one turn, and how many of all are under way."""
TURNS: Final = 3
"""The median counts."""
TICKS: Final = os.sysconf("SC_CLK_TCK")
SURBS_EACH: Final = 4
"""With each acknowledgement: more than what is replied for one text."""
NOTHING: Final = 0
"""No message has this kind: what is counted are receipts, by `Reader`."""


class NymClient:
    """The websocket of a nym-client: a worker connects to it, and clients of a mixnet seem to be behind it."""

    def __init__(self) -> None:
        self._address = secrets.token_bytes(ADDRESS_BYTES)
        self._connection: ServerConnection | None = None
        self._clients: dict[bytes, Callable[[TransportEvent], None]] = {}
        self._server = serve(self._handle, "127.0.0.1", 0, compression=None, max_size=REQUEST_BYTES_MAX)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _handle(self, connection: ServerConnection) -> None:
        self._connection = connection
        with contextlib.suppress(ConnectionClosed):
            for frame in connection:
                assert isinstance(frame, bytes)
                match decode_request(frame):
                    case SelfAddress():
                        connection.send(encode_response(SelfAddressResponse(self._address)))
                    case Reply(tag, data):
                        self._clients[tag](Incoming(data, None))

    def client(self, on_event: Callable[[TransportEvent], None]) -> Client:
        """A new client of the mixnet, which reports what the worker replies to it."""
        tag = secrets.token_bytes(SENDER_TAG_BYTES)
        self._clients[tag] = on_event
        return Client(self, tag)

    def hand_over(self, data: bytes, tag: bytes) -> None:
        """Give the worker a message."""
        assert self._connection is not None
        self._connection.send(encode_response(ReceivedResponse(data, tag)))

    def close(self) -> None:
        """Accept no connection any more."""
        self._server.shutdown()


@dataclass(frozen=True)
class Client:
    """A client of the mixnet that writes to one worker."""

    nym: NymClient
    tag: bytes

    def send(self, _recipient: bytes, data: bytes, _surbs: int) -> None:
        """Send it to the worker: how many SURBs came with it only the sender's own claim says."""
        self.nym.hand_over(data, self.tag)


class Reader(Sender):
    """A user who acknowledges each text as it comes, and confirms each receipt; receipts are what is counted."""

    def __init__(self, *arguments: Any) -> None:
        self._confirmed: list[int] = []
        super().__init__(*arguments)

    def on_event(self, event: TransportEvent) -> None:
        """See `Sender`."""
        assert isinstance(event, Incoming)
        match decode(event.data).message:
            case m.Deliver(sender=sender, message_id=message_id):
                read = (m.Acknowledged(sender, message_id, bytes(TOKEN_BYTES)),)
                confirmed, self._confirmed = self._confirmed[:CONFIRMED_MAX], self._confirmed[CONFIRMED_MAX:]
                self.hand_over(self.signed(m.Acknowledge(SURBS_EACH, self.name, self.login_id, read, tuple(confirmed))))
            case m.Delivered(receipts=receipts):
                new = [each.notice for each in receipts if each.notice not in self._confirmed]
                self._confirmed += new
                self.answers.add(len(new))


@dataclass(frozen=True)
class Cost:
    """Of forwards: how many a second, and milliseconds of processor time for each, of workers and server."""

    per_s: float
    workers_ms: float
    server_ms: float


class Node:
    """A node of processes. `server`: where its store is, else in a file."""

    def __init__(self, folder: Path, workers: int, server: PostgresServer | None, *, read: bool) -> None:
        """`read`: whether the texts are; else they wait."""
        folder.mkdir()
        self._server = server
        url = None if server is None else server.new_database()
        home = folder / "1"
        home.mkdir(mode=0o700)
        store = NodeStore.open(home / "node.db") if url is None else NodeStore.connect(url)
        key = SigningKey.from_seed(store.profile.identity_seed(os.urandom(32)))
        users = Users(store, key.public)
        store.close()
        self.answers = Answers()
        self._nyms = [NymClient() for _ in range(workers)]
        self._running: list[Running] = []
        for number, nym in enumerate(self._nyms, start=1):
            command = usernym_command("--home", str(folder / str(number)), "node", "run", "--mixnet", nym.url)
            self._running.append(start(str(number), folder, command + ([] if url is None else ["--store", url])))
        up = [each.wait_for("that it is up", lambda told: told.get("event") == "up") for each in self._running]
        card = parse_card(up[0]["card"])
        user, self._awaited = (Reader, NOTHING) if read else (Sender, ACCEPTED)
        self._senders = [
            user(users, number, card, self._nyms[number % workers].client, self.answers) for number in range(SENDERS)
        ]

    def _spent_s(self) -> tuple[float, float]:
        """Processor time of workers and server until now, in seconds."""
        server = [] if self._server is None else self._server.processes()
        return sum(spent_s(each.process.pid) for each in self._running), sum(map(spent_s, server))

    def cost(self, each: int, at_once: int) -> Cost:
        """Of so many forwards of each sender, so many under way at a time."""
        frames = [sender.forward(at) for at in range(each) for sender in self._senders]
        before = self._spent_s()
        rate = self.answers.rate(
            self._awaited, len(frames), lambda at: self._senders[at % SENDERS].send(frames[at]), at_once
        )
        workers, server = (
            1000 * (after - begun) / len(frames) for after, begun in zip(self._spent_s(), before, strict=True)
        )
        return Cost(rate, workers, server)

    def close(self) -> None:
        """End its processes in order."""
        for each in self._running:
            assert stop(each) == 0
        for nym in self._nyms:
            nym.close()


def spent_s(process: int) -> float:
    """A process's own processor time, in seconds."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def costs(server: PostgresServer, each: int, at_once: int, *, read: bool) -> list[list[Cost]]:
    """Those of a node in a file, of one on PostgreSQL, and of one with two workers: all turns."""
    found: list[list[Cost]] = [[], [], []]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        nodes: list[Node] = []
        for workers, where in ((1, None), (1, server), (2, server)):
            nodes.append(Node(Path(folder) / str(len(nodes)), workers, where, read=read))
            stack.callback(nodes[-1].close)
        for _ in range(TURNS):
            for node, its_costs in zip(nodes, found, strict=True):
                its_costs.append(node.cost(each, at_once))
    return found


def print_workers() -> None:
    """Print the table; or that there is no server."""
    if binaries() is None:
        print("  not measured: there is no PostgreSQL here")
        return
    with contextlib.closing(PostgresServer()) as server:
        for what, read, each, at_once in LOADS:
            file, one, two = costs(server, each, at_once, read=read)
            print(f"  {what}")
            _print_costs("in a file", file, file)
            _print_costs("PostgreSQL, one worker", one, file)
            _print_costs("PostgreSQL, two workers", two, one)
        print_registrations(server)


def _print_costs(name: str, of: list[Cost], beside: list[Cost]) -> None:
    per_s, workers_ms, server_ms = (median(values) for values in zip(*map(astuple, of), strict=True))
    ratio = workers_ms / median(cost.workers_ms for cost in beside)
    print(f"    {name:<24} {workers_ms:6.2f} ms {ratio:6.2f}   server {server_ms:5.2f} ms {per_s:8,.0f} /s")


if __name__ == "__main__":
    print_workers()
