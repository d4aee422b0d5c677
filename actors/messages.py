"""The messages that actors tell each other, all in one file: typed, frozen, and showing no content when printed.

Commands are imperatives, events are in the past tense. A `Future` in a command is where its answer goes: so the
handles (`usernym.Client`, `usernym.Finder`) and tests get results, and no actor waits for another. What is set on it
when there is no answer is in `usernym.actors.failures`.

The order: mixnet I/O, the node's graph, the client's graph from I/O outwards, commands from the handles, and at the
end each actor's inbox: the union of all messages that it takes.
"""

from __future__ import annotations

from concurrent.futures import Future
from enum import IntEnum
from typing import Final

from usernym.actors.base import FromPeer, PrivateValue, Tellable
from usernym.actors.failures import Failure
from usernym.mixnet.transport import Incoming, TransportEvent
from usernym.protocol import messages as m
from usernym.protocol.cards import NodeCard
from usernym.protocol.codec import Frame, Unsigned
from usernym.protocol.directory.shown import OwnPlace
from usernym.protocol.errors import Code
from usernym.protocol.evidence import Evidence
from usernym.protocol.records import KeyRecord, Succession

# -- mixnet I/O, both graphs -------------------------------------------------------------------------------------------


class TransportReported(FromPeer, frozen=True):
    """The transport's event, handed over from the transport's thread."""

    event: TransportEvent

    @property
    def by_peer(self) -> bool:
        """Whether it brings a peer's bytes."""
        return isinstance(self.event, Incoming)


class MixnetConnected(PrivateValue, frozen=True):
    """There is a mixnet client with this address. It may have lost everything it knew: `boot_id` is new each time."""

    address: bytes
    boot_id: bytes
    older: bool = False
    """Whether the mixnet client may still have what others gave to it before this process was there."""
    fresh_tags: bool = False
    """See `Transport`."""


class MixnetDisconnected(PrivateValue, frozen=True):
    """There is no mixnet client for now. `reason` can be shown."""

    reason: str


class Tick(PrivateValue, frozen=True):
    """Time has passed: sweep, retry, rotate."""


# -- the node's graph --------------------------------------------------------------------------------------------------


class RequestArrived(FromPeer, frozen=True):
    """A decoded frame from a client, and the tag to answer to. Its signature has not been checked."""

    frame: Frame
    tag: bytes


class AskNode(FromPeer, frozen=True):
    """Send this to an address of another node, with SURBs for its answer."""

    card: NodeCard
    address: bytes
    request: m.Cosign | m.LogRead


class NodeAnswered(FromPeer, frozen=True):
    """A frame of another node, whose signature has not been checked."""

    frame: Frame


class SendReply(FromPeer, frozen=True):
    """Sign this and send it to a sender tag, over the SURBs that came from there: one for each packet."""

    tag: bytes
    reply: Unsigned


class RouteOpened(FromPeer, frozen=True):
    """A login moved a user's route: to this tag, under this login id."""

    name: str
    identity_key: bytes
    tag: bytes
    login_id: bytes
    surbs: int
    """That the node counts on."""
    card_sequence: int
    """The sequence of the card that the user's client has."""
    fence: int
    """By which this worker took the route."""


class IdentityReplaced(PrivateValue, frozen=True):
    """A user's identity key changed, or the account is gone: what the old key opened is closed."""

    name: str


class CardRenewed(PrivateValue, frozen=True):
    """This is the node's card from now on; users with an older one must get it."""

    card: NodeCard
    leaving: bool = False
    """Whether this worker is going to end, and the card sends its users to others: they get it at once."""


class RoutesEnded(PrivateValue, frozen=True):
    """The other workers took this one for dead: its users may have gone to them."""


class HintsDue(FromPeer, frozen=True):
    """Another worker may have stored something for a user whose route is here. `polled`: so it is each second."""

    polled: bool = False


class Drain(PrivateValue, frozen=True):
    """Send the users to the other workers, if there are any: this one is to end."""


