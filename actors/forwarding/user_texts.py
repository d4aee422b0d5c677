"""Texts that their user cancels, sends again, or lets disappear after a time. A part of the forwarding actor.

docs/protocol.md, "Message states"; docs/operations.md, "A client". All of it stays in this home: it is sent to no one.
"""

from __future__ import annotations

from typing import Final

from usernym.actors.context import ClientContext
from usernym.actors.events import DeliveryChanged, TextsErased
from usernym.actors.failures import RetryNotPossible
from usernym.actors.forwarding.files import FileTransfers
from usernym.actors.forwarding.outbox import Outbox
from usernym.actors.messages import PayloadKind
from usernym.actors.sound_clock import SoundClock
from usernym.protocol.limits import DAY_S
from usernym.storage.client.types import DeliveryState, Route

REQUEST_S: Final = 30 * DAY_S
"""How long a request waits for its user, from the last that came of it: as long as a node keeps a message. Then it is
deleted; if its sender writes again, it is a new request."""
ERASED_AT_ONCE_MAX: Final = 2_000
"""Texts of one contact erased in one commit, a tenth of a second: others wait for the disk meanwhile."""


class UserTexts:
    """Owned by the forwarding actor, and used in its thread only."""

    def __init__(self, context: ClientContext, outbox: Outbox, files: FileTransfers) -> None:
        self._context = context
        self._store = context.store
        self._outbox = outbox
        self._files = files
        self._clock = SoundClock(context.runtime)

    def cancel(self, message_id: bytes) -> bool:
        """Stop sending a waiting text; False if a try is unanswered, or the text no longer waits.

        If an earlier try did reach the node, its receipt says so later: *delivered* beats *cancelled*.
        """
        message = self._store.messages.outgoing(message_id, None)
        if message is None or message.state is not DeliveryState.WAITING or message.kind != PayloadKind.TEXT:
            return False
        if self._outbox.is_under_way(message_id):
            return False
        self._outbox.settle(message, DeliveryState.CANCELLED, None)
        return True

    def retry(self, name: str, message_id: bytes) -> bytes:
        """Send a waiting text now, or a failed one once more; returns its id, a new one if it had failed.

        A message's fate is final, and its id is used up: so the text is written again, after what was written since,
        and the failed one is removed in the same commit. Raises `RetryNotPossible` for any other.
        """
        message, contact = self._store.messages.get(name, message_id), self._store.contacts.get(name)
        if message is None or contact is None or message.kind != PayloadKind.TEXT:
            raise RetryNotPossible("you have sent no such text to this contact")
        match message.state:
            case DeliveryState.WAITING:
                self._store.messages.try_now(name, message_id, self._context.runtime.unix_s())
            case DeliveryState.EXPIRED | DeliveryState.REFUSED | DeliveryState.CANCELLED:
                message_id = self._outbox.enqueue(contact, PayloadKind.TEXT, message.body, instead_of=message)
                waits = DeliveryChanged(message_id, name, DeliveryState.WAITING, None, Route.NODE)
                self._context.on_event(waits)
            case state:
                raise RetryNotPossible(f"this text is {state.name.lower()} already")
        return message_id

    def _expire_requests(self) -> int:
        """Delete requests that no one has decided about for so long; returns how many."""
        before = self._context.runtime.unix_s() - REQUEST_S
        expired = self._store.contacts.expire_requests(before)
        for name, messages in expired:
            if messages:
                self._context.on_event(TextsErased(name, messages))
        return len(expired)

    def end_waiting(self) -> None:
        """At the process's end: a home may never be open for ten minutes."""
        if self._clock.is_sound():
            self._outbox.give_up_unanswered()

    def erase_old(self) -> None:
        """Erase texts whose time is over, and report it; and no longer await word of what the node took a month ago.

        By this machine's clock: nothing else measures time while the machine is off. If the clock is set back, texts
        stay longer. If it is set forward while this runs, nothing is erased until it has run evenly for a while.
        """
        if not self._clock.is_sound():
            return
        if self._clock.has_settled:
            self._outbox.give_up_unanswered()
        in_all = self._expire_requests()
        for name, seconds in self._store.contacts.disappearing():
            until = self._context.runtime.unix_s() - seconds
            erased = self._store.history.erase_old(name, PayloadKind.TEXT, until, ERASED_AT_ONCE_MAX)
            if erased:
                self._context.on_event(TextsErased(name, erased))
            in_all += erased + self._files.erase_old(name, until)
        if in_all:
            self._store.empty_journal()
