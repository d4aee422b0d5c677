"""What every structure on the wire has in common: a MessagePack array of bounded fields, in one canonical encoding."""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

import msgspec

from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import (
    ADDRESS_BYTES,
    BOOT_ID_BYTES,
    HASH_BYTES,
    HPKE_KEY_BYTES,
    ID_BYTES,
    KEY_BYTES,
    MAC_BYTES,
    NAME_FIELD_LETTERS_MAX,
    REQUEST_ID_BYTES,
    SIGNATURE_BYTES,
    TOKEN_BYTES,
    UINT32_MAX,
)


def _exactly(size: int) -> msgspec.Meta:
    return msgspec.Meta(min_length=size, max_length=size)


Key = Annotated[bytes, _exactly(KEY_BYTES)]
Signature = Annotated[bytes, _exactly(SIGNATURE_BYTES)]
Hash = Annotated[bytes, _exactly(HASH_BYTES)]
Mac = Annotated[bytes, _exactly(MAC_BYTES)]
Id = Annotated[bytes, _exactly(ID_BYTES)]
RequestId = Annotated[bytes, _exactly(REQUEST_ID_BYTES)]
BootId = Annotated[bytes, _exactly(BOOT_ID_BYTES)]
Token = Annotated[bytes, _exactly(TOKEN_BYTES)]
Address = Annotated[bytes, _exactly(ADDRESS_BYTES)]
HpkeKey = Annotated[bytes, _exactly(HPKE_KEY_BYTES)]
Name = Annotated[str, msgspec.Meta(max_length=NAME_FIELD_LETTERS_MAX)]
U8 = Annotated[int, msgspec.Meta(ge=0, le=255)]
U32 = Annotated[int, msgspec.Meta(ge=0, le=UINT32_MAX)]
Number = Annotated[int, msgspec.Meta(ge=1, le=UINT32_MAX)]
"""Record, key and notice numbers start at 1."""


class Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A structure on the wire: an array of exactly its fields. It never shows its content: that could be a secret."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


T = TypeVar("T")
_encoder: Final = msgspec.msgpack.Encoder()


def pack(structure: Wire) -> bytes:
    """The canonical encoding."""
    return _encoder.encode(structure)


def unpack(decoder: msgspec.msgpack.Decoder[T], data: bytes) -> T:
    """Decode strictly: wrong shapes, trailing bytes, other encodings raise `RemoteProtocolError(MALFORMED)`."""
    try:
        value = decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError):
        # The library's text would quote the input; a peer's bytes have no place in our logs.
        raise RemoteProtocolError(Code.MALFORMED, "not a valid structure") from None
    if _encoder.encode(value) != data:
        raise RemoteProtocolError(Code.MALFORMED, "not in the canonical encoding")
    return value


def decoder_of(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    """A strict decoder for one structure, or for a union of tagged ones."""
    return msgspec.msgpack.Decoder(kind, strict=True)
