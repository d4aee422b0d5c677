"""What is inside a seal: texts, receipts, handshakes and files, padded so that a length says nothing.

docs/protocol.md, "Payloads", "Padding" and "Files". A handshake has the size and the shape of a short text.
"""

from __future__ import annotations

from typing import Annotated, Final, get_args

import msgspec

from usernym.protocol.directory.checkpoints import HeadTold, SignedHead
from usernym.protocol.errors import Code, LocalProtocolError, RemoteProtocolError
from usernym.protocol.limits import (
    CHUNK_PACKETS,
    FILE_BYTES_MAX,
    FILE_NAME_LETTERS_MAX,
    KEY_BYTES,
    NAME_LETTERS_MAX,
    PACKETS_MAX,
    RECEIPTS_MAX,
    SEAL_OVERHEAD_BYTES,
    SIGNATURE_BYTES,
    TEXT_BYTES_MAX,
)
from usernym.protocol.packets import PACKET_PAYLOAD_BYTES, anonymous_capacity
from usernym.protocol.records import KeyRecord
from usernym.protocol.wire import U8, U32, Address, Hash, Id, Token, Wire, decoder_of, pack, unpack

COUNTERS_A_HOME: Final = 2**31
"""A restored home counts from the second of its making times this: it knows no counter of the homes before it, and all
of its own are higher. SQLite's integers have room for both until 2106."""
COUNTER_MAX: Final = 2**32 * COUNTERS_A_HOME - 1
Counter = Annotated[int, msgspec.Meta(ge=0, le=COUNTER_MAX)]
"""Grows by one with each message of one side of a conversation, within one home of the writer."""


def counters_of_home(counter: int) -> int:
    """The number from which the home counts that wrote this counter. Its first message to a contact has the next one.

    It is 0 for the home in which an identity was made.
    """
    return counter - counter % COUNTERS_A_HOME


class Text(Wire, frozen=True, tag=1):
    """A text. `counter`: see `counters_of_home`. `sent_at` is in Unix seconds. `head` is the newest head of the
    directory's log that its writer has seen, where padding would stand otherwise."""

    counter: Counter
    sent_at: U32
    token: Token
    record: KeyRecord | None
    head: HeadTold | None
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_BYTES_MAX)]


class Received(Wire, frozen=True):
    """One message received directly, proved by its token."""

    message_id: Id
    token: Token


class DirectReceipt(Wire, frozen=True, tag=2):
    """These came directly. A receipt is not counted and not acknowledged: its `counter` is 0."""

    counter: Counter
    sent_at: U32
    token: Token
    record: KeyRecord | None
    received: Annotated[tuple[Received, ...], msgspec.Meta(min_length=1, max_length=RECEIPTS_MAX)]


class HandshakeOffer(Wire, frozen=True, tag=3):
    """Let us talk directly; this is my Nym address. `seen` is the highest counter of the other side's handshake
    messages that the writer had taken, or the number of its newest home: it shows what the writer of an offer, an
    acceptance or a revocation knew."""

    counter: Counter
    sent_at: U32
    token: Token
    record: KeyRecord | None
    address: Address
    seen: Counter


class HandshakeAccept(Wire, frozen=True, tag=4):
    """Yes; this is mine."""

    counter: Counter
    sent_at: U32
    token: Token
    record: KeyRecord | None
    address: Address
    seen: Counter


class HandshakeRevoke(Wire, frozen=True, tag=5):
    """No more direct messages, please. It can't take an address back."""

    counter: Counter
    sent_at: U32
    token: Token
    record: KeyRecord | None
    seen: Counter


PAD: Final = b"\x80"
"""ISO/IEC 7816-4: one 0x80, then zeros."""

_FORWARD_FIELDS_BYTES: Final = (
    3  # version, array, kind
    + 9 + 1  # request id
    + 2 * (2 + NAME_LETTERS_MAX)  # sender, recipient
    + 18  # message id
    + 5 + 5  # made_at, key number, at their largest
    + 3  # the sealed bytes' own header
    + 2 + SIGNATURE_BYTES  # inner signature
    + 1  # no first key
    + SIGNATURE_BYTES  # outer signature
)  # fmt: skip
"""A `Forward` frame with the longest names, less its sealed bytes."""
_FIRST_KEY_BYTES: Final = 2 + KEY_BYTES - 1
_LONG_HEADER_BYTES: Final = 2
"""Sealed bytes of 65,536 or more have a longer header."""


def plaintext_bytes(packets: int, *, first_contact: bool) -> int:
    """The padded plaintext's size in bytes for a `Forward` that fills exactly `packets` Sphinx packets."""
    sealed = anonymous_capacity(packets, 0) - _FORWARD_FIELDS_BYTES - (_FIRST_KEY_BYTES if first_contact else 0)
    if sealed >= 2**16:
        sealed -= _LONG_HEADER_BYTES
    return sealed - SEAL_OVERHEAD_BYTES


SEALED_SIZES: Final = frozenset(
    plaintext_bytes(packets, first_contact=first_contact) + SEAL_OVERHEAD_BYTES
    for packets in range(1, PACKETS_MAX + 1)
    for first_contact in (False, True)
)
"""Every length in bytes that the seal of a padded payload can have. A seal of any other length breaks the rules: it
opens to nothing, and would be a cheap way to fill a mailbox."""


