"""Frames: `version ‖ body ‖ signature`, where the body is a message's canonical encoding and the kind tells who signs.

docs/protocol.md, "Frames". `encode_*` make frames; `decode` takes any bytes at all and either returns a `Frame` or
raises `RemoteProtocolError`. A frame's signature is checked by anyone who knows the key, with `Frame.verify`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, cast, get_args

from usernym.protocol import messages as m
from usernym.protocol.errors import Code, LocalProtocolError, RemoteProtocolError
from usernym.protocol.limits import FRAME_BYTES_MAX, SIGNATURE_BYTES, VERSION
from usernym.protocol.payloads import SEALED_SIZES
from usernym.protocol.signing import Context, SigningKey, digest, verify
from usernym.protocol.wire import Wire, decoder_of, pack, unpack

_KINDS: Final = {cast(int, kind.__struct_config__.tag): kind for kind in get_args(m.Message)}
_DECODERS: Final = {tag: decoder_of(kind) for tag, kind in _KINDS.items()}
_CONTEXTS: Final = {
    **dict.fromkeys(m.SIGNED_BY_CLIENT, Context.REQUEST),
    **dict.fromkeys(get_args(m.Answer), Context.ANSWER),
    **dict.fromkeys(get_args(m.Tell), Context.TELL),
}
_SEALED: Final = (m.Forward, m.Deliver, m.Direct)
_FIXARRAY: Final = 0x90
"""MessagePack: the first byte of an array of up to 15 items; no message has more. The kind is the byte behind it."""

assert set(_KINDS.values()) == {*m.SIGNED_BY_CLIENT, *m.SIGNED_BY_NODE, *m.UNSIGNED}
assert set(_CONTEXTS) == {*m.SIGNED_BY_CLIENT, *m.SIGNED_BY_NODE}


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded message with what its signature covers."""

    message: m.Message
    body: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    def verify(self, public: bytes, node: bytes) -> None:
        """Raise `RemoteProtocolError(SIGNATURE_INVALID)` unless `public` signed this frame for that node."""
        context = _CONTEXTS.get(type(self.message))
        if context is None:
            raise LocalProtocolError(Code.UNEXPECTED, f"{type(self.message).__name__} is not signed")
        verify(public, self.signature, context, node, self.body)

    def digest(self) -> bytes:
        """A digest of all that is signed in it."""
        return digest(Context.REQUEST, self.body)


def encode_unsigned(message: m.Message) -> bytes:
    """The frame of a message that no one signs."""
    if type(message) in _CONTEXTS:
        raise LocalProtocolError(Code.UNEXPECTED, f"{type(message).__name__} must be signed")
    return _bounded(bytes((VERSION,)) + pack(cast(Wire, message)))


@dataclass(frozen=True, slots=True)
class Unsigned:
    """An encoded message before its signature: its frame's length is known before it is sent."""

    context: Context
    body: bytes = field(repr=False)

    @property
    def frame_bytes(self) -> int:
        """The length of the frame."""
        return 1 + len(self.body) + SIGNATURE_BYTES

    def sign(self, key: SigningKey, node: bytes) -> bytes:
        """The frame, signed by `key` for that node."""
        return _bounded(bytes((VERSION,)) + self.body + key.sign(self.context, node, self.body))


def encode(message: m.Message) -> Unsigned:
    """Encode a message that will be signed."""
    context = _CONTEXTS.get(type(message))
    if context is None:
        raise LocalProtocolError(Code.UNEXPECTED, f"{type(message).__name__} is not signed")
    return Unsigned(context, pack(cast(Wire, message)))


def encode_signed(message: m.Message, key: SigningKey, node: bytes) -> bytes:
    """The frame of a message, signed by `key` for that node."""
    return encode(message).sign(key, node)


def is_signed(message: m.Message) -> bool:
    """Whether frames of this message carry a signature."""
    return type(message) in _CONTEXTS


def decode(frame: bytes) -> Frame:
    """The message in `frame`. Raises `RemoteProtocolError` for anything that is not exactly one frame."""
    if len(frame) > FRAME_BYTES_MAX:
        raise RemoteProtocolError(Code.TOO_LARGE, "longer than any frame")
    if not frame:
        raise RemoteProtocolError(Code.MALFORMED, "empty")
    if frame[0] != VERSION:
        raise RemoteProtocolError(Code.UNSUPPORTED_VERSION, "another protocol version")
    if len(frame) < 3 or frame[1] & 0xF0 != _FIXARRAY:
        raise RemoteProtocolError(Code.MALFORMED, "not a message")
    kind = _KINDS.get(frame[2])
    if kind is None:
        raise RemoteProtocolError(Code.MALFORMED, "no such kind of message")
    end = len(frame) - (SIGNATURE_BYTES if kind in _CONTEXTS else 0)
    if end < 3:
        raise RemoteProtocolError(Code.MALFORMED, "shorter than its signature")
    body = frame[1:end]
    message = unpack(_DECODERS[frame[2]], body)
    if isinstance(message, _SEALED) and len(message.sealed) not in SEALED_SIZES:
        raise RemoteProtocolError(Code.MALFORMED, "no seal has this length")
    return Frame(message, body, frame[end:])


def _bounded(frame: bytes) -> bytes:
    if len(frame) > FRAME_BYTES_MAX:
        raise LocalProtocolError(Code.TOO_LARGE, "a frame of ours is too long")
    return frame
