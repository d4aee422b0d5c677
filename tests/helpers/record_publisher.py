"""Someone with keys and no client: publishes records by hand."""

from __future__ import annotations

import msgspec

from usernym.mixnet.transport import Incoming, TransportEvent
from usernym.protocol import messages as m
from usernym.protocol.codec import decode, encode_signed
from usernym.protocol.records import (
    Authority,
    KeyRecord,
    RecordStub,
    authorise,
    record_hash,
    sign_record,
)
from usernym.protocol.sealing import MessageKey
from usernym.protocol.signing import SigningKey
from usernym.testing.world import World


class RecordPublisher:
    """Someone with a mixnet client, keys, and no actors: publishes records by hand."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answers: list[m.Message] = []
        self.transport = world.mixnet.transport()
        self.transport.open(self._on_event)

    def _on_event(self, event: TransportEvent) -> None:
        if isinstance(event, Incoming):
            self.answers.append(decode(event.data).message)

    def publish(
        self, name: str, before: RecordStub, key: SigningKey, authority_key: SigningKey, **changes: object
    ) -> tuple[m.Message, KeyRecord]:
        """Publish a succession of `before` to `key`; returns the node's answer and the record."""
        node = self.world.node.key.public
        by_recovery = authority_key.public == before.recovery_key
        authority = Authority.RECOVERY if by_recovery else Authority.IDENTITY
        unsigned = KeyRecord(
            before.number + 1,
            before.recoveries + by_recovery,
            key.public,
            before.recovery_key,
            MessageKey.from_seed(key.public).public,
            before.hpke_number + 1,
            before.made_on,
            record_hash(node, name, before),
            b"",
        )
        record = sign_record(key, node, name, msgspec.structs.replace(unsigned, **changes))
        succession = authorise(authority_key, node, name, record.stub(), authority)
        request = m.Publish(self.world.sim.random_bytes(8), 2, name, record, succession)
        seen = len(self.answers)
        self.transport.send(self.world.node.card.addresses[0], encode_signed(request, key, node), 2)
        self.world.sim.run_until(lambda: len(self.answers) > seen)
        return self.answers[-1], record