def _room(packets: int, fields: int, *, first_contact: bool) -> int:
    """The most bytes of a last field in a payload of `packets` packets whose other fields take `fields` bytes."""
    common = 1 + 1 + 9 + 5 + 18 + 1 + len(PAD)  # array, kind, counter, sent_at, token, no record, padding
    room = plaintext_bytes(packets, first_contact=first_contact) - common - fields
    header = 2 if room - 2 <= 0xFF else 3 if room - 3 <= 0xFFFF else 5
    return room - header


CHUNK_BYTES: Final = _room(CHUNK_PACKETS, 18 + 5, first_contact=False)
"""Bytes of a file in each of its chunks but the last: what a payload of `CHUNK_PACKETS` packets has room for, beside
the file's id and the chunk's number."""


class FileOffer(Wire, frozen=True, tag=6):
    """A file, described: a *manifest*. The message's id is the file's; its bytes follow when the recipient wants them.

    `name` is what its sender calls it, and no path. `kind` is 1 for a picture, else 0. `digest`: `files.digest_of`.
    """

    counter: Counter
    sent_at: U32
    token: Token
    record: KeyRecord | None
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=FILE_NAME_LETTERS_MAX)]
    size: Annotated[int, msgspec.Meta(ge=1, le=FILE_BYTES_MAX)]
    kind: U8
    digest: Hash


class FileWanted(Wire, frozen=True, tag=7):
    """Send the file that you offered in the message `file`. Not counted: its `counter` is 0."""

    counter: Counter
    sent_at: U32
    token: Token
    record: KeyRecord | None
    file: Id


class FileChunk(Wire, frozen=True, tag=8):
    """A part of the file that was offered in the message `file`; the first has number 0. Its `counter` is 0."""

    counter: Counter
    sent_at: U32
    token: Token
    record: KeyRecord | None
    file: Id
    number: U32
    content: Annotated[bytes, msgspec.Meta(min_length=1, max_length=CHUNK_BYTES)]


class FileEnded(Wire, frozen=True, tag=9):
    """The file that was offered in the message `file`, by either side, is cancelled or unknown. Its `counter` is 0."""

    counter: Counter
    sent_at: U32
    token: Token
    record: KeyRecord | None
    file: Id


Handshake = HandshakeOffer | HandshakeAccept | HandshakeRevoke
FilePassing = FileWanted | FileChunk | FileEnded
"""What is about a file that was offered. It leaves nothing in the history."""
Payload = Text | DirectReceipt | Handshake | FileOffer | FilePassing

_decoder: Final = decoder_of(Payload)


def _padded_size(size: int, *, first_contact: bool) -> int:
    smallest = plaintext_bytes(1, first_contact=first_contact)
    packets = 1 + max(0, -(-(size - smallest) // PACKET_PAYLOAD_BYTES))
    while plaintext_bytes(packets, first_contact=first_contact) < size:
        packets += 1
    if packets > PACKETS_MAX:
        raise LocalProtocolError(Code.TOO_LARGE, "the payload is too long")
    return plaintext_bytes(packets, first_contact=first_contact)


def _text_too_long(payload: Payload) -> bool:
    return isinstance(payload, Text) and len(payload.text.encode()) > TEXT_BYTES_MAX


def pad_payload(payload: Payload, *, first_contact: bool) -> bytes:
    """The payload's encoding, padded to the smallest plaintext that fills whole packets."""
    if _text_too_long(payload):
        raise LocalProtocolError(Code.TOO_LARGE, "the text is too long")
    data = pack(payload) + PAD
    return data.ljust(_padded_size(len(data), first_contact=first_contact), b"\0")


def with_head(text: Text, head: SignedHead, *, first_contact: bool, always: bool) -> Text:
    """The text with this head: the signature is left out, or all of the head, where it would take another packet.

    `always`: it may take one.
    """
    whole = msgspec.structs.replace(text, head=HeadTold(head.size, head.root, head.signature))
    short = msgspec.structs.replace(text, head=HeadTold(head.size, head.root, None))
    if always and len(pack(whole)) < plaintext_bytes(PACKETS_MAX, first_contact=first_contact):
        return whole
    size = len(pad_payload(text, first_contact=first_contact))
    return next(each for each in (whole, short, text) if len(pack(each)) < size)


def unpad_payload(plaintext: bytes) -> Payload:
    """The payload in a padded plaintext. Raises `RemoteProtocolError(MALFORMED)` if there is none."""
    data = plaintext.rstrip(b"\0")
    if not data.endswith(PAD):
        raise RemoteProtocolError(Code.MALFORMED, "the padding is damaged")
    payload: Payload = unpack(_decoder, data[:-1])
    if _text_too_long(payload):
        raise RemoteProtocolError(Code.TOO_LARGE, "the text is too long")
    return payload


def text_bytes_in(packets: int, *, first_contact: bool) -> int:
    """The longest text, in UTF-8 bytes, that is sent in `packets` packets, whatever its counter and time."""
    return min(_room(packets, 1, first_contact=first_contact), TEXT_BYTES_MAX)


assert all(kind.__struct_config__.tag for kind in get_args(Payload))
assert text_bytes_in(PACKETS_MAX, first_contact=True) == TEXT_BYTES_MAX
