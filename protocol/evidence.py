"""Evidence against a node: what it signed, and what no one else can have made it sign.

docs/protocol.md, "Evidence". Evidence convinces anyone who has the node's card, without a home and without trust in the
client that found it. Whatever users do, an honest node that keeps its store signs nothing of the kind. So a client
accuses a node of nothing else; what it only can't explain, it counts. One fault is in part a person's word: that a
change of their name was not ordered. They sign it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Final

import msgspec

from usernym.protocol import messages as m
from usernym.protocol.answers import verify_shown
from usernym.protocol.cards import NodeCard, decode_card, verify_card
from usernym.protocol.codec import Frame, decode
from usernym.protocol.directory.complaints import Fork, NameChange
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import FRAME_BYTES_MAX, WORK_BITS_MAX
from usernym.protocol.promises import Word, judged
from usernym.protocol.text_lines import of_line, to_line
from usernym.protocol.wire import Key, Number, Wire, decoder_of, pack, unpack

PREFIX: Final = "usernym-evidence:"
EVIDENCE_TEXT_MAX: Final = len(PREFIX) + 4 * (2 * FRAME_BYTES_MAX + 64) // 3
"""Letters of the longest evidence: two of the longest frames."""


class Fault(IntEnum):
    """What the evidence shows."""

    TWO_TELLS = 1
    TWO_CARDS = 2
    FOREIGN_CARD = 3
    TOO_MUCH_WORK = 4
    PROMISE_BROKEN = 5
    FALSE_PROOF = 6
    FORKED_LOG = 7
    NAME_CHANGED = 8
    CHAIN_REWRITTEN = 9

    @property
    def text(self) -> str:
        """As a person reads it."""
        return _TEXTS[self]


_TEXTS: Final = {
    Fault.TWO_TELLS: "it signed two different messages under one number",
    Fault.TWO_CARDS: "it signed two different cards under one number",
    Fault.FOREIGN_CARD: "it signed a message with a card that is not its own",
    Fault.TOO_MUCH_WORK: "it asked for more work than any registration needs",
    Fault.PROMISE_BROKEN: "it signed that a key would be in its public directory by a time, and it was not",
    Fault.FALSE_PROOF: "it signed a proof from its public directory that does not hold",
    Fault.FORKED_LOG: "it showed different histories of its public directory",
    Fault.NAME_CHANGED: "it changed a name in its public directory, and the name's owner did not order that",
    Fault.CHAIN_REWRITTEN: "it took back what its public directory had about a name",
}


class Evidence(Wire, frozen=True):
    """The node's identity key, the number of the fault, and what it signed: one or two frames, or two cards."""

    node: Key
    fault: Number
    signed: Annotated[
        tuple[Annotated[bytes, msgspec.Meta(min_length=1, max_length=FRAME_BYTES_MAX)], ...],
        msgspec.Meta(min_length=1, max_length=2),
    ]

    @property
    def what(self) -> str:
        """What the node did, without names."""
        return Fault(self.fault).text


_decoder: Final = decoder_of(Evidence)
_fork_decoder: Final = decoder_of(Fork)
_change_decoder: Final = decoder_of(NameChange)


def evidence_in(node: bytes, frame: Frame, data: bytes) -> Evidence | None:
    """What one frame shows that this node signed; None if it shows nothing. `data` are the frame's bytes."""
    match frame.message:
        case m.NewCard():
            return _if_it_holds(Evidence(node, Fault.FOREIGN_CARD, (data,)))
        case m.Challenge():
            return _if_it_holds(Evidence(node, Fault.TOO_MUCH_WORK, (data,)))
        case m.Proved() | m.Absent():
            return _if_it_holds(Evidence(node, Fault.FALSE_PROOF, (data,)))
        case _:
            return None


def evidence_in_tells(node: bytes, one: bytes, other: bytes) -> Evidence | None:
    """What two frames of tells prove that this node signed."""
    return _if_it_holds(Evidence(node, Fault.TWO_TELLS, (one, other)))


def evidence_of_word(node: bytes, said: bytes, proof: bytes) -> Evidence | None:
    """What the frame of a promise or a proof and that of a later answer with proof show; None if they agree."""
    fault = Fault.PROMISE_BROKEN if isinstance(decode(said).message, m.Promised) else Fault.CHAIN_REWRITTEN
    return _if_it_holds(Evidence(node, fault, (said, proof)))


def evidence_in_cards(one: NodeCard, other: NodeCard) -> Evidence | None:
    """What two cards show."""
    return _if_it_holds(Evidence(one.node, Fault.TWO_CARDS, (pack(one), pack(other))))


