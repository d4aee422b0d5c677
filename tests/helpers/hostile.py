"""Those who don't keep to the rules: a client made of raw frames, a node that lies, and ways to see what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

from usernym.mixnet.transport import Incoming, TransportEvent
from usernym.protocol import messages as m
from usernym.protocol.cards import NodeCard, make_card
from usernym.protocol.challenges import search_work, whole_record_hash
from usernym.protocol.codec import Frame, decode, encode_signed, encode_unsigned, is_signed
from usernym.protocol.errors import Code
from usernym.protocol.records import KeyRecord, first_record
from usernym.protocol.sealing import Envelope, seal
from usernym.protocol.signing import SigningKey
from usernym.testing.world import SimNode, World

DIRECTORY = ("account", "link", "hpke_number", "node_card", "node_identity")
CONTENT = (*DIRECTORY, "mail", "notice", "remembered")


def dump(store: Any, tables: tuple[str, ...] = CONTENT) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of these tables."""
    return {table: sorted(store.database.rows(f'SELECT * FROM "{table}"'), key=repr) for table in tables}


def total(counters: dict[str, dict[str, int]], count: str) -> int:
    """One count, summed over a graph's actors."""
    return sum(counts.get(count, 0) for counts in counters.values())


@dataclass(frozen=True)
class Tapped:
    """A message as a mixnet client was given it."""

    client: int
    recipient: bytes
    data: bytes
    surbs: int | None


class Wiretap:
    """Every message that any client hands to the mixnet. None of the clients in `cut` gets further, and no request of a
    `lost` kind."""

    def __init__(self, world: World) -> None:
        self.sent: list[Tapped] = []
        self.replies: list[tuple[int, bytes, bytes]] = []
        self.cut: set[int] = set()
        self.lost: tuple[type[Any], ...] = ()
        mixnet: Any = world.mixnet
        send, reply = mixnet.send, mixnet.reply

        def tapped_send(client: int, recipient: bytes, data: bytes, surbs: int | None, **how: bool) -> None:
            self.sent.append(Tapped(client, recipient, data, surbs))
            if client not in self.cut and not (self.lost and isinstance(decode(data).message, self.lost)):
                send(client, recipient, data, surbs, **how)

        def tapped_reply(client: int, tag: bytes, data: bytes) -> None:
            self.replies.append((client, tag, data))
            if client not in self.cut:
                reply(client, tag, data)

        mixnet.send, mixnet.reply = tapped_send, tapped_reply

    def of(self, client: int, *kinds: type[Any]) -> list[bytes]:
        """The frames of these kinds that a client sent."""
        return [one.data for one in self.sent if one.client == client and isinstance(decode(one.data).message, kinds)]


class RawClient:
    """A mixnet client that sends whatever it likes, as a user that it may or may not have registered."""

    def __init__(self, world: World, name: str = "mallory", seed: int = 99) -> None:
        self.world = world
        self.name = name
        self.key = SigningKey.from_seed(bytes([seed]) * 32)
        self.recovery = SigningKey.from_seed(bytes([seed ^ 0x80]) * 32)
        self.message_seed = bytes([seed ^ 0x40]) * 32
        self.node = world.node.card.node
        self.record = self.record_for(name)
        self.login_id = b""
        self.frames: list[bytes] = []
        self.transport = world.mixnet.transport()
        self.transport.open(self._on_event)

    def _on_event(self, event: TransportEvent) -> None:
        if isinstance(event, Incoming):
            self.frames.append(event.data)

    def record_for(self, name: str, node: bytes | None = None) -> KeyRecord:
        """A first record, signed by our key."""
        public, now = self.recovery.public, self.world.sim.unix_s()
        return first_record(self.key, public, node or self.node, name, self.message_seed, now)

    def new_id(self) -> bytes:
        """A request id."""
        return self.world.sim.random_bytes(8)

    # -- bytes --

    def encode(self, message: m.Message, key: SigningKey | None = None, node: bytes | None = None) -> bytes:
        """A frame, signed if its kind is."""
        return (
            encode_signed(message, key or self.key, node or self.node)
            if is_signed(message)
            else encode_unsigned(message)
        )

    def throw(self, data: bytes, surbs: int = 2, to: bytes | None = None) -> None:
        """Send raw bytes to the node, or to `to`."""
        self.transport.send(to or self.world.node.card.addresses[0], data, surbs)

    def received(self, kind: type[Any] | None = None) -> list[Any]:
        """The messages that came, of one kind or all."""
        messages = [decode(frame).message for frame in self.frames]
        return [message for message in messages if kind is None or isinstance(message, kind)]

    def exchange(self, data: bytes, request_id: bytes, surbs: int = 2) -> Any:
        """Send raw bytes, and wait for the answer with this id; None if there is none within five seconds."""
        before = len(self.frames)
        self.throw(data, surbs)
        deadline = self.world.sim.now() + 5
        while self.world.sim.now() < deadline:
            for frame in self.frames[before:]:
                message = decode(frame).message
                if getattr(message, "request_id", None) == request_id:
                    return message
            before = len(self.frames)
            self.world.sim.step()
        return None

    def ask(self, request: Any, key: SigningKey | None = None) -> Any:
        """Send a request, and wait for its answer."""
        return self.exchange(self.encode(request, key), request.request_id)

    # -- registering and logging in, step by step --

    def challenge(self, name: str | None = None, record: KeyRecord | None = None) -> Any:
        """Ask for a registration's challenge (or be refused)."""
        record = record or self.record
        return self.ask(
            m.RegisterAsk(self.new_id(), 2, name or self.name, record.identity_key, whole_record_hash(record))
        )

    def proof(self, challenge: m.Challenge, **changes: Any) -> m.RegisterProof:
        """The honest answer to a challenge, with some fields changed."""
        work = search_work(self.node, challenge.nonce, challenge.difficulty, 0, 10**7)
        proof = m.RegisterProof(
            self.new_id(), 2, self.name, self.record, challenge.nonce, challenge.expires_at, challenge.difficulty,
            challenge.mac, cast(int, work),
        )  # fmt: skip
        return msgspec.structs.replace(proof, **changes)

    def register(self) -> Any:
        """Register; the last answer."""
        answer = self.challenge()
        return self.ask(self.proof(answer)) if isinstance(answer, m.Challenge) else answer

    def log_in(self) -> None:
        """Log in, and give the node SURBs for what comes."""
        challenge = self.ask(m.LoginAsk(self.new_id(), 2, self.name))
        answer = self.ask(
            m.LoginProof(
                self.new_id(),
                2,
                self.name,
                challenge.nonce,
                challenge.expires_at,
                challenge.mac,
                self.world.node.card.sequence,
                0,
            )
        )
        self.login_id = answer.login_id
        self.throw(self.encode(m.TopUp(20, self.name, self.login_id)), 20)
        self.world.sim.run_for(2)

    # -- writing --

    def forward(self, to: str, record: KeyRecord, plaintext: bytes, **changes: Any) -> m.Forward:
        """A message sealed and signed as it should be, with some fields changed."""
        message_id = changes.pop("message_id", self.world.sim.random_bytes(16))
        sender = changes.get("sender", self.name)
        envelope = Envelope(
            self.node, sender, to, self.key.public, record.identity_key, record.hpke_number, message_id
        )  # fmt: skip
        sealed = seal(record.hpke_key, plaintext, envelope)
        forward = m.Forward(
            self.new_id(), sender, to, message_id, self.world.sim.unix_s(), record.hpke_number, sealed,
            envelope.sign(self.key, sealed), self.key.public,
        )  # fmt: skip
        return msgspec.structs.replace(forward, **changes)

    def hand_in(self, forward: m.Forward) -> Any:
        """Have the node forward it; its answer."""
        return self.exchange(self.encode(forward), forward.request_id, 0)


