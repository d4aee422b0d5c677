"""Seals and inner signatures are bound to everything they name; keys are X-Wing's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.refusals import refusal
from usernym.protocol.errors import Code
from usernym.protocol.limits import HPKE_KEY_BYTES, SEAL_OVERHEAD_BYTES
from usernym.protocol.sealing import Envelope, MessageKey, seal
from usernym.protocol.signing import Context, SigningKey

ALICE, BOB = SigningKey.from_seed(b"a" * 32), SigningKey.from_seed(b"b" * 32)
KEY, OTHER_KEY = MessageKey.from_seed(b"k" * 32), MessageKey.from_seed(b"l" * 32)

names = st.from_regex(r"[a-z][a-z0-9_]{2,31}", fullmatch=True)
keys = st.binary(min_size=32, max_size=32)
envelopes = st.builds(
    Envelope,
    node=keys,
    sender=names,
    recipient=names,
    sender_key=st.just(ALICE.public),
    recipient_key=st.just(BOB.public),
    key_number=st.integers(1, 2**32 - 1),
    message_id=st.binary(min_size=16, max_size=16),
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "node": keys,
    "sender": names,
    "recipient": names,
    "sender_key": st.just(BOB.public)
    | st.integers(0, 3).map(lambda seed: SigningKey.from_seed(bytes((seed,)) * 32).public),
    "recipient_key": st.just(ALICE.public) | keys,
    "key_number": st.integers(1, 2**32 - 1),
    "message_id": st.binary(min_size=16, max_size=16),
}


@examples(100)
@given(envelopes, st.binary(max_size=300))
def test_what_is_sealed_opens_once_more(envelope: Envelope, plaintext: bytes) -> None:
    sealed = seal(KEY.public, plaintext, envelope)
    assert len(sealed) == len(plaintext) + SEAL_OVERHEAD_BYTES
    assert KEY.open(sealed, envelope) == plaintext
    assert seal(KEY.public, plaintext, envelope) != sealed
    assert refusal(lambda: OTHER_KEY.open(sealed, envelope)) is Code.UNOPENABLE
    envelope.verify(sealed, envelope.sign(ALICE, sealed))
    envelope.verify_unopenable(envelope.sign_unopenable(BOB))


@pytest.mark.parametrize("field", FIELDS)
@examples(40)
@given(envelope=envelopes, data=st.data())
def test_any_bound_field_changed_is_refused(field: str, envelope: Envelope, data: st.DataObject) -> None:
    sealed, inner, statement = (
        seal(KEY.public, b"hello", envelope),
        envelope.sign(ALICE, b"c"),
        envelope.sign_unopenable(BOB),
    )
    other = data.draw(FIELDS[field])
    assume(other != getattr(envelope, field))
    changed = replace(envelope, **{field: other})
    assert refusal(lambda: KEY.open(sealed, changed)) is Code.UNOPENABLE
    assert refusal(lambda: changed.verify(b"c", inner)) is Code.SIGNATURE_INVALID
    assert refusal(lambda: changed.verify_unopenable(statement)) is Code.SIGNATURE_INVALID


@examples(100)
@given(envelopes, names, names)
def test_no_two_pairs_of_names_bind_alike(envelope: Envelope, sender: str, recipient: str) -> None:
    other = replace(envelope, sender=sender, recipient=recipient)
    assert (other.info() == envelope.info()) == ((sender, recipient) == (envelope.sender, envelope.recipient))


@examples(300)
@given(envelopes, st.data())
def test_no_byte_of_a_seal_can_be_changed(envelope: Envelope, data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY.public, b"hello", envelope))
    inner = envelope.sign(ALICE, bytes(sealed))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    assert refusal(lambda: KEY.open(bytes(sealed), envelope)) is Code.UNOPENABLE
    assert refusal(lambda: envelope.verify(bytes(sealed), inner)) is Code.SIGNATURE_INVALID


@examples(200)
@given(envelopes, st.binary(max_size=1300) | st.integers(0, 1300).map(bytes))
def test_what_nobody_sealed_is_refused(envelope: Envelope, sealed: bytes) -> None:
    assert refusal(lambda: KEY.open(sealed, envelope)) is Code.UNOPENABLE


@examples(100)
@given(envelopes, st.binary(min_size=64, max_size=64))
def test_sealing_to_no_key_is_refused_or_harmless(envelope: Envelope, seed: bytes) -> None:
    public = (seed * 19)[:HPKE_KEY_BYTES]
    assert refusal(lambda: seal(public, b"x", envelope)) in {Code.RECORD_INVALID, None}
    assert refusal(lambda: seal(public[:-1], b"x", envelope)) is Code.RECORD_INVALID


@pytest.mark.parametrize("signed", list(Context))
@examples(10)
@given(envelope=envelopes)
def test_no_context_stands_in_for_another(signed: Context, envelope: Envelope) -> None:
    """Whatever a key signs under another label is neither an inner signature nor a statement."""
    parts = envelope._context()
    checks: dict[Context, Callable[[], object]] = {
        Context.SEALED: lambda: envelope.verify(b"", ALICE.sign(signed, parts)),
        Context.UNOPENABLE: lambda: envelope.verify_unopenable(BOB.sign(signed, parts)),
    }
    for wanted, check in checks.items():
        assert (refusal(check) is None) == (signed is wanted)


def test_secrets_are_not_shown() -> None:
    envelope = Envelope(b"n" * 32, "alice", "bob", ALICE.public, BOB.public, 3, b"m" * 16)
    shown = repr((ALICE, KEY, envelope))
    assert "alice" not in shown
    assert "bob" not in shown
    assert repr(ALICE.public)[2:-1] not in shown
    assert "private" not in shown.lower()
