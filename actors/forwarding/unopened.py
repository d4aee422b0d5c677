"""What a recipient could not open: a statement that it signed, judged, and the message sealed again.

A part of the forwarding actor. docs/protocol.md, "Receiving". A statement that the pinned identity did not sign is not
a lie yet: the recipient's identity may have changed. It is looked up first, and the node's notice is confirmed only
when the statement has been judged: until then the node sends it again.
"""

from __future__ import annotations

from typing import Final

from usernym.actors.forwarding.arrival_lookups import ArrivalLookups
from usernym.actors.forwarding.host import Host
from usernym.actors.forwarding.outbox import Outbox
from usernym.protocol import messages as m
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.storage.client.types import Consent, DeliveryState

DOUBTED_MAX: Final = 64
"""Statements that wait for a lookup. The node sends the others again."""


class UnopenedReports:
    """Owned by the forwarding actor, and used in its thread only."""

    def __init__(self, host: Host, outbox: Outbox, lookups: ArrivalLookups) -> None:
        self._host = host
        self._context = host.context
        self._store = host.context.store
        self._outbox = outbox
        self._lookups = lookups
        self._doubted: dict[str, dict[bytes, m.NotOpened]] = {}

    def on_told(self, told: m.NotOpened) -> None:
        """Judge a statement; where its signature does not fit the pinned identity, look the recipient up first."""
        try:
            self._judge(told)
        except RemoteProtocolError:
            if sum(map(len, self._doubted.values())) < DOUBTED_MAX and self._lookups.may_ask(told.recipient):
                self._doubted.setdefault(told.recipient, {})[told.message_id] = told
                self._lookups.ask(told.recipient)
            return
        self._host.note_notices([told.notice])

    def on_resolved(self, name: str) -> None:
        """Judge what was doubted: the recipient's record is the newest, so its notice is settled either way."""
        doubted = self._doubted.pop(name, {}).values()
        for told in doubted:
            try:
                self._judge(told)
            except RemoteProtocolError as error:
                self._host.refuse(error)  # no proof against the node: its recipient may have handed it in
        if doubted:
            self._host.note_notices([told.notice for told in doubted])

    def on_resolve_failed(self, name: str) -> None:
        """Nothing can be decided now: the node sends it again."""
        self._doubted.pop(name, None)

    def _judge(self, told: m.NotOpened) -> None:
        message = self._store.messages.get(told.recipient, told.message_id)
        contact = self._store.contacts.get(told.recipient)
        if message is None or contact is None or message.key_number is None:
            return
        envelope = self._context.user.envelope_to(
            told.recipient, contact.identity_key, message.key_number, told.message_id
        )
        envelope.verify_unopenable(told.statement)
        if contact.consent is Consent.ACCEPTED:
            self._outbox.seal_again(message, Code.UNOPENABLE)
        else:
            # By a message that is sent again one who is blocked would see that the user is there.
            self._outbox.settle(message, DeliveryState.REFUSED, Code.UNOPENABLE)
