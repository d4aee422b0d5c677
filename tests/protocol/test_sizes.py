"""Padding, packets and the claims of docs/protocol.md about what fits where."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.refusals import refusal
from tests.helpers.wire_strategies import strategy
from usernym.protocol import codec, limits, packets, payloads
from usernym.protocol import messages as m
from usernym.protocol.cards import CARD_TEXT_MAX, card_text, make_card
from usernym.protocol.derived import longest_frame
from usernym.protocol.directory.checkpoints import SignedHead
from usernym.protocol.directory.proofs import PROOF_ROOM_BYTES, Origin, OtherLeaf
from usernym.protocol.directory.witnesses import COSIGNATURE_BYTES
from usernym.protocol.errors import Code, LocalProtocolError
from usernym.protocol.limits import (
    HASH_BYTES,
    ID_BYTES,
    NAME_LETTERS_MAX,
    PACKETS_MAX,
    SEAL_OVERHEAD_BYTES,
    SURBS_REQUEST,
    SURBS_TO_NODE,
    UINT32_MAX,
)
from usernym.protocol.records import Authority, KeyRecord, RecordStub, Succession
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack

KEY = SigningKey.from_seed(b"k" * 32)
LONG = "n" * NAME_LETTERS_MAX
RID, ID, SIG, ZEROS = bytes(8), bytes(ID_BYTES), bytes(64), bytes(32)
RECORD = KeyRecord(UINT32_MAX, 255, ZEROS, ZEROS, bytes(1216), UINT32_MAX, UINT32_MAX, ZEROS, SIG)
STUB = RecordStub(UINT32_MAX, 255, ZEROS, ZEROS, ZEROS, UINT32_MAX, UINT32_MAX, ZEROS, SIG)
LINK = Succession(STUB, Authority.RECOVERY, SIG)
LADDER = {
    first: [payloads.plaintext_bytes(at, first_contact=first) for at in range(1, PACKETS_MAX + 1)]
    for first in (False, True)
}


def frame(message: Any) -> bytes:
    if codec.is_signed(message):
        return codec.encode_signed(message, KEY, ZEROS)
    return codec.encode_unsigned(message)


def text(letters: str, counter: int = payloads.COUNTER_MAX, record: KeyRecord | None = None) -> payloads.Text:
    return payloads.Text(counter, UINT32_MAX, ID, record, None, letters)


# -- padding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first_contact", [False, True])
@pytest.mark.parametrize("kind", [payloads.Text, payloads.DirectReceipt, *payloads.Handshake.__args__])
@examples(60)
@given(data=st.data())
def test_payloads_take_only_the_ladders_sizes(kind: Any, first_contact: bool, data: st.DataObject) -> None:
    payload = data.draw(strategy(kind))
    padded = payloads.pad_payload(payload, first_contact=first_contact)
    assert payloads.unpad_payload(padded) == payload
    fitting = [size for size in LADDER[first_contact] if size > len(pack(payload))]
    assert len(padded) == fitting[0]


@pytest.mark.parametrize("first_contact", [False, True])
@given(
    counter=st.integers(0, payloads.COUNTER_MAX),
    sent_at=st.integers(0, UINT32_MAX),
    letters=st.text("ab", min_size=1, max_size=130),
)
def test_a_handshake_has_the_size_of_a_short_text(
    first_contact: bool, counter: int, sent_at: int, letters: str
) -> None:
    head = (counter, sent_at, ID, None)
    each: list[payloads.Payload] = [
        payloads.Text(*head, None, letters),
        payloads.HandshakeOffer(*head, bytes(96), payloads.COUNTER_MAX),
        payloads.HandshakeAccept(*head, bytes(96), payloads.COUNTER_MAX),
        payloads.HandshakeRevoke(*head, payloads.COUNTER_MAX),
    ]
    assert {len(payloads.pad_payload(one, first_contact=first_contact)) for one in each} == {LADDER[first_contact][0]}


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda data: data + b"\x80\0\0"))
@examples(500)
def test_any_plaintext_is_refused_or_a_payload(plaintext: bytes) -> None:
    refused = refusal(lambda: payloads.unpad_payload(plaintext))
    assert refused in {Code.MALFORMED, None}
    if refused is None:
        assert plaintext.startswith(pack(payloads.unpad_payload(plaintext)) + payloads.PAD)


@given(st.integers(0, 201), st.integers(1, 255))
def test_no_byte_of_the_padding_can_be_changed(at: int, flip: int) -> None:
    payload = text("x")
    plaintext = bytearray(payloads.pad_payload(payload, first_contact=False))
    at = max(at, len(pack(payload)))
    plaintext[at] ^= flip
    assert refusal(lambda: payloads.unpad_payload(bytes(plaintext))) is Code.MALFORMED


@pytest.mark.parametrize("first_contact", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 17, 41, 42])
def test_the_longest_text_of_each_size(first_contact: bool, count: int) -> None:
    longest = payloads.text_bytes_in(count, first_contact=first_contact)
    fits = payloads.pad_payload(text("t" * longest), first_contact=first_contact)
    assert len(fits) == payloads.plaintext_bytes(count, first_contact=first_contact)
    if longest == limits.TEXT_BYTES_MAX:
        with pytest.raises(LocalProtocolError):
            payloads.pad_payload(text("t" * (longest + 1)), first_contact=first_contact)
        with pytest.raises(LocalProtocolError):
            payloads.pad_payload(text("\u00e9" * (longest // 2 + 1)), first_contact=first_contact)
    else:
        more = payloads.pad_payload(text("t" * (longest + 1)), first_contact=first_contact)
        assert len(more) == payloads.plaintext_bytes(count + 1, first_contact=first_contact)


def test_the_documented_texts() -> None:
    """The table of docs/protocol.md, "Padding"."""
    sizes = (1, 2, 3, 4, 5, 10, 20, 41, 42)
    known = [payloads.text_bytes_in(count, first_contact=False) for count in sizes]
    first = [payloads.text_bytes_in(count, first_contact=True) for count in sizes]
    assert known == [163, 1_766, 3_370, 4_974, 6_578, 14_598, 30_638, 64_322, 65_536]
    assert first == [130, 1_733, 3_337, 4_941, 6_545, 14_565, 30_605, 64_289, 65_536]
    with pytest.raises(LocalProtocolError):
        payloads.pad_payload(text("t" * 65_536, record=RECORD), first_contact=True)


# -- whole frames ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first_contact", [False, True])
@pytest.mark.parametrize("count", range(1, PACKETS_MAX + 1))
def test_a_forward_fills_its_packets_and_its_delivery_takes_no_more(count: int, first_contact: bool) -> None:
    sealed = bytes(payloads.plaintext_bytes(count, first_contact=first_contact) + SEAL_OVERHEAD_BYTES)
    first_key = ZEROS if first_contact else None
    forward = frame(m.Forward(RID, LONG, LONG, ID, UINT32_MAX, UINT32_MAX, sealed, SIG, first_key))
    assert len(forward) == packets.anonymous_capacity(count, 0)
    assert packets.anonymous_packets(len(forward), 0) == count
    assert packets.anonymous_packets(len(forward) + 1, 0) == count + 1
    deliver = frame(m.Deliver(ID, UINT32_MAX, LONG, ID, UINT32_MAX, sealed, SIG, first_key))
    assert packets.reply_packets(len(deliver)) == count
    assert len(deliver) <= len(forward) - 26
    direct = frame(m.Direct(LONG, ID, UINT32_MAX, sealed, SIG))
    assert packets.anonymous_packets(len(direct), 0) == count


@given(
    names=st.tuples(*[st.integers(3, 32)] * 2),
    numbers=st.tuples(*[st.integers(1, UINT32_MAX)] * 3),
    count=st.integers(1, 42),
)
def test_shorter_names_and_numbers_take_no_other_number_of_packets(
    names: tuple[int, int], numbers: tuple[int, int, int], count: int
) -> None:
    sealed = bytes(payloads.plaintext_bytes(count, first_contact=False) + SEAL_OVERHEAD_BYTES)
    sender, recipient = ("n" * size for size in names)
    forward = frame(m.Forward(RID, sender, recipient, ID, numbers[0], numbers[1], sealed, SIG, None))
    deliver = frame(m.Deliver(ID, numbers[2], sender, ID, numbers[1], sealed, SIG, None))
    assert packets.anonymous_packets(len(forward), 0) == count == packets.reply_packets(len(deliver))


def test_the_third_surb_of_a_request_costs_no_further_packet() -> None:
    """Heartbeats excepted that confirm much, which few do."""
    few = 1  # so many SURBs take a byte less than the most that a frame may name
    sizes = {kind: longest_frame(kind) - few for kind in set(get_args(m.Request)) - {m.Forward}}
    sizes[m.Heartbeat] = len(frame(m.Heartbeat(RID, 3, LONG, ID, (UINT32_MAX,) * 3)))
    for kind, size in sizes.items():
        costs = {packets.anonymous_packets(size, surbs) for surbs in (2, SURBS_REQUEST)}
        assert len(costs) == 1, kind


def test_a_lookup_is_one_packet_each_way() -> None:
    assert packets.anonymous_packets(len(frame(m.Lookup(RID, SURBS_REQUEST, LONG))), SURBS_REQUEST) == 1
    found = frame(m.Found(RID, RECORD))
    assert (len(pack(RECORD)), len(found)) == (1_405, 1_482)
    assert packets.reply_packets(len(found)) == 1


def test_a_lookup_with_proof_is_answered_in_two_packets_with_room_for_three_cosigners() -> None:
    asked = frame(m.Lookup(RID, SURBS_REQUEST, LONG, 1))
    assert packets.anonymous_packets(len(asked), SURBS_REQUEST) == 1, "over a route"
    assert packets.anonymous_packets(len(asked), SURBS_REQUEST + 1) == 2, "without one"
    assert packets.reply_packets(longest_frame(m.Proved)) == 2
    assert PROOF_ROOM_BYTES - limits.WITNESSES_MAX * COSIGNATURE_BYTES >= 34 * HASH_BYTES
    other = len(pack(OtherLeaf(UINT32_MAX.to_bytes(32, "big"), UINT32_MAX, bytes(32)))) - 1
    without_few_hashes = longest_frame(m.Absent) - (PROOF_ROOM_BYTES - 34 * HASH_BYTES)
    assert without_few_hashes - other <= packets.reply_capacity(1), "it has one of two ends"


def test_a_signature_of_a_witness_costs_a_packet_each_way() -> None:
    """In the usual case: the witness has signed the epoch before, and the request's tag is its own."""
    head = SignedHead(UINT32_MAX, bytes(32), bytes(64))
    asked = frame(m.Cosign(RID, SURBS_TO_NODE, bytes(32), head, UINT32_MAX - 1, bytes(HASH_BYTES)))
    assert packets.anonymous_packets(len(asked), SURBS_TO_NODE) == 1
    assert packets.anonymous_packets(len(asked), SURBS_REQUEST) == 2, "over a nym-client, which withholds two"
    assert packets.reply_packets(longest_frame(m.Cosigned)) == 1


