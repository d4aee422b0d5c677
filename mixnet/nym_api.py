"""The websocket API of nym-client, both ways, as bytes and text: no I/O.

Source: nymtech/nym 1.21, `clients/native/websocket-requests`. Binary: one byte for the kind, then the fields; integers
are big-endian, and lengths must fit exactly. Text: JSON objects with a `type`; here only what a server needs.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from usernym.mixnet.transport import ADDRESS_BYTES, MESSAGE_BYTES_MAX, SENDER_TAG_BYTES

NO_CONNECTION: Final = 0
"""The connection id for "no connection": a send with it gets no answer."""
REQUEST_OVERHEAD_BYTES: Final = 1 + 4 + ADDRESS_BYTES + 8 + 8
"""The longest header of a binary request: sendAnonymous."""
REQUEST_BYTES_MAX: Final = MESSAGE_BYTES_MAX + REQUEST_OVERHEAD_BYTES


class ErrorKind(IntEnum):
    """Why a frame was refused."""

    EMPTY_REQUEST = 0x01
    TOO_SHORT_REQUEST = 0x02
    UNKNOWN_REQUEST = 0x03
    MALFORMED_REQUEST = 0x04
    EMPTY_RESPONSE = 0x80
    TOO_SHORT_RESPONSE = 0x81
    UNKNOWN_RESPONSE = 0x82
    MALFORMED_RESPONSE = 0x83
    OTHER = 0xFF


class ApiError(Exception):
    """A frame breaks the API. `kind` is for the answer; the text never repeats the frame."""

    def __init__(self, kind: ErrorKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Send:
    """Send plainly: no sender tag, no SURBs."""

    recipient: bytes = field(repr=False)
    data: bytes = field(repr=False)
    connection_id: int = NO_CONNECTION


@dataclass(frozen=True, slots=True)
class SendAnonymous:
    """Send with a sender tag and reply SURBs."""

    recipient: bytes = field(repr=False)
    data: bytes = field(repr=False)
    surbs: int
    connection_id: int = NO_CONNECTION


@dataclass(frozen=True, slots=True)
class Reply:
    """Reply to a sender tag."""

    sender_tag: bytes = field(repr=False)
    data: bytes = field(repr=False)
    connection_id: int = NO_CONNECTION


@dataclass(frozen=True, slots=True)
class SelfAddress:
    """Ask for the client's address."""


@dataclass(frozen=True, slots=True)
class ClosedConnection:
    """Forget what waits for a connection."""

    connection_id: int


@dataclass(frozen=True, slots=True)
class GetLaneQueueLength:
    """Ask how much waits for a connection."""

    connection_id: int


Request = Send | SendAnonymous | Reply | SelfAddress | ClosedConnection | GetLaneQueueLength


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """A request was refused."""

    kind: int
    message: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReceivedResponse:
    """A message arrived."""

    data: bytes = field(repr=False)
    sender_tag: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SelfAddressResponse:
    """The client's address."""

    address: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class LaneQueueLength:
    """How much waits for a connection, in packets."""

    lane: int
    queue_length: int


Response = ErrorResponse | ReceivedResponse | SelfAddressResponse | LaneQueueLength

_U32_MAX: Final = 2**32 - 1
_U64_MAX: Final = 2**64 - 1


def _tail(connection_id: int, data: bytes) -> bytes:
    if not 0 <= connection_id <= _U64_MAX:
        raise ValueError("a connection id is an unsigned 64-bit number")
    return struct.pack(">QQ", connection_id, len(data)) + data


