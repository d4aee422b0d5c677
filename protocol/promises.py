"""A node's promise that a name's newest change will be in its public directory, and whether it kept that promise.

docs/directory.md, "Promises". Pure: the node signs promise and proof, and a client keeps the one until it has seen the
other.
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


class Word(Enum):
    """What a proof shows of a promise."""

    KEPT = auto()
    """The chain has the promised end, or has grown beyond it."""
    OPEN = auto()
    """It is of an epoch that need not have the change."""
    BROKEN = auto()
    """An epoch that must have the change lacks it."""


def verify_promised(name: str, answer: m.Promised) -> None:
    """Raise `RemoteProtocolError(PROOF_INVALID)` for a promise about another name, or that no one will have the name.

    The record's signature is not checked here. That the record is of the promised identity needs no check: the promised
    end is computed from it.
    """
    check_name(name, answer)
    if answer.chain.event not in ALIVE:
        raise RemoteProtocolError(Code.PROOF_INVALID, "a promise that no one has the name")


def judged(node: bytes, promise: m.Promised, answer: m.Proved | m.Absent) -> Word:
    """What an answer shows of a promise about the same name.

    Raises `RemoteProtocolError(PROOF_INVALID)` if the answer is about another name, or does not hold.
    """
    check_name(promise.name, answer)
    verify_shown(node, answer)
    events, head = _shown(node, answer)
    promised = promise.chain.head(identity_of(node, promise.name, promise.record, promise.origin))
    if events > promise.chain.events or (events, head) == (promise.chain.events, promised):
        return Word.KEPT
    is_due = answer.proof.made_at > promise.due and answer.proof.size > promise.size + EPOCHS_WITHOUT_MAX
    return Word.BROKEN if is_due else Word.OPEN


def _shown(node: bytes, answer: m.Proved | m.Absent) -> tuple[int, bytes]:
    """How many events the name's chain has, and its head."""
    match answer:
        case m.Proved(name=name, record=record, origin=origin, chain=chain):
            return chain.events, chain.head(identity_of(node, name, record, origin))
        case m.Absent(deletion=deletion) if deletion is not None:
            return deletion.chain.events, deletion.chain.head(deletion.identity)
        case _:
            return 0, NO_EVENTS


def promise_in(data: bytes) -> m.Promised:
    """The promise in a frame. Its signature is not checked here."""
    message = decode(data).message
    if not isinstance(message, m.Promised):
        raise RemoteProtocolError(Code.UNEXPECTED, "not a promise")
    return message
