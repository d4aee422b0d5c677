"""The messages that actors tell each other, all in one file: typed, frozen, and showing no content when printed.

Commands are imperatives, events are in the past tense. A `Future` in a command is where its answer goes: so the
handles (`usernym.Client`, `usernym.Finder`) and tests get results, and no actor waits for another. What is set on it
when there is no answer is in `usernym.actors.failures`.

The order: mixnet I/O, the node's graph, the client's graph from I/O outwards, commands from the handles, and at the
end each actor's inbox: the union of all messages that it takes.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from usernym.actors.base import FromPeer, Tellable
from usernym.actors.failures import Failure
from usernym.mixnet.transport import Incoming, TransportEvent
from usernym.protocol import messages as m
from usernym.protocol.cards import NodeCard
from usernym.protocol.codec import Frame, Unsigned
from usernym.protocol.errors import Code
from usernym.protocol.records import KeyRecord, Succession

# -- mixnet I/O, both graphs -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TransportReported(FromPeer):
    """The transport's event, handed over from the transport's thread."""

    event: TransportEvent = field(repr=False)

    @property
    def by_peer(self) -> bool:
        """Whether it brings a peer's bytes."""
        return isinstance(self.event, Incoming)


@dataclass(frozen=True, slots=True)
class MixnetConnected:
    """There is a mixnet client with this address. It may have lost everything it knew: `boot_id` is new each time."""

    address: bytes = field(repr=False)
    boot_id: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MixnetDisconnected:
    """There is no mixnet client for now. `reason` can be shown."""

    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: sweep, retry, rotate."""


# -- the node's graph --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RequestArrived(FromPeer):
    """A decoded frame from a client, and the tag to answer to. Its signature has not been checked."""

    frame: Frame
    tag: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SendReply(FromPeer):
    """Sign this and send it to a sender tag, over the SURBs that came from there: one for each packet."""

    tag: bytes = field(repr=False)
    reply: Unsigned = field(repr=False)


@dataclass(frozen=True, slots=True)
class RouteOpened(FromPeer):
    """A login moved a user's route: to this tag, under this login id, with this many SURBs in stock."""

    name: str = field(repr=False)
    identity_key: bytes = field(repr=False)
    tag: bytes = field(repr=False)
    login_id: bytes = field(repr=False)
    surbs: int
    card_sequence: int
    """The sequence of the card that the user's client has."""


@dataclass(frozen=True, slots=True)
class IdentityReplaced:
    """A user's identity key changed, or the account is gone: what the old key opened is closed."""

    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CardRenewed:
    """This is the node's card from now on; users with an older one must get it."""

    card: NodeCard


@dataclass(frozen=True, slots=True)
class CommitBatch(FromPeer):
    """Commit what has been gathered: put behind the messages that wait, so that they share one commit."""


@dataclass(frozen=True, slots=True)
class NoticesDue(FromPeer):
    """Notices have been gathered long enough: send them together."""


# -- the client's graph: between I/O and the exchanges -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendRequest:
    """Send this to the node, again while it goes unanswered, and tell `reply_to` what came of it."""

    request: m.Request = field(repr=False)
    reply_to: Tellable[AnswerArrived | RequestFailed] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AnswerArrived(FromPeer):
    """The node's signed answer to a request that was waiting for it."""

    request: m.Request = field(repr=False)
    answer: m.Answer = field(repr=False)


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """No answer came, or none can come."""

    request: m.Request = field(repr=False)
    failure: Failure


@dataclass(frozen=True, slots=True)
class SendStatement:
    """Send this to the node; no answer comes. I/O attaches the SURBs that the node's stock for this route lacks."""

    statement: m.Statement = field(repr=False)


@dataclass(frozen=True, slots=True)
class SendDirect:
    """Send this to a peer's own address."""

    address: bytes = field(repr=False)
    message: m.Direct = field(repr=False)


@dataclass(frozen=True, slots=True)
class TellArrived(FromPeer):
    """What the node sent unasked: signed by it, for this login (or, for deliveries, the one before), and new."""

    tell: m.Tell = field(repr=False)


@dataclass(frozen=True, slots=True)
class DirectArrived(FromPeer):
    """A frame came straight to our address, from an unknown sender. Nothing in it has been checked."""

    message: m.Direct = field(repr=False)


@dataclass(frozen=True, slots=True)
class DropRoute:
    """There is no route. Deliveries for the login `previous`, the last one, still count."""

    previous: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SetCard:
    """The node is at this address from now on."""

    address: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NodeHeard:
    """The route works: the node said something on it."""


# -- the client's graph: between the exchanges -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WentOnline:
    """A login holds the route. `clock_offset_s` is the node's clock less ours."""

    login_id: bytes = field(repr=False)
    clock_offset_s: int


@dataclass(frozen=True, slots=True)
class WentOffline:
    """The route is gone, or in doubt."""


@dataclass(frozen=True, slots=True)
class RouteDoubted:
    """Something that needed the route went unanswered: check it."""


@dataclass(frozen=True, slots=True)
class RecordPublished:
    """Our record changed at the node; peers with a direct route should get it."""

    record: KeyRecord = field(repr=False)


@dataclass(frozen=True, slots=True)
class Resolve:
    """Look this name up for another actor, and tell `reply_to` when the contact's pin is up to date."""

    name: str = field(repr=False)
    reply_to: Tellable[Resolved | ResolveFailed] = field(repr=False)
    stranger: bool = False
    """A message of an unknown sender is the reason: a contact made now waits for its owner's consent."""


