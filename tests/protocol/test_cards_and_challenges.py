"""Cards are taken forward only; a challenge holds for one request; proof of work costs what it says."""

from __future__ import annotations

import hashlib
import string
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.refusals import refusal
from tests.helpers.wire_strategies import strategy
from usernym.protocol import messages as m
from usernym.protocol.cards import (
    NodeCard,
    card_text,
    decode_card,
    make_card,
    parse_card,
    verify_card,
    verify_newer_card,
)
from usernym.protocol.challenges import Challenger, LoginNonces, search_work, whole_record_hash, work_holds
from usernym.protocol.errors import Code
from usernym.protocol.limits import ADDRESSES_MAX, CHALLENGE_S, UINT32_MAX
from usernym.protocol.records import KeyRecord
from usernym.protocol.signing import Context, SigningKey
from usernym.protocol.text_lines import to_line
from usernym.protocol.wire import pack

KEY, OTHER = SigningKey.from_seed(b"k" * 32), SigningKey.from_seed(b"o" * 32)
sequences = st.integers(1, 4) | st.integers(1, UINT32_MAX)
times = st.integers(0, UINT32_MAX - CHALLENGE_S)
names = st.from_regex(r"[a-z][a-z0-9_]{2,31}", fullmatch=True)
secrets = st.binary(min_size=32, max_size=32)
nonces = st.binary(min_size=16, max_size=16)


@given(st.sets(st.binary(min_size=96, max_size=96), min_size=1, max_size=ADDRESSES_MAX), sequences, sequences)
def test_a_cards_text_is_the_card(addresses: set[bytes], sequence: int, made_on: int) -> None:
    card = make_card(KEY, addresses, sequence, made_on)
    assert card == make_card(KEY, sorted(addresses, reverse=True), sequence, made_on), "one set, one card"
    line = card_text(card)
    assert parse_card(f" {line}\n") == card == decode_card(pack(card))
    assert "\n" not in line
    assert line.isascii()


EIGHT = tuple(bytes([number]) * 96 for number in range(ADDRESSES_MAX))


@pytest.mark.parametrize("addresses", [(), (*EIGHT, b"z" * 96), (EIGHT[0], EIGHT[0]), (EIGHT[1], EIGHT[0])])
def test_a_card_has_one_to_eight_addresses_each_once_and_in_order(addresses: tuple[bytes, ...]) -> None:
    whole = make_card(KEY, EIGHT, 3, 20_500)
    with pytest.raises(ValueError, match="1 to 8 addresses"):
        msgspec.structs.replace(whole, addresses=addresses)
    fields = list(msgspec.structs.astuple(whole))
    fields[1:] = [addresses, *fields[2:5], b""]
    fields[-1] = KEY.sign(Context.CARD, msgspec.msgpack.encode(fields))
    data = msgspec.msgpack.encode(fields)
    assert refusal(lambda: decode_card(data)) is Code.MALFORMED
    assert refusal(lambda: parse_card(to_line("usernym-node:", data))) is Code.CARD_INVALID


@examples(400)
@given(st.data())
def test_no_letter_of_a_card_can_be_changed(data: st.DataObject) -> None:
    line = card_text(make_card(KEY, [bytes(96)], 3, 20_500))
    at = data.draw(st.integers(0, len(line) - 1))
    letter = data.draw(st.sampled_from(string.printable) | st.characters())
    changed = line[:at] + letter + line[at + 1 :]
    assert (refusal(lambda: parse_card(changed)) is None) == (changed.strip() == line)
    if changed.strip() != line:
        assert refusal(lambda: parse_card(changed)) in {Code.CARD_INVALID, Code.UNSUPPORTED_VERSION}


@examples(300)
@given(st.text(max_size=60) | st.text(string.ascii_letters + string.digits + "-_=", max_size=300))
def test_any_text_is_refused(text: str) -> None:
    assert refusal(lambda: parse_card(text)) is Code.CARD_INVALID
    assert refusal(lambda: parse_card("usernym-node:" + text)) is Code.CARD_INVALID


