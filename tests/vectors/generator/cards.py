"""Vectors of node cards."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from tests.vectors.generator.base import NODE, OTHER_NODE, SMALL_ORDER, Raw, Vector, bad, fixed, good, pack, plain
from tests.vectors.generator.identity import ADDRESSES, card, card_line


def _cards() -> Iterator[Vector]:
    def given(fields: tuple[object, ...] | bytes, known: tuple[object, ...] | None = None) -> dict[str, object]:
        line = card_line(fields if isinstance(fields, bytes) else pack(fields))
        return {"text": line} if known is None else {"text": line, "known": card_line(pack(known))}

    for what, fields in {
        "plain": card(),
        "several versions": card(versions=(1, 2, 127)),
        "two addresses": card(addresses=ADDRESSES[:2]),
        "eight addresses, the largest numbers": card(
            addresses=ADDRESSES[:8], versions=(1, *range(121, 128)), sequence=2**32 - 1, made_on=2**32 - 1
        ),
        "two addresses that differ in the last bit": card(addresses=(bytes(96), bytes(95) + b"\1")),
        "largest numbers": card(sequence=2**32 - 1, made_on=2**32 - 1),
    }.items():
        yield good(f"card, {what}", "card", given(fields), {"fields": plain(fields)})
    yield good("card, newer", "card", given(card(sequence=4), card()), {"fields": plain(card(sequence=4))})
    line = card_line(pack(card()))
    yield good("card, white space around it", "card", {"text": f"  {line}\n"}, {"fields": plain(card())})
    for what, fields in {
        "signed by another node": card(signer=OTHER_NODE),
        "signed under another label": card(context="tell"),
        "its address changed": (NODE.public, (fixed("other", 96),), *card()[2:]),
        "an address added": (NODE.public, ADDRESSES[:2], *card(addresses=ADDRESSES[:1])[2:]),
        "an address removed": (NODE.public, ADDRESSES[:1], *card(addresses=ADDRESSES[:2])[2:]),
        "its sequence changed": (*card()[:3], 4, *card()[4:]),
        "its key replaced": (OTHER_NODE.public, *card()[1:]),
        "its key of small order": (SMALL_ORDER["order 1"], *card()[1:5], b"\x01" + bytes(63)),
        "signed bare": (*card()[:5], NODE.sign_bare(pack((*card()[:5], b"")))),
        "signed with its signature field left out": (*card()[:5], NODE.sign("card", pack(card()[:5]))),
        "sequence 0": card(sequence=0),
        "day 0": card(made_on=0),
        "an address of 95 bytes": card(addresses=(fixed("address", 95),)),
        "no address": card(addresses=()),
        "nine addresses": card(addresses=ADDRESSES),
        "an address twice": card(addresses=(ADDRESSES[0], ADDRESSES[0])),
        "addresses in descending order": card(addresses=ADDRESSES[1::-1]),
        "an address without its list": card(addresses=ADDRESSES[0]),
        "nine versions": card(versions=tuple(range(1, 10))),
        "version 128": card(versions=(1, 128)),
        "sequence in uint8": (*card()[:3], Raw(b"\xcc\3"), *card()[4:]),
        "a field missing": card()[:5],
        "a field more": (*card(), None),
    }.items():
        yield bad(f"card, {what}", "card", given(fields), "CARD_INVALID")
    for what, fields in {"only version 2": card(versions=(2,)), "no version": card(versions=())}.items():
        yield bad(f"card, {what}", "card", given(fields), "UNSUPPORTED_VERSION")
    yield bad(
        "card, of another node than the known", "card", given(card(OTHER_NODE, sequence=9), card()), "CARD_INVALID"
    )
    yield bad("card, the known one again", "card", given(card(), card()), "CARD_STALE")
    yield bad("card, older than the known", "card", given(card(sequence=2), card()), "CARD_STALE")
    swapped = base64.b64encode(pack(card(addresses=(b"\xff" * 96,)))).rstrip(b"=").decode()
    for what, text in {
        "empty": "",
        "no prefix": line.removeprefix("usernym-node:"),
        "upper-case prefix": line.replace("usernym", "USERNYM"),
        "only a prefix": "usernym-node:",
        "cut": line[:-5],
        "a letter changed": line[:80] + ("A" if line[80] != "A" else "B") + line[81:],
        "a letter more": line + "A",
        "padded": line + "=" * (-len(line.removeprefix("usernym-node:")) % 4 or 4),
        "a space inside": f"{line[:60]} {line[60:]}",
        "two lines": f"{line[:60]}\n{line[60:]}",
        "ordinary base64": f"usernym-node:{swapped}",
        "a letter outside ASCII": line + "\u00e9",
        "1,281 letters": line + "A" * (1281 - len(line)),
        "stray bits in its last letter": _stray(line),
    }.items():
        yield bad(f"card, text: {what}", "card", {"text": text}, "CARD_INVALID")


def _stray(line: str) -> str:
    """The line with bits set that belong to no byte."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(line.removeprefix("usernym-node:")) % 4, "a card without spare bits"
    return line[:-1] + letters[letters.index(line[-1]) + 1]


def vectors() -> Sequence[Vector]:
    """All of them."""
    return list(_cards())
