"""Handshake: two people agree to talk directly. The client's graph only: the node can't tell it from a text.

Serves docs/protocol.md, "Handshake". Receives: `OfferHandshake`, `AcceptHandshake` and `RevokeHandshake` from the edges
(each is its user's consent); `HandshakeArrived` from forwarding; word of the mixnet's state. Sends: `SendHandshake` and
`DirectRouteChanged` to forwarding; events. Owns: the contacts' direct routes in the store.
No address leaves but for an offer or an acceptance that the user asked for.

    none ──offer──▶ offered ──peer accepts or offers──▶ active ──either ends──▶ ended
    none ──peer offers──▶ offer received ──accept──▶ active
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

from usernym.actors.base import Actor, Ref
from usernym.actors.client_context import ClientContext
from usernym.actors.events import HandshakeChanged, handshake_state
from usernym.actors.messages import (
    AcceptHandshake,
    DirectRouteChanged,
    HandshakeArrived,
    HandshakeInbox,
    HandshakeNotPossible,
    MixnetDown,
    MixnetUp,
    OfferHandshake,
    PayloadKind,
    RevokeHandshake,
    SendHandshake,
)
from usernym.protocol import payloads as p
from usernym.storage.client import Contact, Direct


class HandshakeClient(Actor[HandshakeInbox]):
    """See the module's text."""

    name = "handshake"

    def __init__(self, context: ClientContext, *, forwarding: Ref[Any]) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._context = context
        self._store = context.store
        self._forwarding = forwarding
        self._address: bytes | None = None

    def release(self) -> None:
        """Close this thread's connection."""
        self._store.close_thread()

    def receive(self, message: HandshakeInbox) -> None:
        """Handle one message."""
        match message:
            case OfferHandshake(name, answer):
                self._step(name, answer, self._offer)
            case AcceptHandshake(name, answer):
                self._step(name, answer, self._accept)
            case RevokeHandshake(name, answer):
                self._step(name, answer, self._revoke)
            case HandshakeArrived(name, payload):
                self._on_arrived(name, payload)
            case MixnetUp(address):
                self._address = address
            case MixnetDown():
                pass
            case _:
                super().receive(message)

    def _step(self, name: str, answer: Future[None], step: Any) -> None:
        contact = self._store.contact(name)
        try:
            if contact is None:
                raise HandshakeNotPossible("look the person up, or write to them, first")
            step(contact)
        except HandshakeNotPossible as why:
            if not answer.done():
                answer.set_exception(why)
            return
        if not answer.done():
            answer.set_result(None)

    def _own_address(self) -> bytes:
        if self._address is None:
            raise HandshakeNotPossible("there is no mixnet client, so there is no address to reveal yet")
        return self._address

    # -- our user's steps --

    def _offer(self, contact: Contact) -> None:
        if contact.direct is Direct.ACTIVE:
            raise HandshakeNotPossible("the handshake is active already")
        if contact.direct is Direct.OFFER_RECEIVED:
            self._accept(contact)
            return
        self._send(contact, PayloadKind.HANDSHAKE_OFFER, self._own_address(), Direct.OFFERED, None)

    def _accept(self, contact: Contact) -> None:
        if contact.direct is not Direct.OFFER_RECEIVED or contact.peer_address is None:
            raise HandshakeNotPossible("there is no offer of theirs to accept")
        address = contact.peer_address
        self._send(contact, PayloadKind.HANDSHAKE_ACCEPT, self._own_address(), Direct.ACTIVE, address)

    def _revoke(self, contact: Contact) -> None:
        if contact.direct not in (Direct.ACTIVE, Direct.OFFERED, Direct.OFFER_RECEIVED):
            raise HandshakeNotPossible("there is no handshake to end")
        self._send(contact, PayloadKind.HANDSHAKE_REVOKE, b"", Direct.ENDED_BY_ME, None)

    def _send(self, contact: Contact, kind: PayloadKind, body: bytes, direct: Direct, address: bytes | None) -> None:
        revealed_at = self._context.runtime.unix_s() if body else None
        # An ending goes through the node: the direct way is closed before it is sent.
        self._store.set_direct(contact.name, direct, address, revealed_at)
        self._forwarding.tell(SendHandshake(contact.name, kind, body))
        self._changed(contact.name, direct)

    # -- the peer's steps --

    def _on_arrived(self, name: str, payload: p.Handshake) -> None:
        contact = self._store.contact(name)
        if contact is None:
            return
        match payload, contact.direct:
            case p.HandshakeOffer(address=address), Direct.OFFERED | Direct.ACTIVE:
                # Both offered, so both agreed; or the peer has moved to another address.
                self._store.set_direct(name, Direct.ACTIVE, address, None)
                self._changed(name, Direct.ACTIVE)
            case p.HandshakeOffer(address=address), _:
                self._store.set_direct(name, Direct.OFFER_RECEIVED, address, None)
                self._changed(name, Direct.OFFER_RECEIVED)
            case p.HandshakeAccept(address=address), Direct.OFFERED | Direct.ACTIVE:
                self._store.set_direct(name, Direct.ACTIVE, address, None)
                self._changed(name, Direct.ACTIVE)
            case p.HandshakeAccept(), _:
                self.counts["accepts_of_nothing"] += 1
            case p.HandshakeRevoke(), Direct.ACTIVE | Direct.OFFERED | Direct.OFFER_RECEIVED:
                self._store.set_direct(name, Direct.ENDED_BY_PEER, None, None)
                self._changed(name, Direct.ENDED_BY_PEER)
            case _:
                self.counts["ends_of_nothing"] += 1

    def _changed(self, name: str, direct: Direct) -> None:
        self._forwarding.tell(DirectRouteChanged(name))
        self._context.on_event(HandshakeChanged(name, handshake_state(direct)))
