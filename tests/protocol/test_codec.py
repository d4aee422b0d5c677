"""The codec under Hypothesis: every message round-trips, no bytes at all do harm, no byte of a frame can be changed."""

from __future__ import annotations

import time
from functools import cache
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.refusals import refusal
from tests.helpers.vector_runs import load, unhexed
from tests.helpers.wire_strategies import strategy
from usernym.protocol import codec
from usernym.protocol import messages as m
from usernym.protocol.errors import Code, LocalProtocolError, RemoteProtocolError
from usernym.protocol.limits import FRAME_BYTES_MAX, NAME_FIELD_LETTERS_MAX, SIGNATURE_BYTES, UINT32_MAX
from usernym.protocol.signing import Context, SigningKey, labelled, prefixed
from usernym.protocol.wire import Name, pack

KEY = SigningKey.from_seed(b"k" * 32)
NODE = SigningKey.from_seed(b"n" * 32).public
KINDS: tuple[Any, ...] = get_args(m.Message)
SIGNED = [kind for kind in KINDS if kind not in m.UNSIGNED]


def encode(message: Any) -> bytes:
    if codec.is_signed(message):
        return codec.encode_signed(message, KEY, NODE)
    return codec.encode_unsigned(message)


def messages(kind: Any) -> st.SearchStrategy[Any]:
    """Messages that fit a frame. Names of 63 letters of four bytes each, which no one has, fit no longest seal."""
    return strategy(kind).filter(lambda message: len(pack(message)) + 1 + SIGNATURE_BYTES <= FRAME_BYTES_MAX)


@cache
def good_frames() -> list[bytes]:
    frames = [unhexed(vector.given["frame"]) for vector in load(good=True) if vector.operation == "frame"]
    return [frame for frame in frames if len(frame) < 4000]


def test_every_kind_is_in_the_vectors() -> None:
    kinds = {vector.expect["kind"] for vector in load(good=True) if vector.operation == "frame"}
    assert kinds == {kind.__name__ for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@examples(30)
@given(data=st.data())
def test_round_trip(kind: Any, data: st.DataObject) -> None:
    message = data.draw(messages(kind))
    try:
        frame = encode(message)
    except LocalProtocolError as error:
        if error.code is not Code.TOO_LARGE:
            raise
        reject()  # letters of four bytes, which no name has, beside the longest seal
    decoded = codec.decode(frame)
    assert decoded.message == message
    assert type(decoded.message) is kind
    assert encode(decoded.message) == frame
    if codec.is_signed(message):
        decoded.verify(KEY.public, NODE)
        with pytest.raises(LocalProtocolError):
            codec.encode_unsigned(message)
    else:
        with pytest.raises(LocalProtocolError):
            decoded.verify(KEY.public, NODE)
        with pytest.raises(LocalProtocolError):
            codec.encode_signed(message, KEY, NODE)


@examples(1500)
@given(st.binary(max_size=200) | st.binary(max_size=200).map(b"\1".__add__))
def test_any_bytes_are_refused_or_a_frame(data: bytes) -> None:
    decodes_or_refuses(data)


@examples(1500)
@given(kind=st.sampled_from(KINDS), body=st.binary(max_size=120), count=st.integers(0, 15))
def test_any_body_of_a_known_kind_is_refused_or_a_frame(kind: Any, body: bytes, count: int) -> None:
    decodes_or_refuses(bytes((1, 0x90 | count, kind.__struct_config__.tag)) + body)


def decodes_or_refuses(data: bytes) -> None:
    """Whatever decodes is the one encoding of its message; everything else is a peer's error."""
    refused = refusal(lambda: codec.decode(data))
    if refused is not None:
        assert refused in {Code.MALFORMED, Code.UNSUPPORTED_VERSION}
        return
    frame = codec.decode(data)
    assert data == b"\1" + frame.body + frame.signature
    assert frame.body == pack(frame.message)
    assert len(frame.signature) == (64 if codec.is_signed(frame.message) else 0)


@pytest.mark.seconds
@examples(1500)
@given(data=st.data())
def test_mutated_frames_are_refused_or_frames(data: st.DataObject) -> None:
    frame = bytearray(data.draw(st.sampled_from(good_frames())))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame)))
        until = at + data.draw(st.integers(0, 4))
        match data.draw(st.sampled_from(["replace", "cut", "repeat", "end", "splice"])):
            case "replace":
                frame[at:until] = data.draw(st.binary(max_size=6))
            case "cut":
                del frame[at:until]
            case "repeat":
                frame[at:at] = frame[at:until] * data.draw(st.integers(1, 50))
            case "end":
                del frame[at:]
            case "splice":
                other = data.draw(st.sampled_from(good_frames()))
                frame[at:] = other[data.draw(st.integers(0, len(other))) :]
    decodes_or_refuses(bytes(frame))