class CommitBatch(FromPeer, frozen=True):
    """Commit what has been gathered: put behind the messages that wait, so that they share one commit."""


class CardDue(PrivateValue, frozen=True):
    """The node's card could not be stored: try it again."""


class BeatDue(PrivateValue, frozen=True):
    """A worker of several is to show the others that it lives."""


class NoticesDue(FromPeer, frozen=True):
    """Notices have been gathered long enough: send them together."""


# -- the client's graph: between I/O and the exchanges -----------------------------------------------------------------


class SendRequest(PrivateValue, frozen=True):
    """Send this to the node, again while it goes unanswered, and tell `reply_to` what came of it."""

    request: m.Request
    reply_to: Tellable[AnswerArrived | RequestFailed]
    unlinked: bool = False
    """Whether it goes under a sender tag of its own, where the two mixnet clients can do that; lookups always do."""


class AnswerArrived(FromPeer, frozen=True):
    """The node's signed answer to a request that was waiting for it."""

    request: m.Request
    answer: m.Answer
    frame: bytes
    """What the node signed."""


class RequestFailed(PrivateValue, frozen=True):
    """No answer came, or none can come."""

    request: m.Request
    failure: Failure


class SendStatement(PrivateValue, frozen=True):
    """Send this to the node; no answer comes. I/O attaches the SURBs that the node's stock for this route lacks."""

    statement: m.Statement


class SendDirect(PrivateValue, frozen=True):
    """Send this to a peer's own address."""

    address: bytes
    message: m.Direct


class TellArrived(FromPeer, frozen=True):
    """What the node sent unasked: signed by it, for this login (or, for deliveries, the one before), and new."""

    tell: m.Tell


class DirectArrived(FromPeer, frozen=True):
    """A frame came straight to our address, from an unknown sender. Nothing in it has been checked."""

    message: m.Direct


class DropRoute(PrivateValue, frozen=True):
    """There is no route. Deliveries for the login `previous`, the last one, still count."""

    previous: bytes | None


class SetCard(PrivateValue, frozen=True):
    """The node is at these addresses from now on; what is asked before a login goes to one of those `given` by hand."""

    addresses: tuple[bytes, ...]
    given: tuple[bytes, ...]
    fresh_tags: bool
    """Whether the card that was given by hand says that the node takes them."""


class EvidenceFound(PrivateValue, frozen=True):
    """The node signed what an honest node never signs."""

    evidence: Evidence


class NodeHeard(PrivateValue, frozen=True):
    """The route works: the node said something on it."""


class AddressChanged(PrivateValue, frozen=True):
    """The user asks the node at another of its addresses from now on: routes and challenges of the others are gone."""


# -- the client's graph: between the exchanges -------------------------------------------------------------------------


class WentOnline(PrivateValue, frozen=True):
    """A login holds the route. `clock_offset_s` is the node's clock less ours."""

    login_id: bytes
    clock_offset_s: int


class WentOffline(PrivateValue, frozen=True):
    """The route is gone, or in doubt."""


class RouteDoubted(PrivateValue, frozen=True):
    """Something that needed the route went unanswered: check it."""


class RecordPublished(PrivateValue, frozen=True):
    """Our record changed at the node; peers with a direct route should get it."""

    record: KeyRecord


class Resolve(PrivateValue, frozen=True):
    """Look this name up for another actor, and tell `reply_to` when the contact's pin is up to date."""

    name: str
    reply_to: Tellable[Resolved | ResolveFailed]
    stranger: bool = False
    """A message of an unknown sender is the reason: nothing is stored for a name that is no contact."""


class Resolved(FromPeer, frozen=True):
    """The contact's record in the store is the node's newest, and follows from the pin."""

    name: str
    found: FoundRecord | None = None
    """What a name has that is no contact: nothing proves yet that its owner has written."""


class ResolveFailed(FromPeer, frozen=True):
    """It isn't: the node's refusal, or None if no answer came."""

    name: str
    code: Code | None