def _fixed(value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise ValueError(f"expected {size} bytes, not {len(value)}")
    return value


def encode_request(request: Request) -> bytes:
    """The binary frame of a request. Raises `ValueError` for a field that does not fit: the caller's mistake."""
    match request:
        case Send(recipient, data, connection_id):
            return b"\x00" + _fixed(recipient, ADDRESS_BYTES) + _tail(connection_id, data)
        case SendAnonymous(recipient, data, surbs, connection_id):
            if not 0 <= surbs <= _U32_MAX:
                raise ValueError("the number of SURBs is an unsigned 32-bit number")
            head = b"\x01" + struct.pack(">I", surbs) + _fixed(recipient, ADDRESS_BYTES)
            return head + _tail(connection_id, data)
        case Reply(sender_tag, data, connection_id):
            return b"\x02" + _fixed(sender_tag, SENDER_TAG_BYTES) + _tail(connection_id, data)
        case SelfAddress():
            return b"\x03"
        case ClosedConnection(connection_id):
            return b"\x04" + struct.pack(">Q", connection_id)
        case GetLaneQueueLength(connection_id):
            return b"\x05" + struct.pack(">Q", connection_id)


class _Fields:
    """Reads the fields of a frame from front to back; errors are of the frame's direction."""

    def __init__(self, frame: bytes, too_short: ErrorKind, malformed: ErrorKind) -> None:
        self._frame = frame
        self._at = 1
        self._too_short = too_short
        self._malformed = malformed

    def take(self, size: int) -> bytes:
        part = self._frame[self._at : self._at + size]
        if len(part) != size:
            raise ApiError(self._too_short, "the frame ends before its last field")
        self._at += size
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def data(self) -> bytes:
        """A length, and that many bytes, up to the frame's end."""
        length = self.number(8)
        if length != len(self._frame) - self._at:
            raise ApiError(self._malformed, "the length of the data does not fit the frame")
        return self.take(length)

    def end(self) -> None:
        if self._at != len(self._frame):
            raise ApiError(self._malformed, "bytes follow the last field")


def decode_request(frame: bytes) -> Request:
    """Read a binary request. Raises `ApiError`."""
    if not frame:
        raise ApiError(ErrorKind.EMPTY_REQUEST, "the request is empty")
    fields = _Fields(frame, ErrorKind.TOO_SHORT_REQUEST, ErrorKind.MALFORMED_REQUEST)
    request = _read_request(frame[0], fields)
    fields.end()
    return request


def _read_request(kind: int, fields: _Fields) -> Request:
    match kind:
        case 0:
            recipient, connection_id = fields.take(ADDRESS_BYTES), fields.number(8)
            return Send(recipient, fields.data(), connection_id)
        case 1:
            surbs, recipient, connection_id = fields.number(4), fields.take(ADDRESS_BYTES), fields.number(8)
            return SendAnonymous(recipient, fields.data(), surbs, connection_id)
        case 2:
            sender_tag, connection_id = fields.take(SENDER_TAG_BYTES), fields.number(8)
            return Reply(sender_tag, fields.data(), connection_id)
        case 3:
            return SelfAddress()
        case 4:
            return ClosedConnection(fields.number(8))
        case 5:
            return GetLaneQueueLength(fields.number(8))
        case _:
            raise ApiError(ErrorKind.UNKNOWN_REQUEST, "there is no request of this kind")


def encode_response(response: Response) -> bytes:
    """The binary frame of a response. Raises `ValueError` for a field that does not fit."""
    match response:
        case ErrorResponse(kind, message):
            text = message.encode()
            return b"\x00" + struct.pack(">BQ", kind, len(text)) + text
        case ReceivedResponse(data, None):
            return b"\x01\x00" + struct.pack(">Q", len(data)) + data
        case ReceivedResponse(data, sender_tag):
            assert sender_tag is not None
            return b"\x01\x01" + _fixed(sender_tag, SENDER_TAG_BYTES) + struct.pack(">Q", len(data)) + data
        case SelfAddressResponse(address):
            return b"\x02" + _fixed(address, ADDRESS_BYTES)
        case LaneQueueLength(lane, queue_length):
            return b"\x03" + struct.pack(">QQ", lane, queue_length)


def decode_response(frame: bytes) -> Response:
    """Read a binary response. Raises `ApiError`."""
    if not frame:
        raise ApiError(ErrorKind.EMPTY_RESPONSE, "the response is empty")
    fields = _Fields(frame, ErrorKind.TOO_SHORT_RESPONSE, ErrorKind.MALFORMED_RESPONSE)
    response = _read_response(frame[0], fields)
    fields.end()
    return response


def _read_response(kind: int, fields: _Fields) -> Response:
    match kind:
        case 0:
            error_kind = fields.number(1)
            try:
                return ErrorResponse(error_kind, fields.data().decode())
            except UnicodeDecodeError:
                raise ApiError(ErrorKind.MALFORMED_RESPONSE, "the error's text is not UTF-8") from None
        case 1:
            flag = fields.number(1)
            if flag > 1:
                raise ApiError(ErrorKind.MALFORMED_RESPONSE, "the flag for the sender tag is neither 0 nor 1")
            sender_tag = fields.take(SENDER_TAG_BYTES) if flag else None
            return ReceivedResponse(fields.data(), sender_tag)
        case 2:
            return SelfAddressResponse(fields.take(ADDRESS_BYTES))
        case 3:
            lane = fields.number(8)
            return LaneQueueLength(lane, fields.number(8))
        case _:
            raise ApiError(ErrorKind.UNKNOWN_RESPONSE, "there is no response of this kind")
