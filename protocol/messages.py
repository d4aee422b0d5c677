"""The messages of protocol version 1: the closed list.

docs/protocol.md, "Messages", has the byte layout of each. The tag is the message's kind; its table says who signs it.
Requests begin with a random id that the answer echoes, and with the number of SURBs attached: the mixnet does not
tell the node how many came. What the node tells unasked begins with the login it is meant for and a counter.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from usernym.protocol.cards import NodeCard
from usernym.protocol.directory.checkpoints import SignedHead
from usernym.protocol.directory.proofs import ChainEnd, DeletedEnd, MapProof, Origin, OtherLeaf, check_room
from usernym.protocol.directory.shown import CONTINUING_HASHES_MAX, LogAsked, LogShown
from usernym.protocol.directory.witnesses import COSIGNATURE_BYTES, Cosignatures
from usernym.protocol.limits import (
    ACKNOWLEDGED_MAX,
    CONFIRMED_MAX,
    HASH_BYTES,
    LOG_PART_BYTES,
    NOTICES_MAX,
    SUCCESSIONS_PER_ANSWER_MAX,
)
from usernym.protocol.payloads import SEALED_SIZES
from usernym.protocol.records import KeyRecord, Succession
from usernym.protocol.wire import U8, U32, BootId, Hash, Id, Key, Mac, Name, Number, RequestId, Signature, Token, Wire

Sealed = Annotated[bytes, msgspec.Meta(min_length=min(SEALED_SIZES), max_length=max(SEALED_SIZES))]
"""A frame is refused unless this has one of `SEALED_SIZES`."""
Difficulty = Annotated[int, msgspec.Meta(ge=0, le=255)]
Work = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Confirmed = Annotated[tuple[Number, ...], msgspec.Meta(max_length=CONFIRMED_MAX)]


# -- a client asks ---------------------------------------------------------------------------------------------------


class RegisterAsk(Wire, frozen=True, tag=1):
    """May I have this name? The record itself comes with the proof; its hash binds the challenge to it."""

    request_id: RequestId
    surbs: U8
    name: Name
    identity_key: Key
    record_hash: Hash


class RegisterProof(Wire, frozen=True, tag=2):
    """The answer to a registration's challenge, with the record; signed by the record's identity key."""

    request_id: RequestId
    surbs: U8
    name: Name
    record: KeyRecord
    nonce: Id
    expires_at: U32
    difficulty: Difficulty
    mac: Mac
    work: Work


class LoginAsk(Wire, frozen=True, tag=3):
    """I am this user: challenge me."""

    request_id: RequestId
    surbs: U8
    name: Name


class LoginProof(Wire, frozen=True, tag=4):
    """The answer to a login's challenge: the only message that moves a route. `card_sequence` is that of the card by
    which the client speaks to the node: a node with a newer one tells it. `held` are the SURBs that the client gave
    under this sender tag before, and that the node should still have; `log` is what it wants to see of the directory's
    log."""

    request_id: RequestId
    surbs: U8
    name: Name
    nonce: Id
    expires_at: U32
    mac: Mac
    card_sequence: Number
    held: U8
    log: LogAsked = LogAsked(0, 0, 0)


class Publish(Wire, frozen=True, tag=5):
    """A newer record of my name; with `succession` if it changes the identity (then the new one signs)."""

    request_id: RequestId
    surbs: U8
    name: Name
    record: KeyRecord
    succession: Succession | None


class Paid(Wire, frozen=True):
    """The work that a full node has asked for, with the ticket that it named. See `lookup_work`."""

    ticket: U32
    work: Work


class Lookup(Wire, frozen=True, tag=6):
    """Whose name is this? Anonymous: anyone may ask. `prove` is 1 where the answer is to show that it is in the public
    directory, and may take two packets. `paid` is None unless the node has asked for work."""

    request_id: RequestId
    surbs: U8
    name: Name
    prove: Annotated[int, msgspec.Meta(ge=0, le=1)] = 0
    paid: Paid | None = None


class History(Wire, frozen=True, tag=7):
    """The chain of identities of a name, from link `start` on (0 is the first). Anonymous."""

    request_id: RequestId
    surbs: U8
    name: Name
    start: U8
    paid: Paid | None = None


class Forward(Wire, frozen=True, tag=8):
    """Forward this sealed message. It carries no SURBs: the answer goes to the sender's live route."""

    request_id: RequestId
    sender: Name
    recipient: Name
    message_id: Id
    made_at: U32
    key_number: Number
    sealed: Sealed
    inner_signature: Signature
    first_key: Key | None


class Delete(Wire, frozen=True, tag=9):
    """Delete my account; the name stays held for its owner."""

    request_id: RequestId
    surbs: U8
    name: Name
    made_at: U32


# -- a client tells --------------------------------------------------------------------------------------------------