class PayloadKind(IntEnum):
    """What a stored message is; the numbers are the payloads' tags."""

    TEXT = 1
    HANDSHAKE_OFFER = 3
    HANDSHAKE_ACCEPT = 4
    HANDSHAKE_REVOKE = 5
    FILE_OFFER = 6
    FILE_WANTED = 7
    FILE_CHUNK = 8
    FILE_ENDED = 9


PASSING_KINDS: Final = (PayloadKind.FILE_WANTED, PayloadKind.FILE_CHUNK, PayloadKind.FILE_ENDED)
"""Messages about a file that are no part of a conversation: not counted, and removed when their fate is known."""
FILE_KINDS: Final = (PayloadKind.FILE_OFFER, *PASSING_KINDS)
HANDSHAKE_KINDS: Final = (PayloadKind.HANDSHAKE_OFFER, PayloadKind.HANDSHAKE_ACCEPT, PayloadKind.HANDSHAKE_REVOKE)


class HandshakeArrived(FromPeer, frozen=True):
    """A handshake message came in a seal of a confirmed sender, and is on disk, not marked as shown."""

    name: str
    message_id: bytes


class DirectRouteChanged(PrivateValue, frozen=True):
    """The contact's direct route opened or ended, and a message about it may wait: what waits may take another way."""

    name: str


# -- the client's graph: an actor to itself ----------------------------------------------------------------------------


class WorkOn(PrivateValue, frozen=True):
    """Continue with the proof of work from this counter: a slice at a time, so that the actor stays responsive."""

    start: int


class WorkWanted(PrivateValue, frozen=True):
    """The node has too many lookups: this one is to be sent when the work for its ticket is done. It was searched for
    below `start`."""

    request: m.Lookup | m.History
    ticket: int
    start: int = 0


class HeartbeatDue(PrivateValue, frozen=True):
    """A heartbeat that had to wait for the one before may follow now."""


class LogInAgain(PrivateValue, frozen=True):
    """The pause after a failed login is over."""


class LooksDue(PrivateValue, frozen=True):
    """Look whether a promise of the node's is to be checked, or the own name looked up."""


class AcknowledgeNow(PrivateValue, frozen=True):
    """What was received has been gathered long enough: acknowledge it together."""


# -- commands from the handles -----------------------------------------------------------------------------------------


class Register(PrivateValue, frozen=True):
    """Register the store's identity at the node."""

    answer: Future[None]


class GoOnline(PrivateValue, frozen=True):
    """Log in, and keep the route alive from now on. The answer comes with the first login, or its refusal."""

    answer: Future[None]


class TakeCard(PrivateValue, frozen=True):
    """Someone gave the user this card of the node. The answer is whether it is newer, and now the one in use."""

    card: NodeCard
    answer: Future[bool]


class DeleteAccount(PrivateValue, frozen=True):
    """Delete the account at the node. The answer is the time until which the name is held."""

    answer: Future[int]


class FindContact(PrivateValue, frozen=True):
    """Look a name up, and pin what comes."""

    name: str
    answer: Future[None]


class SendText(PrivateValue, frozen=True):
    """Send a text. The answer is its message id, once it is on disk."""

    name: str
    text: str
    answer: Future[bytes]


class CancelText(PrivateValue, frozen=True):
    """Send this text no more. The answer is False if it is on its way, or its fate is known."""

    message_id: bytes
    answer: Future[bool]


class RetryText(PrivateValue, frozen=True):
    """Send this text again. The answer is the id that it has now, or `RetryNotPossible`."""

    name: str
    message_id: bytes
    answer: Future[bytes]


class SendFile(PrivateValue, frozen=True):
    """Offer a file to a contact, under a name that `files.is_name` takes. The answer is the offer's message id."""

    recipient: str
    name: str
    kind: int
    content: bytes
    answer: Future[bytes]


class EndFile(PrivateValue, frozen=True):
    """Send or receive this file no more, or all with this contact. `erase`: keep nothing. The answer is how many."""

    contact: str
    message_id: bytes | None
    erase: bool
    answer: Future[int]


