"""The fate of a sealed message that arrives at a client: one closed list of outcomes, decided in one place.

docs/protocol.md, "Receiving" and "Direct messages"; tabled in docs/machines.md. `decide` is pure. It gets what is known
about an arrival, and answers with an outcome, or with the next check that it needs: a signature is verified, and a seal
opened, only where what is known so far does not settle the matter. Every arrival leaves the client by one of the
outcomes; the inbox carries the outcome out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from usernym.protocol.errors import Code
from usernym.storage.client.types import Consent, Route


class ArrivalFate(Enum):
    """Where an arrival ends."""

    TAKEN = "taken"
    """What it says is on disk, or was before."""
    DISCARDED = "discarded"
    """It is not looked at again. If it came through the node, the node learns that it may forget it."""
    LEFT = "left at the node"
    """The node learns nothing about it, delivers it again, and it is judged then."""


class ArrivalOutcome(Enum):
    """The fate of an arrival, and the reason for it."""

    KEPT = (ArrivalFate.TAKEN, "it is new, signed, and opens")
    REPEATED = (ArrivalFate.TAKEN, "it is on disk already")
    RECEIPTS_READ = (ArrivalFate.TAKEN, "it came directly, and holds receipts for our direct messages")
    FILE_WORD_READ = (ArrivalFate.TAKEN, "it is a chunk of a file that is coming, or a word about a file")
    FILE_UNWANTED = (ArrivalFate.DISCARDED, "it is about a file that is not under way: only its id is remembered")
    SENDER_BLOCKED = (ArrivalFate.DISCARDED, "the user has blocked its sender: only its id is remembered")
    STRANGERS_SHARE_FULL = (
        ArrivalFate.DISCARDED,
        "the user has not accepted its sender, of whom enough is kept: only its id is remembered",
    )
    SENDER_UNKNOWN = (ArrivalFate.DISCARDED, "the node knows no user of its sender's name")
    SENDER_UNCONFIRMED = (ArrivalFate.DISCARDED, "what the node shows as its sender's record does not hold")
    SENDER_NAME_INVALID = (ArrivalFate.DISCARDED, "its sender's name is invalid")
    SENDER_NAME_OURS = (ArrivalFate.DISCARDED, "its sender's name is our own, to which no client writes")
    NO_DIRECT_ROUTE = (ArrivalFate.DISCARDED, "it came directly, and its sender has no direct route to us")
    NOT_SIGNED = (ArrivalFate.DISCARDED, "its sender's newest identity has not signed it")
    MALFORMED = (ArrivalFate.DISCARDED, "it opens, and holds no valid payload")
    RECEIPTS_MISPLACED = (ArrivalFate.DISCARDED, "it holds receipts for direct messages, and came through the node")
    CALLED_UNOPENABLE = (ArrivalFate.DISCARDED, "it does not open; its sender is a contact and seals it again")
    UNOPENABLE = (ArrivalFate.DISCARDED, "it does not open, and its sender may not learn so")
    HELD_FOR_LOOKUP = (ArrivalFate.LEFT, "its sender is looked up first; it is held meanwhile")
    NOT_HELD = (ArrivalFate.LEFT, "its sender must be looked up, and was just now, or too many others are")
    AWAITS_DECISION = (ArrivalFate.LEFT, "it is sealed to a key of a lost home, and its sender waits for consent")

    def __init__(self, fate: ArrivalFate, reason: str) -> None:
        self.fate = fate
        self.reason = reason


class Check(Enum):
    """What must be found out before an arrival can be decided about."""

    SIGNATURE = auto()
    """Has the contact's pinned identity signed it, and is its first key that identity's?"""
    SEAL = auto()
    """Does it open with one of our keys, and hold a payload?"""


class OpenedSeal(Enum):
    """What came of opening a seal."""

    PAYLOAD = auto()
    RECEIPTS = auto()
    """A payload, of receipts only."""
    FILE_WORD = auto()
    """A chunk of a file, or a word about one, that is under way with this contact."""
    NO_FILE = auto()
    """The same, of a file that is not."""
    NO_PAYLOAD = auto()
    """It opens, but what is in it is malformed."""
    CLOSED = auto()
    """No key of ours opens it."""
    LOST_KEY = auto()
    """It is sealed to a key that is older than this home: one that was made from recovery words."""


class SenderLookup(Enum):
    """Whether the sender was looked up because of this arrival, and what came of it."""

    NONE = auto()
    RESOLVED = auto()
    """The contact's record is the node's newest."""
    NO_SUCH_USER = auto()
    REFUSED = auto()
    """The node's answer can't be taken, and the same question would be answered so again."""

    @classmethod
    def failed(cls, code: Code | None) -> SenderLookup | None:
        """The end of a lookup that failed; None if it may succeed another time: nothing is decided by it."""
        match code:
            case None | Code.BUSY | Code.RECORD_STALE | Code.PROOF_INVALID:
                # A node restored from an older copy gets the newest record again. A proof that does not hold shows
                # nothing of the sender.
                return None
            case Code.NO_SUCH_USER:
                return cls.NO_SUCH_USER
            case _:
                return cls.REFUSED


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about one arrival. None: not yet."""

    route: Route
    valid_name: bool
    """Whether the sender's name could be one."""
    own_name: bool
    """Whether it is ours. A lookup of that makes no contact."""
    consent: Consent | None
    """The user's decision about the sender; None if the sender is no contact. Of a stranger whose record was looked up:
    what it would be. They become a contact by an arrival that is signed and opens, not before."""
    direct_route: bool
    """Whether the contact may write to us directly."""
    seen: bool
    """Whether a message of the contact with this id was taken before."""
    lookup: SenderLookup
    room_to_hold: bool
    """Whether one more message may be held for a lookup of its sender."""
    share_full: bool
    """Whether the user has not accepted the sender, and as much as is kept of such a sender is kept."""
    signed: bool | None = None
    seal: OpenedSeal | None = None