class Acknowledged(Wire, frozen=True):
    """One message received. The token, taken from inside the seal, proves it to the sender; None proves nothing."""

    sender: Name
    message_id: Id
    token: Token | None


class Acknowledge(Wire, frozen=True, tag=10):
    """I have these; delete them. Not answered: what was lost is delivered again, and acknowledged again."""

    surbs: U8
    name: Name
    login_id: Id
    messages: Annotated[tuple[Acknowledged, ...], msgspec.Meta(min_length=1, max_length=ACKNOWLEDGED_MAX)]
    confirmed: Confirmed


class Unopenable(Wire, frozen=True, tag=11):
    """I have no key that opens this one. `statement` is signed for the sender, who seals again. Not answered."""

    surbs: U8
    name: Name
    login_id: Id
    sender: Name
    message_id: Id
    statement: Signature


class Heartbeat(Wire, frozen=True, tag=12):
    """I am here, on the route of this login. `confirmed` lists notices received; `log` is as in a login.
    Answered by `Alive`."""

    request_id: RequestId
    surbs: U8
    name: Name
    login_id: Id
    confirmed: Confirmed
    log: LogAsked = LogAsked(0, 0, 0)


class TopUp(Wire, frozen=True, tag=13):
    """SURBs for my route. Not answered: the next heartbeat's answer says what the node holds."""

    surbs: U8
    name: Name
    login_id: Id


class LogRead(Wire, frozen=True, tag=15):
    """What has the log of the directory, from this byte of this epoch on? Anonymous: anyone may ask."""

    request_id: RequestId
    surbs: U8
    epoch: U32
    offset: U32


# -- a node asks another one -----------------------------------------------------------------------------------------


class Cosign(Wire, frozen=True, tag=14):
    """Sign the head of my log, too. `log` is the key of the node that asks, and signs this; `hashes` show how the
    head's log continues the one of `known` entries, as in `LogShown`."""

    request_id: RequestId
    surbs: U8
    log: Key
    head: SignedHead
    known: U32
    hashes: Annotated[bytes, msgspec.Meta(max_length=CONTINUING_HASHES_MAX * HASH_BYTES)]


# -- the node answers ------------------------------------------------------------------------------------------------


class Challenge(Wire, frozen=True, tag=20):
    """Prove it: sign this nonce, and do this much work. The MAC lets the node forget the challenge."""

    request_id: RequestId
    nonce: Id
    expires_at: U32
    difficulty: Difficulty
    mac: Mac


class Registered(Wire, frozen=True, tag=21):
    """The name is yours, now or already."""

    request_id: RequestId


class LoggedIn(Wire, frozen=True, tag=22):
    """The route is yours. `record_number` is that of the record the node has; `now` is its clock, in Unix seconds;
    `stock` are the SURBs that it counts on for this route; `log` is what it shows of the directory's log, if it can."""

    request_id: RequestId
    login_id: Id
    boot_id: BootId
    record_number: Number
    now: U32
    stock: U8
    log: LogShown | None = None


class Published(Wire, frozen=True, tag=23):
    """The node now answers lookups with the record of this number."""

    request_id: RequestId
    record_number: Number


class Found(Wire, frozen=True, tag=24):
    """The user's key record."""

    request_id: RequestId
    record: KeyRecord


class Links(Wire, frozen=True, tag=25):
    """Part of a chain of identities, from the link that was asked for; `total` is the chain's length."""

    request_id: RequestId
    links: Annotated[tuple[Succession, ...], msgspec.Meta(max_length=SUCCESSIONS_PER_ANSWER_MAX)]
    total: U8


class Accepted(Wire, frozen=True, tag=26):
    """The message is on the node's disk, and will be delivered or reported."""

    request_id: RequestId


class Deleted(Wire, frozen=True, tag=27):
    """The account is gone; the name is held for its owner until then (Unix seconds)."""

    request_id: RequestId
    held_until: U32


class Alive(Wire, frozen=True, tag=28):
    """The route works. `boot_id` is new when the node lost its reply stock; `stock` is what it holds for this
    route; `log` is as in a login."""

    request_id: RequestId
    boot_id: BootId
    stock: U32
    log: LogShown | None = None


class Refused(Wire, frozen=True, tag=29):
    """No, and why: a `Code`. `detail` is the node's clock for CLOCK_SKEW, seconds to wait for BUSY, a ticket for
    WORK_WANTED, else 0."""

    request_id: RequestId
    code: U8
    detail: U32


class Proved(Wire, frozen=True, tag=30):
    """The user's key record, and that the public directory has its identity. `origin` is what the record that made the
    identity has otherwise; None if it is this one. `cosignatures` are those of other nodes to the proof's head."""

    request_id: RequestId
    name: Name
    record: KeyRecord
    origin: Origin | None
    chain: ChainEnd
    proof: MapProof
    cosignatures: Cosignatures = b""

    def __post_init__(self) -> None:
        check_room(self.proof, self.cosignatures)


