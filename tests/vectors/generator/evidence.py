"""Vectors of evidence against a node: what proves each fault, and what only looks like it.

Those about the directory are in `promises.py`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from tests.vectors.generator.base import NODE, OTHER_NODE, Raw, Signer, Vector, bad, fixed, good, pack
from tests.vectors.generator.frames import (
    ACCEPTED,
    CHALLENGE,
    DELIVER,
    DISPLACED,
    LOGIN_ID,
    NEW_CARD,
    SURBS_WANTED,
    TOP_UP,
    UINT32_MAX,
    Message,
    frame,
    frame_of,
    told,
)
from tests.vectors.generator.identity import ADDRESSES, CARD, card

TWO_TELLS, TWO_CARDS, FOREIGN_CARD, TOO_MUCH_WORK = 1, 2, 3, 4
WORK_BITS_MAX = 26

WANTED = frame(SURBS_WANTED)
OTHER_WANTED = frame(SURBS_WANTED.replaced(2, 21))
ELSEWHERE = fixed("another address", 96)


def evidence(fault: object, *signed: object, node: bytes = NODE.public) -> tuple[object, ...]:
    """The fields of a piece of evidence."""
    return (node, fault, signed)


def line(fields: tuple[object, ...] | bytes) -> str:
    """Its line of text."""
    data = fields if isinstance(fields, bytes) else pack(fields)
    return "usernym-evidence:" + base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def by(signer: Signer, message: Message) -> bytes:
    """The frame of a message, signed by another key, or for another node."""
    return frame_of(message.body, message.context, signer)


def for_other_node(message: Message) -> bytes:
    """The frame of a message that the node signed as though it were another."""
    assert message.context is not None
    return b"\x01" + message.body + NODE.sign(message.context, OTHER_NODE.public, message.body)


def moved(fields: tuple[object, ...]) -> bytes:
    """The frame that tells a user this card."""
    return frame(told("NewCard", 45, LOGIN_ID, 6, fields))


def challenge(bits: int) -> bytes:
    """The frame that asks for so much work."""
    return frame(CHALLENGE.replaced(3, bits))


def _good() -> Iterator[Vector]:
    for what, fields in {
        "two tells of one kind": evidence(TWO_TELLS, WANTED, OTHER_WANTED),
        "two tells of two kinds": evidence(TWO_TELLS, WANTED, frame(DISPLACED.replaced(1, 5))),
        "two tells, one of them a text": evidence(TWO_TELLS, WANTED, frame(DELIVER.replaced(1, 5))),
        "two tells, the largest counter": evidence(
            TWO_TELLS, *(frame(each.replaced(1, UINT32_MAX)) for each in (SURBS_WANTED, DISPLACED))
        ),
        "two cards, two addresses": evidence(TWO_CARDS, pack(CARD), pack(card(addresses=(ELSEWHERE,)))),
        "two cards, one of which has an address more": evidence(
            TWO_CARDS, pack(card(addresses=ADDRESSES[:1])), pack(card(addresses=ADDRESSES[:2]))
        ),
        "two cards, two days": evidence(TWO_CARDS, pack(CARD), pack(card(made_on=1))),
        "two cards, two lists of versions": evidence(TWO_CARDS, pack(CARD), pack(card(versions=(1, 2)))),
        "a card of another node": evidence(FOREIGN_CARD, moved(card(OTHER_NODE))),
        "a card that another node signed": evidence(FOREIGN_CARD, moved(card(signer=OTHER_NODE))),
        "a card changed after signing": evidence(FOREIGN_CARD, moved((NODE.public, (ELSEWHERE,), *CARD[2:]))),
        "one bit too much work": evidence(TOO_MUCH_WORK, challenge(WORK_BITS_MAX + 1)),
        "the most work": evidence(TOO_MUCH_WORK, challenge(255)),
    }.items():
        expect = {"node": NODE.public.hex(), "fault": fields[1]}
        yield good(f"evidence, {what}", "evidence", {"text": line(fields)}, expect)
    text = line(evidence(TWO_TELLS, WANTED, OTHER_WANTED))
    yield good(
        "evidence, white space around it",
        "evidence",
        {"text": f"  {text}\n"},
        {"node": NODE.public.hex(), "fault": TWO_TELLS},
    )


def _bad() -> Iterator[Vector]:
    unsigned = WANTED[:-64] + bytes(64)
    later = card(versions=(2,))
    for what, fields in {
        "one tell twice": evidence(TWO_TELLS, WANTED, WANTED),
        "two counters": evidence(TWO_TELLS, WANTED, frame(SURBS_WANTED.replaced(1, 6).replaced(2, 21))),
        "two logins": evidence(TWO_TELLS, WANTED, frame(SURBS_WANTED.replaced(0, fixed("another login", 16)))),
        "two tells, one of another node": evidence(TWO_TELLS, WANTED, by(OTHER_NODE, SURBS_WANTED.replaced(2, 21))),
        "two tells, one for another node": evidence(TWO_TELLS, WANTED, for_other_node(SURBS_WANTED.replaced(2, 21))),
        "two tells, one unsigned": evidence(TWO_TELLS, OTHER_WANTED, unsigned),
        "two tells of another than it accuses": evidence(TWO_TELLS, WANTED, OTHER_WANTED, node=OTHER_NODE.public),
        "two answers": evidence(TWO_TELLS, challenge(18), challenge(19)),
        "a tell and an answer": evidence(TWO_TELLS, WANTED, frame(ACCEPTED)),
        "a tell and what a user signed": evidence(TWO_TELLS, WANTED, frame(TOP_UP)),
        "two tells, only one shown": evidence(TWO_TELLS, WANTED),
        "two tells, a third shown": evidence(TWO_TELLS, WANTED, OTHER_WANTED, frame(DISPLACED.replaced(1, 5))),
        "no frame": evidence(TWO_TELLS),
        "two tells, one of them empty": evidence(TWO_TELLS, WANTED, b""),
        "one card twice": evidence(TWO_CARDS, pack(CARD), pack(CARD)),
        "two cards that differ in the signature alone": evidence(
            TWO_CARDS, pack(CARD), pack((*CARD[:5], b"\x01" + bytes(63)))
        ),
        "two sequences": evidence(TWO_CARDS, pack(CARD), pack(card(sequence=4, addresses=(ELSEWHERE,)))),
        "two cards, one of another node": evidence(
            TWO_CARDS, pack(CARD), pack(card(OTHER_NODE, addresses=(ELSEWHERE,)))
        ),
        "two cards, one signed by another node": evidence(
            TWO_CARDS, pack(CARD), pack(card(signer=OTHER_NODE, addresses=(ELSEWHERE,)))
        ),
        "two cards of another than it accuses": evidence(
            TWO_CARDS, pack(CARD), pack(card(addresses=(ELSEWHERE,))), node=OTHER_NODE.public
        ),
        "two cards, only one shown": evidence(TWO_CARDS, pack(CARD)),
        "two cards, one whose addresses are in descending order": evidence(
            TWO_CARDS, pack(CARD), pack(card(addresses=ADDRESSES[1::-1]))
        ),
        "its own card, whose addresses are in descending order": evidence(
            FOREIGN_CARD, moved(card(addresses=ADDRESSES[1::-1]))
        ),
        "its own card": evidence(FOREIGN_CARD, frame(NEW_CARD)),
        "its own card, of a later version alone": evidence(FOREIGN_CARD, moved(later)),
        "a foreign card that another node told": evidence(
            FOREIGN_CARD, by(OTHER_NODE, told("NewCard", 45, LOGIN_ID, 6, card(OTHER_NODE)))
        ),
        "a foreign card, not told": evidence(FOREIGN_CARD, pack(card(OTHER_NODE))),
        "a foreign card, and a frame more": evidence(FOREIGN_CARD, moved(card(OTHER_NODE)), WANTED),
        "the most work that is allowed": evidence(TOO_MUCH_WORK, challenge(WORK_BITS_MAX)),
        "too much work, asked for by another node": evidence(TOO_MUCH_WORK, by(OTHER_NODE, CHALLENGE.replaced(3, 27))),
        "too much work, its bits changed": evidence(TOO_MUCH_WORK, _with_more_work(challenge(18))),
        "a fault's proof under another fault": evidence(TOO_MUCH_WORK, moved(card(OTHER_NODE))),
        "fault 0": evidence(0, WANTED, OTHER_WANTED),
        "fault 11": evidence(11, WANTED, OTHER_WANTED),
        "fault in uint8": evidence(Raw(b"\xcc\1"), WANTED, OTHER_WANTED),
        "a node of 31 bytes": evidence(TWO_TELLS, WANTED, OTHER_WANTED, node=NODE.public[:-1]),
        "a field missing": evidence(TWO_TELLS, WANTED, OTHER_WANTED)[:2],
        "a field more": (*evidence(TWO_TELLS, WANTED, OTHER_WANTED), None),
    }.items():
        yield bad(f"evidence, {what}", "evidence", {"text": line(fields)}, "EVIDENCE_INVALID")
    text = line(evidence(TWO_TELLS, WANTED, OTHER_WANTED))
    for what, changed in {
        "empty": "",
        "no prefix": text.removeprefix("usernym-evidence:"),
        "a card's prefix": text.replace("usernym-evidence:", "usernym-node:"),
        "only a prefix": "usernym-evidence:",
        "cut": text[:-5],
        "a letter changed": text[:80] + ("A" if text[80] != "A" else "B") + text[81:],
        "padded": text + "=" * (-len(text.removeprefix("usernym-evidence:")) % 4 or 4),
        "a space inside": f"{text[:60]} {text[60:]}",
        "a letter outside ASCII": text + "\u00e9",
        "a byte behind it": line(pack(evidence(TWO_TELLS, WANTED, OTHER_WANTED)) + b"\0"),
    }.items():
        yield bad(f"evidence, text: {what}", "evidence", {"text": changed}, "EVIDENCE_INVALID")


def _with_more_work(data: bytes) -> bytes:
    """A challenge whose bits were raised after the node signed it."""
    assert data.count(b"\x12") == 1, "18 bits, and no other byte like it"
    return data.replace(b"\x12", b"\x1b")


def vectors() -> Sequence[Vector]:
    """All of them."""
    return [*_good(), *_bad()]