def decide(facts: Facts) -> ArrivalOutcome | Check:
    """The outcome for an arrival, or the check whose result is needed for it. The order is that of the protocol."""
    if not facts.valid_name:
        return ArrivalOutcome.SENDER_NAME_INVALID
    if facts.own_name:
        return ArrivalOutcome.SENDER_NAME_OURS
    if facts.lookup is SenderLookup.NO_SUCH_USER:
        return ArrivalOutcome.SENDER_UNKNOWN
    if facts.lookup is SenderLookup.REFUSED:
        return ArrivalOutcome.SENDER_UNCONFIRMED
    if facts.route is Route.DIRECT and not facts.direct_route:
        return ArrivalOutcome.NO_DIRECT_ROUTE
    if facts.consent is None:
        return _after_lookup(facts)
    if facts.seen:
        return ArrivalOutcome.REPEATED
    if facts.signed is None:
        return Check.SIGNATURE
    if not facts.signed:
        # A pin may be out of date, which a lookup repairs; a direct message is sent again, and judged then.
        repairable = facts.lookup is SenderLookup.NONE and facts.route is Route.NODE
        return _after_lookup(facts) if repairable else ArrivalOutcome.NOT_SIGNED
    if facts.seal is None:
        return Check.SEAL
    outcome = _by_seal(facts.seal, facts.consent, facts.route)
    return ArrivalOutcome.STRANGERS_SHARE_FULL if outcome is ArrivalOutcome.KEPT and facts.share_full else outcome


def _after_lookup(facts: Facts) -> ArrivalOutcome:
    """One lookup for each time that it comes: what were held again after its lookup would be looked up without end."""
    may_hold = facts.lookup is SenderLookup.NONE and facts.room_to_hold
    return ArrivalOutcome.HELD_FOR_LOOKUP if may_hold else ArrivalOutcome.NOT_HELD


def _by_seal(seal: OpenedSeal, consent: Consent, route: Route) -> ArrivalOutcome:
    match seal, consent:
        case OpenedSeal.CLOSED | OpenedSeal.LOST_KEY, Consent.ACCEPTED:
            return ArrivalOutcome.CALLED_UNOPENABLE
        case OpenedSeal.LOST_KEY, Consent.PENDING:
            return ArrivalOutcome.AWAITS_DECISION
        case OpenedSeal.CLOSED | OpenedSeal.LOST_KEY, _:
            return ArrivalOutcome.UNOPENABLE
        case OpenedSeal.NO_PAYLOAD, _:
            return ArrivalOutcome.MALFORMED
        case OpenedSeal.RECEIPTS, _:
            return ArrivalOutcome.RECEIPTS_READ if route is Route.DIRECT else ArrivalOutcome.RECEIPTS_MISPLACED
        case OpenedSeal.PAYLOAD | OpenedSeal.FILE_WORD | OpenedSeal.NO_FILE, Consent.BLOCKED:
            return ArrivalOutcome.SENDER_BLOCKED
        case OpenedSeal.FILE_WORD, Consent.ACCEPTED:
            return ArrivalOutcome.FILE_WORD_READ
        case OpenedSeal.FILE_WORD | OpenedSeal.NO_FILE, _:
            return ArrivalOutcome.FILE_UNWANTED
        case _:
            return ArrivalOutcome.KEPT
