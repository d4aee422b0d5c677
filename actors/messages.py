"""What the actors of a graph tell each other, typed and frozen. Nothing here shows its content when it is printed.

Commands are imperatives, events are in the past tense. A `Future` in a command is where its answer goes: it is how the
edges (command line, apps, tests) get results without any actor waiting for another.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from usernym.actors.base import Inquire, Tellable
from usernym.actors.failures import Failure as Failure  # noqa: PLC0414 - told on from here
from usernym.actors.failures import HandshakeNotPossible as HandshakeNotPossible  # noqa: PLC0414 - told on from here
from usernym.actors.failures import NodeRefused as NodeRefused  # noqa: PLC0414 - told on from here
from usernym.actors.failures import NodeSilent as NodeSilent  # noqa: PLC0414 - told on from here
from usernym.actors.failures import TextTooLong as TextTooLong  # noqa: PLC0414 - told on from here
from usernym.actors.text_messages import CancelText as CancelText  # noqa: PLC0414 - told on from here
from usernym.actors.text_messages import RequestsDecided as RequestsDecided  # noqa: PLC0414 - told on from here
from usernym.actors.text_messages import RetryText as RetryText  # noqa: PLC0414 - told on from here
from usernym.mixnet.transport import TransportEvent
from usernym.protocol import messages as m
from usernym.protocol.cards import NodeCard
from usernym.protocol.codec import Frame
from usernym.protocol.errors import Code
from usernym.protocol.records import KeyRecord

# -- mixnet I/O, both graphs -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TransportReported:
    """The transport's event, handed over from the transport's thread."""

    event: TransportEvent = field(repr=False)


@dataclass(frozen=True, slots=True)
class MixnetUp:
    """There is a mixnet client with this address. It may have lost everything it knew: `boot_id` is new each time."""

    address: bytes = field(repr=False)
    boot_id: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MixnetDown:
    """There is none for now (or ever, if `final`)."""

    reason: str
    final: bool


# -- the node's graph ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RequestArrived:
    """A decoded frame from a client, and the tag to answer to. Its signature has not been checked."""

    frame: Frame
    tag: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SendReply:
    """Sign this and send it to a sender tag, over the SURBs it gave."""

    tag: bytes = field(repr=False)
    message: m.FromNode = field(repr=False)


@dataclass(frozen=True, slots=True)
class RouteOpened:
    """A login moved a user's route: to this tag, under this login id, with this many SURBs in stock."""

    name: str = field(repr=False)
    identity_key: bytes = field(repr=False)
    tag: bytes = field(repr=False)
    login_id: bytes = field(repr=False)
    surbs: int
    card_sequence: int
    """The sequence of the card that the user's client has."""


@dataclass(frozen=True, slots=True)
class CardRenewed:
    """This is the node's card from now on; users with an older one are to be told."""

    card: NodeCard


@dataclass(frozen=True, slots=True)
class IdentityReplaced:
    """A user's identity key changed (or, with None, the account is gone): what the old key opened is closed."""

    name: str = field(repr=False)
    identity_key: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class WorkOn:
    """Go on with the proof of work from this counter: a slice at a time, so that the actor stays responsive."""

    start: int


@dataclass(frozen=True, slots=True)
class AcknowledgeNow:
    """What was received has been gathered long enough: acknowledge it together."""


@dataclass(frozen=True, slots=True)
class CommitBatch:
    """Commit what has been gathered: put behind the messages that wait, so that they share one commit."""


@dataclass(frozen=True, slots=True)
class NoticesDue:
    """Notices have been gathered long enough: send them together."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: sweep, retry, rotate."""


# -- the client's graph: between I/O and the exchanges ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendRequest:
    """Send this to the node, again while it goes unanswered, and tell `reply_to` what came of it."""

    request: m.Request = field(repr=False)
    reply_to: Tellable[AnswerArrived | RequestFailed] = field(repr=False)


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
class AnswerArrived:
    """The node's signed answer to a request that was waiting for it."""

    request: m.Request = field(repr=False)
    answer: m.Answer = field(repr=False)


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """No answer came, or none can come."""

    request: m.Request = field(repr=False)
    failure: Failure


