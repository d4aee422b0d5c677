"""Evidence: it holds for what an honest node never signs, and for nothing else."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.refusals import refusal
from usernym.protocol import evidence as ev
from usernym.protocol import messages as m
from usernym.protocol.cards import NodeCard, make_card
from usernym.protocol.codec import encode_signed
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.evidence import Evidence, Fault, evidence_text, parse_evidence, verify_evidence
from usernym.protocol.limits import FRAME_BYTES_MAX, WORK_BITS_MAX
from usernym.protocol.signing import Context, SigningKey
from usernym.protocol.wire import pack

KEY = SigningKey.from_seed(b"n" * 32)
OTHER = SigningKey.from_seed(b"o" * 32)
LOGIN = b"l" * 16
CARD = make_card(KEY, [bytes(96)], 7, 20_000)

_LATER = msgspec.structs.replace(CARD, versions=(2,), signature=b"")
LATER = msgspec.structs.replace(_LATER, signature=KEY.sign(Context.CARD, pack(_LATER)))


def told(message: m.Message, key: SigningKey = KEY, node: bytes = KEY.public) -> bytes:
    return encode_signed(message, key, node)


def wanted(count: int, counter: int = 5, login: bytes = LOGIN) -> bytes:
    return told(m.SurbsWanted(login, counter, count))


def moved(card: NodeCard) -> bytes:
    return told(m.NewCard(LOGIN, 5, card))


def challenge(bits: int) -> bytes:
    return told(m.Challenge(bytes(8), bytes(16), 1, bits, bytes(16)))


PROOFS = {
    "two tells": Evidence(KEY.public, Fault.TWO_TELLS, (wanted(1), wanted(2))),
    "two kinds of tells": Evidence(KEY.public, Fault.TWO_TELLS, (wanted(1), told(m.Displaced(LOGIN, 5)))),
    "two cards": Evidence(KEY.public, Fault.TWO_CARDS, (pack(CARD), pack(make_card(KEY, [b"a" * 96], 7, 20_000)))),
    "another node's card": Evidence(KEY.public, Fault.FOREIGN_CARD, (moved(make_card(OTHER, [bytes(96)], 9, 1)),)),
    "a card that nobody signed": Evidence(
        KEY.public, Fault.FOREIGN_CARD, (moved(msgspec.structs.replace(CARD, sequence=9)),)
    ),
    "too much work": Evidence(KEY.public, Fault.TOO_MUCH_WORK, (challenge(WORK_BITS_MAX + 1),)),
}
NO_PROOFS = {
    "one tell twice": Evidence(KEY.public, Fault.TWO_TELLS, (wanted(1), wanted(1))),
    "two counters": Evidence(KEY.public, Fault.TWO_TELLS, (wanted(1), wanted(2, counter=6))),
    "two logins": Evidence(KEY.public, Fault.TWO_TELLS, (wanted(1), wanted(2, login=b"m" * 16))),
    "a tell of another node": Evidence(
        KEY.public, Fault.TWO_TELLS, (wanted(1), told(m.SurbsWanted(LOGIN, 5, 2), OTHER))
    ),
    "a tell for another node": Evidence(
        KEY.public, Fault.TWO_TELLS, (wanted(1), told(m.SurbsWanted(LOGIN, 5, 2), KEY, OTHER.public))
    ),
    "tells of another node alone": Evidence(OTHER.public, Fault.TWO_TELLS, (wanted(1), wanted(2))),
    "an answer as a tell": Evidence(KEY.public, Fault.TWO_TELLS, (wanted(1), challenge(16))),
    "a client's frame": Evidence(
        KEY.public,
        Fault.TWO_TELLS,
        (wanted(1), told(m.TopUp(1, "alice", LOGIN))),
    ),
    "one frame of two": Evidence(KEY.public, Fault.TWO_TELLS, (wanted(1),)),
    "one card twice": Evidence(KEY.public, Fault.TWO_CARDS, (pack(CARD), pack(CARD))),
    "two sequences": Evidence(KEY.public, Fault.TWO_CARDS, (pack(CARD), pack(make_card(KEY, [b"a" * 96], 8, 20_000)))),
    "a card of another node": Evidence(
        KEY.public, Fault.TWO_CARDS, (pack(CARD), pack(make_card(OTHER, [b"a" * 96], 7, 20_000)))
    ),
    "its own card": Evidence(KEY.public, Fault.FOREIGN_CARD, (moved(CARD),)),
    "a card of a later version": Evidence(KEY.public, Fault.FOREIGN_CARD, (moved(LATER),)),
    "work as allowed": Evidence(KEY.public, Fault.TOO_MUCH_WORK, (challenge(WORK_BITS_MAX),)),
    "no such fault": Evidence(KEY.public, 99, (wanted(1), wanted(2))),
    "no frames": Evidence(KEY.public, Fault.TWO_TELLS, (b"x", b"y")),
}


@pytest.mark.parametrize("name", PROOFS)
def test_a_proof_convinces_anyone_as_a_line_of_text(name: str) -> None:
    proof = PROOFS[name]
    verify_evidence(proof)
    assert parse_evidence(f" {evidence_text(proof)}\n") == proof
    assert proof.what == Fault(proof.fault).text


@pytest.mark.parametrize("name", NO_PROOFS)
def test_what_an_honest_node_may_sign_or_others_may_make_proves_nothing(name: str) -> None:
    with pytest.raises(RemoteProtocolError):
        verify_evidence(NO_PROOFS[name])
    assert refusal(lambda: parse_evidence(evidence_text(NO_PROOFS[name]))) is Code.EVIDENCE_INVALID


@examples(200)
@given(name=st.sampled_from(sorted(PROOFS)), at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_no_changed_bit_proves_anything(name: str, at: int, bit: int) -> None:
    data = bytearray(pack(PROOFS[name]))
    data[at % len(data)] ^= 1 << bit
    try:
        changed = ev.decode_evidence(bytes(data))
    except RemoteProtocolError:
        return
    assert changed.node == KEY.public
    assert changed == PROOFS[name], "not reached: each byte is a key's, a signature's or signed"


@pytest.mark.parametrize("text", ["", "usernym-evidence:", "usernym-node:AAAA", "usernym-evidence:%%", "é" * 40])
def test_other_texts_are_no_evidence(text: str) -> None:
    assert refusal(lambda: parse_evidence(text)) is Code.EVIDENCE_INVALID


def test_the_longest_frames_fit() -> None:
    longest = Evidence(KEY.public, Fault.TWO_TELLS, (bytes(FRAME_BYTES_MAX), bytes(FRAME_BYTES_MAX)))
    assert len(evidence_text(longest)) <= ev.EVIDENCE_TEXT_MAX
