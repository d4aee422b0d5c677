"""Where a client's requests go, and how long each waits for its answer: its choice among the node's addresses.

docs/protocol.md, "Requests and answers" and "Several addresses". Owned by mixnet I/O, and used in its thread only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from msgspec.structs import replace

from usernym.actors.base import Tellable
from usernym.actors.messages import AnswerArrived, RequestFailed
from usernym.actors.mixnet_io import node_addresses as na
from usernym.actors.runtime import Runtime
from usernym.protocol import messages as m
from usernym.protocol.derived import ROUTE_ANSWERS
from usernym.protocol.limits import KEY_BYTES
from usernym.protocol.records import day_of

ATTEMPTS_S: Final = (5.0, 10.0, 20.0)
"""How long an unanswered request waits before it is sent again, and at last given up. Nym itself resends a lost packet
after 0.3 to 1.7 s, so five seconds mean that an answer is lost for good."""
ATTEMPTS_OF_SEVERAL_S: Final = (5.0,) * na.SILENT_TRIES
"""The same where the node has other addresses: to wait longer would help no one."""
TRIAL_ATTEMPTS_S: Final = ATTEMPTS_OF_SEVERAL_S[:1]
"""The same at an address that was come to because another one was silent."""
FORWARD_ATTEMPTS_S: Final = (6.0,)
"""A message is sent again by its outbox; without an answer the route is in doubt, and that is worth knowing soon."""
CHALLENGES_NOTED: Final = 16
"""Challenges of which it is known at which address they were asked for; a login and a registration have one each."""

LOOKUPS: Final = (m.Lookup, m.History)
"""Requests that show the node about whom a user asks."""
LOGIN: Final = (m.LoginAsk, m.LoginProof)
"""Requests whose SURBs are the route's when it is there."""
BOUND: Final = (*ROUTE_ANSWERS, m.RegisterProof, m.LoginProof)
"""Requests that mean nothing at another address: of a route that is there, or with a challenge that it made."""


@dataclass(slots=True)
class InFlight:
    """A request that waits for its answer."""

    request: m.Request
    reply_to: Tellable[AnswerArrived | RequestFailed]
    attempts: int = 0
    """Tries without an answer, at the address that it is sent to now."""
    next_at: float = 0.0
    """When it is sent again."""
    leaves_at: float | None = None
    """When it is sent, if that is to come."""
    unlinked: bool = False
    """Whether it goes under a sender tag of its own, where that can be done."""
    surbs: int = 0
    """Those that it carries, from its first try at an address on: a request is repeated byte for byte."""
    address: bytes | None = None
    """Where it was sent last."""
    sent_at: float = 0.0
    login_id: bytes | None = None
    """The login that held the route then."""
    addresses_left: int = 0
    """How many addresses it was sent to before."""

    @property
    def due_at(self) -> float:
        """When something is to be done with it."""
        return self.next_at if self.leaves_at is None else min(self.leaves_at, self.next_at)


