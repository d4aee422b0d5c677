"""Vectors of frames that must be refused, each with one failure."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from tests.vectors.generator import frames as f
from tests.vectors.generator.base import (
    NODE,
    ORDER,
    OTHER_NODE,
    SMALL_ORDER,
    THIEF,
    VERSION,
    Raw,
    Signer,
    Vector,
    array_header,
    bad,
    fixed,
    labelled,
    pack,
)
from tests.vectors.generator.frames import Message, frame, frame_input, frame_of
from tests.vectors.generator.identity import ADDRESSES, CHAIN, CHANGED

FRAME_MAX: Final = 42 * 1604
Found = Iterator[tuple[str, bytes, Message]]


def _body(message: Message, body: bytes) -> bytes:
    """The frame of a damaged body with an undamaged signature over it."""
    return frame_of(body, message.context, message.key)


def _with(message: Message, at: int, value: object) -> bytes:
    return frame(message.replaced(at, value))


def _structure() -> Found:
    lookup, beat = f.LOOKUP, f.HEARTBEAT
    whole = frame(lookup)
    ends = {
        "version": 1,
        "array header": 2,
        "kind": 3,
        "half the request id": 8,
        "request id": 13,
        "surbs": 14,
        "name's header": 15,
        "half the name": 16,
    }
    for what, end in ends.items():
        yield f"lookup, cut behind the {what}", whole[:end], lookup
    yield "empty", b"", lookup
    yield "lookup, a byte behind it", whole + b"\0", lookup
    yield "lookup, a second one behind it", whole + whole[1:], lookup
    yield "lookup, a signature behind it", whole + fixed("any", 64), lookup
    for end in (1, 2, 3, 20, 60, 64, 65, 66):
        yield f"heartbeat, cut to {end} bytes", frame(beat)[:end], beat
    yield "heartbeat, no signature", VERSION + beat.body, beat
    for size in (1, 18, 32, 63):
        yield f"top-up, a signature of {size} bytes", frame(f.TOP_UP)[: 1 + len(f.TOP_UP.body) + size], f.TOP_UP
    yield "heartbeat, signature cut by a byte", frame(beat)[:-1], beat
    yield "heartbeat, a byte behind the signature", frame(beat) + b"\0", beat
    yield "heartbeat, a byte between body and signature", _body(beat, beat.body + b"\0"), beat
    fields = (lookup.tag, *lookup.fields)
    inner = b"".join(pack(each) for each in fields)
    yield "lookup, a map instead of the array", VERSION + b"\x84" + inner, lookup
    yield "lookup, a map with names", VERSION + b"\x81" + pack("type") + pack(6), lookup
    yield "lookup, array16", VERSION + b"\xdc\0\5" + inner, lookup
    yield "lookup, array32", VERSION + b"\xdd\0\0\0\5" + inner, lookup
    yield "lookup, its array in an array", VERSION + b"\x91" + lookup.body, lookup
    yield "lookup, kind in uint8", VERSION + b"\x95\xcc" + inner, lookup
    yield "lookup, kind as a string", VERSION + pack(("6", *lookup.fields)), lookup
    yield "lookup, kind as nil", VERSION + pack((None, *lookup.fields)), lookup
    yield "lookup, kind negative", VERSION + pack((-6, *lookup.fields)), lookup
    for message in (lookup, beat, f.FORWARD, f.FOUND, f.PROVED, f.ABSENT, f.DELIVER, f.DIRECT):
        less = pack((message.tag, *message.fields[:-1]))
        more = pack((message.tag, *message.fields, None))
        yield f"{message.kind}, one field less", _body(message, less), message
        yield f"{message.kind}, one field more", _body(message, more), message
        count = len(message.fields) + 1
        yield (
            f"{message.kind}, array header counts one less",
            _body(message, array_header(count - 1) + message.body[1:]),
            message,
        )
        yield (
            f"{message.kind}, array header counts one more",
            _body(message, array_header(count + 1) + message.body[1:]),
            message,
        )
    more_than_room = f.PROVED.replaced(5, (*f.PROVED.fields[5][:7], fixed("hashes", 35 * 32)))  # type: ignore[index]
    yield "proved, more hashes and cosignatures than there is room for", frame(more_than_room), more_than_room
    shown = f.LOGGED_IN.replaced(6, (*f.LOGGED_IN.fields[6][:3], fixed("hashes", 29 * 32), fixed("any", 228)))  # type: ignore[index]
    yield "logged in, more hashes and cosignatures than there is room for", frame(shown), shown
    known = {message.tag for message in f.PLAIN}
    beside = {tag + step for tag in known for step in (-1, 1)} - known
    for kind in sorted(beside | {127}):
        yield f"unknown kind {kind}", VERSION + pack((kind, *lookup.fields)), lookup
    yield "only an empty array", VERSION + b"\x90", lookup
    yield "text instead of a frame", VERSION + b'{"type": 6}', lookup


def _encodings() -> Found:
    lookup, beat, forward, ack = f.LOOKUP, f.HEARTBEAT, f.FORWARD, f.ACKNOWLEDGE
    for what, raw in {
        "uint8 for a fixint": b"\xcc\x02",
        "uint16 for a fixint": b"\xcd\0\2",
        "uint32 for a fixint": b"\xce\0\0\0\2",
        "uint64 for a fixint": b"\xcf\0\0\0\0\0\0\0\2",
        "int8 for a fixint": b"\xd0\2",
        "int16 for a fixint": b"\xd1\0\2",
        "int32 for a fixint": b"\xd2\0\0\0\2",
        "int64 for a fixint": b"\xd3\0\0\0\0\0\0\0\2",
        "float32 for an integer": b"\xca" + struct.pack(">f", 2.0),
        "float64 for an integer": b"\xcb" + struct.pack(">d", 2.0),
        "a not-a-number for an integer": b"\xcb" + struct.pack(">d", float("nan")),
        "true for an integer": b"\xc3",
        "false for an integer": b"\xc2",
        "nil for an integer": b"\xc0",
        "a string for an integer": pack("2"),
        "a byte string for an integer": pack(b"\2"),
        "-1": b"\xff",
        "-128": b"\xd0\x80",
        "the byte that MessagePack never uses": b"\xc1",
        "an extension": b"\xd4\1\0",
        "a timestamp": b"\xd6\xff\0\0\0\2",
        "an array for an integer": b"\x91\x02",
        "a map for an integer": b"\x80",
    }.items():
        yield f"surbs, {what}", _with(lookup, 1, Raw(raw)), lookup
    for value, head, size in ((200, 0xCD, 2), (60_000, 0xCE, 4), (4_000_000_000, 0xCF, 8), (200, 0xD1, 2)):
        longer = Raw(bytes((head,)) + value.to_bytes(size, "big"))
        yield f"confirmed {value} in {8 * size} bits behind {head:02x}", _with(beat, 4, (longer,)), beat
    name = b"bob"
    for what, raw in {
        "str8 for fixstr": b"\xd9\3" + name,
        "str16 for fixstr": b"\xda\0\3" + name,
        "str32 for fixstr": b"\xdb\0\0\0\3" + name,
        "bin8 for a string": pack(name),
        "nil for a string": b"\xc0",
        "an integer for a string": b"\x07",
        "an array of letters for a string": pack(("b", "o", "b")),
        "invalid UTF-8": b"\xa3b\xffb",
        "overlong UTF-8": b"\xa4bo\xc1\xa2",
        "overlong zero": b"\xa5bob\xc0\x80",
        "a surrogate": b"\xa5bo\xed\xa0\x80",
        "UTF-8 cut short": b"\xa4bob\xc3",
        "a code point past the last": b"\xa4\xf4\x90\x80\x80",
        "a declared length past the end": b"\xa4" + name,
        "a declared length of 4 GiB": b"\xdb\xff\xff\xff\xff" + name,
    }.items():
        yield f"name, {what}", _with(lookup, 2, Raw(raw)), lookup
    long = f.LONG.encode()
    yield "name of 32, str16 for str8", _with(lookup, 2, Raw(b"\xda\0\x20" + long)), lookup
    rid = f.REQUEST_ID
    for what, raw in {
        "bin16 for bin8": b"\xc5\0\x08" + rid,
        "bin32 for bin8": b"\xc6\0\0\0\x08" + rid,
        "a string for bytes": b"\xa8" + b"abcdefgh",
        "an array of integers for bytes": pack(tuple(rid)),
        "nil for bytes": b"\xc0",
        "an extension for bytes": b"\xd7\1" + rid,
        "a declared length past the end": b"\xc4\xff" + rid,
        "a declared length of 4 GiB": b"\xc6\xff\xff\xff\xff" + rid,
        "base64 in a string": pack("AAAAAAAAAAA="),
    }.items():
        yield f"request id, {what}", _with(lookup, 0, Raw(raw)), lookup
    sealed = f.SEALED
    yield "sealed, bin32 for bin16", _with(forward, 6, Raw(b"\xc6" + struct.pack(">I", len(sealed)) + sealed)), forward
    yield "sealed, bin16 for bin8", _with(forward, 6, Raw(b"\xc5\0\x05" + sealed[:5])), forward
    yield "first key, false for nil", _with(forward, 8, Raw(b"\xc2")), forward
    yield "first key, empty for nil", _with(forward, 8, b""), forward
    one = pack(("alice", f.MESSAGE_ID, f.TOKEN))
    for what, raw in {
        "array16 for fixarray": b"\xdc\0\1" + one,
        "array32 for fixarray": b"\xdd\0\0\0\1" + one,
        "a map for a list": b"\x81" + one + b"\x01",
        "nil for a list": b"\xc0",
        "a declared count past the end": b"\x9f" + one,
        "a declared count of 65,535": b"\xdc\xff\xff" + one,
        "a declared count of 4,294,967,295": b"\xdd\xff\xff\xff\xff" + one,
        "a map of 4,294,967,295": b"\xdf\xff\xff\xff\xff" + one,
        "an item as a map": b"\x91\x83" + one[1:],
        "an item with a field less": b"\x91" + pack(("alice", f.MESSAGE_ID)),
        "an item with a field more": b"\x91" + pack(("alice", f.MESSAGE_ID, f.TOKEN, None)),
        "an item as nil": b"\x91\xc0",
        "an item as array16": b"\x91\xdc\0\3" + one[1:],
    }.items():
        yield f"messages, {what}", _with(ack, 3, Raw(raw)), ack
    deep = 60_000
    yield "surbs, arrays 60,000 deep", _with(lookup, 1, Raw(b"\x91" * deep + b"\x02")), lookup
    yield "surbs, maps 30,000 deep", _with(lookup, 1, Raw(b"\x81\x01" * 30_000 + b"\x02")), lookup
    yield "messages, arrays 60,000 deep", _with(ack, 3, Raw(b"\x91" * deep + b"\x90")), ack
    yield "arrays all the way", VERSION + b"\x91" * deep, lookup
    yield "a field more, arrays 60,000 deep", VERSION + b"\x96" + lookup.body[1:] + b"\x91" * deep, lookup


def _sizes() -> Found:
    sized = {
        (f.LOOKUP, 0): 8,
        (f.REGISTER_ASK, 3): 32,
        (f.REGISTER_ASK, 4): 32,
        (f.LOGIN_PROOF, 3): 16,
        (f.LOGIN_PROOF, 5): 16,
        (f.FORWARD, 3): 16,
        (f.FORWARD, 7): 64,
        (f.FORWARD, 8): 32,
        (f.HEARTBEAT, 3): 16,
        (f.UNOPENABLE, 4): 16,
        (f.UNOPENABLE, 5): 64,
        (f.TOP_UP, 2): 16,
        (f.CHALLENGE, 1): 16,
        (f.CHALLENGE, 4): 16,
        (f.LOGGED_IN, 1): 16,
        (f.LOGGED_IN, 2): 8,
        (f.ALIVE, 1): 8,
        (f.DELIVER, 0): 16,
        (f.DELIVER, 3): 16,
        (f.DELIVER, 6): 64,
        (f.DELIVER, 7): 32,
        (f.NOT_OPENED, 5): 64,
        (f.DIRECT, 1): 16,
        (f.DIRECT, 4): 64,
    }
    for (message, at), size in sized.items():
        for wrong in (size - 1, size + 1):
            yield f"{message.kind}, field {at} of {wrong} bytes", _with(message, at, fixed("size", wrong)), message
    record = f.FOUND.fields[1]
    assert isinstance(record, tuple)
    for at, size in {2: 32, 3: 32, 4: 1216, 7: 32, 8: 64}.items():
        for wrong in (size - 1, size + 1):
            changed = (*record[:at], fixed("size", wrong), *record[at + 1 :])
            yield f"Found, record's field {at} of {wrong} bytes", _with(f.FOUND, 1, changed), f.FOUND
    item = ("alice", f.MESSAGE_ID, f.TOKEN)
    for at in (1, 2):
        for wrong in (15, 17):
            changed = (*item[:at], fixed("size", wrong), *item[at + 1 :])
            yield f"Acknowledge, item's field {at} of {wrong} bytes", _with(f.ACKNOWLEDGE, 3, (changed,)), f.ACKNOWLEDGE
    card = f.NEW_CARD.fields[2]
    assert isinstance(card, tuple)
    for at, value in {
        1: (fixed("address", 95),),
        2: tuple(range(1, 10)),
        3: 0,
        4: 0,
        5: fixed("signature", 63),
        0: fixed("key", 31),
    }.items():
        yield (
            f"NewCard, card's field {at} out of bounds",
            _with(f.NEW_CARD, 2, (*card[:at], value, *card[at + 1 :])),
            f.NEW_CARD,
        )
    for what, these in {
        "no address": (),
        "nine addresses": ADDRESSES,
        "an address twice": (ADDRESSES[0], ADDRESSES[0]),
        "addresses in descending order": ADDRESSES[1::-1],
    }.items():
        yield f"NewCard, {what}", _with(f.NEW_CARD, 2, (card[0], these, *card[2:])), f.NEW_CARD
    yield "NewCard, version 0", _with(f.NEW_CARD, 2, (*card[:2], (1, 0), *card[3:])), f.NEW_CARD
    yield "NewCard, version 128", _with(f.NEW_CARD, 2, (*card[:2], (1, 128), *card[3:])), f.NEW_CARD
    link = CHAIN[1]
    for what, changed in {
        "authority 3": (link[0], 3, link[2]),
        "authority -1": (link[0], -1, link[2]),
        "authority as nil": (link[0], None, link[2]),
        "authority's signature of 65 bytes": (link[0], 1, fixed("size", 65)),
        "a whole record for the short form": (CHANGED, 1, link[2]),
    }.items():
        yield f"Links, {what}", _with(f.LINKS, 1, (changed,)), f.LINKS
    past = 2**32
    for message, at, values in (
        (f.LOOKUP, 1, (256,)),
        (f.HISTORY, 3, (256,)),
        (f.TOP_UP, 0, (256,)),
        (f.FORWARD, 4, (past,)),
        (f.FORWARD, 5, (0, past)),
        (f.REGISTER_PROOF, 5, (past,)),
        (f.REGISTER_PROOF, 6, (256,)),
        (f.REGISTER_PROOF, 8, (2**63, 2**64 - 1)),
        (f.CHALLENGE, 3, (256,)),
        (f.DELETE, 3, (past,)),
        (f.LOGGED_IN, 3, (0, past)),
        (f.LOGGED_IN, 4, (past,)),
        (f.PUBLISHED, 1, (0, past)),
        (f.LINKS, 2, (256,)),
        (f.DELETED, 1, (past,)),
        (f.ALIVE, 2, (past,)),
        (f.REFUSED, 1, (256,)),
        (f.REFUSED, 2, (past,)),
        (f.DELIVER, 1, (0, past)),
        (f.DELIVER, 4, (0, past)),
        (f.NOT_OPENED, 2, (0,)),
        (f.SURBS_WANTED, 2, (256,)),
        (f.LOGIN_PROOF, 6, (0, past)),
        (f.LOGIN_PROOF, 8, ((past, 0, 0), (0, past, 0), (0, 0, 2))),
        (f.HEARTBEAT, 5, ((past, 0, 0), (0, past, 0), (0, 0, 2))),
        (f.ALIVE, 3, ((0, bytes(64), None, b""), (1, bytes(63), None, b""), (1, bytes(64), None, bytes(37 * 32)))),
        (f.DISPLACED, 1, (0, past)),
        (f.DIRECT, 2, (0, past)),
    ):
        for value in values:
            yield f"{message.kind}, field {at} is {value}", _with(message, at, value), message
    for name in ("a" * 64, "\U0001f600" * 64):
        yield f"name field of 64 letters, {len(name.encode())} bytes", _with(f.LOOKUP, 2, name), f.LOOKUP
    yield "Forward, nothing sealed", _with(f.FORWARD, 6, b""), f.FORWARD
    for message, at in ((f.FORWARD, 6), (f.DELIVER, 5), (f.DIRECT, 3)):
        for size in (1_136, 1_304, 1_306, 1_339):
            yield f"{message.kind}, {size} bytes sealed", _with(message, at, bytes(size)), message
    yield "Acknowledge, no messages", _with(f.ACKNOWLEDGE, 3, ()), f.ACKNOWLEDGE
    yield "Acknowledge, 17 messages", _with(f.ACKNOWLEDGE, 3, (item,) * 17), f.ACKNOWLEDGE
    yield "Acknowledge, 65 confirmed", _with(f.ACKNOWLEDGE, 4, tuple(range(1, 66))), f.ACKNOWLEDGE
    yield "Heartbeat, 65 confirmed", _with(f.HEARTBEAT, 4, tuple(range(1, 66))), f.HEARTBEAT
    yield "Heartbeat, confirms number 0", _with(f.HEARTBEAT, 4, (0,)), f.HEARTBEAT
    yield "Heartbeat, confirms number 4294967296", _with(f.HEARTBEAT, 4, (past,)), f.HEARTBEAT
    receipt = (1, f.MESSAGE_ID, f.TOKEN)
    yield "Delivered, none", _with(f.DELIVERED, 2, ()), f.DELIVERED
    yield "Delivered, 33", _with(f.DELIVERED, 2, (receipt,) * 33), f.DELIVERED
    yield "Links, 6", _with(f.LINKS, 1, (link,) * 6), f.LINKS


def _signatures() -> Found:
    for message in (f.HEARTBEAT, f.FOUND, f.DELIVER):
        whole = frame(message)
        for what, at in {"first half": -64, "second half": -1, "body": 6}.items():
            flipped = bytearray(whole)
            flipped[at] ^= 1
            yield (
                f"{message.kind}, a flipped bit in the {what}" + (" of the signature" if at < 0 else ""),
                bytes(flipped),
                message,
            )
        yield f"{message.kind}, another's signature", frame_of(message.body, message.context, THIEF), message
        for context in sorted({"request", "answer", "tell", "record", "sealed"} - {message.context}):
            yield f"{message.kind}, signed as {context}", frame_of(message.body, context, message.key), message
        for what, data in {
            "for another node": labelled(message.context or "", OTHER_NODE.public, message.body),
            "for no node": labelled(message.context or "", message.body),
            "bare": message.body,
            "with its version byte, bare": VERSION + message.body,
            "under another version's label": labelled(message.context or "", NODE.public, message.body).replace(
                b"/1 ", b"/2 "
            ),
            "under another version's byte": labelled(message.context or "", NODE.public, message.body).replace(
                b"\0\1", b"\0\2", 1
            ),
            "over another body": labelled(message.context or "", NODE.public, message.body[:-1] + b"\0\0"),
        }.items():
            yield f"{message.kind}, signed {what}", VERSION + message.body + message.key.sign_bare(data), message
        yield f"{message.kind}, signature of zeros", VERSION + message.body + bytes(64), message
        r, s = whole[-64:-32], int.from_bytes(whole[-32:], "little")
        yield f"{message.kind}, S not reduced", whole[:-64] + r + (s + ORDER).to_bytes(32, "little"), message


def _small_order() -> Iterator[Vector]:
    message = f.HEARTBEAT
    neutral = b"\x01" + bytes(31) + bytes(32)
    for what, key in SMALL_ORDER.items():
        weak = Signer(b"", key)
        given = frame_input(
            VERSION + message.body + neutral, Message(message.kind, message.tag, message.fields, "request", weak)
        )
        yield bad(
            f"signature of the neutral point for a key of small order: {what}", "frame", given, "SIGNATURE_INVALID"
        )


def vectors() -> Sequence[Vector]:
    """All bad frames."""
    found = []
    for part, code in (
        (_structure, "MALFORMED"),
        (_encodings, "MALFORMED"),
        (_sizes, "MALFORMED"),
        (_signatures, "SIGNATURE_INVALID"),
    ):
        found += [bad(name, "frame", frame_input(data, message), code) for name, data, message in part()]
    for version in (0, 2, 0x7F, 0x81, 0x94, 0xFF):
        data = bytes((version,)) + frame(f.LOOKUP)[1:]
        found.append(bad(f"protocol version {version}", "frame", frame_input(data, f.LOOKUP), "UNSUPPORTED_VERSION"))
    for extra in (1, 1000):
        data = VERSION + bytes(FRAME_MAX - 1 + extra)
        found.append(bad(f"a frame {extra} too long", "frame", frame_input(data, f.LOOKUP), "TOO_LARGE"))
    room = FRAME_MAX - len(frame(f.FORWARD.replaced(6, bytes(65_536)))) + 65_536
    fits, past = f.FORWARD.replaced(6, bytes(room)), f.FORWARD.replaced(6, bytes(room + 1))
    assert len(frame(fits)) == FRAME_MAX
    found.append(
        bad("a well-formed Forward, a byte longer than any frame", "frame", frame_input(frame(past), past), "TOO_LARGE")
    )
    found.extend(_small_order())
    return found
