"""A real node (threads, disk, `synchronous=FULL`) on any mixnet, and load for it."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

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
from usernym.storage.node.witnesses import WITNESS_MARK_NAME
from usernym.timers import ThreadTimers

ASKERS = 20
"""Mixnet clients that look names up: what one of them can send is not what is measured."""
LOOKUP_SURBS = 2
"""With a lookup under a tag of its own: one for the answer, and one more, as clients do."""
RECIPIENTS = 40
LETTERS = str.maketrans("0123456789", "abcdefghjk")
"""Digits are not what they look like in names."""
FILLED_AT_ONCE = 5_000
MAILBOXES = 960
"""Of those who never log in, so many get messages, whatever their number is."""
TOP_UP, TOP_UP_EVERY = 90, 40
"""SURBs for one sender's answers, below the most that a node believes in; and after how many messages come more."""
FOUND, ACCEPTED = 24, 26
"""The kinds of message that are counted (docs/protocol.md): deliveries and the like come besides."""
PIPELINE = 500
"""Requests under way at once: below the bound at which a node refuses."""


class Users:
    """Names that are registered in a node's store, and the keys of those who log in: the first `RECIPIENTS`."""

    def __init__(self, store: NodeStore, node: bytes, count: int = RECIPIENTS) -> None:
        """`node`: its key. `count`: names in all."""
        self.node = node
        self.count = count
        self._names = new_names(RECIPIENTS)
        self._keys = {}
        for name in self._names:
            self._keys[name], account = new_account(node, name)
            store.directory.register(**account)
        fill(store, node, range(RECIPIENTS, count))

    def recipient(self, number: int) -> str:
        """Someone to write to, whatever the number: who never logs in, if there is anyone."""
        absent = self.count - RECIPIENTS
        if absent < MAILBOXES:
            return self.name(number)
        return new_name(RECIPIENTS + number % MAILBOXES * (absent // MAILBOXES))

    def anyone(self) -> str:
        """One of all, by chance."""
        return new_name(random.randrange(self.count))

    def name(self, number: int) -> str:
        """One of the names, whatever the number."""
        return self._names[number % RECIPIENTS]

    def key(self, number: int) -> SigningKey:
        """The identity key of that one."""
        return self._keys[self.name(number)]


def new_name(number: int) -> str:
    """One of the longest names, which do not look alike."""
    return f"user_{number:027d}".translate(LETTERS)


def new_names(count: int) -> list[str]:
    """The first of them."""
    return [new_name(number) for number in range(count)]


def fill(store: NodeStore, node: bytes, numbers: range) -> None:
    """Register these names, each with a key of its own, but all with one record, which is as long as any other.

    The directory's log does not hear of them: a label takes half a millisecond.
    """
    account = new_account(node, "a_name")[1]
    for start in range(numbers.start, numbers.stop, FILLED_AT_ONCE):
        with store.transaction():
            for number in range(start, min(start + FILLED_AT_ONCE, numbers.stop)):
                name, key = new_name(number), os.urandom(32)
                store.directory.register(**{**account, "name": name, "skeleton": skeleton(name), "identity_key": key})
            store.database.run("DELETE FROM directory_change")


def new_account(node: bytes, name: str) -> tuple[SigningKey, dict[str, Any]]:
    """A new identity, and what `Directory.register` takes."""
    key, recovery = SigningKey.from_seed(os.urandom(32)), SigningKey.from_seed(os.urandom(32))
    record = first_record(key, recovery.public, node, name, os.urandom(32), int(time.time()))
    return key, {
        "name": name, "skeleton": skeleton(name), "skeleton_version": SKELETON_VERSION, "identity_key": key.public,
        "record": pack(record), "record_number": 1, "hpke_number": 1, "link": pack(first_succession(record)),
        "now": int(time.time()),
    }  # fmt: skip


class Answers:
    """Counts the answers of a kind, in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted = 0
        self._awaited = FOUND
        self._progress = threading.Event()

    def count(self, event: TransportEvent) -> None:
        """Count an answer by its kind, the third byte; the frame is not looked into."""
        if isinstance(event, Incoming) and event.data[2] == self._awaited:
            self.add(1)

    def add(self, answers: int) -> None:
        """Count so many."""
        with self._lock:
            self._counted += answers
        self._progress.set()

    def rate(self, awaited: int, total: int, send: Callable[[int], None], at_once: int = PIPELINE) -> float:
        """Send `total` requests, so many at a time; answers of the awaited kind a second."""
        with self._lock:
            self._counted, self._awaited = 0, awaited
        start, sent = time.perf_counter(), 0
        while self._counted < total:
            while sent < total and sent - self._counted < at_once:
                send(sent)
                sent += 1
            self._progress.wait(0.01)
            self._progress.clear()
        return total / (time.perf_counter() - start)


class Sending(Protocol):
    """What a user needs of a client of the mixnet."""

    def send(self, recipient: bytes, data: bytes, surbs: int) -> None:
        """See `Transport`."""


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
    """The node, and clients that ask it anonymously. `names`: how many are registered there."""

    def __init__(self, path: Path, new_transport: Callable[[], Transport], names: int = RECIPIENTS) -> None:
        self._timers = ThreadTimers()
        self.new_transport = new_transport
        self._store = NodeStore.open(path)
        self._key = SigningKey.from_seed(self._store.profile.identity_seed(os.urandom(32)))
        self.users = Users(self._store, self._key.public, names)
        cards: SimpleQueue[NodeCard] = SimpleQueue()
        runtime = ThreadRuntime(self._timers)
        self._graph = node_graph(
            NodeContext(
                runtime,
                lambda *_: os.abort(),
                self._store,
                NodeClock(runtime, self._store),
                FileMark(path.parent),
                FileMark(path.parent, WITNESS_MARK_NAME),
                self._key,
            ),
            new_transport(),
            on_card=cards.put,
        )
        self.card = cards.get(timeout=60)
        self.address = self.card.addresses[0]
        self.answers = Answers()
        self.transports: list[Transport] = []
        self._askers = [self.client(self.answers.count) for _ in range(ASKERS)]

    def client(self, on_event: Callable[[TransportEvent], None]) -> Transport:
        """A new client of the mixnet, up."""
        self.transports.append(opened(self.new_transport(), on_event))
        return self.transports[-1]

    def lookup_frames(self, count: int) -> list[bytes]:
        """Frames of lookups, made beforehand."""
        return [
            encode_unsigned(m.Lookup(number.to_bytes(8, "big"), LOOKUP_SURBS, self.users.anyone()))
            for number in range(count)
        ]

    def ask(self, number: int, frame: bytes) -> None:
        """Send a lookup, under a tag of its own."""
        self._askers[number % ASKERS].send(self.address, frame, LOOKUP_SURBS, fresh_tag=True)

    def sender(self, number: int) -> Sender:
        """A logged-in user with SURBs at the node."""
        return Sender(self.users, number, self.card, self.client, self.answers)

    def close(self) -> None:
        """Stop everything."""
        for transport in self.transports:
            transport.close()
        self._graph.stop()
        self._timers.close()
        self._store.close()


class Sender:
    """A user with a login, without a client's actors."""

    def __init__(
        self,
        users: Users,
        number: int,
        card: NodeCard,
        client: Callable[[Callable[[TransportEvent], None]], Sending],
        answers: Answers,
    ) -> None:
        """`client`: makes a client of the mixnet, up, which reports what comes."""
        self._users, self.name, self._key = users, users.name(number), users.key(number)
        self._address, self.answers = card.addresses[0], answers
        self._first: SimpleQueue[m.Message] = SimpleQueue()
        self._logged_in = False
        self._transport = client(self._on_event)
        challenge = self._ask(encode_unsigned(m.LoginAsk(os.urandom(8), 2, self.name)))
        assert isinstance(challenge, m.Challenge)
        nonce, expires_at, mac = challenge.nonce, challenge.expires_at, challenge.mac
        proof = m.LoginProof(os.urandom(8), 2, self.name, nonce, expires_at, mac, card.sequence, 0)
        login = self._ask(self.signed(proof))
        assert isinstance(login, m.LoggedIn)
        self.login_id = login.login_id
        self._logged_in = True
        self._sent = 0
        self._top_up = self.signed(m.TopUp(TOP_UP, self.name, self.login_id))

    def signed(self, message: m.FromClient) -> bytes:
        """A frame of this user's."""
        return encode_signed(message, self._key, self._users.node)

    def _on_event(self, event: TransportEvent) -> None:
        if self._logged_in:
            self.on_event(event)
        elif isinstance(event, Incoming):
            self._first.put(decode(event.data).message)

    def on_event(self, event: TransportEvent) -> None:
        """Something came after the login."""
        self.answers.count(event)

    def _ask(self, frame: bytes) -> m.Message:
        self._transport.send(self._address, frame, 2)
        return self._first.get(timeout=10)

    def forward(self, number: int) -> bytes:
        """The frame of a one-packet message to someone; what is sealed does not concern the node."""
        sealed = os.urandom(SEAL_OVERHEAD_BYTES + plaintext_bytes(1, first_contact=False))
        recipient = self._users.recipient(number * 7 + int.from_bytes(self._key.public[:4], "big"))
        message = m.Forward(
            os.urandom(8), self.name, recipient, os.urandom(16), int(time.time()), 1, sealed, bytes(64), None
        )
        return self.signed(message)

    def send(self, frame: bytes) -> None:
        """Send it, with no SURBs; they come by themselves."""
        if self._sent % TOP_UP_EVERY == 0:
            self._transport.send(self._address, self._top_up, TOP_UP)
        self._sent += 1
        self.hand_over(frame)

    def hand_over(self, frame: bytes) -> None:
        """Send it, and nothing besides."""
        self._transport.send(self._address, frame, 0)
