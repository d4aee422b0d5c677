"""What a node has stated about a name's chain, by a promise or a proof, and whether a later proof agrees with it.

docs/directory.md, "Promises" and "Chains that only grow". Pure: the node signs both, and a client keeps the one until
it has seen the other.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from usernym.protocol import messages as m
from usernym.protocol.answers import check_name, verify_shown
from usernym.protocol.codec import decode
from usernym.protocol.directory.events import NO_EVENTS
from usernym.protocol.directory.proofs import ALIVE, identity_of
from usernym.protocol.errors import Code, RemoteProtocolError

EPOCHS_WITHOUT_MAX: Final = 1
"""Epochs after a promise that may lack the change: the node may have begun one before it promised."""


Said = m.Promised | m.Proved
"""What a node has stated about a name's chain."""


class Word(Enum):
    """What a proof shows of what was stated before."""

    KEPT = auto()
    """The chain has the promised end, or has grown beyond it."""
    OPEN = auto()
    """It is of an epoch that need not have what was stated."""
    BROKEN = auto()
    """An epoch that must have it lacks it."""


def verify_promised(name: str, answer: m.Promised) -> None:
    """Raise `RemoteProtocolError(PROOF_INVALID)` for a promise about another name, or that no one will have the name.

    The record's signature is not checked here. That the record is of the promised identity needs no check: the promised
    end is computed from it.
    """
    check_name(name, answer)
    if answer.chain.event not in ALIVE:
        raise RemoteProtocolError(Code.PROOF_INVALID, "a promise that no one has the name")


def judged(node: bytes, said: Said, answer: m.Proved | m.Absent) -> Word:
    """What an answer shows of what was stated about the same name.

    Raises `RemoteProtocolError(PROOF_INVALID)` if it is about another name, or one of the two does not hold.
    """
    check_name(said.name, answer)
    verify_shown(node, answer)
    events, head = chain_shown(node, answer)
    end = said.chain.head(identity_of(node, said.name, said.record, said.origin))
    if events > said.chain.events or (events, head) == (said.chain.events, end):
        return Word.KEPT
    match said:
        case m.Promised():
            is_due = answer.proof.made_at > said.due and answer.proof.size > said.size + EPOCHS_WITHOUT_MAX
        case m.Proved():
            verify_shown(node, said)
            is_due = answer.proof.size > said.proof.size
    return Word.BROKEN if is_due else Word.OPEN


def chain_shown(node: bytes, answer: m.Proved | m.Absent) -> tuple[int, bytes]:
    """How many events the name's chain has, and its head, as the answer says. Its proof is not checked here."""
    match answer:
        case m.Proved(name=name, record=record, origin=origin, chain=chain):
            return chain.events, chain.head(identity_of(node, name, record, origin))
        case m.Absent(deletion=deletion) if deletion is not None:
            return deletion.chain.events, deletion.chain.head(deletion.identity)
        case _:
            return 0, NO_EVENTS


def said_in(data: bytes) -> Said:
    """The promise or the proof in a frame. Its signature is not checked here."""
    message = decode(data).message
    if not isinstance(message, Said):
        raise RemoteProtocolError(Code.UNEXPECTED, "neither a promise nor a proof")
    return message
