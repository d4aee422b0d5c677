"""The people whom a user knows: contacts, requests of strangers, trust, and handshakes. A part of `Client`."""

from __future__ import annotations

from typing import Final

from usernym.actors import messages as msg
from usernym.actors.events import ContactChanged
from usernym.protocol.names import canonical
from usernym.running import TIMEOUT_S, ClientBase
from usernym.settings import SettingsError
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Consent, Contact, Fallback, Trust
from usernym.views import ContactView, RequestView, contact_view, message_view

DISAPPEAR_S_MIN: Final = 60
"""Below that a text would be gone while it is being read."""
DISAPPEAR_S_MAX: Final = 366 * 86_400
"""What durations are limited to elsewhere; who wants more wants to keep them."""
_OFFERS_MAX: Final = 1_000
"""Offers and revocations that one person may have left behind while they were declined."""


class IdentityMoved(Exception):
    """The identity behind a name is not the one any more that the user looked at."""


class People(ClientBase):
    """See `Client`."""

    # -- contacts --

    def contacts(self) -> list[ContactView]:
        """All contacts, by name."""
        return [self._view(contact) for contact in self._with_store(lambda store: store.contacts.all())]

    def contact(self, name: str) -> ContactView:
        """One contact. Raises `KeyError` if there is none of this name."""
        name = canonical(name)
        if name == self.name:
            raise KeyError("that is you")
        contact = self._with_store(lambda store: store.contacts.get(name))
        if contact is None:
            raise KeyError("no such contact")
        return self._view(contact)

    def _view(self, contact: Contact) -> ContactView:
        return contact_view(contact, self._node, (self.name, self._key.public))

    def set_verified(self, name: str, verified: bool, *, identity_key: str | None = None) -> None:
        """The user compared safety numbers; or not (yet), and takes the contact as the node confirms it.

        Either way a changed identity has been looked at: what waited for that is sent now. `identity_key` is that of
        the `ContactView` that the user looked at: if it is another one by now, this raises `IdentityMoved`, and nothing
        is changed. Raises `KeyError` if there is no such contact.
        """
        name = canonical(name)
        self.contact(name)
        trust = Trust.VERIFIED if verified else Trust.CONFIRMED

        def decide(store: ClientStore) -> None:
            with store.transaction():
                contact = store.contacts.get(name)
                if identity_key is not None and (contact is None or contact.identity_key.hex() != identity_key):
                    raise IdentityMoved("the identity has changed once more, while you looked: look at it again")
                store.contacts.set_trust(name, trust)

        self._with_store(decide)
        self._actors.forwarding.tell(msg.IdentityLookedAt(name))

    # -- requests --

    def requests(self, *, declined: bool = False) -> list[RequestView]:
        """Those who wrote and wait for the user's word, by name; or those who were declined, which can be undone."""
        wanted = Consent.DECLINED if declined else Consent.PENDING

        def read(store: ClientStore) -> list[RequestView]:
            return [self._request_view(store, contact) for contact in store.contacts.all(wanted)]

        return self._with_store(read)

    def _request_view(self, store: ClientStore, contact: Contact) -> RequestView:
        texts, first = store.history.received(contact.name, msg.PayloadKind.TEXT)
        view = None if first is None else message_view(first, store.gaps.of(contact.name))
        return RequestView(self._view(contact), texts, view)

    def accept(self, name: str) -> None:
        """Hear from this person from now on; what they wrote meanwhile shows. Undoes `decline` and `block` too.

        Nothing is sent. What they write from now on is confirmed to them as delivered. Raises `KeyError` if there is no
        such contact, as the two below do.
        """
        name = canonical(name)
        self._decide(name, Consent.ACCEPTED)
        offers = self._with_store(lambda store: store.messages.unshown(_OFFERS_MAX, msg.HANDSHAKE_KINDS))
        for offer in offers:
            if offer.contact == name:
                self._actors.handshake.tell(msg.HandshakeArrived(name, offer.message_id))

    def decline(self, name: str) -> None:
        """Show nothing of this person. What they write is kept, for the case that this was a mistake.

        Nobody can tell this from a request that waits: the node is told that it can delete the message, and no more.
        """
        self._decide(canonical(name), Consent.DECLINED)

    def block(self, name: str) -> None:
        """Show and keep nothing that this person sends. They can't tell this from a request that waits, either."""
        self._decide(canonical(name), Consent.BLOCKED)

    def _decide(self, name: str, consent: Consent) -> None:
        before = self.contact(name).state
        self._with_store(lambda store: store.contacts.set_consent(name, consent))
        self._actors.forwarding.tell(msg.RequestsDecided())
        if before is not consent:
            self._hub.publish(ContactChanged(name, consent))

    # -- disappearing texts --

    def set_disappearing(self, name: str, seconds: int | None) -> None:
        """Erase texts with a contact in this home after so many seconds (a minute to a year); None: keep them.

        This home's only: the contact is not told, and their copies are theirs. It counts for texts that are here
        already, too. One that came goes that long after it was shown; one of ours that long after it was written, and
        not while it waits, or the node has it for the contact. Raises `SettingsError`, or `KeyError` if there is no
        such contact.
        """
        name = canonical(name)
        self.contact(name)
        if seconds is not None and not DISAPPEAR_S_MIN <= seconds <= DISAPPEAR_S_MAX:
            raise SettingsError("texts may disappear after a minute at the least, and a year at the most")
        self._with_store(lambda store: store.contacts.set_disappearing(name, seconds))

    # -- handshakes --

    def offer_handshake(self, name: str, timeout: float = TIMEOUT_S) -> None:
        """Reveal our Nym address, and with it our gateway, to this contact, and ask for theirs."""
        name = canonical(name)
        self._ask(self._actors.handshake, lambda answer: msg.OfferHandshake(name, answer), timeout, "offering")

    def accept_handshake(self, name: str, timeout: float = TIMEOUT_S) -> None:
        """Take this contact's offer, and reveal our Nym address to them."""
        name = canonical(name)
        self._ask(self._actors.handshake, lambda answer: msg.AcceptHandshake(name, answer), timeout, "accepting")

    def revoke_handshake(self, name: str, timeout: float = TIMEOUT_S) -> None:
        """End the direct route, or decline the offer. The contact keeps the address they were shown."""
        name = canonical(name)
        self._ask(self._actors.handshake, lambda answer: msg.RevokeHandshake(name, answer), timeout, "ending")

    def set_direct_only(self, name: str, direct_only: bool) -> None:
        """Whether messages wait while the direct way is silent, instead of going through the node."""
        name = canonical(name)
        self.contact(name)
        policy = Fallback.DIRECT_ONLY if direct_only else Fallback.NODE
        self._with_store(lambda store: store.contacts.set_fallback(name, policy))