@pytest.mark.parametrize("kind", SIGNED, ids=lambda kind: kind.__name__)
@examples(60)
@given(data=st.data())
def test_no_byte_of_a_signed_frame_can_be_changed(kind: Any, data: st.DataObject) -> None:
    frame = bytearray(encode(data.draw(messages(kind))))
    at = data.draw(st.integers(0, len(frame) - 1) | st.integers(0, min(len(frame), 80) - 1))
    frame[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RemoteProtocolError):
        codec.decode(bytes(frame)).verify(KEY.public, NODE)


@pytest.mark.parametrize("vector", [v for v in load(good=True) if "key" in v.given], ids=lambda vector: vector.id)
def test_no_byte_of_a_vector_can_be_changed(vector: Any) -> None:
    frame = unhexed(vector.given["frame"])
    key, node = bytes.fromhex(vector.given["key"]), bytes.fromhex(vector.given["node"])
    codec.decode(frame).verify(key, node)
    for at in range(0, len(frame), 1 + len(frame) // 400):
        with pytest.raises(RemoteProtocolError):
            codec.decode(frame[:at] + bytes((frame[at] ^ 0x11,)) + frame[at + 1 :]).verify(key, node)


def test_hostile_input_is_refused_at_once() -> None:
    """Depth and declared lengths cost nothing: the longest frames of each kind are refused within milliseconds."""
    room = FRAME_BYTES_MAX - 3
    fillings = [b"\x91", b"\x81\xa0", b"\xc4\x00", *(bytes((head,)) + b"\xff" * 4 for head in (0xDD, 0xDF, 0xC6))]
    hostile = [
        bytes((1, 0x90 | count, tag)) + (filling * room)[:room]
        for filling in fillings
        for count in (2, 9, 15)
        for tag in (2, 10, 25, 41, 45, 60)
    ]
    began = time.perf_counter()
    for frame in hostile:
        with pytest.raises(RemoteProtocolError):
            codec.decode(frame)
    assert (time.perf_counter() - began) / len(hostile) < 0.05


def test_our_own_frame_that_is_too_long_is_our_error() -> None:
    message = m.Direct("a" * 32, bytes(16), UINT32_MAX, bytes(FRAME_BYTES_MAX), bytes(64))
    with pytest.raises(LocalProtocolError):
        codec.encode_unsigned(message)


def test_no_message_shows_its_content() -> None:
    assert repr(m.Lookup(bytes(8), 2, "bob")) == "<Lookup>"
    frame = codec.decode(encode(m.Lookup(b"secretid", 2, "bob")))
    assert "bob" not in repr(frame)
    assert "secretid" not in repr(frame)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_has_one_byte_and_a_short_array(kind: Any) -> None:
    assert 1 <= kind.__struct_config__.tag <= 127
    assert len(kind.__struct_fields__) + 1 <= 15


def test_any_name_field_that_decodes_fits_its_prefix() -> None:
    longest = "\U0010ffff" * NAME_FIELD_LETTERS_MAX
    assert msgspec.convert(longest, Name) == longest
    assert prefixed(longest)[0] == len(longest.encode()) == 252
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(longest + "a", Name)


def test_no_label_is_the_beginning_of_another() -> None:
    labels = [labelled(context) for context in Context]
    assert len(set(labels)) == len(labels)
    for one in labels:
        assert [other for other in labels if other.startswith(one)] == [one]