def evidence_of_fork(node: bytes, fork: Fork) -> Evidence | None:
    """What two heads show; None if both may be of one history."""
    return _if_it_holds(Evidence(node, Fault.FORKED_LOG, (pack(fork),)))


def evidence_of_change(node: bytes, change: NameChange) -> Evidence | None:
    """What the changed chain of the user's own name shows, with the user's word."""
    return _if_it_holds(Evidence(node, Fault.NAME_CHANGED, (pack(change),)))


def _if_it_holds(evidence: Evidence) -> Evidence | None:
    try:
        verify_evidence(evidence)
    except RemoteProtocolError:
        return None
    return evidence


def verify_evidence(evidence: Evidence) -> None:
    """Raise `RemoteProtocolError` unless the evidence proves what it says of its node."""
    if not _proves(evidence):
        raise RemoteProtocolError(Code.EVIDENCE_INVALID, "it proves nothing")


def _proves(evidence: Evidence) -> bool:
    node = evidence.node
    match evidence.fault, evidence.signed:
        case Fault.TWO_TELLS, (one, other):
            first, second = _signed(node, one), _signed(node, other)
            return (
                isinstance(first.message, m.Tell)
                and isinstance(second.message, m.Tell)
                and (first.message.login_id, first.message.counter) == (second.message.login_id, second.message.counter)
                and first.body != second.body
            )
        case Fault.TWO_CARDS, (one, other):
            left, right = decode_card(one), decode_card(other)
            unsigned = (msgspec.structs.replace(card, signature=bytes(64)) for card in (left, right))
            return left.node == right.node == node and left.sequence == right.sequence and len(set(unsigned)) > 1
        case Fault.FOREIGN_CARD, (one,):
            message = _signed(node, one).message
            return isinstance(message, m.NewCard) and _is_foreign(node, message.card)
        case Fault.TOO_MUCH_WORK, (one,):
            message = _signed(node, one).message
            return isinstance(message, m.Challenge) and message.difficulty > WORK_BITS_MAX
        case Fault.PROMISE_BROKEN | Fault.CHAIN_REWRITTEN, (one, other):
            said, shown = _signed(node, one).message, _signed(node, other).message
            return (
                isinstance(said, m.Promised if evidence.fault == Fault.PROMISE_BROKEN else m.Proved)
                and isinstance(shown, m.Proved | m.Absent)
                and judged(node, said, shown) is Word.BROKEN
            )
        case Fault.FALSE_PROOF, (one,):
            message = _signed(node, one).message
            return isinstance(message, m.Proved | m.Absent) and not _holds(node, message)
        case Fault.FORKED_LOG, (one,):
            fork: Fork = unpack(_fork_decoder, one)
            return fork.proves(node)
        case Fault.NAME_CHANGED, (one,):
            change: NameChange = unpack(_change_decoder, one)
            return change.proves(node)
        case _:
            return False


def _holds(node: bytes, answer: m.Proved | m.Absent) -> bool:
    """Whether the proof shows what the answer says, of the name in it."""
    try:
        verify_shown(node, answer)
    except RemoteProtocolError:
        return False
    return True


def _signed(node: bytes, data: bytes) -> Frame:
    frame = decode(data)
    if type(frame.message) not in m.SIGNED_BY_NODE:
        raise RemoteProtocolError(Code.EVIDENCE_INVALID, "not a kind that nodes sign")
    frame.verify(node, node)
    return frame


def _is_foreign(node: bytes, card: NodeCard) -> bool:
    """Whether the node did not sign it. A card of later versions alone is not what this is about."""
    try:
        verify_card(card)
    except RemoteProtocolError as error:
        return error.code is Code.CARD_INVALID
    return card.node != node


def evidence_text(evidence: Evidence) -> str:
    """The evidence as one line: `usernym-evidence:` and its encoding in unpadded base64url."""
    return to_line(PREFIX, pack(evidence))


def decode_evidence(data: bytes) -> Evidence:
    """Evidence from its canonical encoding, verified."""
    evidence: Evidence = unpack(_decoder, data)
    verify_evidence(evidence)
    return evidence


def parse_evidence(text: str) -> Evidence:
    """Evidence from its line of text. Raises `RemoteProtocolError(EVIDENCE_INVALID)` if it proves nothing."""
    try:
        return decode_evidence(of_line(text, PREFIX, EVIDENCE_TEXT_MAX))
    except ValueError as error:
        raise RemoteProtocolError(Code.EVIDENCE_INVALID, f"no evidence: {error}") from None
    except RemoteProtocolError:
        raise RemoteProtocolError(Code.EVIDENCE_INVALID, "it proves nothing, or is damaged") from None