def test_a_promise_of_a_name_that_was_just_registered_is_one_packet_and_any_other_two() -> None:
    longest = longest_frame(m.Promised)
    assert longest == 1_651
    assert packets.reply_packets(longest) == 2
    origin = len(pack(Origin(UINT32_MAX, bytes(32), UINT32_MAX, UINT32_MAX, bytes(32)))) - 1
    assert packets.reply_packets(longest - origin) == 1


@pytest.mark.parametrize(("surbs", "fit"), [(0, 16), (1, 14), (2, 7), (3, 1)])
def test_how_many_acknowledgements_fit_a_packet(surbs: int, fit: int) -> None:
    def size(count: int) -> int:
        return len(frame(m.Acknowledge(surbs, LONG, ID, (m.Acknowledged(LONG, ID, ID),) * count, ())))

    assert packets.anonymous_packets(size(fit), surbs) == 1
    if fit < limits.ACKNOWLEDGED_MAX:
        assert packets.anonymous_packets(size(fit + 1), surbs) == 2


def test_a_frame_of_notices_fits_one_reply() -> None:
    receipts = (m.Receipt(UINT32_MAX, ID, ID),) * limits.NOTICES_MAX
    delivered = frame(m.Delivered(ID, UINT32_MAX, receipts))
    assert len(delivered) == 1_437
    assert packets.reply_packets(len(delivered)) == 1