@dataclass(frozen=True, slots=True)
class Resolved(FromPeer):
    """The contact's record in the store is the node's newest, and follows from the pin."""

    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ResolveFailed(FromPeer):
    """It isn't: the node's refusal, or None if no answer came."""

    name: str = field(repr=False)
    code: Code | None


class PayloadKind(IntEnum):
    """What a stored message is; the numbers are the payloads' tags."""

    TEXT = 1
    HANDSHAKE_OFFER = 3
    HANDSHAKE_ACCEPT = 4
    HANDSHAKE_REVOKE = 5


HANDSHAKE_KINDS: Final = (PayloadKind.HANDSHAKE_OFFER, PayloadKind.HANDSHAKE_ACCEPT, PayloadKind.HANDSHAKE_REVOKE)


@dataclass(frozen=True, slots=True)
class HandshakeArrived(FromPeer):
    """A handshake message came in a seal of a confirmed sender, and is on disk, not marked as shown."""

    name: str = field(repr=False)
    message_id: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DirectRouteChanged:
    """The contact's direct route opened or ended, and a message about it may wait: what waits may take another way."""

    name: str = field(repr=False)


# -- the client's graph: an actor to itself ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkOn:
    """Continue with the proof of work from this counter: a slice at a time, so that the actor stays responsive."""

    start: int


@dataclass(frozen=True, slots=True)
class LogInAgain:
    """The pause after a failed login is over."""


@dataclass(frozen=True, slots=True)
class AcknowledgeNow:
    """What was received has been gathered long enough: acknowledge it together."""


# -- commands from the handles -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Register:
    """Register the store's identity at the node."""

    answer: Future[None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class GoOnline:
    """Log in, and keep the route alive from now on. The answer comes with the first login, or its refusal."""

    answer: Future[None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class TakeCard:
    """Someone gave the user this card of the node. The answer is whether it is newer, and now the one in use."""

    card: NodeCard
    answer: Future[bool] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeleteAccount:
    """Delete the account at the node. The answer is the time until which the name is held."""

    answer: Future[int] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FindContact:
    """Look a name up, and pin what comes."""

    name: str = field(repr=False)
    answer: Future[None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class SendText:
    """Send a text. The answer is its message id, once it is on disk."""

    name: str = field(repr=False)
    text: str = field(repr=False)
    answer: Future[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CancelText:
    """Send this text no more. The answer is False if it is on its way, or its fate is known."""

    message_id: bytes = field(repr=False)
    answer: Future[bool] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RetryText:
    """Send this text again. The answer is the id that it has now, or `RetryNotPossible`."""

    name: str = field(repr=False)
    message_id: bytes = field(repr=False)
    answer: Future[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RequestsDecided:
    """The user has decided about strangers, or brought contacts back: what was left at the node for that is judged."""


@dataclass(frozen=True, slots=True)
class IdentityLookedAt:
    """The user has looked at the contact's changed identity: what waited for that may go."""

    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class OfferHandshake:
    """Reveal our address to this contact, and ask for theirs. The user has agreed."""

    name: str = field(repr=False)
    answer: Future[None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AcceptHandshake:
    """Take this contact's offer and reveal our address. The user has agreed."""

    name: str = field(repr=False)
    answer: Future[None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class RevokeHandshake:
    """End the direct route, or decline the offer."""

    name: str = field(repr=False)
    answer: Future[None] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FindRecord:
    """Find what the node has under this name."""

    name: str = field(repr=False)
    answer: Future[FoundRecord] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """What the node has under a name, verified: the record, and the chain that it belongs to."""

    record: KeyRecord = field(repr=False)
    chain: tuple[Succession, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AskName:
    """Ask whether a new user could register this name. The answer is None, or why the node would refuse it."""

    name: str = field(repr=False)
    answer: Future[Code | None] = field(repr=False)


# -- what each actor takes ------------------------------------------------------------------------------------------

NodeIOInbox = TransportReported | SendReply
RegistrationNodeInbox = RequestArrived | MixnetConnected | MixnetDisconnected | Tick
LookupNodeInbox = RequestArrived
ForwardingNodeInbox = (
    RequestArrived | RouteOpened | IdentityReplaced | CardRenewed | MixnetConnected | MixnetDisconnected | CommitBatch
    | NoticesDue | Tick
)  # fmt: skip

ClientIOInbox = TransportReported | SendRequest | SendStatement | SendDirect | DropRoute | SetCard | Tick
RegistrationClientInbox = (
    Register | GoOnline | TakeCard | DeleteAccount | AnswerArrived | RequestFailed | TellArrived | MixnetConnected
    | MixnetDisconnected | RouteDoubted | NodeHeard | WorkOn | LogInAgain | Tick
)  # fmt: skip
LookupClientInbox = FindContact | Resolve | AnswerArrived | RequestFailed
ForwardingClientInbox = (
    SendText | CancelText | RetryText | RequestsDecided | IdentityLookedAt | AnswerArrived | RequestFailed | TellArrived
    | DirectArrived | WentOnline | WentOffline | Resolved | ResolveFailed | RecordPublished | DirectRouteChanged
    | AcknowledgeNow | Tick
)  # fmt: skip
HandshakeInbox = (
    OfferHandshake | AcceptHandshake | RevokeHandshake | HandshakeArrived | MixnetConnected | MixnetDisconnected
)  # fmt: skip
NameFinderInbox = FindRecord | AskName | AnswerArrived | RequestFailed
