"""A real node (threads, disk, `synchronous=FULL`) on any mixnet, and load for it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

from usernym.actors.graphs import node_graph
from usernym.actors.node_clock import NodeClock
from usernym.actors.node_context import NodeContext
from usernym.actors.runtime import ThreadRuntime
from usernym.mixnet.transport import Incoming, Transport, TransportEvent, TransportUp
from usernym.protocol import messages as m
from usernym.protocol.cards import NodeCard
from usernym.protocol.codec import decode, encode_signed, encode_unsigned
from usernym.protocol.limits import SEAL_OVERHEAD_BYTES
from usernym.protocol.names import SKELETON_VERSION, skeleton
from usernym.protocol.payloads import plaintext_bytes
from usernym.protocol.records import first_record, first_succession
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.storage.node.head_mark import FileMark
from usernym.storage.node.store import NodeStore
from usernym.timers import ThreadTimers

ASKERS = 20
"""Clients that look names up: a mixnet client keeps at most 200 SURBs of each."""
RECIPIENTS = 40
TOP_UP, TOP_UP_EVERY = 90, 40
"""SURBs for one sender's answers, below the most that a node believes in; and after how many messages come more."""
FOUND, ACCEPTED = 24, 26
"""The kinds of message that are counted (docs/protocol.md): deliveries and the like come besides."""


def opened(transport: Transport, on_event: Callable[[TransportEvent], None]) -> Transport:
    """The transport, once it is up."""
    up = threading.Event()

    def handle(event: TransportEvent) -> None:
        if isinstance(event, TransportUp):
            up.set()
        on_event(event)

    transport.open(handle)
    if not up.wait(60.0):
        raise TimeoutError("a client of the mixnet does not start")
    return transport


class LoadedNode:
    """The node, and clients that ask it anonymously."""

    def __init__(self, path: Path, new_transport: Callable[[], Transport]) -> None:
        self._timers = ThreadTimers()
        self.new_transport = new_transport
        self._store = NodeStore.open(path)
        self._key = SigningKey.from_seed(self._store.profile.identity_seed(os.urandom(32)))
        self.node = self._key.public
        self._record_keys = {name: self._register(name) for name in self._names()}
        cards: SimpleQueue[NodeCard] = SimpleQueue()
        runtime = ThreadRuntime(self._timers)
        self._graph = node_graph(
            NodeContext(
                runtime,
                lambda *_: os.abort(),
                self._store,
                NodeClock(runtime, self._store),
                FileMark(path.parent),
                self._key,
            ),
            new_transport(),
            on_card=cards.put,
        )
        self.card = cards.get(timeout=60)
        self.address = self.card.addresses[0]
        self._lock = threading.Lock()
        self._answers = 0
        self._awaited = FOUND
        self.progress = threading.Event()
        self.transports: list[Transport] = []
        self._askers = [self.client(self.count) for _ in range(ASKERS)]

    def client(self, on_event: Callable[[TransportEvent], None]) -> Transport:
        """A new client of the mixnet, up."""
        self.transports.append(opened(self.new_transport(), on_event))
        return self.transports[-1]

    @staticmethod
    def _names() -> list[str]:
        return [f"user_{number:027d}".replace("0", "o").replace("1", "x") for number in range(2, RECIPIENTS + 2)]

    def _register(self, name: str) -> SigningKey:
        key, recovery = SigningKey.from_seed(os.urandom(32)), SigningKey.from_seed(os.urandom(32))
        record = first_record(key, recovery.public, self.node, name, os.urandom(32), int(time.time()))
        self._store.directory.register(
            name=name,
            skeleton=skeleton(name),
            skeleton_version=SKELETON_VERSION,
            identity_key=key.public,
            record=pack(record),
            record_number=1,
            hpke_number=1,
            link=pack(first_succession(record)),
            now=int(time.time()),
        )
        return key

    def count(self, event: TransportEvent) -> None:
        """Count an answer by its kind, the third byte; the frame is not looked into."""
        if isinstance(event, Incoming) and event.data[2] == self._awaited:
            with self._lock:
                self._answers += 1
            self.progress.set()

    def answered(self) -> int:
        """Answers since the last `reset`."""
        return self._answers

    def reset(self, awaited: int) -> None:
        """Count from 0: answers of that kind."""
        with self._lock:
            self._answers = 0
            self._awaited = awaited

    def lookup_frames(self, count: int) -> list[bytes]:
        """Frames of lookups, made beforehand."""
        names = list(self._record_keys)
        return [
            encode_unsigned(m.Lookup(number.to_bytes(8, "big"), 2, names[number % len(names)]))
            for number in range(count)
        ]

    def ask(self, number: int, frame: bytes) -> None:
        """Send a request with two SURBs."""
        self._askers[number % ASKERS].send(self.address, frame, 2)

    def sender(self, number: int) -> Sender:
        """A logged-in user with SURBs at the node."""
        name = list(self._record_keys)[number]
        return Sender(self, name, self._record_keys[name])

    def recipient(self, number: int) -> str:
        """One of the names."""
        names = list(self._record_keys)
        return names[number % len(names)]

    def close(self) -> None:
        """Stop everything."""
        for transport in self.transports:
            transport.close()
        self._graph.stop()
        self._timers.close()
        self._store.close()


class Sender:
    """A user with a login, without a client's actors."""

    def __init__(self, node: LoadedNode, name: str, key: SigningKey) -> None:
        self._node, self._name, self._key = node, name, key
        self._answers: SimpleQueue[m.Message] = SimpleQueue()
        self._logged_in = False
        self._transport = node.client(self._on_event)
        challenge = self._ask(encode_unsigned(m.LoginAsk(os.urandom(8), 2, name)))
        assert isinstance(challenge, m.Challenge)
        nonce, expires_at, mac = challenge.nonce, challenge.expires_at, challenge.mac
        proof = m.LoginProof(os.urandom(8), 2, name, nonce, expires_at, mac, node.card.sequence, 0)
        login = self._ask(encode_signed(proof, key, node.node))
        assert isinstance(login, m.LoggedIn)
        self._logged_in = True
        self._sent = 0
        self._top_up = encode_signed(m.TopUp(TOP_UP, name, login.login_id), key, node.node)

    def _on_event(self, event: TransportEvent) -> None:
        if self._logged_in:
            self._node.count(event)
        elif isinstance(event, Incoming):
            self._answers.put(decode(event.data).message)

    def _ask(self, frame: bytes) -> m.Message:
        self._transport.send(self._node.address, frame, 2)
        return self._answers.get(timeout=10)

    def forward(self, number: int) -> bytes:
        """The frame of a one-packet message to someone; what is sealed does not concern the node."""
        sealed = os.urandom(SEAL_OVERHEAD_BYTES + plaintext_bytes(1, first_contact=False))
        recipient = self._node.recipient(number * 7 + int.from_bytes(self._key.public[:4], "big"))
        message = m.Forward(
            os.urandom(8), self._name, recipient, os.urandom(16), int(time.time()), 1, sealed, bytes(64), None
        )
        return encode_signed(message, self._key, self._node.node)

    def send(self, frame: bytes) -> None:
        """Send it, with no SURBs; they come by themselves."""
        if self._sent % TOP_UP_EVERY == 0:
            self._transport.send(self._node.address, self._top_up, TOP_UP)
        self._sent += 1
        self._transport.send(self._node.address, frame, 0)
