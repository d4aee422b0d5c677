"""What a message makes the node send, and that each of it fits: its frame, and without a login, one packet, or two with
a proof.

docs/protocol.md, "What follows from a message". A bound on what comes in does not bound what is derived from it: a
`Deliver` can be longer than its `Forward`. So the longest encoding of each kind is computed from the bounds of its
fields, and compared when this file is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import inspect

from usernym.protocol import messages as m
from usernym.protocol.directory.proofs import HASHES_MAX, PROOF_ROOM_BYTES
from usernym.protocol.directory.shown import SHOWN_HASHES_MAX, SHOWN_ROOM_BYTES
from usernym.protocol.directory.witnesses import COSIGNATURE_BYTES
from usernym.protocol.limits import FRAME_BYTES_MAX, HASH_BYTES, NAME_LETTERS_MAX, SIGNATURE_BYTES, WITNESSES_MAX
from usernym.protocol.packets import reply_packets

ANSWERS: Final[Mapping[type[m.Request | m.Cosign], tuple[type[m.Answer], ...]]] = {
    m.RegisterAsk: (m.Challenge,),
    m.RegisterProof: (m.Registered,),
    m.LoginAsk: (m.Challenge,),
    m.LoginProof: (m.LoggedIn,),
    m.Publish: (m.Published,),
    m.Lookup: (m.Found, m.Proved, m.Absent, m.Promised),
    m.History: (m.Links,),
    m.Forward: (m.Accepted,),
    m.Delete: (m.Deleted,),
    m.Heartbeat: (m.Alive,),
    m.LogRead: (m.LogPart,),
    m.Cosign: (m.Cosigned,),
}
"""The answers to each request, unless it is `Refused`."""

_WAITING: Final = (m.NewCard, m.Deliver, m.Delivered, m.NotOpened, m.SurbsWanted)
"""What may wait for a user, and is sent when the user is heard from."""

TELLS: Final[Mapping[type[m.ToNode], tuple[type[m.Tell], ...]]] = {
    m.RegisterAsk: (),
    m.RegisterProof: (),
    m.LoginAsk: (),
    m.LoginProof: (*_WAITING, m.Displaced),
    m.Publish: (),
    m.Lookup: (),
    m.History: (),
    m.Forward: (m.Deliver, m.SurbsWanted),
    m.Delete: (),
    m.Heartbeat: _WAITING,
    m.Acknowledge: _WAITING,
    m.Unopenable: (m.NotOpened,),
    m.TopUp: _WAITING,
    m.LogRead: (),
    m.Cosign: (),
}
"""What each message to a node can make the node tell this user or another one, at once or later."""

ROUTE_ANSWERS: Final = (m.Forward, m.Heartbeat)
"""Requests whose answers are paid from the route's stock; the others bring the SURBs for theirs."""
WITHOUT_ROUTE: Final = tuple(kind for kind in ANSWERS if kind not in ROUTE_ANSWERS)
"""Requests of parties that need no login: a node answers with one packet, or it would multiply what strangers send."""

PROVED: Final = (m.Proved, m.Absent, m.Promised)
"""Answers of two packets to a lookup that asked for a proof, and gave a SURB for each of them."""
PROOF_PACKETS: Final = 2


def outcomes(kind: type[m.ToNode]) -> tuple[type[m.FromNode], ...]:
    """All that the node may send because of a message of this kind."""
    answers = ANSWERS.get(kind)  # type: ignore[arg-type]  # statements have no answer
    return (() if answers is None else (*answers, m.Refused)) + TELLS[kind]


def answer_packets(request: m.Request) -> int:
    """The most packets that the node answers this request with."""
    return PROOF_PACKETS if isinstance(request, m.Lookup) and request.prove else 1


_COSIGNATURES_MAX: Final = WITNESSES_MAX * COSIGNATURE_BYTES
_SHARED: Final[Mapping[type[m.Message], int]] = {
    m.Proved: HASHES_MAX * HASH_BYTES + _COSIGNATURES_MAX - PROOF_ROOM_BYTES,
    m.Absent: HASHES_MAX * HASH_BYTES + _COSIGNATURES_MAX - PROOF_ROOM_BYTES,
    m.LoggedIn: SHOWN_HASHES_MAX * HASH_BYTES + _COSIGNATURES_MAX - SHOWN_ROOM_BYTES,
    m.Alive: SHOWN_HASHES_MAX * HASH_BYTES + _COSIGNATURES_MAX - SHOWN_ROOM_BYTES,
}
"""Bytes by which two fields that share their room are together shorter than each by itself could be."""


def longest_frame(kind: type[m.Message]) -> int:
    """The length in bytes of the longest frame of this kind that the node makes: names in it are registered ones."""
    return 1 + _longest(inspect.type_info(kind)) + SIGNATURE_BYTES - _SHARED.get(kind, 0)


def _longest(kind: inspect.Type) -> int:
    """The longest encoding of a type within its bounds."""
    match kind:
        case inspect.StructType(fields=fields, tag=tag):
            return _list_header(len(fields) + (tag is not None)) + (tag is not None) + sum(
                _longest(each.type) for each in fields
            )  # fmt: skip
        case inspect.VarTupleType(item_type=item, max_length=int(most)):
            return _list_header(most) + most * _longest(item)
        case inspect.UnionType(types=types):
            return max(_longest(each) for each in types)
        case inspect.BytesType(max_length=int(most)):
            return len(msgspec.msgpack.encode(bytes(most)))
        case inspect.StrType():
            return len(msgspec.msgpack.encode("n" * NAME_LETTERS_MAX))
        case inspect.IntType(le=int(most)):
            return len(msgspec.msgpack.encode(most))
        case inspect.EnumType(cls=members):
            return max(len(msgspec.msgpack.encode(each.value)) for each in members)
        case inspect.NoneType():
            return 1
        case _:
            raise TypeError(f"{kind} has no bound")


def _list_header(items: int) -> int:
    return len(msgspec.msgpack.encode([None] * items)) - items


def check_derived() -> None:
    """Raise `AssertionError` if something that a message makes the node send could not be sent."""
    for kind in TELLS:
        for outcome in outcomes(kind):
            assert longest_frame(outcome) <= FRAME_BYTES_MAX, f"{kind.__name__} causes {outcome.__name__}: too long"
    for asked in WITHOUT_ROUTE:
        for answer in (*ANSWERS[asked], m.Refused):
            packets = PROOF_PACKETS if answer in PROVED else 1
            assert reply_packets(longest_frame(answer)) <= packets, f"{answer.__name__} multiplies {asked.__name__}"


check_derived()