def test_links_fit_the_replies_of_their_documented_count() -> None:
    def replies(count: int) -> int:
        return packets.reply_packets(len(frame(m.Links(RID, (LINK,) * count, 64))))

    assert (len(pack(STUB)), len(pack(LINK))) == (220, 288)
    assert [replies(count) for count in (1, limits.SUCCESSIONS_PER_ANSWER_MAX, 6)] == [1, 1, 2]


def test_a_heartbeat_and_a_top_up() -> None:
    beat = frame(m.Heartbeat(RID, 2, LONG, ID, (UINT32_MAX,) * limits.CONFIRMED_MAX))
    assert packets.anonymous_packets(len(beat), 2) == 1
    top_up = frame(m.TopUp(limits.SURBS_TOP_UP, LONG, ID))
    assert packets.anonymous_packets(len(top_up), limits.SURBS_TOP_UP) == 3
    assert packets.anonymous_packets(len(top_up), limits.SURBS_TOP_UP + 1) == 4


def test_everything_else_that_is_answered_fits_one_packet() -> None:
    addresses = [bytes(95) + bytes([number]) for number in range(limits.ADDRESSES_MAX)]
    card = msgspec.structs.replace(make_card(KEY, addresses, UINT32_MAX, UINT32_MAX), versions=(127,) * 8)
    assert (len(pack(card)), len(card_text(card)), len(frame(m.NewCard(ID, UINT32_MAX, card)))) == (905, 1220, 995)
    for tell in (
        m.NotOpened(ID, UINT32_MAX, UINT32_MAX, LONG, ID, SIG),
        m.NewCard(ID, UINT32_MAX, card),
        m.SurbsWanted(ID, UINT32_MAX, 255),
        m.Displaced(ID, UINT32_MAX),
        m.LoggedIn(RID, ID, RID, UINT32_MAX, UINT32_MAX, 255),
        m.Challenge(RID, ID, UINT32_MAX, 255, ID),
    ):
        assert packets.reply_packets(len(frame(tell))) == 1
    assert len(card_text(card)) < CARD_TEXT_MAX
    proof = m.RegisterProof(RID, 2, LONG, RECORD, ID, UINT32_MAX, 255, ID, 2**63 - 1)
    assert packets.anonymous_packets(len(frame(proof)), 2) == 2
    login = m.LoginProof(RID, 2, LONG, ID, UINT32_MAX, ID, UINT32_MAX, 255)
    assert packets.anonymous_packets(len(frame(login)), 2) == 1
    publish = m.Publish(RID, 2, LONG, RECORD, LINK)
    assert packets.anonymous_packets(len(frame(publish)), 2) == 2


