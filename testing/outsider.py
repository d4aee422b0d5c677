"""A mixnet client of raw frames with an account: what every hostile user is made of."""

from __future__ import annotations

import hashlib
import random
from contextlib import suppress
from typing import Any, Final, cast

from usernym.actors.simulation import SimulationStuck
from usernym.mixnet.transport import Incoming, MixnetError, TransportEvent
from usernym.protocol import messages as m
from usernym.protocol.challenges import search_work, whole_record_hash
from usernym.protocol.codec import decode, encode_signed, encode_unsigned, is_signed
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.limits import ID_BYTES, REQUEST_ID_BYTES
from usernym.protocol.records import KeyRecord, first_record, verify_record
from usernym.protocol.sealing import Envelope, seal
from usernym.protocol.signing import SigningKey
from usernym.testing.world import World

PATIENCE_S: Final = 5.0
"""Virtual seconds that a hostile user waits for an answer."""


def flipped(data: bytes, rng: random.Random) -> bytes:
    """The bytes with one bit of one of them turned over."""
    at = rng.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]


class Outsider:
    """A user without the product's client. It says what it likes; it can sign with its own keys only."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.rng = world.chance
        self.key = SigningKey.from_seed(hashlib.sha256(name.encode()).digest())
        self.recovery = SigningKey.from_seed(hashlib.sha256(b"recovery" + name.encode()).digest())
        self.record = self._first_record()
        self.transport = world.mixnet.transport()
        world.mixnet.names[self.transport.client] = name
        self._answers: dict[bytes, Any] = {}
        self._registered = False
        self.transport.open(self._on_event)

    def _first_record(self) -> KeyRecord:
        node, now = self.world.node.card.node, self.world.sim.unix_s()
        return first_record(self.key, self.recovery.public, node, self.name, b"s" * 32, now)

    # -- hearing --

    def _on_event(self, event: TransportEvent) -> None:
        if isinstance(event, Incoming):
            try:
                message = decode(event.data).message
            except RemoteProtocolError:
                return
            self.hear(message)
            self._answers[getattr(message, "request_id", b"")] = message

    def hear(self, message: m.Message) -> None:
        """A message came."""

    # -- sending --

    def throw(self, to: bytes, data: bytes, surbs: int = 0) -> None:
        """Send raw bytes to an address, if the mixnet takes them."""
        try:
            self.transport.send(to, data, surbs)
        except MixnetError:
            return

    def tell(self, message: m.Message, surbs: int = 0) -> None:
        self.throw(self.world.node.card.addresses[0], self.encode(message), surbs)

    def encode(self, message: m.Message) -> bytes:
        """A frame, signed with our key if its kind is signed."""
        node = self.world.node.card.node
        return encode_signed(message, self.key, node) if is_signed(message) else encode_unsigned(message)

    def ask(self, request: Any, surbs: int = 2) -> Any:
        """Send a request; its answer, or None if there is none in time."""
        self.tell(request, surbs)
        try:
            self.world.sim.run_until(lambda: request.request_id in self._answers, PATIENCE_S)
        except SimulationStuck:
            return None
        return self._answers.pop(request.request_id)

    def new_id(self) -> bytes:
        return self.rng.randbytes(REQUEST_ID_BYTES)

    # -- what any user may do --

    def register(self) -> bool:
        """Get an account, if the node is there."""
        if self._registered:
            return True
        node = self.world.node.card.node
        digest = whole_record_hash(self.record)
        challenge = self.ask(m.RegisterAsk(self.new_id(), 2, self.name, self.key.public, digest))
        if isinstance(challenge, m.Challenge):
            work = search_work(node, challenge.nonce, challenge.difficulty, 0, 10**7)
            proof = m.RegisterProof(
                self.new_id(), 2, self.name, self.record, challenge.nonce, challenge.expires_at, challenge.difficulty,
                challenge.mac, cast(int, work),
            )  # fmt: skip
            self._registered = isinstance(self.ask(proof), m.Registered)
        return self._registered

    def look_up(self, name: str) -> KeyRecord | None:
        """A user's record, if the node is there and has it, and does not lie."""
        found = self.ask(m.Lookup(self.new_id(), 2, name))
        if not isinstance(found, m.Found):
            return None
        with suppress(RemoteProtocolError):
            verify_record(self.world.node.card.node, name, found.record)
            return found.record
        return None

    def forward(self, to: str, record: KeyRecord, plaintext: bytes, sender: str | None = None) -> m.Forward:
        """A message sealed and signed as it should be, in our name or another's."""
        node, message_id, sender = self.world.node.card.node, self.rng.randbytes(ID_BYTES), sender or self.name
        envelope = Envelope(
            node, sender, to, self.key.public, record.identity_key, record.hpke_number, message_id
        )  # fmt: skip
        sealed = seal(record.hpke_key, plaintext, envelope)
        now = self.world.sim.unix_s()
        signature = envelope.sign(self.key, sealed)
        return m.Forward(
            self.new_id(), sender, to, message_id, now, record.hpke_number, sealed, signature, self.key.public
        )
