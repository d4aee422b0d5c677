"""What a client says about what has come: gathered for a moment, and about one message only so often.

docs/protocol.md, "Receiving" and "Direct messages". A part of the client's forwarding actor. What comes again before an
honest sender would send it again is not answered again: else who repeats a message would set how much a client sends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from usernym.actors.forwarding.direct_receipts import DirectReceipts
from usernym.actors.forwarding.host import Host
from usernym.actors.messages import AcknowledgeNow, SendStatement
from usernym.protocol import messages as m
from usernym.protocol.limits import ACKNOWLEDGED_MAX
from usernym.protocol.sealing import Envelope
from usernym.storage.client.types import Route

GATHER_S: Final = 0.2
"""Acknowledgements are gathered this long: messages that come together are acknowledged together."""
SAID_S: Final = {Route.NODE: 10.0, Route.DIRECT: 3.0}
"""How long the word about a message is not repeated: by half the time, or three quarters of the least, after which its
sender sends it again. After another login the node may have missed it."""
SAID_LOOKED_AT: Final = 1_000
"""So many messages are remembered before it is looked which of them may be forgotten."""


_Word = tuple[Route, type[m.Acknowledge | m.Unopenable], str, bytes]
"""The way, the kind of statement, the message's sender and its id. What did not open comes sealed again, and is then
acknowledged."""


class Acknowledgements:
    """Owned by the forwarding actor, and used in its thread only."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._context = host.context
        self._receipts = DirectReceipts(host)
        self._planned: dict[tuple[str, bytes], bytes | None] = {}
        self._said: dict[_Word, float] = {}
        """Until when it is not said again."""
        self._due = False
        self._login_id: bytes | None = None

    def use(self, login_id: bytes | None) -> None:
        """Answer the node under this login from now on; None: there is none."""
        self._login_id = login_id
        self._said.clear()

    def plan(self, route: Route, sender: str, message_id: bytes, token: bytes | None) -> None:
        """A message that came this way needs to come no more. `token` proves to its sender that it came."""
        word = route, m.Acknowledge, sender, message_id
        if not self._was_said(word):
            if route is Route.NODE:
                self._planned[sender, message_id] = token
            elif token is not None:
                self._receipts.plan(sender, message_id, token)
                self._note(word)
        if not self._due:
            self._due = True
            self._context.runtime.call_later(GATHER_S, lambda: self._host.forwarding.tell(AcknowledgeNow()))

    def say_unopenable(self, sender: str, envelope: Envelope) -> None:
        """Let the sender seal it again. The statement is signed with our *current* identity: a sender that does not
        know it looks us up."""
        user, message_id = self._context.user, envelope.message_id
        word = Route.NODE, m.Unopenable, sender, message_id
        if self._login_id is not None and not self._was_said(word):
            statement = replace(envelope, recipient_key=user.key.public).sign_unopenable(user.key)
            said = m.Unopenable(0, user.name, self._login_id, sender, message_id, statement)
            self._host.io.tell(SendStatement(said))
            self._note(word)

    def send(self) -> None:
        """Send what was planned. What finds no route is delivered again, and acknowledged then."""
        self._due = False
        items = [m.Acknowledged(sender, id_, token) for (sender, id_), token in self._planned.items()]
        self._planned = {}
        if self._login_id is not None:
            for at in range(0, len(items), ACKNOWLEDGED_MAX):
                part = tuple(items[at : at + ACKNOWLEDGED_MAX])
                self._host.io.tell(SendStatement(m.Acknowledge(0, self._context.user.name, self._login_id, part, ())))
            for item in items:
                self._note((Route.NODE, m.Acknowledge, item.sender, item.message_id))
        self._receipts.send()

    def _was_said(self, word: _Word) -> bool:
        return self._said.get(word, float("-inf")) > self._context.runtime.now()

    def _note(self, word: _Word) -> None:
        now = self._context.runtime.now()
        if len(self._said) >= SAID_LOOKED_AT:
            self._said = {one: until for one, until in self._said.items() if until > now}
        route, *_ = word
        self._said[word] = now + SAID_S[route]
