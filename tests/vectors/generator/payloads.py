"""Vectors of payloads and their padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.vectors.generator.base import NOW, Raw, Vector, bad, fixed, good, hexed, pack, plain
from tests.vectors.generator.identity import C_LATER, A

PACKET: Final = 1604
TOKEN: Final = fixed("token", 16)
MESSAGE_ID: Final = fixed("message id", 16)
ADDRESS: Final = fixed("address", 96)
DIGEST: Final = fixed("digest", 32)
ROOT: Final = fixed("root", 32)
HEAD_SIGNATURE: Final = fixed("head", 64)


@dataclass(frozen=True)
class Payload:
    """What is inside a seal."""

    kind: str
    tag: int
    rest: tuple[object, ...]
    counter: int = 7
    sent_at: int = NOW
    record: object = None
    token: object = TOKEN

    @property
    def fields(self) -> tuple[object, ...]:
        """All fields behind the tag."""
        return (self.counter, self.sent_at, self.token, self.record, *self.rest)

    @property
    def data(self) -> bytes:
        """The canonical encoding."""
        return pack((self.tag, *self.fields))


def _plaintext_sizes(first_contact: bool) -> list[int]:
    """The ladder: the plaintext of a Forward with the longest names and numbers that fills 1 to 42 packets."""
    rungs = []
    for packets in range(1, 43):
        room = packets * PACKET - 23
        size = room - len(_forward(0, first_contact))
        while len(_forward(size, first_contact)) > room:
            size -= 1
        rungs.append(size - 1136)
    return rungs


def _forward(sealed: int, first_contact: bool) -> bytes:
    names, numbers = ("a" * 32, "b" * 32), (2**32 - 1, 2**32 - 1)
    fields = (
        bytes(8),
        *names,
        bytes(16),
        *numbers,
        bytes(max(sealed, 0)),
        bytes(64),
        bytes(32) if first_contact else None,
    )
    return b"\x01" + pack((8, *fields)) + bytes(64)


LADDER: Final = {first: _plaintext_sizes(first) for first in (False, True)}


def padded(data: bytes, first_contact: bool) -> bytes:
    size = next(size for size in LADDER[first_contact] if size > len(data))
    return data + b"\x80" + bytes(size - len(data) - 1)


TEXT: Final = Payload("Text", 1, (None, "hi"))
PAYLOADS: Final = {
    "text": TEXT,
    "text of one letter": Payload("Text", 1, (None, "x")),
    "text with a zero and 0x80 in UTF-8": Payload("Text", 1, (None, "\0 \u0080 \U0001f600\0")),
    "text of 163 bytes, largest numbers": Payload("Text", 1, (None, "t" * 163), 2**63 - 1, 2**32 - 1),
    "text of 164 bytes, largest numbers": Payload("Text", 1, (None, "t" * 164), 2**63 - 1, 2**32 - 1),
    "text of 130 bytes, largest numbers": Payload("Text", 1, (None, "t" * 130), 2**63 - 1, 2**32 - 1),
    "text of 131 bytes, largest numbers": Payload("Text", 1, (None, "t" * 131), 2**63 - 1, 2**32 - 1),
    "text with a head": Payload("Text", 1, ((70_000, ROOT, HEAD_SIGNATURE), "hi")),
    "text with a head without its signature": Payload("Text", 1, ((2**32 - 1, ROOT, None), "hi")),
    "text with a record": Payload("Text", 1, (None, "my keys are new"), record=C_LATER.fields),
    "text of a restored home": Payload("Text", 1, (None, "hi"), 1_790_000_000 * 2**31 + 1),
    "longest text": Payload("Text", 1, (None, "t" * 65_536), 2**63 - 1, 2**32 - 1),
    "longest text, four bytes a letter": Payload("Text", 1, (None, "\U0001f600" * 16_384)),
    "receipt": Payload("DirectReceipt", 2, (((MESSAGE_ID, TOKEN),),), 0),
    "receipt of sixteen": Payload("DirectReceipt", 2, (((MESSAGE_ID, TOKEN),) * 16,), 0),
    "offer": Payload("HandshakeOffer", 3, (ADDRESS, 6)),
    "offer, nothing seen": Payload("HandshakeOffer", 3, (ADDRESS, 0)),
    "accept": Payload("HandshakeAccept", 4, (ADDRESS, 2**63 - 1), 2**63 - 1, 2**32 - 1),
    "revoke": Payload("HandshakeRevoke", 5, (300,)),
    "offer of a file": Payload("FileOffer", 6, ("holiday.jpg", 1, 1, DIGEST)),
    "offer of the largest file with the longest name": Payload(
        "FileOffer", 6, ("n" * 64, 10_485_760, 255, DIGEST), 2**63 - 1, 2**32 - 1
    ),
    "offer of a file with a name that no one should use as it is": Payload(
        "FileOffer", 6, ("../../\u202egpj.exe\0", 65_536, 0, DIGEST)
    ),
    "file wanted": Payload("FileWanted", 7, (MESSAGE_ID,), 0),
    "chunk of one byte": Payload("FileChunk", 8, (MESSAGE_ID, 0, b"x"), 0),
    "longest chunk, largest numbers": Payload("FileChunk", 8, (MESSAGE_ID, 2**32 - 1, b"c" * 30_616), 0, 2**32 - 1),
    "file ended": Payload("FileEnded", 9, (MESSAGE_ID,), 0),
}


def _payload_vectors() -> Iterator[Vector]:
    for what, payload in PAYLOADS.items():
        for first_contact in (False, True):
            plaintext = padded(payload.data, first_contact)
            given = {"kind": payload.kind, "fields": plain(payload.fields), "first_contact": first_contact}
            expect: dict[str, object] = {"size": len(plaintext), "plaintext": hexed(plaintext)}
            yield good(f"{what}, {'first contact' if first_contact else 'known contact'}", "payload", given, expect)
    for first_contact, sizes in LADDER.items():
        given = {"first_contact": first_contact}
        yield good(
            f"ladder, {'first contact' if first_contact else 'known contact'}", "ladder", given, {"sizes": sizes}
        )
    for zeros in (0, 1, 5000):
        data = TEXT.data + b"\x80" + bytes(zeros)
        expect = {"kind": TEXT.kind, "fields": plain(TEXT.fields)}
        yield good(f"a text behind which {zeros} zeros stand", "unpad", {"plaintext": hexed(data)}, expect)


def _bad_payloads() -> Iterator[Vector]:
    whole = padded(TEXT.data, False)
    end = len(TEXT.data)
    for what, data in {
        "empty": b"",
        "only zeros": bytes(202),
        "only padding": b"\x80" + bytes(201),
        "no 0x80": TEXT.data + bytes(20),
        "0x81 for 0x80": TEXT.data + b"\x81" + bytes(20),
        "a byte behind the zeros": whole[:-1] + b"\x01",
        "a byte among the zeros": whole[: end + 10] + b"\x01" + whole[end + 11 :],
        "two 0x80": TEXT.data + b"\x80\x80" + bytes(20),
        "a second 0x80 among the zeros": TEXT.data + b"\x80\0\x80" + bytes(20),
        "0x80 cut off": TEXT.data,
        "its last letter cut off": TEXT.data[:-1] + b"\x80" + bytes(20),
        "a second payload": TEXT.data * 2 + b"\x80",
    }.items():
        yield bad(f"padding: {what}", "unpad", {"plaintext": hexed(data)}, "MALFORMED")
    text = TEXT.fields
    for what, value in {
        "kind 0": (0, *text),
        "kind 10": (10, *text),
        "no kind": text,
        "a field less": (1, *text[:-1]),
        "a field more": (1, *text, None),
        "empty text": (1, *text[:-1], ""),
        "text in bytes": (1, *text[:-1], b"hi"),
        "text in str8": (1, *text[:-1], Raw(b"\xd9\2hi")),
        "invalid UTF-8": (1, *text[:-1], Raw(b"\xa2h\xff")),
        "counter in uint8": (1, Raw(b"\xcc\7"), *text[1:]),
        "counter of 2^63": (1, 2**63, *text[1:]),
        "negative counter": (1, -1, *text[1:]),
        "sent_at as a float": (1, 7, Raw(b"\xca\0\0\0\0"), *text[2:]),
        "token of 15 bytes": (1, *text[:2], TOKEN[:-1], *text[3:]),
        "token of 17 bytes": (1, *text[:2], TOKEN + b"\0", *text[3:]),
        "no token": (1, *text[:2], None, *text[3:]),
        "record in bytes": (1, *text[:3], pack(A.fields), text[4]),
        "a record's short form": (1, *text[:3], A.stub, text[4]),
        "65,537 letters": (1, *text[:-1], "t" * 65_537),
        "offer of 95 bytes": (3, *text[:4], ADDRESS[:-1], 6),
        "offer of 97 bytes": (3, *text[:4], ADDRESS + b"\0", 6),
        "offer that tells nothing of what it has seen": (3, *text[:4], ADDRESS),
        "accept without address": (4, *text[:4], 6),
        "accept that has seen 2^63": (4, *text[:4], ADDRESS, 2**63),
        "accept that has seen nil": (4, *text[:4], ADDRESS, None),
        "revoke with address": (5, *text[:4], ADDRESS, 6),
        "revoke that tells nothing of what it has seen": (5, *text[:4]),
        "offer of a file without a name": (6, *text[:4], "", 1, 0, DIGEST),
        "offer of a file with a name of 65 letters": (6, *text[:4], "n" * 65, 1, 0, DIGEST),
        "offer of an empty file": (6, *text[:4], "x", 0, 0, DIGEST),
        "offer of a file of 10 MiB and a byte": (6, *text[:4], "x", 10_485_761, 0, DIGEST),
        "offer of a file of kind 256": (6, *text[:4], "x", 1, 256, DIGEST),
        "offer of a file with a digest of 31 bytes": (6, *text[:4], "x", 1, 0, DIGEST[:-1]),
        "file wanted by an id of 15 bytes": (7, *text[:4], MESSAGE_ID[:-1]),
        "chunk without content": (8, *text[:4], MESSAGE_ID, 0, b""),
        "chunk of 30,621 bytes": (8, *text[:4], MESSAGE_ID, 0, bytes(30_621)),
        "chunk in a text": (8, *text[:4], MESSAGE_ID, 0, "x"),
        "chunk of number 2^32": (8, *text[:4], MESSAGE_ID, 2**32, b"x"),
        "file ended without an id": (9, *text[:4], None),
        "receipt for nothing": (2, *text[:4], ()),
        "receipt of seventeen": (2, *text[:4], ((MESSAGE_ID, TOKEN),) * 17),
        "receipt without token": (2, *text[:4], ((MESSAGE_ID, None),)),
        "arrays 60,000 deep": (1, Raw(b"\x91" * 60_000), *text[1:]),
        "receipt that declares 4,294,967,295": (2, *text[:4], Raw(b"\xdd\xff\xff\xff\xff")),
    }.items():
        yield bad(f"payload: {what}", "unpad", {"plaintext": hexed(pack(value) + b"\x80" + bytes(9))}, "MALFORMED")
    long = pack((1, *text[:-1], "\u00e9" * 32_769)) + b"\x80"
    yield bad("payload: a text of 65,538 bytes in 32,769 letters", "unpad", {"plaintext": hexed(long)}, "TOO_LARGE")


def vectors() -> Sequence[Vector]:
    """All of them."""
    return [*_payload_vectors(), *_bad_payloads()]