class RequestsDecided(PrivateValue, frozen=True):
    """The user has decided about strangers, or brought contacts back: what was left at the node for that is judged."""


class IdentityLookedAt(PrivateValue, frozen=True):
    """The user has looked at the contact's changed identity: what waited for that may go."""

    name: str


class OfferHandshake(PrivateValue, frozen=True):
    """Reveal our address to this contact, and ask for theirs. The user has agreed."""

    name: str
    answer: Future[None]


class AcceptHandshake(PrivateValue, frozen=True):
    """Take this contact's offer and reveal our address. The user has agreed."""

    name: str
    answer: Future[None]


class RevokeHandshake(PrivateValue, frozen=True):
    """End the direct route, or decline the offer."""

    name: str
    answer: Future[None]


class FindRecord(PrivateValue, frozen=True):
    """Find what the node has under this name."""

    name: str
    answer: Future[FoundRecord]


class OwnNameShown(FromPeer, frozen=True):
    """What the node answers to who looks the user's name up. Its record and its proof hold, if it has any. `then` is
    the name's place in the log as it was known when the name was asked about."""

    answer: m.Answer
    then: OwnPlace | None


class FoundRecord(PrivateValue, frozen=True):
    """What the node has under a name, verified. `log_size`: how many epochs the public directory had that showed the
    identity, None if nothing did; `lacks_witnesses` is as in `Contact`; `promise`: the frame with that proof, or with
    the promise of one."""

    record: KeyRecord
    chain: tuple[Succession, ...]
    log_size: int | None = None
    lacks_witnesses: bool = False
    promise: bytes | None = None


class AskName(PrivateValue, frozen=True):
    """Ask whether a new user could register this name. The answer is None, or why the node would refuse it."""

    name: str
    answer: Future[Code | None]


# -- what each actor takes ------------------------------------------------------------------------------------------

NodeIOInbox = TransportReported | SendReply | AskNode
RegistrationNodeInbox = (
    RequestArrived | MixnetConnected | MixnetDisconnected | CommitBatch | CardDue | BeatDue | Drain | Tick
)
LookupNodeInbox = RequestArrived
DirectoryNodeInbox = NodeAnswered | Tick
WitnessNodeInbox = RequestArrived | NodeAnswered
ForwardingNodeInbox = (
    RequestArrived | RouteOpened | IdentityReplaced | CardRenewed | MixnetConnected | MixnetDisconnected | CommitBatch
    | NoticesDue | HintsDue | RoutesEnded | Tick
)  # fmt: skip

ClientIOInbox = TransportReported | SendRequest | SendStatement | SendDirect | DropRoute | SetCard | Tick
RegistrationClientInbox = (
    Register | GoOnline | TakeCard | DeleteAccount | AnswerArrived | RequestFailed | TellArrived | MixnetConnected
    | MixnetDisconnected | RouteDoubted | NodeHeard | AddressChanged | EvidenceFound | WorkOn | HeartbeatDue
    | LogInAgain | OwnNameShown | Tick
)  # fmt: skip
LookupClientInbox = (
    FindContact | Resolve | AnswerArrived | RequestFailed | WentOnline | WentOffline | LooksDue | WorkWanted
)  # fmt: skip
ForwardingClientInbox = (
    SendText | CancelText | RetryText | SendFile | EndFile | RequestsDecided | IdentityLookedAt | AnswerArrived
    | RequestFailed | TellArrived | DirectArrived | WentOnline | WentOffline | Resolved | ResolveFailed
    | RecordPublished | DirectRouteChanged | AcknowledgeNow | Tick
)  # fmt: skip
HandshakeInbox = (
    OfferHandshake | AcceptHandshake | RevokeHandshake | HandshakeArrived | MixnetConnected | MixnetDisconnected
)  # fmt: skip
NameFinderInbox = FindRecord | AskName | AnswerArrived | RequestFailed | WorkWanted
