"""Vectors of frames: one or more good ones of every kind of message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.vectors.generator.base import ALICE, BOB, NODE, NOW, VERSION, Signer, Vector, fixed, good, hexed, pack, plain
from tests.vectors.generator.identity import ADDRESSES, CARD, CHAIN, CHANGED, RECORD, SUCCESSION, card

LONG: Final = "a_name_of_thirty_two_letters_123"
OTHER_LONG: Final = "z23456789_123456789_123456789_12"
UINT32_MAX: Final = 2**32 - 1


@dataclass(frozen=True)
class Message:
    """A message as tag and fields, with who signs it under which context."""

    kind: str
    tag: int
    fields: tuple[object, ...]
    context: str | None = None
    key: Signer = ALICE

    @property
    def body(self) -> bytes:
        """The canonical encoding."""
        return pack((self.tag, *self.fields))

    def replaced(self, at: int, value: object) -> Message:
        """The message with another field number `at`, counted from 0 behind the tag."""
        fields = (*self.fields[:at], value, *self.fields[at + 1 :])
        return Message(self.kind, self.tag, fields, self.context, self.key)


def frame_of(body: bytes, context: str | None, key: Signer) -> bytes:
    """The frame of a body, signed under `context` if there is one."""
    return VERSION + body + (key.sign(context, NODE.public, body) if context else b"")


def frame(message: Message) -> bytes:
    """The frame of a message."""
    return frame_of(message.body, message.context, message.key)


def asked(kind: str, tag: int, *fields: object, key: Signer | None = ALICE) -> Message:
    """A message of a client: signed by `key`, or by no one."""
    return Message(kind, tag, fields, "request" if key else None, key or ALICE)


def answered(kind: str, tag: int, *fields: object) -> Message:
    """A node's answer."""
    return Message(kind, tag, fields, "answer", NODE)


def told(kind: str, tag: int, *fields: object) -> Message:
    """What a node tells unasked."""
    return Message(kind, tag, fields, "tell", NODE)


REQUEST_ID: Final = fixed("request id", 8)
LOGIN_ID: Final = fixed("login id", 16)
BOOT_ID: Final = fixed("boot id", 8)
NONCE: Final = fixed("nonce", 16)
MESSAGE_ID: Final = fixed("message id", 16)
TOKEN: Final = fixed("token", 16)
MAC: Final = fixed("mac", 16)
SEALED: Final = fixed("sealed bytes", 1136 + 169)
INNER: Final = fixed("inner signature", 64)