@given(sequences, sequences, st.booleans())
def test_only_a_higher_sequence_of_the_same_node_is_taken(known: int, new: int, same: bool) -> None:
    old = make_card(KEY, [bytes(96)], known, 20_500)
    card = make_card(KEY if same else OTHER, [bytes(96)], new, 20_400)
    expected = Code.CARD_INVALID if not same else Code.CARD_STALE if new <= known else None
    assert refusal(lambda: verify_newer_card(old, card)) is expected


@given(strategy(NodeCard))
def test_a_card_that_nobody_signed_is_refused(card: NodeCard) -> None:
    assert refusal(lambda: verify_card(card)) is Code.CARD_INVALID


def _proof(ask: m.RegisterAsk | m.LoginAsk, record: KeyRecord, made: m.Challenge) -> m.RegisterProof | m.LoginProof:
    if isinstance(ask, m.LoginAsk):
        return m.LoginProof(ask.request_id, 2, ask.name, made.nonce, made.expires_at, made.mac, 1, 0)
    return m.RegisterProof(
        ask.request_id, 2, ask.name, record, made.nonce, made.expires_at, made.difficulty, made.mac, 0
    )


@examples(150)
@given(secrets, names, st.booleans(), nonces, times, st.integers(0, 26), st.data())
def test_a_challenge_holds_for_its_request_until_it_expires(
    secret: bytes, name: str, registers: bool, nonce: bytes, now: int, difficulty: int, data: st.DataObject
) -> None:
    record = data.draw(strategy(KeyRecord))
    ask: m.RegisterAsk | m.LoginAsk = (
        m.RegisterAsk(bytes(8), 2, name, record.identity_key, whole_record_hash(record))
        if registers
        else m.LoginAsk(bytes(8), 2, name)
    )
    challenger = Challenger(secret)
    made = challenger.challenge(ask, nonce, now, difficulty if registers else 0)
    proof = _proof(ask, record, made)
    later = data.draw(st.integers(0, 2 * CHALLENGE_S))
    expected = Code.CHALLENGE_EXPIRED if later > CHALLENGE_S else None
    assert refusal(lambda: challenger.check(proof, now + later)) is expected

    changes: dict[str, Any] = {
        "name": data.draw(names),
        "nonce": data.draw(nonces),
        "expires_at": data.draw(st.integers(0, UINT32_MAX)),
        "mac": data.draw(nonces),
    }
    if registers:
        changes |= {"record": data.draw(strategy(KeyRecord)), "difficulty": data.draw(st.integers(0, 255))}
    for field, value in changes.items():
        if value != getattr(proof, field):
            tampered = msgspec.structs.replace(proof, **{field: value})
            assert refusal(partial(challenger.check, tampered, now)) is Code.CHALLENGE_INVALID
    other = Challenger(bytes((secret[0] ^ 1,)) + secret[1:])
    assert refusal(lambda: other.check(proof, now)) is Code.CHALLENGE_INVALID


@examples(40)
@given(secrets, nonces, st.integers(0, 9), st.integers(0, 1_000))
def test_work_is_searched_and_checked_alike(node: bytes, nonce: bytes, bits: int, start: int) -> None:
    found = search_work(node, nonce, bits, start, 20_000)
    assert found is not None
    assert found >= start
    label = b"usernym/1 work\0\x01" + node + nonce
    for counter in range(start, found + 1):
        value = hashlib.sha256(label + counter.to_bytes(8, "big")).digest()
        zeros = 256 - int.from_bytes(value, "big").bit_length()
        assert work_holds(node, nonce, counter, bits) == (zeros >= bits) == (counter == found)
    assert search_work(node, nonce, bits, start, found - start) is None
    assert work_holds(node, nonce, found, 0)


@given(secrets, st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.binary(min_size=16, max_size=16), nonces)
def test_a_logins_nonce_tells_its_maker_alone_its_number_and_who_asked(
    secret: bytes, number: int, other: int, tag: bytes, noise: bytes
) -> None:
    made = LoginNonces(secret)
    nonce = made.make(number, tag)
    assert len(nonce) == 16
    assert made.number(nonce, tag) == number
    assert (made.make(other, tag) == nonce) == (other == number)
    for wrong in (bytes(16), noise):
        if wrong != tag:
            assert refusal(lambda wrong=wrong: made.number(nonce, wrong)) == Code.CHALLENGE_INVALID  # type: ignore[misc]