class Absent(Wire, frozen=True, tag=31):
    """No one has this name, as the public directory shows: by the leaf at which the way to it ends, or by the end of
    its chain. One of the two is None."""

    request_id: RequestId
    name: Name
    other: OtherLeaf | None
    deletion: DeletedEnd | None
    proof: MapProof
    cosignatures: Cosignatures = b""

    def __post_init__(self) -> None:
        check_room(self.proof, self.cosignatures)


class Promised(Wire, frozen=True, tag=32):
    """The user's key record, whose identity no epoch has yet; and the promise that one made by `due` (Unix seconds, the
    node's clock) will have it. `chain` is the end that the name's chain has with all that waits, `size` how many epochs
    there are now. `origin` is as in `Proved`."""

    request_id: RequestId
    name: Name
    record: KeyRecord
    origin: Origin | None
    chain: ChainEnd
    size: U32
    due: U32


class Cosigned(Wire, frozen=True, tag=33):
    """A witness's word on a head. `cosignature` is its signature, empty if it did not sign. Then `head` is the newest
    one of that log that it has signed, None if it has signed none; and `witness` is 0 if it signs none."""

    request_id: RequestId
    witness: Annotated[int, msgspec.Meta(ge=0, le=1)]
    head: SignedHead | None
    cosignature: Annotated[bytes, msgspec.Meta(max_length=COSIGNATURE_BYTES)]


class LogPart(Wire, frozen=True, tag=34):
    """A part of the log, with each epoch as `epochs.joined` has it; `size` is how many there are."""

    request_id: RequestId
    size: U32
    data: Annotated[bytes, msgspec.Meta(max_length=LOG_PART_BYTES)]


# -- the node tells, unasked -----------------------------------------------------------------------------------------


class Deliver(Wire, frozen=True, tag=40):
    """A message for you, as its sender sealed and signed it."""

    login_id: Id
    counter: Number
    sender: Name
    message_id: Id
    key_number: Number
    sealed: Sealed
    inner_signature: Signature
    first_key: Key | None


class Receipt(Wire, frozen=True):
    """One of the client's messages was received: the token is the proof. `notice` is confirmed by number."""

    notice: Number
    message_id: Id
    token: Token


class Delivered(Wire, frozen=True, tag=41):
    """These reached their recipients' clients."""

    login_id: Id
    counter: Number
    receipts: Annotated[tuple[Receipt, ...], msgspec.Meta(min_length=1, max_length=NOTICES_MAX)]


class NotOpened(Wire, frozen=True, tag=43):
    """The recipient has no key for this one; `statement` is the recipient's signature over that."""

    login_id: Id
    counter: Number
    notice: Number
    recipient: Name
    message_id: Id
    statement: Signature


class SurbsWanted(Wire, frozen=True, tag=44):
    """I need this many SURBs for what waits for you."""

    login_id: Id
    counter: Number
    count: U8


class NewCard(Wire, frozen=True, tag=45):
    """The node's newer card."""

    login_id: Id
    counter: Number
    card: NodeCard


class Displaced(Wire, frozen=True, tag=46):
    """Another login took the route: this one ends."""

    login_id: Id
    counter: Number


# -- client to client, without the node ------------------------------------------------------------------------------


class Direct(Wire, frozen=True, tag=60):
    """A sealed message sent to the recipient's address: the bytes that `Deliver` would carry."""

    sender: Name
    message_id: Id
    key_number: Number
    sealed: Sealed
    inner_signature: Signature


Challenged = RegisterAsk | RegisterProof | LoginAsk | LoginProof
Request = Challenged | Publish | Lookup | History | Forward | Delete | Heartbeat | LogRead
Statement = Acknowledge | Unopenable | TopUp
FromClient = Request | Statement
ToNode = FromClient | Cosign
Answer = (
    Challenge | Registered | LoggedIn | Published | Found | Links | Accepted | Deleted | Alive | Refused
    | Proved | Absent | Promised | Cosigned | LogPart
)  # fmt: skip
Tell = Deliver | Delivered | NotOpened | SurbsWanted | NewCard | Displaced
FromNode = Answer | Tell
Message = ToNode | FromNode | Direct

SIGNED_BY_CLIENT: Final = (
    RegisterProof, LoginProof, Publish, Forward, Delete, Acknowledge, Unopenable, Heartbeat, TopUp, Cosign
)  # fmt: skip
SIGNED_BY_NODE: Final = (
    Challenge, Registered, LoggedIn, Published, Found, Links, Accepted, Deleted, Alive, Refused, Proved, Absent,
    Promised, Cosigned, LogPart, Deliver, Delivered, NotOpened, SurbsWanted, NewCard, Displaced,
)  # fmt: skip
UNSIGNED: Final = (RegisterAsk, LoginAsk, Lookup, History, LogRead, Direct)
"""Asks prove nothing yet; lookups are anonymous; a direct message has its inner signature."""
