"""nym-client's websocket API as bytes and JSON."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st

from usernym.mixnet import nym_api as api
from usernym.mixnet.addresses import format_address
from usernym.mixnet.emulator.json_api import decode_text_request, encode_text_response
from usernym.mixnet.nym_api import ApiError, ErrorKind

ADDRESS = bytes(range(96))
TAG = bytes(range(16))

addresses = st.binary(min_size=96, max_size=96)
tags = st.binary(min_size=16, max_size=16)
data = st.binary(max_size=300)
u64 = st.integers(0, 2**64 - 1)
requests = st.one_of(
    st.builds(api.Send, addresses, data, u64),
    st.builds(api.SendAnonymous, addresses, data, st.integers(0, 2**32 - 1), u64),
    st.builds(api.Reply, tags, data, u64),
    st.just(api.SelfAddress()),
    st.builds(api.ClosedConnection, u64),
    st.builds(api.GetLaneQueueLength, u64),
)
responses = st.one_of(
    st.builds(api.ErrorResponse, st.integers(0, 255), st.text()),
    st.builds(api.ReceivedResponse, data, st.none() | tags),
    st.builds(api.SelfAddressResponse, addresses),
    st.builds(api.LaneQueueLength, u64, u64),
)


def test_requests_as_written_down() -> None:
    length = (2).to_bytes(8, "big")
    connection = (7).to_bytes(8, "big")
    none = bytes(8)
    assert api.encode_request(api.Send(ADDRESS, b"hi", 7)) == b"\x00" + ADDRESS + connection + length + b"hi"
    assert (
        api.encode_request(api.SendAnonymous(ADDRESS, b"hi", 3))
        == b"\x01\x00\x00\x00\x03" + ADDRESS + none + length + b"hi"
    )
    assert api.encode_request(api.Reply(TAG, b"hi")) == b"\x02" + TAG + none + length + b"hi"
    assert api.encode_request(api.SelfAddress()) == b"\x03"
    assert api.encode_request(api.ClosedConnection(7)) == b"\x04" + connection
    assert api.encode_request(api.GetLaneQueueLength(7)) == b"\x05" + connection


def test_responses_as_written_down() -> None:
    length = (2).to_bytes(8, "big")
    assert api.encode_response(api.ErrorResponse(ErrorKind.OTHER, "no")) == b"\x00\xff" + length + b"no"
    assert api.encode_response(api.ReceivedResponse(b"hi", None)) == b"\x01\x00" + length + b"hi"
    assert api.encode_response(api.ReceivedResponse(b"hi", TAG)) == b"\x01\x01" + TAG + length + b"hi"
    assert api.encode_response(api.SelfAddressResponse(ADDRESS)) == b"\x02" + ADDRESS
    assert api.encode_response(api.LaneQueueLength(1, 2)) == b"\x03" + (1).to_bytes(8, "big") + (2).to_bytes(8, "big")


@given(requests)
def test_requests_round_trip(request: api.Request) -> None:
    assert api.decode_request(api.encode_request(request)) == request


@given(responses)
def test_responses_round_trip(response: api.Response) -> None:
    assert api.decode_response(api.encode_response(response)) == response


@given(requests, st.data())
def test_every_cut_and_every_extra_byte_of_a_request_is_refused(request: api.Request, draw: st.DataObject) -> None:
    frame = api.encode_request(request)
    cut = draw.draw(st.integers(0, len(frame) - 1))
    for bad in (frame[:cut], frame + b"\x00"):
        with pytest.raises(ApiError) as refused:
            api.decode_request(bad)
        assert refused.value.kind < 0x80


@given(responses, st.data())
def test_every_cut_and_every_extra_byte_of_a_response_is_refused(response: api.Response, draw: st.DataObject) -> None:
    frame = api.encode_response(response)
    cut = draw.draw(st.integers(0, len(frame) - 1))
    for bad in (frame[:cut], frame + b"\x00"):
        with pytest.raises(ApiError) as refused:
            api.decode_response(bad)
        assert refused.value.kind >= 0x80


@given(st.binary(max_size=400))
def test_any_bytes_are_a_frame_or_refused(frame: bytes) -> None:
    with contextlib.suppress(ApiError):
        assert api.encode_request(api.decode_request(frame)) == frame
    with contextlib.suppress(ApiError):
        assert api.encode_response(api.decode_response(frame)) == frame


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (b"", ErrorKind.EMPTY_REQUEST),
        (b"\x06", ErrorKind.UNKNOWN_REQUEST),
        (b"\xff", ErrorKind.UNKNOWN_REQUEST),
        (b"\x00" + ADDRESS, ErrorKind.TOO_SHORT_REQUEST),
        (b"\x03\x00", ErrorKind.MALFORMED_REQUEST),
        (b"\x02" + TAG + bytes(8) + b"\xff" * 8 + b"hi", ErrorKind.MALFORMED_REQUEST),
        (b"\x02" + TAG + bytes(16) + b"hi", ErrorKind.MALFORMED_REQUEST),
    ],
)
def test_kinds_of_request_errors(frame: bytes, kind: ErrorKind) -> None:
    with pytest.raises(ApiError) as refused:
        api.decode_request(frame)
    assert refused.value.kind is kind


@pytest.mark.parametrize(
    ("frame", "kind"),
    [
        (b"", ErrorKind.EMPTY_RESPONSE),
        (b"\x04", ErrorKind.UNKNOWN_RESPONSE),
        (b"\x01", ErrorKind.TOO_SHORT_RESPONSE),
        (b"\x01\x02" + bytes(24), ErrorKind.MALFORMED_RESPONSE),
        (b"\x00\xff" + (1).to_bytes(8, "big") + b"\x80", ErrorKind.MALFORMED_RESPONSE),
        (b"\x02" + ADDRESS + b"x", ErrorKind.MALFORMED_RESPONSE),
    ],
)
def test_kinds_of_response_errors(frame: bytes, kind: ErrorKind) -> None:
    with pytest.raises(ApiError) as refused:
        api.decode_response(frame)
    assert refused.value.kind is kind


@pytest.mark.parametrize(
    "request_",
    [
        api.Send(ADDRESS[:-1], b""),
        api.SendAnonymous(ADDRESS, b"", -1),
        api.SendAnonymous(ADDRESS, b"", 2**32),
        api.Reply(TAG + b"x", b""),
        api.Reply(TAG, b"", 2**64),
    ],
)
def test_field_that_does_not_fit_is_the_callers_mistake(request_: api.Request) -> None:
    with pytest.raises(ValueError, match=r"bytes|number"):
        api.encode_request(request_)


def test_json_requests() -> None:
    text, tag = format_address(ADDRESS), base58.b58encode(TAG).decode()
    assert decode_text_request('{"type": "selfAddress"}') == api.SelfAddress()
    assert decode_text_request(
        json.dumps({"type": "send", "recipient": text, "message": "hällo"})
    ) == api.Send(ADDRESS, "hällo".encode())  # fmt: skip
    assert decode_text_request(
        json.dumps({"type": "sendAnonymous", "recipient": text, "message": "hi", "replySurbs": 5})
    ) == api.SendAnonymous(ADDRESS, b"hi", 5)
    assert decode_text_request(json.dumps({"type": "reply", "senderTag": tag, "message": "hi"})) == api.Reply(
        TAG, b"hi"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "[" * 100_000,
        "9" * 10_000,
        '{"type": "unknown"}',
        '{"type": ["send"]}',
        '{"type": "send"}',
        '{"type": "send", "recipient": "x", "message": "x"}',
        json.dumps({"type": "send", "recipient": format_address(ADDRESS), "message": 7}),
        json.dumps({"type": "send", "recipient": format_address(ADDRESS), "message": "\ud800"}),
        json.dumps({"type": "sendAnonymous", "recipient": format_address(ADDRESS), "message": "x", "replySurbs": True}),
        json.dumps({"type": "sendAnonymous", "recipient": format_address(ADDRESS), "message": "x", "replySurbs": -1}),
        json.dumps({"type": "reply", "senderTag": "0", "message": "x"}),
        json.dumps({"type": "reply", "senderTag": "é", "message": "x"}),
        json.dumps({"type": "reply", "senderTag": "1" * 15, "message": "x"}),
    ],
)
def test_bad_json_requests_are_refused(text: str) -> None:
    with pytest.raises(ApiError):
        decode_text_request(text)


@given(st.text() | st.dictionaries(st.sampled_from(["type", "message", "senderTag"]), st.text()).map(json.dumps))
def test_any_text_is_a_request_or_refused(text: str) -> None:
    try:
        request = decode_text_request(text)
    except ApiError:
        return
    assert isinstance(request, (api.SelfAddress, api.Reply)), "no address is made up"


@pytest.mark.parametrize(
    ("response", "fields"),
    [
        (api.ReceivedResponse(b"hi", None), {"type": "received", "message": "hi", "senderTag": None}),
        (api.ReceivedResponse(b"\xff", bytes(16)), {"type": "received", "message": "\ufffd", "senderTag": "1" * 16}),
        (api.SelfAddressResponse(ADDRESS), {"type": "selfAddress", "address": format_address(ADDRESS)}),
        (api.LaneQueueLength(3, 0), {"type": "laneQueueLength", "lane": 3, "queue_length": 0}),
        (api.ErrorResponse(0xFF, "no"), {"type": "error", "message": "no"}),
    ],
)
def test_json_responses(response: api.Response, fields: dict[str, Any]) -> None:
    assert json.loads(encode_text_response(response)) == fields


def test_nothing_secret_is_printed() -> None:
    for value in (
        api.SendAnonymous(ADDRESS, b"secret", 1),
        api.Reply(TAG, b"secret"),
        api.ReceivedResponse(b"secret", TAG),
    ):
        assert "secret" not in repr(value)
        assert repr(TAG) not in repr(value)
