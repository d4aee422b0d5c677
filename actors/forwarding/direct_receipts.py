"""Receipts on the direct way: who is to get which tokens back. A part of the client's forwarding actor.

docs/protocol.md, "Direct messages". A receipt is not acknowledged, so that one which is lost is missed until its
message is sent again. What room a packet has left goes to the tokens that travelled last, against that.
"""

from __future__ import annotations

from usernym.actors.forwarding.host import Host
from usernym.actors.messages import SendDirect
from usernym.actors.seals import may_seal, seal_to
from usernym.protocol import messages as m
from usernym.protocol import payloads as p
from usernym.protocol.limits import ID_BYTES, RECEIPTS_IN_PACKET, RECEIPTS_MAX, TOKEN_BYTES
from usernym.storage.client.types import Route


class DirectReceipts:
    """Owned by the forwarding actor, and used in its thread only."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._context = host.context
        self._store = host.context.store
        self._due: dict[str, dict[bytes, bytes]] = {}
        self._sent: dict[str, dict[bytes, bytes]] = {}
        """Of each contact the last that travelled: as many as one packet carries, message id → token."""

    def plan(self, name: str, message_id: bytes, token: bytes) -> None:
        """A message of an accepted contact is on disk: its token is to travel."""
        self._due.setdefault(name, {})[message_id] = token

    def send(self) -> None:
        """Send what was planned. What finds no route is sent by its writer again, and receipted then."""
        due, self._due = self._due, {}
        for name, tokens in due.items():
            said = [pair for pair in self._sent.pop(name, {}).items() if pair[0] not in tokens]
            room = max(0, RECEIPTS_IN_PACKET - len(tokens))
            self._send(name, dict(said[max(0, len(said) - room) :]) | tokens)
            self._sent[name] = dict([*said, *tokens.items()][-RECEIPTS_IN_PACKET:])

    def _send(self, name: str, tokens: dict[bytes, bytes]) -> None:
        contact, user = self._store.contacts.get(name), self._context.user
        if contact is None or contact.peer_address is None or not may_seal(contact):
            return
        pairs = [p.Received(message_id, token) for message_id, token in tokens.items()]
        runtime = self._context.runtime
        for at in range(0, len(pairs), RECEIPTS_MAX):
            message_id, token = runtime.random_bytes(ID_BYTES), runtime.random_bytes(TOKEN_BYTES)
            receipt = p.DirectReceipt(0, self._context.dated(0), token, None, tuple(pairs[at : at + RECEIPTS_MAX]))
            padded = p.pad_payload(receipt, first_contact=False)
            sealed, key_number = seal_to(contact, Route.DIRECT, user, padded, message_id)
            envelope = user.envelope_to(name, contact.identity_key, key_number, message_id)
            signature = envelope.sign(user.key, sealed)
            direct = m.Direct(user.name, message_id, key_number, sealed, signature)
            self._host.io.tell(SendDirect(contact.peer_address, direct))