@dataclass(frozen=True, slots=True)
class TellArrived:
    """What the node told unasked: signed by it, for this login (or, for deliveries, the one before), and new."""

    tell: m.Tell = field(repr=False)


@dataclass(frozen=True, slots=True)
class DirectArrived:
    """A frame came from nobody in particular, straight to our address. Nothing in it has been checked."""

    message: m.Direct = field(repr=False)


@dataclass(frozen=True, slots=True)
class DropRoute:
    """There is no route. Deliveries that were told to the login `previous`, the last one, still count."""

    previous: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SetCard:
    """The node is at this address from now on."""

    address: bytes = field(repr=False)


# -- the client's graph: between the exchanges -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WentOnline:
    """A login holds the route. `clock_offset_s` is the node's clock less ours."""

    login_id: bytes = field(repr=False)
    clock_offset_s: int
    waiting: int


@dataclass(frozen=True, slots=True)
class WentOffline:
    """The route is gone, or in doubt."""


@dataclass(frozen=True, slots=True)
class RouteDoubted:
    """Something that needed the route went unanswered: check it."""


@dataclass(frozen=True, slots=True)
class LogInAgain:
    """The pause after a failed login is over."""


@dataclass(frozen=True, slots=True)
class NodeHeard:
    """The route works: the node said something on it."""


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
class Resolved:
    """The contact's record in the store is the node's newest, and follows from the pin."""

    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ResolveFailed:
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
class HandshakeArrived:
    """A handshake message came in a seal of a confirmed sender, and is on disk, not marked as shown."""

    name: str = field(repr=False)
    message_id: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class IdentityLookedAt:
    """The user has looked at the contact's changed identity: what waited for that may go."""

    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DirectRouteChanged:
    """The contact's direct route opened or ended, and a message about it may wait: what waits may take another way."""

    name: str = field(repr=False)


# -- commands from the edges -----------------------------------------------------------------------------------------


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
    """Somebody gave the user this card of the node. The answer is whether it is newer, and now the one in use."""

    card: NodeCard
    answer: Future[bool] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeleteAccount:
    """Delete the account at the node. The answer is the time until which the name is held."""

    answer: Future[int] = field(repr=False)


@dataclass(frozen=True, slots=True)
class LookUp:
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


IoNode = TransportReported | SendReply | Inquire
IoClient = TransportReported | SendRequest | SendStatement | SendDirect | DropRoute | SetCard | Tick | Inquire
RegistrationNodeInbox = RequestArrived | MixnetUp | MixnetDown | Tick | Inquire
LookupNodeInbox = RequestArrived | Inquire
ForwardingNodeInbox = (
    RequestArrived | RouteOpened | IdentityReplaced | CardRenewed | MixnetUp | MixnetDown | CommitBatch | NoticesDue
    | Tick | Inquire
)  # fmt: skip
RegistrationClientInbox = (
    Register | GoOnline | TakeCard | DeleteAccount | AnswerArrived | RequestFailed | TellArrived | MixnetUp | MixnetDown
    | RouteDoubted | NodeHeard | WorkOn | LogInAgain | Tick | Inquire
)  # fmt: skip
LookupClientInbox = LookUp | Resolve | AnswerArrived | RequestFailed | Inquire
ForwardingClientInbox = (
    SendText | CancelText | RetryText | AnswerArrived | RequestFailed | TellArrived | DirectArrived | WentOnline
    | WentOffline | Resolved | ResolveFailed | RecordPublished | DirectRouteChanged | IdentityLookedAt | RequestsDecided
    | AcknowledgeNow | Tick | Inquire
)  # fmt: skip
HandshakeInbox = OfferHandshake | AcceptHandshake | RevokeHandshake | HandshakeArrived | MixnetUp | MixnetDown | Inquire