TICKET: Final = NOW // 60 % 2**24 << 8 | 16
REGISTER_ASK: Final = asked("RegisterAsk", 1, REQUEST_ID, 2, "alice", ALICE.public, fixed("record hash"), key=None)
REGISTER_PROOF: Final = asked("RegisterProof", 2, REQUEST_ID, 2, "alice", RECORD, NONCE, NOW + 600, 18, MAC, 2**40 + 7)
LOGIN_ASK: Final = asked("LoginAsk", 3, REQUEST_ID, 2, "alice", key=None)
LOGIN_PROOF: Final = asked("LoginProof", 4, REQUEST_ID, 2, "alice", NONCE, NOW + 600, MAC, 3, 17, (0, 0, 1))
PUBLISH: Final = asked("Publish", 5, REQUEST_ID, 2, "alice", RECORD, None)
PAID: Final = (TICKET, 91_327)
LOOKUP: Final = asked("Lookup", 6, REQUEST_ID, 2, "bob", 0, None, key=None)
HISTORY: Final = asked("History", 7, REQUEST_ID, 4, "alice", 0, None, key=None)
FORWARD: Final = asked("Forward", 8, REQUEST_ID, "alice", "bob", MESSAGE_ID, NOW, 3, SEALED, INNER, None)
DELETE: Final = asked("Delete", 9, REQUEST_ID, 2, "alice", NOW)
ACKNOWLEDGE: Final = asked(
    "Acknowledge", 10, 2, "bob", LOGIN_ID, (("alice", MESSAGE_ID, TOKEN), ("carol", TOKEN, None)), (1, 200), key=BOB
)
UNOPENABLE: Final = asked("Unopenable", 11, 0, "bob", LOGIN_ID, "alice", MESSAGE_ID, INNER, key=BOB)
HEARTBEAT: Final = asked("Heartbeat", 12, REQUEST_ID, 2, "alice", LOGIN_ID, (7,), (70_000, 69_950, 0))
TOP_UP: Final = asked("TopUp", 13, 10, "alice", LOGIN_ID)
CHALLENGE: Final = answered("Challenge", 20, REQUEST_ID, NONCE, NOW + 600, 18, MAC)
REGISTERED: Final = answered("Registered", 21, REQUEST_ID)
_LEAF: Final = (
    NOW, 1_000_000, 3, fixed("chain"), bytes(range(20)), (fixed("label key"), fixed("label proof", 80), fixed("former"))
)  # fmt: skip
_SHOWN: Final = (70_000, fixed("head", 64), _LEAF, fixed("hashes", 30 * 32), fixed("cosignatures", 152))
LOGGED_IN: Final = answered("LoggedIn", 22, REQUEST_ID, LOGIN_ID, BOOT_ID, 12, NOW, 21, _SHOWN)
PUBLISHED: Final = answered("Published", 23, REQUEST_ID, 12)
FOUND: Final = answered("Found", 24, REQUEST_ID, RECORD)
LINKS: Final = answered("Links", 25, REQUEST_ID, CHAIN, 3)
ACCEPTED: Final = answered("Accepted", 26, REQUEST_ID)
DELETED: Final = answered("Deleted", 27, REQUEST_ID, NOW + 365 * 86_400)
ALIVE: Final = answered(
    "Alive", 28, REQUEST_ID, BOOT_ID, 11, (70_001, fixed("head", 64), None, fixed("hashes", 12 * 32), b"")
)
REFUSED: Final = answered("Refused", 29, REQUEST_ID, 50, NOW)
_PROOF: Final = (
    fixed("label proof", 80), fixed("label key"), 70_000, NOW, 1_000_000, fixed("head", 64), bytes(range(20)),
    fixed("hashes", 30 * 32),
)  # fmt: skip
_CHAIN_END: Final = (3, fixed("chain"), 2)
PROVED: Final = answered(
    "Proved",
    30,
    REQUEST_ID,
    "alice",
    RECORD,
    (3, fixed("hpke hash"), 3, 20_500, fixed("previous")),
    _CHAIN_END,
    _PROOF,
    fixed("cosignatures", 3 * 76),
)
ABSENT: Final = answered("Absent", 31, REQUEST_ID, "bob", (fixed("label"), 1, fixed("chain")), None, _PROOF, b"")
PROMISED: Final = answered("Promised", 32, REQUEST_ID, "alice", RECORD, None, (1, bytes(32), 1), 70_000, NOW + 120)
LOG_READ: Final = asked("LogRead", 15, REQUEST_ID, 2, 70_000, 1_400, key=None)
LOG_PART: Final = answered("LogPart", 34, REQUEST_ID, 70_001, fixed("log", 1_500))
_HEAD: Final = (70_000, fixed("root"), fixed("head", 64))
COSIGN: Final = asked("Cosign", 14, REQUEST_ID, 2, ALICE.public, _HEAD, 69_998, fixed("hashes", 2 * 32))
COSIGNED: Final = answered("Cosigned", 33, REQUEST_ID, 1, None, fixed("cosignature", 76))
DELIVER: Final = told("Deliver", 40, LOGIN_ID, 1, "alice", MESSAGE_ID, 3, SEALED, INNER, ALICE.public)
DELIVERED: Final = told("Delivered", 41, LOGIN_ID, 2, ((1, MESSAGE_ID, TOKEN), (65_536, TOKEN, MESSAGE_ID)))
NOT_OPENED: Final = told("NotOpened", 43, LOGIN_ID, 4, 3, "bob", MESSAGE_ID, INNER)
SURBS_WANTED: Final = told("SurbsWanted", 44, LOGIN_ID, 5, 20)
NEW_CARD: Final = told("NewCard", 45, LOGIN_ID, 6, CARD)
DISPLACED: Final = told("Displaced", 46, LOGIN_ID, UINT32_MAX)
DIRECT: Final = asked("Direct", 60, "alice", MESSAGE_ID, 3, SEALED, INNER, key=None)

PLAIN: Final = (
    REGISTER_ASK,
    REGISTER_PROOF,
    LOGIN_ASK,
    LOGIN_PROOF,
    PUBLISH,
    LOOKUP,
    HISTORY,
    FORWARD,
    DELETE,
    ACKNOWLEDGE,
    UNOPENABLE,
    HEARTBEAT,
    TOP_UP,
    CHALLENGE,
    REGISTERED,
    LOGGED_IN,
    PUBLISHED,
    FOUND,
    LINKS,
    ACCEPTED,
    DELETED,
    ALIVE,
    REFUSED,
    PROVED,
    ABSENT,
    PROMISED,
    LOG_READ,
    COSIGN,
    COSIGNED,
    LOG_PART,
    DELIVER,
    DELIVERED,
    NOT_OPENED,
    SURBS_WANTED,
    NEW_CARD,
    DISPLACED,
    DIRECT,
)

