"""The text form of nym-client's websocket API, as its server sees it: JSON requests in, JSON responses out.

Only what a server needs. Received bytes become text lossily, as in nym-client: programs use the binary form.
"""

from __future__ import annotations

import json
from typing import Any

import base58

from usernym.mixnet.addresses import AddressError, format_address, parse_address
from usernym.mixnet.nym_api import (
    ApiError,
    ErrorKind,
    ErrorResponse,
    LaneQueueLength,
    ReceivedResponse,
    Reply,
    Request,
    Response,
    SelfAddress,
    SelfAddressResponse,
    Send,
    SendAnonymous,
)
from usernym.mixnet.transport import SENDER_TAG_BYTES


def decode_text_request(text: str) -> Request:
    """Read a JSON request: `selfAddress`, `send`, `sendAnonymous` or `reply`. Raises `ApiError`."""
    if not text:
        raise ApiError(ErrorKind.EMPTY_REQUEST, "the request is empty")
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise ApiError(ErrorKind.MALFORMED_REQUEST, "the request is not JSON") from None
    if not isinstance(fields, dict):
        raise ApiError(ErrorKind.MALFORMED_REQUEST, "the request is not a JSON object")
    match fields.get("type"):
        case "selfAddress":
            return SelfAddress()
        case "send":
            return Send(_address(fields), _message(fields))
        case "sendAnonymous":
            return SendAnonymous(_address(fields), _message(fields), _surbs(fields))
        case "reply":
            return Reply(_sender_tag(fields), _message(fields))
        case _:
            raise ApiError(ErrorKind.UNKNOWN_REQUEST, "there is no request of this type")


def encode_text_response(response: Response) -> str:
    """The JSON of a response."""
    match response:
        case ErrorResponse(_, message):
            fields: dict[str, Any] = {"type": "error", "message": message}
        case ReceivedResponse(data, sender_tag):
            tag = None if sender_tag is None else base58.b58encode(sender_tag).decode("ascii")
            fields = {"type": "received", "message": data.decode(errors="replace"), "senderTag": tag}
        case SelfAddressResponse(address):
            fields = {"type": "selfAddress", "address": format_address(address)}
        case LaneQueueLength(lane, queue_length):
            fields = {"type": "laneQueueLength", "lane": lane, "queue_length": queue_length}
    return json.dumps(fields)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise ApiError(ErrorKind.MALFORMED_REQUEST, f"the request needs a text {name!r}")
    return value


def _message(fields: dict[str, Any]) -> bytes:
    try:
        return _text(fields, "message").encode()
    except UnicodeEncodeError:  # JSON can escape half a surrogate pair
        raise ApiError(ErrorKind.MALFORMED_REQUEST, "the message can't be written in UTF-8") from None


def _address(fields: dict[str, Any]) -> bytes:
    try:
        return parse_address(_text(fields, "recipient"))
    except AddressError as error:
        raise ApiError(ErrorKind.MALFORMED_REQUEST, str(error)) from None


def _surbs(fields: dict[str, Any]) -> int:
    value = fields.get("replySurbs")
    if type(value) is not int or not 0 <= value < 2**32:
        raise ApiError(ErrorKind.MALFORMED_REQUEST, "'replySurbs' must be a number from 0 on")
    return value


def _sender_tag(fields: dict[str, Any]) -> bytes:
    text = _text(fields, "senderTag")
    try:
        tag = base58.b58decode(text) if len(text) <= 2 * SENDER_TAG_BYTES else b""
    except (ValueError, UnicodeEncodeError):
        tag = b""
    if len(tag) != SENDER_TAG_BYTES:
        raise ApiError(ErrorKind.MALFORMED_REQUEST, f"'senderTag' must be {SENDER_TAG_BYTES} bytes in base58")
    return tag