# -- packets and limits ----------------------------------------------------------------------------------------------


@given(st.integers(0, 200_000), st.integers(0, 255))
def test_packet_formulas_agree_with_counting(size: int, surbs: int) -> None:
    room, count = 1604, 0
    left = size + 23 + 460 * surbs
    while left > 0:
        left, count = left - room, count + 1
    assert packets.anonymous_packets(size, surbs) == count
    assert size <= packets.anonymous_capacity(count, surbs)
    assert size > packets.anonymous_capacity(count - 1, surbs)
    replies = packets.reply_packets(size)
    assert packets.reply_capacity(replies - 1) < size <= packets.reply_capacity(replies)


def test_the_documented_capacities() -> None:
    assert [packets.anonymous_capacity(1, surbs) for surbs in range(4)] == [1_581, 1_121, 661, 201]
    assert packets.reply_capacity(1) == 1_601


def test_relations_between_limits() -> None:
    # No replay fits between the window and the memory, whichever way the clocks differ.
    assert limits.SEEN_S >= 2 * limits.ACCEPTANCE_WINDOW_S + 60
    # A challenge outlives no memory of its nonce, and the hardest work fits it: 2^26 hashes at 500,000 a second.
    assert limits.CHALLENGE_S < limits.SEEN_S
    assert 2**limits.WORK_BITS_MAX / 500_000 < limits.CHALLENGE_S
    assert limits.WORK_BITS_MIN < limits.WORK_BITS_MAX
    # A message that was accepted on the last day of grace can still be opened on the last day of its term.
    assert limits.HPKE_KEEP_S == limits.HPKE_GRACE_S + limits.MAILBOX_S
    # What one frame of notices brings, one heartbeat confirms.
    assert limits.CONFIRMED_MAX >= 2 * limits.NOTICES_MAX
    # The longest chain is read in 13 answers, and its counts fit a byte.
    assert -(-limits.SUCCESSIONS_MAX // limits.SUCCESSIONS_PER_ANSWER_MAX) == 13
    assert limits.SUCCESSIONS_MAX <= 255
    assert limits.SURBS_GIVEN_MAX <= 255
    assert limits.SURBS_LOW + limits.SURBS_TOP_UP >= limits.SURBS_TARGET
    assert 4 * limits.NAME_FIELD_LETTERS_MAX <= 255
    assert limits.SEAL_OVERHEAD_BYTES == 1120 + 16
