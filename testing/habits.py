"""A node that is hostile with a purpose: between honest node code and the mixnet, with the node's key.

`LyingTransport` alters one message in so many, by chance; a habit is one thing that the node does for some time.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Any, Final, Literal, get_args

import msgspec

from usernym.mixnet.transport import MixnetError
from usernym.protocol import messages as m
from usernym.protocol.cards import make_card
from usernym.protocol.codec import decode
from usernym.protocol.directory.events import DirectoryEvent
from usernym.protocol.directory.proofs import ChainEnd
from usernym.protocol.errors import Code
from usernym.protocol.limits import (
    ADDRESS_BYTES,
    BOOT_ID_BYTES,
    HASH_BYTES,
    ID_BYTES,
    NOTICES_MAX,
    PROMISE_S,
    SEAL_OVERHEAD_BYTES,
    SIGNATURE_BYTES,
    TOKEN_BYTES,
)
from usernym.protocol.payloads import plaintext_bytes
from usernym.protocol.records import day_of
from usernym.testing.between import BetweenTransport
from usernym.testing.process import NodeProcess

Habit = Literal[
    "not_logged_in", "notices", "wants_surbs", "lies_about_stock", "withholds", "repeats", "reorders", "cards",
    "invents_texts", "hides_links", "ignores_publish", "restarts", "breaks_promises",
]  # fmt: skip
"""What a hostile node does: refuses heartbeats as `NOT_LOGGED_IN`; tells of receipts that no one gave; asks for SURBs;
gives false numbers of them; keeps texts back, repeats them, holds each back for a while; tells a card with an address
that no one has; delivers garbage in a user's name; shows no links; takes no record; says that it was started again;
promises that a name's chain will have an event that never comes."""

NOTICES_EVERY_S: Final = 0.5
"""Virtual seconds between two frames of invented notices."""
HELD_S_MAX: Final = 30.0


class HabitTransport(BetweenTransport):
    """The node's transport, with habits."""

    def __init__(self, transport: Any, node: NodeProcess, rng: random.Random) -> None:
        super().__init__(transport, node)
        self._rng = rng
        self.habits: set[Habit] = set()
        self._routes: dict[bytes, tuple[bytes, int]] = {}
        """Sender tag to login id and the counter of the next tell, far above the honest ones."""
        self._names: dict[bytes, str] = {}
        self._closed = False

    def hears(self, message: m.Message, tag: bytes) -> bool:
        """It takes note of logins, and keeps from the node what its habits drop."""
        if isinstance(message, m.LoginProof):
            self._names[tag] = message.name
        return not (isinstance(message, m.Publish) and "ignores_publish" in self.habits)

    def close(self) -> None:
        self._closed = True
        super().close()

    def begin(self, habit: Habit) -> None:
        self.habits.add(habit)
        if habit == "notices":
            self._invent_notices()

    def end(self, habit: Habit) -> None:
        self.habits.discard(habit)

    def reply(self, tag: bytes, data: bytes) -> None:
        """Say what the node says, as its habits have it."""
        message = decode(data).message
        if isinstance(message, m.LoggedIn):
            self._routes[tag] = message.login_id, 1_000
            self._greet(tag)
        for said in self._said(message, data):
            if isinstance(message, m.Deliver) and "reorders" in self.habits:
                delay_s = self._rng.uniform(0, HELD_S_MAX)
                self._node.world.sim.call_later(delay_s, lambda said=said: self._put(tag, said))  # type: ignore[misc] # a default binds
            else:
                self._put(tag, said)

    def _put(self, tag: bytes, data: bytes) -> None:
        if not self._closed:
            with suppress(MixnetError):
                self._transport.reply(tag, data)

    def _said(self, message: m.Message, data: bytes) -> list[bytes]:
        habits, rng = self.habits, self._rng
        match message:
            case m.Deliver() if "withholds" in habits:
                return []
            case m.Deliver() if "repeats" in habits:
                return [data, data, data]
            case m.Alive(request_id=request_id):
                if "not_logged_in" in habits:
                    return [self.sign(m.Refused(request_id, Code.NOT_LOGGED_IN, 0))]
                if "lies_about_stock" in habits:
                    message = msgspec.structs.replace(message, stock=rng.choice((0, 0, 10_000)))
                if "restarts" in habits:
                    message = msgspec.structs.replace(message, boot_id=rng.randbytes(BOOT_ID_BYTES))
                return [self.sign(message)]
            case m.Links(request_id=request_id, total=total) if "hides_links" in habits:
                return [self.sign(m.Links(request_id, (), total))]
            case m.Proved(chain=chain) | m.Promised(chain=chain) if "breaks_promises" in habits:
                return [self.sign(self._promise(message, chain))]
            case _:
                return [data]

    def _promise(self, message: m.Proved | m.Promised, chain: ChainEnd) -> m.Promised:
        """The user's own record, and one event more than the name has."""
        size = message.size if isinstance(message, m.Promised) else message.proof.size
        more = ChainEnd(chain.events + 1, self._rng.randbytes(HASH_BYTES), DirectoryEvent.SUCCEEDED)
        due = self._node.world.sim.unix_s() + PROMISE_S
        return m.Promised(message.request_id, message.name, message.record, message.origin, more, size, due)

    def _greet(self, tag: bytes) -> None:
        """What it tells a client that has just logged in."""
        rng, node = self._rng, self._node
        if "wants_surbs" in self.habits:
            self._tell(tag, m.SurbsWanted(b"", 1, 200))
        if "cards" in self.habits:
            sequence = node.card.sequence + rng.randint(1, 10)
            card = make_card(node.key, [rng.randbytes(ADDRESS_BYTES)], sequence, day_of(node.world.sim.unix_s()))
            self._tell(tag, m.NewCard(b"", 1, card))
        if "invents_texts" in self.habits:
            others = [name for name in sorted(node.world.clients) if name != self._names.get(tag)]
            seal = rng.randbytes(plaintext_bytes(1, first_contact=True) + SEAL_OVERHEAD_BYTES)
            signature, key = rng.randbytes(SIGNATURE_BYTES), None
            self._tell(
                tag, m.Deliver(b"", 1, rng.choice(others), rng.randbytes(ID_BYTES), 1, seal, signature, key)
            )  # fmt: skip

    def _invent_notices(self) -> None:
        """Receipts for messages that no one wrote, to all who are logged in, again and again."""
        if self._closed or "notices" not in self.habits:
            return
        rng = self._rng
        for tag in list(self._routes):
            receipts = tuple(
                m.Receipt(rng.randint(1, 2**31), rng.randbytes(ID_BYTES), rng.randbytes(TOKEN_BYTES))
                for _ in range(NOTICES_MAX)
            )
            self._tell(tag, m.Delivered(b"", 1, receipts))
        self._node.world.sim.call_later(NOTICES_EVERY_S, self._invent_notices)

    def _tell(self, tag: bytes, message: Any) -> None:
        login, counter = self._routes[tag]
        self._routes[tag] = login, counter + 1
        self._put(tag, self.sign(msgspec.structs.replace(message, login_id=login, counter=counter)))


HABITS: Final[tuple[Habit, ...]] = get_args(Habit)