Lie = Callable[[Any], list[m.Message]]


@dataclass
class ScriptedNode:
    """A node that answers honestly, except for what `lies` says about a type of request."""

    world: World
    key: SigningKey = field(default_factory=lambda: SigningKey.from_seed(b"n" * 32))
    records: dict[str, KeyRecord] = field(default_factory=dict)
    lies: dict[type[Any], Lie] = field(default_factory=dict)
    requests: list[Any] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    tags: dict[str, bytes] = field(default_factory=dict)
    logins: dict[str, bytes] = field(default_factory=dict)
    counter: int = 0

    def __post_init__(self) -> None:
        self.transport = self.world.mixnet.transport()
        self.transport.open(self._on_event)
        self.card: NodeCard = make_card(self.key, [self.transport.address], 1, 20_000)
        self.signer = self.key

    def counters(self) -> dict[str, dict[str, int]]:
        """A scripted node has no actors."""
        return {}

    def _on_event(self, event: TransportEvent) -> None:
        if isinstance(event, Incoming) and event.sender_tag is not None:
            frame = decode(event.data)
            self.requests.append(frame.message)
            self.frames.append(frame)
            name = getattr(frame.message, "name", getattr(frame.message, "sender", None))
            if isinstance(frame.message, m.LoginProof):
                self.tags[frame.message.name] = event.sender_tag
            tag = (
                self.tags.get(name or "", event.sender_tag)
                if isinstance(frame.message, m.Forward)
                else event.sender_tag
            )
            lie = self.lies.get(type(frame.message), self.honest)
            for answer in lie(frame.message):
                self.say(tag, answer)

    def say(self, tag: bytes, message: m.Message) -> bytes:
        """Sign a message and send it to a tag; the frame."""
        data = encode_signed(message, self.signer, self.card.node)
        self.transport.reply(tag, data)
        return data

    def tell(self, name: str, tell: Any) -> bytes:
        """Tell a logged-in user something, under their login and with the next counter; the frame."""
        self.counter += 1
        numbered = msgspec.structs.replace(tell, login_id=self.logins[name], counter=self.counter)
        return self.say(self.tags[name], numbered)

    def honest(self, request: Any) -> list[m.Message]:
        """What a node would answer."""
        now = self.world.sim.unix_s()
        match request:
            case m.RegisterAsk() | m.LoginAsk():
                return [m.Challenge(request.request_id, bytes(16), now + 600, 0, bytes(16))]
            case m.RegisterProof(name=name, record=record):
                self.records[name] = record
                return [m.Registered(request.request_id)]
            case m.LoginProof(name=name):
                self.logins[name] = self.world.sim.random_bytes(16)
                number = self.records[name].number
                return [m.LoggedIn(request.request_id, self.logins[name], b"b" * 8, number, now, 4)]
            case m.Lookup(name=name) if name in self.records:
                return [m.Found(request.request_id, self.records[name])]
            case m.Lookup() | m.History():
                return [m.Refused(request.request_id, Code.NO_SUCH_USER, 0)]
            case m.Forward():
                return [m.Accepted(request.request_id)]
            case m.Heartbeat():
                return [m.Alive(request.request_id, b"b" * 8, 10)]
            case _:
                return []


class HostileWorld(World):
    """A world whose node is scripted."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(seed)
        self.scripted = ScriptedNode(self)
        self.node = cast(SimNode, self.scripted)


def flipped(data: bytes, at: int) -> bytes:
    """The bytes with one bit of one of them turned over."""
    return data[:at] + bytes((data[at] ^ 0x01,)) + data[at + 1 :]


def message_of(data: bytes) -> Any:
    """The message in a frame."""
    frame: Frame = decode(data)
    return frame.message