class Destinations:
    """`addresses` are those of the node's card, `own_key` the user's identity key."""

    def __init__(self, runtime: Runtime, addresses: Sequence[bytes], own_key: bytes, *, logs_in: bool = True) -> None:
        self._runtime = runtime
        self._logs_in = logs_in
        self.fresh_tags = False
        """Whether requests can go under sender tags of their own: then no lookup goes where only this user comes."""
        self._addresses = self._given = frozenset(addresses)
        day = day_of(runtime.unix_s())
        self.own = na.choose(addresses, own_key, day)
        """For what is asked in the user's name."""
        self._unknown = na.choose(addresses, self._random_key(addresses), day)
        """For what is asked before a login. The choice must not show who asks, so no key of the user's is in it; and
        a card that the node sent may be known to this user alone, so these are the addresses given by hand."""
        self._logged_in = False
        """Whether a login was asked for: from then on all that is asked is this user's, to the node."""
        self._challenged_at: OrderedDict[bytes, bytes] = OrderedDict()
        """The nonces of the latest challenges, and the addresses that made them."""

    def _random_key(self, addresses: Sequence[bytes]) -> bytes:
        return self._runtime.random_bytes(KEY_BYTES) if len(addresses) > 1 else bytes(KEY_BYTES)

    def take_card(self, addresses: Sequence[bytes], given: Sequence[bytes]) -> None:
        """The node has these addresses; those `given` by hand serve what is asked before a login."""
        now = self._runtime.now()
        self._addresses, self._given = frozenset(addresses), frozenset(given)
        self.own = na.with_card(self.own, addresses, now)
        if self._unknown.alone:  # there was nothing to choose
            self._unknown = replace(self._unknown, chooser=self._random_key(given))
        self._unknown = na.with_card(self._unknown, given, now)

    def of(self, request: m.Request) -> na.NodeAddresses:
        """The addresses to which it may go."""
        self._logged_in = self._logged_in or isinstance(request, m.LoginAsk | m.LoginProof)
        if not self._logged_in:
            return self._unknown if _is_anonymous(request) else self.own
        unlinked = self.fresh_tags and isinstance(request, LOOKUPS)
        # The node may have sent an address to this user alone. It is used if the node is at no other one any more.
        is_known = self.own.address in self._given or self._unknown.address not in self._addresses
        return self._unknown if unlinked and not is_known else self.own

    def address_for(self, request: m.Request) -> bytes:
        """Where to send it. A proof goes to the address that made its challenge."""
        address = self.of(request).address
        if isinstance(request, m.RegisterProof | m.LoginProof):
            return self._challenged_at.get(request.nonce, address)
        return address

    def has_own_tag(self, waiting: InFlight) -> bool:
        """Whether nothing but its content and time can link the request with others."""
        return waiting.unlinked and self.fresh_tags

    def is_blurred(self, waiting: InFlight) -> bool:
        """Whether its time is not to link it, either, with what the client sends under its usual tag."""
        return self._logs_in and self.has_own_tag(waiting)

    def pauses_s(self, request: m.Request) -> tuple[float, ...]:
        """How long to wait for an answer, try by try."""
        at = self.of(request)
        if isinstance(request, m.Forward):
            return FORWARD_ATTEMPTS_S
        if at.alone:
            return ATTEMPTS_S
        return TRIAL_ATTEMPTS_S if at.on_trial else ATTEMPTS_OF_SEVERAL_S

    def was_left(self, waiting: InFlight) -> bool:
        """Whether the request was sent to another address than it would be now."""
        return waiting.address not in (None, self.of(waiting.request).address)

    def goes_elsewhere(self, waiting: InFlight) -> bool:
        """Whether it is asked again at another address than the one that left it unanswered: at each at most once."""
        others = len(self.of(waiting.request).order) - 1
        return not isinstance(waiting.request, BOUND) and self.was_left(waiting) and waiting.addresses_left < others

    def note_answered(self, waiting: InFlight, answer: m.Answer) -> None:
        """The request has its answer."""
        if waiting.address is None:
            return
        self.own = na.answered(self.own, waiting.address)
        self._unknown = na.answered(self._unknown, waiting.address)
        match answer:
            case m.Challenge(nonce=nonce):
                self._challenged_at[nonce] = waiting.address
                if len(self._challenged_at) > CHALLENGES_NOTED:
                    self._challenged_at.popitem(last=False)
            case m.LoggedIn():
                # The route is where the login was made, though that address was left meanwhile.
                self.own = na.settled(self.own, waiting.address, self._runtime.now())

    def note_unanswered(self, waiting: InFlight) -> None:
        """A try was not answered."""
        if waiting.address is not None:
            now = self._runtime.now()
            self.own = na.unanswered(self.own, waiting.address, waiting.sent_at, now)
            self._unknown = na.unanswered(self._unknown, waiting.address, waiting.sent_at, now)


def _is_anonymous(request: m.Request) -> bool:
    """Whether it is asked before a login, by a user whom the choice of an address must not show. A kind has no answer
    by default: forgotten here, it would go to the address that follows from the user's key."""
    match request:
        case m.Lookup() | m.History() | m.LogRead() | m.RegisterAsk() | m.RegisterProof():
            return True
        case m.LoginAsk() | m.LoginProof() | m.Publish() | m.Forward() | m.Delete() | m.Heartbeat():
            return False
        case _:
            assert_never(request)