EDGES: Final = {
    "publish with a succession": asked("Publish", 5, REQUEST_ID, 3, "alice", CHANGED, SUCCESSION),
    "forward on first contact, largest numbers, longest names": asked(
        "Forward", 8, REQUEST_ID, LONG, OTHER_LONG, MESSAGE_ID, UINT32_MAX, UINT32_MAX, SEALED, INNER, ALICE.public
    ),
    "forward, sealed bytes of 1338": FORWARD.replaced(6, b"\x5a" * 1_338),
    "forward, sealed bytes of 65498, the most of two bytes of length": FORWARD.replaced(6, b"\x5a" * 65_498),
    "forward, sealed bytes of 67100, the most": FORWARD.replaced(6, b"\x5a" * 67_100),
    "acknowledge, sixteen and sixty-four": asked(
        "Acknowledge",
        10,
        0,
        "bob",
        LOGIN_ID,
        tuple((LONG, fixed(f"message {at}", 16), fixed(f"token {at}", 16)) for at in range(16)),
        tuple(range(100, 164)),
        key=BOB,
    ),
    "acknowledge, nothing confirmed": ACKNOWLEDGE.replaced(4, ()),
    "heartbeat, integers at the edges of their encodings": HEARTBEAT.replaced(
        4, (1, 127, 128, 255, 256, 65_535, 65_536, UINT32_MAX)
    ),
    "login proof, the highest card sequence": LOGIN_PROOF.replaced(6, UINT32_MAX),
    "new card, eight addresses": NEW_CARD.replaced(2, card(addresses=ADDRESSES[:8])),
    "heartbeat, 255 surbs": HEARTBEAT.replaced(1, 255),
    "logged in, no log": LOGGED_IN.replaced(6, None),
    "alive, the own leaf without its label": ALIVE.replaced(3, (1, fixed("head", 64), (*_LEAF[:5], None), b"", b"")),
    "lookup with proof": LOOKUP.replaced(3, 1),
    "lookup, paid": LOOKUP.replaced(4, PAID),
    "lookup, paid with the largest numbers": LOOKUP.replaced(4, (2**32 - 1, 2**63 - 1)),
    "history, paid": HISTORY.replaced(4, PAID),
    "logged in, as many hashes and cosignatures as there is room for": LOGGED_IN.replaced(
        6, (70_000, fixed("head", 64), _LEAF, fixed("hashes", 28 * 32), fixed("cosignatures", 228))
    ),
    "cosign, the first head, the most hashes": COSIGN.replaced(3, (UINT32_MAX, *_HEAD[1:]))
    .replaced(4, 0)
    .replaced(5, fixed("hashes", 64 * 32)),
    "cosigned, another head was signed": COSIGNED.replaced(2, _HEAD).replaced(3, b""),
    "log part, nothing more": LOG_PART.replaced(2, b""),
    "cosigned, no witness": COSIGNED.replaced(1, 0).replaced(3, b""),
    "proved, the record that made the identity, and no hashes": PROVED.replaced(3, None).replaced(
        5, (*_PROOF[:6], b"", b"")
    ),
    "proved, the most": PROVED.replaced(1, LONG)
    .replaced(4, (UINT32_MAX, fixed("chain"), 4))
    .replaced(5, (*_PROOF[:2], *(UINT32_MAX,) * 3, _PROOF[5], bytes(range(30)), fixed("hashes", 40 * 32)))
    .replaced(6, b""),
    "proved, as many hashes and cosignatures as there is room for": PROVED.replaced(
        5, (*_PROOF[:7], fixed("hashes", 34 * 32))
    ),
    "absent, a deleted name": ABSENT.replaced(2, None).replaced(3, (_CHAIN_END, fixed("identity"))),
    "lookup, the longest name": LOOKUP.replaced(2, LONG),
    "lookup, a name field of 31 letters": LOOKUP.replaced(2, LONG[:31]),
    "lookup, a name field that is no name is well-formed": LOOKUP.replaced(2, "Not a name!"),
    "lookup, an empty name field is well-formed": LOOKUP.replaced(2, ""),
    "lookup, a name field of 63 four-byte letters is well-formed": LOOKUP.replaced(2, "\U0001f600" * 63),
    "register proof, the largest work": REGISTER_PROOF.replaced(8, 2**63 - 1),
    "register proof, no work": REGISTER_PROOF.replaced(8, 0),
    "links, none": LINKS.replaced(1, ()).replaced(2, 0),
    "refused, an unknown code is well-formed": REFUSED.replaced(1, 255),
    "delivered, thirty-two": DELIVERED.replaced(
        2, tuple((UINT32_MAX - at, fixed(f"message {at}", 16), fixed(f"token {at}", 16)) for at in range(32))
    ),
}


def frame_input(data: bytes, message: Message) -> dict[str, object]:
    """What a frame vector gives: the frame and, if its kind is signed, the key and the node to check it with."""
    given: dict[str, object] = {"frame": hexed(data)}
    if message.context:
        given |= {"key": message.key.public.hex(), "node": NODE.public.hex()}
    return given


def _good(name: str, message: Message) -> Vector:
    given = frame_input(frame(message), message)
    if message.context:
        given["seed"] = message.key.seed.hex()
    return good(name, "frame", given, {"kind": message.kind, "fields": plain(message.fields)})


def vectors() -> Sequence[Vector]:
    """All good frames."""
    return [_good(f"{each.kind}", each) for each in PLAIN] + [_good(name, each) for name, each in EDGES.items()]
