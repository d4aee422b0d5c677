"""Texts that their user cancels, sends again, or lets disappear after a time. A part of the forwarding actor.

docs/protocol.md, "Message states"; docs/operations.md, "A client". All of it stays in this home: it is sent to no one.
"""

from __future__ import annotations

from typing import Final

from usernym.actors.context import ClientContext
from usernym.actors.events import DeliveryChanged, TextsErased
from usernym.actors.failures import RetryNotPossible
from usernym.actors.forwarding.outbox import Outbox
from usernym.actors.messages import PayloadKind
from usernym.storage.client.types import DeliveryState, Route

ERASED_AT_ONCE_MAX: Final = 2_000
"""Texts of one contact erased in one commit, a tenth of a second: others wait for the disk meanwhile."""
CLOCK_JUMP_S: Final = 60
"""A clock that is off by more since the last look did not just run."""
CLOCK_SETTLES_S: Final = 600
"""After the clock jumped nothing is erased for so long: a clock that is wrong for a moment costs no text."""


class UserTexts:
    """Owned by the forwarding actor, and used in its thread only."""

    def __init__(self, context: ClientContext, outbox: Outbox) -> None:
        self._context = context
        self._store = context.store
        self._outbox = outbox
        self._clock_offset_s: float | None = None
        self._trusts_clock_at = 0.0

    def cancel(self, message_id: bytes) -> bool:
        """Give a waiting text up; False if it is in the middle of a try, or does not wait any more.

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
        """Send a text now that waits, or once more if it failed; returns its id, a new one if it had failed.

        A message's fate is final, and its id is spent: so it is written again, behind what was written since, and the
        one that failed goes in the same commit. Raises `RetryNotPossible` for any other.
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

    def erase_old(self) -> None:
        """Erase what has been here for as long as the user wants it, and say so.

        By this machine's clock, since nothing else counts while it is off: put back, texts stay for longer; put forward
        while this runs, they stay until it has gone evenly for a while, and go if it still says so then.
        """
        if not self._clock_is_sound():
            return
        in_all = 0
        for name, seconds in self._store.contacts.disappearing():
            until = self._context.runtime.unix_s() - seconds
            erased = self._store.history.erase_old(name, PayloadKind.TEXT, until, ERASED_AT_ONCE_MAX)
            if erased:
                self._context.on_event(TextsErased(name, erased))
            in_all += erased
        if in_all:
            self._store.empty_journal()

    def _clock_is_sound(self) -> bool:
        now = self._context.runtime.now()
        before, self._clock_offset_s = self._clock_offset_s, self._context.runtime.unix_s() - now
        if before is not None and abs(self._clock_offset_s - before) > CLOCK_JUMP_S:
            self._trusts_clock_at = now + CLOCK_SETTLES_S
        return now >= self._trusts_clock_at
