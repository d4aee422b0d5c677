"""Handshake: two people agree to talk directly. The client's graph only: the node can't tell it from a text.

Serves docs/protocol.md, "Handshake". Receives: `OfferHandshake`, `AcceptHandshake` and `RevokeHandshake` from the edges
(each is its user's consent); `HandshakeArrived` from forwarding; word of the mixnet's state. Sends:
`DirectRouteChanged` to forwarding; events. Owns: the contacts' direct routes in the store.
No address leaves but for an offer or an acceptance that the user asked for. A step and the message that tells the peer
of it are one commit; a peer's message is marked as shown in the commit that takes its step, so that a crash loses none.

    none ──offer──▶ offered ──peer accepts or offers──▶ active ──either ends──▶ ended
    none ──peer offers──▶ offer received ──accept──▶ active

Where it stands is computed from all that both have said (`rules.py`): steps that cross lead both to one place.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, assert_never

from usernym.actors.base import Actor, Tellable, fail, resolve
from usernym.actors.context import ClientContext
from usernym.actors.events import ContactChanged, HandshakeChanged
from usernym.actors.failures import HandshakeNotPossible
from usernym.actors.handshake.rules import Side, sides, standing
from usernym.actors.messages import (
    HANDSHAKE_KINDS,
    AcceptHandshake,
    DirectRouteChanged,
    HandshakeArrived,
    HandshakeInbox,
    MixnetConnected,
    MixnetDisconnected,
    OfferHandshake,
    PayloadKind,
    RevokeHandshake,
)
from usernym.actors.seals import may_seal
from usernym.protocol.limits import ID_BYTES, TOKEN_BYTES
from usernym.storage.client.types import Consent, Contact, Direction, HandshakeState, HandshakeStep
from usernym.storage.errors import StorageError

CATCH_UP_MAX: Final = 1_000
"""Handshake messages that a crash may leave behind: they are handled as they come, so there are hardly any."""


class HandshakeClient(Actor[HandshakeInbox]):
    """Offers, accepts and ends direct routes, by the user's consent and the peer's messages."""

    name = "handshake"

    def __init__(self, context: ClientContext, *, forwarding: Tellable[DirectRouteChanged]) -> None:
        super().__init__(context.runtime, context.on_failed)
        self._context = context
        self._store = context.store
        self._forwarding = forwarding
        self._address: bytes | None = None

    def receive(self, message: HandshakeInbox) -> None:
        match message:
            case OfferHandshake(name, answer):
                self._step(name, answer, self._offer)
            case AcceptHandshake(name, answer):
                self._step(name, answer, self._accept)
            case RevokeHandshake(name, answer):
                self._step(name, answer, self._revoke)
            case HandshakeArrived(name, message_id):
                self._on_arrived(name, message_id)
            case MixnetConnected(address):
                self._address = address
                self._catch_up()
            case MixnetDisconnected():
                pass
            case _:
                assert_never(message)

    def _step(self, name: str, answer: Future[None], step: Callable[[Contact], None]) -> None:
        try:
            contact = self._store.contacts.get(name)
            if contact is None:
                raise HandshakeNotPossible("look the person up, or write to them, first")
            if not may_seal(contact):
                raise HandshakeNotPossible("their identity key has changed: look at it first")
            step(contact)
        except HandshakeNotPossible as why:
            fail(answer, why)
            return
        except StorageError as why:
            fail(answer, why)
            raise
        resolve(answer, None)

    def _own_address(self) -> bytes:
        if self._address is None:
            raise HandshakeNotPossible("there is no mixnet client, so there is no address to reveal yet")
        return self._address

    # -- our user's steps --

    def _offer(self, contact: Contact) -> None:
        if contact.handshake is HandshakeState.ACTIVE:
            raise HandshakeNotPossible("the handshake is active already")
        if contact.handshake is HandshakeState.OFFER_RECEIVED:
            self._accept(contact)
            return
        self._send(contact, PayloadKind.HANDSHAKE_OFFER, self._own_address())

    def _accept(self, contact: Contact) -> None:
        if contact.handshake is not HandshakeState.OFFER_RECEIVED:
            raise HandshakeNotPossible("there is no offer of theirs to accept")
        self._send(contact, PayloadKind.HANDSHAKE_ACCEPT, self._own_address())

    def _revoke(self, contact: Contact) -> None:
        if contact.handshake not in (HandshakeState.ACTIVE, HandshakeState.OFFERED, HandshakeState.OFFER_RECEIVED):
            raise HandshakeNotPossible("there is no handshake to end")
        self._send(contact, PayloadKind.HANDSHAKE_REVOKE, b"")

    def _send(self, contact: Contact, kind: PayloadKind, address: bytes) -> None:
        runtime = self._context.runtime
        message_id, token, now = runtime.random_bytes(ID_BYTES), runtime.random_bytes(TOKEN_BYTES), runtime.unix_s()
        with self._store.transaction():
            now_known = self._store.contacts.get(contact.name)
            if now_known is None or now_known.identity_key != contact.identity_key:
                raise HandshakeNotPossible("their identity key has changed just now: look at it first")
            _, theirs = self._sides(contact.name)
            body = HandshakeStep.body(address, theirs.heard)
            self._store.messages.add_outgoing(contact.name, message_id, int(kind), body, token, now)
            direct, peer_address = standing(*self._sides(contact.name))
            # An ending goes through the node: the direct way is closed before it is sent.
            self._store.contacts.set_handshake(contact.name, direct, peer_address)
            if address and contact.consent is Consent.PENDING:
                # A user who reveals an address to a stranger wants to hear from them.
                self._store.contacts.set_consent(contact.name, Consent.ACCEPTED)
        if address and contact.consent is Consent.PENDING:
            self._context.on_event(ContactChanged(contact.name, Consent.ACCEPTED))
        self._changed(contact.name, direct)

    def _sides(self, name: str) -> tuple[Side, Side]:
        contact = self._store.contacts.get(name)
        heard = 0 if contact is None else contact.heard_home
        return sides(self._store.messages.last_of_kinds(name, HANDSHAKE_KINDS), heard)

    # -- the peer's steps --

    def _catch_up(self) -> None:
        """Take the steps that a crash kept us from taking."""
        for message in self._store.messages.steps_to_take(HANDSHAKE_KINDS, CATCH_UP_MAX):
            self._on_arrived(message.contact, message.message_id)

    def _on_arrived(self, name: str, message_id: bytes) -> None:
        with self._store.transaction():
            contact = self._store.contacts.get(name)
            message = self._store.messages.get(name, message_id, Direction.IN)
            if contact is None or message is None or message.shown or not may_seal(contact):
                return  # what a changed identity says is taken when the user has looked at it
            if message.counter < self._sides(name)[1].last:
                # The mixnet reorders: the peer has said something else since. It may count anyway.
                self.counts["overtaken"] += 1
            self._store.messages.mark_shown([message.id])
            direct, address = standing(*self._sides(name))
            if contact.handshake is HandshakeState.NONE and direct is HandshakeState.ENDED_BY_PEER:
                # It ended what never came: nothing to tell the user.
                direct = HandshakeState.NONE
            changed = (direct, address) != (contact.handshake, contact.peer_address)
            if changed:
                self._store.contacts.set_handshake(name, direct, address)
        if changed:
            self._changed(name, direct)
        else:
            self.counts["changed_nothing"] += 1

    def _changed(self, name: str, direct: HandshakeState) -> None:
        self._forwarding.tell(DirectRouteChanged(name))
        self._context.on_event(HandshakeChanged(name, direct))
